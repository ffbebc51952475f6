//! One host's life in one task: connected when a step first needs it, steps in order, the first failure is
//! the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::engine::command::OUTPUT_BUDGET;
use crate::engine::connecting::{self, NotConnected};
use crate::engine::plan::{Plan, PlannedHost, PlannedTask};
use crate::engine::register;
use crate::engine::scope;
use crate::engine::sink::{EventSink, millis};
use crate::engine::step::{self, SharedFiles, StepResult};
use crate::engine::stop::StopReceiver;
use crate::event::{Fact, HostOutcome};
use crate::files::remote::Remote;
use crate::model::outcome::{CancelReason, Failure, Kind, Status, StepStatus};
use crate::model::task::Step;
use crate::model::template::{Layer, Scope};
use crate::model::value::Vars;
use crate::ssh::{Connector, Session};

/// When a host's current activity began and when it last said something: read by the dispatcher while the
/// worker runs. Milliseconds on the run's clock.
#[derive(Debug)]
pub(super) struct Activity {
    sink: EventSink,
    since: AtomicU64,
    heard: AtomicU64,
}

impl Activity {
    fn new(sink: EventSink) -> Self {
        let now = millis(sink.elapsed());
        Self { sink, since: AtomicU64::new(now), heard: AtomicU64::new(now) }
    }

    /// The host begins something new.
    fn begin(&self) {
        let now = millis(self.sink.elapsed());
        self.since.store(now, Ordering::Relaxed);
        self.heard.store(now, Ordering::Relaxed);
    }

    /// The host said something.
    pub(super) fn heard(&self) {
        self.heard.store(millis(self.sink.elapsed()), Ordering::Relaxed);
    }

    /// For how long it has been at it, and silent.
    pub(super) fn ages(&self) -> (Duration, Duration) {
        let now = self.sink.elapsed();
        let age = |at: &AtomicU64| now.saturating_sub(Duration::from_millis(at.load(Ordering::Relaxed)));
        (age(&self.since), age(&self.heard))
    }
}

/// What a host carries from task to task.
pub(super) struct HostRun<S> {
    /// Index into [`Plan::hosts`].
    pub(super) host: usize,
    /// The open connection, once a step needed it.
    pub(super) session: Option<Arc<S>>,
    /// Its files, for each user that a step saw them as.
    pub(super) files: Vec<Arc<Remote<S>>>,
    /// What `set` and `register` stored.
    vars: Vars,
    /// The same, as templates see it.
    layer: Layer,
    /// A command has been started there.
    pub(super) started: bool,
    /// A command was started there whose end was not seen.
    may_still_run: bool,
    /// The host's share of output in flight.
    pub(super) budget: Arc<Semaphore>,
    /// For the dispatcher's look from outside.
    pub(super) activity: Arc<Activity>,
}

impl<S> HostRun<S> {
    /// A host that nothing has happened to.
    pub(super) fn new(host: usize, sink: &EventSink) -> Self {
        Self {
            host,
            session: None,
            files: Vec::new(),
            vars: Vars::new(),
            layer: Layer::default(),
            started: false,
            may_still_run: false,
            budget: Arc::new(Semaphore::new(OUTPUT_BUDGET)),
            activity: Arc::new(Activity::new(sink.clone())),
        }
    }

    /// Stores variables for the host's later steps.
    pub(super) fn define(&mut self, vars: Vars) {
        self.vars.extend(vars);
        self.layer = Layer::new(&self.vars);
    }

    /// The host's final record.
    pub(super) fn outcome(
        &self,
        status: Status,
        failure: Option<Failure>,
        step: Option<(usize, usize)>,
    ) -> HostOutcome {
        let (started, may_still_run) = (self.started, self.may_still_run);
        HostOutcome { status, failure, step, started, may_still_run }
    }
}

/// How a host came out of a task.
pub(super) enum TaskEnd {
    /// Through all steps.
    Done,
    /// Not; this is its final record.
    Ended(HostOutcome),
}

/// What all workers of a run share.
pub(super) struct Shared<C> {
    pub(super) plan: Arc<Plan>,
    pub(super) connector: Arc<C>,
    pub(super) sink: EventSink,
    pub(super) stop: StopReceiver,
    pub(super) files: Arc<SharedFiles>,
}

impl<C> Clone for Shared<C> {
    fn clone(&self) -> Self {
        Self {
            plan: Arc::clone(&self.plan),
            connector: Arc::clone(&self.connector),
            sink: self.sink.clone(),
            stop: self.stop.clone(),
            files: Arc::clone(&self.files),
        }
    }
}

/// A worker at its task: everything a step may use.
pub(super) struct Worker<'a, C: Connector> {
    pub(super) shared: Shared<C>,
    pub(super) planned: &'a PlannedHost,
    pub(super) task: &'a PlannedTask,
    pub(super) task_index: usize,
    /// Position of the host among the task's hosts, from 0.
    pub(super) position: usize,
    pub(super) run: HostRun<C::Session>,
}

