//! Values that the command line gives, and the types that they take. Owns the rule: a value has the type of the default
//! that it stands for, and is typed by its look only where there is none. Refuses YAML, which `config` reads.

use crate::model::value::Value;

/// A value as it was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// As the same text in a file would be typed.
    pub value: Value,
    /// What was typed, when it was typed: without the quotes around it.
    pub text: Option<String>,
}

impl From<Value> for Given {
    /// One whose type was chosen: in a file.
    fn from(value: Value) -> Self {
        Self { value, text: None }
    }
}

/// What a value has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedType {
    /// A text; lists and maps of files too.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A list: JSON, or the one item of it.
    List,
    /// A map: JSON.
    Map,
    /// Whatever it looks like.
    Any,
}

impl WantedType {
    /// What stands for this default; without one it is required, and a text.
    ///
    /// A default that is nothing but another variable has the type of that one, which `variable` knows.
    pub fn of(default: Option<&Value>, variable: &dyn Fn(&str) -> Option<Value>) -> Self {
        const DEEPEST: usize = 8;
        let mut default = default.cloned();
        for _ in 0..DEEPEST {
            let named = default.as_ref().and_then(Value::as_str).and_then(only_a_name).and_then(variable);
            match named {
                Some(other) => default = Some(other),
                None => break,
            }
        }
        match default {
            None | Some(Value::Null | Value::String(_)) => Self::Text,
            Some(Value::Number(_)) => Self::Number,
            Some(Value::Bool(_)) => Self::Flag,
            Some(Value::Array(_)) => Self::List,
            Some(Value::Object(_)) => Self::Map,
        }
    }

    /// Completes "needs".
    pub fn words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Flag => "true or false",
            Self::List => "a list, in JSON",
            Self::Map => "a map, in JSON",
            Self::Any => "a value",
        }
    }

    /// The value as it is wanted; none when it cannot be that.
    pub fn fit(self, given: &Given) -> Option<Value> {
        let Given { value, text } = given;
        let typed = text.as_deref().or(value.as_str());
        match (self, typed) {
            (Self::Any, _) => Some(value.clone()),
            // What looks like a list of another notation is no item.
            (Self::List, Some(text)) if text.trim_start().starts_with('[') => {
                json(text).filter(Value::is_array)
            }
            (Self::List, Some(text)) => Some(Value::Array(vec![Value::from(text)])),
            (Self::List, None) => value.is_array().then(|| value.clone()),
            (Self::Map, Some(text)) => json(text).filter(Value::is_object),
            (Self::Map, None) => value.is_object().then(|| value.clone()),
            (Self::Text, Some(text)) => Some(Value::from(text)),
            (Self::Text, None) => Some(match value {
                Value::Number(number) => Value::from(number.to_string()),
                Value::Bool(flag) => Value::from(flag.to_string()),
                other @ (Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
                    other.clone()
                }
            }),
            (Self::Number, Some(text)) => number(text),
            (Self::Number, None) => value.is_number().then(|| value.clone()),
            (Self::Flag, Some("true" | "True" | "TRUE")) => Some(Value::Bool(true)),
            (Self::Flag, Some("false" | "False" | "FALSE")) => Some(Value::Bool(false)),
            (Self::Flag, Some(_)) => None,
            (Self::Flag, None) => value.is_boolean().then(|| value.clone()),
        }
    }
}

