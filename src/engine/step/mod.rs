//! What a step does, one file per kind of action; here the parts that all kinds share.

mod assert;
mod command;
mod echo;
mod fail;
mod files;
mod local;
mod run;
mod set;

pub(super) use files::SharedFiles;

use futures::FutureExt;

use crate::engine::command::Captured;
use crate::engine::worker::Worker;
use crate::event::StepOutcome;
use crate::model::outcome::{CancelReason, Failure, Kind, StepStatus};
use crate::model::position::Position;
use crate::model::task::{Action, Step};
use crate::model::template::{Scope, TemplateError, Templates};
use crate::model::value::Vars;
use crate::ssh::Connector;

/// A step's outcome with the output that `register` wants.
pub(super) struct StepResult {
    pub(super) outcome: StepOutcome,
    pub(super) stdout: Captured,
    pub(super) stderr: Captured,
    /// The host would not start the step's command, or could not any more: nothing of the step ran, and
    /// nothing after it could.
    pub(super) refused: bool,
    /// What `register` stores besides.
    pub(super) values: Vars,
}

impl StepResult {
    /// A result without output.
    pub(super) fn of(status: StepStatus) -> Self {
        let outcome = StepOutcome {
            status,
            failure: None,
            exit: None,
            note: None,
            difference: None,
            may_still_run: false,
            elapsed: std::time::Duration::ZERO,
        };
        Self {
            outcome,
            stdout: Captured::default(),
            stderr: Captured::default(),
            refused: false,
            values: Vars::new(),
        }
    }

    /// A step that did not do what it should.
    pub(super) fn failed(failure: Failure) -> Self {
        let mut result = Self::of(StepStatus::Failed);
        result.outcome.failure = Some(failure);
        result
    }

    /// A step whose command the host did not start.
    pub(super) fn refused(failure: Failure) -> Self {
        Self { refused: true, ..Self::failed(failure) }
    }
}

/// Runs a step whose condition holds. The session is open when [`needs_session`] says so.
pub(super) async fn run<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    step: &Step,
    scope: &Scope,
) -> StepResult {
    if worker.shared.plan.changes.dry_run && matches!(step.action, Action::Run(_) | Action::Local(_)) {
        let mut result = StepResult::of(StepStatus::Skipped);
        result.outcome.note = Some("not run: nobody knows what a command would change".to_owned());
        return result;
    }
    let result = match &step.action {
        Action::Run(command) => run::run(worker, index, step, command, scope).await,
        Action::Local(command) => local::run(worker, index, step, command, scope).await,
        Action::Echo(text) => echo::run(worker, text, scope),
        Action::Set(values) => set::run(worker, values, scope),
        Action::Fail(message) => fail::run(worker, message, scope),
        Action::Assert { that, message } => assert::run(worker, that, message.as_ref(), scope),
        Action::Put(_)
        | Action::Get(_)
        | Action::Sync(_)
        | Action::Template(_)
        | Action::File(_)
        | Action::Line(_)
        | Action::Stat(_)
        | Action::Ls(_) => files::run(worker, index, step, scope).boxed().await,
    };
    result.unwrap_or_else(StepResult::failed)
}

/// Whether the action is done on the host.
pub(super) fn needs_session(action: &Action) -> bool {
    match action {
        Action::Run(_)
        | Action::Put(_)
        | Action::Get(_)
        | Action::Sync(_)
        | Action::Template(_)
        | Action::File(_)
        | Action::Line(_)
        | Action::Stat(_)
        | Action::Ls(_) => true,
        Action::Local(_) | Action::Echo(_) | Action::Set(_) | Action::Fail(_) | Action::Assert { .. } => {
            false
        }
    }
}

/// Whether the step is to be run: its `when`.
pub(super) fn condition(templates: &Templates, step: &Step, scope: &Scope) -> Result<bool, Failure> {
    match &step.when {
        None => Ok(true),
        Some(when) => {
            templates.eval_bool(&when.value, scope).map_err(|error| template_failed(&error, &when.position))
        }
    }
}

/// A template's error as the failure of a step.
pub(super) fn template_failed(error: &TemplateError, at: &Position) -> Failure {
    let mut failure = Failure::new(Kind::Template, format!("{} ({}:{})", error.message, at.file, at.line));
    failure.hint.clone_from(&error.help);
    failure
}

/// The failure of whatever the user's signal ended.
pub(super) fn interrupted(reason: CancelReason) -> Failure {
    let signal = match reason {
        CancelReason::Hangup => "HUP",
        CancelReason::Terminate => "TERM",
        CancelReason::Interrupt => "INT",
    };
    Failure::new(Kind::Interrupted, format!("the run was stopped by {signal}"))
}
