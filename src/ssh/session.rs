//! An authenticated connection on which commands run.

use std::sync::Arc;
use std::time::Duration;

use russh::Disconnect;
use russh::client::Handle;

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
}

impl Session for SshSession {
    type Exec = SshExec;

    async fn exec(&mut self, request: ExecRequest) -> Result<SshExec, ExecError> {
        let (handle, story) = (&self.handle, &self.story);
        let started = SshExec::start(handle, story, self.channel_deadline, request, self.forward_agent).await;
        self.start = None;
        started
    }

    async fn close(self) {
        // The reply, and even the sending, do not matter: the connection ends when the handle goes.
        let _ = self.handle.disconnect(Disconnect::ByApplication, "", "").await;
    }
}