/// The one name of a text like `{{ name }}`.
fn only_a_name(text: &str) -> Option<&str> {
    let name = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

fn json(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// The number of a text as JSON writes it: `007`, `+5`, `.5` and what needs more than 64 bits are none.
fn number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.starts_with(|c: char| c.is_ascii_digit());
    let value: Value = serde_json::from_str(text).ok().filter(Value::is_number).filter(|_| plain)?;
    let whole = digits.chars().all(|c| c.is_ascii_digit());
    (!whole || value.is_i64() || value.is_u64()).then_some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn typed(text: &str, value: Value) -> Given {
        Given { value, text: Some(text.to_owned()) }
    }

    #[test]
    fn a_value_takes_the_type_of_the_default() {
        let nine = typed("9", json!(9));
        let none = |_: &str| None;
        for (default, expected) in [
            (None, Some(json!("9"))),
            (Some(json!(null)), Some(json!("9"))),
            (Some(json!("1")), Some(json!("9"))),
            (Some(json!(1)), Some(json!(9))),
            (Some(json!(1.5)), Some(json!(9))),
            (Some(json!(true)), None),
            (Some(json!([1])), Some(json!(["9"]))),
            (Some(json!({"a": 1})), None),
            (Some(json!("{{ a }} {{ b }}")), Some(json!("9"))),
        ] {
            assert_eq!(WantedType::of(default.as_ref(), &none).fit(&nine), expected, "{default:?}");
        }
        let vars = [("count", json!(3)), ("again", json!("{{ count }}")), ("round", json!("{{ round }}"))];
        let known =
            |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        assert_eq!(WantedType::of(Some(&json!("{{count}}")), &known), WantedType::Number);
        assert_eq!(WantedType::of(Some(&json!("{{ again }}")), &known), WantedType::Number);
        assert_eq!(WantedType::of(Some(&json!("{{ round }}")), &known), WantedType::Text);
    }

    #[test]
    fn texts_stay_as_they_were_typed() {
        for (text, value) in
            [("1.10", json!("1.10")), ("True", json!(true)), ("~", json!(null)), ("007", json!("007"))]
        {
            assert_eq!(WantedType::Text.fit(&typed(text, value)), Some(json!(text)));
        }
        assert_eq!(WantedType::Text.fit(&Given::from(json!(9))), Some(json!("9")), "of a file");
        assert_eq!(WantedType::Text.fit(&Given::from(json!([9]))), Some(json!([9])), "of a file");
    }

    #[test]
    fn lists_and_maps_are_json_and_one_item_is_a_list() {
        for (text, expected) in [
            ("vim", Some(json!(["vim"]))),
            ("a,b", Some(json!(["a,b"]))),
            ("", Some(json!([""]))),
            ("[]", Some(json!([]))),
            ("[3, \"a\"]", Some(json!([3, "a"]))),
            ("[a, b]", None),
            ("[3", None),
        ] {
            assert_eq!(WantedType::List.fit(&typed(text, json!(text))), expected, "{text:?}");
        }
        assert_eq!(WantedType::List.fit(&Given::from(json!([1]))), Some(json!([1])), "of a file");
        assert_eq!(WantedType::List.fit(&Given::from(json!("a"))), Some(json!(["a"])), "of a file");
        for (text, expected) in
            [("{\"a\": 1}", Some(json!({"a": 1}))), ("a", None), ("[1]", None), ("{a: 1}", None)]
        {
            assert_eq!(WantedType::Map.fit(&typed(text, json!(text))), expected, "{text:?}");
        }
    }

    #[test]
    fn numbers_and_flags_are_strict() {
        for (text, expected) in [
            ("9", Some(json!(9))),
            ("-3", Some(json!(-3))),
            ("2.5", Some(json!(2.5))),
            ("18446744073709551615", Some(json!(u64::MAX))),
            ("18446744073709551616", None),
            ("007", None),
            ("+5", None),
            ("", None),
            (" 5", None),
            ("abc", None),
            ("true", None),
            ("1,5", None),
        ] {
            assert_eq!(WantedType::Number.fit(&typed(text, json!(text))), expected, "{text:?}");
        }
        assert_eq!(WantedType::Number.fit(&Given::from(json!(null))), None);
        for (text, expected) in [
            ("true", Some(json!(true))),
            ("FALSE", Some(json!(false))),
            ("yes", None),
            ("1", None),
            ("", None),
        ] {
            assert_eq!(WantedType::Flag.fit(&typed(text, json!(text))), expected, "{text:?}");
        }
    }
}
