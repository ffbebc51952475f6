//! What a run goes on from: for each host the steps that an earlier run has done there. A host goes through its task as
//! ever, and passes over them. Owns what a worker does then; which steps count is decided by `past`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::engine::host::learned::Learned;
use crate::engine::live::together::{Done, Once, Place};
use crate::engine::plan::Plan;
use crate::engine::step::StepResult;
use crate::engine::walk::way::Halt;
use crate::engine::walk::worker::{HostRun, Worker};
use crate::event::{Fact, HostOutcome, StepOutcome};
use crate::model::action::Gathers;
use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, Kind, StepStatus};
use crate::model::task::Step;
use crate::model::template::Layer;
use crate::model::value::Vars;
use crate::ssh::Connector;

/// What earlier runs have done, for one that goes on from there. Empty for any other run; a clone is cheap.
#[derive(Clone, Debug, Default)]
pub struct Memory(Option<Arc<Known>>);

#[derive(Clone, Debug, Default)]
struct Known {
    run: String,
    hosts: HashMap<HostName, Recalled>,
    once: Vec<(Place, Done<Layer>)>,
}

/// What is known of one host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recalled {
    /// The steps that it went through, in order.
    pub(crate) visits: VecDeque<Visit>,
    /// `--where` let it take part.
    pub(crate) chosen: bool,
    /// `--where` left it out.
    pub(crate) left_out: Option<HostOutcome>,
    /// Something was started there.
    pub(crate) started: bool,
}

/// A step that a host went through.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) task: usize,
    pub(crate) step: usize,
    /// How it ended; none while its end is not known.
    pub(crate) outcome: Option<StepOutcome>,
    /// What it defined.
    pub(crate) vars: Vars,
    /// Names of what it defined and was not kept.
    pub(crate) lost: Vec<String>,
    /// It was decided upon just now, and no earlier run has told of it.
    pub(crate) anew: bool,
}

impl Visit {
    /// A step that was begun.
    pub(crate) fn open(task: usize, step: usize) -> Self {
        Self { task, step, outcome: None, vars: Vars::new(), lost: Vec::new(), anew: false }
    }

    pub(crate) fn is(&self, task: usize, step: usize) -> bool {
        (self.task, self.step) == (task, step)
    }

    /// Whether its host went on to the next step.
    pub(crate) fn is_passed(&self) -> bool {
        self.outcome.as_ref().is_some_and(|outcome| match outcome.status {
            StepStatus::Ok | StepStatus::Changed | StepStatus::Skipped | StepStatus::Warned => true,
            StepStatus::Failed | StepStatus::Unknown | StepStatus::Cancelled => false,
        })
    }

    /// Whether its host had nothing to do there.
    fn is_skipped(&self) -> bool {
        self.outcome.as_ref().is_some_and(|outcome| outcome.status == StepStatus::Skipped)
    }

    /// Whether nobody knows how it ended.
    pub(crate) fn is_unseen(&self) -> bool {
        self.outcome
            .as_ref()
            .is_none_or(|outcome| outcome.status == StepStatus::Unknown || outcome.may_still_run)
    }
}

impl Memory {
    /// Of a run; nothing is known of any host yet.
    pub(crate) fn new(run: &str) -> Self {
        Self(Some(Arc::new(Known { run: run.to_owned(), ..Known::default() })))
    }

    pub(crate) fn insert(&mut self, host: &HostName, recalled: Recalled) {
        if let Some(known) = &mut self.0 {
            Arc::make_mut(known).hosts.insert(host.clone(), recalled);
        }
    }

    /// The run that is resumed.
    pub fn run(&self) -> Option<&str> {
        self.0.as_ref().map(|known| known.run.as_str())
    }

    pub(crate) fn of(&self, host: &HostName) -> Option<&Recalled> {
        self.0.as_ref()?.hosts.get(host)
    }

