//! Steps that are done on another host than the one that they are done for (`on`): the worker goes there, and comes back.

use crate::engine::host::delegates::NotThere;
use crate::engine::plan::PlannedStep;
use crate::engine::walk::halt::Halt;
use crate::engine::walk::worker::{Away, Worker};
use crate::model::outcome::Status;
use crate::ssh::Connector;

impl<C: Connector> Worker<'_, C> {
    /// Goes where a step is done: to the host itself, or to the one that the step is handed to.
    pub(crate) async fn go(&mut self, index: usize, planned: &PlannedStep) -> Result<(), Halt> {
        let Some(number) = planned.places.get(self.position).copied().flatten() else {
            return self.open_session(index).await;
        };
        let there = self.plan.delegates.get(number).zip(self.shared.delegates.get(number));
        let (place, delegate) = there.expect("the plan's places name its delegates");
        match delegate.connection(place, &self.shared.tools).await {
            Ok((connection, permit)) => {
                let home = std::mem::replace(&mut self.run.connection, connection);
                self.away = Some(Away { place, delegate, home, _permit: permit });
                Ok(())
            }
            Err(NotThere::Failed(failure)) => {
                let status = if self.run.seen.started { Status::Failed } else { Status::Unreachable };
                Err(Halt { outcome: self.ended(status, Some(failure), index), can_go_on: true })
            }
            Err(NotThere::Cancelled(reason)) => Err(self.halt_cancelled(index, reason)),
        }
    }

    /// Comes back to the host itself.
    pub(crate) fn come_back(&mut self) {
        if let Some(away) = self.away.take() {
            self.run.connection = away.home;
        }
    }
}
