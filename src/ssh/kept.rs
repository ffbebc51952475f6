//! Connections that outlast the run that opened them: a run begins with those of the one before.
//!
//! A [`SessionKeeper`] is a connector like others. What its sessions are told to close goes back to it instead, and the next run
//! that wants the same host gets it again, as long as it is alive. Refuses to look after sessions that are in use: a host
//! has one run at a time.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::event::Timings;
use crate::model::endpoint::Endpoint;
use crate::model::inventory::HostName;
use crate::ssh::claim::ChannelClaim;
use crate::ssh::command::{ExecRequest, Sent};
use crate::ssh::error::{ConnectError, ExecError};
use crate::ssh::notice::Notice;
use crate::ssh::pipe::{Pipe, Program};
use crate::ssh::seam::{Connected, Connector, Session};

/// A connector whose sessions are kept.
pub struct SessionKeeper<C: Connector> {
    connector: Arc<C>,
    kept: Arc<KeptSessions<C::Session>>,
}

/// What is kept.
struct KeptSessions<S> {
    idle: Mutex<HashMap<KeptAs, Arc<S>>>,
    /// Nothing is kept any more.
    over: AtomicBool,
}

/// As what a session is kept: another login is another session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct KeptAs {
    host: HostName,
    address: Arc<str>,
    port: u16,
    user: Arc<str>,
}

impl KeptAs {
    fn of(endpoint: &Endpoint) -> Self {
        Self {
            host: endpoint.name.clone(),
            address: Arc::clone(&endpoint.address),
            port: endpoint.port,
            user: Arc::clone(&endpoint.user),
        }
    }
}

impl<S> KeptSessions<S> {
    fn idle(&self) -> MutexGuard<'_, HashMap<KeptAs, Arc<S>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Connector> Clone for SessionKeeper<C> {
    fn clone(&self) -> Self {
        Self { connector: Arc::clone(&self.connector), kept: Arc::clone(&self.kept) }
    }
}

impl<C: Connector> SessionKeeper<C> {
    /// One that has nothing yet.
    pub fn new(connector: C) -> Self {
        let kept = KeptSessions { idle: Mutex::default(), over: AtomicBool::new(false) };
        Self { connector: Arc::new(connector), kept: Arc::new(kept) }
    }

    /// The same sessions, with another connector for those that are opened from now on.
    pub fn through(&self, connector: C) -> Self {
        Self { connector: Arc::new(connector), kept: Arc::clone(&self.kept) }
    }

    /// Lets go of the sessions that are gone while nobody used them; returns their hosts.
    pub fn lost(&self) -> Vec<HostName> {
        let mut lost = Vec::new();
        self.kept.idle().retain(|at, session| {
            let gone = session.is_lost();
            if gone {
                lost.push(at.host.clone());
            }
            !gone
        });
        lost.sort_unstable();
        lost
    }

    /// Closes all of them in good order, and keeps none from now on.
    pub async fn close(&self) {
        self.kept.over.store(true, Ordering::Release);
        let idle: Vec<Arc<C::Session>> = self.kept.idle().drain().map(|(_, session)| session).collect();
        futures::future::join_all(idle.iter().map(|session| session.close())).await;
    }
}

impl<C: Connector> Connector for SessionKeeper<C> {
    type Session = KeptSession<C::Session>;

    async fn connect(&self, endpoint: &Endpoint) -> Result<Connected<Self::Session>, ConnectError> {
        let at = KeptAs::of(endpoint);
        let idle = self.kept.idle().remove(&at).filter(|session| !session.is_lost());
        let (inner, timings, auth) = match idle {
            Some(session) => (session, Timings::default(), "connection of the command before".to_owned()),
            None => {
                let Connected { session, timings, auth } = self.connector.connect(endpoint).await?;
                (Arc::new(session), timings, auth)
            }
        };
        let session = KeptSession { at, inner, kept: Arc::clone(&self.kept) };
        Ok(Connected { session, timings, auth })
    }

    async fn notice(&self) -> Notice {
        self.connector.notice().await
    }

    fn waiting_for_agent(&self) -> usize {
        self.connector.waiting_for_agent()
    }
}

/// A session that goes back to its [`SessionKeeper`] when it is closed.
pub struct KeptSession<S> {
    at: KeptAs,
    inner: Arc<S>,
    kept: Arc<KeptSessions<S>>,
}

impl<S: Session> Session for KeptSession<S> {
    type Exec = S::Exec;

    fn exec(&self, request: ExecRequest) -> impl Future<Output = Result<Self::Exec, ExecError>> + Send {
        self.inner.exec(request)
    }

    fn bears_another(&self) -> bool {
        self.inner.bears_another()
    }

    fn exec_beside(
        &self,
        request: ExecRequest,
        first: Sent,
    ) -> impl Future<Output = Result<Self::Exec, ExecError>> + Send {
        self.inner.exec_beside(request, first)
    }

    fn pipe(&self, program: Program) -> impl Future<Output = Result<Pipe, ExecError>> + Send {
        self.inner.pipe(program)
    }

    fn pipe_for(
        &self,
        program: Program,
        claim: ChannelClaim,
    ) -> impl Future<Output = Result<Pipe, ExecError>> + Send {
        self.inner.pipe_for(program, claim)
    }

    fn crowded(&self) -> impl Future<Output = ()> + Send {
        self.inner.crowded()
    }

    fn is_spent(&self) -> bool {
        self.inner.is_spent()
    }

    fn is_lost(&self) -> bool {
        self.inner.is_lost()
    }

    fn takes_commands(&self) -> Option<&AtomicBool> {
        self.inner.takes_commands()
    }

    async fn close(&self) {
        if self.inner.is_lost() || self.kept.over.load(Ordering::Acquire) {
            self.inner.close().await;
            return;
        }
        let before = self.kept.idle().insert(self.at.clone(), Arc::clone(&self.inner));
        // One that was opened beside it.
        if let Some(before) = before.filter(|before| !Arc::ptr_eq(before, &self.inner)) {
            before.close().await;
        }
    }
}
