//! `run`: a command on the host.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;

use crate::engine::host::connection::giving_way;
use crate::engine::host::result::StepResult;
use crate::engine::live::command::{self, Ended, Exchange, Finished};
use crate::engine::live::feed::Feed;
use crate::engine::live::stop::interrupted;
use crate::engine::step::command::{self as shared, Means, Prepared, Reads};
use crate::engine::step::cx::StepCx;
use crate::engine::step::proof::{self, LookBeside};
use crate::engine::step::{durable, privilege};
use crate::model::outcome::{Exit, Failure, StepStatus};
use crate::model::privilege::{Method, Raising};
use crate::model::settings::{OnDisconnect, Transport};
use crate::model::shell;
use crate::model::shell::watchdog::{Interpreter, watched_line};
use crate::model::task::{Action, Command, TemplateText};
use crate::ssh::{Connector, ExecError, ExecRequest, Sent, Session, Stdin};

pub(super) async fn run<C: Connector>(
    cx: &mut StepCx<'_, C>,
    command: &Command,
) -> Result<StepResult, Failure> {
    if let Command::Raw(line) = command {
        if let Some(raising) = privilege::raising(cx, cx.step)? {
            return raised(cx, line, raising).await;
        }
        let prepared = raw(cx, line)?;
        let mut beside = LookBeside::of(cx, line, &prepared.request.sent);
        let finished = match beside.during(start(cx, prepared)).await {
            Ok(finished) => finished,
            Err(result) => return Ok(*result),
        };
        let sign = proof::look(cx, line, &finished, beside).await;
        let mut result = shared::outcome(finished, StepStatus::Ok, None);
        sign.add_to(&mut result);
        return Ok(result);
    }
    if let Command::Program(words) = command
        && let Some(raising) = privilege::raising(cx, cx.step)?
        // su has a shell run whatever it runs.
        && raising.method != Method::Su
    {
        return program(cx, words, raising).await;
    }
    let (body, lines) = shared::body(cx.render(), command)?;
    let interpreter = cx.step.shell.as_ref().map_or(&*cx.place.shell, |shell| shell.value.as_str());
    let finished = match scripted(cx, ScriptBody { text: &body, interpreter }).await? {
        Ok(finished) => finished,
        Err(result) => return Ok(*result),
    };
    let at = shared::ended_at(command, lines, finished.line);
    Ok(shared::outcome(finished, StepStatus::Changed, at))
}

/// A script, and what it is written for.
pub(super) struct ScriptBody<'a> {
    pub(super) text: &'a str,
    pub(super) interpreter: &'a str,
}

/// Runs a script as the step's keys want it run. When it could not be started, the result says why.
pub(super) async fn scripted<C: Connector>(
    cx: &mut StepCx<'_, C>,
    body: ScriptBody<'_>,
) -> Result<Result<Finished, Box<StepResult>>, Failure> {
    let token = durable::token(cx);
    let (step, render) = (cx.step, cx.render());
    let folder = step.cd.as_ref().map(|cd| render.text(cd).map(|cd| cx.plan.host_path(cd))).transpose()?;
    let script = shared::script(cx, body.text, folder.as_deref(), &token)?;
    let means = Means {
        interpreter: body.interpreter,
        raising: privilege::raising(cx, step)?,
        by_program: false,
        reads: shared::reads(cx)?,
        terminal: step.dialogue.pty,
        tidies: matches!(step.action, Action::Script(_)),
        on_disconnect: cx.place.on_disconnect,
        confidential: durable::is_confidential(cx, &script),
    };
    let prepared = shared::prepare(means, &script, token)?;
    Ok(start(cx, prepared).await)
}

/// Runs a line as another user: as it is, but by the host's interpreter of scripts, as the login shell cannot become
/// anybody.
async fn raised<C: Connector>(
    cx: &mut StepCx<'_, C>,
    line: &str,
    raising: Raising,
) -> Result<StepResult, Failure> {
    let token = durable::token(cx);
    let script = shell::marked_script(&token, line).map_err(|error| shared::unusable(&error))?;
    let means = Means {
        interpreter: &cx.place.shell,
        raising: Some(raising),
        by_program: false,
        reads: shared::reads(cx)?,
        terminal: false,
        tidies: false,
        on_disconnect: cx.place.on_disconnect,
        confidential: durable::is_confidential(cx, &script),
    };
    let prepared = shared::prepare(means, &script, token)?;
    Ok(match start(cx, prepared).await {
        Ok(finished) => shared::outcome(finished, StepStatus::Ok, None),
        Err(result) => *result,
    })
}

