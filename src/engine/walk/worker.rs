//! One host's life in one task: what it carries from step to step, the session that it opens when a step first
//! needs one, and the record that it ends with. `walk` takes it through its steps, `attempt` through one.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::engine::host::delegates::Delegates;
use crate::engine::host::learned::Learned;
use crate::engine::host::shared_files::SharedFiles;
use crate::engine::live::command::OUTPUT_BUDGET;
use crate::engine::live::connecting::{self, NotConnected};
use crate::engine::live::questions::QuestionSender;
use crate::engine::live::sink::{EventSink, millis};
use crate::engine::live::stop::StopReceiver;
use crate::engine::live::together::Together;
use crate::engine::plan::memory::Recalled;
use crate::engine::plan::scope;
use crate::engine::plan::{Plan, PlannedHost, PlannedTask};
use crate::engine::planner;
use crate::engine::step::privilege::{self, Denied};
use crate::engine::step::{self, StepResult};
use crate::engine::walk::attempt;
use crate::engine::walk::pace::Pace;
use crate::engine::walk::way::Halt;
use crate::event::HostOutcome;
use crate::files::remote::{Commands, Remote};
use crate::model::facts::Facts;
use crate::model::outcome::{CancelReason, Failure, Kind, Status, StepStatus};
use crate::model::task::{Shown, Step};
use crate::model::template::{Layer, Scope};
use crate::model::value::Vars;
use crate::ssh::{Connector, Session};

/// When a host's current activity began and when it last said something: read by the dispatcher while the
/// worker runs. Milliseconds on the run's clock.
#[derive(Debug)]
pub(crate) struct Activity {
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
    pub(crate) fn begin(&self) {
        let now = millis(self.sink.elapsed());
        self.since.store(now, Ordering::Relaxed);
        self.heard.store(now, Ordering::Relaxed);
    }

    /// The host said something.
    pub(crate) fn heard(&self) {
        self.heard.store(millis(self.sink.elapsed()), Ordering::Relaxed);
    }

    /// For how long it has been at it, and silent.
    pub(crate) fn ages(&self) -> (Duration, Duration) {
        let now = self.sink.elapsed();
        let age = |at: &AtomicU64| now.saturating_sub(Duration::from_millis(at.load(Ordering::Relaxed)));
        (age(&self.since), age(&self.heard))
    }
}

/// What a host carries from task to task.
pub(crate) struct HostRun<S> {
    /// Index into [`Plan::hosts`].
    pub(crate) host: usize,
    /// The open connection, once a step needed it.
    pub(crate) session: Option<Arc<S>>,
    /// Its files, for each user that a step saw them as.
    pub(crate) files: Vec<Arc<Remote<S>>>,
    /// Whether it bears commands beside SFTP, as far as is known.
    pub(crate) commands: Commands,
    /// What `set` and `register` stored.
    pub(crate) layer: Layer,
    /// What an earlier run has done there, and it has not come to yet.
    pub(crate) recalled: Option<Box<Recalled>>,
    /// What it is, once it has been asked.
    pub(crate) facts: Option<Arc<Facts>>,
    /// The last task that it went through.
    pub(crate) through: Option<usize>,
    /// It has been at work.
    pub(crate) begun: bool,
    /// A command has been started there.
    pub(crate) started: bool,
    /// A command was started there whose end was not seen.
    pub(crate) may_still_run: bool,
    /// It was seen whether its steps can be done as those that they name.
    pub(crate) checked: bool,
    /// A dry run has left a step out there, or not made a change.
    pub(crate) left_out: bool,
    /// It was said that its login prints something.
    pub(crate) noise_told: bool,
    /// Its account was seen to run what it is given.
    pub(crate) takes_commands: bool,
    /// Its place among the hosts at work, while it is.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
    /// The host's share of output in flight.
    pub(crate) budget: Arc<Semaphore>,
    /// For the dispatcher's look from outside.
    pub(crate) activity: Arc<Activity>,
}

