//! How a value becomes text, and how it leaves the engine as a value. Owns the spelling of booleans and what
//! cannot be text; refuses quoting.

use minijinja::value::ValueKind;
use minijinja::{Output, State, Value};

use super::error::Problem;
use super::record::Record;
use super::{Formatted, write};
use crate::model::value::{Value as Json, Vars};

/// The most items of a list that is taken out of the engine: each takes many times the room of its text.
pub(super) const MAX_ITEMS: usize = 100_000;

/// The text of a value where a template writes one.
///
/// Booleans are spelled as in YAML. Null, lists and maps have no text.
pub(super) fn to_text(value: &Value) -> Result<String, Problem> {
    match value.kind() {
        ValueKind::Bool => Ok(if value.is_true() { "true" } else { "false" }.to_owned()),
        ValueKind::None => Err(Problem::Null),
        ValueKind::Seq | ValueKind::Iterable => Err(Problem::List),
        ValueKind::Map => Err(Problem::Map),
        ValueKind::Undefined => Err(Problem::Undefined),
        ValueKind::Bytes | ValueKind::Invalid => Err(Problem::NoText),
        ValueKind::Plain if value.downcast_object_ref::<super::filters::Spelled>().is_none() => {
            Err(Problem::NoText)
        }
        _ => Ok(value.to_string()),
    }
}

/// The texts of a list's items.
pub(super) fn to_texts(list: &Value) -> Result<Vec<String>, Problem> {
    let items = list.try_iter().map_err(|_| Problem::NoText)?;
    items.map(|item| item_text(&item)).collect()
}

/// The text of a list's item.
pub(super) fn item_text(item: &Value) -> Result<String, Problem> {
    to_text(item).map_err(|problem| match problem {
        Problem::Null | Problem::List | Problem::Map => Problem::Items,
        other => other,
    })
}

/// Whether the value is what `{{ "x" if condition }}` gives when the condition is false.
///
/// The engine refuses every other undefined value before a formatter sees it.
pub(super) fn is_nothing(value: &Value) -> bool {
    value.is_undefined()
}

/// The formatter of plain text.
pub(super) fn write_text(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Formatted {
    if is_nothing(value) {
        return Ok(());
    }
    write(out, state, &to_text(value)?)
}

/// Takes a value out of the engine with its type.
pub(super) fn to_json(value: &Value) -> Result<Json, Problem> {
    if let Some(record) = value.downcast_object_ref::<Record>() {
        return Ok(Json::Object(Vars::clone(record.fields())));
    }
    Ok(match value.kind() {
        ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => number(value).ok_or(Problem::NoNumber)?,
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().map_err(|_| Problem::NoText)?;
            let mut list = Vec::new();
            for item in items {
                if list.len() >= MAX_ITEMS {
                    return Err(Problem::TooMany);
                }
                list.push(to_json(&item)?);
            }
            Json::Array(list)
        }
        ValueKind::Map => {
            let mut map = Vars::new();
            for key in value.try_iter().map_err(|_| Problem::NoText)? {
                let entry = value.get_item(&key).map_err(|_| Problem::NoText)?;
                map.insert(to_text(&key)?, to_json(&entry)?);
            }
            Json::Object(map)
        }
        ValueKind::Undefined => return Err(Problem::Undefined),
        _ => Json::String(to_text(value)?),
    })
}

fn number(value: &Value) -> Option<Json> {
    match serde_json::to_value(value) {
        Ok(number @ Json::Number(_)) => Some(number),
        // Not a number, infinite, or beyond 64 bits.
        Ok(_) | Err(_) => None,
    }
}
