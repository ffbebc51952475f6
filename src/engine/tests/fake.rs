//! A scripted transport: what each host does when it is connected to and told to run something, and a tally of
//! what was asked of it.

use std::collections::{BTreeMap, VecDeque};
use std::panic::resume_unwind;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::event::Timings;
use crate::model::endpoint::Endpoint;
use crate::model::outcome::{Exit, Failure, Kind};
use crate::model::shell::MAX_LINE;
use crate::ssh::error::{ConnectError, Retry};
use crate::ssh::pipe::{Pipe, Program};
use crate::ssh::seam::Connected;
use crate::ssh::software::Software;
use crate::ssh::{
    Connector, Exec, ExecError, ExecEvent, ExecRequest, Heard, JobNews, Session, Signal, Stdin,
};

/// What comes of one connection attempt.
#[derive(Clone, Debug)]
pub(super) enum Connect {
    Works(Duration),
    Fails(Kind, Retry),
    /// Works once a person has answered for the agent, which takes so long.
    AwaitsAgent(Duration),
    Hangs,
    Panics,
}

/// What comes of one start of a command.
#[derive(Clone, Debug)]
pub(super) enum Start {
    Answered(Duration),
    Refused(Kind),
    /// The request was sent and the connection broke.
    Unanswered(Kind),
    Hangs,
    /// The channel for it does not open.
    Waits,
    Panics,
}

/// What a running command does when it is signalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obeys {
    Term,
    Kill,
    Nothing,
    /// The connection does not even take the signal.
    Stuck,
}

/// The life of one command. When its events have been told and none was the last, it goes on in silence.
#[derive(Clone, Debug)]
pub(super) struct Command {
    start: Start,
    obeys: Obeys,
    /// Each with the pause before it.
    events: VecDeque<(Duration, Beat)>,
    /// Repeats the events for ever.
    endless: bool,
    /// The login does not start the command: no mark is printed.
    unmarked: bool,
    /// It was to print a mark, and ends without.
    not_begun: bool,
    /// How long the answer to a question takes; without, none comes.
    answers: Option<Duration>,
    /// The end of its channel proves nothing about its children.
    closes_early: bool,
}

/// What a command does next.
#[derive(Clone, Debug)]
enum Beat {
    Tells(ExecEvent),
    /// Ends both streams of its output.
    Eof,
    /// Goes on once this was written to its input.
    Reads(String),
    /// Something happens to the connection of one that outlives it.
    Link(JobNews),
}

impl Command {
    fn with(start: Start) -> Self {
        Self {
            start,
            obeys: Obeys::Term,
            events: VecDeque::new(),
            endless: false,
            unmarked: false,
            not_begun: false,
            answers: Some(Duration::ZERO),
            closes_early: false,
        }
    }

    /// One that runs on in silence.
    pub(super) fn runs() -> Self {
        Self::with(Start::Answered(Duration::ZERO))
    }

    /// One that ends with this status after some milliseconds.
    pub(super) fn exits(after: u64, status: u32) -> Self {
        Self::runs().then(after, ExecEvent::Exit(Exit::Status(status))).closed()
    }

    /// One that is not started, or perhaps not.
    pub(super) fn not_started(start: Start) -> Self {
        Self::with(start)
    }

    pub(super) fn obeys(self, obeys: Obeys) -> Self {
        Self { obeys, ..self }
    }

    pub(super) fn endless(self) -> Self {
        Self { endless: true, ..self }
    }

    /// Tells an event some milliseconds after the one before.
    pub(super) fn then(mut self, after: u64, event: ExecEvent) -> Self {
        self.events.push_back((Duration::from_millis(after), Beat::Tells(event)));
        self
    }

    /// Ends both streams of its output.
    pub(super) fn eof(mut self, after: u64) -> Self {
        self.events.push_back((Duration::from_millis(after), Beat::Eof));
        self
    }

    /// One whose connection is gone for so long, after some milliseconds.
    pub(super) fn away(mut self, after: u64, gone: u64) -> Self {
        let (after, gone) = (Duration::from_millis(after), Duration::from_millis(gone));
        self.events.push_back((after, Beat::Link(JobNews::Away(failure(Kind::ConnectionLost)))));
        self.events.push_back((gone, Beat::Link(JobNews::Back(gone))));
        self
    }

    /// One whose server closes the channel although children of it may live.
    pub(super) fn closes_early(self) -> Self {
        Self { closes_early: true, ..self }
    }

    /// One whose server takes so long to answer a question; never, when there is no time.
    pub(super) fn answers(self, after: Option<u64>) -> Self {
        Self { answers: after.map(Duration::from_millis), ..self }
    }

    /// One whose start mark is not printed by itself.
    pub(super) fn unmarked(self) -> Self {
        Self { unmarked: true, ..self }
    }

