//! A command on a host as data: what starts it, what it sends, what stops it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::SetOnce;

use crate::model::outcome::{Exit, Failure};

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

/// Whether a request has been sent; shared with who may give up the wait for its answer, or goes after it.
#[derive(Clone, Debug, Default)]
pub struct Sent(Arc<SetOnce<()>>);

impl Sent {
    /// Notes that it is about to be.
    pub fn note(&self) {
        // It was asked for again.
        let _ = self.0.set(());
    }

    /// Whether it may have been.
    pub fn is_noted(&self) -> bool {
        self.0.initialized()
    }

    /// Waits until it may have been. Cancel-safe.
    pub async fn noted(&self) {
        self.0.wait().await;
    }
}

/// The standard input of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// At its end from the start.
    Closed,
    /// Open and silent for the watchdog of a watched line (`model::shell::watchdog`), which is stopped through it.
    Held,
    /// Written to by [`Exec::send`](crate::ssh::seam::Exec::send).
    Open,
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
    /// The answer to [`Exec::ask`](crate::ssh::seam::Exec::ask).
    Answered,
    /// All that was queued for its input is written, and it can have more.
    Written,
    /// What happened to a command that outlives its connection.
    Job(JobNews),
    /// It was not started, for this reason. Nothing comes after it.
    Refused(Failure),
}

/// What happens to a command that outlives its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobNews {
    /// It is there, under this name.
    Begun(String),
    /// The connection to it is gone, and is being opened again.
    Away(Failure),
    /// It is followed again, after so long.
    Back(Duration),
    /// So many bytes of its oldest output were dropped before they were read.
    Dropped(u64),
    /// The host had no room for the rest of its output.
    Cut,
}

/// Signals that stop a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM.
    Term,
    /// SIGKILL.
    Kill,
}
