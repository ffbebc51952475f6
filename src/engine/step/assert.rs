//! `assert`: fails unless every expression is true.

use crate::engine::plan::scope::HOST_VARS;
use crate::engine::planner;
use crate::engine::step::{StepResult, template_failed};
use crate::engine::walk::worker::Worker;
use crate::model::outcome::{Failure, Kind, StepStatus};
use crate::model::task::TemplateText;
use crate::model::template::{self, Scope, Syntax};
use crate::ssh::Connector;

pub(super) fn run<C: Connector>(
    worker: &Worker<'_, C>,
    that: &[TemplateText],
    message: Option<&TemplateText>,
    scope: &Scope,
) -> Result<StepResult, Failure> {
    let templates = &worker.shared.plan.templates;
    let mut not_known = None;
    for expression in that {
        match templates.eval_bool(&expression.value, scope) {
            Ok(true) => continue,
            Ok(false) => {}
            // Another may be false whatever this one is.
            Err(error) if error.is_not_known() => {
                not_known.get_or_insert(template_failed(&error, &expression.position));
                continue;
            }
            Err(error) => return Err(template_failed(&error, &expression.position)),
        }
        let own = || format!("assertion failed: {}", expression.value.trim());
        let mut text = match message.map(|message| (templates.render_text(&message.value, scope), message)) {
            None => own(),
            Some((Ok(text), _)) => text,
            Some((Err(error), _)) if error.is_not_known() => own(),
            Some((Err(error), message)) => return Err(template_failed(&error, &message.position)),
        };
        let sides = templates.sides(&expression.value, scope, shows_values(worker, expression));
        if !sides.is_empty() {
            text += &format!(" ({})", sides.join("; "));
        }
        return Ok(StepResult::failed(Failure::new(Kind::Assert, text)));
    }
    not_known.map_or_else(|| Ok(StepResult::of(StepStatus::Ok)), Err)
}

/// Whether the values of an expression may be shown: not when it looks at what a step registered whose output is not, or
/// at anything that was made of that.
fn shows_values<C: Connector>(worker: &Worker<'_, C>, expression: &TemplateText) -> bool {
    let Ok(names) = template::names(&expression.value, Syntax::Expression) else { return false };
    let hidden = planner::hidden_names(worker.plan);
    !names.iter().any(|name| hidden.contains(name) || name == HOST_VARS)
}
