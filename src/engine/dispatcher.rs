//! Owns the truth of a run: who waits, who is at work, who is done. One loop, no locks.
//!
//! The promise it keeps whatever happens: exactly one final record per host of the plan.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{Id, JoinError, JoinSet};

use crate::engine::delegates::{self, Delegates};
use crate::engine::learned::Learned;
use crate::engine::lock::{self, Held};
use crate::engine::plan::{Keeper, Plan, PlannedHost, PlannedLock, PlannedTask, TaskHost};
use crate::engine::questions::QuestionSender;
use crate::engine::sink::EventSink;
use crate::engine::step::interrupted;
use crate::engine::stop::{Stop, StopReceiver};
use crate::engine::together::{Batch, Once, Together};
use crate::engine::worker::{self, Activity, HostRun, Shared, TaskEnd};
use crate::engine::{choose, planner};
use crate::event::{Fact, HostOutcome, SCHEMA_VERSION, Straggler};
use crate::model::outcome::{CancelReason, Failure, Kind, Status};
use crate::model::value::Vars;
use crate::ssh::{Connector, Notice};

/// A run that has been quiet for this long says what it waits for.
const QUIET: Duration = Duration::from_secs(20);

/// How often the quiet is looked at.
const TICK: Duration = Duration::from_secs(1);

/// How often a run that waits for an agent says so, at most.
const AGENT_AGAIN: Duration = Duration::from_secs(5);

/// Stragglers named at a time, at most.
const NAMED_STRAGGLERS: usize = 10;

/// Runs a plan to its end and tells all of it.
pub async fn run<C: Connector>(
    plan: Arc<Plan>,
    connector: C,
    sink: EventSink,
    stop: StopReceiver,
    questions: QuestionSender,
) {
    sink.tell(Fact::RunStarted {
        schema: SCHEMA_VERSION,
        run: Arc::clone(&plan.run),
        title: plan.title.clone(),
        started_at: plan.started_at.clone(),
        hosts: plan.host_names(),
        tasks: plan.summaries(),
        pool: plan.pool,
    });
    let shared = Shared {
        plan: Arc::clone(&plan),
        connector: Arc::new(connector),
        sink,
        stop: stop.clone(),
        questions,
        files: Arc::default(),
        delegates: Arc::new(Delegates::of(&plan)),
        learned: Learned::of(&plan),
        pace: Arc::default(),
        pool: Arc::new(Semaphore::new(plan.pool.clamp(1, Semaphore::MAX_PERMITS))),
    };
    let mut dispatcher = Dispatcher::new(shared);
    let mut budget = 0;
    if plan.condition.is_some() {
        dispatcher.choose().await;
    }
    for index in 0..plan.tasks.len() {
        let Some(task) = dispatcher.shared.plan.tasks.get(index) else { break };
        // What one task may lose, the ones after it may do without.
        budget = budget.max(task.max_fail.unwrap_or(0));
        // Hosts that could not be asked whether they take part were lost before the first task. All others begin it,
        // unless it has a budget or goes in batches, as they would have without the question.
        let unbound = index == 0 && task.max_fail.is_none() && task.sizes.serial.is_empty();
        let ended = dispatcher.declined || dispatcher.unmet.is_some() || dispatcher.barred.is_some();
        if stop.current() != Stop::Run || ended || (dispatcher.lost() > budget && !unbound) {
            break;
        }
        dispatcher.task(index).await;
    }
    dispatcher.finish().await;
}

/// Resolves when the lock is lost; never without one.
async fn loss<S>(lock: &mut Option<Held<S>>) -> Failure {
    match lock {
        Some(held) => held.loss().await,
        None => std::future::pending().await,
    }
}

/// Where a host is in the run.
enum HostState<S> {
    /// Between tasks, or before its first one.
    Waiting(HostRun<S>),
    /// A worker has it.
    AtWork(Arc<Activity>),
    /// Its final record is told.
    Finished(Status),
}

/// What a worker does with its host.
#[derive(Clone, Copy)]
enum Errand {
    /// Finds out whether it takes part.
    Choose,
    /// Takes it through this task.
    Task(usize),
}

type WorkerEnd<S> = (HostRun<S>, TaskEnd);

