//! A command that outlives its connection, as one that runs: what its follower sends becomes what a command sends, and a
//! lost connection becomes a pause. docs/design/durable.md.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::engine::live::reattach::{Back, Ties};
use crate::model::outcome::{Exit, Failure, Kind};
use crate::model::shell::durable::{
    Follow, InputPiece, JobFound, JobOrder, JobShell, JobStart, JobState, SpoolMark, SpoolPiece, SpoolPlace,
    SpoolRefusal, SpoolScan,
};
use crate::model::shell::marks::Token;
use crate::model::shell::watchdog;
use crate::model::text::ending;
use crate::ssh::software::Software;
use crate::ssh::{Connector, Exec, ExecEvent, ExecRequest, Heard, JobNews, Sent, Session, Signal, Stdin};

/// How long a job may be silent before its follower is asked how far it is: all that keeps it may have been killed.
const LOOK: Duration = Duration::from_secs(20);

/// How often a job may be said to have ended, or not to have begun, and nothing comes of it.
const LOOKS: u32 = 3;

/// Pieces of input on their way at a time, and after how many of them the host is asked how many it took.
const WINDOW: usize = 32;
const ASK_AFTER: usize = 16;

/// Bytes of what a host said that a message repeats.
const LONGEST_SAID: usize = 400;

/// A command to be run apart from its connection.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) found: JobFound,
    pub(crate) title: String,
    pub(crate) shell: JobShell,
    pub(crate) line: String,
    /// What becomes of its input.
    pub(crate) stdin: Stdin,
    pub(crate) origin: JobOrigin,
}

/// Who has asked for a job before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobOrigin {
    /// Nobody.
    New,
    /// Perhaps an earlier run, whose start may still be on its way.
    Asked,
    /// Whoever did, it was there, and has to be.
    Known,
}

/// What is left of a job once it has ended: the connection that it was last followed over, and its follower.
pub(crate) struct Remains<S: Session> {
    pub(crate) session: Option<Arc<S>>,
    pub(crate) follower: Option<S::Exec>,
    /// A start of it may still be on its way, or of another job of its step.
    pub(crate) shared: bool,
}

/// Where it is put.
pub(crate) type RemainsSlot<S> = Arc<Mutex<Remains<S>>>;

impl<S: Session> Default for Remains<S> {
    fn default() -> Self {
        Self { session: None, follower: None, shared: false }
    }
}

/// What a host is asked for.
#[derive(Clone, Copy)]
enum JobCall {
    /// The job: it starts unless it is there.
    Start,
    /// What is there.
    Follow,
    /// What is there; if nothing is, it is not to start any more.
    Withdraw,
}

type Return<S> = Pin<Box<dyn Future<Output = Result<Back<S>, Failure>> + Send>>;

/// The way to the job.
enum JobLink<S: Session> {
    /// Its follower speaks.
    Attached(S::Exec),
    /// The connection is gone, and is being opened again.
    Away(Return<S>, Instant),
    /// There is no way.
    Over,
}

/// A stream of the job.
struct SpooledStream {
    /// What comes next is here.
    at: SpoolPlace,
    /// Bytes of the stream before that.
    passed: u64,
    /// The marks of this follower.
    opening: SpoolScan,
    /// It has begun to speak on this stream.
    begun: bool,
    exit: Option<Exit>,
    ended: bool,
}

