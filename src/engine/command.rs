//! Sees one running command to its end: drains its output within bounds, keeps its deadlines, and stops it
//! when the user or a deadline says so.
//!
//! Stopping is one chain for all causes: TERM, some seconds, KILL, a second, close ([`Patience`]). Whether the
//! command is really gone is only known from its exit; without one it may still be running.
//!
//! [`Patience`]: crate::engine::stop::Patience

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
use crate::ssh::talk::{Deed, Opening, Talk};
use crate::ssh::{Exec, ExecEvent, Signal};

/// Bytes of one host's output that may be on their way to the readers.
pub(super) const OUTPUT_BUDGET: usize = 128 * 1024;

/// Bytes of each stream kept for `register`.
const MAX_CAPTURE: usize = 16 * 1024 * 1024;

/// How long output may stay open and silent after the command has exited: a background child holds it.
const SILENCE_AFTER_EXIT: Duration = Duration::from_secs(2);

/// How long such a child may go on talking.
const OUTPUT_AFTER_EXIT: Duration = Duration::from_secs(10);

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
    /// Its output is told.
    pub(super) shown: bool,
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
    /// Its start came to nothing.
    NotStarted,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself.
    Exited(Exit),
    /// The channel closed without an exit status: its outcome is not known (RFC 4254 section 6.10 makes it
    /// optional).
    NoStatus,
    /// The login, or who was to change the user, did not start it: nothing of it ran.
    NotStarted(Failure),
    /// The connection went away.
    Lost(Failure),
    /// We stopped it; `confirmed` when the host told of its end.
    Stopped { cause: StopCause, confirmed: bool },
}

