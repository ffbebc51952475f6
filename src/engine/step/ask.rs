//! `confirm` and `prompt`: a question to the user, for all hosts of the batch.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::engine::questions::{Reply, Wanted};
use crate::engine::step::{StepResult, interrupted, template_failed};
use crate::engine::worker::Worker;
use crate::event::Fact;
use crate::model::outcome::{Failure, Kind, StepStatus};
use crate::model::task::{Prompt, TemplateText};
use crate::model::template::Scope;
use crate::model::value::{Value, Vars};
use crate::ssh::Connector;

/// How long the readers may take to clear the terminal for a question.
const CLEARING: Duration = Duration::from_secs(1);

pub(super) async fn confirm<C: Connector>(
    worker: &Worker<'_, C>,
    index: usize,
    text: &TemplateText,
    scope: &Scope,
) -> Result<StepResult, Failure> {
    let question = render(worker, text, scope)?;
    if worker.shared.plan.changes.dry_run {
        let mut result = StepResult::of(StepStatus::Skipped);
        result.outcome.note = Some(format!("not asked: {question}"));
        return Ok(result);
    }
    match ask(worker, index, question.clone(), Wanted::Consent).await {
        Ok(Reply::Yes) => Ok(StepResult::of(StepStatus::Ok)),
        Ok(Reply::No | Reply::Quit) => Ok(declined(&question)),
        Ok(Reply::Unable(why)) => Err(Failure::new(Kind::Declined, why)),
        Ok(Reply::All | Reply::Line(_) | Reply::Secret(_)) => {
            unreachable!("a question of consent has no other answers")
        }
        Err(result) => Ok(*result),
    }
}

pub(super) async fn prompt<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    prompt: &Prompt,
    scope: &Scope,
) -> Result<StepResult, Failure> {
    let name = &prompt.set.value;
    if worker.shared.plan.extra_vars.contains(name) {
        let mut result = StepResult::of(StepStatus::Ok);
        result.outcome.note = Some(format!("{name} is given with -e"));
        return Ok(result);
    }
    let question = render(worker, &prompt.ask, scope)?;
    let default = prompt.default.as_ref().map(|text| render(worker, text, scope)).transpose()?;
    let wanted = if prompt.secret { Wanted::Secret } else { Wanted::Line { default } };
    let answer = match ask(worker, index, question.clone(), wanted).await {
        Ok(Reply::Line(line)) => line,
        Ok(Reply::Secret(secret)) => {
            // Before anything can be told that has it.
            worker.shared.sink.hide(&secret);
            secret.reveal().to_owned()
        }
        Ok(Reply::Yes | Reply::No | Reply::All | Reply::Quit) => return Ok(declined(&question)),
        Ok(Reply::Unable(why)) => return Err(Failure::new(Kind::Declined, why)),
        Err(result) => return Ok(*result),
    };
    worker.define(Vars::from_iter([(name.clone(), Value::from(answer))]));
    Ok(StepResult::of(StepStatus::Ok))
}

/// The user would rather not.
pub(in crate::engine) fn declined(question: &str) -> StepResult {
    let mut result =
        StepResult::failed(Failure::new(Kind::Declined, format!("the answer was no: {question}")));
    result.outcome.status = StepStatus::Cancelled;
    result
}

fn render<C: Connector>(
    worker: &Worker<'_, C>,
    text: &TemplateText,
    scope: &Scope,
) -> Result<String, Failure> {
    let rendered = worker.shared.plan.templates.render_text(&text.value, scope);
    rendered.map_err(|error| template_failed(&error, &text.position))
}

/// Asks, with the readers out of the way; the result is that of a step that the user's signal ended.
pub(in crate::engine) async fn ask<C: Connector>(
    worker: &Worker<'_, C>,
    index: usize,
    question: String,
    wanted: Wanted,
) -> Result<Reply, Box<StepResult>> {
    let (host, task) = (worker.planned.endpoint.name.clone(), worker.task_index);
    let sink = &worker.shared.sink;
    let seen = Arc::new(Semaphore::new(1));
    let hold = Arc::clone(&seen).acquire_owned().await.expect("it is never closed");
    let asked = Fact::QuestionAsked { host: host.clone(), task, step: index, question: question.clone() };
    sink.tell_output(asked, hold);
    // A reader that is stuck does not keep the question from being asked.
    let _ = tokio::time::timeout(CLEARING, seen.acquire()).await;
    let mut stop = worker.shared.stop.clone();
    let reply = tokio::select! {
        biased;
        reason = stop.asked() => {
            let mut result = StepResult::failed(interrupted(reason));
            result.outcome.status = StepStatus::Cancelled;
            Err(Box::new(result))
        }
        reply = worker.shared.questions.ask(question, wanted) => Ok(reply),
    };
    sink.tell(Fact::QuestionAnswered { host, task, step: index });
    reply
}