struct Dispatcher<C: Connector> {
    shared: Shared<C>,
    hosts: Vec<HostState<C::Session>>,
    /// For each host, the last task that it takes part in.
    last_task: Vec<Option<usize>>,
    workers: JoinSet<WorkerEnd<C::Session>>,
    /// Which host each worker has: known also when the worker panics.
    at_work: HashMap<Id, Member>,
    /// Sessions on their way out.
    closing: JoinSet<()>,
    told_stop: Stop,
    agent: AgentWatch,
    /// Steps that one host does for all.
    once: Arc<Once<Vars>>,
    /// The user said no: nobody else begins.
    declined: bool,
    /// A task that one host was to do for all, and did not: nothing that comes later can count on it.
    unmet: Option<Arc<str>>,
    /// The lock of the task that is on.
    lock: Option<Held<C::Session>>,
    /// A lock could not be had, or was lost: nobody else begins.
    barred: Option<Failure>,
}

/// A host in a batch.
#[derive(Clone, Copy)]
struct Member {
    /// Index into the plan's hosts.
    host: usize,
    /// Its place in the task's list.
    position: usize,
    /// Its place in the batch.
    member: usize,
}

/// What the last looks at the queue before the agent found.
#[derive(Default)]
struct AgentWatch {
    /// Somebody waited at the last look.
    awaited: bool,
    /// When it was told last, on the run's clock.
    told: Option<Duration>,
}

impl AgentWatch {
    /// Whether to tell that so many hosts wait now. An agent without a person behind it is done by the second look.
    fn is_due(&mut self, waiting: usize, now: Duration) -> bool {
        let lasting = std::mem::replace(&mut self.awaited, waiting > 0) && waiting > 0;
        let due = lasting && self.told.is_none_or(|told| now.saturating_sub(told) >= AGENT_AGAIN);
        if due {
            self.told = Some(now);
        }
        due
    }
}

/// For each host, the last task that it takes part in.
fn last_tasks(plan: &Plan) -> Vec<Option<usize>> {
    let mut last_task = vec![None; plan.hosts.len()];
    for (index, task) in plan.tasks.iter().enumerate() {
        for host in &task.hosts {
            if let Some(last) = last_task.get_mut(host.host) {
                *last = Some(index);
            }
        }
    }
    last_task
}

impl<C: Connector> Dispatcher<C> {
    fn new(shared: Shared<C>) -> Self {
        let plan = &shared.plan;
        let run = |(host, planned): (usize, &PlannedHost)| {
            let run = HostRun::new(host, &shared.sink);
            HostState::Waiting(run.remembering(&plan.memory, &planned.endpoint.name))
        };
        let hosts = plan.hosts.iter().enumerate().map(run);
        let once = Arc::new(Once::default());
        plan.memory.restore(plan, &once, &shared.learned);
        Self {
            hosts: hosts.collect(),
            last_task: last_tasks(plan),
            workers: JoinSet::new(),
            at_work: HashMap::new(),
            closing: JoinSet::new(),
            told_stop: Stop::Run,
            agent: AgentWatch::default(),
            once,
            declined: false,
            unmet: None,
            lock: None,
            barred: None,
            shared,
        }
    }

    /// How many hosts did not end well: others might depend on what failed there.
    fn lost(&self) -> usize {
        let lost = |host: &&HostState<C::Session>| match host {
            HostState::Finished(status) => {
                matches!(status, Status::Failed | Status::Unreachable | Status::Unknown)
            }
            HostState::Waiting(_) | HostState::AtWork(_) => false,
        };
        self.hosts.iter().filter(lost).count()
    }

    /// Finds out which hosts take part, and leaves the others out of the tasks.
    async fn choose(&mut self) {
        let member = |host| Member { host, position: host, member: host };
        self.batch(Errand::Choose, 0, None, (0..self.hosts.len()).map(member).collect()).await;
        if self.told_stop != Stop::Run {
            return;
        }
        let chosen: Vec<bool> = self.hosts.iter().map(|host| matches!(host, HostState::Waiting(_))).collect();
        planner::narrow(Arc::make_mut(&mut self.shared.plan), &chosen);
        self.last_task = last_tasks(&self.shared.plan);
        for host in 0..self.hosts.len() {
            if self.last_task.get(host).copied().flatten().is_some() {
                continue;
            }
            let Some(state) = self.hosts.get_mut(host) else { continue };
            match std::mem::replace(state, HostState::Finished(Status::Skipped)) {
                HostState::Waiting(run) => {
                    let failure = Failure::new(Kind::Where, "not needed: one host is enough");
                    let outcome = run.outcome(Status::Skipped, Some(failure), None);
                    self.record(run, outcome);
                }
                other => *state = other,
            }
        }
    }