impl<S> HostRun<S> {
    /// A host that nothing has happened to.
    pub(crate) fn new(host: usize, sink: &EventSink) -> Self {
        Self {
            host,
            session: None,
            files: Vec::new(),
            commands: Commands::default(),
            layer: Layer::default(),
            recalled: None,
            facts: None,
            through: None,
            begun: false,
            started: false,
            may_still_run: false,
            checked: false,
            left_out: false,
            noise_told: false,
            takes_commands: false,
            permit: None,
            budget: Arc::new(Semaphore::new(OUTPUT_BUDGET)),
            activity: Arc::new(Activity::new(sink.clone())),
        }
    }

    /// Stores variables for the host's later steps, where other hosts see them too.
    pub(crate) fn define<C: Connector<Session = S>>(&mut self, shared: &Shared<C>, vars: Vars) {
        self.layer.define(vars);
        self.tell(shared);
    }

    /// Stores what another host knows.
    pub(crate) fn take_over<C: Connector<Session = S>>(&mut self, shared: &Shared<C>, layer: &Layer) {
        self.layer.take_over(layer);
        self.tell(shared);
    }

    fn tell<C: Connector<Session = S>>(&self, shared: &Shared<C>) {
        let planned = shared.plan.hosts.get(self.host).expect("the run's hosts are the plan's");
        shared.learned.tell(planned.endpoint.name.as_str(), &self.layer);
    }

    /// The host's final record.
    pub(crate) fn outcome(
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
pub(crate) enum TaskEnd {
    /// Through all steps.
    Done {
        /// What they defined for all hosts, when one does the task for all.
        given: Layer,
    },
    /// Not; this is its final record.
    Ended(HostOutcome),
}

/// What all workers of a run share.
pub(crate) struct Shared<C: Connector> {
    pub(crate) plan: Arc<Plan>,
    pub(crate) connector: Arc<C>,
    pub(crate) sink: EventSink,
    pub(crate) stop: StopReceiver,
    pub(crate) questions: QuestionSender,
    pub(crate) files: Arc<SharedFiles>,
    /// Hosts that steps of others are done on.
    pub(crate) delegates: Arc<Delegates<C::Session>>,
    /// What hosts know, for others.
    pub(crate) learned: Learned,
    /// What the user says about each step.
    pub(crate) pace: Arc<Pace>,
    /// Places for hosts at work.
    pub(crate) pool: Arc<Semaphore>,
}

impl<C: Connector> Clone for Shared<C> {
    fn clone(&self) -> Self {
        Self {
            plan: Arc::clone(&self.plan),
            connector: Arc::clone(&self.connector),
            sink: self.sink.clone(),
            stop: self.stop.clone(),
            questions: self.questions.clone(),
            files: Arc::clone(&self.files),
            delegates: Arc::clone(&self.delegates),
            learned: self.learned.clone(),
            pace: Arc::clone(&self.pace),
            pool: Arc::clone(&self.pool),
        }
    }
}

/// A worker at its task: everything a step may use.
pub(crate) struct Worker<'a, C: Connector> {
    pub(crate) shared: Shared<C>,
    pub(crate) plan: &'a Plan,
    pub(crate) planned: &'a PlannedHost,
    /// Where the step's commands run: the host itself, unless the step is handed to another one.
    pub(crate) place: &'a PlannedHost,
    pub(crate) task: &'a PlannedTask,
    pub(crate) task_index: usize,
    /// Position of the host among the task's hosts, from 0.
    pub(crate) position: usize,
    /// The others that it goes through the task with.
    pub(crate) together: Together,
    pub(crate) run: HostRun<C::Session>,
    /// Variables of the called tasks that it is in, the outermost first.
    pub(crate) frames: Vec<Layer>,
    /// Handlers that its steps asked for.
    pub(crate) notified: BTreeSet<String>,
    /// A step of the task changed something there, or may have.
    pub(crate) changed: bool,
    /// What its steps defined, when the task is done by one host for all.
    given: Layer,
}

/// Runs one task on one host.
///
/// `position` is the host's place in the task's list. The session is kept open for the host's next task.
pub(crate) async fn run_task<C: Connector>(
    shared: Shared<C>,
    run: HostRun<C::Session>,
    task_index: usize,
    position: usize,
    together: Together,
) -> (HostRun<C::Session>, TaskEnd) {
    let plan = Arc::clone(&shared.plan);
    let task = plan.tasks.get(task_index).expect("the dispatcher runs planned tasks");
    let planned = plan.hosts.get(run.host).expect("the plan's tasks name its hosts");
    let mut worker = Worker {
        shared,
        plan: &plan,
        planned,
        place: planned,
        task,
        task_index,
        position,
        together,
        run,
        frames: Vec::new(),
        notified: BTreeSet::new(),
        changed: false,
        given: Layer::default(),
    };
    let end = match worker.walk().await {
        Ok(()) => TaskEnd::Done { given: worker.given },
        Err(outcome) => TaskEnd::Ended(outcome),
    };
    (worker.run, end)
}

impl<C: Connector> Worker<'_, C> {
    /// The variables that a template of this host sees now.
    pub(crate) fn scope(&self) -> Scope {
        let frames = self.frames.iter().cloned();
        let (host_vars, learned) = (self.shared.learned.layer(), self.run.layer.clone());
        scope::of(&self.shared.plan, self.task, self.position, host_vars, learned, frames)
    }

