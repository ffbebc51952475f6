//! The arguments of a call in another task's `before` or `after`: templates over that task's parameters, filled in before
//! it is known on which hosts the called task runs.

use std::sync::Arc;

use crate::engine::planner::types::Arguments;
use crate::engine::planner::uses::leaves;
use crate::model::call::{NeededTask, TaskCall};
use crate::model::given::Given;
use crate::model::position::{Diagnostic, Located};
use crate::model::task::{Task, TaskFile, Template};
use crate::model::template::expand::{expand, has_template};
use crate::model::template::{self, Layer, Scope, Syntax, Templates};
use crate::model::value::{Value, Vars};

/// The task that wants the call, with the values of its own parameters.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) task: &'a Task,
    pub(super) arguments: &'a Arguments,
}

/// The call with its arguments filled in.
pub(super) fn filled(
    templates: &Arc<Templates>,
    file: &TaskFile,
    needed: &NeededTask,
    asker: Asker<'_>,
    extra: &Vars,
) -> Result<TaskCall, Diagnostic> {
    let fill = |given: &Given| fill(templates, file, needed, asker, extra, given);
    let NeededTask { call: TaskCall { task, positional, named }, .. } = needed;
    Ok(TaskCall {
        task: task.clone(),
        positional: positional.iter().map(fill).collect::<Result<_, _>>()?,
        named: named
            .iter()
            .map(|(name, given)| Ok((name.clone(), fill(given)?)))
            .collect::<Result<_, Diagnostic>>()?,
    })
}

fn fill(
    templates: &Arc<Templates>,
    file: &TaskFile,
    needed: &NeededTask,
    asker: Asker<'_>,
    extra: &Vars,
    given: &Given,
) -> Result<Given, Diagnostic> {
    let Some(text) = given.text.as_deref().filter(|text| has_template(&Value::from(*text))) else {
        return Ok(given.clone());
    };
    let wrong = |message: &str, help: Option<String>| {
        let message = format!("\"{}\": {message}", needed.written);
        Diagnostic { help, ..Diagnostic::at(&needed.position, message) }
    };
    // Those of its variables that the text is built on: others may need a host.
    let Asker { task, arguments } = asker;
    let raw = |name: &str| {
        let defaults = &arguments.defaults;
        defaults.get(name).or_else(|| task.vars.get(name)).or_else(|| file.vars.get(name))
    };
    let is_given = |name: &str| extra.contains_key(name) || arguments.given.contains_key(name);
    let mut open = template::names(text, Syntax::Text).unwrap_or_default();
    let mut vars = Vars::new();
    while let Some(name) = open.pop() {
        if is_given(&name) || vars.contains_key(&name) {
            continue;
        }
        let Some(value) = raw(&name) else { continue };
        let mut found = std::collections::BTreeSet::new();
        leaves(value, &mut found);
        open.extend(found);
        vars.insert(name, value.clone());
    }
    let above = [Layer::new(&arguments.given), Layer::new(extra)];
    let vars = expand(templates, &vars, &[], &above)
        .map_err(|problem| wrong(&problem.message, Some(unknown_here(task))))?;
    let scope = above.into_iter().fold(Scope::new().with(Layer::new(&vars)), Scope::with);
    let template = Template::Text(Located::new(Arc::from(text), needed.position.clone()));
    let value = templates.render_value(&template, &scope).map_err(|error| {
        let undefined = error.value.message.starts_with("undefined");
        let help = if undefined { Some(unknown_here(task)) } else { error.value.help };
        wrong(&error.value.message, help)
    })?;
    Ok(match value {
        Value::String(text) => Given { value: Value::from(text.as_str()), text: Some(text) },
        other => Given::from(other),
    })
}

fn unknown_here(task: &Task) -> String {
    format!(
        "an argument here knows the parameters and variables of task \"{}\" and of the tasks file, not those of hosts",
        task.name
    )
}
