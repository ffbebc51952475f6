//! `echo`: a line in the report.

use crate::engine::step::{StepResult, template_failed};
use crate::engine::walk::worker::Worker;
use crate::model::outcome::{Failure, StepStatus};
use crate::model::task::TemplateText;
use crate::model::template::Scope;
use crate::ssh::Connector;

pub(super) fn run<C: Connector>(
    worker: &Worker<'_, C>,
    text: &TemplateText,
    scope: &Scope,
) -> Result<StepResult, Failure> {
    let line = worker.shared.plan.templates.render_text(&text.value, scope);
    let mut result = StepResult::of(StepStatus::Ok);
    result.outcome.note = Some(line.map_err(|error| template_failed(&error, &text.position))?);
    Ok(result)
}