    /// Works out which steps one host has done for all.
    pub(crate) fn do_once(&mut self, plan: &Plan) {
        let Some(known) = &mut self.0 else { return };
        let mut once: HashMap<(usize, usize), Done<Layer>> = HashMap::new();
        for planned in &plan.hosts {
            let host = &planned.endpoint.name;
            for visit in known.hosts.get(host).into_iter().flat_map(|recalled| &recalled.visits) {
                let step = plan.tasks.get(visit.task).and_then(|task| task.steps.get(visit.step));
                let Some(step) = step.filter(|step| is_done_once(&step.step) && !visit.is_skipped()) else {
                    continue;
                };
                let failure = visit.outcome.as_ref().and_then(|outcome| outcome.failure.clone());
                let result = match (visit.is_passed(), failure) {
                    (true, _) => Ok(Layer::new(&visit.vars)),
                    (false, Some(failure)) => Err(failure),
                    (false, None) => Err(Failure::new(Kind::Dependency, "it did not end well")),
                };
                let warned = step.step.warn_only || plan.warn_only;
                // Whoever it went well for did it, or knows what it gave.
                if result.is_ok() || warned || !once.contains_key(&(visit.task, visit.step)) {
                    once.insert((visit.task, visit.step), Done { by: host.clone(), result });
                }
            }
        }
        let place = |((task, step), done)| (Place { task, step, batch: None }, done);
        Arc::make_mut(known).once = once.into_iter().map(place).collect();
    }

    /// Restores what all hosts share, before any of them goes on.
    pub(crate) fn restore(&self, plan: &Plan, once: &Once<Layer>, learned: &Learned) {
        let Some(known) = &self.0 else { return };
        for (place, done) in &known.once {
            once.settle(*place, done.clone());
        }
        for planned in &plan.hosts {
            let host = &planned.endpoint.name;
            let Some(recalled) = known.hosts.get(host) else { continue };
            let vars: Vars = recalled.visits.iter().flat_map(|visit| visit.vars.clone()).collect();
            if !vars.is_empty() {
                learned.tell(host.as_str(), &Layer::new(&vars));
            }
        }
    }
}

/// Whether one host does a step for the whole run. Whether to go on is asked again.
fn is_done_once(step: &Step) -> bool {
    step.run_once && step.action.properties().gathers != Gathers::ForAnAnswerEach
}

impl<S> HostRun<S> {
    /// A host that an earlier run has been at.
    pub(crate) fn remembering(mut self, memory: &Memory, host: &HostName) -> Self {
        if let Some(recalled) = memory.of(host) {
            self.recalled = Some(Box::new(recalled.clone()));
            self.started = recalled.started;
        }
        self
    }

    /// What an earlier run knows of a step, the next time that it comes to it.
    pub(crate) fn recall(&mut self, task: usize, step: usize) -> Option<Visit> {
        let visits = &mut self.recalled.as_mut()?.visits;
        let at = visits.iter().position(|visit| visit.is(task, step))?;
        // Those before it are on a way that the host does not go any more.
        visits.drain(..=at).next_back()
    }
}

impl<C: Connector> Worker<'_, C> {
    /// Passes over a step that an earlier run has done.
    pub(crate) fn pass_over(&mut self, index: usize, step: &Step, visit: Visit) -> Result<(), Halt> {
        self.together.batch.come_to(self.together.member, index);
        let mut result = StepResult::of(StepStatus::Ok);
        result.outcome = visit.outcome.unwrap_or_default();
        result.outcome.earlier = !visit.anew;
        // What it registered is among these.
        result.done_elsewhere = true;
        if !visit.vars.is_empty() {
            self.define(visit.vars);
        }
        self.take_note(step, &result);
        let ended = self.verdict(index, &result);
        let (host, task, outcome) = (self.planned.endpoint.name.clone(), self.task_index, result.outcome);
        self.shared.sink.tell(Fact::StepStarted { host: host.clone(), task, step: index });
        self.shared.sink.tell(Fact::StepFinished { host, task, step: index, outcome });
        ended
    }
}
