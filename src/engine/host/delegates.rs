//! Hosts that steps of others are done on (`on`): one connection to each for the whole run, opened when the first step
//! needs it.

use std::sync::Arc;

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::engine::host::connection::{HostConnection, close};
use crate::engine::host::tools::Tools;
use crate::engine::live::connecting::{self, NotConnected};
use crate::engine::plan::{Plan, PlannedHost};
use crate::files::remote::Commands;
use crate::model::outcome::{CancelReason, Failure};
use crate::ssh::{Connector, Session};

/// Steps that are done there at a time: within OpenSSH's ten channels of a connection (`MaxSessions`).
const AT_A_TIME: usize = 8;

/// The hosts that steps of others are done on.
pub(crate) struct Delegates<S>(Vec<Delegate<S>>);

/// One of them.
pub(crate) struct Delegate<S> {
    session: OnceCell<Result<Arc<S>, Failure>>,
    /// What is known of commands on that one.
    commands: Commands,
    /// The connection after that one, where the server ended that one because a command was asked for beside SFTP. No
    /// command is asked for on this one.
    alone: OnceCell<Result<Arc<S>, Failure>>,
    permits: Arc<Semaphore>,
}

/// Why a step cannot be done there.
pub(crate) enum NotThere {
    /// There is no connection.
    Failed(Failure),
    /// The user asked to stop.
    Cancelled(CancelReason),
}

impl<S> Delegates<S> {
    /// Not connected.
    pub(crate) fn of(plan: &Plan) -> Self {
        let delegate = || Delegate {
            session: OnceCell::new(),
            commands: Commands::default(),
            alone: OnceCell::new(),
            permits: Arc::new(Semaphore::new(AT_A_TIME)),
        };
        Self(plan.delegates.iter().map(|_| delegate()).collect())
    }

    /// The one of this number in the plan.
    pub(crate) fn get(&self, number: usize) -> Option<&Delegate<S>> {
        self.0.get(number)
    }
}

impl<S: Session> Delegates<S> {
    /// Closes what is still open.
    pub(crate) async fn close(&self) {
        let opened = self.0.iter().flat_map(|delegate| [delegate.session.get(), delegate.alone.get()]);
        let opened = opened.flatten().filter_map(|session| session.as_ref().ok()).map(Arc::clone);
        futures::future::join_all(opened.map(close)).await;
    }
}

impl<S: Session> Delegate<S> {
    /// A connection to it and a place on that, for one step.
    ///
    /// # Errors
    ///
    /// There is none. A failure is kept: a refused login that is tried again could lock the account.
    pub(crate) async fn connection<C: Connector<Session = S>>(
        &self,
        place: &PlannedHost,
        tools: &Tools<C>,
    ) -> Result<(HostConnection<S>, OwnedSemaphorePermit), NotThere> {
        let mut stop = tools.stop.clone();
        let permit = tokio::select! {
            biased;
            reason = stop.asked() => return Err(NotThere::Cancelled(reason)),
            permit = Arc::clone(&self.permits).acquire_owned() => permit.expect("it is never closed"),
        };
        let (cell, commands) = match self.alone.initialized() {
            true => (&self.alone, Commands::Never),
            false => (&self.session, self.commands.clone()),
        };
        match cell.get_or_try_init(|| connect(place, tools)).await {
            Ok(Ok(session)) => {
                let session = Some(Arc::clone(session));
                Ok((HostConnection { session, commands, ..HostConnection::default() }, permit))
            }
            Ok(Err(failure)) => Err(NotThere::Failed(failure.clone())),
            Err(reason) => Err(NotThere::Cancelled(reason)),
        }
    }

    /// The connection on which no command is asked for; the first one who wants it connects for all.
    pub(crate) async fn alone<C: Connector<Session = S>>(
        &self,
        place: &PlannedHost,
        tools: &Tools<C>,
    ) -> Option<Arc<S>> {
        let opened = self.alone.get_or_try_init(|| connect(place, tools)).await;
        opened.ok()?.as_ref().ok().map(Arc::clone)
    }
}

async fn connect<C: Connector>(
    place: &PlannedHost,
    tools: &Tools<C>,
) -> Result<Result<Arc<C::Session>, Failure>, CancelReason> {
    match connecting::connect(&*tools.connector, &place.endpoint, None, &mut tools.stop.clone()).await {
        Ok(session) => Ok(Ok(Arc::new(session))),
        Err(NotConnected::Failed(failure)) => Ok(Err(failure.about(place.endpoint.name.as_str()))),
        Err(NotConnected::Cancelled(reason)) => Err(reason),
    }
}
