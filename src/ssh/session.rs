//! An authenticated connection on which commands run.

use std::sync::Arc;
use std::time::Duration;

use russh::Disconnect;
use russh::client::Handle;

use crate::model::outcome::Kind;
use crate::ssh::exec::SshExec;
use crate::ssh::handler::{ClientHandler, Story};
use crate::ssh::starts::Start;
use crate::ssh::{ExecError, ExecRequest, Session};

/// An authenticated SSH connection.
pub struct SshSession {
    pub(super) handle: Handle<ClientHandler>,
    pub(super) story: Arc<Story>,
    pub(super) channel_deadline: Duration,
    /// Commands may use the operator's agent.
    pub(super) forward_agent: bool,
    /// The place among the starts at the address; given back at the first answer of the session.
    ///
    /// sshd tells us of the login before it tells its own listener, which goes on counting the connection
    /// against `MaxStartups` for some milliseconds (sshd.c, `startup_pipe`). It answers requests only after.
    pub(super) start: Option<Start>,
    /// It has had a command. The server may count that one against `MaxSessions` for a moment longer than we do,
    /// and refuses the next channel meanwhile.
    pub(super) used: bool,
}

/// Pauses before a refused channel is asked for again: each is twice the one before, 1.26 s in all.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(640);

impl Session for SshSession {
    type Exec = SshExec;

    async fn exec(&mut self, request: ExecRequest) -> Result<SshExec, ExecError> {
        let (handle, story, deadline) = (&self.handle, &self.story, self.channel_deadline);
        let mut pause = FIRST_PAUSE;
        loop {
            let started = SshExec::start(handle, story, deadline, request.clone(), self.forward_agent).await;
            self.start = None;
            match started {
                // Nothing was started, so it may be tried again.
                Err(error)
                    if self.used && error.failure.kind == Kind::ChannelRefused && pause <= LAST_PAUSE =>
                {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                started => {
                    self.used = true;
                    return started;
                }
            }
        }
    }

    async fn close(self) {
        // The reply, and even the sending, do not matter: the connection ends when the handle goes.
        let _ = self.handle.disconnect(Disconnect::ByApplication, "", "").await;
    }
}
