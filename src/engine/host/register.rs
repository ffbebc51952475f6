//! What `register` stores of a step, for later steps of the same host.

use crate::engine::host::result::StepResult;
use crate::engine::live::command::Captured;
use crate::event::Change;
use crate::model::outcome::{Exit, Failure, StepStatus};
use crate::model::value::{Value, Vars};

/// A registered result: `stdout stderr rc ok changed skipped failed`, and what the step's action adds. Templates have
/// `lines` besides, made of `stdout`.
///
/// Line ends at the end of `stdout` and `stderr` are dropped, as `$(...)` does. Bytes that are not UTF-8 are
/// replaced. `rc` is null when there was no exit status.
pub(crate) fn result(step: &StepResult) -> Value {
    let outcome = &step.outcome;
    let stdout = text(&step.stdout);
    let rc = match &outcome.exit {
        Some(Exit::Status(status)) => Value::from(*status),
        Some(Exit::Signal(_)) | None => Value::Null,
    };
    // A step that was not wanted did not go wrong.
    let ok = matches!(outcome.status, StepStatus::Ok | StepStatus::Changed | StepStatus::Skipped);
    let mut result = Vars::new();
    result.insert("stdout".to_owned(), Value::from(stdout));
    result.insert("stderr".to_owned(), Value::from(text(&step.stderr)));
    result.insert("rc".to_owned(), rc);
    result.insert("ok".to_owned(), Value::from(ok));
    result.insert("changed".to_owned(), Value::from(outcome.changed() == Change::Certain));
    result.insert("skipped".to_owned(), Value::from(outcome.status == StepStatus::Skipped));
    result.insert("failed".to_owned(), Value::from(!ok));
    result.extend(step.values.clone());
    Value::Object(result)
}

/// The result of a loop: `results`, a list of each item's result with the `item`, and in the outcome the worst.
///
/// Its own `stdout` is that of all items, one after the other.
pub(crate) fn of_all(done: Vec<(Option<Value>, StepResult)>) -> StepResult {
    let mut all = StepResult::of(StepStatus::Skipped);
    let mut results = Vec::with_capacity(done.len());
    let mut notes = Vec::new();
    let mut differences = Vec::new();
    for (item, mut one) in done {
        let item = item.unwrap_or(Value::Null);
        let mut value = result(&one);
        if let Value::Object(value) = &mut value {
            value.insert("item".to_owned(), item.clone());
        }
        results.push(value);
        notes.extend(one.outcome.note.take());
        differences.extend(one.outcome.difference.take());
        all.stdout.append(one.stdout);
        all.stderr.append(one.stderr);
        all.refused |= one.refused;
        all.outcome.not_known |= one.outcome.not_known;
        all.outcome.would_change = all.outcome.would_change.max(one.outcome.would_change);
        all.outcome.may_still_run |= one.outcome.may_still_run;
        all.outcome.change = all.outcome.change.max(one.outcome.changed());
        if rank(one.outcome.status) > rank(all.outcome.status) {
            all.outcome.status = one.outcome.status;
            all.outcome.exit = one.outcome.exit;
            all.outcome.failure = one.outcome.failure.map(|failure| named(failure, &item));
        }
    }
    if all.outcome.status == StepStatus::Changed {
        // The status says it.
        all.outcome.change = Change::None;
    }
    all.outcome.note = (!notes.is_empty()).then(|| notes.join("\n"));
    all.outcome.difference = (!differences.is_empty()).then(|| differences.concat());
    all.values.insert("results".to_owned(), Value::Array(results));
    all
}

/// How much a status says about the whole.
fn rank(status: StepStatus) -> u8 {
    match status {
        StepStatus::Skipped => 0,
        StepStatus::Ok => 1,
        StepStatus::Changed => 2,
        StepStatus::Warned => 3,
        StepStatus::Failed => 4,
        StepStatus::Cancelled => 5,
        StepStatus::Unknown => 6,
    }
}

/// A failure with the item that it is about.
fn named(failure: Failure, item: &Value) -> Failure {
    const LONGEST: usize = 60;
    let text = match item {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let short: String = text.chars().take(LONGEST).collect();
    let dots = if short.len() < text.len() { "..." } else { "" };
    failure.about(format!("item {short}{dots}"))
}

fn text(captured: &Captured) -> String {
    let text = String::from_utf8_lossy(&captured.data);
    text.trim_end_matches(['\n', '\r']).to_owned()
}
