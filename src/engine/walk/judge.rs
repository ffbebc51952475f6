//! What the result of a step means: `ok_codes`, `changed_when`, `until`, and the tries before it. Pure.

use crate::engine::host::register;
use crate::engine::host::render::Render;
use crate::engine::host::result::StepResult;
use crate::event::Change;
use crate::model::action::RESULT;
use crate::model::outcome::{Exit, Failure, Kind, StepStatus};
use crate::model::task::{Repeat, Step, TemplateText};
use crate::model::template::{self, Layer, Syntax};
use crate::model::value::Vars;

/// A result as `ok_codes` and `changed_when` want it read.
pub(crate) fn judged(render: Render<'_>, step: &Step, mut result: StepResult) -> StepResult {
    if let (Some(codes), Some(Exit::Status(status))) = (&step.ok_codes, result.outcome.exit.clone()) {
        let outcome = &mut result.outcome;
        match (outcome.status, codes.contains(&status)) {
            (StepStatus::Failed, true)
                if outcome.failure.as_ref().is_some_and(|it| it.kind == Kind::Exit) =>
            {
                if result.cut {
                    let message = format!("exit status {status}, and the rest of its output is missing");
                    outcome.failure = Some(Failure::new(Kind::ConnectionLost, message));
                    outcome.status = StepStatus::Unknown;
                } else {
                    outcome.failure = None;
                    outcome.status = step.success();
                }
            }
            (StepStatus::Ok | StepStatus::Changed, false) => {
                outcome.status = StepStatus::Failed;
                outcome.failure = Some(Failure::new(Kind::Exit, format!("exit status {status}")));
                result = result.begun();
            }
            _ => {}
        }
    }
    if step.reads {
        if result.outcome.status == StepStatus::Changed {
            result.outcome.status = StepStatus::Ok;
        }
        result.outcome.change = Change::None;
    }
    let Some(changed_when) = &step.changed_when else { return result };
    match result.outcome.status {
        StepStatus::Ok | StepStatus::Changed => {
            let scope = render.scope.clone().with(own_result(step, &result));
            match render.within(&scope).holds(changed_when) {
                Ok(true) => result.outcome.status = StepStatus::Changed,
                Ok(false) => {
                    result.outcome.status = StepStatus::Ok;
                    result.outcome.change = Change::None;
                }
                Err(failure) => return unread(failure, &result),
            }
        }
        // What it printed until it failed proves nothing. That it never changes anything does.
        StepStatus::Warned | StepStatus::Failed | StepStatus::Unknown | StepStatus::Cancelled => {
            if !looks_at_result(step, changed_when)
                && let Ok(false) = render.holds(changed_when)
            {
                result.outcome.change = Change::None;
            }
        }
        StepStatus::Skipped => {}
    }
    result
}

/// Whether a result needs no further try.
pub(crate) fn is_enough(
    render: Render<'_>,
    step: &Step,
    repeat: &Repeat,
    result: &StepResult,
) -> Result<bool, Failure> {
    match &repeat.until {
        None => Ok(result.outcome.status != StepStatus::Failed),
        Some(until) => {
            let scope = render.scope.clone().with(own_result(step, result));
            render.within(&scope).holds(until)
        }
    }
}

/// The result of a step by its own names.
fn own_result(step: &Step, result: &StepResult) -> Layer {
    let value = register::result(result);
    let mut vars = Vars::from_iter([(RESULT.to_owned(), value.clone())]);
    if let Some(name) = &step.register {
        vars.insert(name.value.clone(), value);
    }
    Layer::new(&vars)
}

/// Whether an expression is about how the step went.
fn looks_at_result(step: &Step, expression: &TemplateText) -> bool {
    let own = step.register.as_ref().map(|name| name.value.as_str());
    let is_own = |name: &String| name == RESULT || Some(name.as_str()) == own;
    template::names(&expression.value, Syntax::Expression).is_ok_and(|names| names.iter().any(is_own))
}

/// A try that came after others: what those changed is changed. When one of them may have, that the last one found
/// nothing to do is no proof that there was nothing.
pub(crate) fn after(before: Change, mut result: StepResult) -> StepResult {
    let outcome = &mut result.outcome;
    match outcome.status {
        StepStatus::Ok if outcome.change < before => outcome.status = StepStatus::Changed,
        StepStatus::Ok | StepStatus::Changed | StepStatus::Skipped => {}
        StepStatus::Warned | StepStatus::Failed | StepStatus::Unknown | StepStatus::Cancelled => {
            outcome.change = outcome.change.max(before);
        }
    }
    result
}

/// A step that was done, and of which an expression cannot say what that means.
pub(crate) fn unread(failure: Failure, result: &StepResult) -> StepResult {
    let mut unread = StepResult::failed(failure);
    unread.outcome.change = result.outcome.changed();
    unread
}

/// Why a step is not done whose tries are.
pub(crate) fn unsatisfied(repeat: &Repeat, attempt: u32) -> Failure {
    let until = repeat.until.as_ref().map(|until| until.value.trim().to_owned()).unwrap_or_default();
    let times = if attempt == 1 { "once".to_owned() } else { format!("{attempt} times") };
    Failure::new(Kind::Until, format!("tried {times}, and `{until}` is still false"))
}
