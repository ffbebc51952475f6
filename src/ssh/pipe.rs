//! A two-way byte stream to a program on the host: a command, or a subsystem such as SFTP. Unlike a watched command
//! its input is written to while its output is read.
//!
//! Whoever holds the reader must read all the time: russh hands messages to a channel inside the loop that serves the
//! whole connection, so that an unread channel stops every other one on it.

use bytes::Bytes;
use russh::client::Handle;
use russh::{ChannelMsg, ChannelOpenFailure, ChannelReadHalf};
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;
use tokio::sync::{Mutex, mpsc};

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::model::outcome::{Failure, Kind};
use crate::ssh::channel::{Opened, Writing};
use crate::ssh::command::ExecEvent;
use crate::ssh::error::ExecError;
use crate::ssh::handler::{ClientHandler, Story};
use crate::ssh::local_exec::LocalExec;
use crate::ssh::translation::{Translation, command_refused};

/// What is at the other end of a pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A line for the login shell.
    Line(Bytes),
    /// A subsystem of the server, by name (RFC 4254 section 6.5).
    Subsystem(&'static str),
    /// Whatever listens on a TCP port, as seen from the host (RFC 4254 section 7.2).
    Tcp {
        /// Name or address.
        address: Arc<str>,
        /// Its port.
        port: u16,
    },
}

/// Both ends of a pipe.
pub struct Pipe {
    /// What the program sends.
    pub reader: PipeReader,
    /// What it is sent.
    pub writer: PipeWriter,
}

/// How long the last words of a program that has exited may take, where all that counts has come.
pub const LAST_WORDS: Duration = Duration::from_secs(2);

/// What the program at the other end sends.
pub struct PipeReader {
    source: PipeSource,
    /// What is read before anything else.
    back: VecDeque<ExecEvent>,
}

enum PipeSource {
    Ssh {
        channel: ChannelReadHalf,
        translation: Translation,
        /// What it means when the server says no to the request.
        refusal: fn() -> Failure,
        /// The channel is open as long as someone has either half of it.
        _writing: Arc<Writing>,
    },
    Local(Box<LocalExec>),
    Memory(mpsc::Receiver<ExecEvent>),
}

/// What the program at the other end is sent.
pub struct PipeWriter(Writer);

enum Writer {
    Ssh(Arc<Writing>),
    Local(Mutex<Option<ChildStdin>>),
    Memory(Mutex<Option<mpsc::Sender<Bytes>>>),
}

/// The other end takes nothing more; why is told by its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl Pipe {
    /// Asks for a line to be run in a channel. The answer is not waited for, which would cost a round trip: what was
    /// refused shows as the end of what it sends.
    pub(super) async fn of_line(channel: Opened, story: &Arc<Story>, line: Bytes) -> Result<Self, ExecError> {
        let asked = channel.exec(true, line).await;
        asked.map_err(|_| ExecError { failure: story.end(), may_have_started: true })?;
        Ok(Self::over(channel, story, command_refused))
    }

    /// Asks for a subsystem in a channel, as [`Pipe::of_line`] does.
    pub(super) async fn of_subsystem(
        channel: Opened,
        story: &Arc<Story>,
        name: &str,
    ) -> Result<Self, ExecError> {
        let asked = channel.request_subsystem(true, name).await;
        asked.map_err(|_| ExecError { failure: story.end(), may_have_started: true })?;
        Ok(Self::over(channel, story, no_subsystem))
    }

    fn over(channel: Opened, story: &Arc<Story>, refusal: fn() -> Failure) -> Self {
        let (channel, writing) = channel.split();
        let translation = Translation::new(story);
        let reader = PipeSource::Ssh { channel, translation, refusal, _writing: Arc::clone(&writing) };
        Self { reader: PipeReader::new(reader), writer: PipeWriter(Writer::Ssh(writing)) }
    }

    /// Has the server connect to a port. Nothing is started by that.
    pub(super) async fn to_port(
        handle: &Handle<ClientHandler>,
        story: &Arc<Story>,
        deadline: Duration,
        address: &str,
        port: u16,
    ) -> Result<Self, ExecError> {
        let opening = handle.channel_open_direct_tcpip(address, u32::from(port), "127.0.0.1", 0);
        let failure = match tokio::time::timeout(deadline, opening).await {
            Ok(Ok(channel)) => {
                return Ok(Self::over(Opened::new(channel), story, command_refused));
            }
            Ok(Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed))) => {
                Failure::new(Kind::ConnectRefused, format!("nothing listens on port {port} of {address}"))
            }
            Ok(Err(russh::Error::ChannelOpenFailure(_))) => {
                let message = format!("the server does not connect to port {port} of {address}");
                Failure::new(Kind::ChannelRefused, message)
                    .hint("`AllowTcpForwarding` or `PermitOpen` of its sshd_config; or wait for a `command`")
            }
            Ok(Err(_)) => story.end(),
            Err(_) => Failure::new(Kind::ConnectTimeout, format!("no answer from port {port} of {address}")),
        };
        Err(ExecError { failure, may_have_started: false })
    }

    /// The pipe to a process of this machine.
    pub(super) fn to_process(mut process: LocalExec) -> Self {
        let stdin = Mutex::new(process.take_stdin());
        Self {
            reader: PipeReader::new(PipeSource::Local(Box::new(process))),
            writer: PipeWriter(Writer::Local(stdin)),
        }
    }

    /// A pipe to a program inside this process; gives its end: what it is sent, and where it sends.
    pub fn in_memory() -> (Self, mpsc::Receiver<Bytes>, mpsc::Sender<ExecEvent>) {
        let (sent, received) = mpsc::channel(64);
        let (telling, told) = mpsc::channel(64);
        let pipe = Self {
            reader: PipeReader::new(PipeSource::Memory(told)),
            writer: PipeWriter(Writer::Memory(Mutex::new(Some(sent)))),
        };
        (pipe, received, telling)
    }
}

