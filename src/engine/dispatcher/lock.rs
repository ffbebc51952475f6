//! Takes a task's lock, waits for it, notices when it is lost, and gives it back. What is said to the host is in
//! [`crate::model::lock`].
//!
//! Refuses to decide what becomes of the hosts: that is the dispatcher's.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use crate::engine::live::connecting::{self, NotConnected};
use crate::engine::live::sink::EventSink;
use crate::engine::live::stop::{StopReceiver, interrupted};
use crate::engine::live::together::LockWatch;
use crate::engine::plan::{Plan, PlannedLock};
use crate::engine::walk::shared::Shared;
use crate::event::{Fact, LockAt, LockFact};
use crate::model::duration;
use crate::model::inventory::HostName;
use crate::model::lock::{self, ASK, Holder, LockAnswer, WantedLock};
use crate::model::outcome::{Exit, Failure, Kind};
use crate::model::settings::TimeLimit;
use crate::model::shell::login_shell_line;
use crate::ssh::pipe::{Pipe, PipeReader, PipeWriter, Program};
use crate::ssh::{ChannelClaim, Connector, ExecEvent, Session};

/// How long the host's shell may take for an answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Pause before a lock that is held is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long the end of the host's shell is waited for when a lock is given back.
const GOODBYE: Duration = Duration::from_millis(500);

/// Bytes kept of a line, and of what the shell complains about.
const LONGEST: usize = 8 * 1024;

/// A lock that is held as long as this lives.
pub(super) struct Held<S> {
    /// The connection that it is held on.
    pub(super) session: Arc<S>,
    task: usize,
    name: Arc<str>,
    host: HostName,
    talk: LockTalk,
    lost: LockWatch,
}

/// A lock that could not be had; and the connection that was opened for it.
pub(super) struct NotTaken<S> {
    pub(super) failure: Failure,
    pub(super) session: Option<Arc<S>>,
}

/// Takes a lock, over `session` when there is one; waits for it as long as the plan says, and tells of that. How the host is
/// reached is told to `sink`.
pub(super) async fn take<C: Connector>(
    plan: Arc<Plan>,
    shared: Arc<Shared<C>>,
    task: usize,
    lock: PlannedLock,
    session: Option<Arc<C::Session>>,
    sink: Option<EventSink>,
) -> Result<Held<C::Session>, NotTaken<C::Session>> {
    let keeper = plan.keeper(&lock).expect("the plan's locks name its hosts");
    let planned = plan.tasks.get(task).expect("the dispatcher runs planned tasks");
    let tools = &shared.tools;
    let mut stop = tools.stop.clone();
    let session = match session {
        Some(session) => session,
        None => match connecting::connect(&*tools.connector, keeper, sink.as_ref(), &mut stop).await {
            Ok(session) => Arc::new(session),
            Err(error) => {
                let failure = match error {
                    NotConnected::Failed(failure) => unreached(failure, &lock.name, &keeper.name),
                    NotConnected::Cancelled(reason) => interrupted(reason),
                };
                return Err(NotTaken { failure, session: None });
            }
        },
    };
    let wanted = WantedLock { name: &lock.name, who: &plan.locking.who, run: &plan.run, task: &planned.name };
    let waiting = |holder: Option<Holder>| {
        let (lock, host) = (Arc::clone(&lock.name), keeper.name.clone());
        tools.sink.tell(Fact::Lock(LockAt { task, lock, host }, LockFact::Waiting { holder }));
    };
    match obtain(&*session, &wanted, &keeper.name, plan.locking.wait, &mut stop, waiting).await {
        Ok(talk) => Ok(Held {
            session,
            task,
            name: Arc::clone(&lock.name),
            host: keeper.name.clone(),
            talk,
            lost: LockWatch::default(),
        }),
        Err(failure) => Err(NotTaken { failure, session: Some(session) }),
    }
}

