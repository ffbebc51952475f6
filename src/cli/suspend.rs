//! Ctrl-Z and `fg`: the bars are taken away before the process is stopped, and drawn anew when it goes on.
//!
//! Commands on hosts go on meanwhile; nobody reads what they say, and deadlines pass.

use std::io;
use std::time::Duration;

use futures::FutureExt;
use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::leaving;
use crate::cli::process::{is_ignored, is_orphaned, went_on};
use crate::report::Terminal;

/// How long the terminal may take to show everything before the process is stopped.
const CLEARING: Duration = Duration::from_millis(500);

fn resume(terminal: &Terminal) {
    leaving::take_up();
    terminal.resume();
    went_on();
}

/// Looks after the terminal when the process is stopped and goes on, for as long as the runtime lives.
///
/// A SIGTSTP that was ignored when the process began stays so.
pub(super) fn listen(terminal: Terminal) -> io::Result<()> {
    let (stop, go_on) =
        (SignalKind::from_raw(Signal::TSTP.as_raw()), SignalKind::from_raw(Signal::CONT.as_raw()));
    if is_ignored(stop) {
        return Ok(());
    }
    let (mut stops, mut continues) = (signal(stop)?, signal(go_on)?);
    leaving::suspended();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                stopped = stops.recv() => match stopped {
                    // Nobody could continue it: the system does not stop such a process either.
                    Some(()) if is_orphaned() => continue,
                    Some(()) => {}
                    None => return,
                },
                // After a SIGSTOP, which nobody can prepare for.
                _ = continues.recv() => {
                    resume(&terminal);
                    continue;
                }
            }
            let leaving = terminal.clone();
            let left = tokio::task::spawn_blocking(move || leaving.suspend(CLEARING)).await;
            leaving::lay_down();
            // One that came before does not count.
            while continues.recv().now_or_never().is_some() {}
            if left.is_ok() && kill_process(getpid(), Signal::STOP).is_ok() {
                // The other threads stop a little later than this one.
                continues.recv().await;
            }
            resume(&terminal);
        }
    });
    Ok(())
}
