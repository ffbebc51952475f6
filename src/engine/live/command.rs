//! Sees one running command to its end: drains its output within bounds, keeps its deadlines, and stops it
//! when the user or a deadline says so.
//!
//! Stopping is one chain for all causes: TERM, some seconds, KILL, a second, close ([`Patience`]). Whether the
//! command is really gone is only known from its exit; without one it may still be running.
//!
//! [`Patience`]: crate::engine::live::stop::Patience

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::engine::live::activity::{Activity, OUTPUT_BUDGET};
use crate::engine::live::feed::Feed;
use crate::engine::live::lines::LineBlocks;
use crate::engine::live::sink::EventSink;
use crate::engine::live::stop::{Stop, StopReceiver, interrupted};
use crate::engine::live::tail::{Due, Rest, Tail};
use crate::event::{Fact, StepAt, StepFact, Stream};
use crate::model::inventory::HostName;
use crate::model::outcome::{CancelReason, Exit, Failure};
use crate::ssh::software::Software;
use crate::ssh::talk::{Deed, Talk, TalkOpening};
use crate::ssh::{Exec, ExecEvent, Heard, JobNews, Signal};

/// Bytes of each stream kept for `register`.
const MAX_CAPTURE: usize = 16 * 1024 * 1024;

/// How long a command that was stopped and has exited may keep its output open and silent.
const SILENCE_AFTER_STOP: Duration = Duration::from_secs(2);

/// Pauses before an open input is let go of once all output has ended: each is twice the one before.
const FIRST_LETTING_GO: Duration = Duration::from_millis(250);
const LAST_LETTING_GO: Duration = Duration::from_secs(32);

/// Whose command it is, and what surrounds it.
pub(crate) struct Surroundings {
    pub(crate) sink: EventSink,
    pub(crate) host: HostName,
    pub(crate) task: usize,
    pub(crate) step: usize,
    pub(crate) activity: Arc<Activity>,
    pub(crate) stop: StopReceiver,
    /// Its output is told.
    pub(crate) shown: bool,
}

/// Bounds of one command.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) timeout: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    /// Keep the output for `register`.
    pub(crate) capture: bool,
    /// It is left once it has begun, as it outlives that.
    pub(crate) leaves: bool,
}

/// Why a command was stopped by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopCause {
    Timeout(Duration),
    Idle(Duration),
    Cancelled(CancelReason),
    /// Its start came to nothing.
    NotStarted,
    /// What it was to read cannot be had to its end.
    Input,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself.
    Exited { exit: Exit, rest: Rest },
    /// The channel closed without an exit status: its outcome is not known (RFC 4254 section 6.10 makes it
    /// optional).
    NoStatus,
    /// The login, or who was to change the user, did not start it: nothing of it ran.
    NotStarted(Failure),
    /// The connection went away.
    Lost(Failure),
    /// It has begun, and was left there.
    Left,
    /// We stopped it; `confirmed` when the end of all its processes was seen.
    Stopped { cause: StopCause, confirmed: bool },
}

/// A finished command.
pub(crate) struct Finished {
    pub(crate) ended: Ended,
    /// It had begun, as far as that is told: the command of `fan exec` tells nothing.
    pub(crate) begun: bool,
    /// How it ended, as far as the host told.
    pub(crate) exit: Option<Exit>,
    /// Anything was said on either stream, by whomever.
    pub(crate) spoke: bool,
    /// The line at which its script ended, counted from 1.
    pub(crate) line: Option<u32>,
    /// The folder to run in could not be entered: nothing of the script ran.
    pub(crate) no_folder: bool,
    /// Bytes that the login printed before it began.
    pub(crate) noise: u64,
    /// The program that ran it there.
    pub(crate) software: Software,
    /// How much of its input was written, when that is not all.
    pub(crate) left_at: Option<u64>,
    /// Why there was no more to read for it.
    pub(crate) broken_input: Option<Failure>,
    /// What its connection did to it, if it outlives that.
    pub(crate) link: LinkStory,
    pub(crate) stdout: Captured,
    pub(crate) stderr: Captured,
}

