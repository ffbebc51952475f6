//! `run`: a command on the host.

use bytes::Bytes;

use crate::engine::command;
use crate::engine::step::{StepResult, command as shared};
use crate::engine::worker::Worker;
use crate::model::outcome::{Failure, StepStatus};
use crate::model::shell;
use crate::model::task::{Command, Step};
use crate::model::template::Scope;
use crate::ssh::{Connector, Session};

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
    let session = worker.run.session.as_mut().expect("the worker opened a session for this action");
    let exec = match session.exec(line).await {
        Ok(exec) => exec,
        Err(error) => {
            let mut result = StepResult::failed(error.failure);
            if error.may_have_started {
                worker.run.started = true;
                result.outcome.status = StepStatus::Unknown;
                result.outcome.may_still_run = true;
            }
            return Ok(result);
        }
    };
    worker.run.started = true;
    let finished =
        command::watch(exec, shared::surroundings(worker, index), shared::limits(worker, step)).await;
    Ok(shared::outcome(finished, success))
}
