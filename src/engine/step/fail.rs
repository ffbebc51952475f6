//! `fail`: ends the host with a message.

use crate::engine::step::{StepResult, template_failed};
use crate::engine::walk::worker::Worker;
use crate::model::outcome::{Failure, Kind};
use crate::model::task::TemplateText;
use crate::model::template::Scope;
use crate::ssh::Connector;

pub(super) fn run<C: Connector>(
    worker: &Worker<'_, C>,
    message: &TemplateText,
    scope: &Scope,
) -> Result<StepResult, Failure> {
    let text = worker.shared.plan.templates.render_text(&message.value, scope);
    let text = text.map_err(|error| template_failed(&error, &message.position))?;
    Ok(StepResult::failed(Failure::new(Kind::Fail, text)))
}
