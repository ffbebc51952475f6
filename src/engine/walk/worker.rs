//! One host at one task: all that its walk works on, the session that is opened when a step first needs one, and the record
//! that the host ends with.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::engine::host::connection::HostConnection;
use crate::engine::host::delegates::Delegate;
use crate::engine::host::render::Render;
use crate::engine::host::result::{StepResult, concealed};
use crate::engine::host::run::HostRun;
use crate::engine::host::tools::Tools;
use crate::engine::live::connecting::{self, NotConnected};
use crate::engine::live::stop::interrupted;
use crate::engine::live::together::Together;
use crate::engine::plan::{Plan, PlannedHost, PlannedTask, scope};
use crate::engine::step::cx::StepCx;
use crate::engine::step::privilege::{self, Denied};
use crate::engine::walk::halt::Halt;
use crate::engine::walk::shared::Shared;
use crate::event::{Fact, HostOutcome, StepAt, StepFact};
use crate::model::outcome::{CancelReason, Failure, Kind, Status, StepStatus};
use crate::model::task::{Action, Shown, Step};
use crate::model::template::{Layer, Scope};
use crate::model::value::Vars;
use crate::ssh::Connector;

/// A worker at its task.
pub(crate) struct Worker<'a, C: Connector> {
    pub(crate) plan: &'a Plan,
    pub(crate) shared: &'a Shared<C>,
    pub(crate) planned: &'a PlannedHost,
    pub(crate) task: &'a PlannedTask,
    pub(crate) task_index: usize,
    /// Position of the host among the task's hosts, from 0.
    pub(crate) position: usize,
    /// The others that it goes through the task with.
    pub(crate) together: Together,
    pub(crate) run: HostRun<C::Session>,
    /// Where it is while its step is done on another host.
    pub(crate) away: Option<Away<'a, C::Session>>,
    /// Variables of the called tasks that it is in, the outermost first.
    pub(crate) frames: Vec<Layer>,
    /// Handlers that its steps asked for.
    pub(crate) notified: BTreeSet<String>,
    /// A step of the task changed something there, or may have.
    pub(crate) changed: bool,
    /// What its steps defined, when the task is done by one host for all.
    pub(crate) given: Layer,
}

/// A worker at another host.
pub(crate) struct Away<'a, S> {
    pub(crate) place: &'a PlannedHost,
    pub(crate) delegate: &'a Delegate<S>,
    /// The connection that it has left behind.
    pub(crate) home: HostConnection<S>,
    /// Its place on that host's connection.
    pub(crate) _permit: OwnedSemaphorePermit,
}

impl<'a, C: Connector> Worker<'a, C> {
    /// A host before a task.
    pub(crate) fn new(
        plan: &'a Plan,
        shared: &'a Shared<C>,
        run: HostRun<C::Session>,
        task_index: usize,
        position: usize,
        together: Together,
    ) -> Self {
        Self {
            plan,
            shared,
            planned: plan.hosts.get(run.host).expect("the plan's tasks name its hosts"),
            task: plan.tasks.get(task_index).expect("the dispatcher runs planned tasks"),
            task_index,
            position,
            together,
            run,
            away: None,
            frames: Vec::new(),
            notified: BTreeSet::new(),
            changed: false,
            given: Layer::default(),
        }
    }

    /// The variables that a template of this host sees now.
    pub(crate) fn scope(&self) -> Scope {
        let frames = self.frames.iter().cloned();
        let (host_vars, learned) = (self.shared.learned.layer(), self.run.layer.clone());
        scope::of(self.plan, self.task, self.position, host_vars, learned, frames)
    }

    /// Fills in templates.
    pub(crate) fn render<'s>(&'s self, scope: &'s Scope) -> Render<'s> {
        Render { templates: &self.plan.templates, scope }
    }

