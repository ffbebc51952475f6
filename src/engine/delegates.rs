//! Steps that are done on another host than the one that they are done for (`on`): one connection to each such host for
//! the whole run, opened when the first step needs it.

use std::sync::Arc;

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::engine::connecting::{self, NotConnected};
use crate::engine::plan::{Plan, PlannedStep};
use crate::engine::walk::Halt;
use crate::engine::worker::{self, Worker};
use crate::files::remote::Remote;
use crate::model::outcome::{CancelReason, Failure, Status};
use crate::ssh::Connector;

/// Steps that are done there at a time: within OpenSSH's ten channels of a connection (`MaxSessions`).
const AT_A_TIME: usize = 8;

/// The hosts that steps of others are done on.
pub(super) struct Delegates<S>(Vec<Delegate<S>>);

struct Delegate<S> {
    session: OnceCell<Result<Arc<S>, Failure>>,
    permits: Arc<Semaphore>,
}

impl<S> Delegates<S> {
    /// Nobody is connected.
    pub(super) fn of(plan: &Plan) -> Self {
        let delegate = || Delegate { session: OnceCell::new(), permits: Arc::new(Semaphore::new(AT_A_TIME)) };
        Self(plan.delegates.iter().map(|_| delegate()).collect())
    }

    /// The connections that were opened.
    pub(super) fn sessions(&self) -> impl Iterator<Item = Arc<S>> {
        let opened = self.0.iter().filter_map(|delegate| delegate.session.get());
        opened.filter_map(|session| session.as_ref().ok()).map(Arc::clone)
    }
}

/// What a worker leaves behind while it is at another host.
pub(super) struct Away<S> {
    session: Option<Arc<S>>,
    files: Vec<Arc<Remote<S>>>,
    _permit: OwnedSemaphorePermit,
}

impl<C: Connector> Worker<'_, C> {
    /// Goes where a step is done: to the host itself, or to the one that the step is handed to.
    pub(super) async fn go(
        &mut self,
        index: usize,
        planned: &PlannedStep,
    ) -> Result<Option<Away<C::Session>>, Halt> {
        let Some(number) = planned.places.get(self.position).copied().flatten() else {
            self.open_session(index).await?;
            return Ok(None);
        };
        let delegates = Arc::clone(&self.shared.delegates);
        let there = self.plan.delegates.get(number).zip(delegates.0.get(number));
        let (place, delegate) = there.expect("the plan's places name its delegates");
        let mut stop = self.shared.stop.clone();
        let permit = tokio::select! {
            biased;
            reason = stop.asked() => return Err(self.halt_cancelled(index, reason)),
            permit = Arc::clone(&delegate.permits).acquire_owned() => permit.expect("it is never closed"),
        };
        let connector = Arc::clone(&self.shared.connector);
        let opening = delegate.session.get_or_try_init(|| async {
            match connecting::connect(connector.as_ref(), &place.endpoint, None, &mut stop).await {
                Ok(session) => Ok(Ok(Arc::new(session))),
                Err(NotConnected::Failed(mut failure)) => {
                    failure.message = format!("{}: {}", place.endpoint.name, failure.message);
                    // Not tried again: a refused login could lock the account.
                    Ok(Err(failure))
                }
                Err(NotConnected::Cancelled(reason)) => Err::<_, CancelReason>(reason),
            }
        });
        let session = match opening.await {
            Ok(Ok(session)) => Arc::clone(session),
            Ok(Err(failure)) => {
                let status = if self.run.started { Status::Failed } else { Status::Unreachable };
                let outcome = self.ended(status, Some(failure.clone()), index);
                return Err(Halt { outcome, can_go_on: true });
            }
            Err(reason) => return Err(self.halt_cancelled(index, reason)),
        };
        self.place = place;
        let session = self.run.session.replace(session);
        let files = std::mem::take(&mut self.run.files);
        Ok(Some(Away { session, files, _permit: permit }))
    }

    /// Comes back to the host itself.
    pub(super) fn come_back(&mut self, away: Option<Away<C::Session>>) {
        let Some(Away { session, files, _permit }) = away else { return };
        self.place = self.planned;
        self.run.session = session;
        self.run.files = files;
    }
}

/// Closes what is still open.
pub(super) async fn close<S: crate::ssh::Session>(delegates: &Delegates<S>) {
    futures::future::join_all(delegates.sessions().map(worker::close)).await;
}
