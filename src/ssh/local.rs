//! The operator's own machine behind the same seam as SSH: for `transport: local` hosts and `local` steps.

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

use crate::event::Timings;
use crate::model::endpoint::Endpoint;
use crate::model::outcome::{Exit, Failure, Kind};
use crate::ssh::pipe::{Pipe, Program};
use crate::ssh::software::Software;
use crate::ssh::{
    ConnectError, Connected, Connector, Exec, ExecError, ExecEvent, ExecRequest, Heard, Session, Signal,
    Stdin, dial, lookup,
};

/// Bytes read from a pipe at a time.
const READ_SIZE: usize = 32 * 1024;

/// Opens [`LocalSession`]s.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalConnector;

impl Connector for LocalConnector {
    type Session = LocalSession;

    async fn connect(&self, _endpoint: &Endpoint) -> Result<Connected<LocalSession>, ConnectError> {
        let auth = "local".to_owned();
        Ok(Connected { session: LocalSession, timings: Timings::default(), auth })
    }
}

/// Runs commands by `sh -c`, each in a process group of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalSession;

impl Session for LocalSession {
    type Exec = LocalExec;

    async fn exec(&self, request: ExecRequest) -> Result<LocalExec, ExecError> {
        request.sent.note();
        if request.terminal {
            let failure = Failure::new(Kind::ExecRefused, "local commands have no terminal");
            return Err(ExecError { failure, may_have_started: false });
        }
        let stdin = match request.stdin {
            Stdin::Closed => Stdio::null(),
            Stdin::Held | Stdin::Open => Stdio::piped(),
        };
        LocalExec::start(&request.line, stdin)
    }

    async fn pipe(&self, program: Program) -> Result<Pipe, ExecError> {
        match program {
            Program::Line(line) => LocalExec::start(&line, Stdio::piped()).map(Pipe::to_process),
            Program::Tcp { address, port } => to_port(&address, port).await,
            Program::Subsystem(_) => {
                let failure = Failure::new(Kind::SftpUnavailable, "this machine is no SFTP server to itself");
                Err(ExecError { failure, may_have_started: false })
            }
        }
    }

    async fn close(&self) {}
}

