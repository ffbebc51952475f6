//! Floor 1: the transport. Opens sessions on hosts and runs commands in them; knows nothing of runs and tasks.
//!
//! [`Connector`] and [`Session`] are the seam under the engine: SSH ([`client::SshConnector`]), the
//! operator's own machine ([`local`]) and a scripted fake stand behind it. Generics, not `dyn`: the set is
//! closed. [`transport::Transports`] picks between the first two, host by host.

pub mod agent;
mod algorithms;
mod auth;
pub mod backoff;
mod banner;
mod certificate;
mod channel;
mod channels;
pub mod client;
pub mod collect;
pub mod dial;
mod exec;
mod failure;
mod gateway;
mod handler;
pub mod host_key;
pub mod keys;
pub mod known_hosts;
pub mod local;
mod lookup;
pub mod pipe;
pub mod proxy;
pub mod raised;
pub mod session;
pub mod sftp;
pub mod shell;
pub mod software;
mod starts;
mod stream;
pub mod talk;
mod terminal_modes;
pub mod transport;
mod tunnel;
mod wire;

pub use gateway::Notice;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;

use crate::event::Timings;
use crate::model::endpoint::Endpoint;
use crate::model::outcome::{Exit, Failure};
use crate::ssh::pipe::{Pipe, Program};
use crate::ssh::software::Software;

/// Opens sessions.
pub trait Connector: Send + Sync + 'static {
    /// What it opens.
    type Session: Session;

    /// Opens one session: dial, host key, authentication, each within its deadline.
    ///
    /// One attempt: repeating it is the caller's policy. Nothing was started on the host when it fails.
    fn connect(
        &self,
        endpoint: &Endpoint,
    ) -> impl Future<Output = Result<Connected<Self::Session>, ConnectError>> + Send;

    /// The next thing that concerns all hosts behind a gateway; never resolves when there is nothing more.
    /// Cancel-safe.
    fn notice(&self) -> impl Future<Output = Notice> + Send {
        std::future::pending()
    }

    /// How many hosts wait at this moment for an agent that a person answers for.
    fn waiting_for_agent(&self) -> usize {
        0
    }
}

/// A session with the story of how it was opened.
#[derive(Debug)]
pub struct Connected<S> {
    /// The session.
    pub session: S,
    /// How long each phase took.
    pub timings: Timings,
    /// How the login was proven, for `-v` and `fan ping`.
    pub auth: String,
}

/// Why there is no session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectError {
    /// What happened.
    pub failure: Failure,
    /// Whether trying again by itself makes sense.
    pub retry: Retry,
}

impl ConnectError {
    /// An error that will not go away by itself.
    pub fn fatal(failure: Failure) -> Self {
        Self { failure, retry: Retry::Never }
    }

    /// An error that may pass.
    pub fn temporary(failure: Failure) -> Self {
        Self { failure, retry: Retry::Soon }
    }
}

/// Whether a failed connection attempt may be repeated. Nothing was started, so it is always safe; this says
/// whether it is of use and polite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It would end the same way, or must not be repeated (authentication, host keys).
    Never,
    /// After a short, random pause.
    Soon,
    /// The server has too many unauthenticated connections (`MaxStartups`): more patience helps.
    Throttled,
    /// The server may be punishing this address (`PerSourcePenalties`, OpenSSH 9.8), for 15 s at least.
    Penalized,
}

