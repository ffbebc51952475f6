//! Values: as JSON and YAML, maps laid over each other, one or the other.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::value::{Kwargs, Rest, StringInput, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};

use crate::model::template::builtins::Builtins;
use crate::model::template::filters::given::{BoundedList, entries_of, items_of, named, text_of, wrong};
use crate::model::template::filters::yaml;
use crate::model::template::problem::ValueProblem;
use crate::model::template::record::of_json;
use crate::model::template::value::to_json;
use crate::model::value::{Value as Json, Vars};

pub(super) fn add(environment: &mut Environment<'_>, builtins: &Builtins) {
    environment.add_filter("from_json", |text: StringInput<'_>| {
        serde_json::from_str::<Value>(text.as_str())
            .map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("not JSON: {error}")))
    });
    for name in ["tojson", "to_json"] {
        environment.add_filter(name, |value: &Value, indent: Option<usize>, options: Kwargs| {
            json_text(value, indent, &options)
        });
    }
    environment.add_filter("to_nice_json", |value: &Value, indent: Option<usize>, options: Kwargs| {
        json_text(value, indent.or(Some(4)), &options)
    });
    environment.add_filter("to_yaml", |value: &Value, options: Kwargs| yaml_text(value, 2, &options));
    environment.add_filter("to_nice_yaml", |value: &Value, indent: Option<usize>, options: Kwargs| {
        yaml_text(value, indent.unwrap_or(4), &options)
    });
    let read = Arc::clone(&builtins.yaml);
    environment.add_filter("from_yaml", move |text: StringInput<'_>| -> Result<Value, Error> {
        read(text.as_str()).map(of_json).map_err(|why| wrong(format!("not YAML: {why}")))
    });
    environment.add_filter("mandatory", mandatory);
    environment.add_filter("ternary", ternary);
    environment.add_filter("bool", truth);
    environment.add_filter("type_debug", |value: &Value| match value.kind() {
        ValueKind::Undefined => "undefined",
        kind => named(kind).trim_start_matches("a "),
    });
    environment.add_filter("combine", combine);
    environment.add_filter("dict2items", pairs_of_map);
    environment.add_filter("items2dict", map_of_pairs);
    environment.add_test("truthy", |value: &Value| truth(value).unwrap_or_else(|_| value.is_true()));
    environment.add_test("falsy", |value: &Value| !truth(value).unwrap_or_else(|_| value.is_true()));
}

