//! `confirm` and `prompt`: a question to the user, for all hosts of the batch.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::engine::live::questions::{Answer, Unanswered, Wanted};
use crate::engine::step::{StepResult, interrupted, template_failed};
use crate::engine::walk::worker::Worker;
use crate::event::Fact;
use crate::model::outcome::{CancelReason, Failure, Kind, StepStatus};
use crate::model::task::{Prompt, TemplateText};
use crate::model::template::Scope;
use crate::model::value::{Value, Vars};
use crate::ssh::Connector;

/// How long the readers may take to clear the terminal for a question.
const CLEARING: Duration = Duration::from_secs(1);

/// Why a step does not have its answer.
pub(crate) enum NoAnswer {
    /// The user said no, or could not be asked.
    Declined(Failure),
    /// The run is being stopped.
    Cancelled(CancelReason),
}

impl From<NoAnswer> for StepResult {
    fn from(why: NoAnswer) -> Self {
        let failure = match why {
            NoAnswer::Declined(failure) => failure,
            NoAnswer::Cancelled(reason) => interrupted(reason),
        };
        let mut result = Self::failed(failure);
        result.outcome.status = StepStatus::Cancelled;
        result
    }
}

pub(super) async fn confirm<C: Connector>(
    worker: &Worker<'_, C>,
    index: usize,
    text: &TemplateText,
    scope: &Scope,
) -> Result<StepResult, Failure> {
    let question = render(worker, text, scope)?;
    if worker.plan.changes.dry_run {
        let mut result = StepResult::of(StepStatus::Skipped);
        result.outcome.note = Some(format!("not asked: {question}"));
        return Ok(result);
    }
    let answer = ask(worker, index, question, Wanted::Consent).await;
    Ok(answer.map_or_else(StepResult::from, |()| StepResult::of(StepStatus::Ok)))
}

pub(super) async fn prompt<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    prompt: &Prompt,
    scope: &Scope,
) -> Result<StepResult, Failure> {
    let name = &prompt.set.value;
    if worker.plan.extra_vars.contains(name) {
        let mut result = StepResult::of(StepStatus::Ok);
        result.outcome.note = Some(format!("{name} is given with -e"));
        return Ok(result);
    }
    let question = render(worker, &prompt.ask, scope)?;
    let default = prompt.default.as_ref().map(|text| render(worker, text, scope)).transpose()?;
    let answer = if prompt.secret {
        let secret = ask(worker, index, question, Wanted::Secret).await;
        secret.map(|secret| {
            // Before anything can be told that has it.
            worker.shared.sink.hide(&secret);
            secret.reveal().to_owned()
        })
    } else {
        ask(worker, index, question, |answer| Wanted::Line { default, answer }).await
    };
    Ok(match answer {
        Ok(answer) => {
            worker.define(Vars::from_iter([(name.clone(), Value::from(answer))]));
            StepResult::of(StepStatus::Ok)
        }
        Err(why) => why.into(),
    })
}

fn render<C: Connector>(
    worker: &Worker<'_, C>,
    text: &TemplateText,
    scope: &Scope,
) -> Result<String, Failure> {
    let rendered = worker.plan.templates.render_text(&text.value, scope);
    rendered.map_err(|error| template_failed(&error, &text.position))
}

/// Asks, with the readers out of the way.
pub(crate) async fn ask<C: Connector, T>(
    worker: &Worker<'_, C>,
    index: usize,
    question: String,
    wanted: impl FnOnce(Answer<T>) -> Wanted,
) -> Result<T, NoAnswer> {
    let (host, task) = (worker.planned.endpoint.name.clone(), worker.task_index);
    let sink = &worker.shared.sink;
    let seen = Arc::new(Semaphore::new(1));
    let hold = Arc::clone(&seen).acquire_owned().await.expect("it is never closed");
    let asked = Fact::QuestionAsked { host: host.clone(), task, step: index, question: question.clone() };
    sink.tell_output(asked, hold);
    // A reader that is stuck does not keep the question from being asked.
    let _ = tokio::time::timeout(CLEARING, seen.acquire()).await;
    let mut stop = worker.shared.stop.clone();
    let answer = tokio::select! {
        biased;
        reason = stop.asked() => Err(NoAnswer::Cancelled(reason)),
        answer = worker.shared.questions.ask(question.clone(), wanted) => answer.map_err(|why| {
            NoAnswer::Declined(Failure::new(Kind::Declined, match why {
                Unanswered::Declined => format!("the answer was no: {question}"),
                Unanswered::Unable(why) => why,
            }))
        }),
    };
    sink.tell(Fact::QuestionAnswered { host, task, step: index });
    answer
}