/// See the module's documentation.
pub(crate) struct DurableExec<C: Connector> {
    ties: Ties<C>,
    job: Job,
    /// The token of the job's marks.
    token: Token,
    scans: [SpoolScan; 2],
    /// Finds the marks of its command, where nobody listens to them.
    strips: [Option<SpoolScan>; 2],
    /// The job was found by the beginning of its name.
    finds: bool,
    streams: [SpooledStream; 2],
    session: Option<Arc<C::Session>>,
    link: JobLink<C::Session>,
    remains: RemainsSlot<C::Session>,
    ready: VecDeque<Heard>,
    /// Its spool was seen to be there, so it is not started any more.
    known: bool,
    /// A start of it may be on its way besides the one whose answer is awaited: what is certain is only what is seen.
    shared: bool,
    /// It is to end.
    stops: bool,
    /// The exit status was passed on, and so was the end of both streams.
    told: (bool, bool),
    stdin: Stdin,
    input: JobInput,
    signal: Option<Signal>,
    /// What the host said before the follower began.
    said: Vec<u8>,
    last_heard: Instant,
    looks: u32,
}

/// What the job reads, in numbered pieces: those that were sent are sent again on the next connection until the host has
/// taken them, and it takes each once.
#[derive(Default)]
struct JobInput {
    last: u64,
    waiting: VecDeque<(u64, InputPiece)>,
    sent: VecDeque<(u64, InputPiece)>,
    ending: bool,
}

impl JobInput {
    fn push(&mut self, piece: InputPiece) {
        self.last += 1;
        self.waiting.push_back((self.last, piece));
    }

    fn send(&mut self, data: &[u8]) {
        for (number, piece) in JobOrder::pieces(data).enumerate() {
            if number % ASK_AFTER == ASK_AFTER - 1 {
                self.push(InputPiece::Ask);
            }
            self.push(piece);
        }
        self.push(InputPiece::Ask);
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.ending, true) {
            self.push(InputPiece::End);
        }
    }

    /// What may be sent now.
    fn next(&mut self) -> Vec<JobOrder> {
        let mut orders = Vec::new();
        while self.sent.len() < WINDOW
            && let Some(piece) = self.waiting.pop_front()
        {
            orders.push(JobOrder::Input(piece.0, piece.1.clone()));
            self.sent.push_back(piece);
        }
        orders
    }

    /// What was sent on a connection that is gone is sent anew.
    fn rewind(&mut self) {
        while let Some(piece) = self.sent.pop_back() {
            self.waiting.push_front(piece);
        }
    }

    /// Takes note that the host has all up to this piece; true when it has all there is.
    fn took(&mut self, number: u64) -> bool {
        let before = self.sent.len();
        self.sent.retain(|(sent, _)| *sent > number);
        before > 0 && self.sent.is_empty() && self.waiting.is_empty()
    }
}

fn streams(token: &Token, from: [(SpoolPlace, u64); 2]) -> [SpooledStream; 2] {
    from.map(|(at, passed)| SpooledStream {
        at,
        passed,
        opening: SpoolScan::new(token),
        begun: false,
        exit: None,
        ended: false,
    })
}

fn fresh() -> Token {
    Token::new(rand::random())
}

impl<C: Connector> DurableExec<C> {
    /// The request that starts the job, unless it is there, and follows it; with the token of its follower's first marks.
    ///
    /// # Errors
    ///
    /// Its line is too long.
    pub(crate) fn request(job: &Job, token: &Token) -> Result<(ExecRequest, Token), Failure> {
        let first = fresh();
        let call = match job.origin {
            JobOrigin::New | JobOrigin::Asked => JobCall::Start,
            JobOrigin::Known => JobCall::Follow,
        };
        let line = line(job, call, token, &first, [SpoolPlace::default(); 2])?;
        Ok((request(line), first))
    }

    /// The job as it was asked for by that request: accepted, or on its way when the connection was lost.
    pub(crate) fn new(
        ties: Ties<C>,
        job: Job,
        (token, first): (Token, Token),
        session: Arc<C::Session>,
        exec: Result<<C::Session as Session>::Exec, Failure>,
        remains: RemainsSlot<C::Session>,
    ) -> Self {
        let begin = (SpoolPlace::default(), 0);
        let mut durable = Self {
            scans: [SpoolScan::new(&token), SpoolScan::new(&token)],
            strips: [None, None],
            finds: matches!(job.found, JobFound::Beginning { .. }),
            streams: streams(&first, [begin; 2]),
            ties,
            stdin: job.stdin,
            shared: job.origin != JobOrigin::New,
            stops: false,
            job,
            token,
            session: Some(session),
            link: JobLink::Over,
            remains,
            ready: VecDeque::new(),
            known: false,
            told: (false, false),
            input: JobInput::default(),
            signal: None,
            said: Vec::new(),
            last_heard: Instant::now(),
            looks: 0,
        };
        match exec {
            Ok(exec) => durable.link = JobLink::Attached(exec),
            Err(failure) => durable.leave(failure),
        }
        durable
    }

