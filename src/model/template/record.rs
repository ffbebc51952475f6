//! Registered results as templates see them: shared and not copied, and `lines` made when they are asked for. Of an output
//! that is nothing but line ends, a list of its lines would be many times as large.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectExt, ObjectRepr, Serde};
use minijinja::{Error, Value};

use crate::model::value::{Value as Json, Vars};

/// The field that is made of `stdout`.
const LINES: &str = "lines";

/// A registered result.
#[derive(Debug)]
pub(super) struct RegisteredRecord(Arc<Vars>);

impl RegisteredRecord {
    /// What it is made of, without `lines`.
    pub(super) fn fields(&self) -> &Arc<Vars> {
        &self.0
    }
}

/// Takes a value in; what is no result is converted without a copy of it.
pub(super) fn of_json_ref(value: &Json) -> Value {
    match value {
        Json::Array(_) | Json::Object(_) => of_json(value.clone()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Value::from(Serde(value)),
    }
}

/// Takes a value in.
pub(super) fn of_json(value: Json) -> Value {
    match value {
        Json::Object(fields) if is_result(&fields) => Value::from_object(RegisteredRecord(Arc::new(fields))),
        Json::Array(items) if items.iter().any(|item| item.as_object().is_some_and(is_result)) => {
            items.into_iter().map(of_json).collect()
        }
        other => Value::from(Serde(other)),
    }
}

/// Whether these are the fields of a registered result.
fn is_result(fields: &Vars) -> bool {
    fields.get("stdout").is_some_and(Json::is_string)
        && ["rc", "skipped"].iter().all(|name| fields.contains_key(*name))
        && !fields.contains_key(LINES)
}

impl Object for RegisteredRecord {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match self.0.get(key) {
            Some(Json::String(text)) => Some(Value::from(text.as_str())),
            Some(value) => Some(of_json(value.clone())),
            None if key == LINES => Some(Value::from_object(RecordLines(Arc::clone(&self.0)))),
            None => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.mapped_enumerator(|record| {
            Box::new([LINES].into_iter().chain(record.0.keys().map(String::as_str)).map(Value::from))
        })
    }
}

/// The lines of a result's `stdout`: a list.
#[derive(Debug)]
struct RecordLines(Arc<Vars>);

impl RecordLines {
    fn text(&self) -> &str {
        self.0.get("stdout").and_then(Json::as_str).unwrap_or_default()
    }
}

/// The last item of a list. MiniJinja's own makes a list of all to find it.
pub(super) fn last(value: Value) -> Result<Value, Error> {
    match value.downcast_object_ref::<RecordLines>() {
        Some(lines) => Ok(lines.text().lines().next_back().map_or(Value::UNDEFINED, Value::from)),
        None => minijinja::filters::last(value),
    }
}

impl Object for RecordLines {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.text().lines().nth(key.as_usize()?).map(Value::from)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.mapped_enumerator(|lines| Box::new(lines.text().lines().map(Value::from)))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.text().lines().count())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::template::builtins::Builtins;
    use crate::model::template::scope::{Layer, Scope};
    use crate::model::template::templates::Templates;

    fn evaluate(expression: &str) -> Json {
        let result =
            |stdout: &str| json!({"stdout": stdout, "stderr": "", "rc": 0, "skipped": false, "ok": true});
        let vars = json!({"out": result("a\nb\r\n\nd"), "nothing": result(""), "all": {"results": [result("x\ny")], "stdout": "x\ny", "rc": 0, "skipped": false}});
        let templates = Templates::new(&Builtins::default());
        let scope = Scope::new().with(Layer::new(vars.as_object().unwrap()));
        templates.eval_value(expression, &scope).unwrap_or_else(|error| panic!("{expression}: {error:?}"))
    }

    #[test]
    fn lines_are_a_list_in_every_way() {
        for (expression, value) in [
            ("out.lines", json!(["a", "b", "", "d"])),
            ("out['lines'][1]", json!("b")),
            ("out.lines[-1]", json!("d")),
            ("out.lines[1:3]", json!(["b", ""])),
            ("out.lines[::-1] | first", json!("d")),
            ("out.lines | length", json!(4)),
            ("out.lines | count", json!(4)),
            ("out.lines | first", json!("a")),
            ("out.lines | last", json!("d")),
            ("out.lines | join('|')", json!("a|b||d")),
            ("out.lines | tojson", json!("[\"a\",\"b\",\"\",\"d\"]")),
            ("out.lines | select('ne', '') | list", json!(["a", "b", "d"])),
            ("out.lines | map('upper') | join", json!("ABD")),
            ("out.lines | sort | first", json!("")),
            ("out.lines | reverse | first", json!("d")),
            ("out.lines | unique | list | length", json!(4)),
            ("out.lines is sequence", json!(true)),
            ("out.lines is iterable", json!(true)),
            ("'b' in out.lines", json!(true)),
            ("'c' in out.lines", json!(false)),
            ("out.lines == ['a', 'b', '', 'd']", json!(true)),
            ("(out.lines + ['e']) | length", json!(5)),
            ("nothing.lines", json!([])),
            ("nothing.lines | length", json!(0)),
            ("1 if nothing.lines else 2", json!(2)),
            ("nothing.lines | first is defined", json!(false)),
            ("nothing.lines | last is defined", json!(false)),
            ("[1, 2] | last", json!(2)),
            ("'ab' | last", json!("b")),
            ("out.lines[9] is defined", json!(false)),
            ("all.results[0].lines", json!(["x", "y"])),
            ("all.results | map(attribute='lines') | first | last", json!("y")),
            ("all.lines | last", json!("y")),
            ("out.rc", json!(0)),
            ("out.nosuch is defined", json!(false)),
            ("'lines' in out", json!(true)),
            ("'rc' in out", json!(true)),
            ("out | items | length", json!(6)),
        ] {
            assert_eq!(evaluate(expression), value, "{expression}");
        }
        assert_eq!(evaluate("out")["stdout"], json!("a\nb\r\n\nd"));
    }
}
