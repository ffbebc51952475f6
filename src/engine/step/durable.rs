//! Commands that outlive the connection: which are, and from a command that is ready to be started to one that is watched
//! over whichever connection.

use std::sync::Arc;

use crate::engine::host::jobs::NextJob;
use crate::engine::live::command::{self, Exchange, Finished};
use crate::engine::live::durable::{DurableExec, Job, JobOrigin, job_token};
use crate::engine::live::reattach::Ties;
use crate::engine::step::command::{self as shared, Prepared};
use crate::engine::step::cx::StepCx;
use crate::model::outcome::Failure;
use crate::model::shell::durable::{JobFound, JobShell, MAX_SHOWN};
use crate::model::shell::marks::Token;
use crate::model::task::{Action, Shown, StepJob};
use crate::ssh::{Connector, ExecRequest, Session};

/// A job, and the request that starts it.
pub(super) struct JobRequest {
    job: Job,
    /// Of the job's own marks, and of its follower's.
    tokens: (Token, Token),
    pub(super) request: ExecRequest,
}

/// The session that a job was asked for over, and what it answered.
type JobAnswer<S> = (Arc<S>, Result<<S as Session>::Exec, Failure>);

/// Whether the step's command outlives the connection.
pub(super) fn is_wanted<C: Connector>(cx: &StepCx<'_, C>) -> bool {
    let is_command = matches!(cx.step.action, Action::Run(_) | Action::Script(_));
    // A dry run leaves nothing on the host.
    is_command && !cx.plan.changes.dry_run && cx.place.makes_durable(cx.step)
}

/// The token of the marks of the step's command.
pub(super) fn token<C: Connector>(cx: &mut StepCx<'_, C>) -> Token {
    if !is_wanted(cx) {
        return Token::new(rand::random());
    }
    let (run, host) = (&cx.plan.run, cx.host.endpoint.name.as_str());
    job_token(cx.jobs.announce(run, host, (cx.task_index, cx.index)))
}

/// Whether a script may not stand on a command line. Those of jobs are there for as long as the job: short ones only.
pub(super) fn is_confidential<C: Connector>(cx: &StepCx<'_, C>, script: &str) -> bool {
    shared::is_confidential(cx, script) || (script.len() > MAX_SHOWN && is_wanted(cx))
}

/// The job of a command.
pub(super) fn job<C: Connector>(cx: &mut StepCx<'_, C>, prepared: &Prepared) -> Result<JobRequest, Failure> {
    let place = (cx.task_index, cx.index);
    let (found, origin) = match &cx.step.job {
        StepJob::Found(found) => (found.clone(), JobOrigin::Known),
        StepJob::Own | StepJob::Left => {
            let NextJob { name, origin } = cx.jobs.next(&cx.plan.run, cx.host.endpoint.name.as_str(), place);
            (JobFound::Named(name), origin)
        }
    };
    let title = cx.task.steps.get(cx.index).map(|planned| planned.title()).unwrap_or_default();
    let secret = cx.step.shown == Shown::StatusOnly || cx.tools.sink.hides(&title);
    let job = Job {
        found,
        title: if secret { String::new() } else { title },
        // What is passed on untouched is for the login shell.
        shell: if prepared.opening.is_none() { JobShell::Login } else { JobShell::Posix },
        line: String::from_utf8_lossy(&prepared.request.line).into_owned(),
        stdin: prepared.request.stdin,
        origin,
    };
    let token = Token::new(rand::random());
    let (request, first) = DurableExec::<C>::request(&job, &token)?;
    Ok(JobRequest { job, tokens: (token, first), request })
}

/// Watches a job that was asked for over this session, to its end.
pub(super) async fn watch<C: Connector>(
    cx: &mut StepCx<'_, C>,
    asked: JobRequest,
    (session, answer): JobAnswer<C::Session>,
    exchange: Exchange,
) -> Finished {
    let ties = Ties {
        connector: Arc::clone(&cx.tools.connector),
        endpoint: cx.place.endpoint.clone(),
        patience: cx.place.reattach,
    };
    let JobRequest { job, tokens, request: _ } = asked;
    let exec = DurableExec::new(ties, job, tokens, session, answer, cx.jobs.remains());
    let finished = command::watch(exec, cx.surroundings(), cx.limits(), exchange).await;
    if let Some(session) = cx.jobs.renewed() {
        cx.connection.files.clear();
        cx.connection.session = Some(session);
    }
    finished
}
