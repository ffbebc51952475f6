//! What tasks say of each other: names that must exist, arguments that must fit, and no task that waits for, or
//! calls, itself.

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::config::fields::quote;
use crate::config::findings::Findings;
use crate::model::given::{Given, WantedType};
use crate::model::position::{Diagnostic, Located};
use crate::model::suggest::did_you_mean;
use crate::model::task::{Include, Task, Template};
use crate::model::value::{Value, type_name};

type Tasks = IndexMap<String, Task>;

/// Notes what does not fit.
pub(super) fn check(tasks: &Tasks, findings: &mut Findings) {
    for task in tasks.values() {
        for other in task.before.iter().chain(&task.after) {
            exists(tasks, other, findings);
        }
        for include in task.calls() {
            if let Some(called) = exists(tasks, &include.task, findings) {
                arguments(called, include, findings);
                lock(task, called, include, findings);
            }
        }
    }
    no_circle(tasks, "task cycle", |task| task.before.iter().collect(), findings);
    let called = |task| Task::calls(task).into_iter().map(|include| &include.task).collect();
    no_circle(tasks, "tasks that call each other", called, findings);
}

fn exists<'t>(tasks: &'t Tasks, name: &Located<String>, findings: &mut Findings) -> Option<&'t Task> {
    let found = tasks.get(&name.value);
    if found.is_none() {
        let names = tasks.keys().map(String::as_str);
        let message = match did_you_mean(&name.value, names) {
            Some(meant) => format!("unknown task {}; did you mean \"{meant}\"?", quote(&name.value)),
            None => format!("unknown task {}", quote(&name.value)),
        };
        findings.error(&name.position, message);
    }
    found
}

/// A call gives the parameters that the task has, and all that it needs.
fn arguments(task: &Task, include: &Include, findings: &mut Findings) {
    let at = &include.task.position;
    for name in include.args.keys().filter(|name| !task.params.contains_key(*name)) {
        let error =
            Diagnostic::at(at, format!("task {} has no parameter {}", quote(&task.name), quote(name)));
        findings.push(match did_you_mean(name, task.params.keys().map(String::as_str)) {
            Some(near) => error.help(format!("did you mean \"{near}\"?")),
            None => error.help("name it under `params:` of the task"),
        });
    }
    for (name, template) in &include.args {
        let literal = match template {
            Template::Literal(value) if !value.is_null() => value.clone(),
            Template::Text(text) if !text.value.contains('{') => Value::from(&*text.value),
            Template::Literal(_) | Template::Text(_) | Template::List(_) | Template::Map(_) => continue,
        };
        let Some(default) = task.params.get(name) else { continue };
        let wanted = WantedType::of(default.as_ref(), &|_| None);
        let found = type_name(&literal);
        if wanted.fit(&Given::from(literal)).is_none() {
            let (task, name, wanted) = (quote(&task.name), quote(name), wanted.words());
            findings.error(at, format!("task {task} needs {wanted} for {name}, found {found}"));
        }
    }
    for (name, default) in &task.params {
        if default.is_none() && !include.args.contains_key(name) {
            let message = format!("task {} needs a value for {}", quote(&task.name), quote(name));
            findings.error_help(at, message, format!("write \"with: {{{name}: VALUE}}\""));
        }
    }
}

/// A lock is held for a whole task: that of a called one would do nothing.
fn lock(task: &Task, called: &Task, include: &Include, findings: &mut Findings) {
    if called.lock.is_some() && task.lock.is_none() {
        let message = format!("the lock of task {} has no effect when it is called", quote(&called.name));
        let help = format!("give task {} a lock", quote(&task.name));
        findings.error_help(&include.task.position, message, help);
    }
}

/// Where the search for circles is with a task.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OrderVisit {
    /// On the way from the task at which the search began.
    Open,
    /// Everything that it leads to was looked at.
    Done,
}

/// Notes circles. Without recursion: a file may name a chain of thousands of tasks.
fn no_circle<'t>(
    tasks: &'t Tasks,
    what: &str,
    edges_of: impl Fn(&'t Task) -> Vec<&'t Located<String>>,
    findings: &mut Findings,
) {
    let mut visits: HashMap<&str, OrderVisit> = HashMap::new();
    for start in tasks.values() {
        if visits.contains_key(&*start.name) {
            continue;
        }
        visits.insert(&start.name, OrderVisit::Open);
        let mut path: Vec<(&str, Vec<&Located<String>>, usize)> = vec![(&start.name, edges_of(start), 0)];
        while let Some((name, edges, next)) = path.last_mut() {
            let Some(&edge) = edges.get(*next) else {
                visits.insert(name, OrderVisit::Done);
                path.pop();
                continue;
            };
            *next += 1;
            match visits.get(edge.value.as_str()) {
                Some(OrderVisit::Done) => {}
                Some(OrderVisit::Open) => {
                    let names = path.iter().map(|(name, ..)| *name);
                    let round: Vec<&str> =
                        names.skip_while(|&name| name != edge.value).chain([edge.value.as_str()]).collect();
                    findings.error(&edge.position, format!("{what}: {}", round.join(" -> ")));
                }
                None => {
                    if let Some(known) = tasks.get(&edge.value) {
                        visits.insert(&known.name, OrderVisit::Open);
                        path.push((&known.name, edges_of(known), 0));
                    }
                }
            }
        }
    }
}
