//! What a run goes on from: for each host the steps that an earlier run has done there. Data; which steps count is decided
//! by `past`, and what a host makes of them by its walk.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::event::{HostOutcome, StepOutcome};
use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, StepStatus};
use crate::model::template::Layer;
use crate::model::value::Vars;

/// What earlier runs have done, for one that goes on from there. Empty for any other run; a clone is cheap.
#[derive(Clone, Debug, Default)]
pub struct Memory(Option<Arc<Remembered>>);

#[derive(Clone, Debug, Default)]
struct Remembered {
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
    /// A step whose commands outlive the connection, and whose end was not seen.
    pub(crate) adopted: Option<Adopted>,
}

/// A step whose commands may still be on the host, under the names that an earlier run gave them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Adopted {
    pub(crate) task: usize,
    pub(crate) step: usize,
    /// The run that began it.
    pub(crate) run: Arc<str>,
    /// The names of those that were there.
    pub(crate) jobs: Vec<Arc<str>>,
    /// What is to become of the step when one of these is gone; without a word, its end is unknown.
    pub(crate) otherwise: Option<Unseen>,
}

/// What is to become of a step whose end was not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// It is run again.
    Rerun,
    /// It counts as done.
    Skip,
    /// It counts as failed.
    Fail,
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
    /// The names of its commands that outlive the connection.
    pub(crate) jobs: Vec<Arc<str>>,
}

impl Visit {
    /// A step that was begun.
    pub(crate) fn open(task: usize, step: usize) -> Self {
        Self { task, step, outcome: None, vars: Vars::new(), lost: Vec::new(), anew: false, jobs: Vec::new() }
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
    pub(crate) fn is_skipped(&self) -> bool {
        self.outcome.as_ref().is_some_and(|outcome| outcome.status == StepStatus::Skipped)
    }

    /// Whether its end is unknown.
    pub(crate) fn is_unseen(&self) -> bool {
        self.outcome
            .as_ref()
            .is_none_or(|outcome| outcome.status == StepStatus::Unknown || outcome.may_still_run)
    }
}

impl Memory {
    /// Of a run: what is known of its hosts, and which steps one host has done for all.
    pub(crate) fn new(hosts: HashMap<HostName, Recalled>, once: Vec<(Place, Done<Layer>)>) -> Self {
        Self(Some(Arc::new(Remembered { hosts, once })))
    }

    pub(crate) fn of(&self, host: &HostName) -> Option<&Recalled> {
        self.0.as_ref()?.hosts.get(host)
    }

    /// The steps that one host has done for all.
    pub(crate) fn once(&self) -> &[(Place, Done<Layer>)] {
        self.0.as_ref().map_or(&[], |known| known.once.as_slice())
    }
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) task: usize,
    pub(crate) step: usize,
    /// The batch that it is done for; none when it is done for the whole run.
    pub(crate) batch: Option<usize>,
}

/// How a step ended that was done for all.
#[derive(Clone, Debug)]
pub(crate) struct Done<T> {
    /// Who did it.
    pub(crate) by: HostName,
    /// What the others get, or why it did not go well.
    pub(crate) result: Result<T, Failure>,
}
