//! Owns the truth of a run: who waits, who is at work, who is done. One loop, no locks.
//!
//! The promise it keeps whatever happens: exactly one final record per host of the plan.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::{Id, JoinError, JoinSet};

use crate::engine::plan::Plan;
use crate::engine::sink::EventSink;
use crate::engine::step::interrupted;
use crate::engine::stop::{Stop, StopReceiver};
use crate::engine::worker::{self, Activity, HostRun, Shared, TaskEnd};
use crate::event::{Fact, HostOutcome, SCHEMA_VERSION, Straggler};
use crate::model::outcome::{CancelReason, Failure, Kind, Status};
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
pub async fn run<C: Connector>(plan: Arc<Plan>, connector: C, sink: EventSink, stop: StopReceiver) {
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
        files: Arc::default(),
    };
    let mut dispatcher = Dispatcher::new(shared);
    for task in 0..plan.tasks.len() {
        if stop.current() != Stop::Run || dispatcher.broken() {
            break;
        }
        dispatcher.task(task).await;
    }
    dispatcher.finish().await;
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

type WorkerEnd<S> = (HostRun<S>, TaskEnd);

struct Dispatcher<C: Connector> {
    shared: Shared<C>,
    hosts: Vec<HostState<C::Session>>,
    /// For each host, the last task that it takes part in.
    last_task: Vec<Option<usize>>,
    workers: JoinSet<WorkerEnd<C::Session>>,
    /// Which host each worker has: known also when the worker panics.
    at_work: HashMap<Id, usize>,
    /// Sessions on their way out.
    closing: JoinSet<()>,
    told_stop: Stop,
    agent: AgentWatch,
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

impl<C: Connector> Dispatcher<C> {
    fn new(shared: Shared<C>) -> Self {
        let plan = &shared.plan;
        let hosts = (0..plan.hosts.len()).map(|host| HostState::Waiting(HostRun::new(host, &shared.sink)));
        let mut last_task = vec![None; plan.hosts.len()];
        for (index, task) in plan.tasks.iter().enumerate() {
            for host in &task.hosts {
                if let Some(last) = last_task.get_mut(host.host) {
                    *last = Some(index);
                }
            }
        }
        Self {
            hosts: hosts.collect(),
            last_task,
            workers: JoinSet::new(),
            at_work: HashMap::new(),
            closing: JoinSet::new(),
            told_stop: Stop::Run,
            agent: AgentWatch::default(),
            shared,
        }
    }

    /// A host did not end well, so no further task begins: its hosts might depend on what failed.
    fn broken(&self) -> bool {
        self.hosts.iter().any(|host| matches!(host, HostState::Finished(status) if *status != Status::Ok))
    }

    /// Runs one task on all its hosts that are still in the run; returns when no worker is left.
    async fn task(&mut self, task: usize) {
        self.shared.sink.tell(Fact::TaskStarted { task });
        let plan = Arc::clone(&self.shared.plan);
        let hosts = plan.tasks.get(task).map(|planned| planned.hosts.as_slice()).unwrap_or_default();
        let mut queue: VecDeque<(usize, usize)> =
            hosts.iter().enumerate().map(|(position, host)| (position, host.host)).collect();
        let mut ticks = tokio::time::interval(TICK);
        let mut stop = self.shared.stop.clone();
        let connector = Arc::clone(&self.shared.connector);
        loop {
            while self.workers.len() < plan.pool.max(1) && self.told_stop == Stop::Run {
                let Some((position, host)) = queue.pop_front() else { break };
                self.start(task, position, host);
            }
            if self.workers.is_empty() {
                break;
            }
            let told = self.told_stop;
            tokio::select! {
                biased;
                wanted = stop.beyond(told) => self.hear_stop(wanted),
                // Before the end of the hosts that it explains.
                notice = connector.notice() => self.note(notice),
                Some(joined) = self.workers.join_next_with_id() => self.join(task, joined),
                _ = ticks.tick() => {
                    self.look_at_agent();
                    self.look_for_stragglers();
                }
            }
        }
        while let Some(notice) = connector.notice().now_or_never() {
            self.note(notice);
        }
        self.shared.sink.tell(Fact::TaskFinished { task });
    }

    fn start(&mut self, task: usize, position: usize, host: usize) {
        let Some(state) = self.hosts.get_mut(host) else { return };
        match std::mem::replace(state, HostState::Finished(Status::Ok)) {
            HostState::Waiting(run) => {
                *state = HostState::AtWork(Arc::clone(&run.activity));
                let work = worker::run_task(self.shared.clone(), run, task, position);
                let id = self.workers.spawn(work).id();
                self.at_work.insert(id, host);
            }
            other => *state = other,
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

    fn join(&mut self, task: usize, joined: Result<(Id, WorkerEnd<C::Session>), JoinError>) {
        match joined {
            Ok((id, (run, end))) => {
                self.at_work.remove(&id);
                match end {
                    TaskEnd::Done if self.is_last(run.host, task) => {
                        let outcome = run.outcome(Status::Ok, None, None);
                        self.record(run, outcome);
                    }
                    TaskEnd::Done => {
                        let host = run.host;
                        if let Some(state) = self.hosts.get_mut(host) {
                            *state = HostState::Waiting(run);
                        }
                    }
                    TaskEnd::Ended(outcome) => self.record(run, outcome),
                }
            }
            Err(error) => {
                if let Some(host) = self.at_work.remove(&error.id()) {
                    // The panic took the host's run with it: what it had started is not known.
                    let failure =
                        Failure::new(Kind::Internal, "fan's worker for this host failed; this is a bug")
                            .hint("please report it, with the output of `fan --version`");
                    self.tell_finished(
                        host,
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

    fn is_last(&self, host: usize, task: usize) -> bool {
        self.last_task.get(host).copied().flatten() == Some(task)
    }

    /// Tells a host's final record and lets its connection go.
    fn record(&mut self, run: HostRun<C::Session>, outcome: HostOutcome) {
        if let Some(session) = run.session {
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
        self.shared.sink.tell(Fact::HostFinished { host: planned.endpoint.name.clone(), outcome });
    }

    fn look_at_agent(&mut self) {
        let hosts = self.shared.connector.waiting_for_agent();
        if self.agent.is_due(hosts, self.shared.sink.elapsed()) {
            self.shared.sink.tell(Fact::AgentAwaited { hosts });
        }
    }

    fn look_for_stragglers(&self) {
        if self.shared.sink.silence() < QUIET {
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
        let troubled = self
            .hosts
            .iter()
            .filter(|host| matches!(host, HostState::Finished(status) if *status != Status::Ok));
        let troubled = troubled.count();
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
        let goodbyes = async { while self.closing.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(wanted.patience().sessions, goodbyes).await;
    }

    /// The record of a host that the run ended without.
    fn left_over(
        &self,
        run: &HostRun<C::Session>,
        cancelled: Option<CancelReason>,
        troubled: usize,
    ) -> HostOutcome {
        let (status, failure) = match cancelled {
            Some(reason) => (Status::Cancelled, interrupted(reason)),
            None => {
                let total = self.hosts.len();
                let message = format!("not continued: {troubled} of {total} hosts did not end well");
                (Status::Skipped, Failure::new(Kind::Dependency, message))
            }
        };
        run.outcome(status, Some(failure), None)
    }
}
