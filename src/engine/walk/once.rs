//! Steps that one host does for all.

use crate::engine::host::register;
use crate::engine::host::result::StepResult;
use crate::engine::live::together::{Claim, Claimed, Once};
use crate::engine::plan::memory::{Done, Place};
use crate::engine::step::ask::NoAnswer;
use crate::engine::walk::halt::Halt;
use crate::engine::walk::worker::Worker;
use crate::event::Change;
use crate::model::action::Gathers;
use crate::model::outcome::{Failure, Kind, StepStatus};
use crate::model::task::Step;
use crate::model::template::Layer;
use crate::model::value::Vars;
use crate::ssh::Connector;

impl<C: Connector> Worker<'_, C> {
    /// Takes a step that one host runs for all, or waits for the host that has it.
    pub(crate) async fn claim(&self, index: usize, step: &Step) -> Result<Claim<Layer>, Halt> {
        // Whether to go on is asked again for each batch.
        let again = step.action.properties().gathers == Gathers::ForAnAnswerEach;
        let batch = again.then_some(self.together.number);
        let place = Place { task: self.task_index, step: index, batch };
        self.claim_at(index, &self.together.once, place).await
    }

    /// The same for anything that one host does for all at a step.
    pub(crate) async fn claim_at<T: Clone>(
        &self,
        index: usize,
        once: &Once<T>,
        place: Place,
    ) -> Result<Claim<T>, Halt> {
        let mut stop = self.shared.tools.stop.clone();
        tokio::select! {
            biased;
            reason = stop.asked() => Err(self.halt_cancelled(index, reason)),
            claim = once.claim(place, &self.planned.endpoint.name) => Ok(claim),
        }
    }

    /// Another host did it: its variables are this one's too.
    pub(crate) fn learn(&mut self, Done { by, result }: Done<Layer>) -> StepResult {
        match result {
            Ok(vars) => {
                self.take_over(&vars);
                let mut result = StepResult::of(StepStatus::Ok);
                result.done_elsewhere = true;
                result
            }
            Err(failure) if failure.kind == Kind::Declined => NoAnswer::Declined(failure).into(),
            Err(failure) => {
                let failure = Failure { kind: Kind::Dependency, hint: None, ..failure };
                StepResult::failed(failure.about(format!("{by} was to run it for all hosts")))
            }
        }
    }

    /// Lets the others know what came of a step. One of which nothing was started goes to the next host.
    pub(crate) fn pass_on(&mut self, claimed: Claimed<Layer>, step: &Step, result: &StepResult) {
        let undone =
            result.refused || (result.outcome.status == StepStatus::Cancelled && !result.is_declined());
        if undone && result.outcome.changed() == Change::None {
            return claimed.give_back();
        }
        let passes = result.outcome.status == StepStatus::Failed && self.lets_pass(step, result);
        let result = match result.outcome.failure.clone().filter(|_| !passes) {
            Some(failure) => Err(failure),
            None => {
                let mut layer = self.run.layer.only(|name| step.definitions().any(|own| own == name));
                if result.outcome.not_known {
                    layer.doubt(step.definitions());
                } else if let Some(name) = &step.register {
                    layer.define(Vars::from_iter([(name.value.clone(), register::result(result))]));
                }
                Ok(layer)
            }
        };
        claimed.finish(result);
    }
}