fn no_subsystem() -> Failure {
    Failure::new(Kind::SftpUnavailable, "the server does not offer SFTP")
}

impl PipeReader {
    fn new(source: PipeSource) -> Self {
        Self { source, back: VecDeque::new() }
    }

    /// Has these read next, in their order.
    pub fn put_back(&mut self, events: Vec<ExecEvent>) {
        for event in events.into_iter().rev() {
            self.back.push_front(event);
        }
    }

    /// The next thing that came. Cancel-safe; not to be called again after `Closed` or `Lost`.
    pub async fn next(&mut self) -> ExecEvent {
        if let Some(event) = self.back.pop_front() {
            return event;
        }
        match &mut self.source {
            PipeSource::Ssh { channel, translation, refusal, _writing: _ } => loop {
                let message = channel.wait().await;
                if matches!(message, Some(ChannelMsg::Failure)) {
                    return ExecEvent::Lost(refusal());
                }
                if let Some(event) = translation.event(message) {
                    return event;
                }
            },
            PipeSource::Local(process) => process.event().await,
            PipeSource::Memory(told) => told.recv().await.unwrap_or(ExecEvent::Closed),
        }
    }

    /// The next thing of a program that has exited: `Closed` also when nothing comes for so long. A process that the
    /// program or the login left behind holds the output open, for as long as it likes.
    pub async fn next_within(&mut self, silence: Option<Duration>) -> ExecEvent {
        match silence {
            None => self.next().await,
            Some(silence) => tokio::time::timeout(silence, self.next()).await.unwrap_or(ExecEvent::Closed),
        }
    }
}

impl PipeWriter {
    /// Sends bytes; waits as long as the other end takes none.
    ///
    /// # Errors
    ///
    /// It takes none any more.
    pub async fn send(&self, data: Bytes) -> Result<(), Gone> {
        match &self.0 {
            Writer::Ssh(channel) => channel.data_bytes(data).await.map_err(|_| Gone),
            Writer::Local(stdin) => match &mut *stdin.lock().await {
                Some(stdin) => stdin.write_all(&data).await.map_err(|_| Gone),
                None => Err(Gone),
            },
            Writer::Memory(sender) => match &*sender.lock().await {
                Some(sender) => sender.send(data).await.map_err(|_| Gone),
                None => Err(Gone),
            },
        }
    }

    /// Tells that nothing more will be sent.
    pub async fn end(&self) {
        match &self.0 {
            Writer::Ssh(channel) => {
                let _ = channel.eof().await;
            }
            Writer::Local(stdin) => *stdin.lock().await = None,
            Writer::Memory(sender) => *sender.lock().await = None,
        }
    }

    /// Gives the program up: what it still sends is not wanted.
    pub async fn close(&self) {
        match &self.0 {
            Writer::Ssh(channel) => {
                let _ = channel.close().await;
            }
            Writer::Local(_) | Writer::Memory(_) => self.end().await,
        }
    }
}
