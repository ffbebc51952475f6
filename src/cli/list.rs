//! `fan list`: the tasks of a tasks file.

use std::fmt::Write;

use serde_json::json;

use crate::cli::args::{InventoryArgs, TasksFile};
use crate::cli::context;
use crate::cli::error::CliError;
use crate::cli::print::print;
use crate::model::cells;
use crate::model::inventory::Inventory;
use crate::model::outcome::ExitCode;
use crate::model::position::Located;
use crate::model::task::Task;
use crate::model::value::Value;

pub(super) fn run(args: &TasksFile, source: &InventoryArgs, as_json: bool) -> Result<ExitCode, CliError> {
    let file = context::tasks(args.tasks_file.as_deref())?;
    // Only its default targets are shown: what is wrong with it is told where it is used.
    let inventory = context::inventory(source).unwrap_or_else(|_| Inventory::empty());
    let text = if as_json {
        let tasks: Vec<Value> = file.tasks.values().map(|task| describe(task, &inventory)).collect();
        format!("{:#}\n", Value::Array(tasks))
    } else {
        table(file.tasks.values().filter(|task| !task.private), &inventory)
    };
    print(&text)?;
    Ok(ExitCode::Ok)
}

/// The default targets of the inventory, for a task that is done on them unless others are named.
fn defaults<'i>(task: &Task, inventory: &'i Inventory) -> impl Iterator<Item = &'i Located<String>> {
    let own = !task.roles.is_empty() || !task.hosts.is_empty() || !task.has_steps();
    inventory.default_targets.iter().filter(move |_| !own)
}

fn describe(task: &Task, inventory: &Inventory) -> Value {
    let params = task.params.iter().map(|(name, default)| match default {
        Some(default) => json!({"name": name, "required": false, "default": default}),
        None => json!({"name": name, "required": true}),
    });
    json!({
        "name": task.name,
        "desc": task.desc,
        "params": params.collect::<Vec<_>>(),
        "roles": task.roles.iter().map(|role| role.value.as_str()).collect::<Vec<_>>(),
        "hosts": task.hosts.iter().map(|hosts| hosts.value.as_str()).collect::<Vec<_>>(),
        "default_targets": defaults(task, inventory).map(|target| target.value.as_str()).collect::<Vec<_>>(),
        "before": task.before.iter().map(|needed| &*needed.written).collect::<Vec<_>>(),
        "private": task.private,
        "steps": task.steps.len(),
        "file": task.position.file,
        "line": task.position.line,
    })
}

fn table<'a>(tasks: impl Iterator<Item = &'a Task>, inventory: &Inventory) -> String {
    let rows: Vec<(String, &Task)> = tasks.map(|task| (signature(task), task)).collect();
    let width = rows.iter().map(|(signature, _)| cells::width(signature)).max().unwrap_or(0);
    let mut text = String::new();
    for (signature, task) in rows {
        let mut targets: Vec<String> = task.roles.iter().map(|role| format!("@{}", role.value)).collect();
        targets.extend(task.hosts.iter().map(|hosts| hosts.value.clone()));
        let desc = task.desc.as_deref().unwrap_or_default();
        let by_default: Vec<&Located<String>> = defaults(task, inventory).collect();
        let on = match by_default.first() {
            Some(first) => {
                let targets: Vec<&str> = by_default.iter().map(|target| target.value.as_str()).collect();
                let at = &first.position;
                format!("  [{}, by {}:{}]", targets.join(","), at.file, at.line)
            }
            None if targets.is_empty() => String::new(),
            None => format!("  [{}]", targets.join(",")),
        };
        let line = format!("{}  {desc}{on}", cells::pad(&signature, width));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// `deploy:version,force=false`: what to type, with the defaults.
fn signature(task: &Task) -> String {
    let params: Vec<String> = task
        .params
        .iter()
        .map(|(name, default)| match default {
            None => name.clone(),
            Some(Value::String(text)) => format!("{name}={text}"),
            Some(value) => format!("{name}={value}"),
        })
        .collect();
    if params.is_empty() { task.name.to_string() } else { format!("{}:{}", task.name, params.join(",")) }
}
