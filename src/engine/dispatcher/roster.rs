//! Where each host of the plan is in the run.

use std::sync::Arc;

use crate::engine::host::run::HostRun;
use crate::engine::live::activity::Activity;
use crate::engine::plan::Plan;
use crate::model::outcome::Status;
use crate::ssh::Session;

/// Where a host is in the run.
pub(super) enum HostState<S: Session> {
    /// Nothing has happened to it, and nothing is held of it: of a large fleet most hosts wait for most of the run.
    Fresh,
    /// Between tasks, or before its first one.
    Waiting(Box<HostRun<S>>),
    /// A worker has it.
    AtWork(Arc<Activity>),
    /// Its final record is told.
    Finished(Status),
}

impl<S: Session> HostState<S> {
    fn is_lost(&self) -> bool {
        match self {
            Self::Finished(status) => {
                matches!(status, Status::Failed | Status::Unreachable | Status::Unknown)
            }
            Self::Fresh | Self::Waiting(_) | Self::AtWork(_) => false,
        }
    }

    /// Whether it may still begin something.
    pub(super) fn waits(&self) -> bool {
        match self {
            Self::Fresh | Self::Waiting(_) => true,
            Self::AtWork(_) | Self::Finished(_) => false,
        }
    }
}

/// Makes what a host begins with, by its index in the plan.
type HostMaker<S> = Box<dyn Fn(usize) -> HostRun<S> + Send + Sync>;

/// The hosts, in the order of the plan.
pub(super) struct Roster<S: Session> {
    states: Vec<HostState<S>>,
    fresh: HostMaker<S>,
    /// For each host, the last task that it takes part in.
    last_task: Vec<Option<usize>>,
    /// How many hosts did not end well. Counted as they end: it is asked for each time that one might start.
    lost: usize,
}

impl<S: Session> Roster<S> {
    pub(super) fn new(plan: &Plan, fresh: impl Fn(usize) -> HostRun<S> + Send + Sync + 'static) -> Self {
        let states = plan.hosts.iter().map(|_| HostState::Fresh).collect();
        Self { states, fresh: Box::new(fresh), last_task: last_tasks(plan), lost: 0 }
    }

    /// The plan's tasks have other hosts now.
    pub(super) fn replanned(&mut self, plan: &Plan) {
        self.last_task = last_tasks(plan);
    }

    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    pub(super) fn states(&self) -> impl Iterator<Item = &HostState<S>> {
        self.states.iter()
    }

    pub(super) fn get(&self, host: usize) -> Option<&HostState<S>> {
        self.states.get(host)
    }

    /// The hosts that wait.
    pub(super) fn waiting(&mut self) -> impl Iterator<Item = &mut HostRun<S>> {
        let fresh = &self.fresh;
        self.states.iter_mut().enumerate().filter_map(|(host, state)| waiting(fresh, host, state))
    }

    /// A host, if it waits.
    pub(super) fn waiting_at(&mut self, host: usize) -> Option<&mut HostRun<S>> {
        waiting(&self.fresh, host, self.states.get_mut(host)?)
    }

    /// Takes out a host that waits. Who does so says with [`Self::set`] what becomes of it.
    pub(super) fn take(&mut self, host: usize) -> Option<HostRun<S>> {
        let state = self.states.get_mut(host)?;
        match std::mem::replace(state, HostState::Finished(Status::Skipped)) {
            HostState::Fresh => Some((self.fresh)(host)),
            HostState::Waiting(run) => Some(*run),
            other @ (HostState::AtWork(_) | HostState::Finished(_)) => {
                *state = other;
                None
            }
        }
    }

    pub(super) fn set(&mut self, host: usize, state: HostState<S>) {
        if let Some(place) = self.states.get_mut(host) {
            self.lost += usize::from(state.is_lost());
            self.lost -= usize::from(place.is_lost());
            *place = state;
        }
    }

    /// The last task that a host takes part in.
    pub(super) fn last_task(&self, host: usize) -> Option<usize> {
        self.last_task.get(host).copied().flatten()
    }

    /// How many hosts did not end well: others might depend on what failed there.
    pub(super) fn lost(&self) -> usize {
        self.lost
    }
}

/// A host, if it waits.
fn waiting<'s, S: Session>(
    fresh: &HostMaker<S>,
    host: usize,
    state: &'s mut HostState<S>,
) -> Option<&'s mut HostRun<S>> {
    if matches!(state, HostState::Fresh) {
        *state = HostState::Waiting(Box::new(fresh(host)));
    }
    match state {
        HostState::Waiting(run) => Some(run),
        HostState::Fresh | HostState::AtWork(_) | HostState::Finished(_) => None,
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
