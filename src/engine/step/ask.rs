//! `confirm` and `prompt`: a question to the user, for all hosts of the batch.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::engine::host::result::StepResult;
use crate::engine::host::tools::Tools;
use crate::engine::live::questions::{Answer, Unanswered, Wanted};
use crate::engine::step::cx::StepCx;
use crate::event::{Fact, StepAt, StepFact};
use crate::model::outcome::{CancelReason, Failure, Kind, StepStatus};
use crate::model::task::{Prompt, TemplateText};
use crate::model::template::Layer;
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
        match why {
            NoAnswer::Declined(failure) => {
                let mut result = Self::failed(failure);
                result.outcome.status = StepStatus::Cancelled;
                result
            }
            NoAnswer::Cancelled(reason) => Self::cancelled(reason),
        }
    }
}

pub(super) async fn confirm<C: Connector>(
    cx: &StepCx<'_, C>,
    text: &TemplateText,
) -> Result<StepResult, Failure> {
    let question = cx.render().text(text)?;
    if cx.plan.changes.dry_run {
        let mut result = StepResult::of(StepStatus::Skipped);
        result.outcome.note = Some(format!("not asked: {question}"));
        return Ok(result);
    }
    let answer = ask(cx, question, Wanted::Consent).await;
    Ok(answer.map_or_else(StepResult::from, |()| StepResult::of(StepStatus::Ok)))
}

pub(super) async fn prompt<C: Connector>(cx: &StepCx<'_, C>, prompt: &Prompt) -> Result<StepResult, Failure> {
    let (name, render) = (&prompt.set.value, cx.render());
    if cx.plan.extra_vars.contains(name) {
        let mut result = StepResult::of(StepStatus::Ok);
        result.outcome.note = Some(format!("{name} is given with -e"));
        return Ok(result);
    }
    let question = render.text(&prompt.ask)?;
    let default = prompt.default.as_ref().map(|text| render.text(text)).transpose()?;
    let answer = if prompt.secret {
        let secret = ask(cx, question, Wanted::Secret).await;
        secret.map(|secret| {
            // Before anything can be told that has it.
            cx.tools.sink.hide(&secret);
            secret.reveal().to_owned()
        })
    } else {
        ask(cx, question, |answer| Wanted::Line { default, answer }).await
    };
    Ok(match answer {
        Ok(answer) => {
            let vars = Vars::from_iter([(name.clone(), Value::from(answer))]);
            StepResult { defines: Some(Layer::new(&vars)), ..StepResult::of(StepStatus::Ok) }
        }
        Err(why) => why.into(),
    })
}

/// Asks, with the readers out of the way.
pub(crate) async fn ask<C: Connector, T>(
    cx: &StepCx<'_, C>,
    question: String,
    wanted: impl FnOnce(Answer<T>) -> Wanted,
) -> Result<T, NoAnswer> {
    let (host, task, step) = (cx.host.endpoint.name.clone(), cx.task_index, cx.index);
    let Tools { sink, stop, questions, .. } = cx.tools;
    let seen = Arc::new(Semaphore::new(1));
    let hold = Arc::clone(&seen).acquire_owned().await.expect("it is never closed");
    sink.tell_output(
        Fact::Step(
            StepAt { host: host.clone(), task, step },
            StepFact::QuestionAsked { question: question.clone() },
        ),
        hold,
    );
    // A reader that is stuck does not keep the question from being asked.
    let _ = tokio::time::timeout(CLEARING, seen.acquire()).await;
    let mut stop = stop.clone();
    let answer = tokio::select! {
        biased;
        reason = stop.asked() => Err(NoAnswer::Cancelled(reason)),
        answer = questions.ask(question.clone(), wanted) => answer.map_err(|why| {
            NoAnswer::Declined(Failure::new(Kind::Declined, match why {
                Unanswered::Declined => format!("the answer was no: {question}"),
                Unanswered::Unable(why) => why,
            }))
        }),
    };
    sink.tell(Fact::Step(StepAt { host, task, step }, StepFact::QuestionAnswered));
    answer
}
