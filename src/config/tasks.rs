//! `tasks.yaml` into `model::task`: tasks with their defaults, and the order that `before` asks for.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::config::compose::compose;
use crate::config::fields::{Schema, expected, map, quote, text, texts, time_limit};
use crate::config::findings::{Diagnostics, Findings, Loaded};
use crate::config::inventory::{patterns, roles};
use crate::config::source;
use crate::config::steps::steps;
use crate::config::vars::{Braces, value, vars};
use crate::config::yaml::{Entry, Node};
use crate::model::name::{check_task_name, check_variable_name};
use crate::model::position::{Diagnostic, Located};
use crate::model::suggest::did_you_mean;
use crate::model::task::{Task, TaskFile};
use crate::model::value::{Value, Vars};

const FILE: Schema = Schema { known: &[&["vars", "tasks"]], later: &["secrets"], synonyms: &[] };
const TASK: Schema = Schema {
    known: &[&["desc", "params", "roles", "hosts", "exclude", "vars", "before", "steps", "timeout"]],
    later: &[
        "after", "serial", "max_fail", "strategy", "run_once", "lock", "handlers", "rescue", "always",
        "private",
    ],
    synonyms: &[
        ("description", "desc"),
        ("name", "desc"),
        ("targets", "hosts"),
        ("needs", "before"),
        ("depends", "before"),
        ("args", "params"),
        ("parameters", "params"),
    ],
};

/// Reads a tasks file.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn load_tasks(path: &Path) -> Result<Loaded<TaskFile>, Diagnostics> {
    let source = source::read(path)?;
    read(source.name, &source.text)
}