    /// What a step may use.
    pub(crate) fn cx<'s>(&'s mut self, index: usize, step: &'s Step, scope: &'s Scope) -> StepCx<'s, C> {
        let away = self.away.as_ref();
        StepCx {
            plan: self.plan,
            task: self.task,
            task_index: self.task_index,
            index,
            position: self.position,
            host: self.planned,
            place: away.map_or(self.planned, |away| away.place),
            step,
            scope,
            tools: &self.shared.tools,
            activity: &self.run.activity,
            connection: &mut self.run.connection,
            seen: &mut self.run.seen,
            jobs: &mut self.run.jobs,
            delegate: away.map(|away| away.delegate),
        }
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
            self.given.take_over(&layer.only(scope::is_shared));
        }
        self.run.layer.take_over(layer);
        self.tell_others();
    }

    /// Lets other hosts see what this one knows.
    pub(crate) fn tell_others(&self) {
        self.shared.learned.tell(self.planned.endpoint.name.as_str(), &self.run.layer);
    }

    /// What a step has defined by now.
    pub(super) fn definitions_of(&self, step: &Step) -> Vars {
        let known =
            step.definitions().filter_map(|name| Some((name.to_owned(), self.run.layer.value(name)?)));
        known.collect()
    }

    /// Makes sure that there is a session, whoever opened it, and that its steps can be done there; the host ends here when
    /// that is not so.
    pub(crate) async fn open_session(&mut self, step: usize) -> Result<(), Halt> {
        if self.run.connection.session.is_none() {
            let Tools { connector, sink, stop, .. } = &self.shared.tools;
            let (endpoint, mut stop) = (&self.planned.endpoint, stop.clone());
            match connecting::connect(&**connector, endpoint, Some(sink), &mut stop).await {
                Ok(session) => self.run.connection.session = Some(Arc::new(session)),
                Err(NotConnected::Failed(failure)) => {
                    // Earlier steps may have run commands elsewhere (`local`), but none on this host.
                    let status =
                        if failure.kind == Kind::Internal { Status::Failed } else { Status::Unreachable };
                    return Err(Halt { outcome: self.ended(status, Some(failure), step), can_go_on: false });
                }
                Err(NotConnected::Cancelled(reason)) => return Err(self.halt_cancelled(step, reason)),
            }
        }
        self.check_privileges(step).await
    }

    /// Makes sure that the host lets its steps be done as those that they name, before any is begun.
    async fn check_privileges(&mut self, step: usize) -> Result<(), Halt> {
        if std::mem::replace(&mut self.run.seen.privileges, true) {
            return Ok(());
        }
        let steps = privilege::certain(self.plan, self.run.host);
        if steps.is_empty() || self.says_it_itself() {
            return Ok(());
        }
        let (nothing, scope) = (Step::bare(Action::Barrier), self.scope());
        let (status, failure) = match privilege::check(&mut self.cx(step, &nothing, &scope), &steps).await {
            Ok(()) => return Ok(()),
            Err(Denied::Cancelled(failure)) => (Status::Cancelled, failure),
            Err(Denied::Failed(failure)) => (Status::Unreachable, failure),
        };
        Err(Halt { outcome: self.ended(status, Some(failure), step), can_go_on: false })
    }

    /// Whether one command is all there is: when it may not be run as its user, nothing was begun either, and it says
    /// so without another login there.
    fn says_it_itself(&self) -> bool {
        let mut steps = self.plan.tasks.iter().flat_map(|task| &task.steps);
        match (steps.next().map(|planned| &planned.step.action), steps.next()) {
            (Some(Action::Run(_) | Action::Script(_)), None) => true,
            (Some(_) | None, _) => false,
        }
    }

    /// Whether a step's outcome is the end of the host, and which.
    pub(crate) fn verdict(&self, step: usize, result: &StepResult) -> Result<(), Halt> {
        let (status, can_go_on) = match result.outcome.status {
            StepStatus::Ok | StepStatus::Changed | StepStatus::Skipped | StepStatus::Warned => return Ok(()),
            // Safe to run again: nothing was ever started there.
            StepStatus::Failed if result.refused && !self.run.seen.started => (Status::Unreachable, false),
            StepStatus::Failed => (Status::Failed, !result.refused),
            StepStatus::Unknown => (Status::Unknown, false),
            // Who says no half-way wants what was begun to be put right.
            StepStatus::Cancelled => (Status::Cancelled, result.is_declined()),
        };
        let shown = self.task.steps.get(step).map(|planned| planned.step.shown);
        let mut failure = result.outcome.failure.clone();
        if shown == Some(Shown::StatusOnly) {
            failure = failure.map(|failure| concealed(failure.kind));
        }
        let can_go_on = can_go_on && self.shared.tools.stop.current().reason().is_none();
        Err(Halt { outcome: self.ended(status, failure, step), can_go_on })
    }

    /// The end of a host that is not to begin anything more, as the task's lock is lost.
    pub(crate) fn halt_unlocked(&self, step: usize) -> Option<Halt> {
        let failure = self.together.lock.lost()?.clone();
        let status = if self.run.seen.started { Status::Failed } else { Status::Skipped };
        Some(Halt { outcome: self.ended(status, Some(failure), step), can_go_on: false })
    }

    pub(crate) fn halt_cancelled(&self, step: usize, reason: CancelReason) -> Halt {
        let outcome = self.ended(Status::Cancelled, Some(interrupted(reason)), step);
        Halt { outcome, can_go_on: false }
    }

    /// The end of a host whose user would rather stop.
    pub(crate) fn halt_declined(&self, step: usize, failure: Failure) -> Halt {
        Halt { outcome: self.ended(Status::Cancelled, Some(failure), step), can_go_on: true }
    }

    pub(crate) fn ended(&self, status: Status, failure: Option<Failure>, step: usize) -> HostOutcome {
        self.run.outcome(status, failure, Some((self.task_index, step)))
    }

    /// Tells of a step that is not begun.
    pub(crate) fn tell_unrun(&mut self, index: usize, mut result: StepResult) {
        result.outcome.earlier = self.run.recall(self.task_index, index).is_some();
        if let Some(planned) = self.task.steps.get(index) {
            self.tell_dry(&planned.step, &mut result);
        }
        let (host, task, step) = (self.planned.endpoint.name.clone(), self.task_index, index);
        let sink = &self.shared.tools.sink;
        sink.tell(Fact::Step(StepAt { host: host.clone(), task, step }, StepFact::Started));
        sink.tell(Fact::Step(StepAt { host, task, step }, StepFact::Finished { outcome: result.outcome }));
    }

    /// Tells of a step at which the host ends before it is begun. What follows from that, as `rescue`, must not stand
    /// in a record without what it follows from.
    pub(crate) fn halt_unrun(&mut self, index: usize, halt: Halt) -> Halt {
        if halt.can_go_on {
            let status = if halt.is_declined() { StepStatus::Cancelled } else { StepStatus::Failed };
            let mut result = StepResult::of(status);
            result.outcome.failure.clone_from(&halt.outcome.failure);
            self.tell_unrun(index, result);
        }
        halt
    }
}
