//! The types of variables' values: which plain text is a number, a boolean or null, and which stays text.
//!
//! The rule: a plain text is a number only when fan would print the number exactly as it was written. So
//! `8080` and `1.5` are numbers, and `1.10`, `007`, `0755`, `0x16`, `1_000`, `1e3` and `+5` stay texts. YAML's
//! core schema reads them as 1.1, 7, 755, 22, ... : a version or a file mode would silently become another.
//! `true`, `false`, `null` and `~` are as in YAML 1.2; `yes`, `no`, `on`, `off` and dates are texts.

use std::sync::Arc;

use crate::config::compose::compose;
use crate::config::findings::Findings;
use crate::config::yaml::{Node, Scalar, Style};
use crate::model::given::Given;
use crate::model::value::Value;

/// The typed value of one text in a file.
pub(super) fn resolve(scalar: &Scalar) -> Value {
    match scalar.style {
        Style::Text => Value::String(scalar.text.to_string()),
        Style::Plain => plain(&scalar.text),
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

/// Types a value from the command line (`-e name=value`) as the same text in a file would be.
///
/// Quotes make it a string; an empty text is an empty string and not null, as in a shell.
pub fn parse_value(text: &str) -> Value {
    if text.is_empty() {
        return Value::String(String::new());
    }
    if text.starts_with(['"', '\'']) {
        let mut findings = Findings::default();
        return match compose(&Arc::from("-e"), text, &mut findings) {
            Some(Node::Scalar(scalar)) if !findings.any() => Value::String(scalar.text.to_string()),
            Some(_) | None => Value::String(text.to_owned()),
        };
    }
    plain(text)
}

/// The same with what was typed, for a place that knows which type it needs.
pub fn parse_given(text: &str) -> Given {
    let value = parse_value(text);
    let quoted = text.starts_with(['"', '\'']);
    let typed = value.as_str().filter(|_| quoted).unwrap_or(text).to_owned();
    Given { value, text: Some(typed) }
}

fn plain(text: &str) -> Value {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_texts_have_types() {
        for (text, value) in [
            ("", json!("")),
            ("~", json!(null)),
            ("null", json!(null)),
            ("true", json!(true)),
            ("FALSE", json!(false)),
            ("0", json!(0)),
            ("-7", json!(-7)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.5", json!(1.5)),
            ("-0.25", json!(-0.25)),
            ("1.0", json!(1.0)),
        ] {
            assert_eq!(parse_value(text), value, "{text}");
        }
    }

    #[test]
    fn what_a_number_would_change_stays_text() {
        for text in [
            "1.10",
            "022",
            "0755",
            "0x16",
            "0o17",
            "1_000",
            "1e3",
            "+5",
            ".5",
            "5.",
            "-0",
            ".inf",
            ".nan",
            "inf",
            "NaN",
            "yes",
            "no",
            "on",
            "off",
            "2024-01-01",
            "12:30",
            "99999999999999999999",
            "tRue",
            "web1",
            "{{ x }}",
            "[a, b]",
        ] {
            assert_eq!(parse_value(text), json!(text), "{text}");
        }
    }

    #[test]
    fn quotes_make_a_string() {
        assert_eq!(parse_value("'true'"), json!("true"));
        assert_eq!(parse_value("\"a\\tb\""), json!("a\tb"));
        assert_eq!(parse_value("'it''s'"), json!("it's"));
        assert_eq!(parse_value("'half"), json!("'half"));
        assert_eq!(parse_value("'a': 1"), json!("'a': 1"));
        let typed = |text| parse_given(text).text.expect("it was typed");
        assert_eq!([typed("'9'"), typed("'9"), typed("9"), typed("~"), typed("")], ["9", "'9", "9", "~", ""]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn a_value_prints_as_it_was_written(text in "[-+0-9.eExa-c_]{1,12}") {
            let value = parse_value(&text);
            let printed = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            prop_assert_eq!(printed, text);
        }
    }
}
