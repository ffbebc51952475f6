//! How often the action of a step is to be done: once, or for each item of a list.

use crate::engine::host::render::Render;
use crate::model::outcome::{Failure, Kind};
use crate::model::task::{Each, Step, TemplateText};
use crate::model::template::{Layer, Scope};
use crate::model::value::{Value, Vars, type_name};

/// The most items of a loop: a host's output may have millions of lines.
const MAX_TURNS: usize = 100_000;

/// One time that the action is to be done.
pub(crate) struct Turn {
    /// The item that it is for, in a loop.
    pub(crate) item: Option<Value>,
    pub(crate) scope: Scope,
    pub(crate) wanted: Result<bool, Failure>,
}

/// How often the action is to be done, and with which variables.
pub(crate) fn turns(render: Render<'_>, step: &Step) -> Result<Vec<Turn>, Failure> {
    let scope = render.scope;
    let turn = |item: Option<Value>, scope: Scope| {
        let wanted = step.when.as_ref().map_or(Ok(true), |when| render.within(&scope).holds(when));
        Turn { item, scope, wanted }
    };
    let items: Vec<Result<Value, Failure>> = match &step.each {
        None => return Ok(vec![turn(None, scope.clone())]),
        Some(Each::Expression(text)) => items(render.expression(text)?, text)?.into_iter().map(Ok).collect(),
        Some(Each::Items(list)) => {
            let item = |template| match render.value(template) {
                // One that a dry run does not know says nothing about the others.
                Err(failure) if failure.kind == Kind::NotKnown => Ok(Err(failure)),
                value => value.map(Ok),
            };
            list.iter().map(item).collect::<Result<_, Failure>>()?
        }
    };
    if items.len() > MAX_TURNS {
        let message = format!("\"each\" has {} items, and {MAX_TURNS} are the most", items.len());
        return Err(Failure::new(Kind::Limit, message));
    }
    let turns = items.into_iter().enumerate().map(|(index, item)| match item {
        Ok(item) => {
            let locals = Vars::from_iter([
                ("item".to_owned(), item.clone()),
                ("item_index".to_owned(), Value::from(index)),
            ]);
            turn(Some(item), scope.clone().with(Layer::new(&locals)))
        }
        Err(not_known) => Turn { item: None, scope: scope.clone(), wanted: Err(not_known) },
    });
    Ok(turns.collect())
}

/// The items of a list, or of a map.
fn items(value: Value, text: &TemplateText) -> Result<Vec<Value>, Failure> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Object(map) => {
            let pair = |(key, value): (String, Value)| {
                Value::Object(Vars::from_iter([
                    ("key".to_owned(), Value::from(key)),
                    ("value".to_owned(), value),
                ]))
            };
            Ok(map.into_iter().map(pair).collect())
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            let (at, found) = (&text.position, type_name(&other));
            let message = format!("\"each\" needs a list, found {found} ({}:{})", at.file, at.line);
            Err(Failure::new(Kind::Template, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::model::position::{Located, Position};
    use crate::model::task::{Action, Template};
    use crate::model::template::{Builtins, Templates};

    fn text(text: &str) -> TemplateText {
        Located::new(Arc::from(text), Position::new("tasks.yaml", 7, 3))
    }

    /// The items, and which of them are wanted.
    fn turned(each: Each, when: Option<&str>) -> Result<Vec<(Value, Option<bool>)>, Failure> {
        let templates = Templates::new(&Builtins::default());
        let mut layer = Layer::new(&Vars::from_iter([("map".to_owned(), json!({"a": 1}))]));
        layer.doubt(["unknown"]);
        let scope = Scope::new().with(layer);
        let step =
            Step { each: Some(each), when: when.map(text), ..Step::bare(Action::Echo(text("{{ item }}"))) };
        let turns = turns(Render { templates: &templates, scope: &scope }, &step)?;
        Ok(turns.into_iter().map(|turn| (turn.item.unwrap_or_default(), turn.wanted.ok())).collect())
    }

    #[test]
    fn an_action_is_done_for_each_item_that_is_wanted() {
        let list = || Each::Expression(text("[1, 2, 3]"));
        assert_eq!(
            turned(list(), Some("item > 1 and item_index < 2")).unwrap(),
            [(json!(1), Some(false)), (json!(2), Some(true)), (json!(3), Some(false))]
        );
        assert_eq!(
            turned(Each::Expression(text("map")), None).unwrap(),
            [(json!({"key": "a", "value": 1}), Some(true))]
        );
        let failure = turned(Each::Expression(text("'a'")), None).unwrap_err();
        assert_eq!(failure.kind, Kind::Template);
        let many = vec![Template::Literal(json!(0)); MAX_TURNS + 1];
        let failure = turned(Each::Items(many), None).unwrap_err();
        assert_eq!(failure.kind, Kind::Limit);
    }

    #[test]
    fn an_item_that_is_not_known_says_nothing_about_the_others() {
        let items = ["{{ unknown }}", "b"].map(|item| Template::Text(text(item)));
        let turns = turned(Each::Items(items.to_vec()), None).unwrap();
        assert_eq!(turns, [(Value::Null, None), (json!("b"), Some(true))]);
        let failure = turned(Each::Expression(text("unknown")), None).unwrap_err();
        assert_eq!(failure.kind, Kind::NotKnown);
    }
}
