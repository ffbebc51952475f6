//! Which names the templates of a plan look at.

use std::collections::BTreeSet;

use crate::engine::plan::scope::HOST_VARS;
use crate::engine::plan::{Item, Plan, PlannedStep, PlannedTask};
use crate::model::task::{Action, Shown, Template};
use crate::model::template::{self, Syntax};
use crate::model::value::Value;

/// The names of what no message shows: what steps register whose output is not shown, and what others make of it.
pub(crate) fn hidden_names(plan: &Plan) -> BTreeSet<String> {
    let (mut hidden, mut made) = (BTreeSet::new(), Vec::<Made>::new());
    for task in &plan.tasks {
        for PlannedStep { step, .. } in &task.steps {
            let own = || step.definitions().map(str::to_owned);
            if step.shown != Shown::All || step.action.typed_unseen().is_some() {
                hidden.extend(own());
            }
            let of: Vec<String> =
                step.texts().iter().flat_map(|text| names(&text.text.value, text.syntax)).collect();
            made.push((own().chain(step.each.iter().map(|_| "item".to_owned())).collect(), of));
        }
        let handlers = task.handlers.iter().flat_map(|handler| &handler.items);
        made_by_calls(task.body.items().chain(handlers), &mut made);
    }
    loop {
        let before = hidden.len();
        for (names, of) in &made {
            if of.iter().any(|name| hidden.contains(name)) {
                hidden.extend(names.iter().cloned());
            }
        }
        if hidden.len() == before {
            return hidden;
        }
    }
}

/// Names, and those that their values are made of.
type Made = (Vec<String>, Vec<String>);

fn made_by_calls<'a>(items: impl Iterator<Item = &'a Item>, made: &mut Vec<Made>) {
    for item in items {
        let Item::Block(block) = item else { continue };
        if let Some(call) = &block.call {
            for (name, value) in &call.args {
                let of =
                    value.leaves().into_iter().flat_map(|text| names(&text.value, Syntax::Text)).collect();
                made.push((vec![name.clone()], of));
            }
            for (name, value) in &call.vars {
                let mut of = BTreeSet::new();
                leaves(value, &mut of);
                made.push((vec![name.clone()], of.into_iter().collect()));
            }
        }
        made_by_calls(&mut block.body.items(), made);
    }
}

/// Whether a step may look at the variables of other hosts.
pub(crate) fn uses_host_vars(tasks: &[PlannedTask]) -> bool {
    let mut found = Vec::new();
    tasks.iter().for_each(|task| names_of(task, &mut found));
    // What stands in files is not known here.
    let mut steps = tasks.iter().flat_map(|task| &task.steps);
    found.iter().any(|name| name == HOST_VARS)
        || steps.any(|planned| matches!(planned.step.action, Action::Template(_)))
}

/// The names that the templates of a task look at.
pub(crate) fn names_of(task: &PlannedTask, found: &mut Vec<String>) {
    for text in task.steps.iter().flat_map(|planned| planned.step.texts()) {
        found.extend(names(&text.text.value, text.syntax));
    }
    let handlers = task.handlers.iter().flat_map(|handler| &handler.items);
    items(task.body.items().chain(handlers), found);
}

/// The names that blocks look at, and calls of tasks.
fn items<'a>(items_of: impl Iterator<Item = &'a Item>, found: &mut Vec<String>) {
    for item in items_of {
        let Item::Block(block) = item else { continue };
        found.extend(block.when.iter().flat_map(|when| names(&when.value, Syntax::Expression)));
        if let Some(call) = &block.call {
            let args = call.args.values().flat_map(Template::leaves);
            found.extend(args.flat_map(|text| names(&text.value, Syntax::Text)));
            let mut vars = BTreeSet::new();
            call.vars.values().for_each(|value| leaves(value, &mut vars));
            found.extend(vars);
        }
        items(&mut block.body.items(), found);
    }
}

/// The names that the templates in a value look at.
pub(crate) fn leaves(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => found.extend(names(text, Syntax::Text)),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::Object(map) => map.values().for_each(|item| leaves(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The names that a text looks at, also where it has a default for them.
fn names(text: &str, syntax: Syntax) -> Vec<String> {
    // One that cannot be read was an error when its file was loaded.
    template::names(text, syntax).unwrap_or_default()
}
