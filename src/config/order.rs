//! What tasks say of each other: names that must exist, arguments that must fit, and no task that waits for, or
//! calls, itself.

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::config::fields::{has_template, quote};
use crate::config::findings::Findings;
use crate::model::call::NeededTask;
use crate::model::count::counted;
use crate::model::given::{Given, WantedType};
use crate::model::position::{Diagnostic, Located, Position};
use crate::model::suggest::did_you_mean;
use crate::model::task::{Include, Task, Template};
use crate::model::value::{Value, type_name};

type Tasks = IndexMap<String, Task>;

/// Notes what does not fit.
pub(super) fn check(tasks: &Tasks, findings: &mut Findings) {
    for task in tasks.values() {
        for other in task.before.iter().chain(&task.after) {
            if let Some(called) = exists(tasks, &other.call.task, &other.position, findings) {
                needed(called, other, findings);
            }
        }
        for include in task.calls() {
            let Located { value: name, position } = &include.task;
            if let Some(called) = exists(tasks, name, position, findings) {
                arguments(called, include, findings);
                lock(task, called, include, findings);
            }
        }
    }
    no_circle(tasks, "task cycle", wanted_before, findings);
    no_circle(tasks, "tasks that call each other", called_by, findings);
}

/// A task that another one names, and where.
type Edge<'t> = (&'t str, &'t Position);

fn wanted_before(task: &Task) -> Vec<Edge<'_>> {
    task.before.iter().map(|needed| (needed.call.task.as_str(), &needed.position)).collect()
}

fn called_by(task: &Task) -> Vec<Edge<'_>> {
    task.calls().into_iter().map(|include| (include.task.value.as_str(), &include.task.position)).collect()
}

fn exists<'t>(tasks: &'t Tasks, name: &str, at: &Position, findings: &mut Findings) -> Option<&'t Task> {
    let found = tasks.get(name);
    if found.is_none() {
        let names = tasks.keys().map(String::as_str);
        let message = match did_you_mean(name, names) {
            Some(meant) => format!("unknown task {}; did you mean \"{meant}\"?", quote(name)),
            None => format!("unknown task {}", quote(name)),
        };
        findings.error(at, message);
    }
    found
}

/// A call gives the parameters that the task has, and all that it needs.
fn arguments(task: &Task, include: &Include, findings: &mut Findings) {
    let at = &include.task.position;
    for name in include.args.keys().filter(|name| !task.params.contains_key(*name)) {
        findings.push(no_parameter(task, name, at));
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

/// A call in `before` or `after` gives parameters that the task has, of the types that they have.
fn needed(task: &Task, needed: &NeededTask, findings: &mut Findings) {
    let (at, call) = (&needed.position, &needed.call);
    if call.positional.len() > task.params.len() {
        let message = format!(
            "task {} takes {}, {} given",
            quote(&task.name),
            counted(task.params.len(), "argument"),
            call.positional.len()
        );
        findings.error(at, message);
    }
    for name in call.named.keys().filter(|name| !task.params.contains_key(*name)) {
        findings.push(no_parameter(task, name, at));
    }
    let by_place = task.params.keys().zip(&call.positional);
    for (name, given) in by_place.chain(&call.named) {
        let Some(default) = task.params.get(name) else { continue };
        let is_template = given.text.as_ref().is_some_and(|text| has_template(text));
        let wanted = WantedType::of(default.as_ref(), &|_| None);
        if !is_template && wanted.fit(given).is_none() {
            let (task, name, wanted) = (quote(&task.name), quote(name), wanted.words());
            findings.error(at, format!("task {task} needs {wanted} for {name}"));
        }
    }
}

fn no_parameter(task: &Task, name: &str, at: &Position) -> Diagnostic {
    let error = Diagnostic::at(at, format!("task {} has no parameter {}", quote(&task.name), quote(name)));
    match did_you_mean(name, task.params.keys().map(String::as_str)) {
        Some(near) => error.help(format!("did you mean \"{near}\"?")),
        None => error.help("name it under `params:` of the task"),
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
    edges_of: impl Fn(&'t Task) -> Vec<Edge<'t>>,
    findings: &mut Findings,
) {
    let mut visits: HashMap<&str, OrderVisit> = HashMap::new();
    for start in tasks.values() {
        if visits.contains_key(&*start.name) {
            continue;
        }
        visits.insert(&start.name, OrderVisit::Open);
        let mut path: Vec<(&str, Vec<Edge<'_>>, usize)> = vec![(&start.name, edges_of(start), 0)];
        while let Some((name, edges, next)) = path.last_mut() {
            let Some(&(wanted, at)) = edges.get(*next) else {
                visits.insert(name, OrderVisit::Done);
                path.pop();
                continue;
            };
            *next += 1;
            match visits.get(wanted) {
                Some(OrderVisit::Done) => {}
                Some(OrderVisit::Open) => {
                    let names = path.iter().map(|(name, ..)| *name);
                    let round: Vec<&str> = names.skip_while(|&name| name != wanted).chain([wanted]).collect();
                    findings.error(at, format!("{what}: {}", round.join(" -> ")));
                }
                None => {
                    if let Some(known) = tasks.get(wanted) {
                        visits.insert(&known.name, OrderVisit::Open);
                        path.push((&known.name, edges_of(known), 0));
                    }
                }
            }
        }
    }
}
