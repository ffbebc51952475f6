//! Steps that are done on another host than the one that they are done for (`on`): one connection to each such host for
//! the whole run, opened when the first step needs it.

use std::sync::Arc;

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::engine::live::connecting::{self, NotConnected};
use crate::engine::live::stop::StopReceiver;
use crate::engine::plan::{Plan, PlannedHost, PlannedStep};
use crate::engine::walk::way::Halt;
use crate::engine::walk::worker::{self, Worker};
use crate::files::remote::{Commands, Remote};
use crate::model::outcome::{CancelReason, Failure, Status};
use crate::ssh::Connector;

/// Steps that are done there at a time: within OpenSSH's ten channels of a connection (`MaxSessions`).
const AT_A_TIME: usize = 8;

/// The hosts that steps of others are done on.
pub(crate) struct Delegates<S>(Vec<Delegate<S>>);

struct Delegate<S> {
    session: OnceCell<Result<Arc<S>, Failure>>,
    /// The connection after that one, where the server ended that one because a command was asked for beside SFTP. No
    /// command is asked for on this one.
    alone: OnceCell<Result<Arc<S>, Failure>>,
    permits: Arc<Semaphore>,
}

impl<S> Delegates<S> {
    /// Nobody is connected.
    pub(crate) fn of(plan: &Plan) -> Self {
        let delegate = || Delegate {
            session: OnceCell::new(),
            alone: OnceCell::new(),
            permits: Arc::new(Semaphore::new(AT_A_TIME)),
        };
        Self(plan.delegates.iter().map(|_| delegate()).collect())
    }

    /// The connections that were opened.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = Arc<S>> {
        let opened =
            self.0.iter().flat_map(|delegate| [delegate.session.get(), delegate.alone.get()]).flatten();
        opened.filter_map(|session| session.as_ref().ok()).map(Arc::clone)
    }
}

/// What a worker leaves behind while it is at another host.
pub(crate) struct Away<S> {
    session: Option<Arc<S>>,
    files: Vec<Arc<Remote<S>>>,
    commands: Commands,
    _permit: OwnedSemaphorePermit,
}

impl<C: Connector> Worker<'_, C> {
    /// Goes where a step is done: to the host itself, or to the one that the step is handed to.
    pub(crate) async fn go(
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
        let commands = if delegate.alone.initialized() { Commands::Never } else { Commands::default() };
        let connection = if delegate.alone.initialized() { &delegate.alone } else { &delegate.session };
        let opening = connection.get_or_try_init(|| self.connect_to(place, &mut stop));
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
        let commands = std::mem::replace(&mut self.run.commands, commands);
        Ok(Some(Away { session, files, commands, _permit: permit }))
    }

    /// Connects to another host; a failure is kept, as a refused login that is tried again could lock the account.
    async fn connect_to(
        &self,
        place: &PlannedHost,
        stop: &mut StopReceiver,
    ) -> Result<Result<Arc<C::Session>, Failure>, CancelReason> {
        match connecting::connect(self.shared.connector.as_ref(), &place.endpoint, None, stop).await {
            Ok(session) => Ok(Ok(Arc::new(session))),
            Err(NotConnected::Failed(mut failure)) => {
                failure.message = format!("{}: {}", place.endpoint.name, failure.message);
                Ok(Err(failure))
            }
            Err(NotConnected::Cancelled(reason)) => Err(reason),
        }
    }

    /// Connects once more to where the step is done, whose server ended the connection because a command was asked for
    /// beside SFTP: from now on none is. False when there is no connection.
    pub(crate) async fn connect_alone(&mut self, index: usize) -> bool {
        self.run.commands = Commands::Never;
        self.run.files.clear();
        self.run.session = None;
        if std::ptr::eq(self.place, self.planned) {
            return self.open_session(index).await.is_ok();
        }
        let number = self.plan.delegates.iter().position(|host| std::ptr::eq(host, self.place));
        let delegates = Arc::clone(&self.shared.delegates);
        let Some(delegate) = number.and_then(|number| delegates.0.get(number)) else { return false };
        let mut stop = self.shared.stop.clone();
        // Others may have been on that connection: the first one connects for all.
        let opened = delegate.alone.get_or_try_init(|| self.connect_to(self.place, &mut stop)).await;
        self.run.session = opened.ok().and_then(|opened| opened.as_ref().ok()).map(Arc::clone);
        self.run.session.is_some()
    }

    /// Comes back to the host itself.
    pub(crate) fn come_back(&mut self, away: Option<Away<C::Session>>) {
        let Some(Away { session, files, commands, _permit }) = away else { return };
        self.place = self.planned;
        self.run.session = session;
        self.run.files = files;
        self.run.commands = commands;
    }
}

/// Closes what is still open.
pub(crate) async fn close<S: crate::ssh::Session>(delegates: &Delegates<S>) {
    futures::future::join_all(delegates.sessions().map(worker::close)).await;
}
