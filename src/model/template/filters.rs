//! Filters and functions of templates. Owns which exist; refuses those that would get a value past the shell
//! quoting unseen (only `raw` does, and it shows in review).

use std::sync::Arc;

use minijinja::value::{Kwargs, StringInput, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use crate::model::shell::quote_word;
use crate::model::template::builtins::Builtins;
use crate::model::template::problem::ValueProblem;
use crate::model::template::record::last;
use crate::model::template::spelled::Spelled;
use crate::model::template::value::{item_text, to_json, to_text, to_texts};

/// Every filter, sorted.
pub(super) const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "format",
    "from_json",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "quote",
    "raw",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "zip",
];

/// Every test that is a word, sorted.
pub(super) const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "safe",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
];

/// Every function, sorted.
pub(super) const FUNCTIONS: &[&str] = &["dict", "env", "namespace", "now", "range"];

/// Adds what text and expressions have.
pub(super) fn add_text(environment: &mut Environment<'_>) {
    add_common(environment);
    environment.add_filter("raw", |value: Value| value);
    environment.add_filter("quote", |value: Value| -> Result<Value, Error> {
        if value.is_undefined() { Ok(value) } else { Ok(Value::from(quote(&value)?)) }
    });
}

/// Adds what scripts have.
pub(super) fn add_shell(environment: &mut Environment<'_>) {
    add_common(environment);
    // An undefined value goes on as it is: the formatter's error names the variable.
    environment.add_filter("raw", |value: Value| -> Result<Value, Error> {
        if value.is_undefined() { Ok(value) } else { Ok(Value::from_object(Spelled::Raw(to_text(&value)?))) }
    });
    environment.add_filter("quote", |value: Value| -> Result<Value, Error> {
        if value.is_undefined() {
            return Ok(value);
        }
        let text = quote(&value)?;
        Ok(Value::from_object(Spelled::Quoted { plain: value, text }))
    });
}

fn add_common(environment: &mut Environment<'_>) {
    environment.add_filter("join", join);
    environment.add_filter("last", last);
    environment.add_filter("string", string);
    environment.add_filter("from_json", |text: StringInput<'_>| {
        serde_json::from_str::<Value>(text.as_str())
            .map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("not JSON: {error}")))
    });
    environment.add_filter("tojson", tojson);
}

/// Adds `env()` and `now()`.
pub(super) fn add_functions(environment: &mut Environment<'_>, builtins: &Builtins) {
    let lookup = Arc::clone(&builtins.env);
    environment.add_function("env", move |name: String, default: Option<Value>| -> Result<Value, Error> {
        match (lookup(&name), default) {
            (Some(value), _) => Ok(Value::from(value)),
            (None, Some(default)) => Ok(default),
            (None, None) => Err(ValueProblem::Unset(name).into()),
        }
    });
    let now = builtins.now.clone();
    environment.add_function("now", move || now.clone());
}

/// MiniJinja's `string`, with booleans spelled as everywhere in fan.
fn string(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Bool => Ok(Value::from(to_text(value)?)),
        _ => minijinja::filters::string(state, value),
    }
}

/// Quotes a value for a POSIX shell; a list becomes its items as words.
fn quote(value: &Value) -> Result<String, ValueProblem> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let words = to_texts(value)?;
            Ok(words.iter().map(|word| quote_word(word)).collect::<Vec<_>>().join(" "))
        }
        _ => Ok(quote_word(&to_text(value)?).into_owned()),
    }
}

/// MiniJinja's `join` over items that are spelled as everywhere in fan.
fn join(
    state: &mut State<'_, '_>,
    value: &Value,
    joiner: Option<StringInput<'_>>,
    attribute: Option<&str>,
    options: Kwargs,
) -> Result<Value, Error> {
    let plain = attribute.is_none() && !options.has("attribute");
    match value.kind() {
        // Without a list of the texts, which may be many times as large as they are.
        ValueKind::Seq | ValueKind::Iterable if plain => {
            let joiner = joiner.as_ref().map_or("", |joiner| joiner.as_str());
            let mut joined = String::new();
            for (index, item) in value.try_iter()?.enumerate() {
                joined.push_str(if index == 0 { "" } else { joiner });
                joined.push_str(&item_text(&item)?);
            }
            Ok(Value::from(joined))
        }
        _ => minijinja::filters::join(state, value, joiner, attribute, options),
    }
}

/// JSON as any program writes it. MiniJinja's own escapes for HTML and marks its result as safe.
fn tojson(value: &Value, indent: Option<usize>) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(ValueProblem::Undefined.into());
    }
    let json = to_json(value)?;
    let Some(width) = indent else { return Ok(json.to_string()) };
    let indent = " ".repeat(width.min(16));
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    serde::Serialize::serialize(&json, &mut serializer)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}
