//! The values of variables: what YAML, templates and registered results share.

/// A variable's value: null, bool, number, string, list or map (insertion order kept).
pub type Value = serde_json::Value;

/// Named values, in the order in which they were written.
pub type Vars = serde_json::Map<String, Value>;

/// The word for a value's type in messages, with its article: `a list`, `a string`.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
