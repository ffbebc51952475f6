//! A local command whose standard input and output are a connection (`ProxyCommand` of ssh_config(5)), and what
//! becomes of it: a connection that ends because its command failed says so.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use std::os::unix::process::ExitStatusExt;

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, Join, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, Kind};
use crate::ssh::error::ConnectError;
use crate::ssh::notice::{Notice, Notices};

/// How long the end of a command is waited for once its output has ended.
const ENDING: Duration = Duration::from_secs(1);

/// How long its last words are waited for once it has ended: others may hold its standard error open.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// What to try.
const ALONE: &str = "run it by itself in a shell; `fan hosts` shows where it comes from";

/// Bytes of a line that are kept.
const MAX_LINE: usize = 400;

/// Lines that are told of one command; the last one is kept in any case.
const MAX_LINES: usize = 100;

/// Characters of a command in a message.
const MAX_COMMAND: usize = 120;

/// A running command.
pub struct Proxy {
    pipes: Join<ChildStdout, ChildStdin>,
    command: Arc<str>,
    state: watch::Receiver<ProxyState>,
    end: ProxyEnd,
    /// Sees it to its end; the command ends with it.
    _watching: JoinSet<()>,
}

/// What is known of the command.
#[derive(Default)]
struct ProxyState {
    last_line: String,
    ended: Option<ExitStatus>,
}

/// Where the connection stands.
enum ProxyEnd {
    Open,
    /// Nothing more goes through: the exit status is waited for.
    Awaited(Pin<Box<dyn Future<Output = Option<Failure>> + Send>>),
    Known(Option<Failure>),
}

/// The failure of a command, on its way through an error of its stream.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message())]
struct Failed(Failure);

/// The failure of the command that a stream went over, if that is why it ended.
pub(super) fn failure(error: &io::Error) -> Option<ConnectError> {
    let failed = error.get_ref()?.downcast_ref::<Failed>()?;
    Some(ConnectError::fatal(failed.0.clone()))
}

/// Names the command, where the connection over it came to nothing and does not say so.
pub(super) fn named(command: Option<&Arc<str>>, mut error: ConnectError) -> ConnectError {
    let silent = matches!(error.failure.kind, Kind::Banner | Kind::ConnectReset);
    if let Some(command) = command.filter(|_| silent) {
        let over = format!("over the ProxyCommand {}", shown(command));
        error.failure = error.failure.with(over).hint(ALONE);
    }
    error
}

impl Proxy {
    /// Starts a command as ssh does: by the shell, which it replaces.
    pub(super) fn start(
        command: &Arc<str>,
        host: &HostName,
        notices: &Notices,
    ) -> Result<Self, ConnectError> {
        let failed = |why: String| {
            let message = format!("cannot start the ProxyCommand {}: {why}", shown(command));
            ConnectError::fatal(Failure::new(Kind::ProxyCommand, message))
        };
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(format!("exec {command}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let (Some(stdout), Some(stdin), Some(stderr)) =
            (child.stdout.take(), child.stdin.take(), child.stderr.take())
        else {
            return Err(failed("it has no pipes".to_owned()));
        };
        let (state, known) = watch::channel(ProxyState::default());
        let mut watching = JoinSet::new();
        watching.spawn(see_to_its_end(child, stderr, state, host.clone(), notices.clone()));
        let pipes = tokio::io::join(stdout, stdin);
        Ok(Self {
            pipes,
            command: Arc::clone(command),
            state: known,
            end: ProxyEnd::Open,
            _watching: watching,
        })
    }

    /// Waits for the exit status, and fails when it is not 0.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let ProxyEnd::Open = self.end {
            self.end = ProxyEnd::Awaited(Box::pin(ended(Arc::clone(&self.command), self.state.clone())));
        }
        if let ProxyEnd::Awaited(end) = &mut self.end {
            self.end = ProxyEnd::Known(ready!(end.as_mut().poll(context)));
        }
        Poll::Ready(match &self.end {
            ProxyEnd::Known(Some(failure)) => Err(io::Error::other(Failed(failure.clone()))),
            ProxyEnd::Known(None) | ProxyEnd::Open | ProxyEnd::Awaited(_) => Ok(()),
        })
    }
}

