//! The schema of tasks files.

use serde_json::json;

use crate::config::steps::{TWOFOLD, actions, keys_beside, kind};
use crate::config::tables::shape::{Shape, document, properties};
use crate::config::tables::tasks::{CONDITIONS, FILE, MANNER, STEP, TASK};
use crate::model::value::Value;

pub(super) fn schema() -> Value {
    let steps = json!({"type": "array", "items": {"$ref": "#/definitions/step"}});
    let definitions = json!({
        "task": {"anyOf": [task(), steps]},
        "steps": Shape::List(&Shape::Defined("step")).schema(),
        "step": {"anyOf": [step(), Shape::Text.schema()]},
    });
    document("fan tasks", FILE, &["tasks"], &definitions)
}

/// A task with keys: something to do among them.
fn task() -> Value {
    json!({
        "type": "object",
        "properties": properties(TASK.iter()),
        "additionalProperties": false,
        "anyOf": [{"required": ["steps"]}, {"required": ["before"]}, {"required": ["after"]}],
    })
}

/// A step: one action, and only the keys that belong to it.
fn step() -> Value {
    let of_action = actions().map(|action| {
        let beside: Vec<&str> = keys_beside(action).collect();
        let keys: Vec<&str> = std::iter::once(action).chain(beside.iter().copied()).collect();
        let required = kind(action).map_or(&[][..], |kind| kind.required);
        let mut then = json!({"propertyNames": {"enum": keys}, "required": required});
        if beside.contains(&TWOFOLD)
            && let Some(then) = then.as_object_mut()
        {
            then.insert("properties".to_owned(), json!({TWOFOLD: MANNER.schema()}));
        }
        json!({"if": is_action(action), "then": then})
    });
    let mut properties = properties(STEP.iter());
    if let Some(wait_for) = properties.get_mut("wait_for").and_then(Value::as_object_mut) {
        let one: Vec<Value> = CONDITIONS.iter().map(|condition| json!({"required": [condition]})).collect();
        wait_for.insert("oneOf".to_owned(), json!(one));
    }
    json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "oneOf": actions().map(is_action).collect::<Vec<_>>(),
        "allOf": of_action.collect::<Vec<_>>(),
    })
}

/// Holds for a step whose action this is.
fn is_action(action: &str) -> Value {
    if action != TWOFOLD {
        return json!({"required": [action]});
    }
    let others = actions().filter(|other| *other != action);
    let others: Vec<Value> = others.map(|other| json!({"required": [other]})).collect();
    // Alone it has to say what is done.
    json!({
        "required": [action],
        "not": {"anyOf": others},
        "properties": {action: {"type": ["string", "number", "array"]}},
    })
}