/// A finished command.
pub(super) struct Finished {
    pub(super) ended: Ended,
    /// It had begun, as far as that is told: the command of `fan exec` tells nothing.
    pub(super) begun: bool,
    /// The line at which its script ended, counted from 1.
    pub(super) line: Option<u32>,
    /// The folder to run in could not be entered: nothing of the script ran.
    pub(super) no_folder: bool,
    /// Bytes that the login printed before it began.
    pub(super) noise: u64,
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
    /// Adds what was kept of another.
    pub(super) fn append(&mut self, other: Self) {
        self.push(&other.data.freeze());
        self.truncated |= other.truncated;
    }

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

/// The command's end, and since when its output has been heard without it.
struct Exited {
    exit: Exit,
    since: Instant,
}

/// A block that waits for the host's budget.
struct Waiting {
    stream: Stream,
    block: Bytes,
    since: Instant,
}

struct Watch<E> {
    exec: E,
    around: Surroundings,
    limits: Limits,
    started: Instant,
    last_output: Instant,
    stdout: Stdio,
    stderr: Stdio,
    waiting: Option<Waiting>,
    exited: Option<Exited>,
    stopping: Stopping,
    seen_stop: Stop,
    /// What is said around the output; none for a command that is passed on untouched.
    talk: Option<Talk>,
    /// When its start began, or was last got on with.
    opened: Instant,
    /// Why it was not started.
    refused: Option<Failure>,
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
pub(super) async fn watch<E: Exec>(
    exec: E,
    around: Surroundings,
    limits: Limits,
    opening: Option<Opening>,
) -> Finished {
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
        exited: None,
        stopping: Stopping::No,
        seen_stop: Stop::Run,
        talk: opening.map(Talk::new),
        opened: now,
        refused: None,
    };
    let ended = watch.run().await;
    watch.flush().await;
    let (begun, line, no_folder, noise) = match &watch.talk {
        None => (true, None, false, 0),
        Some(talk) => (talk.started(), talk.line(), talk.no_folder(), talk.noise()),
    };
    let (stdout, stderr) = (watch.stdout.captured, watch.stderr.captured);
    Finished { ended, begun, line, no_folder, noise, stdout, stderr }
}

impl<E: Exec> Watch<E> {
    async fn run(&mut self) -> Ended {
        loop {
            match self.wait().await {
                Woken::Granted(permit) => self.tell_waiting(permit),
                Woken::Heard(event) => {
                    if let Some(ended) = self.hear(event).await {
                        return ended;
                    }
                }
                Woken::Stop(stop) => {
                    self.seen_stop = stop;
                    if let Some(ended) = self.on_stop(stop).await {
                        return ended;
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
        let (deadline, silence) = (self.deadline(), self.silence());
        let blocked = self.waiting.as_ref().map(|waiting| waiting.block.len());
        let listening = self.is_listening();
        let (exec, around, seen) = (&mut self.exec, &mut self.around, self.seen_stop);
        tokio::select! {
            biased;
            stop = around.stop.beyond(seen) => Woken::Stop(stop),
            // Before the command, which may always have something to say.
            () = at(deadline) => Woken::Due,
            permit = grant(&around.budget, blocked.unwrap_or(0)), if blocked.is_some() => Woken::Granted(permit),
            event = exec.next(), if listening => Woken::Heard(event),
            // After it: what it has already said is no silence.
            () = at(silence) => Woken::Due,
        }
    }

    /// Whether the command is read. One that is being stopped is read whatever the readers do: only its exit
    /// tells that it is gone, and a connection whose data nobody takes may not even pass the signal on.
    fn is_listening(&self) -> bool {
        match self.stopping {
            Stopping::No => self.waiting.is_none(),
            Stopping::Asked { .. } => true,
        }
    }

    /// The next moment at which something is to be done however much the command says.
    fn deadline(&self) -> Option<Instant> {
        match (&self.stopping, &self.exited) {
            (Stopping::Asked { due, .. }, _) => Some(*due),
            (Stopping::No, None) => {
                let limit = self.limits.timeout.map(|limit| self.started + limit);
                limit.into_iter().chain(self.overdue()).min()
            }
            (Stopping::No, Some(exited)) => self.is_listening().then(|| exited.since + OUTPUT_AFTER_EXIT),
        }
    }

    /// The moment at which the command has been silent for too long.
    fn silence(&self) -> Option<Instant> {
        let limit = match (&self.stopping, &self.exited) {
            (_, Some(_)) => Some(SILENCE_AFTER_EXIT),
            (Stopping::No, None) => self.limits.idle,
            (Stopping::Asked { .. }, None) => None,
        };
        // While a slow reader holds us back, the silence is ours and not the command's.
        limit.filter(|_| self.is_listening()).map(|limit| self.last_output + limit)
    }

    async fn hear(&mut self, event: ExecEvent) -> Option<Ended> {
        match event {
            ExecEvent::Stdout(data) => self.heard(Stream::Stdout, data).await,
            ExecEvent::Stderr(data) => self.heard(Stream::Stderr, data).await,
            ExecEvent::Exit(exit) => {
                self.last_output = Instant::now();
                self.exited = Some(Exited { exit, since: self.last_output });
            }
            ExecEvent::Closed => return Some(self.conclude(None)),
            ExecEvent::Lost(failure) => return Some(self.conclude(Some(failure))),
        }
        None
    }

    /// Takes what came on a stream, and does what it calls for.
    async fn heard(&mut self, stream: Stream, data: Bytes) {
        self.last_output = Instant::now();
        self.around.activity.heard();
        let Some(talk) = &mut self.talk else { return self.take(stream, data) };
        let (output, deeds) = talk.hear(stream, data);
        for deed in deeds {
            // One that is being stopped is told nothing more.
            match (deed, &self.stopping) {
                (Deed::Hold, _) => self.exec.hold(),
                (_, Stopping::Asked { .. }) => {}
                (Deed::Send(data), Stopping::No) => {
                    self.opened = self.last_output;
                    self.exec.send(data);
                }
                (Deed::End, Stopping::No) => self.exec.end(),
                (Deed::Refuse(failure), Stopping::No) => {
                    self.refused = Some(failure);
                    self.send(Signal::Term, StopCause::NotStarted).await;
                }
            }
        }
        if !output.is_empty() {
            self.take(stream, output);
        }
    }

    fn take(&mut self, stream: Stream, data: Bytes) {
        let (capture, blocked) = (self.limits.capture, self.waiting.is_some());
        let stdio = self.stdio(stream);
        if capture {
            stdio.captured.push(&data);
        }
        if blocked {
            // It is being stopped, and its readers are stuck: they miss this, and the line that it tore.
            let _ = stdio.lines.finish();
            return;
        }
        let block = stdio.lines.push(data);
        self.waiting = block.map(|block| Waiting { stream, block, since: self.last_output });
    }

    fn stdio(&mut self, stream: Stream) -> &mut Stdio {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// The verdict once nothing more will come.
    fn conclude(&mut self, lost: Option<Failure>) -> Ended {
        if let Some(failure) = self.not_started(lost.is_some()) {
            return Ended::NotStarted(failure);
        }
        match (&self.stopping, self.exited.take(), lost) {
            (Stopping::Asked { cause, .. }, exited, _) => {
                Ended::Stopped { cause: *cause, confirmed: exited.is_some() }
            }
            (Stopping::No, Some(exited), _) => Ended::Exited(exited.exit),
            (Stopping::No, None, Some(failure)) => Ended::Lost(failure),
            (Stopping::No, None, None) => Ended::NoStatus,
        }
    }

    /// Why the command was not started, when it is certain that it was not.
    fn not_started(&mut self, lost: bool) -> Option<Failure> {
        let talk = self.talk.as_ref().filter(|talk| !talk.started())?;
        match (&self.stopping, &self.exited) {
            (Stopping::Asked { cause: StopCause::NotStarted, .. }, _) => self.refused.take(),
            (Stopping::Asked { .. }, _) => None,
            (Stopping::No, Some(exited)) => Some(talk.verdict(Some(&exited.exit))),
            // What it said last may have been lost too.
            (Stopping::No, None) if lost => None,
            (Stopping::No, None) => Some(talk.verdict(None)),
        }
    }

    /// When the start has taken too long.
    fn overdue(&self) -> Option<Instant> {
        let patience = self.talk.as_ref().and_then(Talk::patience)?;
        Some(self.opened + patience)
    }

    async fn on_due(&mut self) -> Option<Ended> {
        if self.exited.is_some() {
            // A child in the background holds the output open; the command itself is done.
            return Some(self.give_up().await);
        }
        if let Stopping::Asked { cause, killed, .. } = self.stopping {
            if killed {
                return Some(self.give_up().await);
            }
            self.send(Signal::Kill, cause).await;
            return None;
        }
        let now = Instant::now();
        let timeout = self.limits.timeout.filter(|&limit| now >= self.started + limit);
        let idle = self.limits.idle.filter(|&limit| now >= self.last_output + limit);
        let overdue = self.overdue().is_some_and(|due| now >= due);
        let cause = timeout.map(StopCause::Timeout).or(idle.map(StopCause::Idle));
        if cause.is_none() && overdue {
            self.refused = self.talk.as_ref().map(Talk::overdue);
        }
        let cause = cause.or(overdue.then_some(StopCause::NotStarted))?;
        self.send(Signal::Term, cause).await;
        None
    }

    /// The user wants the end.
    async fn on_stop(&mut self, stop: Stop) -> Option<Ended> {
        if self.exited.is_some() {
            // Nothing is left to stop but the wait for its output.
            return Some(self.give_up().await);
        }
        match (&self.stopping, stop) {
            (_, Stop::Run) => None,
            (Stopping::No, Stop::Drain(reason)) => {
                self.send(Signal::Term, StopCause::Cancelled(reason)).await;
                None
            }
            (Stopping::No, Stop::Now(reason)) => {
                self.send(Signal::Kill, StopCause::Cancelled(reason)).await;
                None
            }
            // It is being stopped already, and in time.
            (Stopping::Asked { .. }, Stop::Drain(_)) => None,
            (&Stopping::Asked { cause, killed: false, .. }, Stop::Now(_)) => {
                self.send(Signal::Kill, cause).await;
                None
            }
            (Stopping::Asked { killed: true, .. }, Stop::Now(_)) => Some(self.give_up().await),
        }
    }

    /// Sends a signal and sets the time that the command has to obey it.
    async fn send(&mut self, signal: Signal, cause: StopCause) {
        let patience = self.seen_stop.patience();
        let (killed, grace) = match signal {
            Signal::Term => (false, patience.term),
            Signal::Kill => (true, patience.kill),
        };
        let due = Instant::now() + grace;
        self.stopping = Stopping::Asked { cause, killed, due };
        if self.talk.as_ref().is_some_and(Talk::is_raising) {
            // Who waits for a password ends without one, whoever it runs as. Signals it may not take from us.
            self.exec.end();
        }
        let (exec, around, seen) = (&mut self.exec, &mut self.around, self.seen_stop);
        // A connection that takes no signal within its grace does not take it at all.
        tokio::select! {
            biased;
            () = exec.signal(signal) => {}
            _ = around.stop.beyond(seen) => {}
            () = tokio::time::sleep_until(due) => {}
        }
    }

    async fn give_up(&mut self) -> Ended {
        let _ = tokio::time::timeout(self.seen_stop.patience().close, self.exec.close()).await;
        self.conclude(None)
    }

    fn tell_waiting(&mut self, permit: OwnedSemaphorePermit) {
        if let Some(waiting) = self.waiting.take() {
            self.last_output = Instant::now();
            if let Some(exited) = &mut self.exited {
                // The readers took this time, not the output.
                exited.since += waiting.since.elapsed();
            }
            self.around.tell(waiting.stream, waiting.block, permit);
        }
    }

    /// Tells what is left. A user who wants the end does not wait long for slow readers.
    async fn flush(&mut self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let held = self.talk.as_mut().map(|talk| talk.finish(stream)).filter(|held| !held.is_empty());
            if let Some(held) = held {
                // At most the beginning of a mark: it joins the unfinished line.
                let capture = self.limits.capture;
                let stdio = self.stdio(stream);
                if capture {
                    stdio.captured.push(&held);
                }
                stdio.lines.join(&held);
            }
        }
        let rest = [
            self.waiting.take().map(|waiting| (waiting.stream, waiting.block)),
            self.stdout.lines.finish().map(|block| (Stream::Stdout, block)),
            self.stderr.lines.finish().map(|block| (Stream::Stderr, block)),
        ];
        let mut stop = self.around.stop.clone();
        let telling = async {
            for (stream, block) in rest.into_iter().flatten() {
                let permit = grant(&self.around.budget, block.len()).await;
                self.around.tell(stream, block, permit);
            }
        };
        tokio::select! {
            biased;
            () = telling => {}
            _ = stop.asked_and_waited(|patience| patience.readers) => {}
        }
    }
}

impl Surroundings {
    fn tell(&self, stream: Stream, data: Bytes, permit: OwnedSemaphorePermit) {
        if !self.shown {
            return;
        }
        let (host, task, step) = (self.host.clone(), self.task, self.step);
        self.sink.tell_output(Fact::Output { host, task, step, stream, data }, permit);
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