/// An authenticated connection to a host. Several things may run in it at a time.
pub trait Session: Send + Sync + 'static {
    /// A command that runs in it.
    type Exec: Exec;

    /// Starts a command.
    fn exec(&self, request: ExecRequest) -> impl Future<Output = Result<Self::Exec, ExecError>> + Send;

    /// Starts a program whose input is written to while its output is read. Waits for a channel where the server
    /// gives so many at a time, as [`Session::exec`] does.
    fn pipe(&self, program: Program) -> impl Future<Output = Result<Pipe, ExecError>> + Send;

    /// The same for someone who needs more than one channel at a time, or can do without this one.
    fn pipe_for(
        &self,
        program: Program,
        claim: Claim,
    ) -> impl Future<Output = Result<Pipe, ExecError>> + Send {
        let _ = claim;
        self.pipe(program)
    }

    /// Resolves as soon as someone waits for a channel of this session: who holds one and does not use it should
    /// give it up. Cancel-safe.
    fn crowded(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// Whether the server closed the connection in good order when nothing ran on it: there are some that serve one
    /// session and no more.
    fn is_spent(&self) -> bool {
        false
    }

    /// Closes the connection in good order; does not wait for the other side.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// How a channel is wanted of a server that gives so many at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// By a task that holds no other one, and waits for it.
    Alone,
    /// To be kept while more are asked for. Refused rather than waited for when all who keep one wait for more.
    Keep(Holder),
    /// By a task that may hold others, and gives this one back before it asks for more.
    Use(Holder),
    /// By a task that can do without it: never waited for.
    Extra,
    /// Held for as long as the session lasts: its end is never waited for.
    Lasting,
}

/// A holder of channels of a session, distinct from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holder(u64);

impl Holder {
    /// One more.
    pub fn unique() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// A command to start.
#[derive(Clone, Debug)]
pub struct ExecRequest {
    /// The line for the login shell.
    pub line: Bytes,
    /// What its standard input is.
    pub stdin: Stdin,
    /// On a terminal of the host, which does not repeat its input: both streams are one then.
    pub terminal: bool,
    /// Set once the host has been asked to start it.
    pub sent: Sent,
}

/// Whether a request has been sent; shared with who may give up the wait for its answer.
#[derive(Clone, Debug, Default)]
pub struct Sent(Arc<AtomicBool>);

impl Sent {
    /// Notes that it is about to be.
    pub fn note(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it may have been.
    pub fn is_noted(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The standard input of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// At its end from the start.
    Closed,
    /// Open and silent for the watchdog of a [watched line], which is stopped through it.
    ///
    /// [watched line]: crate::model::shell::watchdog::watched_line
    Held,
    /// Written to by [`Exec::send`].
    Open,
}

/// A running command.
pub trait Exec: Send {
    /// The next thing that the command sent. Cancel-safe.
    ///
    /// After [`ExecEvent::Closed`] or [`ExecEvent::Lost`] there is nothing more, and it is not called again.
    fn next(&mut self) -> impl Future<Output = Heard> + Send;

    /// Asks the far end for a sign of life, which is [`Heard::Answered`]: all that was sent before it is heard before it.
    fn ask(&mut self);

    /// Asks the host, or the watchdog that holds the input, to signal the command. There is no reply: only an exit proves that it worked.
    fn signal(&mut self, signal: Signal) -> impl Future<Output = ()> + Send;

    /// Which program runs it there.
    fn software(&self) -> Software;

    /// Queues bytes for the command's input, which has to be [`Stdin::Open`]. They are written while [`Exec::next`]
    /// is waited for, so that a command that does not read cannot keep its output from being read.
    fn send(&mut self, data: Bytes);

    /// Queues the end of the input.
    fn end(&mut self);

    /// Tells that a watchdog reads the open input from now on, as with [`Stdin::Held`].
    fn hold(&mut self);

    /// Lets go of an input that is still open although all output has ended: some servers tell of the end of a command
    /// only when its input is closed. A watchdog goes only when its command has, so it is to be called again.
    fn let_go(&mut self);

    /// Closes the channel without waiting for the command.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// What a running command sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecEvent {
    /// Bytes of its standard output.
    Stdout(Bytes),
    /// Bytes of its standard error.
    Stderr(Bytes),
    /// How it ended. May come before the last output.
    Exit(Exit),
    /// The channel is closed in good order: everything was delivered.
    Closed,
    /// The connection is gone: what was not delivered never will be.
    Lost(Failure),
}

/// What is heard of a running command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It, or its server, sent this.
    Event(ExecEvent),
    /// Both streams of its output have ended; its exit may still come (RFC 4254 section 5.3).
    Eof,
    /// The answer to [`Exec::ask`].
    Answered,
}

/// Why a command was not started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecError {
    /// What happened.
    pub failure: Failure,
    /// The request had been sent and its fate is not known: the command may run.
    pub may_have_started: bool,
}

/// Signals that stop a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM.
    Term,
    /// SIGKILL.
    Kill,
}
