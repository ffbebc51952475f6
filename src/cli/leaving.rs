//! What is put right when a signal ends or stops the process: terminals that are in another mode, and the programs that
//! secrets are asked of.
//!
//! Owns the signals from the first such thing on, in a thread of its own: whoever changed a terminal may be waiting for
//! a key. Where a run listens for INT, TERM and HUP, it ends in its own order, but for things that nobody would notice
//! it at. QUIT and ABRT end the process at once, with the exit code that a shell shows for them: what they do by
//! default cannot be put back without unsafe code.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::exit;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use futures::FutureExt;
use rustix::process::{Pid, Signal, getpgrp, getpid, kill_process, test_kill_process};
use rustix::termios::{OptionalActions, Termios, tcgetpgrp, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::process;
use crate::cli::process::{is_ignored, is_orphaned};

/// Something to put right.
pub(super) enum Thing {
    /// A terminal in another mode.
    Terminal {
        /// The terminal.
        terminal: File,
        /// Its mode before.
        before: Termios,
        /// Its mode now.
        now: Termios,
        /// Whoever changed it hears of a request to stop, and puts it right.
        kept: bool,
        /// It may show another screen than that of the shell.
        viewed: bool,
    },
    /// A program that goes away with this process, and what it started.
    Program(Pid),
}

/// All that is to be put right now.
static THINGS: Mutex<BTreeMap<u64, Thing>> = Mutex::new(BTreeMap::new());

/// Whether a run listens for INT, TERM and HUP.
static LISTENED: AtomicBool = AtomicBool::new(false);

/// Whether someone looks after being stopped.
static SUSPENDED: AtomicBool = AtomicBool::new(false);

/// The screen of the shell, with a cursor; nothing changes where it is there.
const SHELL_SCREEN: &[u8] = b"\x1b[?25h\x1b[?1047l";

/// How long programs may take to end.
const ENDING: Duration = Duration::from_millis(500);

/// Something that is looked after until this is dropped.
#[derive(Debug)]
pub(super) struct LookedAfter(u64);

impl Drop for LookedAfter {
    fn drop(&mut self) {
        things().remove(&self.0);
    }
}

/// Looks after something from now on.
///
/// # Errors
///
/// There is no thread for it.
pub(super) fn look_after(thing: Thing) -> std::io::Result<LookedAfter> {
    look_after_begun(|| Ok(((), Some(thing)))).map(|((), looked_after)| looked_after)
}

/// Looks after what is begun now: there is no moment at which a signal would miss it.
///
/// # Errors
///
/// It cannot be begun, or there is no thread for it.
pub(super) fn look_after_begun<T>(
    begin_it: impl FnOnce() -> std::io::Result<(T, Option<Thing>)>,
) -> std::io::Result<(T, LookedAfter)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static BEGUN: OnceLock<()> = OnceLock::new();
    if BEGUN.get().is_none() {
        begin()?;
        let _ = BEGUN.set(());
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut things = things();
    let (begun, thing) = begin_it()?;
    things.extend(thing.map(|thing| (number, thing)));
    Ok((begun, LookedAfter(number)))
}

/// A run listens for INT, TERM and HUP from now on.
pub(super) fn listened() {
    LISTENED.store(true, Ordering::Relaxed);
}

/// Someone looks after being stopped from now on, with [`lay_down`] and [`take_up`].
pub(super) fn suspended() {
    SUSPENDED.store(true, Ordering::Relaxed);
}

/// Gives all terminals their modes back, as the process is about to be stopped.
pub(super) fn lay_down() {
    for thing in things().values() {
        if let Thing::Terminal { terminal, before, .. } = thing
            && !is_in_background(terminal)
        {
            // A terminal that is gone needs no restoring.
            let _ = tcsetattr(terminal, OptionalActions::Now, before);
        }
    }
}

/// Whether a terminal is ours to change. In the background it is someone else's, and the system stops who tries.
pub(super) fn is_ours(terminal: impl AsFd) -> bool {
    tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp())
}

/// Whether it is known that a terminal is someone else's now.
pub(super) fn is_in_background(terminal: impl AsFd) -> bool {
    tcgetpgrp(terminal).is_ok_and(|group| group != getpgrp())
}

/// Gives all terminals the modes that they had when the process was stopped.
pub(super) fn take_up() {
    for thing in things().values() {
        if let Thing::Terminal { terminal, now, .. } = thing
            && is_ours(terminal)
        {
            let _ = tcsetattr(terminal, OptionalActions::Now, now);
        }
    }
}

