//! `--step`: before each step the user is asked, once for all hosts of the batch, whether to run it.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::plan::{PlannedStep, summarize};
use crate::engine::questions::{Reply, Wanted};
use crate::engine::step::{StepResult, ask};
use crate::engine::together::{Claim, Done, Once, Place};
use crate::engine::walk::Halt;
use crate::engine::worker::Worker;
use crate::model::outcome::{Failure, Kind};
use crate::model::value::{Value, Vars};
use crate::ssh::Connector;

/// What the user has said about the steps so far.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// One host asks for all.
    once: Once,
    /// Nothing is asked any more.
    free: AtomicBool,
}

/// The key under which the hosts of a batch tell each other of a yes.
const WANTED: &str = "wanted";

impl<C: Connector> Worker<'_, C> {
    /// Whether the user is asked before each step.
    pub(super) fn is_paced(&self) -> bool {
        self.plan.stepwise && !self.shared.pace.free.load(Ordering::Relaxed)
    }

    /// Asks whether a step is to be run, or learns what was answered.
    pub(super) async fn is_let_run(&self, index: usize, planned: &PlannedStep) -> Result<bool, Halt> {
        let place = Place { task: self.task_index, step: index, batch: Some(self.together.number) };
        let mut stop = self.shared.stop.clone();
        let claim = tokio::select! {
            biased;
            reason = stop.asked() => return Err(self.halt_cancelled(index, reason)),
            claim = self.shared.pace.once.claim(place) => claim,
        };
        let claimed = match claim {
            Claim::Done(Done { result: Ok(vars), .. }) => {
                return Ok(vars.get(WANTED).and_then(Value::as_bool).unwrap_or_default());
            }
            Claim::Done(Done { result: Err(failure), .. }) => return Err(self.halt_declined(index, failure)),
            Claim::Mine(_) if !self.is_paced() => return Ok(true),
            Claim::Mine(claimed) => claimed,
        };
        let number = index + 1;
        let (task, title) = (&self.task.name, summarize(planned).title);
        let question = format!("{task} step {number} of {}: {title}", self.task.steps.len());
        let wanted = match ask::ask(self, index, question.clone(), Wanted::Pace).await {
            Ok(Reply::Yes) => Ok(true),
            Ok(Reply::No) => Ok(false),
            Ok(Reply::All) => {
                self.shared.pace.free.store(true, Ordering::Relaxed);
                Ok(true)
            }
            Ok(Reply::Quit | Reply::Line(_) | Reply::Secret(_)) => {
                // What puts right what was begun is not asked about.
                self.shared.pace.free.store(true, Ordering::Relaxed);
                Err(failure_of(ask::declined(&question)))
            }
            Ok(Reply::Unable(why)) => Err(Failure::new(Kind::Declined, why)),
            Err(_) => {
                let reason = self.shared.stop.current().reason();
                return Err(reason.map_or_else(
                    || self.halt_declined(index, failure_of(ask::declined(&question))),
                    |reason| self.halt_cancelled(index, reason),
                ));
            }
        };
        let vars = |yes| Vars::from_iter([(WANTED.to_owned(), Value::from(yes))]);
        let by = self.planned.endpoint.name.clone();
        claimed.finish(Done { by, result: wanted.clone().map(vars) });
        wanted.map_err(|failure| self.halt_declined(index, failure))
    }
}

fn failure_of(result: StepResult) -> Failure {
    result.outcome.failure.expect("it says why")
}
