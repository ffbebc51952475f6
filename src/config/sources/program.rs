//! Runs inventory programs: without a shell, with a deadline, and with a bound on what they print.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a program may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes that it may print.
const MOST: u64 = 64 * 1024 * 1024;

/// Bytes of its errors that are shown.
const SHOWN: usize = 2000;

/// A program that runs.
pub(super) struct RunningSource {
    child: Child,
    out: mpsc::Receiver<io::Result<Vec<u8>>>,
    err: mpsc::Receiver<io::Result<Vec<u8>>>,
    since: Instant,
}

/// Starts a program in a process group of its own; it reads nothing.
///
/// # Errors
/// It cannot be started.
pub(super) fn start(program: &Path, arguments: &[&str]) -> Result<RunningSource, String> {
    // A name without a slash would be looked for on the PATH.
    let program =
        if program.components().count() == 1 { Path::new(".").join(program) } else { program.to_owned() };
    let mut command = Command::new(&program);
    command.args(arguments);
    spawn(command)
}

/// Starts a command likewise.
///
/// # Errors
/// It cannot be started.
pub(super) fn spawn(mut command: Command) -> Result<RunningSource, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.process_group(0).spawn().map_err(|error| format!("cannot run: {error}"))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    Ok(RunningSource { child, out: reading(out), err: reading(err), since: Instant::now() })
}

fn reading(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut data = Vec::new();
        let read = match stream {
            Some(stream) => stream.take(MOST + 1).read_to_end(&mut data),
            None => Ok(0),
        };
        // Nobody listens when it took too long.
        let _ = sender.send(read.map(|_| data));
    });
    receiver
}

impl RunningSource {
    /// Waits for its end; gives what it printed.
    ///
    /// # Errors
    /// It failed, took too long, or printed too much.
    pub(super) fn finish(mut self, patience: Duration) -> Result<String, String> {
        let left = patience.saturating_sub(self.since.elapsed());
        let out = self.out.recv_timeout(left);
        let out = match out {
            Ok(read) => read.map_err(|error| format!("cannot read what it prints: {error}"))?,
            Err(_) => {
                self.end();
                return Err(format!("did not answer within {} s", patience.as_secs()));
            }
        };
        if out.len() as u64 > MOST {
            self.end();
            return Err(format!("printed more than {} MiB", MOST / 1024 / 1024));
        }
        // It has closed its output, and is about to end.
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if self.since.elapsed() < patience => thread::sleep(Duration::from_millis(5)),
                Ok(None) => {
                    self.end();
                    return Err(format!("did not end within {} s", patience.as_secs()));
                }
                Err(error) => return Err(format!("cannot wait for it: {error}")),
            }
        };
        if !status.success() {
            let said =
                self.err.recv_timeout(Duration::from_secs(1)).ok().and_then(Result::ok).unwrap_or_default();
            let said = String::from_utf8_lossy(said.get(..said.len().min(SHOWN)).unwrap_or_default());
            let last = said.trim().lines().next_back().map(shown);
            return Err(format!("failed ({status}){}", last.unwrap_or_default()));
        }
        String::from_utf8(out).map_err(|_| "printed what is not UTF-8".to_owned())
    }

    fn end(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// A line that a program printed, for a message: what could move the cursor is written out.
fn shown(line: &str) -> String {
    let plain =
        line.chars().map(|c| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() });
    format!(": {}", plain.collect::<String>())
}
