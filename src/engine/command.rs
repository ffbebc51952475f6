//! Sees one running command to its end: drains its output within bounds, keeps its deadlines, and stops it
//! when the user or a deadline says so.
//!
//! Stopping is one chain for all causes: TERM, some seconds, KILL, a second, close. Whether the command is
//! really gone is only known from its exit; without one it may still be running.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::engine::lines::LineBlocks;
use crate::engine::sink::EventSink;
use crate::engine::stop::{Stop, StopReceiver};
use crate::engine::worker::Activity;
use crate::event::{Fact, Stream};
use crate::model::inventory::HostName;
use crate::model::outcome::{CancelReason, Exit, Failure};
use crate::ssh::{Exec, ExecEvent, Signal};

/// Bytes of one host's output that may be on their way to the readers.
pub(super) const OUTPUT_BUDGET: usize = 256 * 1024;

/// Bytes of each stream kept for `register`.
const MAX_CAPTURE: usize = 16 * 1024 * 1024;

/// How long a command has to end after TERM, and after KILL.
const GRACE_TERM: Duration = Duration::from_secs(5);
const GRACE_KILL: Duration = Duration::from_secs(1);

/// How long output may stay open and silent after the command has exited: a background child holds it.
const OUTPUT_AFTER_EXIT: Duration = Duration::from_secs(2);

/// Whose command it is, and what surrounds it.
pub(super) struct Surroundings {
    pub(super) sink: EventSink,
    pub(super) host: HostName,
    pub(super) task: usize,
    pub(super) step: usize,
    /// The host's share of output in flight: [`OUTPUT_BUDGET`] bytes.
    pub(super) budget: Arc<Semaphore>,
    pub(super) activity: Arc<Activity>,
    pub(super) stop: StopReceiver,
}

/// Bounds of one command.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    pub(super) timeout: Option<Duration>,
    pub(super) idle: Option<Duration>,
    /// Keep the output for `register`.
    pub(super) capture: bool,
}

/// Why a command was stopped by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopCause {
    Timeout(Duration),
    Idle(Duration),
    Cancelled(CancelReason),
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself.
    Exited(Exit),
    /// The channel closed without an exit status: its outcome is not known (RFC 4254 section 6.10 makes it
    /// optional).
    NoStatus,
    /// The connection went away.
    Lost(Failure),
    /// We stopped it; `confirmed` when the host told of its end.
    Stopped { cause: StopCause, confirmed: bool },
}

/// A finished command.
pub(super) struct Finished {
    pub(super) ended: Ended,
    pub(super) stdout: Captured,
    pub(super) stderr: Captured,
}

/// The kept part of a stream.
#[derive(Default)]
pub(super) struct Captured {
    pub(super) data: BytesMut,
    pub(super) truncated: bool,
}

impl Captured {
    fn push(&mut self, data: &Bytes) {
        let room = MAX_CAPTURE.saturating_sub(self.data.len());
        self.truncated |= room < data.len();
        self.data.extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
    }
}

/// How far the stopping has come.
enum Stopping {
    No,
    /// A signal was sent; the next rung of the ladder is due at the instant.
    Asked {
        cause: StopCause,
        killed: bool,
        due: Instant,
    },
}

struct Watch<E> {
    exec: E,
    around: Surroundings,
    limits: Limits,
    started: Instant,
    last_output: Instant,
    stdout: Stdio,
    stderr: Stdio,
    /// A block that waits for the host's budget.
    waiting: Option<(Stream, Bytes)>,
    exit: Option<Exit>,
    stopping: Stopping,
    seen_stop: Stop,
}

#[derive(Default)]
struct Stdio {
    lines: LineBlocks,
    captured: Captured,
}

/// What the watch woke up for.
enum Woken {
    Heard(ExecEvent),
    Granted(OwnedSemaphorePermit),
    Due,
    Stop(Stop),
}

