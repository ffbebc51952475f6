//! What `register` stores of a step, for later steps of the same host.

use crate::engine::command::Captured;
use crate::engine::step::StepResult;
use crate::model::outcome::{Exit, StepStatus};
use crate::model::value::{Value, Vars};

/// A registered result: `stdout stderr lines rc ok changed skipped failed`, and what the step's action adds.
///
/// Line ends at the end of `stdout` and `stderr` are dropped, as `$(...)` does. Bytes that are not UTF-8 are
/// replaced. `rc` is null when there was no exit status.
pub(super) fn result(step: &StepResult) -> Value {
    let outcome = &step.outcome;
    let stdout = text(&step.stdout);
    let lines = stdout.lines().map(|line| Value::from(line.to_owned())).collect();
    let rc = match &outcome.exit {
        Some(Exit::Status(status)) => Value::from(*status),
        Some(Exit::Signal(_)) | None => Value::Null,
    };
    let ok = matches!(outcome.status, StepStatus::Ok | StepStatus::Changed);
    let mut result = Vars::new();
    result.insert("lines".to_owned(), Value::Array(lines));
    result.insert("stdout".to_owned(), Value::from(stdout));
    result.insert("stderr".to_owned(), Value::from(text(&step.stderr)));
    result.insert("rc".to_owned(), rc);
    result.insert("ok".to_owned(), Value::from(ok));
    result.insert("changed".to_owned(), Value::from(outcome.status == StepStatus::Changed));
    result.insert("skipped".to_owned(), Value::from(outcome.status == StepStatus::Skipped));
    result.insert("failed".to_owned(), Value::from(!ok && outcome.status != StepStatus::Skipped));
    result.extend(step.values.clone());
    Value::Object(result)
}

fn text(captured: &Captured) -> String {
    let text = String::from_utf8_lossy(&captured.data);
    text.trim_end_matches(['\n', '\r']).to_owned()
}
