//! Filters, tests and functions of templates. Owns which exist; refuses those that would get a value past the shell
//! quoting unseen (only `raw` does, and it shows in review), that look at a disk, or that say another thing each time.
//!
//! What a filter makes has bounded room (`given`).

mod data;
mod format;
mod given;
mod lists;
mod paths;
mod results;
mod search;
mod text;
mod yaml;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use minijinja::value::{Kwargs, StringInput, ValueKind};
use minijinja::{Environment, Error, State, Value};

use crate::model::shell::quote_word;
use crate::model::template::builtins::Builtins;
use crate::model::template::filters::given::{BoundedText, wrong};
use crate::model::template::problem::ValueProblem;
use crate::model::template::record::last;
use crate::model::template::spelled::Spelled;
use crate::model::template::value::{item_text, to_text, to_texts};

/// Every filter, sorted.
pub(super) const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "b64decode",
    "b64encode",
    "basename",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "checksum",
    "combine",
    "comment",
    "count",
    "d",
    "default",
    "dict2items",
    "dictsort",
    "difference",
    "dirname",
    "expanduser",
    "extract",
    "first",
    "flatten",
    "float",
    "format",
    "from_json",
    "from_yaml",
    "groupby",
    "hash",
    "human_readable",
    "human_to_bytes",
    "indent",
    "int",
    "intersect",
    "items",
    "items2dict",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "mandatory",
    "map",
    "max",
    "md5",
    "min",
    "normpath",
    "path_join",
    "pprint",
    "product",
    "quote",
    "raw",
    "regex_escape",
    "regex_findall",
    "regex_replace",
    "regex_search",
    "reject",
    "rejectattr",
    "relpath",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sha1",
    "slice",
    "sort",
    "split",
    "splitext",
    "string",
    "subelements",
    "sum",
    "symmetric_difference",
    "ternary",
    "title",
    "to_json",
    "to_nice_json",
    "to_nice_yaml",
    "to_yaml",
    "tojson",
    "trim",
    "truncate",
    "type_debug",
    "union",
    "unique",
    "upper",
    "urldecode",
    "urlencode",
    "urlsplit",
    "zip",
    "zip_longest",
];

/// Every test that is a word, sorted.
pub(super) const TESTS: &[&str] = &[
    "abs",
    "all",
    "any",
    "boolean",
    "change",
    "changed",
    "contains",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "escaped",
    "even",
    "failed",
    "failure",
    "false",
    "falsy",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "issubset",
    "issuperset",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "match",
    "ne",
    "none",
    "number",
    "odd",
    "regex",
    "safe",
    "sameas",
    "search",
    "sequence",
    "skip",
    "skipped",
    "startingwith",
    "string",
    "subset",
    "succeeded",
    "success",
    "successful",
    "superset",
    "test",
    "true",
    "truthy",
    "undefined",
    "upper",
    "version",
    "version_compare",
];

/// Every function, sorted.
pub(super) const FUNCTIONS: &[&str] = &["dict", "env", "namespace", "now", "range"];

/// Adds what text and expressions have.
pub(super) fn add_text(environment: &mut Environment<'_>, builtins: &Builtins) {
    add_common(environment, builtins);
    environment.add_filter("raw", |value: Value| value);
    environment.add_filter("quote", |value: Value| -> Result<Value, Error> {
        if value.is_undefined() { Ok(value) } else { Ok(Value::from(quote(&value)?)) }
    });
}

/// Adds what scripts have.
pub(super) fn add_shell(environment: &mut Environment<'_>, builtins: &Builtins) {
    add_common(environment, builtins);
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

fn add_common(environment: &mut Environment<'_>, builtins: &Builtins) {
    environment.add_filter("format", format::format);
    environment.add_filter("join", join);
    environment.add_filter("last", last);
    environment.add_filter("string", string);
    text::add(environment);
    search::add(environment);
    paths::add(environment, builtins);
    lists::add(environment);
    data::add(environment, builtins);
    results::add(environment);
}

/// Adds `env()`, `now()` and `range()`.
pub(super) fn add_functions(environment: &mut Environment<'_>, builtins: &Builtins) {
    let lookup = Arc::clone(&builtins.env);
    environment.add_function("env", move |name: String, default: Option<Value>| -> Result<Value, Error> {
        match (lookup(&name), default) {
            (Some(value), _) => Ok(Value::from(value)),
            (None, Some(default)) => Ok(default),
            (None, None) => Err(ValueProblem::Unset(name).into()),
        }
    });
    environment.add_function("range", range);
    let now = builtins.now.clone();
    environment.add_function("now", move || now.clone());
}

/// MiniJinja's `range`, which counts beyond its integers with bounds that are near their ends.
fn range(lower: isize, upper: Option<isize>, step: Option<isize>) -> Result<Value, Error> {
    const FARTHEST: usize = 1 << 53;
    if [Some(lower), upper, step].into_iter().flatten().any(|bound| bound.unsigned_abs() > FARTHEST) {
        return Err(wrong("\"range\" takes numbers up to 2 to the power of 53"));
    }
    minijinja::functions::range(lower, upper, step)
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
            let mut joined = BoundedText::default();
            for (index, item) in value.try_iter()?.enumerate() {
                joined.push(if index == 0 { "" } else { joiner })?;
                joined.push(&item_text(&item)?)?;
            }
            Ok(Value::from(joined.finish()))
        }
        _ => minijinja::filters::join(state, value, joiner, attribute, options),
    }
}