    /// Runs one task on all its hosts that are still in the run, batch by batch.
    async fn task(&mut self, task: usize) {
        let plan = Arc::clone(&self.shared.plan);
        let Some(planned) = plan.tasks.get(task) else { return };
        let chosen = plan.condition.as_ref().map(|_| planned.hosts.iter().map(|host| host.host).collect());
        self.shared.sink.tell(Fact::TaskStarted { task, hosts: chosen });
        // What changes nothing keeps nobody out.
        if let Some(lock) = planned.lock.as_ref().filter(|_| !plan.changes.dry_run) {
            self.take_lock(task, lock).await;
        }
        let of = planned.batches.len();
        for (number, batch) in planned.batches.iter().enumerate() {
            if let Some(failure) = loss(&mut self.lock).now_or_never() {
                self.lose_lock(failure);
            }
            let over_budget = self.lost() > planned.max_fail.unwrap_or(0);
            let ended = self.told_stop != Stop::Run || self.declined || self.barred.is_some();
            if ended || (number > 0 && over_budget) {
                break;
            }
            let hosts = planned.hosts.get(batch.clone()).unwrap_or_default();
            if of > 1 {
                let hosts = hosts.iter().map(|host| host.host).collect();
                self.shared.sink.tell(Fact::BatchStarted { task, batch: number + 1, of, hosts });
            }
            let queue = hosts.iter().enumerate().map(|(member, host)| Member {
                host: host.host,
                position: batch.start + member,
                member,
            });
            self.batch(Errand::Task(task), number, planned.max_fail, queue.collect()).await;
        }
        self.release_lock().await;
        // Whom a lock kept out of the task is told so.
        if self.told_stop == Stop::Run && !self.declined && self.barred.is_none() {
            self.part_with(task, planned);
        }
        self.shared.sink.tell(Fact::TaskFinished { task });
    }

    /// Hosts that a task did not get to take no part any more: what comes later counts on what they have missed.
    fn part_with(&mut self, task: usize, planned: &PlannedTask) {
        let done = |host: &TaskHost| match self.hosts.get(host.host) {
            Some(HostState::Waiting(run)) => run.through == Some(task),
            Some(HostState::Finished(status)) => *status == Status::Ok,
            Some(HostState::AtWork(_)) | None => false,
        };
        // Without a host here (`--shard`) it is another run that does it.
        if planned.run_once && !planned.hosts.is_empty() && !planned.hosts.iter().any(done) {
            self.unmet = Some(Arc::clone(&planned.name));
        }
        let troubled = self.lost();
        for TaskHost { host, .. } in &planned.hosts {
            let Some(state) = self.hosts.get_mut(*host) else { continue };
            match std::mem::replace(state, HostState::Finished(Status::Skipped)) {
                HostState::Waiting(run) if run.through != Some(task) => {
                    let outcome = self.left_over(&run, None, troubled);
                    self.record(run, outcome);
                }
                other => *state = other,
            }
        }
    }

    /// Sends workers to the hosts of a batch; returns when none is left. Nobody else begins when more hosts than `most`
    /// have ended badly.
    async fn batch(
        &mut self,
        errand: Errand,
        number: usize,
        most: Option<usize>,
        mut queue: VecDeque<Member>,
    ) {
        let batch = Arc::new(Batch::new(queue.len()));
        let once = Arc::clone(&self.once);
        let mut ticks = tokio::time::interval(TICK);
        let mut stop = self.shared.stop.clone();
        let connector = Arc::clone(&self.shared.connector);
        let pool = Arc::clone(&self.shared.pool);
        loop {
            let ended = self.told_stop != Stop::Run || self.barred.is_some();
            if ended || most.is_some_and(|most| self.lost() > most) {
                // Nobody waits for those that do not begin.
                queue.drain(..).for_each(|left| batch.leave(left.member));
            }
            while let Some(next) = queue.front()
                && let Ok(permit) = Arc::clone(&pool).try_acquire_owned()
            {
                let (batch_of, once) = (Arc::clone(&batch), Arc::clone(&once));
                let lock = self.lock.as_ref().map(Held::watch).unwrap_or_default();
                let together = Together { batch: batch_of, number, member: next.member, once, lock };
                if !self.start(errand, next, permit, together) {
                    batch.leave(next.member);
                }
                queue.pop_front();
            }
            if self.workers.is_empty() && queue.is_empty() {
                break;
            }
            let told = self.told_stop;
            tokio::select! {
                biased;
                wanted = stop.beyond(told) => self.hear_stop(wanted),
                // Before the end of the hosts that it explains.
                notice = connector.notice() => self.note(notice),
                failure = loss(&mut self.lock) => self.lose_lock(failure),
                Some(joined) = self.workers.join_next_with_id() => self.join(errand, joined, &batch),
                // A host that waits for others gives its place up.
                permit = Arc::clone(&pool).acquire_owned(), if !queue.is_empty() => drop(permit),
                _ = ticks.tick() => {
                    self.look_at_agent();
                    self.look_for_stragglers();
                }
            }
        }
        while let Some(notice) = connector.notice().now_or_never() {
            self.note(notice);
        }
    }

