//! `assert`: fails unless every expression is true.

use crate::engine::host::render::Render;
use crate::engine::host::result::StepResult;
use crate::engine::plan::Plan;
use crate::engine::plan::scope::HOST_VARS;
use crate::engine::planner::uses::hidden_names;
use crate::model::outcome::{Failure, Kind, StepStatus};
use crate::model::task::TemplateText;
use crate::model::template::{self, Syntax};

pub(super) fn run(
    render: Render<'_>,
    plan: &Plan,
    that: &[TemplateText],
    message: Option<&TemplateText>,
) -> Result<StepResult, Failure> {
    let mut not_known = None;
    for expression in that {
        match render.holds(expression) {
            Ok(true) => continue,
            Ok(false) => {}
            // Another may be false whatever this one is.
            Err(failure) if failure.kind == Kind::NotKnown => {
                not_known.get_or_insert(failure);
                continue;
            }
            Err(failure) => return Err(failure),
        }
        let own = || format!("assertion failed: {}", expression.value.trim());
        let mut text = match message.map(|message| render.text(message)) {
            None => own(),
            Some(Ok(text)) => text,
            Some(Err(failure)) if failure.kind == Kind::NotKnown => own(),
            Some(Err(failure)) => return Err(failure),
        };
        let sides = render.templates.sides(&expression.value, render.scope, shows_values(plan, expression));
        if !sides.is_empty() {
            text += &format!(" ({})", sides.join("; "));
        }
        return Ok(StepResult::failed(Failure::new(Kind::Assert, text)));
    }
    not_known.map_or_else(|| Ok(StepResult::of(StepStatus::Ok)), Err)
}

/// Whether the values of an expression may be shown: not when it looks at what a step registered whose output is not, or
/// at anything that was made of that.
fn shows_values(plan: &Plan, expression: &TemplateText) -> bool {
    let Ok(names) = template::names(&expression.value, Syntax::Expression) else { return false };
    let hidden = hidden_names(plan);
    !names.iter().any(|name| hidden.contains(name) || name == HOST_VARS)
}
