//! `--step`: before each step the user is asked, once for all hosts of the batch, whether to run it.

use crate::engine::live::questions::{StepChoice as Wish, Wanted};
use crate::engine::live::together::Claim;
use crate::engine::plan::memory::{Done, Place};
use crate::engine::plan::{PlannedStep, summarize};
use crate::engine::step::ask::{self, NoAnswer};
use crate::engine::walk::halt::Halt;
use crate::engine::walk::worker::Worker;
use crate::model::template::Scope;
use crate::ssh::Connector;

impl<C: Connector> Worker<'_, C> {
    /// Whether the user is asked before each step.
    pub(crate) fn is_paced(&self) -> bool {
        self.plan.stepwise && !self.shared.pace.is_free()
    }

    /// Asks whether a step is to be run, or learns what was answered.
    pub(crate) async fn is_let_run(&mut self, index: usize, planned: &PlannedStep) -> Result<bool, Halt> {
        let shared = self.shared;
        let pace = &shared.pace;
        let place = Place { task: self.task_index, step: index, batch: Some(self.together.number) };
        let claimed = match self.claim_at(index, &pace.once, place).await? {
            Claim::Done(Done { by: _, result }) => {
                return result.map_err(|failure| self.halt_declined(index, failure));
            }
            Claim::Mine(_) if pace.is_free() => return Ok(true),
            Claim::Mine(claimed) => claimed,
        };
        let (task, number, of) = (&self.task.name, index + 1, self.task.steps.len());
        let question = format!("{task} step {number} of {of}: {}", summarize(planned).title);
        let scope = Scope::new();
        let result = match ask::ask(&self.cx(index, &planned.step, &scope), question, Wanted::Pace).await {
            Ok(Wish::Run) => Ok(true),
            Ok(Wish::Skip) => Ok(false),
            Ok(Wish::RunAll) => {
                pace.set_free();
                Ok(true)
            }
            Err(NoAnswer::Declined(failure)) => {
                // What puts right what was begun is not asked about.
                pace.set_free();
                Err(failure)
            }
            Err(NoAnswer::Cancelled(reason)) => return Err(self.halt_cancelled(index, reason)),
        };
        claimed.finish(result.clone());
        result.map_err(|failure| self.halt_declined(index, failure))
    }
}
