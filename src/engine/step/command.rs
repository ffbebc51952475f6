//! What `run` and `local` share: from a command as written to the script that is started, and from its end to
//! the step's outcome.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::command::{Ended, Finished, Limits, StopCause, Surroundings};
use crate::engine::step::{StepResult, interrupted, template_failed};
use crate::engine::worker::Worker;
use crate::model::duration;
use crate::model::outcome::{Exit, Failure, Kind, StepStatus};
use crate::model::settings::TimeLimit;
use crate::model::shell::{self, Prelude, ShellError};
use crate::model::task::{Command, Shown, Step, TemplateText};
use crate::model::template::Scope;
use crate::ssh::Connector;

/// The script of a command: rendered, with the folder that it runs in and its environment set up before it.
pub(super) fn script<C: Connector>(
    worker: &Worker<'_, C>,
    step: &Step,
    command: &Command,
    scope: &Scope,
    folder: Option<&str>,
) -> Result<String, Failure> {
    let templates = &worker.shared.plan.templates;
    let text = |template: &TemplateText| {
        templates
            .render_text(&template.value, scope)
            .map_err(|error| template_failed(&error, &template.position))
    };
    let body = match command {
        Command::Raw(line) => line.to_string(),
        Command::Script(script) => templates
            .render_script(&script.value, scope)
            .map_err(|error| template_failed(&error, &script.position))?,
        Command::Argv(words) => {
            let words = words.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            shell::argv_line(&words).map_err(|error| unusable(&error))?
        }
    };
    let mut env = identity(worker);
    env.extend(worker.place.env.iter().cloned());
    for (name, value) in &step.env {
        env.push((name.clone(), text(value)?));
    }
    shell::task_script(&Prelude { cd: folder, env: &env }, &body).map_err(|error| unusable(&error))
}

/// The folder that a step's commands run in on its host.
pub(super) fn remote_folder<C: Connector>(
    worker: &Worker<'_, C>,
    step: &Step,
    scope: &Scope,
) -> Result<Option<String>, Failure> {
    let Some(cd) = &step.cd else { return Ok(None) };
    let text = worker.shared.plan.templates.render_text(&cd.value, scope);
    text.map(Some).map_err(|error| template_failed(&error, &cd.position))
}

/// A command that no shell can be given.
pub(super) fn unusable(error: &ShellError) -> Failure {
    Failure::new(Kind::Template, error.to_string())
}

/// What every command may know of its run.
fn identity<C: Connector>(worker: &Worker<'_, C>) -> Vec<(String, String)> {
    let roles: Vec<&str> = worker.planned.roles.iter().map(|role| role.as_str()).collect();
    let own = |name: &str, value: String| (name.to_owned(), value);
    vec![
        own("FAN_HOST", worker.planned.endpoint.name.to_string()),
        own("FAN_ROLES", roles.join(",")),
        own("FAN_TASK", worker.task.name.to_string()),
        own("FAN_RUN_ID", worker.shared.plan.run.to_string()),
        own("FAN_INDEX", worker.position.to_string()),
        own("FAN_COUNT", worker.task.hosts.len().to_string()),
    ]
}

/// The bounds of a step's command: its own, else the task's, else the host's.
pub(super) fn limits<C: Connector>(worker: &Worker<'_, C>, step: &Step) -> Limits {
    let own = step.timeout.map(|limit| limit.duration()).or(worker.task.timeout);
    Limits {
        timeout: own.unwrap_or(worker.place.command_timeout),
        idle: step.idle_timeout.map_or(worker.place.idle_timeout, TimeLimit::duration),
        capture: reads_result(step),
    }
}

/// Whether anything of the step looks at its output.
fn reads_result(step: &Step) -> bool {
    let until = step.repeat.as_ref().is_some_and(|repeat| repeat.until.is_some());
    step.register.is_some() || step.changed_when.is_some() || until
}

/// What surrounds the command of this step.
pub(super) fn surroundings<C: Connector>(worker: &Worker<'_, C>, index: usize, step: &Step) -> Surroundings {
    Surroundings {
        sink: worker.shared.sink.clone(),
        host: worker.planned.endpoint.name.clone(),
        task: worker.task_index,
        step: index,
        budget: Arc::clone(&worker.run.budget),
        activity: Arc::clone(&worker.run.activity),
        stop: worker.shared.stop.clone(),
        shown: step.shown == Shown::All,
    }
}

/// The outcome of a step whose command has ended.
pub(super) fn outcome(finished: Finished, success: StepStatus) -> StepResult {
    let mut result = StepResult::of(success);
    let outcome = &mut result.outcome;
    match finished.ended {
        Ended::Exited(Exit::Status(0)) => outcome.exit = Some(Exit::Status(0)),
        Ended::Exited(exit) => {
            outcome.status = StepStatus::Failed;
            outcome.failure = Some(match &exit {
                Exit::Status(status) => Failure::new(Kind::Exit, format!("exit status {status}")),
                Exit::Signal(name) => Failure::new(Kind::Signal, format!("killed by signal {name}")),
            });
            outcome.exit = Some(exit);
        }
        Ended::NoStatus => {
            outcome.status = StepStatus::Unknown;
            outcome.failure = Some(Failure::new(
                Kind::ConnectionLost,
                "the channel closed without an exit status: how the command ended is not known",
            ));
        }
        Ended::Lost(failure) => {
            outcome.status = StepStatus::Unknown;
            outcome.may_still_run = true;
            outcome.failure = Some(failure);
        }
        Ended::Stopped { cause, confirmed } => {
            outcome.may_still_run = !confirmed;
            outcome.failure = Some(stopped(cause, confirmed));
            outcome.status = match cause {
                StopCause::Timeout(_) | StopCause::Idle(_) => StepStatus::Failed,
                StopCause::Cancelled(_) => StepStatus::Cancelled,
            };
        }
    }
    result.stdout = finished.stdout;
    result.stderr = finished.stderr;
    result
}

fn stopped(cause: StopCause, confirmed: bool) -> Failure {
    let show = |limit: Duration| duration::show(limit);
    let mut failure = match cause {
        StopCause::Timeout(limit) => {
            Failure::new(Kind::Timeout, format!("still running after {}", show(limit)))
                .hint("raise the step's `timeout`, or -T")
        }
        StopCause::Idle(limit) => Failure::new(Kind::Idle, format!("silent for {}", show(limit)))
            .hint("raise the host's `idle_timeout`"),
        StopCause::Cancelled(reason) => interrupted(reason),
    };
    failure.message += if confirmed { "; ended" } else { "; it may still be running there" };
    failure
}
