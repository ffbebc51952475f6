//! What a step does, one file per kind of action; here the parts that all kinds share.

pub(super) mod ask;
mod assert;
mod command;
mod echo;
pub(super) mod facts;
mod fail;
mod files;
mod local;
pub(super) mod look;
pub(super) mod privilege;
mod proof;
mod reboot;
mod run;
mod script;
mod set;
mod wait_for;

#[cfg(fuzzing)]
pub use wait_for::http_door;

use std::path::PathBuf;

use futures::FutureExt;

use crate::engine::live::command::Captured;
use crate::engine::walk::worker::Worker;
use crate::event::{Change, StepOutcome};
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
    /// Its command ended, and not all of its output came.
    pub(super) cut: bool,
    /// Another host did it, and what it gave is known already.
    pub(super) done_elsewhere: bool,
    /// What `register` stores besides.
    pub(super) values: Vars,
}

impl StepResult {
    /// A result without output.
    pub(super) fn of(status: StepStatus) -> Self {
        let outcome = StepOutcome { status, ..StepOutcome::default() };
        Self {
            outcome,
            stdout: Captured::default(),
            stderr: Captured::default(),
            refused: false,
            cut: false,
            done_elsewhere: false,
            values: Vars::new(),
        }
    }

    /// A step that did not do what it should.
    pub(super) fn failed(failure: Failure) -> Self {
        let mut result = Self::of(StepStatus::Failed);
        result.outcome.failure = Some(failure);
        result
    }

    /// A step of which something was started that can change something. Unless it went well, nobody knows what it did.
    pub(super) fn begun(mut self) -> Self {
        match self.outcome.status {
            StepStatus::Ok | StepStatus::Changed | StepStatus::Skipped => {}
            StepStatus::Warned | StepStatus::Failed | StepStatus::Unknown | StepStatus::Cancelled => {
                self.outcome.change = self.outcome.change.max(Change::Possible);
            }
        }
        self
    }

    /// A step that a dry run leaves out, and why: what it would give is not known.
    pub(super) fn not_known(why: String) -> Self {
        let mut result = Self::of(StepStatus::Skipped);
        result.outcome.note = Some(why);
        result.outcome.not_known = true;
        result
    }

    /// A step whose command the host did not start.
    pub(super) fn refused(failure: Failure) -> Self {
        Self { refused: true, ..Self::failed(failure) }
    }
}

/// Runs a step whose condition holds. The session is open when its properties ask for one.
pub(super) async fn run<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    step: &Step,
    scope: &Scope,
) -> StepResult {
    if let Some(why) = step.action.properties().left_out
        && worker.shared.plan.changes.dry_run
    {
        return StepResult::not_known(why.to_owned());
    }
    let result = match &step.action {
        Action::Run(command) => run::run(worker, index, step, command, scope).await,
        Action::Local(command) => local::run(worker, index, step, command, scope).await,
        Action::Script(file) => script::run(worker, index, step, file, scope).await,
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
        Action::WaitFor(wait) => wait_for::run(worker, index, step, wait, scope).boxed().await,
        Action::Confirm(text) => ask::confirm(worker, index, text, scope).boxed().await,
        Action::Prompt(prompt) => ask::prompt(worker, index, prompt, scope).boxed().await,
        Action::Reboot(reboot) => reboot::run(worker, index, step, reboot, scope).boxed().await,
        Action::Facts => facts::run(worker, index, step).boxed().await,
        // The hosts have met by now.
        Action::Barrier => Ok(StepResult::of(StepStatus::Ok)),
        Action::Block(_) | Action::Task(_) => unreachable!("the plan has opened them up"),
    };
    result.unwrap_or_else(StepResult::failed)
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

/// Where local commands of a step run and its relative local paths begin: `lcd`, from the folder of the tasks file.
fn local_folder<C: Connector>(
    worker: &Worker<'_, C>,
    step: &Step,
    scope: &Scope,
) -> Result<PathBuf, Failure> {
    let Some(lcd) = &step.lcd else { return Ok(worker.task.folder.to_path_buf()) };
    let plan = &worker.shared.plan;
    let text = plan.templates.render_text(&lcd.value, scope);
    let text = text.map_err(|error| template_failed(&error, &lcd.position))?;
    Ok(worker.task.folder.join(plan.local_path(&text)))
}

/// A template's error as the failure of a step.
pub(super) fn template_failed(error: &TemplateError, at: &Position) -> Failure {
    let kind = if error.is_not_known() { Kind::NotKnown } else { Kind::Template };
    let mut failure = Failure::new(kind, format!("{} ({}:{})", error.message, at.file, at.line));
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
