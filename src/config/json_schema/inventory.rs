//! The schema of inventories.

use serde_json::json;

use crate::config::tables::inventory::{FILE, HOST, OF_HOSTS, ROLE, SETTINGS};
use crate::config::tables::shape::{ShapeKeys, document, properties};
use crate::model::value::Value;

pub(super) fn schema() -> Value {
    let definitions = json!({
        "nothing": {"type": "null"},
        "host": entry(HOST, true),
        "role": entry(ROLE, false),
        "defaults": {"anyOf": [entry(&[], false), {"type": "null"}]},
    });
    let mut schema = document("fan inventory", FILE, &[], &definitions);
    // The hosts are here, or come from elsewhere.
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("required");
        schema.insert("anyOf".to_owned(), json!([{"required": ["hosts"]}, {"required": ["sources"]}]));
    }
    schema
}

/// A map with settings and these keys.
fn entry(own: ShapeKeys, of_one_host: bool) -> Value {
    let settings = SETTINGS.iter().filter(|(name, ..)| of_one_host || *name != OF_HOSTS);
    json!({
        "type": "object",
        "properties": properties(own.iter().chain(settings)),
        "additionalProperties": false,
    })
}