/// What happened to the connection of a command that outlives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinkStory {
    /// For how long in all it was gone, if it ever was.
    pub(crate) away: Option<Duration>,
    /// Bytes of output that were dropped before they were read.
    pub(crate) dropped: u64,
    /// The rest of the output could not be kept.
    pub(crate) cut: bool,
}

/// What is said to a command.
pub(crate) struct Exchange {
    /// None for a command that is passed on untouched.
    pub(crate) opening: Option<TalkOpening>,
    /// What it reads.
    pub(crate) feed: Option<Feed>,
}

/// The kept part of a stream.
#[derive(Default)]
pub(crate) struct Captured {
    pub(crate) data: BytesMut,
    pub(crate) truncated: bool,
}

impl Captured {
    /// Adds what was kept of another.
    pub(crate) fn append(&mut self, other: Self) {
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

/// Both streams of the output have ended, and how the command ended is still to come.
struct Mute {
    /// When its input is let go of next.
    due: Instant,
    /// The pause after that.
    pause: Duration,
}

/// How the channel came to its end.
enum Channel {
    Closed,
    Lost(Failure),
    /// By us, with this known of the output.
    GivenUp(Rest),
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
    exited: Option<Tail>,
    spoke: bool,
    mute: Option<Mute>,
    stopping: Stopping,
    seen_stop: Stop,
    /// What is said around the output; none for a command that is passed on untouched.
    talk: Option<Talk>,
    feed: Option<Feed>,
    /// When its start began, or was last got on with.
    opened: Instant,
    /// Why it was not started.
    refused: Option<Failure>,
    broken_input: Option<Failure>,
    /// Its connection is gone, and is being opened again.
    is_away: bool,
    /// The host keeps it.
    is_job: bool,
    link: LinkStory,
}

#[derive(Default)]
struct Stdio {
    lines: LineBlocks,
    captured: Captured,
}

/// What the watch woke up for.
enum Woken {
    Heard(Heard),
    Granted(OwnedSemaphorePermit),
    /// The next piece of its input.
    Piece(Result<Option<Bytes>, Failure>),
    Due,
    Stop(Stop),
}

/// Watches a command until it has ended and all its output is told.
pub(crate) async fn watch<E: Exec>(
    exec: E,
    around: Surroundings,
    limits: Limits,
    conversation: Exchange,
) -> Finished {
    let Exchange { opening, mut feed } = conversation;
    if let (None, Some(feed)) = (&opening, &mut feed) {
        // It tells nobody when it begins.
        feed.begin();
    }
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
        spoke: false,
        mute: None,
        stopping: Stopping::No,
        seen_stop: Stop::Run,
        talk: opening.map(Talk::new),
        feed,
        opened: now,
        refused: None,
        broken_input: None,
        is_away: false,
        is_job: false,
        link: LinkStory::default(),
    };
    let ended = watch.run().await;
    watch.flush().await;
    let (begun, line, no_folder, noise) = match &watch.talk {
        None => (true, None, false, 0),
        Some(talk) => (talk.started(), talk.line(), talk.no_folder(), talk.noise()),
    };
    let software = watch.exec.software();
    let exit = watch.exited.map(|tail| tail.exit().clone());
    let (stdout, stderr, spoke) = (watch.stdout.captured, watch.stderr.captured, watch.spoke);
    let (left_at, broken_input) = (watch.feed.as_ref().and_then(Feed::left_at), watch.broken_input);
    Finished {
        ended,
        begun,
        exit,
        spoke,
        line,
        no_folder,
        noise,
        software,
        left_at,
        broken_input,
        link: watch.link,
        stdout,
        stderr,
    }
}

impl<E: Exec> Watch<E> {
    async fn run(&mut self) -> Ended {
        loop {
            match self.wait().await {
                Woken::Granted(permit) => self.tell_waiting(permit),
                Woken::Heard(heard) => {
                    if let Some(ended) = self.hear(heard).await {
                        return ended;
                    }
                    if self.limits.leaves && self.is_job && self.has_begun() && !self.is_fed() {
                        return Ended::Left;
                    }
                }
                Woken::Piece(piece) => self.hand_over(piece).await,
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
        let feeding = matches!((&self.stopping, &self.exited), (Stopping::No, None));
        let (exec, around, seen) = (&mut self.exec, &mut self.around, self.seen_stop);
        let feed = self.feed.as_mut().filter(|_| feeding);
        tokio::select! {
            biased;
            stop = around.stop.beyond(seen) => Woken::Stop(stop),
            // Before the command, which may always have something to say.
            () = at(deadline) => Woken::Due,
            piece = next_piece(feed) => Woken::Piece(piece),
            permit = grant(&around.activity.budget, blocked.unwrap_or(0)), if blocked.is_some() => Woken::Granted(permit),
            heard = exec.next(), if listening => Woken::Heard(heard),
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
                // What it still reads is not taken from it.
                let fed = self.feed.as_ref().is_some_and(Feed::is_open);
                let letting_go = self.mute.as_ref().filter(|_| !fed).map(|mute| mute.due);
                limit.into_iter().chain(self.overdue()).chain(letting_go).min()
            }
            (Stopping::No, Some(tail)) if self.is_listening() => Some(tail.deadline()),
            (Stopping::No, Some(tail)) => tail.limit(),
        }
    }

    /// The moment at which the command has been silent for too long.
    fn silence(&self) -> Option<Instant> {
        let due = match (&self.stopping, &self.exited) {
            (Stopping::Asked { .. }, Some(_)) => Some(self.last_output + SILENCE_AFTER_STOP),
            (Stopping::No, Some(tail)) => tail.silence(),
            (Stopping::No, None) => self.limits.idle.map(|limit| self.last_output + limit),
            (Stopping::Asked { .. }, None) => None,
        };
        // While a slow reader holds us back, or the connection is gone, the silence is not the command's.
        due.filter(|_| self.is_listening() && !self.is_away)
    }

    async fn hear(&mut self, heard: Heard) -> Option<Ended> {
        match heard {
            Heard::Event(ExecEvent::Stdout(data)) => self.heard(Stream::Stdout, data).await,
            Heard::Event(ExecEvent::Stderr(data)) => self.heard(Stream::Stderr, data).await,
            Heard::Event(ExecEvent::Exit(exit)) => {
                self.last_output = Instant::now();
                let complete = self.mute.is_some();
                let begun = self.has_begun();
                match &mut self.exited {
                    Some(tail) => tail.exited_again(exit),
                    None => {
                        let mut tail = Tail::new(exit, complete, self.last_output);
                        tail.begun(begun);
                        self.exited = Some(tail);
                    }
                }
            }
            Heard::Event(ExecEvent::Closed) => return Some(self.conclude(Channel::Closed)),
            Heard::Event(ExecEvent::Lost(failure)) => return Some(self.conclude(Channel::Lost(failure))),
            Heard::Eof => match &mut self.exited {
                Some(tail) => tail.end(),
                None => {
                    let pause = FIRST_LETTING_GO;
                    self.mute = Some(Mute { due: Instant::now() + pause, pause: pause * 2 });
                }
            },
            Heard::Written => {
                if self.feed.as_mut().is_some_and(Feed::written) && self.exited.is_none() {
                    // One that takes its input is not idle, however silent.
                    self.last_output = Instant::now();
                    self.around.activity.heard();
                }
            }
            Heard::Answered => {
                let due = self.exited.as_mut().and_then(|tail| tail.answered(Instant::now()))?;
                return self.see_to(due).await;
            }
            Heard::Job(news) => self.take_note(news),
            Heard::Refused(failure) => {
                return Some(match self.stopping {
                    Stopping::No | Stopping::Asked { cause: StopCause::NotStarted, .. } => {
                        Ended::NotStarted(self.refused.take().unwrap_or(failure))
                    }
                    Stopping::Asked { cause, .. } => Ended::Stopped { cause, confirmed: true },
                });
            }
        }
        None
    }

    /// Takes note of what happened to a command that outlives its connection.
    fn take_note(&mut self, news: JobNews) {
        match news {
            JobNews::Begun(job) => {
                self.is_job = true;
                self.around.tell_fact(StepFact::JobStarted { job: job.into() });
            }
            JobNews::Away(failure) => {
                self.is_away = true;
                self.around.tell_fact(StepFact::Detached { failure });
            }
            JobNews::Back(away) => {
                self.is_away = false;
                self.last_output = Instant::now();
                self.around.activity.heard();
                self.link.away = Some(self.link.away.unwrap_or_default() + away);
                self.around.tell_fact(StepFact::Reattached { away });
            }
            JobNews::Dropped(bytes) => self.link.dropped += bytes,
            JobNews::Cut => self.link.cut = true,
        }
    }

    /// Whether it is to get more to read.
    fn is_fed(&self) -> bool {
        self.feed.as_ref().is_some_and(Feed::is_open)
    }

    /// Whether the command has begun, or tells nothing of it.
    fn has_begun(&self) -> bool {
        self.talk.as_ref().is_none_or(Talk::started)
    }

    /// Does what is due about the output of a command that has exited.
    async fn see_to(&mut self, due: Due) -> Option<Ended> {
        match due {
            Due::Ask => {
                self.exec.ask();
                None
            }
            Due::Over(rest) => Some(self.give_up(rest).await),
        }
    }

    /// Takes what came on a stream, and does what it calls for.
    async fn heard(&mut self, stream: Stream, data: Bytes) {
        self.last_output = Instant::now();
        self.spoke |= !data.is_empty();
        self.around.activity.heard();
        if let Some(tail) = &mut self.exited {
            tail.heard(data.len(), self.last_output);
        }
        let Some(talk) = &mut self.talk else { return self.take(stream, data) };
        let (output, deeds) = talk.hear(stream, data);
        let begun = talk.started();
        if let Some(tail) = &mut self.exited {
            tail.begun(begun);
        }
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
                (Deed::Feed, Stopping::No) => self.feed.iter_mut().for_each(Feed::begin),
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

    /// Hands over the next piece of its input, or the end. One that breaks off has no end: the command would take what
    /// it has got for the whole.
    async fn hand_over(&mut self, piece: Result<Option<Bytes>, Failure>) {
        match piece {
            Ok(Some(data)) => self.exec.send(data),
            Ok(None) => self.exec.end(),
            Err(failure) => {
                self.broken_input = Some(failure);
                self.send(Signal::Term, StopCause::Input).await;
            }
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
    fn conclude(&mut self, channel: Channel) -> Ended {
        if let Some(failure) = self.not_started(&channel) {
            return Ended::NotStarted(failure);
        }
        match (&self.stopping, &self.exited, channel) {
            (Stopping::Asked { cause, .. }, exited, channel) => {
                let closed = match channel {
                    Channel::Closed => true,
                    // A child that holds the output may not have obeyed.
                    Channel::Lost(_) | Channel::GivenUp(_) => exited.as_ref().is_some_and(Tail::has_ended),
                };
                let confirmed = exited.is_some() && closed && self.exec.software().closes_last();
                Ended::Stopped { cause: *cause, confirmed }
            }
            (Stopping::No, Some(tail), channel) => {
                let rest = match channel {
                    Channel::Closed => Rest::Whole,
                    Channel::Lost(_) if tail.has_ended() => Rest::Whole,
                    Channel::Lost(failure) => Rest::Cut(failure),
                    Channel::GivenUp(rest) => rest,
                };
                Ended::Exited { exit: tail.exit().clone(), rest }
            }
            (Stopping::No, None, Channel::Lost(failure)) => Ended::Lost(failure),
            (Stopping::No, None, Channel::Closed | Channel::GivenUp(_)) => Ended::NoStatus,
        }
    }

    /// Why the command was not started, when it is certain that it was not.
    fn not_started(&mut self, channel: &Channel) -> Option<Failure> {
        let talk = self.talk.as_ref().filter(|talk| !talk.started())?;
        let exited = self.exited.as_ref();
        let complete = match channel {
            Channel::Closed | Channel::GivenUp(Rest::Whole | Rest::HeldOpen) => true,
            // What it said last may have been lost too.
            Channel::Lost(_) => exited.is_some_and(Tail::has_ended),
            Channel::GivenUp(Rest::Cut(_)) => false,
        };
        match &self.stopping {
            Stopping::Asked { cause: StopCause::NotStarted, .. } => self.refused.take(),
            Stopping::Asked { .. } => None,
            Stopping::No => complete.then(|| talk.verdict(exited.map(Tail::exit))),
        }
    }

    /// When the start has taken too long.
    fn overdue(&self) -> Option<Instant> {
        let patience = self.talk.as_ref().and_then(Talk::patience)?;
        Some(self.opened + patience)
    }

    async fn on_due(&mut self) -> Option<Ended> {
        match (&self.stopping, &mut self.exited) {
            (Stopping::No, Some(tail)) => {
                let due = tail.due(Instant::now());
                return self.see_to(due).await;
            }
            // The command itself is done, and its output does not matter any more.
            (Stopping::Asked { .. }, Some(_)) => return Some(self.give_up(Rest::HeldOpen).await),
            (Stopping::No | Stopping::Asked { .. }, None) => {}
        }
        if let Stopping::Asked { cause, killed, .. } = self.stopping {
            if killed {
                return Some(self.give_up(Rest::HeldOpen).await);
            }
            self.send(Signal::Kill, cause).await;
            return None;
        }
        let now = Instant::now();
        let fed = self.feed.as_ref().is_some_and(Feed::is_open);
        if let Some(mute) = self.mute.as_mut().filter(|mute| now >= mute.due && !fed) {
            mute.due = now + mute.pause;
            mute.pause = LAST_LETTING_GO.min(mute.pause * 2);
            self.exec.let_go();
        }
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
        if let (Stopping::No, Some(tail), Some(reason)) = (&self.stopping, &mut self.exited, stop.reason()) {
            // Nothing is left to stop but the wait for its output.
            let patience = stop.patience();
            tail.hurry(Instant::now() + patience.rest, interrupted(reason));
            return None;
        }
        match (&self.stopping, stop) {
            (Stopping::Asked { .. }, _) if self.exited.is_some() => Some(self.give_up(Rest::HeldOpen).await),
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
            (Stopping::Asked { killed: true, .. }, Stop::Now(_)) => Some(self.give_up(Rest::HeldOpen).await),
        }
    }

    /// Sends a signal and sets the time that the command has to obey it.
    async fn send(&mut self, signal: Signal, cause: StopCause) {
        if let Some(feed) = &mut self.feed {
            feed.stop();
        }
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

    async fn give_up(&mut self, rest: Rest) -> Ended {
        let _ = tokio::time::timeout(self.seen_stop.patience().close, self.exec.close()).await;
        self.conclude(Channel::GivenUp(rest))
    }

    fn tell_waiting(&mut self, permit: OwnedSemaphorePermit) {
        if let Some(waiting) = self.waiting.take() {
            self.last_output = Instant::now();
            if let Some(tail) = &mut self.exited {
                // The readers took this time, not the output.
                tail.held_back(waiting.since.elapsed());
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
                let permit = grant(&self.around.activity.budget, block.len()).await;
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
    fn tell_fact(&self, fact: StepFact) {
        let (host, task, step) = (self.host.clone(), self.task, self.step);
        self.sink.tell(Fact::Step(StepAt { host, task, step }, fact));
    }

    fn tell(&self, stream: Stream, data: Bytes, permit: OwnedSemaphorePermit) {
        if !self.shown {
            return;
        }
        let (host, task, step) = (self.host.clone(), self.task, self.step);
        self.sink
            .tell_output(Fact::Step(StepAt { host, task, step }, StepFact::Output { stream, data }), permit);
    }
}

/// The share of the budget that a block takes; a block larger than the whole budget takes all of it.
fn grant(budget: &Arc<Semaphore>, bytes: usize) -> impl Future<Output = OwnedSemaphorePermit> + use<> {
    let share = u32::try_from(bytes.min(OUTPUT_BUDGET)).expect("the budget is far below 4 GiB");
    let acquired = Arc::clone(budget).acquire_many_owned(share);
    async move { acquired.await.expect("the budget is never closed") }
}

async fn next_piece(feed: Option<&mut Feed>) -> Result<Option<Bytes>, Failure> {
    match feed {
        Some(feed) => feed.piece().await,
        None => std::future::pending().await,
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
