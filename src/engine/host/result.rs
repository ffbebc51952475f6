//! What came of a step.

use crate::engine::live::command::Captured;
use crate::engine::live::stop::interrupted;
use crate::event::{Change, StepOutcome};
use crate::model::outcome::{CancelReason, Failure, Kind, StepStatus};
use crate::model::template::Layer;
use crate::model::value::Vars;

/// A step's outcome with the output that `register` wants.
pub(crate) struct StepResult {
    pub(crate) outcome: StepOutcome,
    pub(crate) stdout: Captured,
    pub(crate) stderr: Captured,
    /// The host would not start the step's command, or could not any more: nothing of the step ran, and
    /// nothing after it could.
    pub(crate) refused: bool,
    /// Its command ended, and not all of its output came.
    pub(crate) cut: bool,
    /// Another host did it, and what it gave is known already.
    pub(crate) done_elsewhere: bool,
    /// What `register` stores besides.
    pub(crate) values: Vars,
    /// The variables that the action itself gives to later steps.
    pub(crate) defines: Option<Layer>,
}

impl StepResult {
    /// A result without output.
    pub(crate) fn of(status: StepStatus) -> Self {
        let outcome = StepOutcome { status, ..StepOutcome::default() };
        Self {
            outcome,
            stdout: Captured::default(),
            stderr: Captured::default(),
            refused: false,
            cut: false,
            done_elsewhere: false,
            values: Vars::new(),
            defines: None,
        }
    }

    /// A step that did not do what it should.
    pub(crate) fn failed(failure: Failure) -> Self {
        let mut result = Self::of(StepStatus::Failed);
        result.outcome.failure = Some(failure);
        result
    }

    /// A step of which something was started that can change something. Unless it went well, nobody knows what it did.
    pub(crate) fn begun(mut self) -> Self {
        match self.outcome.status {
            StepStatus::Ok | StepStatus::Changed | StepStatus::Skipped => {}
            StepStatus::Warned | StepStatus::Failed | StepStatus::Unknown | StepStatus::Cancelled => {
                self.outcome.change = self.outcome.change.max(Change::Possible);
            }
        }
        self
    }

    /// A step that a dry run leaves out, and why: what it would give is not known.
    pub(crate) fn not_known(why: String) -> Self {
        let mut result = Self::of(StepStatus::Skipped);
        result.outcome.note = Some(why);
        result.outcome.not_known = true;
        result
    }

    /// A step that the user's signal has ended.
    pub(crate) fn cancelled(reason: CancelReason) -> Self {
        let mut result = Self::failed(interrupted(reason));
        result.outcome.status = StepStatus::Cancelled;
        result
    }

    /// A step whose command the host did not start.
    pub(crate) fn refused(failure: Failure) -> Self {
        Self { refused: true, ..Self::failed(failure) }
    }

    /// Whether the user said no to the step.
    pub(crate) fn is_declined(&self) -> bool {
        self.outcome.failure.as_ref().is_some_and(|failure| failure.kind == Kind::Declined)
    }
}

/// The failure of a secret step.
pub(crate) fn concealed(kind: Kind) -> Failure {
    Failure::new(kind, "details hidden (`secret` step)")
}
