//! Steps that are done on another host than the one that they are done for (`on`): the worker goes there, and comes back.

use crate::engine::host::delegates::NotThere;
use crate::engine::host::result::StepResult;
use crate::engine::plan::{Places, PlannedStep};
use crate::engine::walk::halt::Halt;
use crate::engine::walk::worker::{Away, Worker};
use crate::model::outcome::{Failure, Kind, Status};
use crate::ssh::Connector;

impl<C: Connector> Worker<'_, C> {
    /// Goes where a step is done: to the host itself, or to the one that the step is handed to.
    pub(crate) async fn go(&mut self, index: usize, planned: &PlannedStep) -> Result<(), Halt> {
        let place = match planned.places.of_host(self.position) {
            Some(place) => place,
            // One for each item, which is gone to when the item's turn comes.
            None if planned.places.all(self.position).all(|place| place.is_some()) => return Ok(()),
            None => None,
        };
        let Some(number) = place else { return self.open_session(index).await };
        match self.leave_for(number).await {
            Ok(()) => Ok(()),
            Err(NotThere::Failed(failure)) => {
                let status = if self.run.seen.started { Status::Failed } else { Status::Unreachable };
                Err(Halt { outcome: self.ended(status, Some(failure), index), can_go_on: true })
            }
            Err(NotThere::Cancelled(reason)) => Err(self.halt_cancelled(index, reason)),
        }
    }

    /// Goes where a step is done for this item of its loop, if each has a place of its own.
    pub(crate) async fn go_for_item(&mut self, places: &Places, item: usize) -> Result<(), StepResult> {
        let Some(places) = places.of_items(self.position) else { return Ok(()) };
        let number = match places.get(item) {
            Some(Some(number)) => *number,
            Some(None) => return Ok(()),
            None => {
                let message = "\"each\" has more items than before the run, when their hosts had to be known";
                return Err(StepResult::failed(Failure::new(Kind::Template, message)));
            }
        };
        self.leave_for(number).await.map_err(|error| match error {
            NotThere::Failed(failure) => StepResult { refused: true, ..StepResult::failed(failure) },
            NotThere::Cancelled(reason) => StepResult::cancelled(reason),
        })
    }

    async fn leave_for(&mut self, number: usize) -> Result<(), NotThere> {
        let there = self.plan.delegates.get(number).zip(self.shared.delegates.get(number));
        let (place, delegate) = there.expect("the plan's places name its delegates");
        let (connection, permit) = delegate.connection(place, &self.shared.tools).await?;
        let home = std::mem::replace(&mut self.run.connection, connection);
        self.away = Some(Away { place, delegate, home, _permit: permit });
        Ok(())
    }

    /// Comes back to the host itself.
    pub(crate) fn come_back(&mut self) {
        if let Some(away) = self.away.take() {
            self.run.connection = away.home;
        }
    }
}
