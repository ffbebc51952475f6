//! How a value becomes text, and how it leaves the engine as a value. Owns the spelling of booleans and what
//! cannot be text; refuses quoting.

use minijinja::value::ValueKind;
use minijinja::{Output, State, Value};

use crate::model::shell::path_pattern::pattern_text;
use crate::model::template::problem::{MAX_ITEMS, MAX_LEVELS, ValueProblem};
use crate::model::template::record::RegisteredRecord;
use crate::model::value::{Value as Json, Vars};

/// The text of a value where a template writes one.
///
/// Booleans are spelled as in YAML. Null, lists and maps have no text.
pub(super) fn to_text(value: &Value) -> Result<String, ValueProblem> {
    match value.kind() {
        ValueKind::Bool => Ok(if value.is_true() { "true" } else { "false" }.to_owned()),
        ValueKind::None => Err(ValueProblem::Null),
        ValueKind::Seq | ValueKind::Iterable => Err(ValueProblem::List),
        ValueKind::Map => Err(ValueProblem::Map),
        ValueKind::Undefined => Err(ValueProblem::Undefined),
        ValueKind::Bytes | ValueKind::Invalid => Err(ValueProblem::NoText),
        ValueKind::Plain
            if value.downcast_object_ref::<crate::model::template::spelled::Spelled>().is_none() =>
        {
            Err(ValueProblem::NoText)
        }
        _ => Ok(value.to_string()),
    }
}

/// The texts of a list's items.
pub(super) fn to_texts(list: &Value) -> Result<Vec<String>, ValueProblem> {
    let items = list.try_iter().map_err(|_| ValueProblem::NoText)?;
    items.map(|item| item_text(&item)).collect()
}

/// The text of a list's item.
pub(super) fn item_text(item: &Value) -> Result<String, ValueProblem> {
    to_text(item).map_err(|problem| match problem {
        ValueProblem::Null | ValueProblem::List | ValueProblem::Map => ValueProblem::Items,
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

/// The formatter of patterns.
pub(super) fn write_pattern(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Formatted {
    if is_nothing(value) {
        return Ok(());
    }
    write(out, state, &pattern_text(&to_text(value)?))
}

/// Takes a value out of the engine with its type.
pub(super) fn to_json(value: &Value) -> Result<Json, ValueProblem> {
    json_within(value, MAX_LEVELS)
}

/// The same of a value that may be so many levels deep: a template can build one that no stack would hold.
fn json_within(value: &Value, levels: usize) -> Result<Json, ValueProblem> {
    let deeper = levels.checked_sub(1).ok_or(ValueProblem::TooDeep)?;
    if let Some(record) = value.downcast_object_ref::<RegisteredRecord>() {
        return Ok(Json::Object(Vars::clone(record.fields())));
    }
    Ok(match value.kind() {
        ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => number(value).ok_or(ValueProblem::NoNumber)?,
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().map_err(|_| ValueProblem::NoText)?;
            let mut list = Vec::new();
            for item in items {
                if list.len() >= MAX_ITEMS {
                    return Err(ValueProblem::TooMany);
                }
                list.push(json_within(&item, deeper)?);
            }
            Json::Array(list)
        }
        ValueKind::Map => {
            let mut map = Vars::new();
            for key in value.try_iter().map_err(|_| ValueProblem::NoText)? {
                let entry = value.get_item(&key).map_err(|_| ValueProblem::NoText)?;
                map.insert(to_text(&key)?, json_within(&entry, deeper)?);
            }
            Json::Object(map)
        }
        ValueKind::Undefined => return Err(ValueProblem::Undefined),
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

/// What MiniJinja calls for each value that a template writes.
pub(super) type Formatted = Result<(), minijinja::Error>;

/// Writes one value; kept here so that both formatters read alike.
pub(super) fn write(out: &mut Output<'_>, _state: &State<'_, '_>, text: &str) -> Formatted {
    out.write_str(text).map_err(minijinja::Error::from)
}
