//! An interactive shell, or a command, on a pseudo-terminal (RFC 4254 sections 6.2 to 6.10). Knows nothing of
//! the local terminal but what it was told.

use std::sync::Arc;

use bytes::Bytes;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf};
use rustix::termios::Termios;

use crate::ssh::channel::Writing;
use crate::ssh::claim::ChannelClaim;
use crate::ssh::command::ExecEvent;
use crate::ssh::error::ExecError;
use crate::ssh::exec::{accepted, started, terminal_refused};
use crate::ssh::handler::Story;
use crate::ssh::session::SshSession;
use crate::ssh::terminal_modes;
use crate::ssh::translation::{Translation, command_refused};

/// The size of a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShellWindow {
    /// Characters in a line.
    pub columns: u32,
    /// Lines.
    pub rows: u32,
    /// Pixels in a line, 0 when it is not known.
    pub width: u32,
    /// Pixels in a column, 0 when it is not known.
    pub height: u32,
}

/// The terminal that the host is to give its side of.
#[derive(Clone, Debug)]
pub struct TerminalRequest {
    /// Its type: `TERM`.
    pub term: String,
    /// Its size.
    pub window: ShellWindow,
    /// Its modes, before they were changed for the session.
    pub modes: Termios,
}

/// What the host sends to the terminal.
pub struct ShellOutput {
    channel: ChannelReadHalf,
    translation: Translation,
    /// Both streams have ended.
    complete: bool,
}

/// What the terminal sends to the host. A connection that is gone shows in [`ShellOutput::next`], not here.
pub struct ShellInput {
    channel: Arc<Writing>,
}

impl SshSession {
    /// Starts a command on a pseudo-terminal; without one, the user's login shell.
    ///
    /// # Errors
    ///
    /// The server refused a channel, a terminal or the command, or did not answer in time.
    pub async fn shell(
        &self,
        terminal: &TerminalRequest,
        command: Option<Bytes>,
    ) -> Result<(ShellOutput, ShellInput), ExecError> {
        let deadline = self.channel_deadline;
        let mut channel = self.channel(ChannelClaim::Alone).await?;
        let starting = request(&mut channel, &self.story, terminal, command, self.forward_agent);
        let answer = started(deadline, "to the start of a shell", starting).await;
        self.answered();
        answer?;
        let (reading, writing) = channel.split();
        let output =
            ShellOutput { channel: reading, translation: Translation::new(&self.story), complete: false };
        Ok((output, ShellInput { channel: writing }))
    }
}

async fn request(
    channel: &mut Channel<Msg>,
    story: &Arc<Story>,
    terminal: &TerminalRequest,
    command: Option<Bytes>,
    forward_agent: bool,
) -> Result<(), ExecError> {
    let TerminalRequest { term, window: ShellWindow { columns, rows, width, height }, modes } = terminal;
    let modes = terminal_modes::encode(modes);
    let asked = async {
        if forward_agent {
            // Without a reply: a host that does not let us forward gives a shell all the same.
            channel.agent_forward(false).await?;
        }
        channel.request_pty(true, term, *columns, *rows, *width, *height, &modes).await
    };
    asked.await.map_err(|_| ExecError { failure: story.end(), may_have_started: false })?;
    accepted(channel, story, terminal_refused).await.map_err(|error| {
        // Nothing but a terminal was asked for so far.
        ExecError { may_have_started: false, ..error }
    })?;
    let asked = match command {
        Some(command) => channel.exec(true, command).await,
        None => channel.request_shell(true).await,
    };
    asked.map_err(|_| ExecError { failure: story.end(), may_have_started: true })?;
    accepted(channel, story, command_refused).await
}

impl ShellOutput {
    /// The next thing that came. Cancel-safe; not to be called again after `Closed` or `Lost`.
    pub async fn next(&mut self) -> ExecEvent {
        loop {
            let message = self.channel.wait().await;
            self.complete |= matches!(message, Some(ChannelMsg::Eof));
            if let Some(event) = self.translation.event(message) {
                return event;
            }
        }
    }
}

impl ShellOutput {
    /// Whether all output has come, so that a lost connection takes nothing away.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

impl ShellInput {
    /// Sends what was typed; waits as long as the host takes nothing.
    pub async fn send(&self, typed: Bytes) {
        let _ = self.channel.data_bytes(typed).await;
    }

    /// Tells that nothing more will be typed.
    pub async fn end(&self) {
        let _ = self.channel.eof().await;
    }

    /// Tells the new size of the terminal.
    pub async fn resize(&self, window: ShellWindow) {
        let ShellWindow { columns, rows, width, height } = window;
        let _ = self.channel.window_change(columns, rows, width, height).await;
    }
}