    /// Stores variables for the host's later steps; in a called task they take the place of its own.
    pub(crate) fn define(&mut self, vars: Vars) {
        let mut layer = Layer::default();
        layer.define(vars);
        self.take_over(&layer);
    }

    /// Makes variables ones that a dry run cannot know.
    pub(crate) fn doubt<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        let mut layer = Layer::default();
        layer.doubt(names);
        self.take_over(&layer);
    }

    /// Stores what a layer has.
    pub(crate) fn take_over(&mut self, layer: &Layer) {
        for frame in &mut self.frames {
            let own = layer.only(|name| frame.contains(name));
            frame.take_over(&own);
        }
        if self.task.run_once {
            self.given.take_over(&layer.only(planner::is_shared));
        }
        self.run.take_over(&self.shared, layer);
    }

    /// What a step has defined by now.
    pub(super) fn definitions_of(&self, step: &Step) -> Vars {
        let known =
            step.definitions().filter_map(|name| Some((name.to_owned(), self.run.layer.value(name)?)));
        known.collect()
    }

    /// Makes sure that there is a session; the host ends here when there cannot be one.
    pub(crate) async fn open_session(&mut self, step: usize) -> Result<(), Halt> {
        if self.run.session.is_some() {
            return Ok(());
        }
        let Shared { connector, sink, stop, .. } = &mut self.shared;
        match connecting::connect(connector.as_ref(), &self.planned.endpoint, Some(&*sink), stop).await {
            Ok(session) => {
                self.run.session = Some(Arc::new(session));
                self.check_privileges(step).await
            }
            Err(NotConnected::Failed(failure)) => {
                // Earlier steps may have run commands elsewhere (`local`), but none on this host.
                let status =
                    if failure.kind == Kind::Internal { Status::Failed } else { Status::Unreachable };
                Err(Halt { outcome: self.ended(status, Some(failure), step), can_go_on: false })
            }
            Err(NotConnected::Cancelled(reason)) => Err(self.halt_cancelled(step, reason)),
        }
    }

    /// Opens the host's session again after a start that failed without a request having been sent: when nothing was
    /// started there yet, or when its server closes the connection after each session. True when there is a new one.
    pub(crate) async fn renew(&mut self, failure: &Failure) -> bool {
        let own = std::ptr::eq(self.place, self.planned);
        let lost = matches!(failure.kind, Kind::ConnectionLost | Kind::Keepalive);
        let spent = self.run.session.as_ref().is_some_and(|session| session.is_spent());
        let direct = self.planned.endpoint.gateway.is_none();
        let allowed = self.planned.endpoint.retries > 0;
        if !(own && lost && allowed && (!self.run.started || (spent && direct))) {
            return false;
        }
        self.run.files.clear();
        let Shared { connector, sink, stop, .. } = &mut self.shared;
        match connecting::connect(connector.as_ref(), &self.planned.endpoint, Some(&*sink), stop).await {
            Ok(session) => {
                self.run.session = Some(Arc::new(session));
                true
            }
            Err(NotConnected::Failed(_) | NotConnected::Cancelled(_)) => false,
        }
    }

    /// Makes sure that the host lets its steps be done as those that they name, before any is begun.
    async fn check_privileges(&mut self, step: usize) -> Result<(), Halt> {
        if std::mem::replace(&mut self.run.checked, true) {
            return Ok(());
        }
        let (status, failure) = match privilege::check(self, step).await {
            Ok(()) => return Ok(()),
            Err(Denied::Cancelled(failure)) => (Status::Cancelled, failure),
            Err(Denied::Failed(failure)) => (Status::Unreachable, failure),
        };
        Err(Halt { outcome: self.ended(status, Some(failure), step), can_go_on: false })
    }

    /// Whether a step's outcome is the end of the host, and which.
    pub(crate) fn verdict(&self, step: usize, result: &StepResult) -> Result<(), Halt> {
        let (status, can_go_on) = match result.outcome.status {
            StepStatus::Ok | StepStatus::Changed | StepStatus::Skipped | StepStatus::Warned => return Ok(()),
            // Safe to run again: nothing was ever started there.
            StepStatus::Failed if result.refused && !self.run.started => (Status::Unreachable, false),
            StepStatus::Failed => (Status::Failed, !result.refused),
            StepStatus::Unknown => (Status::Unknown, false),
            // Who says no half-way wants what was begun to be put right.
            StepStatus::Cancelled => (Status::Cancelled, declined(result)),
        };
        let shown = self.task.steps.get(step).map(|planned| planned.step.shown);
        let mut failure = result.outcome.failure.clone();
        if shown == Some(Shown::StatusOnly) {
            failure = failure.map(|failure| attempt::concealed(failure.kind));
        }
        let can_go_on = can_go_on && self.shared.stop.current().reason().is_none();
        Err(Halt { outcome: self.ended(status, failure, step), can_go_on })
    }

    /// The end of a host that is not to begin anything more, as the task's lock is lost.
    pub(crate) fn halt_unlocked(&self, step: usize) -> Option<Halt> {
        let failure = self.together.lock.lost()?.clone();
        let status = if self.run.started { Status::Failed } else { Status::Skipped };
        Some(Halt { outcome: self.ended(status, Some(failure), step), can_go_on: false })
    }

    pub(crate) fn halt_cancelled(&self, step: usize, reason: CancelReason) -> Halt {
        let outcome = self.ended(Status::Cancelled, Some(step::interrupted(reason)), step);
        Halt { outcome, can_go_on: false }
    }

    /// The end of a host whose user would rather stop.
    pub(crate) fn halt_declined(&self, step: usize, failure: Failure) -> Halt {
        Halt { outcome: self.ended(Status::Cancelled, Some(failure), step), can_go_on: true }
    }

    pub(crate) fn ended(&self, status: Status, failure: Option<Failure>, step: usize) -> HostOutcome {
        self.run.outcome(status, failure, Some((self.task_index, step)))
    }
}

/// Whether the user said no to the step.
fn declined(result: &StepResult) -> bool {
    result.outcome.failure.as_ref().is_some_and(|failure| failure.kind == Kind::Declined)
}

/// Does what may ask for a channel. Files that no step uses are closed as soon as a channel is waited for: theirs
/// may be all that the server gives (`MaxSessions`).
pub(crate) async fn giving_way<S: Session, T>(
    session: &S,
    idle: &mut Vec<Arc<Remote<S>>>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = session.crowded(), if !idle.is_empty() => idle.clear(),
        }
    }
}

/// Closes a session that is no longer needed; never waits long for the other side.
pub(crate) async fn close<S: Session>(session: Arc<S>) {
    const CLOSING: Duration = Duration::from_millis(500);
    let _ = tokio::time::timeout(CLOSING, session.close()).await;
}