/// Watches a command until it has ended and all its output is told.
pub(super) async fn watch<E: Exec>(exec: E, around: Surroundings, limits: Limits) -> Finished {
    let now = Instant::now();
    let mut watch = Watch {
        exec,
        around,
        limits,
        started: now,
        last_output: now,
        stdout: Stdio::default(),
        stderr: Stdio::default(),
        waiting: None,
        exit: None,
        stopping: Stopping::No,
        seen_stop: Stop::Run,
    };
    let ended = watch.run().await;
    watch.flush().await;
    Finished { ended, stdout: watch.stdout.captured, stderr: watch.stderr.captured }
}

impl<E: Exec> Watch<E> {
    async fn run(&mut self) -> Ended {
        loop {
            match self.wait().await {
                Woken::Granted(permit) => self.tell_waiting(permit),
                Woken::Heard(event) => {
                    if let Some(ended) = self.hear(event) {
                        return ended;
                    }
                }
                Woken::Stop(stop) => {
                    self.seen_stop = stop;
                    if let Some(reason) = stop.reason() {
                        let force = matches!(stop, Stop::Now(_));
                        if let Some(ended) = self.stop(StopCause::Cancelled(reason), force).await {
                            return ended;
                        }
                    }
                }
                Woken::Due => {
                    if let Some(ended) = self.on_due().await {
                        return ended;
                    }
                }
            }
        }
    }

    /// Waits for whatever comes first. While a block waits for its budget the command is not read: that is
    /// the back-pressure, and it reaches no further than this host.
    async fn wait(&mut self) -> Woken {
        let due = self.due();
        let blocked = self.waiting.as_ref().map(|(_, block)| block.len());
        let (exec, around, seen) = (&mut self.exec, &mut self.around, self.seen_stop);
        tokio::select! {
            biased;
            stop = around.stop.beyond(seen) => Woken::Stop(stop),
            permit = grant(&around.budget, blocked.unwrap_or(0)), if blocked.is_some() => Woken::Granted(permit),
            event = exec.next(), if blocked.is_none() => Woken::Heard(event),
            () = at(due) => Woken::Due,
        }
    }

    /// The next moment at which something is to be done without anybody saying so.
    fn due(&self) -> Option<Instant> {
        if let Stopping::Asked { due, .. } = self.stopping {
            return Some(due);
        }
        // While a slow reader holds us back, the silence is ours and not the command's.
        let quiet_since = self.waiting.is_none().then_some(self.last_output);
        let after_exit = quiet_since.filter(|_| self.exit.is_some()).map(|since| since + OUTPUT_AFTER_EXIT);
        let idle = quiet_since
            .filter(|_| self.exit.is_none())
            .zip(self.limits.idle)
            .map(|(since, idle)| since + idle);
        let timeout = self.limits.timeout.filter(|_| self.exit.is_none()).map(|limit| self.started + limit);
        [after_exit, idle, timeout].into_iter().flatten().min()
    }

    fn hear(&mut self, event: ExecEvent) -> Option<Ended> {
        match event {
            ExecEvent::Stdout(data) => self.take(Stream::Stdout, data),
            ExecEvent::Stderr(data) => self.take(Stream::Stderr, data),
            ExecEvent::Exit(exit) => {
                self.last_output = Instant::now();
                self.exit = Some(exit);
            }
            ExecEvent::Closed => return Some(self.conclude(None)),
            ExecEvent::Lost(failure) => return Some(self.conclude(Some(failure))),
        }
        None
    }

    fn take(&mut self, stream: Stream, data: Bytes) {
        self.last_output = Instant::now();
        self.around.activity.heard();
        let capture = self.limits.capture;
        let stdio = self.stdio(stream);
        if capture {
            stdio.captured.push(&data);
        }
        self.waiting = stdio.lines.push(data).map(|block| (stream, block));
    }