fn things() -> MutexGuard<'static, BTreeMap<u64, Thing>> {
    // A panic elsewhere leaves a whole map behind.
    THINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread; its signals are heard when this returns.
fn begin() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (ready, begun) = mpsc::channel();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let (heard, mut signals) = tokio::sync::mpsc::unbounded_channel();
        runtime.block_on(async {
            let all = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::ABORT, Signal::TERM, Signal::TSTP];
            for number in all {
                let kind = SignalKind::from_raw(number.as_raw());
                if is_ignored(kind) {
                    continue;
                }
                match signal(kind) {
                    Ok(mut stream) => {
                        let heard = heard.clone();
                        tokio::spawn(async move {
                            while stream.recv().await.is_some() {
                                let _ = heard.send(number);
                            }
                        });
                    }
                    Err(error) => return drop(ready.send(Err(error))),
                }
            }
            let mut continues = match signal(SignalKind::from_raw(Signal::CONT.as_raw())) {
                Ok(continues) => continues,
                Err(error) => return drop(ready.send(Err(error))),
            };
            drop(ready.send(Ok(())));
            while let Some(signal) = signals.recv().await {
                if signal == Signal::TSTP {
                    stop(&mut continues).await;
                } else {
                    take(signal);
                }
            }
        });
    })?;
    begun.recv().unwrap_or_else(|_| Err(std::io::Error::other("the thread for signals has ended")))
}

/// Stops the process, with the terminals as they were, until someone continues it.
async fn stop(continues: &mut tokio::signal::unix::Signal) {
    // Nobody could continue it: the system does not stop such a process either.
    if SUSPENDED.load(Ordering::Relaxed) || is_orphaned() {
        return;
    }
    lay_down();
    // One that came before does not count.
    while continues.recv().now_or_never().is_some() {}
    if kill_process(getpid(), Signal::STOP).is_ok() {
        // The process stops a little later than this returns.
        continues.recv().await;
    }
    take_up();
    process::went_on();
}

/// Does what a signal is for that ends the process.
fn take(signal: Signal) {
    let at_once = signal == Signal::QUIT || signal == Signal::ABORT;
    if at_once || !LISTENED.load(Ordering::Relaxed) || things().values().any(is_left_alone) {
        leave(signal);
    }
}

/// Whether nobody but this module would put it right.
fn is_left_alone(thing: &Thing) -> bool {
    match thing {
        Thing::Terminal { kept, .. } => !kept,
        Thing::Program(_) => true,
    }
}

/// Ends the process.
#[expect(
    clippy::exit,
    reason = "the main thread may be waiting for a key, and a signal ends a process wherever it is"
)]
fn leave(signal: Signal) {
    lay_down();
    // Held to the end: whoever waits for one of these programs must not go on because it was ended here, and say that it
    // failed.
    let things = things();
    for thing in things.values() {
        match thing {
            Thing::Terminal { terminal, viewed, .. } => {
                let mut terminal = terminal;
                if *viewed {
                    let _ = terminal.write_all(SHELL_SCREEN);
                }
                // Behind the question; nobody is left to tell when it is gone.
                let _ = terminal.write_all(b"\n");
            }
            Thing::Program(pid) => end_program(*pid),
        }
    }
    exit(128 + signal.as_raw());
}

/// Ends a program and all that it started: TERM, and KILL for what is still there half a second later.
pub(super) fn end_program(pid: Pid) {
    let family = family(pid);
    for member in &family {
        let _ = kill_process(*member, Signal::TERM);
    }
    let begun = Instant::now();
    while begun.elapsed() < ENDING && family.iter().any(|member| is_alive(*member)) {
        thread::sleep(Duration::from_millis(10));
    }
    for member in family.into_iter().filter(|member| is_alive(*member)) {
        let _ = kill_process(member, Signal::KILL);
    }
}

/// A process and its descendants; only itself where `/proc` does not tell.
fn family(pid: Pid) -> Vec<Pid> {
    let parents: Vec<(Pid, Pid)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter_map(|child| Some((child, process::parent_of(child)?)))
        .collect();
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
        next += 1;
    }
    family
}

/// Whether a process is there and has not ended; one that has may not have been waited for.
fn is_alive(pid: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()));
    match status {
        Ok(status) => !status.lines().any(|line| line.starts_with("State:") && line.contains('Z')),
        Err(_) => test_kill_process(pid).is_ok() && !std::path::Path::new("/proc/self/status").exists(),
    }
}
