//! A process of this machine: started, read to its end. How it is signalled is in `local`.

use std::collections::VecDeque;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use bytes::{Bytes, BytesMut};
use rustix::process::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::model::outcome::{Exit, Failure, Kind};
use crate::ssh::command::{ExecEvent, Heard};
use crate::ssh::error::ExecError;

/// A command running on the operator's machine.
#[derive(Debug)]
pub struct LocalExec {
    child: Child,
    pub(super) group: Option<Pid>,
    /// Held while the command runs. Out of `child`, which would close it as soon as its end is waited for.
    pub(super) stdin: Option<ChildStdin>,
    /// What is still to be written to it.
    pub(super) outgoing: VecDeque<Bytes>,
    /// It is closed when all is written.
    pub(super) ending: bool,
    pub(super) stdout: Incoming<ChildStdout>,
    pub(super) stderr: Incoming<ChildStderr>,
    exited: bool,
    /// A sign of life was asked for.
    pub(super) asked: bool,
}

impl LocalExec {
    pub(super) fn start(line: &[u8], stdin: Stdio) -> Result<Self, ExecError> {
        let child = Command::new("/bin/sh")
            .arg("-c")
            .arg(std::ffi::OsStr::from_bytes(line))
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in the terminal is for fan, which then ends the group in its own order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        child
            .map(LocalExec::new)
            .map_err(|error| ExecError { failure: spawn_failed(&error), may_have_started: false })
    }

    /// Its input, for another task to write to.
    pub(super) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }
}

impl LocalExec {
    fn new(mut child: Child) -> Self {
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let stdin = child.stdin.take();
        let stdout = Incoming::new(child.stdout.take());
        let stderr = Incoming::new(child.stderr.take());
        Self {
            child,
            group,
            stdin,
            outgoing: VecDeque::new(),
            ending: false,
            stdout,
            stderr,
            exited: false,
            asked: false,
        }
    }

    /// The next thing that the command sent. Cancel-safe.
    pub(super) async fn event(&mut self) -> ExecEvent {
        loop {
            if let Heard::Event(event) = self.heard().await {
                return event;
            }
        }
    }

    /// The next thing that is heard of the command. Cancel-safe.
    pub(super) async fn heard(&mut self) -> Heard {
        loop {
            if self.ending && self.outgoing.is_empty() {
                self.stdin = None;
            }
            let drained = self.stdout.source.is_none() && self.stderr.source.is_none();
            if drained && self.exited {
                return Heard::Event(ExecEvent::Closed);
            }
            tokio::select! {
                data = self.stdout.read() => if let Some(data) = data {
                    return Heard::Event(ExecEvent::Stdout(data));
                },
                data = self.stderr.read() => if let Some(data) = data {
                    return Heard::Event(ExecEvent::Stderr(data));
                },
                () = write_some(&mut self.stdin, &mut self.outgoing) => {
                    if self.outgoing.is_empty() && self.stdin.is_some() && !self.ending {
                        return Heard::Written;
                    }
                }
                status = self.child.wait(), if !self.exited => {
                    self.exited = true;
                    self.stdin = None;
                    return Heard::Event(match status {
                        Ok(status) => ExecEvent::Exit(exit_of(status)),
                        Err(error) => ExecEvent::Lost(Failure::new(
                            Kind::ConnectionLost,
                            format!("cannot wait for the command: {error}"),
                        )),
                    });
                }
            }
        }
    }
}

/// One end of a pipe with the buffer it is read into; `source` goes away at the end of the stream.
#[derive(Debug)]
pub(super) struct Incoming<R> {
    pub(super) source: Option<R>,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Incoming<R> {
    fn new(source: Option<R>) -> Self {
        Self { source, buffer: BytesMut::new() }
    }

    /// The next bytes; `None` at the end. Never resolves after that. Cancel-safe, as `read_buf` is.
    async fn read(&mut self) -> Option<Bytes> {
        let Some(source) = &mut self.source else { return std::future::pending().await };
        self.buffer.reserve(READ_SIZE);
        match source.read_buf(&mut self.buffer).await {
            Ok(read) if read > 0 => Some(self.buffer.split().freeze()),
            _ => {
                self.source = None;
                None
            }
        }
    }
}

/// Writes some of the first piece; the rest stays the first. Never resolves when there is nothing to write.
/// Cancel-safe, as `write` is.
async fn write_some(stdin: &mut Option<ChildStdin>, outgoing: &mut VecDeque<Bytes>) {
    let (Some(open), Some(first)) = (&mut *stdin, outgoing.front_mut()) else {
        return std::future::pending().await;
    };
    match open.write(first).await {
        Ok(written) if written < first.len() => drop(first.split_to(written)),
        Ok(_) => drop(outgoing.pop_front()),
        // It reads no more.
        Err(_) => *stdin = None,
    }
}

/// Bytes read from a pipe at a time.
pub(super) const READ_SIZE: usize = 32 * 1024;

fn spawn_failed(error: &io::Error) -> Failure {
    let kind = match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => Kind::LocalLimits,
        _ => Kind::LocalIo,
    };
    let shell = Path::new("/bin/sh").display();
    Failure::new(kind, format!("cannot start {shell} on this machine: {error}"))
}

fn exit_of(status: ExitStatus) -> Exit {
    match status.signal() {
        None => Exit::Status(status.code().and_then(|code| u32::try_from(code).ok()).unwrap_or(u32::MAX)),
        Some(signal) => Exit::Signal(signal_name(signal)),
    }
}

/// POSIX names for the signals that end commands in practice, as SSH spells them; numbers for others.
fn signal_name(signal: i32) -> String {
    const NAMED: [(rustix::process::Signal, &str); 11] = [
        (rustix::process::Signal::ABORT, "ABRT"),
        (rustix::process::Signal::ALARM, "ALRM"),
        (rustix::process::Signal::BUS, "BUS"),
        (rustix::process::Signal::FPE, "FPE"),
        (rustix::process::Signal::HUP, "HUP"),
        (rustix::process::Signal::INT, "INT"),
        (rustix::process::Signal::KILL, "KILL"),
        (rustix::process::Signal::PIPE, "PIPE"),
        (rustix::process::Signal::QUIT, "QUIT"),
        (rustix::process::Signal::SEGV, "SEGV"),
        (rustix::process::Signal::TERM, "TERM"),
    ];
    let known = NAMED.iter().find(|(known, _)| known.as_raw() == signal);
    known.map_or_else(|| signal.to_string(), |(_, name)| (*name).to_owned())
}