    /// Takes a task's lock, on the connection that its host goes on to work on.
    async fn take_lock(&mut self, task: usize, lock: &PlannedLock) {
        let member = match lock.keeper {
            Keeper::Member(host) => Some(host),
            Keeper::Aside(_) => None,
        };
        // Of a host that has its final record, or is none of the run's, nothing more is told.
        let (session, is_told) = match member.and_then(|host| self.hosts.get(host)) {
            Some(HostState::Waiting(run)) => (run.session.clone(), true),
            Some(HostState::AtWork(_) | HostState::Finished(_)) | None => (None, false),
        };
        let sink = is_told.then(|| self.shared.sink.clone());
        let taking = lock::take(self.shared.clone(), task, lock.clone(), session, sink);
        tokio::pin!(taking);
        let mut ticks = tokio::time::interval(TICK);
        let mut stop = self.shared.stop.clone();
        let connector = Arc::clone(&self.shared.connector);
        let taken = loop {
            let told = self.told_stop;
            tokio::select! {
                biased;
                wanted = stop.beyond(told) => self.hear_stop(wanted),
                notice = connector.notice() => self.note(notice),
                taken = &mut taking => break taken,
                _ = ticks.tick() => self.look_at_agent(),
            }
        };
        let session = match &taken {
            Ok(held) => Some(Arc::clone(&held.session)),
            Err(not) => not.session.clone(),
        };
        if let Some(host) = member
            && let Some(HostState::Waiting(run)) = self.hosts.get_mut(host)
        {
            run.session = session;
        } else if taken.is_err() {
            session.into_iter().for_each(|session| drop(self.closing.spawn(worker::close(session))));
        }
        match taken {
            Ok(held) => {
                let (lock, host) = (held.name(), held.host());
                self.shared.sink.tell(Fact::LockTaken { task, lock, host });
                self.lock = Some(held);
            }
            // The hosts are told of the stop.
            Err(not) if not.failure.kind == Kind::Interrupted => {}
            Err(not) => {
                let host = self.shared.plan.keeper(lock).map(|keeper| keeper.name.clone());
                let (lock, host) = (Arc::clone(&lock.name), host.expect("the plan's locks name its hosts"));
                let failure = not.failure;
                if !self.shared.plan.locking.look_only {
                    self.barred = Some(failure.clone());
                }
                self.shared.sink.tell(Fact::LockFailed { task, lock, host, failure });
            }
        }
    }

    fn lose_lock(&mut self, failure: Failure) {
        let Some(held) = &self.lock else { return };
        let (task, lock, host) = (held.task(), held.name(), held.host());
        self.barred = Some(failure.clone());
        self.shared.sink.tell(Fact::LockFailed { task, lock, host, failure });
    }

    /// Gives the task's lock back, if there is one.
    async fn release_lock(&mut self) {
        let Some(held) = self.lock.take() else { return };
        let (task, lock, host) = (held.task(), held.name(), held.host());
        let (session, kept) = held.release().await;
        if kept {
            self.shared.sink.tell(Fact::LockReleased { task, lock, host });
        }
        let in_use = |state: &HostState<C::Session>| match state {
            HostState::Waiting(run) => run.session.as_ref().is_some_and(|other| Arc::ptr_eq(other, &session)),
            HostState::AtWork(_) | HostState::Finished(_) => false,
        };
        if !self.hosts.iter().any(in_use) {
            self.closing.spawn(worker::close(session));
        }
    }