    /// The connection is gone: the way back begins.
    fn leave(&mut self, failure: Failure) {
        self.input.rewind();
        self.said.clear();
        self.set_out(Instant::now());
        if let JobLink::Away(..) = self.link {
            self.ready.push_back(Heard::Job(JobNews::Away(failure)));
        }
    }

    /// Sets out to follow the job from where its streams are. One that is not known to be there is asked for again,
    /// unless it is to end.
    fn set_out(&mut self, since: Instant) {
        let first = fresh();
        let from = std::array::from_fn(|number| {
            let held = self.scans.get_mut(number).map(SpoolScan::take_held).unwrap_or_default();
            let Some(stream) = self.streams.get(number) else { return (SpoolPlace::default(), 0) };
            let byte = stream.at.byte.saturating_sub(held.len() as u64);
            (SpoolPlace { byte, ..stream.at }, stream.passed)
        });
        let ends: [_; 2] = std::array::from_fn(|number| {
            self.streams.get(number).map_or((None, false), |stream| (stream.exit.clone(), stream.ended))
        });
        self.streams = streams(&first, from);
        for (stream, (exit, ended)) in self.streams.iter_mut().zip(ends) {
            (stream.exit, stream.ended) = (exit, ended);
        }
        let call = match (self.is_there(), self.stops) {
            (true, _) => JobCall::Follow,
            (false, false) => JobCall::Start,
            (false, true) => JobCall::Withdraw,
        };
        self.shared |= !self.is_there();
        match line(&self.job, call, &self.token, &first, from.map(|(at, _)| at)) {
            Ok(line) => {
                let back = self.ties.clone().come_back(self.session.take(), request(line));
                self.link = JobLink::Away(Box::pin(back), since);
            }
            Err(failure) => self.lose(failure),
        }
    }

    /// Whether its spool was there: then it runs, or has run.
    fn is_there(&self) -> bool {
        self.known || self.job.origin == JobOrigin::Known
    }

    fn lose(&mut self, failure: Failure) {
        self.link = JobLink::Over;
        self.ready.push_back(Heard::Event(ExecEvent::Lost(failure)));
    }

    fn give(&mut self, order: &JobOrder) {
        if let JobLink::Attached(exec) = &mut self.link {
            exec.send(Bytes::from(order.line()));
        }
    }

    /// Tells the follower what it is to do by now. It hears it once it speaks.
    fn tell(&mut self) {
        if !self.streams.iter().all(|stream| stream.begun) {
            return;
        }
        for order in self.input.next() {
            self.give(&order);
        }
        match self.signal.take() {
            Some(Signal::Term) => self.give(&JobOrder::Term),
            Some(Signal::Kill) => self.give(&JobOrder::Kill),
            None => {}
        }
    }

    /// Takes what the follower's channel brought.
    fn take(&mut self, heard: Heard) {
        match heard {
            Heard::Event(ExecEvent::Stdout(data)) => self.hear(0, &data),
            Heard::Event(ExecEvent::Stderr(data)) => self.hear(1, &data),
            Heard::Event(ExecEvent::Exit(_))
            | Heard::Eof
            | Heard::Written
            | Heard::Job(_)
            | Heard::Refused(_) => {}
            Heard::Answered => self.ready.push_back(Heard::Answered),
            Heard::Event(ExecEvent::Closed) => self.closed(),
            Heard::Event(ExecEvent::Lost(failure)) => self.leave(failure),
        }
    }

