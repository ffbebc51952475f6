//! What the command line gives to tasks: arguments bound to parameters, and each value with the type of the default that it
//! stands for. What does not fit is told before anything is contacted.

use crate::engine::planner::request::Request;
use crate::model::call::TaskCall;
use crate::model::given::{Given, WantedType};
use crate::model::position::{Diagnostic, Position};
use crate::model::suggest::did_you_mean;
use crate::model::task::{Task, TaskFile};
use crate::model::template::Layer;
use crate::model::value::{Value, Vars};

/// The values of a task's parameters.
#[derive(Clone, Debug, Default)]
pub(super) struct Arguments {
    /// From the command line: no templates.
    pub(super) given: Vars,
    /// From the tasks file, for the parameters that were not given.
    pub(super) defaults: Vars,
}

/// A call and what it is bound to.
pub(super) struct Binding<'a> {
    pub(super) task: &'a Task,
    pub(super) call: &'a TaskCall,
    /// Variables that stand for parameters too.
    pub(super) extra: &'a Vars,
    pub(super) file: &'a TaskFile,
    /// Names whose values no message shows.
    pub(super) secrets: &'a Layer,
    /// Where another task calls it.
    pub(super) asked_at: Option<&'a Position>,
}

/// Binds a call's arguments to the task's parameters, as a function call does.
pub(super) fn bind(binding: Binding<'_>, problems: &mut Vec<Diagnostic>) -> Arguments {
    let Binding { task, call, extra, file, secrets, asked_at } = binding;
    let name = &task.name;
    let mut arguments = Arguments::default();
    if call.positional.len() > task.params.len() {
        let takes = match task.params.len() {
            0 => "no arguments".to_owned(),
            1 => "1 argument".to_owned(),
            many => format!("{many} arguments"),
        };
        let given = call.positional.len();
        problems.push(Diagnostic::bare(format!("task \"{name}\" takes {takes}, {given} given")));
    }
    let mut give = |param: &String, given: &Given, problems: &mut Vec<Diagnostic>| {
        let default = task.params.get(param).and_then(Option::as_ref);
        let wanted = wanted(task, file, default);
        let value = wanted.fit(given).unwrap_or_else(|| {
            let shown = shown("got", given, secrets.contains(param));
            let message = format!("task \"{name}\" needs {}{shown}", needs(param, wanted, default));
            problems.push(Diagnostic::at(asked_at.unwrap_or(&task.position), message));
            given.value.clone()
        });
        arguments.given.insert(param.clone(), value).is_some()
    };
    for (param, given) in task.params.keys().zip(&call.positional) {
        give(param, given, problems);
    }
    for (param, given) in &call.named {
        if !task.params.contains_key(param) {
            let problem = Diagnostic::bare(format!("task \"{name}\" has no parameter \"{param}\""));
            problems.push(match did_you_mean(param, task.params.keys().map(String::as_str)) {
                Some(near) => problem.help(format!("did you mean \"{near}\"?")),
                None => problem.help("-e NAME=VALUE sets variables that are not parameters"),
            });
        } else if give(param, given, problems) {
            problems.push(Diagnostic::bare(format!("task \"{name}\": \"{param}\" is given twice")));
        }
    }
    for (param, default) in &task.params {
        if arguments.given.contains_key(param) {
            continue;
        }
        match default {
            Some(default) => {
                arguments.defaults.insert(param.clone(), default.clone());
            }
            None if extra.contains_key(param) => {}
            None => problems.push(
                Diagnostic::at(&task.position, format!("task \"{name}\" needs a value for \"{param}\""))
                    .help(match asked_at {
                        None => format!("fan run {name}:{param}=VALUE"),
                        Some(at) => {
                            format!("write \"{name}:{param}=VALUE\" at {at}, or give -e {param}=VALUE")
                        }
                    }),
            ),
        }
    }
    arguments
}

