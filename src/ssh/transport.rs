//! Picks the transport of each host: SSH, or the operator's own machine.

use std::sync::atomic::AtomicBool;

use bytes::Bytes;

use crate::model::endpoint::Endpoint;
use crate::model::settings::Transport;
use crate::ssh::claim::ChannelClaim;
use crate::ssh::client::SshConnector;
use crate::ssh::command::{ExecRequest, Heard, Sent, Signal};
use crate::ssh::error::{ConnectError, ExecError};
use crate::ssh::exec::SshExec;
use crate::ssh::local::{LocalConnector, LocalSession};
use crate::ssh::local_exec::LocalExec;
use crate::ssh::notice::Notice;
use crate::ssh::pipe::{Pipe, Program};
use crate::ssh::seam::{Connected, Connector, Exec, Session};
use crate::ssh::session::SshSession;
use crate::ssh::software::Software;

/// All transports of a run.
pub struct Transports {
    ssh: SshConnector,
    local: LocalConnector,
}

impl Transports {
    /// Transports that reach SSH hosts through this connector.
    pub fn new(ssh: SshConnector) -> Self {
        Self { ssh, local: LocalConnector }
    }
}

/// A session of either kind.
pub enum AnySession {
    /// Over SSH.
    Ssh(SshSession),
    /// On this machine.
    Local(LocalSession),
}

/// A running command of either kind.
pub enum AnyExec {
    /// Over SSH.
    Ssh(SshExec),
    /// On this machine; boxed, as it is much larger.
    Local(Box<LocalExec>),
}

impl Connector for Transports {
    type Session = AnySession;

    async fn notice(&self) -> Notice {
        self.ssh.notice().await
    }

    fn waiting_for_agent(&self) -> usize {
        self.ssh.waiting_for_agent()
    }

    async fn reconnect(&self, endpoint: &Endpoint) -> Result<Connected<AnySession>, ConnectError> {
        Ok(match endpoint.transport {
            Transport::Ssh => self.ssh.reconnect(endpoint).await?.map(AnySession::Ssh),
            Transport::Local => self.local.connect(endpoint).await?.map(AnySession::Local),
        })
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<Connected<AnySession>, ConnectError> {
        Ok(match endpoint.transport {
            Transport::Ssh => self.ssh.connect(endpoint).await?.map(AnySession::Ssh),
            Transport::Local => self.local.connect(endpoint).await?.map(AnySession::Local),
        })
    }
}

impl<S> Connected<S> {
    fn map<T>(self, wrap: impl FnOnce(S) -> T) -> Connected<T> {
        Connected { session: wrap(self.session), timings: self.timings, auth: self.auth }
    }
}

impl Session for AnySession {
    type Exec = AnyExec;

    async fn exec(&self, request: ExecRequest) -> Result<AnyExec, ExecError> {
        match self {
            Self::Ssh(session) => session.exec(request).await.map(AnyExec::Ssh),
            Self::Local(session) => session.exec(request).await.map(|exec| AnyExec::Local(Box::new(exec))),
        }
    }

    fn bears_another(&self) -> bool {
        match self {
            Self::Ssh(session) => session.bears_another(),
            Self::Local(session) => session.bears_another(),
        }
    }

    async fn exec_beside(&self, request: ExecRequest, first: Sent) -> Result<AnyExec, ExecError> {
        match self {
            Self::Ssh(session) => session.exec_beside(request, first).await.map(AnyExec::Ssh),
            Self::Local(session) => {
                session.exec_beside(request, first).await.map(|exec| AnyExec::Local(Box::new(exec)))
            }
        }
    }

    async fn pipe(&self, program: Program) -> Result<Pipe, ExecError> {
        match self {
            Self::Ssh(session) => session.pipe(program).await,
            Self::Local(session) => session.pipe(program).await,
        }
    }

    async fn pipe_for(&self, program: Program, claim: ChannelClaim) -> Result<Pipe, ExecError> {
        match self {
            Self::Ssh(session) => session.pipe_for(program, claim).await,
            Self::Local(session) => session.pipe_for(program, claim).await,
        }
    }

    async fn crowded(&self) {
        match self {
            Self::Ssh(session) => session.crowded().await,
            Self::Local(session) => session.crowded().await,
        }
    }

    fn is_spent(&self) -> bool {
        match self {
            Self::Ssh(session) => session.is_spent(),
            Self::Local(session) => session.is_spent(),
        }
    }

    fn is_lost(&self) -> bool {
        match self {
            Self::Ssh(session) => session.is_lost(),
            Self::Local(session) => session.is_lost(),
        }
    }

    fn takes_commands(&self) -> Option<&AtomicBool> {
        match self {
            Self::Ssh(session) => session.takes_commands(),
            Self::Local(session) => session.takes_commands(),
        }
    }

    async fn close(&self) {
        match self {
            Self::Ssh(session) => session.close().await,
            Self::Local(session) => session.close().await,
        }
    }
}

impl Exec for AnyExec {
    fn send(&mut self, data: Bytes) {
        match self {
            Self::Ssh(exec) => exec.send(data),
            Self::Local(exec) => exec.send(data),
        }
    }

    fn end(&mut self) {
        match self {
            Self::Ssh(exec) => exec.end(),
            Self::Local(exec) => exec.end(),
        }
    }

    fn hold(&mut self) {
        match self {
            Self::Ssh(exec) => exec.hold(),
            Self::Local(exec) => exec.hold(),
        }
    }

    fn software(&self) -> Software {
        match self {
            Self::Ssh(exec) => exec.software(),
            Self::Local(exec) => exec.software(),
        }
    }

    fn let_go(&mut self) {
        match self {
            Self::Ssh(exec) => exec.let_go(),
            Self::Local(exec) => exec.let_go(),
        }
    }

    fn ask(&mut self) {
        match self {
            Self::Ssh(exec) => exec.ask(),
            Self::Local(exec) => exec.ask(),
        }
    }

    async fn next(&mut self) -> Heard {
        match self {
            Self::Ssh(exec) => exec.next().await,
            Self::Local(exec) => exec.next().await,
        }
    }

    async fn signal(&mut self, signal: Signal) {
        match self {
            Self::Ssh(exec) => exec.signal(signal).await,
            Self::Local(exec) => exec.signal(signal).await,
        }
    }

    async fn close(&mut self) {
        match self {
            Self::Ssh(exec) => exec.close().await,
            Self::Local(exec) => exec.close().await,
        }
    }
}