    /// The follower has ended, over a connection that is well.
    fn closed(&mut self) {
        let begun = self.streams.iter().any(|stream| stream.begun);
        if begun || self.session.as_ref().is_none_or(|session| session.is_lost()) {
            let failure = Failure::new(Kind::ConnectionLost, "the command that follows the job has ended");
            return self.leave(failure);
        }
        // The login runs no commands.
        let said = String::from_utf8_lossy(&self.said);
        let last = ending(said.lines().last().unwrap_or_default().trim().as_bytes(), LONGEST_SAID);
        let told = if last.is_empty() { String::new() } else { format!(": it said {last:?}") };
        let failure =
            Failure::new(Kind::ExecRefused, format!("the host's shell did not start the command{told}"))
                .hint("a `durable` command needs a login that runs `sh`");
        self.refuse(failure, !self.shared);
    }

    /// There is nothing to follow: nothing was started, if that is certain, or nothing is left.
    fn refuse(&mut self, mut failure: Failure, certain: bool) {
        if let (JobFound::Beginning { prefix, .. }, Kind::JobLost, false) =
            (&self.job.found, failure.kind, self.known)
        {
            failure =
                Failure::new(Kind::JobLost, format!("no job {prefix} there, or its host was restarted"))
                    .hint("`fan jobs` lists them");
        }
        self.link = JobLink::Over;
        let news = if certain && !self.is_there() {
            Heard::Refused(failure)
        } else {
            Heard::Event(ExecEvent::Lost(failure))
        };
        self.ready.push_back(news);
    }

    fn hear(&mut self, number: usize, data: &[u8]) {
        self.last_heard = Instant::now();
        let Some(stream) = self.streams.get_mut(number) else { return };
        if stream.begun {
            return self.read(number, data);
        }
        let mut pieces = stream.opening.push(data).into_iter();
        while let Some(piece) = pieces.next() {
            match piece {
                SpoolPiece::Text(text) => {
                    self.said.extend_from_slice(&text);
                    let surplus = self.said.len().saturating_sub(LONGEST_SAID * 4);
                    self.said.drain(..surplus);
                }
                SpoolPiece::Mark(SpoolMark::Start, _) => {
                    self.begin(number);
                    // All behind it is of the spool.
                    let held = self.streams.get_mut(number).map(|stream| stream.opening.take_held());
                    let rest = pieces.by_ref().filter_map(|piece| match piece {
                        SpoolPiece::Text(text) => Some(text),
                        SpoolPiece::Mark(..) => None,
                    });
                    let rest: Vec<u8> = rest.chain(held).flatten().collect();
                    return self.read(number, &rest);
                }
                SpoolPiece::Mark(SpoolMark::Job(token, name), _) => {
                    // Each stream says it, as they do not wait for each other. What was held back is sent again.
                    if let (true, Some(strip)) = (self.finds, self.strips.get_mut(number)) {
                        strip.get_or_insert_with(|| SpoolScan::new(&job_token(&name)));
                    }
                    if let Some(scan) = self.scans.get_mut(number) {
                        *scan = SpoolScan::new(&token);
                    }
                    // From now on it is this one.
                    self.job.found = JobFound::Named(name);
                    self.token = token;
                }
                SpoolPiece::Mark(SpoolMark::Refused(why), _) => {
                    let certain = match why {
                        SpoolRefusal::Home
                        | SpoolRefusal::Owner
                        | SpoolRefusal::Room
                        | SpoolRefusal::Many => !self.shared,
                        SpoolRefusal::Withdrawn => true,
                        SpoolRefusal::Gone
                        | SpoolRefusal::Rebooted
                        | SpoolRefusal::Vanished
                        | SpoolRefusal::Running => false,
                    };
                    let failure = refused(why, &self.said);
                    return self.refuse(failure, certain);
                }
                SpoolPiece::Mark(..) => {}
            }
        }
    }

