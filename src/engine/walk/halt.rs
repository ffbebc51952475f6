//! How a host comes out of a step, and of its task.

use crate::event::HostOutcome;
use crate::model::outcome::Kind;
use crate::model::template::Layer;

/// Why a host does not go on with its steps.
#[derive(Debug)]
pub(crate) struct Halt {
    /// Its final record, unless someone puts it right.
    pub(crate) outcome: HostOutcome,
    /// The host can be worked on: `rescue` and `always` can run.
    pub(crate) can_go_on: bool,
}

impl Halt {
    /// Whether the user would rather stop.
    pub(crate) fn is_declined(&self) -> bool {
        self.outcome.failure.as_ref().is_some_and(|failure| failure.kind == Kind::Declined)
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