/// The failure of a lock whose keeper cannot be reached.
fn unreached(failure: Failure, lock: &str, host: &HostName) -> Failure {
    failure.seen_as(Kind::Locked).about(format!("the lock {lock} cannot be taken on {host}"))
}

/// Starts the shell that is to hold the lock, and asks until it does.
async fn obtain<S: Session>(
    session: &S,
    wanted: &WantedLock<'_>,
    host: &HostName,
    wait: TimeLimit,
    stop: &mut StopReceiver,
    mut waiting: impl FnMut(Option<Holder>),
) -> Result<LockTalk, Failure> {
    let cannot = |why: &str| {
        Failure::new(Kind::Locked, format!("the lock {} cannot be taken on {host}: {why}", wanted.name))
    };
    let line = login_shell_line("sh", &lock::script(wanted)).map_err(|error| cannot(&error.to_string()))?;
    let pipe = session.pipe_for(Program::Line(Bytes::from(line)), ChannelClaim::Lasting).await;
    let mut talk = LockTalk::new(pipe.map_err(|error| cannot(&error.failure.message()))?);
    let begun = Instant::now();
    let mut told = None;
    loop {
        let answered = tokio::select! {
            biased;
            reason = stop.asked() => Err(interrupted(reason)),
            answered = tokio::time::timeout(ANSWER, talk.ask(wanted.run)) => match answered {
                Ok(answered) => answered.map_err(|why| cannot(&why)),
                Err(_) => Err(cannot(&format!("no answer within {} s", ANSWER.as_secs()))),
            },
        };
        let holder = match answered {
            Ok(LockAnswer::Taken) => return Ok(talk),
            Ok(LockAnswer::Busy(holder)) => holder,
            Ok(LockAnswer::Again) => continue,
            Ok(LockAnswer::NoFlock) => {
                talk.writer.close().await;
                let failure = cannot("the host has no flock command");
                return Err(failure
                    .hint("install util-linux there, or name another host: lock: {name: ..., on: HOST}"));
            }
            Ok(LockAnswer::Unusable(what)) => {
                talk.writer.close().await;
                return Err(cannot(&format!("{} cannot be used: {what}", lock::folder(wanted.name))));
            }
            Err(failure) => {
                talk.writer.close().await;
                return Err(failure);
            }
        };
        let waited = begun.elapsed();
        if wait.duration().is_some_and(|limit| waited >= limit) {
            talk.writer.close().await;
            return Err(held(wanted.name, host, holder.as_ref(), wait));
        }
        if told.as_ref() != Some(&holder) {
            waiting(holder.clone());
            told = Some(holder);
        }
        let left = wait.duration().map_or(AGAIN, |limit| limit.saturating_sub(waited));
        tokio::select! {
            biased;
            reason = stop.asked() => {
                talk.writer.close().await;
                return Err(interrupted(reason));
            }
            why = talk.end() => return Err(cannot(&why)),
            () = tokio::time::sleep(left.min(AGAIN)) => {}
        }
    }
}

fn held(lock: &str, host: &HostName, holder: Option<&Holder>, wait: TimeLimit) -> Failure {
    let by = holder.map_or_else(|| "an unknown user".to_owned(), ToString::to_string);
    let message = format!("the lock {lock} on {host} is held by {by}");
    match wait.duration().filter(|limit| !limit.is_zero()) {
        Some(limit) => {
            Failure::new(Kind::Locked, format!("{message}, after waiting {}", duration::show(limit)))
                .hint("wait longer, or ask them")
        }
        None => Failure::new(Kind::Locked, message).hint("--lock-wait 10m waits for it"),
    }
}

/// Resolves when the lock is lost; never without one.
pub(super) async fn loss<S>(lock: &mut Option<Held<S>>) -> Failure {
    match lock {
        Some(held) => held.loss().await,
        None => std::future::pending().await,
    }
}

impl<S> Held<S> {
    /// The task that has it.
    pub(super) fn task(&self) -> usize {
        self.task
    }

