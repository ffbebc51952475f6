//! Secrets that the command line gave values to: as variables (`-e`), or as arguments of tasks.

use crate::engine::plan::Plan;
use crate::model::secret::Secret;
use crate::model::value::{Value, Vars};

/// The values of those variables that a plan calls secrets. Of lists and maps each text and number in them.
pub(super) fn secrets<'v>(plan: &Plan, all: impl IntoIterator<Item = &'v Vars>) -> Vec<Secret> {
    let mut found = Vec::new();
    for (name, value) in all.into_iter().flatten() {
        if plan.is_secret(name) {
            collect(value, &mut found);
        }
    }
    found
}

fn collect(value: &Value, found: &mut Vec<Secret>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => found.push(Secret::new(number.to_string())),
        Value::String(text) => found.push(Secret::new(text.as_str())),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(items) => items.values().for_each(|item| collect(item, found)),
    }
}
