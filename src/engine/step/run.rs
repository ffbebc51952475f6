//! `run`: a command on the host.

use bytes::Bytes;

use crate::engine::command;
use crate::engine::plan::PlannedHost;
use crate::engine::step::{StepResult, command as shared, interrupted};
use crate::engine::worker::Worker;
use crate::model::outcome::{Failure, Kind, StepStatus};
use crate::model::settings::{OnDisconnect, Transport};
use crate::model::shell;
use crate::model::shell::watchdog::{Interpreter, watched_line};
use crate::model::task::{Command, Step};
use crate::model::template::Scope;
use crate::ssh::{Connector, ExecError, ExecRequest, Session, Stdin};

pub(super) async fn run<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    step: &Step,
    command: &Command,
    scope: &Scope,
) -> Result<StepResult, Failure> {
    let (request, success) = match command {
        Command::Raw(line) => (raw(worker.place, line)?, StepStatus::Ok),
        Command::Script(_) | Command::Argv(_) => {
            let folder = shared::remote_folder(worker, step, scope)?;
            let script = shared::script(worker, step, command, scope, folder.as_deref())?;
            (scripted(worker.place, step, &script)?, StepStatus::Changed)
        }
    };
    let mut stop = worker.shared.stop.clone();
    let session = worker.run.session.clone().expect("the worker opened a session for this action");
    let starting = async {
        match session.exec(request.clone()).await {
            // The channels of file steps may be all that the server allows (`MaxSessions`).
            Err(error) if error.failure.kind == Kind::ChannelRefused && !worker.run.files.is_empty() => {
                worker.run.files.clear();
                session.exec(request).await
            }
            answer => answer,
        }
    };
    let answer = tokio::select! {
        biased;
        answer = starting => answer,
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
        command::watch(exec, shared::surroundings(worker, index, step), shared::limits(worker, step)).await;
    Ok(shared::outcome(finished, success))
}

/// A line for the login shell as it is, as `ssh HOST CMD` does.
fn raw(host: &PlannedHost, line: &str) -> Result<ExecRequest, Failure> {
    match host.on_disconnect {
        OnDisconnect::Leave => {
            Ok(ExecRequest { line: Bytes::copy_from_slice(line.as_bytes()), stdin: Stdin::Closed })
        }
        OnDisconnect::Kill => watched(
            match host.endpoint.transport {
                Transport::Ssh => Interpreter::LoginShell,
                // Whatever the operator's own shell is: commands on this machine are run by `sh`.
                Transport::Local => Interpreter::Named("sh"),
            },
            line,
        ),
    }
}

/// A script for the host's interpreter.
fn scripted(host: &PlannedHost, step: &Step, script: &str) -> Result<ExecRequest, Failure> {
    let interpreter = step.shell.as_ref().map_or(&*host.shell, |shell| shell.value.as_str());
    match host.on_disconnect {
        OnDisconnect::Leave => {
            let line =
                shell::login_shell_line(interpreter, script).map_err(|error| shared::unusable(&error))?;
            Ok(ExecRequest { line: Bytes::from(line), stdin: Stdin::Closed })
        }
        OnDisconnect::Kill => watched(Interpreter::Named(interpreter), script),
    }
}

fn watched(interpreter: Interpreter<'_>, script: &str) -> Result<ExecRequest, Failure> {
    let line = watched_line(interpreter, script).map_err(|error| shared::unusable(&error))?;
    Ok(ExecRequest { line: Bytes::from(line), stdin: Stdin::Held })
}

/// The start was asked for and its answer is not known: the command may run.
fn unanswered(status: StepStatus, mut failure: Failure) -> StepResult {
    failure.message += "; whether the command was started is not known";
    let mut result = StepResult::failed(failure);
    result.outcome.status = status;
    result.outcome.may_still_run = true;
    result
}
