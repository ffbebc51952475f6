//! One command in a session channel: started, read to its end, signalled (RFC 4254 sections 6.5 to 6.10).

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russh::client::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, Pty, Sig};
use tracing::debug;

use crate::model::outcome::{Failure, Kind};
use crate::model::shell::watchdog;
use crate::ssh::channel::{Opened, Writing};
use crate::ssh::command::{ExecEvent, ExecRequest, Heard, Signal, Stdin};
use crate::ssh::error::ExecError;
use crate::ssh::failure;
use crate::ssh::handler::{ClientHandler, Story};
use crate::ssh::seam::Exec;
use crate::ssh::software::Software;
use crate::ssh::translation::{Translation, command_refused};

/// The request that every server answers, if only by saying that it does not know it (RFC 4254 section 4).
const SIGN_OF_LIFE: &str = "keepalive@openssh.com";

/// A running command over SSH.
pub struct SshExec {
    handle: Arc<Handle<ClientHandler>>,
    reading: ChannelReadHalf,
    writing: Arc<Writing>,
    stdin: Stdin,
    translation: Translation,
    outgoing: VecDeque<ExecInput>,
    /// The writing of what was first among them. Kept over the cancellation of a wait: half a piece cannot be
    /// taken back.
    under_way: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// The end of its input was queued.
    ending: bool,
    /// The wait for a sign of life; false when none will come.
    asking: Option<Pin<Box<dyn Future<Output = bool> + Send>>>,
}

/// Something to write to the command's input.
enum ExecInput {
    Data(Bytes),
    End,
}

impl SshExec {
    /// Starts the command in a channel.
    pub(super) async fn start(
        handle: &Arc<Handle<ClientHandler>>,
        mut channel: Opened,
        story: &Arc<Story>,
        deadline: Duration,
        request: ExecRequest,
        forward_agent: bool,
    ) -> Result<Self, ExecError> {
        let stdin = request.stdin;
        let starting = send(&mut channel, story, request, forward_agent);
        started(deadline, "to the start of the command", starting).await?;
        let (reading, writing) = channel.split();
        let translation = Translation::new(story);
        Ok(Self {
            handle: Arc::clone(handle),
            reading,
            writing,
            stdin,
            translation,
            outgoing: VecDeque::new(),
            under_way: None,
            ending: false,
            asking: None,
        })
    }

    /// Begins to write what is next in the queue, when nothing else is being written.
    fn write_on(&mut self) {
        if self.under_way.is_some() {
            return;
        }
        let Some(next) = self.outgoing.pop_front() else { return };
        let writing = Arc::clone(&self.writing);
        self.under_way = Some(Box::pin(async move {
            // A command that takes nothing more, or a connection that is gone, shows in what is read.
            let _ = match next {
                ExecInput::Data(data) => writing.data_bytes(data).await,
                ExecInput::End => writing.eof().await,
            };
        }));
    }
}

/// Sends the request for a command, and waits for the reply.
async fn send(
    channel: &mut Channel<Msg>,
    story: &Story,
    request: ExecRequest,
    forward_agent: bool,
) -> Result<(), ExecError> {
    if request.terminal {
        // Without echo, so that what is answered is not shown, and without carriage returns.
        let modes = [(Pty::ECHO, 0), (Pty::ONLCR, 0)];
        let asked = channel.request_pty(true, "dumb", 80, 24, 0, 0, &modes).await;
        // Nothing but a terminal was asked for so far.
        let lost = |failure| ExecError { failure, may_have_started: false };
        asked.map_err(|_| lost(story.end()))?;
        accepted(channel, story, terminal_refused).await.map_err(|error| lost(error.failure))?;
    }
    let sent = async {
        if forward_agent {
            // Without a reply: a host that does not let us forward runs the command all the same.
            channel.agent_forward(false).await?;
        }
        request.sent.note();
        channel.exec(true, request.line).await?;
        match request.stdin {
            Stdin::Closed => channel.eof().await,
            Stdin::Held | Stdin::Open => Ok(()),
        }
    };
    sent.await.map_err(|_| ExecError { failure: story.end(), may_have_started: true })?;
    accepted(channel, story, command_refused).await
}

/// Opens a session channel within its deadline.
pub(super) async fn open_channel(
    handle: &Handle<ClientHandler>,
    story: &Story,
    deadline: Duration,
) -> Result<Channel<Msg>, ExecError> {
    let failure = match tokio::time::timeout(deadline, handle.channel_open_session()).await {
        Ok(Ok(channel)) => return Ok(channel),
        Ok(Err(russh::Error::ChannelOpenFailure(reason))) => failure::channel_refused(&reason),
        Ok(Err(_)) => story.end(),
        Err(_) => no_answer("to opening a channel", deadline),
    };
    Err(ExecError { failure, may_have_started: false })
}

