//! Secrets that the command line gave values to: as variables (`-e`), or as arguments of tasks.

use crate::engine::plan::{PlannedTask, is_secret};
use crate::model::secret::{Secret, Secrets};
use crate::model::value::{Value, Vars};

/// The values of those variables that the files call secrets, or ask for unseen, by name. Of lists and maps each text and
/// number in them.
pub(super) fn secrets<'v>(
    named: &Secrets,
    tasks: &[PlannedTask],
    all: impl IntoIterator<Item = &'v Vars>,
) -> Vec<(String, Secret)> {
    let mut found = Vec::new();
    for (name, value) in all.into_iter().flatten().filter(|(name, _)| is_secret(named, tasks, name)) {
        collect(name, value, &mut found);
    }
    found
}

fn collect(name: &str, value: &Value, found: &mut Vec<(String, Secret)>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => found.push((name.to_owned(), Secret::new(number.to_string()))),
        Value::String(text) => found.push((name.to_owned(), Secret::new(text.as_str()))),
        Value::Array(items) => items.iter().for_each(|item| collect(name, item, found)),
        Value::Object(items) => items.values().for_each(|item| collect(name, item, found)),
    }
}
