//! An authenticated connection on which commands run.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::Disconnect;
use russh::client::Handle;
use tracing::debug;

use crate::ssh::channel::Opened;
use crate::ssh::channels::{Channels, none_left};
use crate::ssh::claim::ChannelClaim;
use crate::ssh::command::{ExecRequest, Sent};
use crate::ssh::error::ExecError;
use crate::ssh::exec::{SshExec, open_channel};
use crate::ssh::handler::{ClientHandler, Story};
use crate::ssh::pipe::{Pipe, Program};
use crate::ssh::seam::Session;
use crate::ssh::starts::Start;

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
    /// The session channels on it.
    pub(super) channels: Arc<Channels>,
    /// Its account runs what it is given.
    pub(super) takes_commands: AtomicBool,
}

impl SshSession {
    /// Opens a session channel when there is one to be had.
    pub(super) async fn channel(&self, claim: ChannelClaim) -> Result<Opened, ExecError> {
        let ask = || {
            let (handle, story) = (Arc::clone(&self.handle), Arc::clone(&self.story));
            let deadline = self.channel_deadline;
            async move { open_channel(&handle, &story, deadline).await.map(Opened::new) }
        };
        let opened = self.channels.open(claim, ask).await;
        match &opened {
            Ok(_) => debug!("a channel is open"),
            Err(error) => {
                debug!("no channel: {}", error.failure.message());
                self.answered();
            }
        }
        opened.map(|(opened, place)| opened.counted(place))
    }

    /// Starts a command in a channel.
    async fn start(&self, channel: Opened, request: ExecRequest) -> Result<SshExec, ExecError> {
        debug!(bytes = request.line.len(), terminal = request.terminal, "a command is sent");
        let (story, deadline) = (&self.story, self.channel_deadline);
        let started =
            SshExec::start(&self.handle, channel, story, deadline, request, self.forward_agent).await;
        self.answered();
        match &started {
            Ok(_) => debug!("the command is accepted"),
            Err(error) => debug!("no command: {}", error.failure.message()),
        }
        started
    }

    /// Gives the place among the starts back: the server has answered.
    pub(super) fn answered(&self) {
        *self.start.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Session for SshSession {
    type Exec = SshExec;

    async fn exec(&self, request: ExecRequest) -> Result<SshExec, ExecError> {
        let channel = self.channel(ChannelClaim::Alone).await?;
        self.start(channel, request).await
    }

    fn bears_another(&self) -> bool {
        self.story.software().bears_another_session()
    }

    async fn exec_beside(&self, request: ExecRequest, first: Sent) -> Result<SshExec, ExecError> {
        let channel = self.channel(ChannelClaim::Extra).await?;
        tokio::select! {
            biased;
            () = first.noted() => {}
            // It may wait for this very channel.
            () = self.crowded() => return Err(none_left()),
        }
        self.start(channel, request).await
    }

    async fn pipe(&self, program: Program) -> Result<Pipe, ExecError> {
        self.pipe_for(program, ChannelClaim::Alone).await
    }

    async fn pipe_for(&self, program: Program, claim: ChannelClaim) -> Result<Pipe, ExecError> {
        let (story, deadline) = (&self.story, self.channel_deadline);
        match &program {
            Program::Tcp { address, port } => debug!("a connection to port {port} of {address} is asked for"),
            Program::Line(line) => debug!(bytes = line.len(), "a command is sent"),
            Program::Subsystem(name) => debug!("the subsystem {name} is asked for"),
        }
        let started = match program {
            Program::Tcp { address, port } => {
                Pipe::to_port(&self.handle, story, deadline, &address, port).await
            }
            Program::Line(line) => Pipe::of_line(self.channel(claim).await?, story, line).await,
            Program::Subsystem(name) => Pipe::of_subsystem(self.channel(claim).await?, story, name).await,
        };
        self.answered();
        started
    }

    async fn crowded(&self) {
        self.channels.wanted().await;
    }

    fn is_spent(&self) -> bool {
        self.handle.is_closed() && self.story.is_orderly() && self.channels.are_done()
    }

    fn is_lost(&self) -> bool {
        self.handle.is_closed()
    }

    fn takes_commands(&self) -> Option<&AtomicBool> {
        Some(&self.takes_commands)
    }

    async fn close(&self) {
        // The reply, and even the sending, do not matter: the connection ends when the handle goes.
        let _ = self.handle.disconnect(Disconnect::ByApplication, "", "").await;
    }
}