    /// Puts a worker on a host that is still in the run.
    fn start(
        &mut self,
        errand: Errand,
        member: &Member,
        permit: OwnedSemaphorePermit,
        together: Together,
    ) -> bool {
        let Some(state) = self.hosts.get_mut(member.host) else { return false };
        match std::mem::replace(state, HostState::Finished(Status::Ok)) {
            HostState::Waiting(mut run) => {
                run.permit = Some(permit);
                *state = HostState::AtWork(Arc::clone(&run.activity));
                let shared = self.shared.clone();
                let spawned = match errand {
                    Errand::Choose => self.workers.spawn(choose::decide(shared, run)),
                    Errand::Task(task) => {
                        run.begun = true;
                        self.workers.spawn(worker::run_task(shared, run, task, member.position, together))
                    }
                };
                let id = spawned.id();
                self.at_work.insert(id, *member);
                true
            }
            other => {
                *state = other;
                false
            }
        }
    }

    /// Tells what the transport says about gateways.
    fn note(&self, notice: Notice) {
        self.shared.sink.tell(match notice {
            Notice::Connected { gateway, timings, auth } => Fact::GatewayConnected { gateway, timings, auth },
            Notice::Failed { gateway, failure } => Fact::GatewayFailed { gateway, failure },
        });
    }

    fn hear_stop(&mut self, wanted: Stop) {
        if let Some(reason) = wanted.reason() {
            let forced = matches!(wanted, Stop::Now(_));
            self.shared.sink.tell(Fact::StopRequested { reason, forced });
        }
        self.told_stop = wanted;
    }

    fn join(
        &mut self,
        errand: Errand,
        joined: Result<(Id, WorkerEnd<C::Session>), JoinError>,
        batch: &Batch,
    ) {
        match joined {
            Ok((id, (mut run, end))) => {
                if let Some(member) = self.at_work.remove(&id) {
                    batch.leave(member.member);
                }
                run.permit = None;
                if let (Errand::Task(task), TaskEnd::Done) = (errand, &end) {
                    run.through = Some(task);
                }
                match end {
                    // Not as it should have been, however well each step went.
                    TaskEnd::Done if self.lock.as_ref().is_some_and(|held| held.watch().lost().is_some()) => {
                        let outcome = run.outcome(Status::Failed, self.barred.clone(), None);
                        self.record(run, outcome);
                    }
                    TaskEnd::Done if self.is_last(run.host, errand) => {
                        let outcome = run.outcome(Status::Ok, None, None);
                        self.record(run, outcome);
                    }
                    TaskEnd::Done => {
                        let host = run.host;
                        self.share(errand, &run);
                        if let Some(state) = self.hosts.get_mut(host) {
                            *state = HostState::Waiting(run);
                        }
                    }
                    TaskEnd::Ended(outcome) => self.record(run, outcome),
                }
            }
            Err(error) => {
                if let Some(member) = self.at_work.remove(&error.id()) {
                    batch.leave(member.member);
                    // The panic took the host's run with it: what it had started is not known.
                    let failure =
                        Failure::new(Kind::Internal, "fan's worker for this host failed; this is a bug")
                            .hint("please report it, with the output of `fan --version`");
                    self.tell_finished(
                        member.host,
                        HostOutcome {
                            status: Status::Unknown,
                            failure: Some(failure),
                            step: None,
                            started: true,
                            may_still_run: true,
                        },
                    );
                }
            }
        }
    }

    /// What the one host of a `run_once` task has learned is known to all.
    fn share(&mut self, errand: Errand, run: &HostRun<C::Session>) {
        let Errand::Task(task) = errand else { return };
        if !self.shared.plan.tasks.get(task).is_some_and(|planned| planned.run_once) {
            return;
        }
        for host in &mut self.hosts {
            if let HostState::Waiting(other) = host {
                other.define(&self.shared, run.vars.clone());
            }
        }
    }

    fn is_last(&self, host: usize, errand: Errand) -> bool {
        match errand {
            Errand::Choose => false,
            Errand::Task(task) => self.last_task.get(host).copied().flatten() == Some(task),
        }
    }

