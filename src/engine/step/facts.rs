//! `facts`: what the host is, asked once in a run, as the variable `facts` and as an event.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::plan::Beforehand;
use crate::engine::step::{StepResult, interrupted};
use crate::engine::worker::Worker;
use crate::event::Fact;
use crate::files::remote::{Privilege, Shell};
use crate::model::facts::{self, Facts, FactsError};
use crate::model::outcome::{Failure, Kind, StepStatus};
use crate::model::task::Step;
use crate::model::value::{Value, Vars};
use crate::ssh::Connector;

/// How long a host may take to tell, unless the step or its task says otherwise.
const DEADLINE: Duration = Duration::from_secs(60);

pub(super) async fn run<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    step: &Step,
) -> Result<StepResult, Failure> {
    let known = match (&worker.run.facts, &worker.planned.beforehand) {
        (Some(facts), _) | (None, Beforehand::Facts(facts)) => Some(Arc::clone(facts)),
        (None, Beforehand::Nothing | Beforehand::Outcome(_)) => None,
    };
    let facts = match known {
        Some(facts) => facts,
        None => match ask(worker, step).await {
            Ok(facts) => Arc::new(facts),
            Err(result) => return Ok(*result),
        },
    };
    worker.run.facts = Some(Arc::clone(&facts));
    let vars = facts.to_vars();
    worker.define(Vars::from_iter([("facts".to_owned(), Value::Object(vars.clone()))]));
    worker.shared.sink.tell(Fact::FactsGathered {
        host: worker.planned.endpoint.name.clone(),
        task: worker.task_index,
        step: index,
        facts,
    });
    let mut result = StepResult::of(StepStatus::Ok);
    result.values = vars;
    Ok(result)
}

/// Asks the host; a failed step is boxed, as it is large.
async fn ask<C: Connector>(worker: &mut Worker<'_, C>, step: &Step) -> Result<Facts, Box<StepResult>> {
    let session = worker.run.session.clone().expect("the worker opened a session for this action");
    let limit = step.timeout.map(|limit| limit.duration()).or(worker.task.timeout);
    let deadline = limit.unwrap_or(Some(DEADLINE)).unwrap_or(Duration::MAX);
    let mut stop = worker.shared.stop.clone();
    let starting = async {
        match Shell::start(session.as_ref(), Privilege::Login).await {
            // The channels of file steps may be all that the server allows (`MaxSessions`).
            Err(failure) if failure.kind == Kind::ChannelRefused && !worker.run.files.is_empty() => {
                worker.run.files.clear();
                Shell::start(session.as_ref(), Privilege::Login).await
            }
            started => started,
        }
    };
    let cancelled = |reason| {
        let mut result = StepResult::failed(interrupted(reason));
        result.outcome.status = StepStatus::Cancelled;
        Box::new(result)
    };
    let shell = tokio::select! {
        biased;
        reason = stop.asked() => return Err(cancelled(reason)),
        shell = starting => shell.map_err(|failure| Box::new(StepResult::refused(failure)))?,
    };
    worker.run.started = true;
    let answer = tokio::select! {
        biased;
        // What runs there only reads, and ends by itself.
        reason = stop.asked() => return Err(cancelled(reason)),
        answer = shell.run(facts::SCRIPT, deadline) => answer,
    };
    shell.end().await;
    let answer = answer.map_err(|failure| {
        let lost = matches!(failure.kind, Kind::ConnectionLost | Kind::Keepalive | Kind::Protocol);
        // Nothing more can be done on a connection that is gone.
        Box::new(StepResult { refused: lost, ..StepResult::failed(failure) })
    })?;
    worker.run.activity.heard();
    facts::parse(&answer.output).map_err(|error| {
        let kind = match error {
            FactsError::TooLong => Kind::Limit,
            FactsError::NoAnswer(_) | FactsError::Incomplete => Kind::ExecRefused,
        };
        let failure = Failure::new(kind, error.to_string());
        Box::new(StepResult::failed(failure.hint("`fan exec` shows what the host says to a command")))
    })
}
