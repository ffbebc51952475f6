//! `fail`: ends the host with a message.

use crate::engine::host::render::Render;
use crate::engine::host::result::StepResult;
use crate::model::outcome::{Failure, Kind};
use crate::model::task::TemplateText;

pub(super) fn run(render: Render<'_>, message: &TemplateText) -> Result<StepResult, Failure> {
    Ok(StepResult::failed(Failure::new(Kind::Fail, render.text(message)?)))
}
