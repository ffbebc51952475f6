//! `assert`: fails unless every expression is true.

use crate::engine::step::{StepResult, template_failed};
use crate::engine::worker::Worker;
use crate::model::outcome::{Failure, Kind, StepStatus};
use crate::model::task::TemplateText;
use crate::model::template::Scope;
use crate::ssh::Connector;

pub(super) fn run<C: Connector>(
    worker: &Worker<'_, C>,
    that: &[TemplateText],
    message: Option<&TemplateText>,
    scope: &Scope,
) -> Result<StepResult, Failure> {
    let templates = &worker.shared.plan.templates;
    for expression in that {
        let holds = templates
            .eval_bool(&expression.value, scope)
            .map_err(|error| template_failed(&error, &expression.position))?;
        if holds {
            continue;
        }
        let text = match message {
            None => format!("assertion failed: {}", expression.value.trim()),
            Some(message) => templates
                .render_text(&message.value, scope)
                .map_err(|error| template_failed(&error, &message.position))?,
        };
        return Ok(StepResult::failed(Failure::new(Kind::Assert, text)));
    }
    Ok(StepResult::of(StepStatus::Ok))
}