/// Runs a program as another user and no shell in between, for hosts that allow just that program.
async fn program<C: Connector>(
    cx: &mut StepCx<'_, C>,
    words: &[TemplateText],
    raising: Raising,
) -> Result<StepResult, Failure> {
    let token = durable::token(cx);
    let (step, render) = (cx.step, cx.render());
    let folder = step.cd.as_ref().map(|cd| render.text(cd)).transpose()?;
    let words = shared::words_of(render, words)?;
    let line = raising.privilege().program(&words).map_err(|error| shared::unusable(&error))?;
    let script = shared::script(cx, &line, folder.as_deref(), &token)?;
    let asks = raising.privilege().password;
    let means = Means {
        interpreter: "sh",
        raising: Some(raising.clone()),
        by_program: true,
        reads: shared::reads(cx)?,
        terminal: step.dialogue.pty,
        tidies: false,
        on_disconnect: cx.place.on_disconnect,
        confidential: durable::is_confidential(cx, &script),
    };
    let mut prepared = shared::prepare(means, &script, token)?;
    if !asks && let Some(opening) = &mut prepared.opening {
        // Nothing is asked before it begins: the login is all that comes first.
        opening.raising = None;
    }
    let finished = match start(cx, prepared).await {
        Ok(finished) => finished,
        Err(result) => return Ok(*result),
    };
    let mut result = shared::outcome(finished, StepStatus::Changed, None);
    if result.outcome.exit == Some(Exit::Status(1))
        && let Some(failure) =
            raising.privilege().refused_program(&String::from_utf8_lossy(&result.stderr.data))
    {
        result.outcome.failure = Some(failure);
    }
    Ok(result)
}

/// Starts a command and watches it to its end.
async fn start<C: Connector>(
    cx: &mut StepCx<'_, C>,
    prepared: Prepared,
) -> Result<Finished, Box<StepResult>> {
    if let Err(failure) = cx.connection.commands.allowed() {
        return Err(Box::new(StepResult::refused(failure)));
    }
    let refused = |failure| Err(Box::new(StepResult::refused(failure)));
    let job = durable::is_wanted(cx).then(|| durable::job(cx, &prepared)).transpose();
    let job = match job {
        Ok(job) => job,
        Err(failure) => return Err(Box::new(StepResult::failed(failure))),
    };
    let Prepared { request, opening, feed } = prepared;
    let request = job.as_ref().map_or(request, |asked| asked.request.clone());
    let (session, answer) = match ask(cx, request).await {
        Ok(asked) => asked,
        Err(result) => return Err(result),
    };
    let exchange = Exchange { opening, feed: feed.map(Feed::new) };
    let (around, limits) = (cx.surroundings(), cx.limits());
    let mut finished = match (job, answer) {
        (None, Ok(exec)) => command::watch(exec, around, limits, exchange).await,
        (None, Err(ExecError { failure, may_have_started: true })) => {
            cx.seen.started = true;
            return Err(Box::new(unanswered(StepStatus::Unknown, failure)));
        }
        (_, Err(ExecError { failure, may_have_started: false })) => return refused(failure),
        (Some(asked), answer) => {
            // Whether it was started is seen from its spool.
            let answer = answer.map_err(|error| error.failure);
            durable::watch(cx, asked, (session, answer), exchange).boxed().await
        }
    };
    if finished.noise > 0 && std::mem::replace(&mut cx.seen.noise, true) {
        finished.noise = 0;
    }
    cx.seen.started |= !matches!(finished.ended, Ended::NotStarted(_));
    Ok(finished)
}

/// A session, and what it answered to a request.
type ExecAnswer<S> = (Arc<S>, Result<<S as Session>::Exec, ExecError>);

/// Asks for the start of a command; the result when the user stops the run meanwhile.
async fn ask<C: Connector>(
    cx: &mut StepCx<'_, C>,
    request: ExecRequest,
) -> Result<ExecAnswer<C::Session>, Box<StepResult>> {
    let sent = request.sent.clone();
    let mut again = true;
    loop {
        let (session, mut stop) = (cx.connection.session(), cx.tools.stop.clone());
        let starting = giving_way(session.as_ref(), &mut cx.connection.files, session.exec(request.clone()));
        let answer = tokio::select! {
            biased;
            answer = starting => answer,
            reason = stop.asked_and_waited(|patience| patience.start) => {
                if !sent.is_noted() {
                    // There was no channel yet for it to be sent in.
                    return Err(Box::new(StepResult { refused: true, ..StepResult::cancelled(reason) }));
                }
                cx.seen.started = true;
                return Err(Box::new(unanswered(StepStatus::Cancelled, interrupted(reason))));
            }
        };
        match answer {
            Err(ExecError { failure, may_have_started: false })
                if std::mem::take(&mut again) && cx.renew(&failure).await => {}
            answer => return Ok((session, answer)),
        }
    }
}

/// A line for the login shell as it is, as `ssh HOST CMD` does.
///
/// One that reads something has its input for itself: then there is no watchdog.
fn raw<C: Connector>(cx: &StepCx<'_, C>, line: &str) -> Result<Prepared, Failure> {
    let host = cx.place;
    let feed = match shared::reads(cx)? {
        Reads::Feed(source) => Some(source),
        Reads::Nothing | Reads::Answers(_) => None,
    };
    let untouched = || Bytes::copy_from_slice(line.as_bytes());
    let (line, stdin) = match (&feed, host.on_disconnect) {
        (Some(_), _) => (untouched(), Stdin::Open),
        (None, OnDisconnect::Leave) => (untouched(), Stdin::Closed),
        (None, OnDisconnect::Kill) => {
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
    Ok(Prepared { request, opening: None, feed })
}

/// The start was asked for and its answer is not known: the command may run.
fn unanswered(status: StepStatus, failure: Failure) -> StepResult {
    let mut result = StepResult::failed(failure.and("whether the command was started is unknown"));
    result.outcome.status = status;
    result.outcome.may_still_run = true;
    result.begun()
}
