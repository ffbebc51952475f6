//! `echo`: a line in the report.

use crate::engine::host::render::Render;
use crate::engine::host::result::StepResult;
use crate::model::outcome::{Failure, StepStatus};
use crate::model::task::TemplateText;

pub(super) fn run(render: Render<'_>, text: &TemplateText) -> Result<StepResult, Failure> {
    let mut result = StepResult::of(StepStatus::Ok);
    result.outcome.note = Some(render.text(text)?);
    Ok(result)
}