/// A value with the keys of its maps in alphabetical order.
fn sorted(value: Json) -> Json {
    match value {
        Json::Object(map) => {
            let mut entries: Vec<(String, Json)> = map.into_iter().collect();
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            Json::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn plain(value: &Value, options: &Kwargs) -> Result<Json, Error> {
    let json = to_json(value)?;
    Ok(if options.get::<Option<bool>>("sort_keys")?.unwrap_or(false) { sorted(json) } else { json })
}

/// JSON as any program writes it. MiniJinja's own escapes for HTML and marks its result as safe.
fn json_text(value: &Value, indent: Option<usize>, options: &Kwargs) -> Result<String, Error> {
    let json = plain(value, options)?;
    let indent = indent.or(options.get("indent")?);
    options.assert_all_used()?;
    let Some(width) = indent else { return Ok(json.to_string()) };
    let indent = " ".repeat(width.min(16));
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    serde::Serialize::serialize(&json, &mut serializer)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn yaml_text(value: &Value, indent: usize, options: &Kwargs) -> Result<String, Error> {
    let json = plain(value, options)?;
    let indent = options.get::<Option<usize>>("indent")?.unwrap_or(indent);
    options.assert_all_used()?;
    Ok(yaml::block(&json, indent.clamp(2, 8)))
}

/// Fails when there is no value.
fn mandatory(value: Value, message: Option<&str>, options: Kwargs) -> Result<Value, Error> {
    let message = message.or(options.get("msg")?).map(str::to_owned);
    options.assert_all_used()?;
    if !value.is_undefined() {
        return Ok(value);
    }
    Err(wrong(message.unwrap_or_else(|| "a mandatory value is not defined".to_owned())))
}

/// One value or the other; the third for null.
fn ternary(condition: &Value, yes: Value, no: Value, unknown: Option<Value>) -> Result<Value, Error> {
    if condition.is_undefined() {
        return Err(ValueProblem::Undefined.into());
    }
    Ok(match unknown {
        Some(unknown) if condition.is_none() => unknown,
        _ if condition.is_true() => yes,
        _ => no,
    })
}

/// What a person means by a text that stands for true or false; other values as a condition takes them.
fn truth(value: &Value) -> Result<bool, Error> {
    if value.is_undefined() {
        return Err(ValueProblem::Undefined.into());
    }
    let Some(text) = value.as_str() else { return Ok(value.is_true()) };
    match text.trim().to_lowercase().as_str() {
        "true" | "yes" | "on" | "y" | "t" | "1" => Ok(true),
        "false" | "no" | "off" | "n" | "f" | "0" | "" => Ok(false),
        _ => Err(wrong("neither true nor false")),
    }
}

/// Lists of maps, in the place of which `combine` takes one thing or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListMerge {
    Replace,
    Keep,
    Append,
    Prepend,
    AppendNew,
    PrependNew,
}

/// Maps laid over each other, the last on top.
fn combine(value: &Value, others: Rest<Value>, options: Kwargs) -> Result<Value, Error> {
    let recursive = options.get::<Option<bool>>("recursive")?.unwrap_or(false);
    let lists = match options.get::<Option<&str>>("list_merge")? {
        None | Some("replace") => ListMerge::Replace,
        Some("keep") => ListMerge::Keep,
        Some("append") => ListMerge::Append,
        Some("prepend") => ListMerge::Prepend,
        Some("append_rp") => ListMerge::AppendNew,
        Some("prepend_rp") => ListMerge::PrependNew,
        Some(_) => {
            return Err(wrong("\"list_merge\" is replace, keep, append, prepend, append_rp or prepend_rp"));
        }
    };
    options.assert_all_used()?;
    let mut all = map_in(value)?;
    for other in others.iter() {
        // A list of maps stands for its items.
        let maps = match other.kind() {
            ValueKind::Seq | ValueKind::Iterable => items_of(other, "combine")?,
            _ => vec![other.clone()],
        };
        for map in maps {
            lay_over(&mut all, map_in(&map)?, recursive, lists)?;
        }
    }
    Ok(of_json(Json::Object(all)))
}

fn map_in(value: &Value) -> Result<Vars, Error> {
    match to_json(value)? {
        Json::Object(map) => Ok(map),
        _ => Err(wrong(format!("\"combine\" takes maps, not {}", named(value.kind())))),
    }
}

fn lay_over(below: &mut Vars, above: Vars, recursive: bool, lists: ListMerge) -> Result<(), Error> {
    for (key, value) in above {
        let merged = match (below.remove(&key), value) {
            (Some(Json::Object(mut one)), Json::Object(other)) if recursive => {
                lay_over(&mut one, other, recursive, lists)?;
                Json::Object(one)
            }
            (Some(Json::Array(one)), Json::Array(other)) => Json::Array(joined(one, other, lists)),
            (_, value) => value,
        };
        below.insert(key, merged);
    }
    Ok(())
}

fn joined(one: Vec<Json>, other: Vec<Json>, lists: ListMerge) -> Vec<Json> {
    let without = |items: Vec<Json>, present: &[Json]| -> Vec<Json> {
        let present: std::collections::BTreeSet<String> = present.iter().map(Json::to_string).collect();
        items.into_iter().filter(|item| !present.contains(&item.to_string())).collect()
    };
    match lists {
        ListMerge::Replace => other,
        ListMerge::Keep => one,
        ListMerge::Append => [one, other].concat(),
        ListMerge::Prepend => [other, one].concat(),
        ListMerge::AppendNew => [without(one, &other), other].concat(),
        ListMerge::PrependNew => {
            let rest = without(one, &other);
            [other, rest].concat()
        }
    }
}

/// The names of a pair's key and value.
fn names(options: &Kwargs) -> Result<(String, String), Error> {
    let name = |of: &str, default: &str| -> Result<String, Error> {
        Ok(options.get::<Option<&str>>(of)?.unwrap_or(default).to_owned())
    };
    let names = (name("key_name", "key")?, name("value_name", "value")?);
    options.assert_all_used()?;
    Ok(names)
}

fn pairs_of_map(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let (key_name, value_name) = names(&options)?;
    let mut pairs = BoundedList::default();
    for (key, value) in entries_of(value, "dict2items")? {
        pairs.push(Value::from_pairs([(key_name.as_str(), key), (value_name.as_str(), value)]))?;
    }
    Ok(pairs.finish())
}

fn map_of_pairs(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let (key_name, value_name) = names(&options)?;
    let mut map = IndexMap::new();
    for pair in items_of(value, "items2dict")? {
        let (key, value) = (pair.get_attr(&key_name)?, pair.get_attr(&value_name)?);
        if key.is_undefined() || value.is_undefined() {
            return Err(wrong(format!("an item without {key_name:?} or {value_name:?}")));
        }
        map.insert(text_of(&key)?, value);
    }
    Ok(Value::from_pairs(map))
}