async fn ended(command: Arc<str>, mut state: watch::Receiver<ProxyState>) -> Option<Failure> {
    let known = tokio::time::timeout(ENDING, state.wait_for(|state| state.ended.is_some())).await;
    let known = known.ok()?.ok()?;
    let status = known.ended.filter(|status| !status.success())?;
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "failed".to_owned(),
    };
    let said = if known.last_line.is_empty() { String::new() } else { format!(": {}", known.last_line) };
    let hint = match status.code() {
        Some(126 | 127) => "is the program installed, and on PATH?",
        _ => ALONE,
    };
    let message = format!("the ProxyCommand {} {how}{said}", shown(&command));
    Some(Failure::new(Kind::ProxyCommand, message).hint(hint))
}

fn shown(command: &str) -> String {
    let short: String = command.chars().take(MAX_COMMAND).collect();
    let more = if short.len() < command.len() { "..." } else { "" };
    format!("\"{short}{more}\"")
}

/// Passes on what the command says, and notes how it ends.
async fn see_to_its_end(
    mut child: Child,
    stderr: ChildStderr,
    state: watch::Sender<ProxyState>,
    host: HostName,
    notices: Notices,
) {
    let mut group = ProxyGroup::of(&child);
    let mut listening = Box::pin(listen(stderr, &state, &host, &notices));
    let ended = tokio::select! {
        ended = child.wait() => ended,
        () = &mut listening => {
            let ended = child.wait().await;
            group.let_go();
            state.send_modify(|state| state.ended = ended.ok());
            return;
        }
    };
    group.let_go();
    let over = tokio::time::timeout(LAST_WORDS, &mut listening).await.is_ok();
    state.send_modify(|state| state.ended = ended.ok());
    if !over {
        listening.await;
    }
}

/// A running command with all that it started. Who goes away before the command has ended hangs up on them, as ssh and
/// a terminal do: a shell in front of the program would leave it behind.
struct ProxyGroup(Option<Pid>);

impl ProxyGroup {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// The command has ended, and its number may be another's by now.
    fn let_go(&mut self) {
        self.0 = None;
    }
}

impl Drop for ProxyGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may be gone already, which is what was wanted.
            let _ = rustix::process::kill_process_group(group, Signal::HUP);
        }
    }
}

/// Reads lines until nobody can write any more.
async fn listen(
    mut stderr: ChildStderr,
    state: &watch::Sender<ProxyState>,
    host: &HostName,
    notices: &Notices,
) {
    let mut told = 0;
    let mut tell = |line: &mut Vec<u8>| {
        let text = String::from_utf8_lossy(line).trim().to_owned();
        line.clear();
        if text.is_empty() {
            return;
        }
        state.send_modify(|state| state.last_line.clone_from(&text));
        told += 1;
        if told <= MAX_LINES {
            notices.tell(Notice::ProxySaid { host: host.clone(), line: text });
        }
    };
    let (mut buffer, mut line) = ([0; 1024], Vec::new());
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        for &byte in buffer.get(..count).unwrap_or_default() {
            match byte {
                b'\n' | b'\r' => tell(&mut line),
                _ if line.len() < MAX_LINE => line.push(byte),
                _ => {}
            }
        }
    }
    tell(&mut line);
}

impl AsyncRead for Proxy {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let ProxyEnd::Open = this.end {
            let before = out.filled().len();
            ready!(Pin::new(&mut this.pipes).poll_read(context, out))?;
            if out.filled().len() > before || out.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        this.poll_end(context)
    }
}

impl AsyncWrite for Proxy {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match ready!(Pin::new(&mut this.pipes).poll_write(context, data)) {
            // It takes nothing more: why is told before that.
            Err(error) => match ready!(this.poll_end(context)) {
                Ok(()) => Poll::Ready(Err(error)),
                Err(failed) => Poll::Ready(Err(failed)),
            },
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().pipes).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().pipes).poll_shutdown(context)
    }
}
