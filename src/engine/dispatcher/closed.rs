//! Why no further host starts while the run itself continues.

use std::sync::Arc;

use crate::model::outcome::{Failure, Kind};

/// What closed the run to hosts that have not begun, and to tasks that come later.
#[derive(Clone, Debug)]
pub(super) enum Closed {
    /// The user said no.
    Declined,
    /// A task that one host was to do for all, and did not: nothing that comes later can count on it.
    Unmet(Arc<str>),
    /// A lock could not be had, or was lost.
    Locked(Failure),
}

impl Closed {
    /// What a host is told that is left over. `what`: begun, or continued.
    pub(super) fn failure(&self, what: &str) -> Failure {
        match self {
            Self::Declined => {
                Failure::new(Kind::Declined, format!("not {what}: the answer to a question was no"))
            }
            Self::Unmet(task) => {
                let why = format!("\"{task}\", which one host was to run for all, failed");
                Failure::new(Kind::Dependency, format!("not {what}: {why}"))
            }
            Self::Locked(failure) => failure.clone(),
        }
    }
}