/// Reads tasks from text; `name` stands for the file in messages.
///
/// # Errors
/// Everything that is wrong with the text.
pub fn load_tasks_text(name: &str, text: &str) -> Result<Loaded<TaskFile>, Diagnostics> {
    read(Arc::from(name), text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn read(file: Arc<str>, text: &str) -> Result<Loaded<TaskFile>, Diagnostics> {
    let mut findings = Findings::default();
    let root = compose(&file, text, &mut findings);
    if root.is_none() && findings.any() {
        return Err(findings.take_errors());
    }
    let mut tasks = TaskFile { file: Arc::clone(&file), vars: Vars::new(), tasks: IndexMap::new() };
    let entries =
        root.as_ref().map_or(&[][..], |root| map(root, "a map with \"tasks\"", "key", &mut findings));
    for entry in entries {
        match &*entry.key.text {
            "vars" => tasks.vars = vars(&entry.value, Braces::Template, &mut findings),
            "tasks" => {
                for entry in map(&entry.value, "a map of tasks", "task", &mut findings) {
                    let task = task(entry, &mut findings);
                    tasks.tasks.insert(entry.key.text.to_string(), task);
                }
            }
            _ => FILE.refuse(&entry.key, &mut findings),
        }
    }
    if tasks.tasks.is_empty() && !findings.any() {
        findings.push(
            Diagnostic::bare(format!("{file}: no tasks defined"))
                .help("name them below \"tasks:\", for example \"  uptime: [run: uptime]\""),
        );
    }
    check_order(&tasks.tasks, &mut findings);
    findings.finish(tasks)
}

fn task(entry: &Entry, findings: &mut Findings) -> Task {
    let key = &entry.key;
    if let Err(message) = check_task_name(&key.text) {
        findings.error(&key.position, message);
    }
    let mut task = Task {
        name: Arc::clone(&key.text),
        desc: None,
        params: IndexMap::new(),
        roles: Vec::new(),
        hosts: Vec::new(),
        exclude: Vec::new(),
        vars: Vars::new(),
        before: Vec::new(),
        steps: Vec::new(),
        timeout: None,
        position: key.position.clone(),
    };
    let mut has_steps = true;
    match &entry.value {
        Node::Map(_) => {
            has_steps = false;
            for field in map(&entry.value, "a task", "field", findings) {
                // A field that is refused may be the one that was to hold them.
                let refused = !field_of(&mut task, field, findings);
                has_steps |=
                    refused || (matches!(&*field.key.text, "steps" | "before") && !is_empty(&field.value));
            }
        }
        Node::List(_) => task.steps = steps(&entry.value, &task.name, findings),
        Node::Scalar(scalar) if !scalar.is_null() => {
            let help = format!("write \"- run: {}\" on the line below", first_line(&scalar.text));
            expected(&entry.value, "a list of steps", Some(help), findings);
        }
        Node::Scalar(_) => has_steps = false,
        Node::Broken(_) => {}
    }
    if !has_steps {
        findings.error(&key.position, format!("task {} has no steps", quote(&key.text)));
    }
    task
}

fn is_empty(node: &Node) -> bool {
    match node {
        Node::List(list) => list.items.is_empty(),
        Node::Scalar(scalar) => scalar.is_null(),
        // Of another shape, which is an error of its own.
        Node::Map(_) | Node::Broken(_) => false,
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Reads a field of a task; says whether there is such a field.
fn field_of(task: &mut Task, field: &Entry, findings: &mut Findings) -> bool {
    let (name, node) = (&*field.key.text, &field.value);
    match name {
        "desc" => task.desc = text(node, name, findings).map(|text| text.text.trim().to_owned()),
        "params" => task.params = params(node, findings),
        "roles" => task.roles = roles(node, findings),
        "hosts" => task.hosts = patterns(node, findings),
        "exclude" => task.exclude = patterns(node, findings),
        "vars" => task.vars = vars(node, Braces::Template, findings),
        "before" => {
            let names = texts(node, name, "a list of tasks", findings);
            task.before = names
                .into_iter()
                .map(|text| Located::new(text.text.to_string(), text.start.clone()))
                .collect();
        }
        "steps" => task.steps = steps(node, &task.name, findings),
        "timeout" => task.timeout = time_limit(node, name, findings),
        _ => {
            TASK.refuse(&field.key, findings);
            return false;
        }
    }
    true
}

/// Parameters with their defaults; null means that there is none.
fn params(node: &Node, findings: &mut Findings) -> IndexMap<String, Option<Value>> {
    let mut params = IndexMap::new();
    if let Node::List(_) = node {
        let help = "write \"name: default\" for each, and \"name: null\" when it must be given";
        expected(node, "a map of parameters", Some(help.to_owned()), findings);
        return params;
    }
    for entry in map(node, "a map of parameters", "parameter", findings) {
        if let Err(message) = check_variable_name(&entry.key.text) {
            findings.error(&entry.key.position, message);
        }
        let default =
            if entry.value.is_null() { None } else { Some(value(&entry.value, Braces::Template, findings)) };
        params.insert(entry.key.text.to_string(), default);
    }
    params
}

/// Where the search for cycles is with a task.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    /// On the way from the task at which the search began.
    Open,
    /// Everything before it was looked at.
    Done,
}

/// Notes tasks in `before` that do not exist, and cycles.
///
/// Without recursion: a file may name a chain of thousands of tasks.
fn check_order(tasks: &IndexMap<String, Task>, findings: &mut Findings) {
    let mut visits: HashMap<&str, Visit> = HashMap::new();
    for start in tasks.keys() {
        if visits.contains_key(start.as_str()) {
            continue;
        }
        visits.insert(start, Visit::Open);
        let mut path: Vec<(&str, usize)> = vec![(start, 0)];
        while let Some((name, next)) = path.last_mut() {
            let before = tasks.get(*name).map_or(&[][..], |task| &task.before);
            let Some(edge) = before.get(*next) else {
                visits.insert(name, Visit::Done);
                path.pop();
                continue;
            };
            *next += 1;
            match visits.get(edge.value.as_str()) {
                Some(Visit::Done) => {}
                Some(Visit::Open) => {
                    let round = path.iter().map(|&(name, _)| name).skip_while(|&name| name != edge.value);
                    let round: Vec<&str> = round.chain([edge.value.as_str()]).collect();
                    findings.error(&edge.position, format!("task cycle: {}", round.join(" -> ")));
                }
                None => match tasks.get_key_value(&edge.value) {
                    Some((known, _)) => {
                        visits.insert(known, Visit::Open);
                        path.push((known, 0));
                    }
                    None => unknown_task(tasks, edge, findings),
                },
            }
        }
    }
}

fn unknown_task(tasks: &IndexMap<String, Task>, edge: &Located<String>, findings: &mut Findings) {
    let names = tasks.keys().map(String::as_str);
    let message = match did_you_mean(&edge.value, names) {
        Some(meant) => format!("unknown task {}; did you mean \"{meant}\"?", quote(&edge.value)),
        None => format!("unknown task {}", quote(&edge.value)),
    };
    findings.error(&edge.position, message);
}