impl LocalExec {
    fn start(line: &[u8], stdin: Stdio) -> Result<Self, ExecError> {
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

/// A connection of this machine.
async fn to_port(address: &str, port: u16) -> Result<Pipe, ExecError> {
    let stream =
        async { dial::connect(lookup::resolve(address, port).await?).await }.await.map_err(|error| {
            let message = format!("port {port} of {address}: {}", error.failure.message());
            ExecError { failure: Failure::new(Kind::ConnectRefused, message), may_have_started: false }
        })?;
    let (pipe, mut to_send, telling) = Pipe::in_memory();
    let (mut read_half, mut write_half) = stream.into_split();
    // Both end when the pipe is dropped, or the other side hangs up.
    tokio::spawn(async move {
        while let Some(data) = to_send.recv().await {
            if write_half.write_all(&data).await.is_err() {
                break;
            }
        }
    });
    tokio::spawn(async move {
        loop {
            let mut data = BytesMut::with_capacity(READ_SIZE);
            match read_half.read_buf(&mut data).await {
                Ok(read) if read > 0 => {
                    if telling.send(ExecEvent::Stdout(data.freeze())).await.is_err() {
                        break;
                    }
                }
                Ok(_) | Err(_) => {
                    let _ = telling.send(ExecEvent::Closed).await;
                    break;
                }
            }
        }
    });
    Ok(pipe)
}

fn spawn_failed(error: &io::Error) -> Failure {
    let kind = match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => Kind::LocalLimits,
        _ => Kind::LocalIo,
    };
    let shell = Path::new("/bin/sh").display();
    Failure::new(kind, format!("cannot start {shell} on this machine: {error}"))
}

/// A command running on the operator's machine.
#[derive(Debug)]
pub struct LocalExec {
    child: Child,
    group: Option<Pid>,
    /// Held while the command runs. Out of `child`, which would close it as soon as its end is waited for.
    stdin: Option<ChildStdin>,
    /// What is still to be written to it.
    outgoing: VecDeque<Bytes>,
    /// It is closed when all is written.
    ending: bool,
    stdout: Incoming<ChildStdout>,
    stderr: Incoming<ChildStderr>,
    exited: bool,
    /// A sign of life was asked for.
    asked: bool,
}

/// One end of a pipe with the buffer it is read into; `source` goes away at the end of the stream.
#[derive(Debug)]
struct Incoming<R> {
    source: Option<R>,
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
            if self.ending && self.outgoing.is_empty() {
                self.stdin = None;
            }
            let drained = self.stdout.source.is_none() && self.stderr.source.is_none();
            if drained && self.exited {
                return ExecEvent::Closed;
            }
            tokio::select! {
                data = self.stdout.read() => if let Some(data) = data {
                    return ExecEvent::Stdout(data);
                },
                data = self.stderr.read() => if let Some(data) = data {
                    return ExecEvent::Stderr(data);
                },
                () = write_some(&mut self.stdin, &mut self.outgoing) => {}
                status = self.child.wait(), if !self.exited => {
                    self.exited = true;
                    self.stdin = None;
                    return match status {
                        Ok(status) => ExecEvent::Exit(exit_of(status)),
                        Err(error) => ExecEvent::Lost(Failure::new(
                            Kind::ConnectionLost,
                            format!("cannot wait for the command: {error}"),
                        )),
                    };
                }
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

impl Exec for LocalExec {
    fn send(&mut self, data: Bytes) {
        if !data.is_empty() {
            self.outgoing.push_back(data);
        }
    }

    fn end(&mut self) {
        self.ending = true;
    }

    // The whole group is signalled, watchdog or not.
    fn hold(&mut self) {}

    fn software(&self) -> Software {
        Software::Here
    }

    // The end of a process is seen whatever its input is.
    fn let_go(&mut self) {}

    async fn next(&mut self) -> Heard {
        let asked = self.asked;
        tokio::select! {
            biased;
            event = self.event() => Heard::Event(event),
            // Nothing is on its way here: what has been written is in the pipes, and was read before.
            () = tokio::task::yield_now(), if asked => {
                self.asked = false;
                Heard::Answered
            }
        }
    }

    fn ask(&mut self) {
        self.asked = true;
    }

    async fn signal(&mut self, signal: Signal) {
        let signal = match signal {
            Signal::Term => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        if let Some(group) = self.group {
            // The group may be gone already, which is what was wanted.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }

    async fn close(&mut self) {
        self.stdin = None;
        self.stdout.source = None;
        self.stderr.source = None;
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::Sent;

    fn request(line: &str) -> ExecRequest {
        ExecRequest {
            line: Bytes::copy_from_slice(line.as_bytes()),
            stdin: Stdin::Closed,
            terminal: false,
            sent: Sent::default(),
        }
    }

    async fn run(command: &str) -> (String, String, Option<Exit>) {
        let mut exec = LocalSession.exec(request(command)).await.unwrap();
        let (mut out, mut err, mut exit) = (Vec::new(), Vec::new(), None);
        loop {
            match exec.event().await {
                ExecEvent::Stdout(data) => out.extend_from_slice(&data),
                ExecEvent::Stderr(data) => err.extend_from_slice(&data),
                ExecEvent::Exit(how) => exit = Some(how),
                ExecEvent::Closed => break,
                ExecEvent::Lost(failure) => panic!("{failure:?}"),
            }
        }
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), exit)
    }

    #[tokio::test]
    async fn both_streams_and_the_exit_status_arrive() {
        let (out, err, exit) = run("echo out; echo err >&2; exit 255").await;
        assert_eq!((out.as_str(), err.as_str()), ("out\n", "err\n"));
        assert_eq!(exit, Some(Exit::Status(255)));
    }

    #[tokio::test]
    async fn a_killed_command_shows_its_signal() {
        assert_eq!(run("kill -SEGV $$").await.2, Some(Exit::Signal("SEGV".to_owned())));
    }

    #[tokio::test]
    async fn input_is_written_while_output_is_read() {
        let request = ExecRequest { stdin: Stdin::Open, ..request("cat; echo end") };
        let mut exec = LocalSession.exec(request).await.unwrap();
        let sent = Bytes::from("0123456789abcdef".repeat(256 * 1024));
        exec.send(sent.clone());
        exec.send(Bytes::new());
        exec.send(Bytes::from_static(b"more\n"));
        exec.end();
        let mut out = Vec::new();
        loop {
            match exec.event().await {
                ExecEvent::Stdout(data) => out.extend_from_slice(&data),
                ExecEvent::Closed => break,
                _ => {}
            }
        }
        assert!(out == [&sent[..], b"more\nend\n"].concat(), "{} bytes", out.len());
    }

    #[tokio::test]
    async fn a_signal_reaches_the_whole_group() {
        let mut exec = LocalSession.exec(request("sleep 100 | sleep 100")).await.unwrap();
        exec.signal(Signal::Term).await;
        let mut exit = None;
        loop {
            match exec.event().await {
                ExecEvent::Exit(how) => exit = Some(how),
                ExecEvent::Closed => break,
                _ => {}
            }
        }
        assert_eq!(exit, Some(Exit::Signal("TERM".to_owned())));
    }
}
