//! The loop that owns the truth of a run.
//!
//! The promise it keeps whatever happens: exactly one final record per host of the plan.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{Id, JoinError, JoinSet};
use tracing::{Instrument, error_span};

use crate::engine::dispatcher::agent::AgentWatch;
use crate::engine::dispatcher::closed::Closed;
use crate::engine::dispatcher::lock::{Held, loss};
use crate::engine::dispatcher::restore::restore;
use crate::engine::dispatcher::roster::{HostState, Roster};
use crate::engine::host::connection::close;
use crate::engine::host::delegates::Delegates;
use crate::engine::host::learned::Learned;
use crate::engine::host::pace::Pace;
use crate::engine::host::run::{HostProgress, HostRun};
use crate::engine::host::throttles::Throttles;
use crate::engine::host::tools::{FromUser, Tools};
use crate::engine::live::sink::EventSink;
use crate::engine::live::stop::{Stop, interrupted};
use crate::engine::live::together::{Batch, Once, Together};
use crate::engine::plan::{Plan, PlannedTask, TaskHost};
use crate::engine::planner;
use crate::engine::walk::halt::TaskEnd;
use crate::engine::walk::shared::Shared;
use crate::engine::walk::{choose, way};
use crate::event::{
    ConnectionFact, Fact, GatewayFact, HostOutcome, RecordFact, RunFact, SCHEMA_VERSION, TaskFact,
};
use crate::model::inventory::HostName;
use crate::model::outcome::{CancelReason, Failure, Kind, Status};
use crate::model::template::Layer;
use crate::ssh::{Connector, Notice};