    /// The lock's name.
    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// The host that keeps it.
    pub(super) fn host(&self) -> HostName {
        self.host.clone()
    }

    /// For the workers of its task.
    pub(super) fn watch(&self) -> LockWatch {
        self.lost.clone()
    }

    /// Resolves when the lock is lost, once; then never again. Cancel-safe. Has to be polled all the time: the
    /// connection waits for its readers.
    async fn loss(&mut self) -> Failure {
        if self.lost.lost().is_some() {
            return std::future::pending().await;
        }
        let why = self.talk.end().await;
        let message = format!("the lock {} on {} was lost: {why}", self.name, self.host);
        let failure = Failure::new(Kind::Locked, message)
            .hint("another run may have held it meanwhile: check what it did before running again");
        self.lost.lose(failure)
    }

    /// Gives the lock back; whether it was held until then. Gives the connection, too.
    pub(super) async fn release(mut self) -> (Arc<S>, bool) {
        let kept = self.lost.lost().is_none();
        if kept {
            self.talk.writer.end().await;
            // The next one is to find it free.
            let _ = tokio::time::timeout(GOODBYE, self.talk.end()).await;
        }
        (self.session, kept)
    }
}

/// The shell on the host that holds the lock.
struct LockTalk {
    reader: PipeReader,
    writer: PipeWriter,
    /// What came of a line that is not whole yet.
    line: BytesMut,
    /// The last that it complained about.
    complaint: BytesMut,
    exit: Option<Exit>,
}

impl LockTalk {
    fn new(pipe: Pipe) -> Self {
        let Pipe { reader, writer } = pipe;
        Self { reader, writer, line: BytesMut::new(), complaint: BytesMut::new(), exit: None }
    }

    /// Makes it try.
    async fn ask(&mut self, run: &str) -> Result<LockAnswer, String> {
        // When it takes nothing any more, its end says why.
        let _ = self.writer.send(Bytes::from_static(ASK.as_bytes())).await;
        loop {
            while let Some(line) = self.take_line() {
                if let Some(answer) = lock::answer(&line, run) {
                    return Ok(answer);
                }
            }
            if let Some(why) = self.hear().await {
                return Err(why);
            }
        }
    }

    /// Resolves when it has ended, with the reason. Not to be called again. Cancel-safe.
    async fn end(&mut self) -> String {
        loop {
            if let Some(why) = self.hear().await {
                return why;
            }
            while self.take_line().is_some() {}
        }
    }

    /// Takes in the next thing that comes; says why when it was the last.
    async fn hear(&mut self) -> Option<String> {
        let (end, data) = match self.reader.next().await {
            ExecEvent::Stdout(data) => (&mut self.line, data),
            ExecEvent::Stderr(data) => (&mut self.complaint, data),
            ExecEvent::Exit(exit) => {
                self.exit = Some(exit);
                return None;
            }
            ExecEvent::Closed => return Some(self.why()),
            ExecEvent::Lost(failure) => return Some(failure.message()),
        };
        end.extend_from_slice(&data);
        if end.len() > LONGEST {
            let _ = end.split_to(end.len() - LONGEST);
        }
        None
    }

    fn take_line(&mut self) -> Option<String> {
        let end = self.line.iter().position(|&byte| byte == b'\n')?;
        let line = self.line.split_to(end + 1);
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn why(&self) -> String {
        let complaint = String::from_utf8_lossy(&self.complaint);
        let last = complaint.lines().rev().find(|line| !line.trim().is_empty());
        let ended = match &self.exit {
            Some(Exit::Status(status)) => format!("its shell there ended with exit status {status}"),
            Some(Exit::Signal(name)) => format!("its shell there was killed by signal {name}"),
            None => "its shell there ended".to_owned(),
        };
        last.map_or_else(|| ended.clone(), |last| format!("{ended}: {}", last.trim()))
    }
}