    pub(super) fn errs(self, after: u64, text: impl Into<Bytes>) -> Self {
        self.then(after, ExecEvent::Stderr(text.into()))
    }

    /// Goes on only when it was sent this since the last time; an end of the input counts as `EOF`.
    pub(super) fn reads(mut self, data: &str) -> Self {
        self.events.push_back((Duration::ZERO, Beat::Reads(data.to_owned())));
        self
    }

    pub(super) fn says(self, after: u64, text: impl Into<Bytes>) -> Self {
        self.then(after, ExecEvent::Stdout(text.into()))
    }

    pub(super) fn exit(self, after: u64, status: u32) -> Self {
        self.then(after, ExecEvent::Exit(Exit::Status(status)))
    }

    pub(super) fn closed(self) -> Self {
        self.then(0, ExecEvent::Closed)
    }

    pub(super) fn lost(self, after: u64) -> Self {
        self.then(after, ExecEvent::Lost(failure(Kind::ConnectionLost)))
    }
}

fn failure(kind: Kind) -> Failure {
    Failure::new(kind, format!("scripted {kind}"))
}

/// The script of one host. What it does not say works at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    connects: VecDeque<Connect>,
    commands: VecDeque<Command>,
    looks: VecDeque<Command>,
}

/// What was asked of the hosts. Times are from the start of the run.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Connection attempts by host.
    pub(super) connects: BTreeMap<String, usize>,
    /// Commands that were started or may have been, by host, in order.
    pub(super) starts: BTreeMap<String, Vec<String>>,
    /// Commands whose login never started them, as scripted.
    pub(super) not_begun: BTreeMap<String, Vec<String>>,
    /// How many of them had their standard input held open.
    pub(super) held: usize,
    /// What was written to inputs, by host; the end is `EOF`.
    pub(super) sent: BTreeMap<String, String>,
    /// How often it was looked whether the account takes commands, by host.
    pub(super) looks: BTreeMap<String, usize>,
    /// Signs of life that were asked for, by host.
    pub(super) asked: BTreeMap<String, usize>,
    /// How often an input was let go of.
    pub(super) let_go: usize,
    /// Signals that were sent.
    pub(super) signals: Vec<(String, Signal, Duration)>,
    /// Channels that were closed by our side.
    pub(super) channels_closed: Vec<(String, Duration)>,
    /// Sessions that were closed in good order.
    pub(super) sessions_closed: BTreeMap<String, Vec<Duration>>,
    /// Hosts that are connecting or running something.
    busy: usize,
    /// Hosts that wait for the agent.
    awaiting: usize,
    /// The most that were so at a time.
    pub(super) busiest: usize,
}

#[derive(Debug)]
struct Shared {
    scripts: Mutex<BTreeMap<String, Script>>,
    tally: Mutex<Tally>,
    began: Instant,
}

/// See the module's documentation. Clones share everything.
#[derive(Clone, Debug)]
pub(super) struct Fake(Arc<Shared>);

impl Fake {
    /// Hosts that do all they are told.
    pub(super) fn new() -> Self {
        let began = Instant::now();
        Self(Arc::new(Shared { scripts: Mutex::default(), tally: Mutex::default(), began }))
    }

    /// What comes of a host's connection attempts, in order.
    pub(super) fn connects(self, host: &str, connects: impl IntoIterator<Item = Connect>) -> Self {
        self.0.scripts.lock().unwrap().entry(host.to_owned()).or_default().connects.extend(connects);
        self
    }

    /// What a host's commands do, in order.
    pub(super) fn runs(self, host: &str, commands: impl IntoIterator<Item = Command>) -> Self {
        self.0.scripts.lock().unwrap().entry(host.to_owned()).or_default().commands.extend(commands);
        self
    }

    /// What comes of the looks whether a host's account takes commands, in order.
    pub(super) fn looked_at(self, host: &str, looks: impl IntoIterator<Item = Command>) -> Self {
        self.0.scripts.lock().unwrap().entry(host.to_owned()).or_default().looks.extend(looks);
        self
    }

    /// Hosts with the same scripts, not yet asked for anything.
    pub(super) fn copied(&self) -> Self {
        let fake = Self::new();
        fake.0.scripts.lock().unwrap().clone_from(&self.0.scripts.lock().unwrap());
        fake
    }

    pub(super) fn tally(&self) -> Tally {
        self.0.tally.lock().unwrap().clone()
    }

    fn count(&self, change: impl FnOnce(&mut Tally, Duration)) {
        change(&mut self.0.tally.lock().unwrap(), self.0.began.elapsed());
    }

    fn scripted<T>(&self, host: &str, take: impl FnOnce(&mut Script) -> Option<T>) -> Option<T> {
        self.0.scripts.lock().unwrap().get_mut(host).and_then(take)
    }
}

