//! What a column shows of a host: as a value for programs, and as a word for people.

use serde_json::json;

use crate::model::facts;
use crate::model::fleet::{DiskForecast, Forecast};
use crate::model::suggest::did_you_mean;
use crate::model::time::rfc3339;
use crate::model::value::Value;
use crate::report::fleet::data::FleetEntry;
use crate::report::words::{bytes, bytes_of};

/// The columns of a table that says nothing else.
pub const COLUMNS: [&str; 9] =
    ["seen", "os", "disk", "full", "load", "up", "kernel.release", "cpu.logical", "memory.total"];

/// Columns that are no facts by these names.
const OWN: [&str; 8] = ["seen", "first_seen", "failure", "os", "load", "disk", "full", "up"];

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Whether there is such a column: one of those above, or a fact by its path.
///
/// # Errors
///
/// There is none; with the name that may have been meant.
pub fn check_column(name: &str) -> Result<(), Option<String>> {
    if OWN.contains(&name) {
        return Ok(());
    }
    let name = name.strip_prefix("facts.").unwrap_or(name);
    facts::check_field(name).map_err(|near| near.or_else(|| did_you_mean(name, OWN).map(str::to_owned)))
}

/// What stands above a column.
pub(super) fn heading(name: &str) -> String {
    match name.strip_prefix("facts.").unwrap_or(name) {
        "kernel.release" => "KERNEL".to_owned(),
        "cpu.logical" => "CPUS".to_owned(),
        "memory.total" => "MEMORY".to_owned(),
        "full" => "FULL IN".to_owned(),
        name => name.to_uppercase(),
    }
}

/// What a column holds of a host, for programs; null where it is not known.
pub(super) fn value(entry: &FleetEntry, name: &str) -> Value {
    let host = &entry.host;
    match name {
        "seen" => json!(host.seen.map(rfc3339)),
        "first_seen" => json!(rfc3339(host.first)),
        "failure" => json!(host.failure),
        "disk" => json!(entry.fullest().map(|disk| disk.path.clone())),
        "full" => json!(entry.first_full().map(|(_, days)| (days * 10.0).round() / 10.0)),
        "os" => json!(system(entry)),
        "load" => json!(host.facts.as_ref().and_then(|facts| facts.load).map(|[one, ..]| one)),
        "up" => json!(host.facts.as_ref().and_then(|facts| facts.uptime)),
        path => fact(entry, path),
    }
}

/// The same for people.
pub(super) fn shown(entry: &FleetEntry, name: &str, now: u64) -> String {
    let known = match name {
        "seen" => {
            let seen = entry.host.seen.map_or_else(|| "never".to_owned(), |seen| ago(seen, now));
            // The word for what went wrong stands before a colon.
            let why = entry.host.failure.as_deref().and_then(|failure| failure.split(':').next());
            Some(why.map_or_else(|| seen.clone(), |why| format!("{seen}, {why}")))
        }
        "first_seen" => Some(ago(entry.host.first, now)),
        "disk" => entry.fullest().map(|disk| format!("{} {:.0}%", disk.path, disk.percent())),
        "full" => entry.first_full().map(|(disk, days)| format!("{} ({})", days_shown(days), disk.path)),
        "load" => entry.host.facts.as_ref().and_then(|facts| facts.load).map(|[one, ..]| format!("{one:.2}")),
        "up" => entry.host.facts.as_ref().and_then(|facts| facts.uptime).map(span),
        name => match value(entry, name) {
            Value::Null => None,
            Value::Number(number) if is_size(name) => number.as_u64().map(bytes_of),
            value => Some(word(&value)),
        },
    };
    known.unwrap_or_else(|| "-".to_owned())
}

/// A value as one word of text.
pub(super) fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(word).collect::<Vec<_>>().join(" ")
        }
        value => value.to_string(),
    }
}

fn is_size(name: &str) -> bool {
    name.starts_with("memory.") || name.starts_with("swap.")
}

/// The name and version of the system.
pub(super) fn system(entry: &FleetEntry) -> Option<String> {
    let os = &entry.host.facts.as_ref()?.os;
    let words: Vec<&str> = [os.name.as_deref(), os.version.as_deref()].into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn fact(entry: &FleetEntry, path: &str) -> Value {
    let Some(facts) = &entry.host.facts else { return Value::Null };
    let mut value = Value::Object(facts.to_vars());
    for name in path.strip_prefix("facts.").unwrap_or(path).split('.') {
        value = match value {
            Value::Object(mut fields) => fields.remove(name).unwrap_or(Value::Null),
            // Of all items of a list: `mounts.path`.
            Value::Array(items) => items
                .into_iter()
                .map(|item| match item {
                    Value::Object(mut fields) => fields.remove(name).unwrap_or(Value::Null),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                        Value::Null
                    }
                })
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Value::Null,
        };
    }
    value
}

/// How long ago something was: `5m`, `3h`, `12d`. A moment in the future, by a clock that was set back, was just now.
pub(super) fn ago(at: u64, now: u64) -> String {
    format!("{} ago", span(now.saturating_sub(at)))
}

/// A time in its largest unit, days with hours.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..DAY => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / DAY),
    }
}

/// Days for people: `3 days`, `less than a day`.
pub(super) fn days_shown(days: f64) -> String {
    if days < 1.0 {
        return "less than a day".to_owned();
    }
    let whole = days.floor();
    if whole < 2.0 { "1 day".to_owned() } else { format!("{whole} days") }
}

/// When a disk will be full, in words.
pub(super) fn forecast_shown(disk: &DiskForecast) -> String {
    match disk.forecast {
        Forecast::FullIn { days, per_day } => {
            format!("full in {} (+{} a day)", days_shown(days), rate(per_day))
        }
        Forecast::Beyond { per_day } => format!("not within a year (+{} a day)", rate(per_day)),
        Forecast::None(why) => why.as_str().to_owned(),
    }
}

fn rate(per_day: f64) -> String {
    bytes(per_day)
}