/// Gives the variables of `-e` their types: that of the parameters of this name in the tasks that run, also because they are
/// called; then that of the variable that it takes the place of, when it can be that; by their look otherwise.
pub(super) fn type_extra(
    request: &mut Request,
    called: &[&Task],
    file: &TaskFile,
    problems: &mut Vec<Diagnostic>,
) {
    let tasks = reached(called, file);
    for (name, given) in &request.extra_given {
        let secret = request.secrets.named().contains(name);
        let takers = tasks.iter().copied().filter(|task| task.params.contains_key(name));
        let value = if takers.clone().next().is_some() {
            of_parameter(name, given, secret, takers, file, problems)
        } else {
            let variable = tasks.iter().find_map(|task| task.vars.get(name)).or_else(|| file.vars.get(name));
            variable.and_then(|value| of_variable(file, value).fit(given))
        };
        if let Some(value) = value {
            request.extra_vars.insert(name.clone(), value);
        }
    }
}

/// These tasks and all that they call, each once.
fn reached<'t>(called: &[&'t Task], file: &'t TaskFile) -> Vec<&'t Task> {
    let mut found: Vec<&Task> = Vec::new();
    let mut next = called.to_vec();
    while let Some(task) = next.pop() {
        if found.iter().all(|other| other.name != task.name) {
            next.extend(task.calls().into_iter().filter_map(|include| file.tasks.get(&include.task.value)));
            found.push(task);
        }
    }
    found.sort_by_key(|task| file.tasks.get_index_of(&*task.name));
    found
}

fn of_variable(file: &TaskFile, value: &Value) -> WantedType {
    if value.is_null() {
        WantedType::Any
    } else {
        WantedType::of(Some(value), &|name| file.vars.get(name).cloned())
    }
}

/// The value of a parameter that several tasks may have. A default decides; a parameter that has none takes any type.
fn of_parameter<'t>(
    name: &str,
    given: &Given,
    secret: bool,
    tasks: impl Iterator<Item = &'t Task>,
    file: &TaskFile,
    problems: &mut Vec<Diagnostic>,
) -> Option<Value> {
    let mut decided: Option<(&Task, WantedType, Option<&Value>)> = None;
    for task in tasks {
        let default = task.params.get(name).and_then(Option::as_ref).filter(|default| !default.is_null());
        let wants = wanted(task, file, default);
        // Only a default of one type decides.
        let decides = default.is_some() && wants != WantedType::Any;
        match decided {
            Some((other, already, Some(_))) if already != WantedType::Any => {
                if decides && wants != already {
                    let (one, two) = (already.words(), wants.words());
                    let message = format!(
                        "-e {name}=…: task \"{}\" needs {one}, and task \"{}\" {two}",
                        other.name, task.name
                    );
                    let help = format!("give it to each: fan run {}:{name}=VALUE", other.name);
                    problems.push(Diagnostic::bare(message).help(help));
                    return None;
                }
            }
            Some(_) if !decides => {}
            Some(_) | None => decided = Some((task, wants, default)),
        }
    }
    let (task, wanted, default) = decided?;
    let value = wanted.fit(given);
    if value.is_none() {
        let shown = shown("-e gave", given, secret);
        let message = format!("task \"{}\" needs {}{shown}", task.name, needs(name, wanted, default));
        problems.push(Diagnostic::at(&task.position, message));
    }
    value
}

fn wanted(task: &Task, file: &TaskFile, default: Option<&Value>) -> WantedType {
    let variable = |name: &str| {
        task.vars
            .get(name)
            .or_else(|| task.params.get(name).and_then(Option::as_ref))
            .or_else(|| file.vars.get(name))
            .cloned()
    };
    WantedType::of(default, &variable)
}

fn needs(param: &str, wanted: WantedType, default: Option<&Value>) -> String {
    let why = default.map(|default| format!(" (its default is {default})")).unwrap_or_default();
    format!("{} for \"{param}\"{why}", wanted.words())
}

fn shown(how: &str, given: &Given, secret: bool) -> String {
    let said = given.text.clone().unwrap_or_else(|| given.value.to_string());
    if secret { String::new() } else { format!("; {how} {said:?}") }
}
