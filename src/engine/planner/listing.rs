//! Which tasks a run has, in which order, and on which hosts.

use std::collections::HashSet;

use crate::engine::planner::request::{Bounds, TaskCall};
use crate::engine::planner::types::{self, Arguments};
use crate::model::inventory::Inventory;
use crate::model::position::{Diagnostic, Located};
use crate::model::shard::Shard;
use crate::model::suggest::did_you_mean;
use crate::model::target;
use crate::model::task::{Task, TaskFile};
use crate::model::template::Layer;
use crate::model::value::Vars;

/// A task in the order of the run.
pub(super) struct Listed<'a> {
    pub(super) task: &'a Task,
    pub(super) arguments: Arguments,
    /// Indices into the inventory's hosts.
    pub(super) targets: Vec<usize>,
}

/// Puts the called tasks, and those that must run before them, in order.
pub(super) struct TaskList<'a, 'i> {
    pub(super) inventory: &'i mut Inventory,
    pub(super) selected: Option<&'a [usize]>,
    pub(super) bounds: &'a Bounds,
    pub(super) shard: Option<Shard>,
    pub(super) file: &'a TaskFile,
    /// Which host does a `run_once` task is decided later.
    pub(super) all_may_do: bool,
    /// Values that no message shows.
    pub(super) secrets: Layer,
    pub(super) seen: HashSet<&'a str>,
    pub(super) tasks: Vec<Listed<'a>>,
    pub(super) problems: Vec<Diagnostic>,
}

impl<'a> TaskList<'a, '_> {
    pub(super) fn call(&mut self, call: &TaskCall, extra: &Vars) {
        let file = self.file;
        let Some(task) = file.tasks.get(&call.task) else {
            self.problems.push(unknown_task(&call.task, file));
            return;
        };
        let arguments = self.bind(task, call, extra);
        let targets = self.targets(task).unwrap_or_else(|| {
            let message = format!("task \"{}\" names no hosts", task.name);
            let problem = Diagnostic::at(&task.position, message);
            self.problems.push(problem.help("add -R ROLE or -H HOSTS, or give the task `roles:`"));
            Vec::new()
        });
        if task.private {
            let problem = Diagnostic::at(&task.position, format!("task \"{}\" is private", task.name));
            self.problems.push(problem.help("only other tasks can call it"));
        }
        self.others(&task.before, &targets, extra);
        self.seen.insert(&task.name);
        self.list(task, arguments, &targets);
        self.others(&task.after, &targets, extra);
    }

    /// Lists what a task wants before or after itself, each once in a run. The tasks file has been checked for
    /// cycles.
    fn others(&mut self, names: &'a [Located<String>], targets: &[usize], extra: &Vars) {
        let file = self.file;
        for name in names {
            let Some(other) = file.tasks.get(&name.value) else { continue };
            if !self.seen.insert(&other.name) {
                continue;
            }
            let own = self.targets(other).unwrap_or_else(|| targets.to_vec());
            self.others(&other.before, &own, extra);
            let arguments = self.bind(other, &TaskCall::bare(&other.name), extra);
            self.list(other, arguments, &own);
            self.others(&other.after, &own, extra);
        }
    }

    /// Binds a call's arguments to the task's parameters, as a function call does.
    fn bind(&mut self, task: &Task, call: &TaskCall, extra: &Vars) -> Arguments {
        types::bind(
            types::Binding { task, call, extra, file: self.file, secrets: &self.secrets },
            &mut self.problems,
        )
    }

    fn list(&mut self, task: &'a Task, arguments: Arguments, targets: &[usize]) {
        let targets = self.doers(task, targets);
        self.tasks.push(Listed { task, arguments, targets });
    }

    /// The hosts that do a task: its first one, when one is enough. That is the first of all, which is in one slice only.
    fn doers(&mut self, task: &Task, targets: &[usize]) -> Vec<usize> {
        if task.run_once && self.all_may_do && self.shard.is_some() {
            let message = "with --where, only its own slice knows which host runs a `run_once` task";
            self.problems.push(
                Diagnostic::at(&task.position, message).help("run it without --shard, or without --where"),
            );
        }
        let count = if task.run_once && !self.all_may_do { 1 } else { targets.len() };
        let hosts = &self.inventory.hosts;
        let is_meant = |&at: &usize| {
            let host = hosts.get(at).map(|host| host.name.as_str());
            self.shard.is_none_or(|shard| host.is_some_and(|host| shard.has(host)))
        };
        let doers: Vec<usize> = targets.iter().copied().take(count).filter(is_meant).collect();
        let Some(only) = &self.bounds.only else { return doers };
        let is_left = |&at: &usize| hosts.get(at).is_some_and(|host| only.contains(&host.name));
        let left: Vec<usize> = doers.iter().copied().filter(is_left).collect();
        // What is done for all is done again, whoever is left.
        if task.run_once && left.is_empty() { doers } else { left }
    }

    /// The hosts of a task: the command line's, else its own; `None` when neither names any.
    fn targets(&mut self, task: &Task) -> Option<Vec<usize>> {
        if let Some(selected) = self.selected {
            return Some(selected.to_vec());
        }
        if task.roles.is_empty() && task.hosts.is_empty() {
            return None;
        }
        let roles: Vec<String> = task.roles.iter().map(|role| format!("@{}", role.value)).collect();
        let include: Vec<&str> = roles
            .iter()
            .map(String::as_str)
            .chain(task.hosts.iter().map(|hosts| hosts.value.as_str()))
            .collect();
        let exclude: Vec<&str> = task
            .exclude
            .iter()
            .map(|hosts| hosts.value.as_str())
            .chain(self.bounds.exclude.iter().map(String::as_str))
            .collect();
        match target::select(self.inventory, &include, &exclude) {
            Ok(targets) => Some(targets),
            Err(errors) => {
                for error in errors {
                    let mut problem = Diagnostic::at(&task.position, error.message);
                    problem.help = error.help;
                    self.problems.push(problem);
                }
                Some(Vec::new())
            }
        }
    }
}

fn unknown_task(name: &str, file: &TaskFile) -> Diagnostic {
    let problem = Diagnostic::bare(format!("no task \"{name}\" in {}", file.file));
    match did_you_mean(name, file.tasks.keys().map(String::as_str)) {
        Some(near) => problem.help(format!("did you mean \"{near}\"?")),
        None => problem.help("`fan list` shows the tasks"),
    }
}