/// Runs one task on one host.
///
/// `position` is the host's place in the task's list. The session is kept open for the host's next task.
pub(super) async fn run_task<C: Connector>(
    shared: Shared<C>,
    run: HostRun<C::Session>,
    task_index: usize,
    position: usize,
) -> (HostRun<C::Session>, TaskEnd) {
    let plan = Arc::clone(&shared.plan);
    let task = plan.tasks.get(task_index).expect("the dispatcher runs planned tasks");
    let planned = plan.hosts.get(run.host).expect("the plan's tasks name its hosts");
    let mut worker = Worker { shared, planned, task, task_index, position, run };
    let end = worker.steps().await;
    (worker.run, end)
}

impl<C: Connector> Worker<'_, C> {
    async fn steps(&mut self) -> TaskEnd {
        for (index, step) in self.task.steps.iter().enumerate() {
            if let Some(reason) = self.shared.stop.current().reason() {
                return TaskEnd::Ended(self.cancelled(index, reason));
            }
            if let Some(outcome) = self.step(index, step).await {
                return TaskEnd::Ended(outcome);
            }
        }
        TaskEnd::Done
    }

    /// Runs one step; gives the host's final record when the host ends here.
    async fn step(&mut self, index: usize, step: &Step) -> Option<HostOutcome> {
        self.run.activity.begin();
        let host = self.planned.endpoint.name.clone();
        let scope = self.scope();
        let wanted = step::condition(&self.shared.plan.templates, step, &scope);
        if matches!(wanted, Ok(true))
            && step::needs_session(&step.action)
            && let Err(outcome) = self.open_session(index).await
        {
            return Some(outcome);
        }
        let sink = self.shared.sink.clone();
        let begun = sink.elapsed();
        sink.tell(Fact::StepStarted { host: host.clone(), task: self.task_index, step: index });
        let mut result = match wanted {
            Ok(true) => step::run(self, index, step, &scope).await,
            Ok(false) => StepResult::of(StepStatus::Skipped),
            Err(failure) => StepResult::failed(failure),
        };
        let may_pass = step.warn_only || self.shared.plan.warn_only;
        // A host that starts nothing cannot go on, and must not end as ok.
        if result.outcome.status == StepStatus::Failed && may_pass && !result.refused {
            result.outcome.status = StepStatus::Warned;
        }
        result.outcome.elapsed = sink.elapsed().saturating_sub(begun);
        if let Some(name) = &step.register {
            let value = register::result(&result);
            self.run.define(Vars::from_iter([(name.value.clone(), value)]));
        }
        self.run.may_still_run |= result.outcome.may_still_run;
        let ended = self.verdict(index, &result);
        sink.tell(Fact::StepFinished { host, task: self.task_index, step: index, outcome: result.outcome });
        ended
    }

    /// The variables that a template of this host sees now.
    fn scope(&self) -> Scope {
        scope::of(&self.shared.plan, self.task, self.position, self.run.layer.clone())
    }

    /// Makes sure that there is a session; the host ends here when there cannot be one.
    async fn open_session(&mut self, step: usize) -> Result<(), HostOutcome> {
        if self.run.session.is_some() {
            return Ok(());
        }
        let Shared { connector, sink, stop, .. } = &mut self.shared;
        match connecting::connect(connector.as_ref(), &self.planned.endpoint, sink, stop).await {
            Ok(session) => {
                self.run.session = Some(Arc::new(session));
                Ok(())
            }
            Err(NotConnected::Failed(failure)) => {
                // Earlier steps may have run commands elsewhere (`local`), but none on this host.
                let status =
                    if failure.kind == Kind::Internal { Status::Failed } else { Status::Unreachable };
                Err(self.ended(status, Some(failure), step))
            }
            Err(NotConnected::Cancelled(reason)) => Err(self.cancelled(step, reason)),
        }
    }

    /// Whether a step's outcome is the end of the host, and which.
    fn verdict(&self, step: usize, result: &StepResult) -> Option<HostOutcome> {
        let status = match result.outcome.status {
            StepStatus::Ok | StepStatus::Changed | StepStatus::Skipped | StepStatus::Warned => return None,
            // Safe to run again: nothing was ever started there.
            StepStatus::Failed if result.refused && !self.run.started => Status::Unreachable,
            StepStatus::Failed => Status::Failed,
            StepStatus::Unknown => Status::Unknown,
            StepStatus::Cancelled => Status::Cancelled,
        };
        Some(self.ended(status, result.outcome.failure.clone(), step))
    }

    fn cancelled(&self, step: usize, reason: CancelReason) -> HostOutcome {
        self.ended(Status::Cancelled, Some(step::interrupted(reason)), step)
    }

    fn ended(&self, status: Status, failure: Option<Failure>, step: usize) -> HostOutcome {
        self.run.outcome(status, failure, Some((self.task_index, step)))
    }
}

/// Closes a session that is no longer needed; never waits long for the other side.
pub(super) async fn close<S: Session>(session: Arc<S>) {
    const CLOSING: Duration = Duration::from_millis(500);
    let _ = tokio::time::timeout(CLOSING, session.close()).await;
}
