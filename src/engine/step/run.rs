//! `run`: a command on the host.

use bytes::Bytes;

use crate::engine::command;
use crate::engine::step::{StepResult, command as shared, interrupted};
use crate::engine::worker::Worker;
use crate::model::outcome::{Failure, StepStatus};
use crate::model::shell;
use crate::model::task::{Command, Step};
use crate::model::template::Scope;
use crate::ssh::{Connector, ExecError, Session};

pub(super) async fn run<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    step: &Step,
    command: &Command,
    scope: &Scope,
) -> Result<StepResult, Failure> {
    let (line, success) = match command {
        // For the login shell as it is, as `ssh HOST CMD` does.
        Command::Raw(line) => (Bytes::copy_from_slice(line.as_bytes()), StepStatus::Ok),
        Command::Script(_) | Command::Argv(_) => {
            let script = shared::script(worker, step, command, scope)?;
            let line = shell::login_shell_line(&worker.planned.shell, &script)
                .map_err(|error| shared::unusable(&error))?;
            (Bytes::from(line), StepStatus::Changed)
        }
    };
    let mut stop = worker.shared.stop.clone();
    let session = worker.run.session.as_mut().expect("the worker opened a session for this action");
    let answer = tokio::select! {
        biased;
        answer = session.exec(line) => answer,
        reason = stop.asked_and_waited(|patience| patience.start) => {
            worker.run.started = true;
            return Ok(unanswered(StepStatus::Cancelled, interrupted(reason)));
        }
    };
    let exec = match answer {
        Ok(exec) => exec,
        Err(ExecError { failure, may_have_started: true }) => {
            worker.run.started = true;
            return Ok(unanswered(StepStatus::Unknown, failure));
        }
        Err(ExecError { failure, may_have_started: false }) => return Ok(StepResult::refused(failure)),
    };
    worker.run.started = true;
    let finished =
        command::watch(exec, shared::surroundings(worker, index), shared::limits(worker, step)).await;
    Ok(shared::outcome(finished, success))
}

/// The start was asked for and its answer is not known: the command may run.
fn unanswered(status: StepStatus, mut failure: Failure) -> StepResult {
    failure.message += "; whether the command was started is not known";
    let mut result = StepResult::failed(failure);
    result.outcome.status = status;
    result.outcome.may_still_run = true;
    result
}
