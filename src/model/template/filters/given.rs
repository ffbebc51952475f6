//! What filters are given, and the room that they have for what they give.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use crate::model::template::problem::{MAX_ITEMS, ValueProblem};
use crate::model::template::value::to_text;

/// The most bytes of a text that a filter makes: the captured output of a command fits in, also as Base64.
pub(super) const MAX_TEXT: usize = 32 * 1024 * 1024;

/// The text of what a filter is for; a number is its digits.
pub(super) fn text_of(value: &Value) -> Result<String, Error> {
    Ok(to_text(value)?)
}

/// An error of a filter: a lowercase fragment that shows no value.
pub(super) fn wrong(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// The error of a text that would be longer than [`MAX_TEXT`].
pub(super) fn too_much() -> Error {
    wrong(format!("a text of more than {} MiB", MAX_TEXT / 1024 / 1024))
}

/// The items of a list.
pub(super) fn items_of(value: &Value, filter: &str) -> Result<Vec<Value>, Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => value.try_iter()?.checked().collect(),
        ValueKind::Undefined => Err(ValueProblem::Undefined.into()),
        other => Err(wrong(format!("{filter:?} takes a list, not {}", named(other)))),
    }
}

/// The entries of a map, in order.
pub(super) fn entries_of(value: &Value, filter: &str) -> Result<Vec<(Value, Value)>, Error> {
    match value.kind() {
        ValueKind::Map => {
            let keys = value.try_iter()?.checked();
            keys.map(|key| key.and_then(|key| Ok((key.clone(), value.get_item(&key)?)))).collect()
        }
        ValueKind::Undefined => Err(ValueProblem::Undefined.into()),
        other => Err(wrong(format!("{filter:?} takes a map, not {}", named(other)))),
    }
}

/// A kind of value in fan's words.
pub(super) fn named(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Undefined => "something undefined",
        ValueKind::None => "null",
        ValueKind::Bool => "a boolean",
        ValueKind::Number => "a number",
        ValueKind::String => "a string",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "a map",
        _ => "a function",
    }
}

/// A text that grows up to [`MAX_TEXT`].
#[derive(Default)]
pub(super) struct BoundedText(String);

impl BoundedText {
    pub(super) fn push(&mut self, text: &str) -> Result<(), Error> {
        if self.0.len().saturating_add(text.len()) > MAX_TEXT {
            return Err(too_much());
        }
        self.0.push_str(text);
        Ok(())
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// A list that grows up to [`MAX_ITEMS`]: for filters that give more than they were given.
#[derive(Default)]
pub(super) struct BoundedList(Vec<Value>);

impl BoundedList {
    pub(super) fn push(&mut self, item: Value) -> Result<(), Error> {
        if self.0.len() >= MAX_ITEMS {
            return Err(ValueProblem::TooMany.into());
        }
        self.0.push(item);
        Ok(())
    }

    pub(super) fn finish(self) -> Value {
        Value::from(self.0)
    }
}