/// A host at work, while it lives.
#[derive(Debug)]
struct Busy(Fake);

impl Busy {
    fn new(fake: &Fake) -> Self {
        fake.count(|tally, _| {
            tally.busy += 1;
            tally.busiest = tally.busiest.max(tally.busy);
        });
        Self(fake.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.count(|tally, _| tally.busy -= 1);
    }
}

impl Connector for Fake {
    type Session = FakeSession;

    async fn connect(&self, endpoint: &Endpoint) -> Result<Connected<FakeSession>, ConnectError> {
        let _busy = Busy::new(self);
        let host = endpoint.name.to_string();
        self.count(|tally, _| *tally.connects.entry(host.clone()).or_default() += 1);
        let connect = self.scripted(&host, |script| script.connects.pop_front());
        match connect.unwrap_or(Connect::Works(Duration::ZERO)) {
            Connect::Works(after) => tokio::time::sleep(after).await,
            Connect::Fails(kind, retry) => return Err(ConnectError { failure: failure(kind), retry }),
            Connect::AwaitsAgent(after) => {
                self.count(|tally, _| tally.awaiting += 1);
                tokio::time::sleep(after).await;
                self.count(|tally, _| tally.awaiting -= 1);
            }
            Connect::Hangs => std::future::pending().await,
            // Without the noise of a panic's message.
            Connect::Panics => resume_unwind(Box::new("scripted")),
        }
        let session = FakeSession { host, fake: self.clone(), takes_commands: AtomicBool::new(false) };
        Ok(Connected { session, timings: Timings::default(), auth: "scripted".to_owned() })
    }

    fn waiting_for_agent(&self) -> usize {
        self.tally().awaiting
    }
}

#[derive(Debug)]
pub(super) struct FakeSession {
    host: String,
    fake: Fake,
    takes_commands: AtomicBool,
}

impl Session for FakeSession {
    type Exec = FakeExec;

    async fn exec(&self, request: ExecRequest) -> Result<FakeExec, ExecError> {
        let busy = Busy::new(&self.fake);
        // The look whether the account takes commands at all is nobody's command.
        let is_look = request.line.len() == MAX_LINE;
        let scripted = self.fake.scripted(&self.host, |script| {
            if is_look { script.looks.pop_front() } else { script.commands.pop_front() }
        });
        let mut scripted = scripted.unwrap_or_else(|| Command::exits(0, 0));
        let line = String::from_utf8_lossy(&request.line).into_owned();
        if let Some(token) = token(&line) {
            scripted.insert(&token);
        }
        if matches!(scripted.start, Start::Waits) {
            return std::future::pending().await;
        }
        request.sent.note();
        if is_look {
            let host = self.host.clone();
            self.fake.count(|tally, _| *tally.looks.entry(host).or_default() += 1);
        } else if !matches!(scripted.start, Start::Refused(_)) {
            let (command, host) = (line, self.host.clone());
            self.fake.count(|tally, _| {
                tally.held += usize::from(request.stdin == Stdin::Held);
                let to = if scripted.not_begun { &mut tally.not_begun } else { &mut tally.starts };
                to.entry(host).or_default().push(command);
            });
        }
        match scripted.start {
            Start::Answered(after) => tokio::time::sleep(after).await,
            Start::Refused(kind) => {
                return Err(ExecError { failure: failure(kind), may_have_started: false });
            }
            Start::Unanswered(kind) => {
                return Err(ExecError { failure: failure(kind), may_have_started: true });
            }
            Start::Hangs | Start::Waits => std::future::pending().await,
            Start::Panics => resume_unwind(Box::new("scripted")),
        }
        let (host, inbox) = (self.host.clone(), String::new());
        let (due, answer) = (None, None);
        Ok(FakeExec { host, command: scripted, inbox, due, answer, written: false, over: false, busy })
    }

    fn bears_another(&self) -> bool {
        true
    }

    fn takes_commands(&self) -> Option<&AtomicBool> {
        Some(&self.takes_commands)
    }

    async fn pipe(&self, _program: Program) -> Result<Pipe, ExecError> {
        Err(ExecError { failure: failure(Kind::SftpUnavailable), may_have_started: false })
    }

    async fn close(&self) {
        self.fake.count(|tally, at| tally.sessions_closed.entry(self.host.clone()).or_default().push(at));
    }
}

#[derive(Debug)]
pub(super) struct FakeExec {
    host: String,
    command: Command,
    /// What was written to its input and not read yet.
    inbox: String,
    /// When the next event is told.
    due: Option<Instant>,
    /// When a question is answered.
    answer: Option<Instant>,
    /// Something was written to its input since that was last told.
    written: bool,
    /// The last event was told.
    over: bool,
    busy: Busy,
}

/// The token of the marks that a line is to print.
fn token(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("fan-%s-")?;
    rest.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| word.len() == 32).map(str::to_owned)
}

