//! The command as one that runs: the way to its job, and back to it.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::engine::live::durable::input::JobInput;
use crate::engine::live::durable::job::{Job, JobCall, JobOrigin, last_said, line, refused, request};
use crate::engine::live::durable::reader::{SpoolNews, SpoolReader};
use crate::engine::live::reattach::{Back, Ties};
use crate::model::outcome::{Failure, Kind};
use crate::model::shell::durable::{JobFound, JobOrder, JobState, SpoolPlace, SpoolRefusal};
use crate::model::shell::marks::Token;
use crate::model::shell::watchdog;
use crate::ssh::software::Software;
use crate::ssh::{Connector, Exec, ExecEvent, ExecRequest, Heard, JobNews, Session, Signal, Stdin};

/// How long a job may be silent before its follower is asked how far it is: all that keeps it may have been killed.
const LOOK: Duration = Duration::from_secs(20);

/// How often a job may be said to have ended, or not to have begun, and nothing comes of it.
const LOOKS: u32 = 3;

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

/// See the module's documentation.
pub(crate) struct DurableExec<C: Connector> {
    ties: Ties<C>,
    job: Job,
    reader: SpoolReader,
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
    last_heard: Instant,
    looks: u32,
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
        // Whoever looks for a job by the beginning of its name does not know the marks of its command.
        let strips = matches!(job.found, JobFound::Beginning { .. });
        let mut durable = Self {
            reader: SpoolReader::new(token, &first, strips),
            ties,
            stdin: job.stdin,
            shared: job.origin != JobOrigin::New,
            stops: false,
            job,
            session: Some(session),
            link: JobLink::Over,
            remains,
            ready: VecDeque::new(),
            known: false,
            told: (false, false),
            input: JobInput::default(),
            signal: None,
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
        self.set_out(Instant::now());
        if let JobLink::Away(..) = self.link {
            self.ready.push_back(Heard::Job(JobNews::Away(failure)));
        }
    }

    /// Sets out to follow the job from where its streams are. One that is not known to be there is asked for again,
    /// unless it is to end.
    fn set_out(&mut self, since: Instant) {
        let first = fresh();
        let from = self.reader.rewind(&first);
        let call = match (self.is_there(), self.stops) {
            (true, _) => JobCall::Follow,
            (false, false) => JobCall::Start,
            (false, true) => JobCall::Withdraw,
        };
        self.shared |= !self.is_there();
        match line(&self.job, call, self.reader.token(), &first, from) {
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
        if !self.reader.begun().1 {
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
        if self.reader.begun().0 || self.session.as_ref().is_none_or(|session| session.is_lost()) {
            let failure = Failure::new(Kind::ConnectionLost, "the command that follows the job has ended");
            return self.leave(failure);
        }
        // The login runs no commands.
        let last = last_said(self.reader.said());
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
        for news in self.reader.hear(number, data) {
            self.heed(news);
        }
        self.conclude();
    }

    fn heed(&mut self, news: SpoolNews) {
        match news {
            SpoolNews::Begun => self.begin(),
            // From now on it is this one.
            SpoolNews::Named(name) => self.job.found = JobFound::Named(name),
            SpoolNews::Refused(why) => {
                let certain = match why {
                    SpoolRefusal::Home | SpoolRefusal::Owner | SpoolRefusal::Room | SpoolRefusal::Many => {
                        !self.shared
                    }
                    SpoolRefusal::Withdrawn => true,
                    SpoolRefusal::Gone
                    | SpoolRefusal::Rebooted
                    | SpoolRefusal::Vanished
                    | SpoolRefusal::Running => false,
                };
                self.refuse(refused(why, self.reader.said()), certain);
            }
            SpoolNews::Output(number, text) => {
                let data = Bytes::from(text);
                let event = if number == 0 { ExecEvent::Stdout(data) } else { ExecEvent::Stderr(data) };
                self.ready.push_back(Heard::Event(event));
            }
            SpoolNews::Dropped(bytes) => self.ready.push_back(Heard::Job(JobNews::Dropped(bytes))),
            SpoolNews::Cut => self.ready.push_back(Heard::Job(JobNews::Cut)),
            SpoolNews::Next(number, file) => self.give(&JobOrder::Send(number, file)),
            SpoolNews::Took(number) => {
                if self.input.took(number) && !self.input.is_ending() {
                    self.ready.push_back(Heard::Written);
                }
                for order in self.input.next() {
                    self.give(&order);
                }
            }
            SpoolNews::Is(number, state) => self.looked(number, state),
        }
    }

    /// Takes note of how far the job is.
    fn looked(&mut self, number: usize, state: JobState) {
        match state {
            JobState::Runs => self.looks = 0,
            JobState::Begins => self.looks += 1,
            JobState::Done(exit) => {
                self.looks += 1;
                if self.looks >= LOOKS {
                    // What it wrote last could not be kept.
                    self.ready.push_back(Heard::Job(JobNews::Cut));
                    self.reader.set_exit(number, exit);
                    self.told.1 = true;
                }
            }
            JobState::Lost(why) => self.looks = if why == SpoolRefusal::Gone { LOOKS } else { LOOKS * 2 },
        }
    }

    fn begin(&mut self) {
        if !std::mem::replace(&mut self.known, true) {
            let name = match &self.job.found {
                JobFound::Named(name) => name.clone(),
                JobFound::Beginning { prefix, .. } => prefix.clone(),
            };
            self.ready.push_back(Heard::Job(JobNews::Begun(name)));
        }
        self.tell();
    }

    /// Passes on the end of the job, when all that belongs to it is there.
    fn conclude(&mut self) {
        let cut_off = std::mem::take(&mut self.told.1);
        let exit = self.reader.exit(cut_off);
        let ended = cut_off || self.reader.has_ended();
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
