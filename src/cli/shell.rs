//! `fan shell`: an interactive shell on one host, reached as all other commands reach it.
//!
//! The terminal is raw while the shell lasts, and as before on every way out: the guard is dropped by a return, by
//! a signal that becomes a request to stop, and by a panic; other signals go through `leaving`.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::{Arc, mpsc as std_mpsc};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::cli::args::{SelectionArgs, ShellArgs};
use crate::cli::context::{self, Common};
use crate::cli::error::{CliError, talk};
use crate::cli::escape::{Escapes, HELP, Typed};
use crate::cli::prompt::PromptTerminal;
use crate::cli::protected::{self, Guard};
use crate::cli::runner::{self, Ready};
use crate::cli::runtime::runtime;
use crate::cli::signals;
use crate::cli::tty::{Changed, TtyKeeper};
use crate::engine::plan::Plan;
use crate::engine::{self, Delivery, NotConnected, StopReceiver, planner};
use crate::model::endpoint::Endpoint;
use crate::model::outcome::{CancelReason, Exit, ExitCode, Failure, Kind};
use crate::model::position::Diagnostic;
use crate::model::range;
use crate::model::settings::Transport;
use crate::report::{Layout, Lines, Reporter, Style, failure_lines};
use crate::ssh::session::SshSession;
use crate::ssh::shell::{ShellInput, ShellOutput, ShellWindow, TerminalRequest};
use crate::ssh::{ExecEvent, Session};

/// Pieces of typing that wait for a host that takes nothing. Beyond them `~.` waits too.
const TYPED_AHEAD: usize = 16 * 1024;

/// Bytes of typing that are read at a time.
const READ_SIZE: usize = 4 * 1024;

/// How long the goodbye may take.
const CLOSING: Duration = Duration::from_millis(500);

/// Opens a shell; gives the number to exit with.
pub(super) fn run(args: &ShellArgs) -> Result<u8, CliError> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Diagnostic::bare("a shell needs a terminal as stdin and stdout")
            .help("`fan exec -H HOST -- CMD` needs none")
            .into());
    }
    let command = (!args.command.is_empty()).then(|| args.command.join(" "));
    if command.as_ref().is_some_and(|command| command.trim().is_empty()) {
        return Err(CliError::input("the command is empty"));
    }
    let plan = plan(args, command.as_deref().unwrap_or_default())?;
    let command = command.map(Bytes::from);
    runtime()?.block_on_then_leave(async {
        let (_, mut stopping) = signals::stops()?;
        let (plan, ready) = runner::prepare(plan, &mut PromptTerminal).await?;
        let Some(planned) = plan.hosts.first() else { return Err(CliError::input("no hosts selected")) };
        open(&ready, &planned.endpoint, command, &mut stopping).await
    })
}

/// The plan for the one host that is meant.
fn plan(args: &ShellArgs, command: &str) -> Result<Plan, CliError> {
    let connection = &args.connection;
    let selection = SelectionArgs {
        source: args.source.clone(),
        roles: Vec::new(),
        hosts: vec![args.host.clone()],
        hosts_file: Vec::new(),
        exclude: Vec::new(),
        only: None,
        limit: None,
        pick: None,
        shard: None,
    };
    let mut inventory = context::inventory(&selection.source)?;
    let selected = context::select(&mut inventory, &selection)?;
    let selected = selected.ok_or_else(|| context::no_hosts(&inventory))?;
    if selected.len() != 1 {
        let names: Vec<&str> = selected
            .iter()
            .filter_map(|&index| inventory.hosts.get(index).map(|host| host.name.as_str()))
            .collect();
        let (host, count) = (&args.host, selected.len());
        return Err(Diagnostic::bare(format!(
            "\"{host}\" selects {count} hosts, and a shell needs exactly one: {}",
            range::fold(&names)
        ))
        .help(format!("name one of them, or run a command on all: fan exec -H '{host}' -- CMD"))
        .into());
    }
    let request =
        Common { pool: 1, ..Common::over(connection, format!("shell {}", args.host))? }.request(&inventory);
    let plan = planner::command(request, &inventory, &selected, command)?;
    protected::agreed(&inventory, &plan, Guard::On { confirmed: &args.protection.confirm })?;
    match plan.hosts.iter().find(|host| host.endpoint.transport == Transport::Local) {
        Some(host) => Err(CliError::input(format!(
            "{} is this machine (`transport: local`): you have a shell here already",
            host.endpoint.name
        ))),
        None => Ok(plan),
    }
}