    fn begin(&mut self, number: usize) {
        if let Some(stream) = self.streams.get_mut(number) {
            stream.begun = true;
        }
        if !self.streams.iter().all(|stream| stream.begun) {
            return;
        }
        if !std::mem::replace(&mut self.known, true) {
            let name = match &self.job.found {
                JobFound::Named(name) => name.clone(),
                JobFound::Beginning { prefix, .. } => prefix.clone(),
            };
            self.ready.push_back(Heard::Job(JobNews::Begun(name)));
        }
        self.tell();
    }

    /// Takes bytes of the spool.
    fn read(&mut self, number: usize, data: &[u8]) {
        let (Some(scan), Some(stream)) = (self.scans.get_mut(number), self.streams.get_mut(number)) else {
            return;
        };
        let mut orders = Vec::new();
        for piece in scan.push(data) {
            match piece {
                SpoolPiece::Text(text) => {
                    stream.at.byte += text.len() as u64;
                    stream.passed += text.len() as u64;
                    let text = match self.strips.get_mut(number) {
                        Some(Some(strip)) => strip.text(&text),
                        Some(None) | None => text,
                    };
                    let data = Bytes::from(text);
                    let event = if number == 0 { ExecEvent::Stdout(data) } else { ExecEvent::Stderr(data) };
                    self.ready.push_back(Heard::Event(event));
                }
                SpoolPiece::Mark(mark, length) => {
                    if mark.is_kept() {
                        stream.at.byte += length as u64;
                    }
                    match mark {
                        SpoolMark::At(place) => {
                            let missed = place.file.saturating_sub(stream.passed);
                            if missed > 0 {
                                stream.passed = place.file;
                                self.ready.push_back(Heard::Job(JobNews::Dropped(missed)));
                            }
                            stream.at = place;
                        }
                        SpoolMark::Next(file) => {
                            stream.at = SpoolPlace { file, byte: 0 };
                            orders.push(JobOrder::Send(number, file));
                        }
                        SpoolMark::Exit(exit) => stream.exit = Some(exit),
                        SpoolMark::End => stream.ended = true,
                        SpoolMark::Cut => self.ready.push_back(Heard::Job(JobNews::Cut)),
                        SpoolMark::Took(number) => {
                            if self.input.took(number) && !self.input.ending {
                                self.ready.push_back(Heard::Written);
                            }
                            orders.extend(self.input.next());
                        }
                        SpoolMark::Is(state) => match state {
                            JobState::Runs => self.looks = 0,
                            JobState::Begins => self.looks += 1,
                            JobState::Done(exit) => {
                                self.looks += 1;
                                if self.looks >= LOOKS {
                                    // What it wrote last could not be kept.
                                    self.ready.push_back(Heard::Job(JobNews::Cut));
                                    stream.exit = Some(exit);
                                    self.told.1 = true;
                                }
                            }
                            JobState::Lost(why) => {
                                self.looks = if why == SpoolRefusal::Gone { LOOKS } else { LOOKS * 2 }
                            }
                        },
                        SpoolMark::Start | SpoolMark::Refused(_) | SpoolMark::Job(..) => {}
                    }
                }
            }
        }
        for order in orders {
            self.give(&order);
        }
        self.conclude();
    }

