//! Writes a value as YAML, so that YAML 1.1 and 1.2 read the same value again.

use crate::model::value::Value;

/// The value in block style, with a line end behind it.
pub(super) fn block(value: &Value, indent: usize) -> String {
    let mut out = String::new();
    match value {
        Value::Array(items) if !items.is_empty() => list(items, 0, indent, &mut out),
        Value::Object(map) if !map.is_empty() => {
            entries(map.iter().map(|(key, value)| (key.as_str(), value)), 0, indent, &mut out);
        }
        other => {
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
    out
}

fn list(items: &[Value], depth: usize, indent: usize, out: &mut String) {
    for item in items {
        out.push_str(&" ".repeat(depth));
        out.push('-');
        within(item, depth, indent, out);
    }
}

fn entries<'v>(
    map: impl Iterator<Item = (&'v str, &'v Value)>,
    depth: usize,
    indent: usize,
    out: &mut String,
) {
    for (key, value) in map {
        out.push_str(&" ".repeat(depth));
        out.push_str(&text(key));
        out.push(':');
        within(value, depth, indent, out);
    }
}

/// What stands behind `-` or `key:`.
fn within(value: &Value, depth: usize, indent: usize, out: &mut String) {
    let deeper = depth + indent;
    match value {
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            list(items, deeper, indent, out);
        }
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            entries(map.iter().map(|(key, value)| (key.as_str(), value)), deeper, indent, out);
        }
        other => {
            out.push(' ');
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(content) => text(content),
        // `null`, `true`, numbers, `[]` and `{}` are the same in JSON.
        other => other.to_string(),
    }
}

/// A text, in quotes unless it can be nothing else.
fn text(content: &str) -> String {
    let letter = content.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_');
    let harmless = |c: char| c.is_ascii_alphanumeric() || "_./@%+=- ".contains(c);
    let plain = letter && content.chars().all(harmless) && !content.ends_with(' ') && !is_word(content);
    // JSON's escapes are YAML's too.
    if plain { content.to_owned() } else { Value::from(content).to_string() }
}

/// Words that YAML 1.1 or 1.2 reads as something else than text.
fn is_word(content: &str) -> bool {
    let lower = content.to_ascii_lowercase();
    matches!(lower.as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | "null")
}