/// How a shell ended.
enum ShellEnd {
    /// Told by the host; without an exit, by closing the channel.
    Closed(Option<Exit>),
    /// The connection went away.
    Lost(Failure),
    /// The user typed `~.`.
    Left,
    /// A signal told fan to stop.
    Stopped(CancelReason),
}

/// Connects, lends the terminal to the host until the end, and tells how it ended.
async fn open(
    ready: &Ready,
    endpoint: &Endpoint,
    command: Option<Bytes>,
    stopping: &mut StopReceiver,
) -> Result<u8, CliError> {
    let host = endpoint.name.as_str();
    let session = match connect(ready, endpoint, stopping).await? {
        Ok(session) => session,
        Err(NotConnected::Failed(failure)) => return Ok(failed(host, &failure, false)),
        Err(NotConnected::Cancelled(reason)) => return Ok(reason.exit_code().code()),
    };
    // Heard from before the size is asked for, so that no change is missed.
    let resized = signal(SignalKind::window_change()).map_err(terminal_error)?;
    let terminal = TerminalRequest {
        term: std::env::var("TERM").unwrap_or_else(|_| "dumb".to_owned()),
        window: window().map_err(terminal_error)?,
        modes: tcgetattr(io::stdin()).map_err(|error| terminal_error(error.into()))?,
    };
    let opened = tokio::select! {
        biased;
        reason = stopping.asked() => return Ok(reason.exit_code().code()),
        opened = session.shell(&terminal, command) => opened,
    };
    let (output, input) = match opened {
        Ok(opened) => opened,
        Err(error) => return Ok(failed(host, &error.failure, error.may_have_started)),
    };
    let mut screen = ShellScreen { fresh: true };
    let end = attach(output, input, resized, &mut screen, stopping).await?;
    let _ = tokio::time::timeout(CLOSING, session.close()).await;
    screen.break_line(&end);
    Ok(tell(host, end))
}

/// Opens the session as runs do, with the same repeats; they are told as they happen.
async fn connect(
    ready: &Ready,
    endpoint: &Endpoint,
    stopping: &mut StopReceiver,
) -> Result<Result<SshSession, NotConnected>, CliError> {
    let (sink, deliveries) = engine::channel(&ready.redactor);
    let reader = thread::Builder::new().name("reporter".to_owned()).spawn(move || report(&deliveries));
    let reader =
        reader.map_err(|source| CliError::Local { doing: "cannot start a thread".to_owned(), source })?;
    let connected = engine::connect(&ready.connector, endpoint, Some(&sink), stopping).await;
    drop(sink);
    // It ends with the sink, and has said everything before the terminal is someone else's.
    let _ = reader.join();
    Ok(connected)
}

fn report(deliveries: &std_mpsc::Receiver<Delivery>) {
    let (out, talk) = (Box::new(io::stdout()), Box::new(io::stderr()));
    let mut lines = Lines::new(out, talk, Layout::Bare, Style::default());
    for delivery in deliveries {
        // The terminal that could be told of an error is the one that fails.
        let _ = lines.event(&delivery.event).and(lines.idle());
    }
}

/// Lends the terminal to the host.
async fn attach(
    mut output: ShellOutput,
    input: ShellInput,
    resized: Signal,
    screen: &mut ShellScreen,
    stopping: &mut StopReceiver,
) -> Result<ShellEnd, CliError> {
    let _raw = Changed::new(io::stdin(), OptionalActions::Drain, TtyKeeper::Itself, Termios::make_raw)
        .map_err(terminal_error)?;
    let left = Arc::new(Notify::new());
    let typed = keyboard(Arc::clone(&left))?;
    // Of its own, because the host may take nothing for a while: its output must be read nevertheless. It ends
    // with the set.
    let mut sending = JoinSet::new();
    sending.spawn(send(typed, input, resized));
    let mut exit = None;
    loop {
        let event = tokio::select! {
            biased;
            reason = stopping.asked() => return Ok(ShellEnd::Stopped(reason)),
            () = left.notified() => return Ok(if exit.is_some() { ShellEnd::Closed(exit) } else { ShellEnd::Left }),
            event = output.next() => event,
        };
        match event {
            ExecEvent::Stdout(bytes) | ExecEvent::Stderr(bytes) => {
                tokio::task::block_in_place(|| screen.show(&bytes)).map_err(terminal_error)?;
            }
            ExecEvent::Exit(how) => exit = Some(how),
            ExecEvent::Closed => return Ok(ShellEnd::Closed(exit)),
            ExecEvent::Lost(_) if exit.is_some() && output.is_complete() => {
                return Ok(ShellEnd::Closed(exit));
            }
            ExecEvent::Lost(failure) => return Ok(ShellEnd::Lost(failure)),
        }
    }
}