/// Waits for the start of something; without an answer its fate is not known, as the request is on its way.
pub(super) async fn started(
    deadline: Duration,
    to_what: &str,
    starting: impl Future<Output = Result<(), ExecError>>,
) -> Result<(), ExecError> {
    tokio::time::timeout(deadline, starting)
        .await
        .unwrap_or_else(|_| Err(ExecError { failure: no_answer(to_what, deadline), may_have_started: true }))
}

/// Waits for the reply to the last request on a channel.
pub(super) async fn accepted(
    channel: &mut Channel<Msg>,
    story: &Story,
    refused: fn() -> Failure,
) -> Result<(), ExecError> {
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => return Ok(()),
            Some(ChannelMsg::Failure) => {
                return Err(ExecError { failure: refused(), may_have_started: false });
            }
            Some(ChannelMsg::Close) | None => {
                return Err(ExecError { failure: story.end(), may_have_started: true });
            }
            Some(_) => {}
        }
    }
}

/// The failure of a start on a terminal that the server gives none for.
pub(super) fn terminal_refused() -> Failure {
    Failure::new(Kind::ExecRefused, "the server refused to give a terminal")
        .hint("is there `PermitTTY no` or `no-pty` for this account? `fan exec` needs no terminal")
}

impl Exec for SshExec {
    async fn next(&mut self) -> Heard {
        loop {
            self.write_on();
            let written = async {
                match &mut self.under_way {
                    Some(writing) => writing.await,
                    None => std::future::pending().await,
                }
            };
            let answered = async {
                match &mut self.asking {
                    Some(asking) => asking.await,
                    None => std::future::pending().await,
                }
            };
            let message = tokio::select! {
                biased;
                // Before what it says, which may have no end.
                () = written => {
                    self.under_way = None;
                    if self.outgoing.is_empty() && !self.ending {
                        return Heard::Written;
                    }
                    continue;
                }
                // Before the answer: russh hands messages on in the order in which they came, so that all that came before an
                // answer is in this queue when the answer is there.
                message = self.reading.wait() => message,
                answered = answered => {
                    self.asking = None;
                    if answered {
                        return Heard::Answered;
                    }
                    continue;
                }
            };
            if matches!(message, Some(ChannelMsg::Eof)) {
                return Heard::Eof;
            }
            if let Some(event) = self.translation.event(message) {
                match &event {
                    ExecEvent::Exit(exit) => debug!("the command ended: {exit:?}"),
                    ExecEvent::Lost(failure) => debug!("the command is lost: {}", failure.message()),
                    ExecEvent::Closed => debug!("the channel is closed"),
                    ExecEvent::Stdout(_) | ExecEvent::Stderr(_) => {}
                }
                return Heard::Event(event);
            }
        }
    }

    fn ask(&mut self) {
        let handle = Arc::clone(&self.handle);
        self.asking = Some(Box::pin(async move {
            match handle.send_global_request(SIGN_OF_LIFE, &[], true).await {
                Ok(_) | Err(russh::Error::RequestDenied) => true,
                // The connection is gone, which shows in the channel.
                Err(_) => false,
            }
        }));
    }

    async fn signal(&mut self, signal: Signal) {
        let ask = || self.writing.data_bytes(Bytes::from_static(watchdog::ASK));
        // Servers do not answer; a connection that is gone shows in `next`.
        let _ = match (signal, self.stdin) {
            (Signal::Term, Stdin::Closed | Stdin::Open) => self.writing.signal(Sig::TERM).await,
            (Signal::Kill, Stdin::Closed | Stdin::Open) => self.writing.signal(Sig::KILL).await,
            // Not by the server as well: some programs take a second TERM for impatience.
            (Signal::Term, Stdin::Held) => ask().await,
            (Signal::Kill, Stdin::Held) => {
                // By all means: when the watchdog is not there yet or any more, the server may help.
                let _ = self.writing.signal(Sig::KILL).await;
                let _ = ask().await;
                self.writing.eof().await
            }
        };
    }

    fn software(&self) -> Software {
        self.translation.story.software()
    }

    fn send(&mut self, data: Bytes) {
        self.outgoing.push_back(ExecInput::Data(data));
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.ending, true) {
            self.outgoing.push_back(ExecInput::End);
        }
    }

    fn hold(&mut self) {
        self.stdin = Stdin::Held;
    }

    fn let_go(&mut self) {
        match self.stdin {
            Stdin::Closed => {}
            Stdin::Open => self.end(),
            // Its end would say that fan is gone.
            Stdin::Held => self.outgoing.push_back(ExecInput::Data(Bytes::from_static(watchdog::OVER))),
        }
    }

    async fn close(&mut self) {
        let _ = self.writing.close().await;
    }
}

fn no_answer(to_what: &str, deadline: Duration) -> Failure {
    Failure::new(
        Kind::SessionTimeout,
        format!("the server did not answer {to_what} within {} s", deadline.as_secs_f64()),
    )
    .hint("is it slow to open a session (PAM, a home folder over the network)? `session_timeout` sets the deadline")
}
