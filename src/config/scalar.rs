//! The types of variables' values: which plain text is a number, a boolean or null, and which stays text.
//!
//! The rule: a plain text is a number only when fan would print the number exactly as it was written. So
//! `8080` and `1.5` are numbers, and `1.10`, `007`, `0755`, `0x16`, `1_000`, `1e3` and `+5` stay texts. YAML's
//! core schema reads them as 1.1, 7, 755, 22, ... : a version or a file mode would silently become another.
//! `true`, `false`, `null` and `~` are as in YAML 1.2; `yes`, `no`, `on`, `off` and dates are texts.

use crate::config::yaml::{Scalar, YamlStyle};
use crate::model::value::Value;

/// The typed value of one text in a file.
pub(super) fn resolve(scalar: &Scalar) -> Value {
    match scalar.style {
        YamlStyle::Text => Value::String(scalar.text.to_string()),
        YamlStyle::Plain => plain(&scalar.text),
    }
}

/// Whether a text is one of YAML's booleans (YAML 1.2.2, section 10.3.2).
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

pub(super) fn plain(text: &str) -> Value {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    if let Some(value) = boolean(text) {
        return Value::Bool(value);
    }
    number(text).unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The number that prints as this text, if there is one.
fn number(text: &str) -> Option<Value> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return None;
    }
    let value = if let Ok(n) = text.parse::<i64>() {
        Value::from(n)
    } else if let Ok(n) = text.parse::<u64>() {
        Value::from(n)
    } else {
        Value::from(text.parse::<f64>().ok()?)
    };
    let printed = value.to_string();
    (printed == text).then_some(value)
}