    fn stdio(&mut self, stream: Stream) -> &mut Stdio {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// The verdict once nothing more will come.
    fn conclude(&mut self, lost: Option<Failure>) -> Ended {
        match (&self.stopping, self.exit.take(), lost) {
            (Stopping::Asked { cause, .. }, exit, _) => {
                Ended::Stopped { cause: *cause, confirmed: exit.is_some() }
            }
            (Stopping::No, Some(exit), _) => Ended::Exited(exit),
            (Stopping::No, None, Some(failure)) => Ended::Lost(failure),
            (Stopping::No, None, None) => Ended::NoStatus,
        }
    }

    async fn on_due(&mut self) -> Option<Ended> {
        if let Stopping::Asked { cause, killed, .. } = self.stopping {
            return if killed { Some(self.give_up().await) } else { self.stop(cause, true).await };
        }
        if self.exit.is_some() {
            // A child in the background holds the output open; the command itself is done.
            return Some(self.give_up().await);
        }
        let now = Instant::now();
        let timeout = self.limits.timeout.filter(|&limit| now >= self.started + limit);
        let idle = self.limits.idle.filter(|&limit| now >= self.last_output + limit);
        match (timeout, idle) {
            (Some(limit), _) => self.stop(StopCause::Timeout(limit), false).await,
            (None, Some(limit)) => self.stop(StopCause::Idle(limit), false).await,
            (None, None) => None,
        }
    }

    /// Sends the next signal of the ladder. A forced stop that finds the command already killed gives up.
    async fn stop(&mut self, cause: StopCause, force: bool) -> Option<Ended> {
        let (cause, killed) = match self.stopping {
            Stopping::No => (cause, false),
            Stopping::Asked { cause, killed, .. } => (cause, killed),
        };
        if killed {
            return Some(self.give_up().await);
        }
        let (signal, grace) = if force { (Signal::Kill, GRACE_KILL) } else { (Signal::Term, GRACE_TERM) };
        // The user's second Ctrl-C wants the end within a second, the closing included.
        let grace = if matches!(self.seen_stop, Stop::Now(_)) { grace / 2 } else { grace };
        self.stopping = Stopping::Asked { cause, killed: force, due: Instant::now() + grace };
        // A connection that takes no signal within its grace does not take it at all.
        let _ = tokio::time::timeout(grace, self.exec.signal(signal)).await;
        None
    }

    async fn give_up(&mut self) -> Ended {
        let _ = tokio::time::timeout(GRACE_KILL / 2, self.exec.close()).await;
        self.conclude(None)
    }

    fn tell_waiting(&mut self, permit: OwnedSemaphorePermit) {
        if let Some((stream, block)) = self.waiting.take() {
            self.last_output = Instant::now();
            self.tell(stream, block, permit);
        }
    }

    fn tell(&self, stream: Stream, data: Bytes, permit: OwnedSemaphorePermit) {
        let around = &self.around;
        let (host, task, step) = (around.host.clone(), around.task, around.step);
        around.sink.tell_output(Fact::Output { host, task, step, stream, data }, permit);
    }

    /// Tells what is left. A user who wants the end does not wait for a slow reader.
    async fn flush(&mut self) {
        let rest = [
            self.waiting.take(),
            self.stdout.lines.finish().map(|block| (Stream::Stdout, block)),
            self.stderr.lines.finish().map(|block| (Stream::Stderr, block)),
        ];
        for (stream, block) in rest.into_iter().flatten() {
            let budget = Arc::clone(&self.around.budget);
            let seen = self.seen_stop;
            tokio::select! {
                biased;
                permit = grant(&budget, block.len()) => self.tell(stream, block, permit),
                _ = self.around.stop.beyond(seen), if seen == Stop::Run => return,
                () = tokio::time::sleep(GRACE_KILL / 4), if seen != Stop::Run => return,
            }
        }
    }
}

/// The share of the budget that a block takes; a block larger than the whole budget takes all of it.
fn grant(budget: &Arc<Semaphore>, bytes: usize) -> impl Future<Output = OwnedSemaphorePermit> + use<> {
    let share = u32::try_from(bytes.min(OUTPUT_BUDGET)).expect("the budget is far below 4 GiB");
    let acquired = Arc::clone(budget).acquire_many_owned(share);
    async move { acquired.await.expect("the budget is never closed") }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
