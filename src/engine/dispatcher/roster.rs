//! Where each host of the plan is in the run.

use std::sync::Arc;

use crate::engine::host::run::HostRun;
use crate::engine::live::activity::Activity;
use crate::engine::plan::Plan;
use crate::model::outcome::Status;
use crate::ssh::Session;

/// Where a host is in the run.
pub(super) enum HostState<S: Session> {
    /// Between tasks, or before its first one.
    Waiting(HostRun<S>),
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
            Self::Waiting(_) | Self::AtWork(_) => false,
        }
    }
}

/// The hosts, in the order of the plan.
pub(super) struct Roster<S: Session> {
    states: Vec<HostState<S>>,
    /// For each host, the last task that it takes part in.
    last_task: Vec<Option<usize>>,
    /// How many hosts did not end well. Counted as they end: it is asked for each time that one might start.
    lost: usize,
}

impl<S: Session> Roster<S> {
    pub(super) fn new(plan: &Plan, runs: impl Iterator<Item = HostRun<S>>) -> Self {
        Self { states: runs.map(HostState::Waiting).collect(), last_task: last_tasks(plan), lost: 0 }
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
        self.states.iter_mut().filter_map(|state| match state {
            HostState::Waiting(run) => Some(run),
            HostState::AtWork(_) | HostState::Finished(_) => None,
        })
    }

    /// A host, if it waits.
    pub(super) fn waiting_at(&mut self, host: usize) -> Option<&mut HostRun<S>> {
        match self.states.get_mut(host)? {
            HostState::Waiting(run) => Some(run),
            HostState::AtWork(_) | HostState::Finished(_) => None,
        }
    }

    /// Takes out a host that waits. Who does so says with [`Self::set`] what becomes of it.
    pub(super) fn take(&mut self, host: usize) -> Option<HostRun<S>> {
        let state = self.states.get_mut(host)?;
        match std::mem::replace(state, HostState::Finished(Status::Skipped)) {
            HostState::Waiting(run) => Some(run),
            other => {
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
