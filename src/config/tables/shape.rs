//! What the value of a key may be. Readers take the literal text of a value, so most shapes let YAML's numbers and
//! booleans pass as well.

use serde_json::json;

use crate::model::value::{Value, Vars};

/// A name that templates can use.
const VARIABLE: &str = "^[A-Za-z_][A-Za-z0-9_]*$";

/// `1m30s`, `500ms`, `none`.
const DURATION: &str = "^(none|(?=.)([0-9.]+d)?([0-9.]+h)?([0-9.]+m)?([0-9.]+s)?([0-9.]+ms)?)$";

/// A number of hosts, or a share of them.
const SHARE: &str = "^[0-9]+%?$";

/// The keys of a map: name, what it takes, a line about it.
pub(in crate::config) type ShapeKeys = &'static [(&'static str, Shape, &'static str)];

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) enum Shape {
    /// A text, whatever YAML takes it for.
    Text,
    /// The same, or nothing.
    TextOrNothing,
    /// A text that names a variable.
    Variable,
    /// `true` or `false`.
    Flag,
    /// `true`, or nothing.
    Bare,
    /// A path, or whether to use one.
    FlagOrText,
    /// A duration, or `none`.
    Duration,
    /// A whole number from and to these.
    Integer(u32, u32),
    /// One of these words.
    Words(&'static [&'static str]),
    /// `0644`.
    Mode,
    /// `2`, `25%`.
    Share,
    /// Anything.
    Any,
    /// A map of variables.
    Vars,
    /// A map of texts.
    Texts,
    /// A list.
    List(&'static Shape),
    /// One, or a list of them.
    OneOrMany(&'static Shape),
    /// A map of names to this.
    Named(&'static Shape),
    /// Any of these.
    Either(&'static [Shape]),
    /// A map with these keys, those of `required` among them.
    Map {
        /// What it may have.
        keys: ShapeKeys,
        /// What it must have.
        required: &'static [&'static str],
    },
    /// A map with exactly one of these keys.
    OneOf(ShapeKeys),
    /// A map with exactly one of the first keys, and any of the second ones.
    OneOfBeside(ShapeKeys, ShapeKeys),
    /// What the schema defines under this name.
    Defined(&'static str),
}

impl Shape {
    /// The same in JSON Schema.
    pub(in crate::config) fn schema(self) -> Value {
        match self {
            Self::Text => json!({"type": ["string", "number", "boolean"]}),
            Self::TextOrNothing => json!({"type": ["string", "number", "boolean", "null"]}),
            Self::Variable => json!({"type": "string", "pattern": VARIABLE}),
            Self::Flag => {
                json!({"type": ["boolean", "string"], "pattern": "^(true|True|TRUE|false|False|FALSE)$"})
            }
            Self::Bare => json!({"enum": [true, null, "true", "True", "TRUE"]}),
            Self::FlagOrText => json!({"type": ["boolean", "string"]}),
            Self::Duration => json!({"type": "string", "pattern": DURATION}),
            Self::Integer(least, most) => json!({
                "type": ["integer", "string"], "minimum": least, "maximum": most, "pattern": "^[0-9]+$"
            }),
            Self::Words(words) => json!({"enum": words}),
            // YAML may read 0644 as a number, in one base or another.
            Self::Mode => json!({"type": ["string", "integer"], "pattern": "^[0-7]{3,4}$"}),
            Self::Share => json!({"type": ["integer", "string"], "minimum": 0, "pattern": SHARE}),
            Self::Any => json!({}),
            Self::Vars => json!({"type": ["object", "null"], "propertyNames": {"pattern": VARIABLE}}),
            Self::Texts => json!({
                "type": ["object", "null"],
                "propertyNames": {"pattern": VARIABLE},
                "additionalProperties": Self::Text.schema(),
            }),
            Self::List(item) => json!({"type": ["array", "null"], "items": item.schema()}),
            Self::OneOrMany(item) => {
                json!({"anyOf": [item.schema(), {"type": "array", "items": item.schema()}]})
            }
            Self::Named(value) => {
                json!({"type": ["object", "null"], "additionalProperties": value.schema()})
            }
            Self::Either(shapes) => {
                json!({"anyOf": shapes.iter().map(|shape| shape.schema()).collect::<Vec<_>>()})
            }
            Self::Map { keys, required } => json!({
                "type": "object",
                "properties": properties(keys.iter()),
                "additionalProperties": false,
                "required": required,
            }),
            Self::OneOf(keys) => json!({
                "type": "object",
                "properties": properties(keys.iter()),
                "additionalProperties": false,
                "minProperties": 1,
                "maxProperties": 1,
            }),
            Self::OneOfBeside(keys, beside) => json!({
                "type": "object",
                "properties": properties(keys.iter().chain(beside)),
                "additionalProperties": false,
                "oneOf": names(keys).map(|name| json!({"required": [name]})).collect::<Vec<_>>(),
            }),
            Self::Defined(name) => json!({"$ref": format!("#/definitions/{name}")}),
        }
    }
}

/// A whole schema: the map that a file is, and what it defines for its parts.
pub(in crate::config) fn document(
    title: &str,
    keys: ShapeKeys,
    required: &[&str],
    definitions: &Value,
) -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        "type": "object",
        "properties": properties(keys.iter()),
        "additionalProperties": false,
        "required": required,
        "definitions": definitions,
    })
}

/// The properties of a map.
pub(in crate::config) fn properties<'k>(
    keys: impl Iterator<Item = &'k (&'static str, Shape, &'static str)>,
) -> Value {
    let property = |(name, shape, about): &(&str, Shape, &str)| {
        let mut property = Vars::new();
        property.insert("description".to_owned(), json!(about));
        match (shape, shape.schema()) {
            // Draft 7 reads nothing beside a reference.
            (Shape::Defined(_), reference) => drop(property.insert("allOf".to_owned(), json!([reference]))),
            (_, Value::Object(schema)) => property.extend(schema),
            (_, other) => drop(property.insert("allOf".to_owned(), json!([other]))),
        }
        ((*name).to_owned(), Value::Object(property))
    };
    Value::Object(keys.map(property).collect())
}

/// The names of keys.
pub(in crate::config) fn names(keys: ShapeKeys) -> impl Iterator<Item = &'static str> {
    keys.iter().map(|&(name, ..)| name)
}
