//! Steps that an earlier run has done on the host: it goes through its task as ever, and passes over them.

use crate::engine::host::result::StepResult;
use crate::engine::plan::memory::Visit;
use crate::engine::walk::halt::Halt;
use crate::engine::walk::worker::Worker;
use crate::event::{Fact, StepAt, StepFact};
use crate::model::outcome::StepStatus;
use crate::model::task::Step;
use crate::ssh::Connector;

impl<C: Connector> Worker<'_, C> {
    /// Passes over a step that an earlier run has done.
    pub(crate) fn pass_over(&mut self, index: usize, step: &Step, visit: Visit) -> Result<(), Halt> {
        self.together.batch.come_to(self.together.member, index);
        let mut result = StepResult::of(StepStatus::Ok);
        result.outcome = visit.outcome.unwrap_or_default();
        result.outcome.earlier = !visit.anew;
        // What it registered is among these.
        result.done_elsewhere = true;
        if !visit.vars.is_empty() {
            self.define(visit.vars);
        }
        self.take_note(step, &result);
        let ended = self.verdict(index, &result);
        let (host, task, outcome) = (self.planned.endpoint.name.clone(), self.task_index, result.outcome);
        self.shared
            .tools
            .sink
            .tell(Fact::Step(StepAt { host: host.clone(), task, step: index }, StepFact::Started));
        self.shared
            .tools
            .sink
            .tell(Fact::Step(StepAt { host, task, step: index }, StepFact::Finished { outcome }));
        ended
    }
}
