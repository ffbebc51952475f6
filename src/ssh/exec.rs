//! One command in a session channel: started, read to its end, signalled (RFC 4254 sections 6.5 to 6.10).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russh::client::{Handle, Msg};
use russh::{Channel, ChannelMsg, Sig};

use crate::model::outcome::{Exit, Failure, Kind};
use crate::model::shell::watchdog;
use crate::ssh::handler::{ClientHandler, Story};
use crate::ssh::{Exec, ExecError, ExecEvent, ExecRequest, Signal, Stdin, failure};

/// The type of extended data that carries standard error (RFC 4254 section 5.2).
const EXTENDED_DATA_STDERR: u32 = 1;

/// A running command over SSH.
pub struct SshExec {
    channel: Channel<Msg>,
    story: Arc<Story>,
    stdin: Stdin,
    /// The server closed the channel, so a following end of messages is not a loss.
    closed: bool,
}

impl SshExec {
    /// Opens a channel and starts the command in it.
    pub(super) async fn start(
        handle: &Handle<ClientHandler>,
        story: &Arc<Story>,
        deadline: Duration,
        request: ExecRequest,
        forward_agent: bool,
    ) -> Result<Self, ExecError> {
        let not_started = |failure| ExecError { failure, may_have_started: false };
        let opening = tokio::time::timeout(deadline, handle.channel_open_session()).await;
        let channel = match opening {
            Ok(Ok(channel)) => channel,
            Ok(Err(russh::Error::ChannelOpenFailure(reason))) => {
                return Err(not_started(failure::channel_refused(reason)));
            }
            Ok(Err(_)) => return Err(not_started(story.end())),
            Err(_) => return Err(not_started(no_answer("to opening a channel", deadline))),
        };
        let mut exec = Self { channel, story: Arc::clone(story), stdin: request.stdin, closed: false };
        let reply = tokio::time::timeout(deadline, exec.request(request.line, forward_agent)).await;
        reply.unwrap_or_else(|_| {
            // The request is on its way; whether the command runs is not known.
            Err(ExecError {
                failure: no_answer("to the start of the command", deadline),
                may_have_started: true,
            })
        })?;
        Ok(exec)
    }

    async fn request(&mut self, line: Bytes, forward_agent: bool) -> Result<(), ExecError> {
        let lost = |failure| ExecError { failure, may_have_started: true };
        let sent = async {
            if forward_agent {
                // Without a reply: a host that does not let us forward runs the command all the same.
                self.channel.agent_forward(false).await?;
            }
            self.channel.exec(true, line).await?;
            match self.stdin {
                Stdin::Closed => self.channel.eof().await,
                Stdin::Held => Ok(()),
            }
        };
        if sent.await.is_err() {
            return Err(lost(self.story.end()));
        }
        loop {
            match self.channel.wait().await {
                Some(ChannelMsg::Success) => return Ok(()),
                Some(ChannelMsg::Failure) => {
                    let failure = Failure::new(Kind::ExecRefused, "the server refused to start the command")
                        .hint("the account may be restricted to other uses (a forced command, SFTP only)");
                    return Err(ExecError { failure, may_have_started: false });
                }
                Some(ChannelMsg::Close) | None => return Err(lost(self.story.end())),
                Some(_) => {}
            }
        }
    }
}

impl Exec for SshExec {
    async fn next(&mut self) -> ExecEvent {
        loop {
            match self.channel.wait().await {
                Some(ChannelMsg::Data { data }) => return ExecEvent::Stdout(data),
                Some(ChannelMsg::ExtendedData { data, ext: EXTENDED_DATA_STDERR }) => {
                    return ExecEvent::Stderr(data);
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => {
                    return ExecEvent::Exit(Exit::Status(exit_status));
                }
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    return ExecEvent::Exit(Exit::Signal(signal_text(&signal_name)));
                }
                // Data may still be queued behind the close; only the end of messages is the end.
                Some(ChannelMsg::Close) => self.closed = true,
                Some(_) => {}
                None if self.closed => return ExecEvent::Closed,
                None => return ExecEvent::Lost(self.story.end()),
            }
        }
    }

    async fn signal(&mut self, signal: Signal) {
        // Servers do not answer; a connection that is gone shows in `next`.
        let _ = match (signal, self.stdin) {
            (Signal::Term, Stdin::Closed) => self.channel.signal(Sig::TERM).await,
            (Signal::Kill, Stdin::Closed) => self.channel.signal(Sig::KILL).await,
            // Not by the server as well: some programs take a second TERM for impatience.
            (Signal::Term, Stdin::Held) => self.channel.data(watchdog::ASK).await,
            (Signal::Kill, Stdin::Held) => {
                // By all means: when the watchdog is not there yet or any more, the server may help.
                let _ = self.channel.signal(Sig::KILL).await;
                let _ = self.channel.data(watchdog::ASK).await;
                self.channel.eof().await
            }
        };
    }

    async fn close(&mut self) {
        let _ = self.channel.close().await;
    }
}

fn signal_text(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => name.clone(),
        known => format!("{known:?}"),
    }
}

fn no_answer(to_what: &str, deadline: Duration) -> Failure {
    Failure::new(
        Kind::ExecRefused,
        format!("the server did not answer {to_what} within {} s", deadline.as_secs_f64()),
    )
}