    /// Tells a host's final record and lets its connection go.
    fn record(&mut self, run: HostRun<C::Session>, outcome: HostOutcome) {
        // The lock's connection is closed with the lock.
        let locked = |session: &Arc<C::Session>| {
            self.lock.as_ref().is_some_and(|held| Arc::ptr_eq(&held.session, session))
        };
        if let Some(session) = run.session.filter(|session| !locked(session)) {
            self.closing.spawn(worker::close(session));
        }
        // The ones that are closed by now are let go.
        while self.closing.try_join_next().is_some() {}
        self.tell_finished(run.host, outcome);
    }

    fn tell_finished(&mut self, host: usize, outcome: HostOutcome) {
        let (Some(state), Some(planned)) = (self.hosts.get_mut(host), self.shared.plan.hosts.get(host))
        else {
            return;
        };
        *state = HostState::Finished(outcome.status);
        self.declined |= outcome.failure.as_ref().is_some_and(|failure| failure.kind == Kind::Declined);
        self.shared.sink.tell(Fact::HostFinished { host: planned.endpoint.name.clone(), outcome });
    }

    fn look_at_agent(&mut self) {
        let hosts = self.shared.connector.waiting_for_agent();
        if self.agent.is_due(hosts, self.shared.sink.elapsed()) {
            self.shared.sink.tell(Fact::AgentAwaited { hosts });
        }
    }

    fn look_for_stragglers(&self) {
        if self.shared.sink.silence() < QUIET || self.shared.questions.is_busy() {
            return;
        }
        let mut stragglers: Vec<Straggler> = Vec::new();
        for (state, planned) in self.hosts.iter().zip(&self.shared.plan.hosts) {
            if let HostState::AtWork(activity) = state {
                let (running, silent) = activity.ages();
                stragglers.push(Straggler { host: planned.endpoint.name.clone(), running, silent });
            }
        }
        stragglers.sort_by_key(|straggler| std::cmp::Reverse(straggler.running));
        stragglers.truncate(NAMED_STRAGGLERS);
        self.shared.sink.tell(Fact::StragglersNoticed { hosts: stragglers });
    }

    /// Gives the hosts that are left their final record, and ends the run.
    async fn finish(mut self) {
        let wanted = self.shared.stop.current();
        if wanted > self.told_stop {
            self.hear_stop(wanted);
        }
        let troubled = self.lost();
        for host in 0..self.hosts.len() {
            let Some(state) = self.hosts.get_mut(host) else { continue };
            match std::mem::replace(state, HostState::Finished(Status::Skipped)) {
                HostState::Waiting(run) => {
                    let outcome = self.left_over(&run, wanted.reason(), troubled);
                    self.record(run, outcome);
                }
                other => *state = other,
            }
        }
        // A stop that came after all work was done ended nothing.
        let ended_early =
            self.hosts.iter().any(|host| matches!(host, HostState::Finished(Status::Cancelled)));
        let cancelled = wanted.reason().filter(|_| ended_early);
        self.shared.sink.tell(Fact::RunFinished { cancelled });
        let goodbyes = async {
            delegates::close(&self.shared.delegates).await;
            while self.closing.join_next().await.is_some() {}
        };
        let _ = tokio::time::timeout(wanted.patience().sessions, goodbyes).await;
    }

    /// The record of a host that the run ended without.
    fn left_over(
        &self,
        run: &HostRun<C::Session>,
        cancelled: Option<CancelReason>,
        troubled: usize,
    ) -> HostOutcome {
        let (status, failure) = match (cancelled, &self.barred) {
            (Some(reason), _) => (Status::Cancelled, interrupted(reason)),
            (None, Some(failure)) => (Status::Skipped, failure.clone()),
            (None, None) if self.declined => {
                let what = if run.begun { "continued" } else { "begun" };
                let message = format!("not {what}: the answer to a question was no");
                (Status::Skipped, Failure::new(Kind::Declined, message))
            }
            (None, None) if let Some(task) = &self.unmet => {
                let what = if run.begun { "continued" } else { "begun" };
                let message =
                    format!("not {what}: \"{task}\", which one host was to do for all, did not end well");
                (Status::Skipped, Failure::new(Kind::Dependency, message))
            }
            (None, None) => {
                let total = self.hosts.len();
                let what = if run.begun { "continued" } else { "begun" };
                let message = format!("not {what}: {troubled} of {total} hosts did not end well");
                (Status::Skipped, Failure::new(Kind::Dependency, message))
            }
        };
        run.outcome(status, Some(failure), None)
    }
}