/// Reads what is typed in a thread of its own, which ends with the process: nothing can wake it but a key.
fn keyboard(left: Arc<Notify>) -> Result<mpsc::Receiver<Bytes>, CliError> {
    let (sender, receiver) = mpsc::channel(TYPED_AHEAD);
    let read = move || {
        let mut escapes = Escapes::LineStart;
        let mut buffer = [0; READ_SIZE];
        loop {
            let typed = match io::stdin().lock().read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => return,
                Ok(count) => buffer.get(..count).unwrap_or_default(),
            };
            for typed in escapes.typed(typed) {
                match typed {
                    Typed::Input(bytes) => {
                        if sender.blocking_send(bytes).is_err() {
                            return;
                        }
                    }
                    Typed::Help => drop(io::stderr().write_all(HELP.as_bytes())),
                    Typed::Disconnect => return left.notify_one(),
                }
            }
        }
    };
    thread::Builder::new()
        .name("keyboard".to_owned())
        .spawn(read)
        .map(|_| receiver)
        .map_err(|source| CliError::Local { doing: "cannot start a thread".to_owned(), source })
}

/// Sends what is typed, and the size of the terminal whenever it changes.
async fn send(mut typed: mpsc::Receiver<Bytes>, input: ShellInput, mut resized: Signal) {
    loop {
        tokio::select! {
            bytes = typed.recv() => match bytes {
                Some(bytes) => input.send(bytes).await,
                None => return input.end().await,
            },
            Some(()) = resized.recv() => {
                if let Ok(window) = window() {
                    input.resize(window).await;
                }
            }
        }
    }
}

/// The terminal as the user sees it.
struct ShellScreen {
    /// The cursor is at the start of a line.
    fresh: bool,
}

impl ShellScreen {
    /// Shows what the host sent, byte for byte: the terminal is its own for now.
    fn show(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(&last) = bytes.last() else { return Ok(()) };
        self.fresh = last == b'\n';
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// What fan says begins on a line of its own.
    fn break_line(&self, end: &ShellEnd) {
        if !self.fresh && !matches!(end, ShellEnd::Closed(Some(Exit::Status(_)))) {
            // When the terminal is gone there is nowhere to report it.
            let _ = io::stderr().write_all(b"\n");
        }
    }
}

/// Tells the user how it ended, where the host did not; gives the number to exit with.
fn tell(host: &str, end: ShellEnd) -> u8 {
    match end {
        // As ssh does; a status that does not fit must not become a success.
        ShellEnd::Closed(Some(Exit::Status(status))) => u8::try_from(status).unwrap_or(u8::MAX),
        ShellEnd::Closed(Some(Exit::Signal(signal))) => {
            failed(host, &Failure::new(Kind::Signal, format!("killed by signal {signal}")), true)
        }
        ShellEnd::Closed(None) => {
            let message = "the host closed the shell without an exit status";
            failed(host, &Failure::new(Kind::ConnectionLost, message), true)
        }
        ShellEnd::Lost(failure) => failed(host, &failure, true),
        ShellEnd::Left => {
            talk(&format!("{host}: disconnected"));
            ExitCode::Failed.code()
        }
        ShellEnd::Stopped(reason) => {
            let code = reason.exit_code();
            talk(&format!("{host}: {}", code.meaning()));
            code.code()
        }
    }
}

/// Tells a failure; gives the number to exit with, which is that of a run with this host alone.
fn failed(host: &str, failure: &Failure, started: bool) -> u8 {
    talk(&failure_lines(host, failure));
    let code = match failure.kind {
        Kind::Internal => ExitCode::Bug,
        kind if kind.is_host_key_alarm() => ExitCode::HostKeyAlarm,
        Kind::LocalIo => ExitCode::LocalIo,
        _ if started => ExitCode::Failed,
        _ => ExitCode::Unreachable,
    };
    code.code()
}

/// The size of the terminal now.
fn window() -> io::Result<ShellWindow> {
    let size = tcgetwinsize(io::stdin())?;
    Ok(ShellWindow {
        columns: size.ws_col.into(),
        rows: size.ws_row.into(),
        width: size.ws_xpixel.into(),
        height: size.ws_ypixel.into(),
    })
}

fn terminal_error(source: io::Error) -> CliError {
    CliError::Local { doing: "the terminal does not work".to_owned(), source }
}
