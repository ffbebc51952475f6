//! `run`: a command on the host.

use bytes::Bytes;

use crate::engine::live::command::{self, Ended, Finished};
use crate::engine::plan::PlannedHost;
use crate::engine::step::command::{self as shared, Means, Prepared};
use crate::engine::step::{StepResult, interrupted, privilege, proof};
use crate::engine::walk::worker::{Worker, giving_way};
use crate::model::outcome::{Failure, StepStatus};
use crate::model::settings::{OnDisconnect, Transport};
use crate::model::shell::marks::Token;
use crate::model::shell::watchdog::{Interpreter, watched_line};
use crate::model::task::{Action, Command, Step};
use crate::model::template::Scope;
use crate::ssh::{Connector, ExecError, ExecRequest, Sent, Session, Stdin};

pub(super) async fn run<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    step: &Step,
    command: &Command,
    scope: &Scope,
) -> Result<StepResult, Failure> {
    if let Command::Raw(line) = command {
        let prepared = raw(worker.place, line)?;
        let finished = match start(worker, index, step, prepared).await {
            Ok(finished) => finished,
            Err(result) => return Ok(*result),
        };
        let sign = proof::look(worker, index, line, &finished).await;
        let mut result = shared::outcome(finished, StepStatus::Ok, None);
        sign.add_to(&mut result);
        return Ok(result);
    }
    let (body, lines) = shared::body(worker, command, scope)?;
    let interpreter = step.shell.as_ref().map_or(&*worker.place.shell, |shell| shell.value.as_str());
    let finished = match scripted(worker, index, step, Body { text: &body, interpreter }, scope).await? {
        Ok(finished) => finished,
        Err(result) => return Ok(*result),
    };
    let at = shared::ended_at(command, lines, finished.line);
    Ok(shared::outcome(finished, StepStatus::Changed, at))
}

/// A script, and what it is written for.
pub(super) struct Body<'a> {
    pub(super) text: &'a str,
    pub(super) interpreter: &'a str,
}

/// Runs a script as the step's keys want it run. When it could not be started, the result says why.
pub(super) async fn scripted<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    step: &Step,
    body: Body<'_>,
    scope: &Scope,
) -> Result<Result<Finished, Box<StepResult>>, Failure> {
    let token = Token::new(rand::random());
    let folder = shared::remote_folder(worker, step, scope)?;
    let script = shared::script(worker, step, body.text, scope, folder.as_deref(), &token)?;
    let means = Means {
        interpreter: body.interpreter,
        raising: privilege::raising(worker, step, scope)?,
        reads: shared::reads(worker, step, scope)?,
        terminal: step.dialogue.pty,
        tidies: matches!(step.action, Action::Script(_)),
        on_disconnect: worker.place.on_disconnect,
        confidential: shared::is_confidential(worker, step, &script),
    };
    let prepared = shared::prepare(means, &script, token)?;
    Ok(start(worker, index, step, prepared).await)
}

/// Starts a command and watches it to its end.
async fn start<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    step: &Step,
    prepared: Prepared,
) -> Result<Finished, Box<StepResult>> {
    let Prepared { request, opening } = prepared;
    if let Err(failure) = worker.run.commands.allowed() {
        return Err(Box::new(StepResult::refused(failure)));
    }
    let sent = request.sent.clone();
    let mut again = true;
    let answer = loop {
        let mut stop = worker.shared.stop.clone();
        let session = worker.run.session.clone().expect("the worker opened a session for this action");
        let starting = giving_way(session.as_ref(), &mut worker.run.files, session.exec(request.clone()));
        let answer = tokio::select! {
            biased;
            answer = starting => answer,
            reason = stop.asked_and_waited(|patience| patience.start) => {
                if !sent.is_noted() {
                    // There was no channel yet for it to be sent in.
                    return Err(Box::new(unsent(interrupted(reason))));
                }
                worker.run.started = true;
                return Err(Box::new(unanswered(StepStatus::Cancelled, interrupted(reason))));
            }
        };
        match answer {
            Err(ExecError { failure, may_have_started: false })
                if std::mem::take(&mut again) && worker.renew(&failure).await => {}
            answer => break answer,
        }
    };
    let exec = match answer {
        Ok(exec) => exec,
        Err(ExecError { failure, may_have_started: true }) => {
            worker.run.started = true;
            return Err(Box::new(unanswered(StepStatus::Unknown, failure)));
        }
        Err(ExecError { failure, may_have_started: false }) => {
            return Err(Box::new(StepResult::refused(failure)));
        }
    };
    let before = std::mem::replace(&mut worker.run.started, true);
    let (around, limits) = (shared::surroundings(worker, index, step), shared::limits(worker, step));
    let mut finished = command::watch(exec, around, limits, opening).await;
    if finished.noise > 0 && std::mem::replace(&mut worker.run.noise_told, true) {
        finished.noise = 0;
    }
    if matches!(finished.ended, Ended::NotStarted(_)) {
        worker.run.started = before;
    }
    Ok(finished)
}

/// A line for the login shell as it is, as `ssh HOST CMD` does.
fn raw(host: &PlannedHost, line: &str) -> Result<Prepared, Failure> {
    let (line, stdin) = match host.on_disconnect {
        OnDisconnect::Leave => (Bytes::copy_from_slice(line.as_bytes()), Stdin::Closed),
        OnDisconnect::Kill => {
            let interpreter = match host.endpoint.transport {
                Transport::Ssh => Interpreter::LoginShell,
                // Whatever the operator's own shell is: commands on this machine are run by `sh`.
                Transport::Local => Interpreter::Named("sh"),
            };
            let line = watched_line(interpreter, line).map_err(|error| shared::unusable(&error))?;
            (Bytes::from(line), Stdin::Held)
        }
    };
    let request = ExecRequest { line, stdin, terminal: false, sent: Sent::default() };
    Ok(Prepared { request, opening: None })
}

/// The run was stopped before the start was asked for.
fn unsent(failure: Failure) -> StepResult {
    let mut result = StepResult::refused(failure);
    result.outcome.status = StepStatus::Cancelled;
    result
}

/// The start was asked for and its answer is not known: the command may run.
fn unanswered(status: StepStatus, mut failure: Failure) -> StepResult {
    failure.message += "; whether the command was started is not known";
    let mut result = StepResult::failed(failure);
    result.outcome.status = status;
    result.outcome.may_still_run = true;
    result.begun()
}