impl Command {
    /// Fills the token in, and puts the start marks before all that it says.
    fn insert(&mut self, token: &str) {
        let starts = |(_, beat): &(Duration, Beat)| format!("{beat:?}").contains("TOKEN-start");
        let closes = matches!(self.events.back(), Some((_, Beat::Tells(ExecEvent::Closed))));
        self.not_begun = self.unmarked && closes && !self.events.iter().any(starts);
        for (_, beat) in &mut self.events {
            if let Beat::Tells(ExecEvent::Stdout(data) | ExecEvent::Stderr(data)) = beat {
                *data = Bytes::from(String::from_utf8_lossy(data).replace("TOKEN", token));
            }
        }
        if !self.unmarked {
            let mark = Bytes::from(format!("fan-{token}-start\n"));
            for event in [ExecEvent::Stderr(mark.clone()), ExecEvent::Stdout(mark)] {
                self.events.push_front((Duration::ZERO, Beat::Tells(event)));
            }
        }
    }
}

impl FakeExec {
    fn sent(&mut self, text: &str) {
        self.inbox += text;
        let host = self.host.clone();
        self.busy.0.count(|tally, _| *tally.sent.entry(host).or_default() += text);
    }
}

impl FakeExec {
    /// The next thing of the script. Cancel-safe.
    async fn told(&mut self) -> Heard {
        while let Some((_, Beat::Reads(awaited))) = self.command.events.front() {
            let Some((_, rest)) = self.inbox.split_once(awaited.as_str()) else {
                return std::future::pending().await;
            };
            self.inbox = rest.to_owned();
            self.command.events.pop_front();
        }
        let Some((pause, _)) = self.command.events.front() else { return std::future::pending().await };
        if !pause.is_zero() {
            let due = *self.due.get_or_insert_with(|| Instant::now() + *pause);
            tokio::time::sleep_until(due).await;
        }
        self.due = None;
        let (pause, event) = match self.command.events.pop_front() {
            Some((pause, Beat::Tells(event))) => (pause, event),
            Some((_, Beat::Eof)) => return Heard::Eof,
            Some((_, Beat::Link(news))) => return Heard::Job(news),
            Some((_, Beat::Reads(_))) | None => unreachable!("looked at above"),
        };
        if self.command.endless {
            self.command.events.push_back((pause, Beat::Tells(event.clone())));
        }
        self.over = matches!(event, ExecEvent::Closed | ExecEvent::Lost(_));
        Heard::Event(event)
    }
}

impl Exec for FakeExec {
    fn send(&mut self, data: Bytes) {
        self.written = true;
        self.sent(&String::from_utf8_lossy(&data));
    }

    fn end(&mut self) {
        self.sent("EOF");
    }

    fn hold(&mut self) {
        self.busy.0.count(|tally, _| tally.held += 1);
    }

    fn software(&self) -> Software {
        if self.command.closes_early { Software::Dropbear } else { Software::OpenSsh }
    }

    fn let_go(&mut self) {
        self.busy.0.count(|tally, _| tally.let_go += 1);
        self.sent("OVER");
    }

    fn ask(&mut self) {
        let host = self.host.clone();
        self.busy.0.count(|tally, _| *tally.asked.entry(host).or_default() += 1);
        self.answer = self.command.answers.map(|after| Instant::now() + after);
    }

    async fn next(&mut self) -> Heard {
        assert!(!self.over, "asked for more after the end");
        if std::mem::take(&mut self.written) {
            return Heard::Written;
        }
        let answer = self.answer;
        tokio::select! {
            biased;
            heard = self.told() => heard,
            () = tokio::time::sleep_until(answer.unwrap_or_else(Instant::now)), if answer.is_some() => {
                self.answer = None;
                Heard::Answered
            }
        }
    }

    async fn signal(&mut self, signal: Signal) {
        self.busy.0.count(|tally, at| tally.signals.push((self.host.clone(), signal, at)));
        let (dies, name) = match (self.command.obeys, signal) {
            (Obeys::Stuck, _) => return std::future::pending().await,
            (Obeys::Term, Signal::Term) => (true, "TERM"),
            (Obeys::Term | Obeys::Kill, Signal::Kill) => (true, "KILL"),
            (Obeys::Kill, Signal::Term) | (Obeys::Nothing, _) => (false, ""),
        };
        if dies && !self.over {
            self.due = None;
            self.command.endless = false;
            let exit = ExecEvent::Exit(Exit::Signal(name.to_owned()));
            self.command.events =
                [exit, ExecEvent::Closed].map(|event| (Duration::ZERO, Beat::Tells(event))).into();
        }
    }

    async fn close(&mut self) {
        self.busy.0.count(|tally, at| tally.channels_closed.push((self.host.clone(), at)));
    }
}