/// How often the quiet is looked at.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// Runs a plan to its end and tells all of it.
pub async fn run<C: Connector>(plan: Arc<Plan>, connector: C, sink: EventSink, user: FromUser) {
    let FromUser { stop, questions, input, recipe } = user;
    sink.tell(Fact::Run(RunFact::Started {
        schema: SCHEMA_VERSION,
        run: Arc::clone(&plan.run),
        title: plan.title.clone(),
        started_at: plan.started_at.clone(),
        hosts: plan.host_names(),
        tasks: plan.summaries(),
        pool: plan.pool,
    }));
    if let Some(recipe) = recipe {
        sink.tell(Fact::Record(RecordFact::CommandGiven { recipe }));
    }
    let shared = Shared {
        tools: Tools {
            connector: Arc::new(connector),
            sink,
            stop: stop.clone(),
            questions,
            files: Arc::default(),
            input,
        },
        delegates: Arc::new(Delegates::of(&plan)),
        learned: Learned::of(&plan),
        pace: Arc::new(Pace::default()),
        throttles: Arc::new(Throttles::of(&plan)),
        pool: Arc::new(Semaphore::new(plan.pool.clamp(1, Semaphore::MAX_PERMITS))),
    };
    let mut dispatcher = Dispatcher::new(plan, shared);
    let mut budget = 0;
    if dispatcher.plan.condition.is_some() {
        dispatcher.choose().await;
    }
    for index in 0..dispatcher.plan.tasks.len() {
        let Some(task) = dispatcher.plan.tasks.get(index) else { break };
        // What one task may lose, the ones after it may do without.
        budget = budget.max(task.max_fail.unwrap_or(0));
        // Hosts that could not be asked whether they take part were lost before the first task. All others begin it,
        // unless it has a budget or goes in batches, as they would have without the question.
        let unbound = index == 0 && task.max_fail.is_none() && task.sizes.serial.is_empty();
        let over_budget = dispatcher.hosts.lost() > budget && !unbound;
        if stop.current() != Stop::Run || dispatcher.closed.is_some() || over_budget {
            break;
        }
        dispatcher.task(index).await;
    }
    dispatcher.finish().await;
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

pub(super) struct Dispatcher<C: Connector> {
    pub(super) plan: Arc<Plan>,
    pub(super) shared: Arc<Shared<C>>,
    pub(super) hosts: Roster<C::Session>,
    workers: JoinSet<WorkerEnd<C::Session>>,
    /// Which host each worker has: known also when the worker panics.
    at_work: HashMap<Id, BatchMember>,
    /// Sessions on their way out.
    pub(super) closing: JoinSet<()>,
    pub(super) told_stop: Stop,
    /// How many hosts the user has cancelled, as far as that was heard.
    heard_cancels: usize,
    /// The stop ended what a host was doing, or was to do.
    ended_early: bool,
    pub(super) agent: AgentWatch,
    /// Steps that one host does for all.
    once: Arc<Once<Layer>>,
    /// The lock of the task that is on.
    pub(super) lock: Option<Held<C::Session>>,
    /// Why no further host starts, if so.
    closed: Option<Closed>,
}

/// A host in a batch.
#[derive(Clone, Copy)]
struct BatchMember {
    /// Index into the plan's hosts.
    host: usize,
    /// Its place in the task's list.
    position: usize,
    /// Its place in the batch.
    member: usize,
}

impl<C: Connector> Dispatcher<C> {
    fn new(plan: Arc<Plan>, shared: Shared<C>) -> Self {
        let (of, sink) = (Arc::clone(&plan), shared.tools.sink.clone());
        let hosts = Roster::new(&plan, move |host| {
            let name = of.hosts.get(host).map(|planned| &planned.endpoint.name);
            HostRun::new(host, &sink, name.and_then(|name| of.memory.of(name)))
        });
        let once = Arc::new(Once::default());
        restore(&plan, &once, &shared.learned);
        Self {
            hosts,
            workers: JoinSet::new(),
            at_work: HashMap::new(),
            closing: JoinSet::new(),
            told_stop: Stop::Run,
            heard_cancels: 0,
            ended_early: false,
            agent: AgentWatch::default(),
            once,
            lock: None,
            closed: None,
            plan,
            shared: Arc::new(shared),
        }
    }

    /// Finds out which hosts take part, and leaves the others out of the tasks.
    async fn choose(&mut self) {
        let member = |host| BatchMember { host, position: host, member: host };
        self.batch(Errand::Choose, 0, None, (0..self.hosts.len()).map(member).collect()).await;
        if self.told_stop != Stop::Run {
            return;
        }
        let chosen: Vec<bool> = self.hosts.states().map(HostState::waits).collect();
        self.plan = Arc::new(planner::narrow(&self.plan, &chosen));
        self.hosts.replanned(&self.plan);
        for host in 0..self.hosts.len() {
            if self.hosts.last_task(host).is_none()
                && let Some(run) = self.hosts.take(host)
            {
                let failure = Failure::new(Kind::Where, "not needed: one host is enough");
                let outcome = run.outcome(Status::Skipped, Some(failure), None);
                self.record(run, outcome);
            }
        }
    }

    /// Runs one task on all its hosts that are still in the run, batch by batch.
    async fn task(&mut self, task: usize) {
        let plan = Arc::clone(&self.plan);
        let Some(planned) = plan.tasks.get(task) else { return };
        let chosen = plan.condition.as_ref().map(|_| planned.hosts.iter().map(|host| host.host).collect());
        self.shared.tools.sink.tell(Fact::Task(task, TaskFact::Started { hosts: chosen }));
        // What changes nothing keeps nobody out.
        if let Some(lock) = planned.lock.as_ref().filter(|_| !plan.changes.dry_run) {
            self.take_lock(task, lock).await;
        }
        let of = planned.batches.len();
        for (number, batch) in planned.batches.iter().enumerate() {
            if let Some(failure) = loss(&mut self.lock).now_or_never() {
                self.lose_lock(failure);
            }
            let over_budget = self.hosts.lost() > planned.max_fail.unwrap_or(0);
            if self.is_ending() || (number > 0 && over_budget) {
                break;
            }
            let hosts = planned.hosts.get(batch.clone()).unwrap_or_default();
            if of > 1 {
                let hosts = hosts.iter().map(|host| host.host).collect();
                self.shared
                    .tools
                    .sink
                    .tell(Fact::Task(task, TaskFact::BatchStarted { batch: number + 1, of, hosts }));
            }
            let queue = hosts.iter().enumerate().map(|(member, host)| BatchMember {
                host: host.host,
                position: batch.start + member,
                member,
            });
            self.batch(Errand::Task(task), number, planned.max_fail, queue.collect()).await;
        }
        self.release_lock().await;
        // Whom a lock kept out of the task is told so.
        if !self.is_ending() {
            self.part_with(task, planned);
        }
        self.shared.tools.sink.tell(Fact::Task(task, TaskFact::Finished));
    }

    /// Hosts that a task did not get to take no part any more: what comes later counts on what they have missed.
    fn part_with(&mut self, task: usize, planned: &PlannedTask) {
        let done = |host: &TaskHost| match self.hosts.get(host.host) {
            Some(HostState::Waiting(run)) => run.progress == HostProgress::Through(task),
            Some(HostState::Fresh) => false,
            Some(HostState::Finished(status)) => *status == Status::Ok,
            Some(HostState::AtWork(_)) | None => false,
        };
        // Without a host here (`--shard`) it is another run that does it.
        if planned.run_once && !planned.hosts.is_empty() && !planned.hosts.iter().any(done) {
            self.close(Closed::Unmet(Arc::clone(&planned.name)));
        }
        let troubled = self.hosts.lost();
        for TaskHost { host, .. } in &planned.hosts {
            if self.hosts.waiting_at(*host).is_some_and(|run| run.progress != HostProgress::Through(task)) {
                self.leave_out(*host, None, troubled);
            }
        }
    }

    /// No further host starts. The first reason is the one that is recorded.
    pub(super) fn close(&mut self, why: Closed) {
        self.closed.get_or_insert(why);
    }

    /// Whether no further host starts, for any reason but the budget.
    fn is_ending(&self) -> bool {
        self.told_stop != Stop::Run || self.closed.is_some()
    }

    /// Sends workers to the hosts of a batch; returns when none is left. No further host starts when more hosts than `most`
    /// have ended badly.
    async fn batch(
        &mut self,
        errand: Errand,
        number: usize,
        most: Option<usize>,
        mut queue: VecDeque<BatchMember>,
    ) {
        let batch = Arc::new(Batch::new(queue.len()));
        let once = Arc::clone(&self.once);
        let mut ticks = tokio::time::interval(TICK);
        let mut stop = self.shared.tools.stop.clone();
        let shared = Arc::clone(&self.shared);
        let pool = Arc::clone(&self.shared.pool);
        loop {
            if self.is_ending() || most.is_some_and(|most| self.hosts.lost() > most) {
                // Nobody waits for those that do not begin.
                queue.drain(..).for_each(|left| batch.leave(left.member));
            }
            self.leave_out_cancelled(&mut queue, &batch);
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
            let (told, cancels) = (self.told_stop, self.heard_cancels);
            let mut cancelled = stop.clone();
            tokio::select! {
                biased;
                wanted = stop.beyond(told) => self.hear_stop(wanted),
                () = cancelled.cancelled_beyond(cancels) => {}
                // Before the end of the hosts that it explains.
                notice = shared.tools.connector.notice() => self.note(notice),
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
        while let Some(notice) = shared.tools.connector.notice().now_or_never() {
            self.note(notice);
        }
    }

    /// Puts a worker on a host that is still in the run.
    fn start(
        &mut self,
        errand: Errand,
        member: &BatchMember,
        permit: OwnedSemaphorePermit,
        together: Together,
    ) -> bool {
        let Some(mut run) = self.hosts.take(member.host) else { return false };
        run.permit = Some(permit);
        self.hosts.set(member.host, HostState::AtWork(Arc::clone(&run.activity)));
        // What the log tells of it has its name.
        let name = self.plan.hosts.get(member.host).map(|host| &host.endpoint.name);
        let span = error_span!("host", name = name.map(HostName::as_str));
        let shared =
            name.map_or_else(|| Arc::clone(&self.shared), |name| Arc::new(self.shared.of_host(name)));
        let plan = Arc::clone(&self.plan);
        let spawned = match errand {
            Errand::Choose => self.workers.spawn(choose::decide(plan, shared, run).instrument(span)),
            Errand::Task(task) => {
                if run.progress == HostProgress::Waits {
                    run.progress = HostProgress::Begun;
                }
                let work = way::run_task(plan, shared, run, task, member.position, together);
                self.workers.spawn(work.instrument(span))
            }
        };
        self.at_work.insert(spawned.id(), *member);
        true
    }

    /// Gives hosts that the user has cancelled before they were at work, or between tasks, their final record.
    fn leave_out_cancelled(&mut self, queue: &mut VecDeque<BatchMember>, batch: &Batch) {
        let cancelled = self.shared.tools.stop.cancelled();
        if cancelled.len() == self.heard_cancels {
            return;
        }
        self.heard_cancels = cancelled.len();
        let plan = Arc::clone(&self.plan);
        let names = plan.hosts.iter().map(|host| &host.endpoint.name);
        for (host, _) in names.enumerate().filter(|(_, name)| cancelled.contains(name)) {
            self.leave_out(host, Some(CancelReason::User), 0);
            // Nobody waits for it.
            let gone = queue.iter().position(|member| member.host == host);
            if let Some(member) = gone.and_then(|at| queue.remove(at)) {
                batch.leave(member.member);
            }
        }
    }

    /// Tells what the transport says about gateways.
    pub(super) fn note(&self, notice: Notice) {
        self.shared.tools.sink.tell(match notice {
            Notice::Connected { gateway, timings, auth } => {
                Fact::Gateway(gateway, GatewayFact::Connected { timings, auth })
            }
            Notice::ProxySaid { host, line } => Fact::Connection(host, ConnectionFact::ProxySaid { line }),
            Notice::Failed { gateway, failure } => Fact::Gateway(gateway, GatewayFact::Failed { failure }),
        });
    }

    pub(super) fn hear_stop(&mut self, wanted: Stop) {
        if let Some(reason) = wanted.reason() {
            let forced = matches!(wanted, Stop::Now(_));
            self.shared.tools.sink.tell(Fact::Run(RunFact::StopRequested { reason, forced }));
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
                if let (Errand::Task(task), TaskEnd::Done { .. }) = (errand, &end) {
                    run.progress = HostProgress::Through(task);
                }
                let lost = self.lock.as_ref().and_then(|held| held.watch().lost().cloned());
                match end {
                    // Not as it should have been, however well each step went.
                    TaskEnd::Done { .. } if lost.is_some() => {
                        let outcome = run.outcome(Status::Failed, lost, None);
                        self.record(run, outcome);
                    }
                    TaskEnd::Done { given } => {
                        self.share(&given);
                        if self.is_last(run.host, errand) {
                            let outcome = run.outcome(Status::Ok, None, None);
                            self.record(run, outcome);
                        } else {
                            self.hosts.set(run.host, HostState::Waiting(Box::new(run)));
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

    /// What the steps of a `run_once` task defined on its one host is known to all.
    fn share(&mut self, given: &Layer) {
        if given.is_empty() {
            return;
        }
        for other in self.hosts.waiting() {
            other.layer.take_over(given);
            if let Some(planned) = self.plan.hosts.get(other.host) {
                self.shared.learned.tell(planned.endpoint.name.as_str(), &other.layer);
            }
        }
    }

    fn is_last(&self, host: usize, errand: Errand) -> bool {
        match errand {
            Errand::Choose => false,
            Errand::Task(task) => self.hosts.last_task(host) == Some(task),
        }
    }

    /// Tells a host's final record and lets its connection go.
    fn record(&mut self, run: HostRun<C::Session>, outcome: HostOutcome) {
        // The lock's connection is closed with the lock.
        let locked = |session: &Arc<C::Session>| {
            self.lock.as_ref().is_some_and(|held| Arc::ptr_eq(&held.session, session))
        };
        if let Some(session) = run.connection.session.filter(|session| !locked(session)) {
            self.closing.spawn(close(session));
        }
        // The ones that are closed by now are let go.
        while self.closing.try_join_next().is_some() {}
        self.tell_finished(run.host, outcome);
    }

    fn tell_finished(&mut self, host: usize, outcome: HostOutcome) {
        if outcome.failure.as_ref().is_some_and(|failure| failure.kind == Kind::Declined) {
            self.close(Closed::Declined);
        }
        // Also where it is not known what became of it: a rename that was not answered may have been done.
        self.ended_early |= outcome.status == Status::Cancelled
            || outcome.failure.as_ref().is_some_and(|failure| failure.kind == Kind::Interrupted);
        self.hosts.set(host, HostState::Finished(outcome.status));
        let Some(planned) = self.plan.hosts.get(host) else { return };
        self.shared.tools.sink.tell(Fact::HostFinished { host: planned.endpoint.name.clone(), outcome });
    }

    /// Gives the hosts that are left their final record, and ends the run.
    async fn finish(mut self) {
        let wanted = self.shared.tools.stop.current();
        if wanted > self.told_stop {
            self.hear_stop(wanted);
        }
        let troubled = self.hosts.lost();
        for host in 0..self.hosts.len() {
            self.leave_out(host, wanted.reason(), troubled);
        }
        // A stop that came after all work was done ended nothing.
        let cancelled = wanted.reason().filter(|_| self.ended_early);
        self.shared.tools.sink.tell(Fact::Run(RunFact::Finished { cancelled }));
        let goodbyes = async {
            self.shared.delegates.close().await;
            while self.closing.join_next().await.is_some() {}
        };
        let _ = tokio::time::timeout(wanted.patience().sessions, goodbyes).await;
    }

    /// Gives a host that waits its final record: the run ends, or goes on, without it.
    fn leave_out(&mut self, host: usize, cancelled: Option<CancelReason>, troubled: usize) {
        let Some(run) = self.hosts.take(host) else { return };
        let what = if run.progress == HostProgress::Waits { "begun" } else { "continued" };
        let (status, failure) = match (cancelled, &self.closed) {
            (Some(reason), _) => (Status::Cancelled, interrupted(reason)),
            (None, Some(closed)) => (Status::Skipped, closed.failure(what)),
            (None, None) => {
                let total = self.hosts.len();
                let message = format!("not {what}: {troubled} of {total} hosts failed");
                (Status::Skipped, Failure::new(Kind::Dependency, message))
            }
        };
        let outcome = run.outcome(status, Some(failure), None);
        self.record(run, outcome);
    }
}