    /// Passes on the end of the job, when all that belongs to it is there.
    fn conclude(&mut self) {
        let cut_off = std::mem::take(&mut self.told.1);
        let mut exits = self.streams.iter().map(|stream| stream.exit.clone());
        let exit = match (exits.next().flatten(), exits.next().flatten()) {
            (Some(first), Some(_)) => Some(first),
            (one, other) if cut_off => one.or(other),
            _ => None,
        };
        let ended = cut_off || self.streams.iter().all(|stream| stream.ended);
        if let Some(exit) = exit
            && !std::mem::replace(&mut self.told.0, true)
        {
            self.ready.push_back(Heard::Event(ExecEvent::Exit(exit)));
        }
        if ended && self.told.0 {
            self.ready.push_back(Heard::Eof);
            self.ready.push_back(Heard::Event(ExecEvent::Closed));
            self.hand_over();
        } else if ended {
            self.lose(refused(SpoolRefusal::Vanished, &[]));
        } else if self.looks >= LOOKS && !self.told.0 {
            let why = if self.looks > LOOKS { SpoolRefusal::Vanished } else { SpoolRefusal::Gone };
            self.lose(refused(why, &[]));
        }
    }

    /// Leaves what is there to who tidies up.
    fn hand_over(&mut self) {
        let link = std::mem::replace(&mut self.link, JobLink::Over);
        let mut remains = self.remains.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = &self.session {
            remains.session = Some(Arc::clone(session));
        }
        if let JobLink::Attached(exec) = link {
            remains.follower = Some(exec);
        }
        remains.shared |= self.shared;
    }

    fn is_back(&mut self, back: Result<Back<C::Session>, Failure>, since: Instant) {
        match back {
            Ok(Back { session, exec }) => {
                self.remains.lock().unwrap_or_else(PoisonError::into_inner).session =
                    Some(Arc::clone(&session));
                self.session = Some(session);
                self.link = JobLink::Attached(exec);
                self.last_heard = Instant::now();
                self.ready.push_back(Heard::Job(JobNews::Back(since.elapsed())));
            }
            Err(failure) => self.lose(failure),
        }
    }
}

/// The token of the marks of a job's command. Whoever follows the job has to know it, also when who started it is gone;
/// and it is nothing that is printed by chance.
pub(crate) fn job_token(name: &str) -> Token {
    let digest = Sha256::digest(format!("the marks of the job {name}"));
    Token::new(digest.iter().take(16).fold(0, |bits, byte| (bits << 8) | u128::from(*byte)))
}

fn request(line: String) -> ExecRequest {
    ExecRequest { line: Bytes::from(line), stdin: Stdin::Open, terminal: false, sent: Sent::default() }
}

fn line(
    job: &Job,
    call: JobCall,
    token: &Token,
    first: &Token,
    from: [SpoolPlace; 2],
) -> Result<String, Failure> {
    let follow = Follow { job: &job.found, token: first, from };
    let line = match call {
        JobCall::Start => {
            let fed = job.stdin != Stdin::Closed;
            follow.start(&JobStart { token, title: &job.title, shell: job.shell, line: &job.line, fed })
        }
        JobCall::Follow => follow.line(),
        JobCall::Withdraw => follow.withdrawal(),
    };
    line.map_err(|error| Failure::new(Kind::Template, error.to_string()))
}

/// The failure of a job that is not there.
fn refused(why: SpoolRefusal, said: &[u8]) -> Failure {
    let said = String::from_utf8_lossy(said);
    let last = ending(said.lines().last().unwrap_or_default().trim().as_bytes(), LONGEST_SAID);
    let told = if last.is_empty() { String::new() } else { format!(": {last}") };
    let failure = |kind, message: &str| Failure::new(kind, message);
    match why {
        SpoolRefusal::Home => failure(Kind::Spool, &format!("the folder for the output of durable commands cannot be made there{told}"))
            .hint("it is ~/.local/state/fan/jobs, or below XDG_STATE_HOME; `durable: false` does without"),
        SpoolRefusal::Owner => failure(Kind::Spool, "the folder for the output of durable commands belongs to somebody else there")
            .hint("it is ~/.local/state/fan/jobs, below XDG_STATE_HOME, or /var/tmp/fan-jobs-UID: remove it"),
        SpoolRefusal::Room => failure(Kind::Spool, &format!("no room for the output of the command there{told}"))
            .hint("is the disk full, or a quota reached? `fan jobs --clean` removes what is left of earlier ones"),
        SpoolRefusal::Many => failure(Kind::Spool, "more than 512 durable commands are kept there")
            .hint("`fan jobs` lists them, `fan jobs --clean` removes those that have ended"),
        SpoolRefusal::Gone => failure(Kind::JobLost, "what the host kept of the command is gone: how it ended is unknown"),
        SpoolRefusal::Rebooted => failure(Kind::JobLost, "the host was restarted while the command ran"),
        SpoolRefusal::Withdrawn => failure(Kind::ExecRefused, "the command was not started, and will not be"),
        SpoolRefusal::Running => failure(Kind::Declined, "it is still running").hint("--follow waits for its end"),
        SpoolRefusal::Vanished => failure(Kind::JobLost, "what kept the command on the host was killed: how it ended is unknown")
            .hint("does the host end all of a login's processes with it (`KillUserProcesses` of logind)? `loginctl enable-linger` lets them be"),
    }
}

