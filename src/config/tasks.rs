//! `tasks.yaml` into `model::task`: tasks with their defaults.

use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::config::compose::compose;
use crate::config::fields::{Schema, expected, flag, has_template, map, quote, text, texts, time_limit};
use crate::config::findings::Findings;
use crate::config::included::{IncludedFiles, included};
use crate::config::inventory::{patterns, roles};
use crate::config::steps::{becoming, control, one_step, steps};
use crate::config::tables::tasks as tables;
use crate::config::templates::checked;
use crate::config::vars::{Braces, value, vars};
use crate::config::yaml::{Node, YamlEntry};
use crate::config::{call, lock, rollout, secret};
use crate::model::call::NeededTask;
use crate::model::name::{check_task_name, check_variable_name};
use crate::model::position::Diagnostic;
use crate::model::secret::SecretSources;
use crate::model::task::{Step, Task, TaskFile};
use crate::model::template::Syntax;
use crate::model::value::{Value, Vars};

pub(super) const FILE: Schema = Schema { known: &[tables::FILE], synonyms: &[] };
pub(super) const TASK: Schema = Schema {
    known: &[tables::TASK],
    synonyms: &[
        ("description", "desc"),
        ("name", "desc"),
        ("targets", "hosts"),
        ("needs", "before"),
        ("depends", "before"),
        ("args", "params"),
        ("parameters", "params"),
        ("max_fail_percentage", "max_fail"),
        ("batch", "serial"),
        ("batches", "serial"),
        ("hidden", "private"),
        ("finally", "always"),
        ("become", "sudo"),
        ("become_user", "user"),
    ],
};

/// What one file says.
#[derive(Debug)]
pub(super) struct ParsedTasks {
    /// Its own tasks, variables and secrets.
    pub(super) tasks: TaskFile,
    /// The files that belong to it.
    pub(super) includes: Vec<IncludedFiles>,
}

/// Reads one file, and none that it includes.
pub(super) fn parse(file: Arc<str>, text: &str, findings: &mut Findings) -> ParsedTasks {
    let root = compose(&file, text, findings);
    let mut includes = Vec::new();
    let mut tasks = TaskFile {
        file: Arc::clone(&file),
        included: Vec::new(),
        vars: Vars::new(),
        secrets: SecretSources::new(),
        tasks: IndexMap::new(),
    };
    let mut secrets = None;
    let entries = root.as_ref().map_or(&[][..], |root| map(root, "a map with \"tasks\"", "key", findings));
    for entry in entries {
        match &*entry.key.text {
            "include" => includes = included(&entry.value, findings),
            "vars" => tasks.vars = vars(&entry.value, Braces::Template, findings),
            "secrets" => secrets = Some(&entry.value),
            "tasks" => {
                for entry in map(&entry.value, "a map of tasks", "task", findings) {
                    let task = task(entry, findings);
                    tasks.tasks.insert(entry.key.text.to_string(), task);
                }
            }
            _ => FILE.refuse(&entry.key, findings),
        }
    }
    // Last, wherever they stand: their names are compared with those of the variables.
    if let Some(node) = secrets {
        let base = Path::new(&*file).parent().unwrap_or(Path::new(""));
        tasks.secrets = secret::secrets(node, base, &tasks.vars, findings);
    }
    ParsedTasks { tasks, includes }
}

fn task(entry: &YamlEntry, findings: &mut Findings) -> Task {
    let key = &entry.key;
    if let Err(message) = check_task_name(&key.text) {
        findings.error(&key.position, message);
    }
    let mut task = Task { position: key.position.clone(), ..Task::bare(&key.text, Vec::new()) };
    let mut has_steps = true;
    match &entry.value {
        Node::Map(_) => {
            has_steps = false;
            task.run_as = becoming::of_task(entry, findings);
            for field in map(&entry.value, "a task", "field", findings) {
                // A field that is refused may be the one that was to hold them.
                let refused = !field_of(&mut task, field, findings);
                has_steps |= refused
                    || (matches!(&*field.key.text, "steps" | "before" | "after") && !is_empty(&field.value));
            }
        }
        Node::List(_) => task.steps = steps(&entry.value, &whose(&task), findings),
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
fn field_of(task: &mut Task, field: &YamlEntry, findings: &mut Findings) -> bool {
    let (name, node) = (&*field.key.text, &field.value);
    match name {
        "desc" => task.desc = text(node, name, findings).map(|text| text.text.trim().to_owned()),
        "params" => task.params = params(node, findings),
        "roles" => task.roles = roles(node, findings),
        "hosts" => task.hosts = patterns(node, findings),
        "exclude" => task.exclude = patterns(node, findings),
        "vars" => task.vars = vars(node, Braces::Template, findings),
        "before" => task.before = others(node, name, findings),
        "after" => task.after = others(node, name, findings),
        "steps" => task.steps = steps(node, &whose(task), findings),
        "rescue" => task.rescue = steps(node, &format!("\"rescue\" of {}", whose(task)), findings),
        "always" => task.always = steps(node, &format!("\"always\" of {}", whose(task)), findings),
        "handlers" => task.handlers = handlers(node, findings),
        "serial" => task.rollout.serial = rollout::serial(node, findings),
        "max_fail" => task.rollout.max_fail = rollout::max_fail(node, findings),
        "strategy" => task.rollout.strategy = rollout::strategy(node, findings),
        "run_once" => task.run_once = flag(node, name, findings).unwrap_or_default(),
        "lock" => task.lock = lock::lock(node, findings),
        // Read by `run_as`, which looks at both.
        "sudo" | "user" => {}
        "durable" => task.durable = control::durable(node, findings),
        "private" => task.private = flag(node, name, findings).unwrap_or_default(),
        "timeout" => task.timeout = time_limit(node, name, findings),
        _ => {
            TASK.refuse(&field.key, findings);
            return false;
        }
    }
    true
}

fn whose(task: &Task) -> String {
    format!("task {}", quote(&task.name))
}

/// Other tasks, with arguments as on the command line.
fn others(node: &Node, field: &str, findings: &mut Findings) -> Vec<NeededTask> {
    let mut needed = Vec::new();
    for text in texts(node, field, "a list of tasks", findings) {
        if has_template(&text.text) {
            checked(text, Syntax::Text, findings);
        }
        match call::parse(&text.text, Braces::Template) {
            Ok(call) => {
                let (written, position) = (Arc::clone(&text.text), text.start.clone());
                needed.push(NeededTask { call, written, position });
            }
            Err(problem) => {
                findings
                    .push(Diagnostic { help: problem.help, ..Diagnostic::at(&text.start, problem.message) });
            }
        }
    }
    needed
}

/// Handlers: names, each with a step or a list of them.
fn handlers(node: &Node, findings: &mut Findings) -> IndexMap<String, Vec<Step>> {
    let mut handlers = IndexMap::new();
    for entry in map(node, "a map of handlers", "handler", findings) {
        let whose = format!("handler {}", quote(&entry.key.text));
        let own = match &entry.value {
            Node::List(_) => steps(&entry.value, &whose, findings),
            single => one_step(single, &whose, findings).into_iter().collect(),
        };
        handlers.insert(entry.key.text.to_string(), own);
    }
    handlers
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
