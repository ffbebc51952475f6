//! The operator's own machine behind the same seam as SSH: for `transport: local` hosts and `local` steps.

use std::process::Stdio;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::event::Timings;
use crate::model::endpoint::Endpoint;
use crate::model::outcome::{Failure, Kind};
use crate::ssh::command::{ExecEvent, ExecRequest, Heard, Signal, Stdin};
use crate::ssh::error::{ConnectError, ExecError};
use crate::ssh::local_exec::{LocalExec, READ_SIZE};
use crate::ssh::pipe::{Pipe, Program};
use crate::ssh::seam::{Connected, Connector, Exec, Session};
use crate::ssh::software::Software;
use crate::ssh::{dial, lookup};

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
            heard = self.heard() => heard,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::Exit;
    use crate::ssh::command::Sent;

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