impl<C: Connector> Exec for DurableExec<C> {
    async fn next(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.ready.pop_front() {
                return heard;
            }
            let look = self.last_heard + LOOK;
            match &mut self.link {
                JobLink::Attached(exec) => {
                    let heard = tokio::select! {
                        biased;
                        heard = exec.next() => Some(heard),
                        () = tokio::time::sleep_until(look) => None,
                    };
                    match heard {
                        Some(heard) => self.take(heard),
                        None => {
                            self.last_heard = Instant::now();
                            self.give(&JobOrder::Look);
                        }
                    }
                }
                JobLink::Away(back, since) => {
                    let (back, since) = (back.await, *since);
                    self.is_back(back, since);
                }
                JobLink::Over => std::future::pending().await,
            }
        }
    }

    fn ask(&mut self) {
        if let JobLink::Attached(exec) = &mut self.link {
            exec.ask();
        }
    }

    async fn signal(&mut self, signal: Signal) {
        match (self.stdin, signal) {
            (Stdin::Held, Signal::Term) => self.input.send(watchdog::ASK),
            (Stdin::Held, Signal::Kill) => {
                self.input.send(watchdog::ASK);
                self.input.end();
                self.signal = Some(signal);
            }
            (Stdin::Closed | Stdin::Open, _) => self.signal = Some(signal),
        }
        let first = !std::mem::replace(&mut self.stops, true);
        if let JobLink::Away(_, since) = self.link
            && first
            && !self.is_there()
        {
            // What is on its way back would start it.
            self.set_out(since);
        }
        self.tell();
    }

    fn software(&self) -> Software {
        // The end of a stream is that of all who held it, and signals go to the group: the job's keeper sees to both.
        Software::Here
    }

    fn send(&mut self, data: Bytes) {
        self.input.send(&data);
        self.tell();
    }

    fn end(&mut self) {
        self.input.end();
        self.tell();
    }

    fn hold(&mut self) {
        self.stdin = Stdin::Held;
    }

    fn let_go(&mut self) {
        match self.stdin {
            Stdin::Closed => {}
            Stdin::Open => self.end(),
            Stdin::Held => self.send(Bytes::from_static(watchdog::OVER)),
        }
    }

    async fn close(&mut self) {
        self.hand_over();
    }
}

/// Has the spools of a step's jobs removed, whose end is on record.
pub(crate) async fn tidy<S: Session>(mut follower: S::Exec, shared: bool) {
    const PATIENCE: Duration = Duration::from_secs(5);
    let order = if shared { JobOrder::Bury } else { JobOrder::Clean };
    follower.send(Bytes::from(order.line()));
    let gone = async {
        while !matches!(follower.next().await, Heard::Event(ExecEvent::Closed | ExecEvent::Lost(_))) {}
    };
    // One that is not removed is there for `fan jobs`, and not for ever.
    let _ = tokio::time::timeout(PATIENCE, gone).await;
}
