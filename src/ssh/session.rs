//! An authenticated connection on which commands run.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::Disconnect;
use russh::client::Handle;

use crate::model::outcome::Kind;
use crate::ssh::exec::SshExec;
use crate::ssh::handler::{ClientHandler, Story};
use crate::ssh::pipe::{Pipe, Program};
use crate::ssh::starts::Start;
use crate::ssh::{ExecError, ExecRequest, Session};

/// An authenticated SSH connection.
pub struct SshSession {
    /// Shared with the commands that run on it.
    pub(super) handle: Arc<Handle<ClientHandler>>,
    pub(super) story: Arc<Story>,
    pub(super) channel_deadline: Duration,
    /// Commands may use the operator's agent.
    pub(super) forward_agent: bool,
    /// The place among the starts at the address; given back at the first answer of the session.
    ///
    /// sshd tells us of the login before it tells its own listener, which goes on counting the connection
    /// against `MaxStartups` for some milliseconds (sshd.c, `startup_pipe`). It answers requests only after.
    pub(super) start: Mutex<Option<Start>>,
    /// It has had a command. The server may count that one against `MaxSessions` for a moment longer than we do,
    /// and refuses the next channel meanwhile.
    pub(super) used: AtomicBool,
}

/// Pauses before a refused channel is asked for again: each is twice the one before, 1.26 s in all.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(640);

impl SshSession {
    /// Starts something in a channel of its own; a channel that is refused for a moment is asked for again.
    async fn patiently<T, F: Future<Output = Result<T, ExecError>>>(
        &self,
        start: impl Fn() -> F,
    ) -> Result<T, ExecError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let started = start().await;
            self.answered();
            let used = self.used.load(Ordering::Relaxed);
            match started {
                // Nothing was started, so it may be tried again.
                Err(error) if used && error.failure.kind == Kind::ChannelRefused && pause <= LAST_PAUSE => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                started => {
                    self.used.store(true, Ordering::Relaxed);
                    return started;
                }
            }
        }
    }

    /// Gives the place among the starts back: the server has answered.
    pub(super) fn answered(&self) {
        *self.start.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Session for SshSession {
    type Exec = SshExec;

    async fn exec(&self, request: ExecRequest) -> Result<SshExec, ExecError> {
        let (handle, story, deadline) = (&self.handle, &self.story, self.channel_deadline);
        let forward_agent = self.forward_agent;
        let start = || SshExec::start(handle, story, deadline, request.clone(), forward_agent);
        self.patiently(start).await
    }

    async fn pipe(&self, program: Program) -> Result<Pipe, ExecError> {
        let (handle, story, deadline) = (&self.handle, &self.story, self.channel_deadline);
        let start = || Pipe::over(handle, story, deadline, program.clone());
        self.patiently(start).await
    }

    async fn close(&self) {
        // The reply, and even the sending, do not matter: the connection ends when the handle goes.
        let _ = self.handle.disconnect(Disconnect::ByApplication, "", "").await;
    }
}
