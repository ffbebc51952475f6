//! A host's life in a run: what it carries from task to task.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::engine::host::connection::HostConnection;
use crate::engine::host::jobs::Jobs;
use crate::engine::live::activity::Activity;
use crate::engine::live::sink::EventSink;
use crate::engine::plan::memory::{Recalled, Visit};
use crate::event::HostOutcome;
use crate::model::facts::Facts;
use crate::model::outcome::{Failure, Status};
use crate::model::template::Layer;
use crate::ssh::Session;

/// What a host carries from task to task.
pub(crate) struct HostRun<S: Session> {
    /// Index into [`Plan::hosts`].
    ///
    /// [`Plan::hosts`]: crate::engine::plan::Plan::hosts
    pub(crate) host: usize,
    /// How far it has come.
    pub(crate) progress: HostProgress,
    /// The connection to it; the one to another host while a step is done there.
    pub(crate) connection: HostConnection<S>,
    pub(crate) seen: Seen,
    /// Its commands that outlive a connection.
    pub(crate) jobs: Box<Jobs<S>>,
    /// What `set` and `register` stored.
    pub(crate) layer: Layer,
    /// What an earlier run has done there, and it has not come to yet.
    pub(crate) recalled: Option<Box<Recalled>>,
    /// A command was started there whose end was not seen.
    pub(crate) may_still_run: bool,
    /// A dry run has left a step out there, or not made a change.
    pub(crate) left_out: bool,
    /// Its place among the hosts at work, while it is.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
    /// For the dispatcher's look from outside.
    pub(crate) activity: Arc<Activity>,
}

/// How far a host has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HostProgress {
    /// It was not at work yet.
    #[default]
    Waits,
    /// It is in its first task, or ended there.
    Begun,
    /// It went through this task, the last one that it did.
    Through(usize),
}

/// What a run has seen of a host, over whichever connection.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// A command has been started there.
    pub(crate) started: bool,
    /// Whether its steps can be done as those that they name was looked at.
    pub(crate) privileges: bool,
    /// Its login prints something, which was told.
    pub(crate) noise: bool,
    /// What it is, once it has been asked.
    pub(crate) facts: Option<Arc<Facts>>,
}

impl<S: Session> HostRun<S> {
    /// A host that nothing has happened to but in an earlier run.
    pub(crate) fn new(host: usize, sink: &EventSink, recalled: Option<&Recalled>) -> Self {
        let started = recalled.is_some_and(|recalled| recalled.started);
        Self {
            host,
            progress: HostProgress::default(),
            connection: HostConnection::default(),
            seen: Seen { started, ..Seen::default() },
            jobs: Box::new(Jobs::adopting(recalled.and_then(|recalled| recalled.adopted.clone()))),
            layer: Layer::default(),
            recalled: recalled.cloned().map(Box::new),
            may_still_run: false,
            left_out: false,
            permit: None,
            activity: Arc::new(Activity::new(sink.clone())),
        }
    }

    /// What an earlier run knows of a step, the next time that it comes to it.
    pub(crate) fn recall(&mut self, task: usize, step: usize) -> Option<Visit> {
        let visits = &mut self.recalled.as_mut()?.visits;
        let at = visits.iter().position(|visit| visit.is(task, step))?;
        // Those before it are on a way that the host does not go any more.
        visits.drain(..=at).next_back()
    }

    /// The host's final record.
    pub(crate) fn outcome(
        &self,
        status: Status,
        failure: Option<Failure>,
        step: Option<(usize, usize)>,
    ) -> HostOutcome {
        let (started, may_still_run) = (self.seen.started, self.may_still_run);
        HostOutcome { status, failure, step, started, may_still_run }
    }
}
