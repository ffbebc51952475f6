//! The seam under the engine: what opens a session, the session, and a command that runs in it.

use std::future::Future;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;

use crate::event::Timings;
use crate::model::endpoint::Endpoint;
use crate::ssh::claim::ChannelClaim;
use crate::ssh::command::{ExecRequest, Heard, Sent, Signal};
use crate::ssh::error::{ConnectError, ExecError};
use crate::ssh::notice::Notice;
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

    /// Opens one again, for one who waits until the host is back: gateways that were given up on are tried anew.
    fn reconnect(
        &self,
        endpoint: &Endpoint,
    ) -> impl Future<Output = Result<Connected<Self::Session>, ConnectError>> + Send {
        self.connect(endpoint)
    }

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

/// An authenticated connection to a host. Several things may run in it at a time.
pub trait Session: Send + Sync + 'static {
    /// A command that runs in it.
    type Exec: Exec;

    /// Starts a command.
    fn exec(&self, request: ExecRequest) -> impl Future<Output = Result<Self::Exec, ExecError>> + Send;

    /// Whether a command may go beside another one without harm to that.
    fn bears_another(&self) -> bool {
        false
    }

    /// Starts a command beside one that comes first: its request is sent after that one's, on a channel that is asked for
    /// meanwhile. For someone who can do without: no channel is waited for.
    fn exec_beside(
        &self,
        request: ExecRequest,
        first: Sent,
    ) -> impl Future<Output = Result<Self::Exec, ExecError>> + Send {
        async move {
            first.noted().await;
            self.exec(request).await
        }
    }

    /// Starts a program whose input is written to while its output is read. Waits for a channel where the server
    /// gives so many at a time, as [`Session::exec`] does.
    fn pipe(&self, program: Program) -> impl Future<Output = Result<Pipe, ExecError>> + Send;

    /// The same for someone who needs more than one channel at a time, or can do without this one.
    fn pipe_for(
        &self,
        program: Program,
        claim: ChannelClaim,
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

    /// Whether the connection is known to be gone.
    fn is_lost(&self) -> bool {
        false
    }

    /// Where it is noted that its account runs what it is given, once that has been seen; none where it needs not be.
    fn takes_commands(&self) -> Option<&AtomicBool> {
        None
    }

    /// Closes the connection in good order; does not wait for the other side.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// A running command.
pub trait Exec: Send {
    /// The next thing that the command sent. Cancel-safe.
    ///
    /// After [`ExecEvent::Closed`](crate::ssh::command::ExecEvent::Closed) or [`ExecEvent::Lost`](crate::ssh::command::ExecEvent::Lost) there is nothing more, and it is not called again.
    fn next(&mut self) -> impl Future<Output = Heard> + Send;

    /// Asks the far end for a sign of life, which is [`Heard::Answered`]: all that was sent before it is heard before it.
    fn ask(&mut self);

    /// Asks the host, or the watchdog that holds the input, to signal the command. There is no reply: only an exit proves that it worked.
    fn signal(&mut self, signal: Signal) -> impl Future<Output = ()> + Send;

    /// Which program runs it there.
    fn software(&self) -> Software;

    /// Queues bytes for the command's input, which has to be [`Stdin::Open`](crate::ssh::command::Stdin::Open). They are written while [`Exec::next`]
    /// is waited for, so that a command that does not read cannot keep its output from being read. [`Heard::Written`](crate::ssh::command::Heard::Written) tells
    /// when they are.
    fn send(&mut self, data: Bytes);

    /// Queues the end of the input.
    fn end(&mut self);

    /// Tells that a watchdog reads the open input from now on, as with [`Stdin::Held`](crate::ssh::command::Stdin::Held).
    fn hold(&mut self);

    /// Lets go of an input that is still open although all output has ended: some servers tell of the end of a command
    /// only when its input is closed. A watchdog goes only when its command has, so it is to be called again.
    fn let_go(&mut self);

    /// Closes the channel without waiting for the command.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}
