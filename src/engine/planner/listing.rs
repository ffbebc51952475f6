//! Which tasks a run has, in which order, and on which hosts.

use std::sync::Arc;

use crate::engine::planner::arguments::{self, Asker};
use crate::engine::planner::request::Bounds;
use crate::engine::planner::types::{self, Arguments};
use crate::model::call::{NeededTask, TaskCall};
use crate::model::inventory::Inventory;
use crate::model::position::{Diagnostic, Position};
use crate::model::shard::Shard;
use crate::model::suggest::did_you_mean;
use crate::model::target;
use crate::model::task::{Task, TaskFile};
use crate::model::template::{Layer, Templates};
use crate::model::value::Vars;

/// A task in the order of the run.
pub(super) struct Listed<'a> {
    pub(super) task: &'a Task,
    pub(super) arguments: Arguments,
    /// Indices into the inventory's hosts.
    pub(super) targets: Vec<usize>,
}

/// A call that the run has.
pub(super) struct SeenCall<'a> {
    task: &'a Arc<str>,
    given: Vars,
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
    pub(super) templates: Arc<Templates>,
    pub(super) seen: Vec<SeenCall<'a>>,
    /// The tasks that want each other, down to the one that is looked at.
    pub(super) path: Vec<&'a str>,
    pub(super) tasks: Vec<Listed<'a>>,
    /// Called tasks without steps and hosts.
    pub(super) names_only: Vec<&'a Task>,
    pub(super) problems: Vec<Diagnostic>,
}

impl<'a> TaskList<'a, '_> {
    pub(super) fn call(&mut self, call: &TaskCall, extra: &Vars) {
        let file = self.file;
        let Some(task) = file.tasks.get(&call.task) else {
            self.problems.push(unknown_task(&call.task, file));
            return;
        };
        let arguments = self.bind(task, call, extra, None);
        let targets = self.targets(task).or_else(|| self.default_targets(task));
        if task.private {
            let problem = Diagnostic::at(&task.position, format!("task \"{}\" is private", task.name));
            self.problems.push(problem.help("only other tasks can call it"));
        }
        self.path = vec![&*task.name];
        self.others(&task.before, Asker { task, arguments: &arguments }, targets.as_deref(), extra);
        self.seen.push(SeenCall { task: &task.name, given: arguments.given.clone() });
        let asker = arguments.clone();
        self.list(task, arguments, targets.as_deref());
        self.others(&task.after, Asker { task, arguments: &asker }, targets.as_deref(), extra);
    }

    /// Lists what a task wants before or after itself, each call once in a run. The tasks file has been checked for
    /// cycles.
    fn others(
        &mut self,
        needed: &'a [NeededTask],
        asker: Asker<'_>,
        targets: Option<&[usize]>,
        extra: &Vars,
    ) {
        let file = self.file;
        for needed in needed {
            let Some(other) = file.tasks.get(&needed.call.task) else { continue };
            let done: Vec<&SeenCall<'_>> = self.seen.iter().filter(|seen| seen.task == &other.name).collect();
            if !needed.call.has_arguments() && !done.is_empty() {
                continue;
            }
            if needed.call.has_arguments() && self.path.contains(&&*other.name) {
                // Other arguments each time would make other calls without end.
                let round: Vec<&str> = self.path.iter().copied().chain([&*other.name]).collect();
                let message = format!("task cycle: {}", round.join(" -> "));
                self.problems.push(Diagnostic::at(&needed.position, message));
                continue;
            }
            let call = match arguments::filled(&self.templates, file, needed, asker, extra) {
                Ok(call) => call,
                Err(problem) => {
                    self.problems.push(problem);
                    continue;
                }
            };
            let arguments = self.bind(other, &call, extra, Some(&needed.position));
            if self.seen.iter().any(|seen| seen.task == &other.name && seen.given == arguments.given) {
                continue;
            }
            self.seen.push(SeenCall { task: &other.name, given: arguments.given.clone() });
            let own = self.targets(other).or_else(|| targets.map(<[usize]>::to_vec));
            self.path.push(&other.name);
            self.others(&other.before, Asker { task: other, arguments: &arguments }, own.as_deref(), extra);
            let asker = arguments.clone();
            self.list(other, arguments, own.as_deref());
            self.others(&other.after, Asker { task: other, arguments: &asker }, own.as_deref(), extra);
            self.path.pop();
        }
    }

    /// Binds a call's arguments to the task's parameters, as a function call does.
    fn bind(&mut self, task: &Task, call: &TaskCall, extra: &Vars, asked_at: Option<&Position>) -> Arguments {
        types::bind(
            types::Binding { task, call, extra, file: self.file, secrets: &self.secrets, asked_at },
            &mut self.problems,
        )
    }

    fn list(&mut self, task: &'a Task, arguments: Arguments, targets: Option<&[usize]>) {
        let Some(targets) = targets else {
            if task.has_steps() {
                let message = format!("task \"{}\" names no hosts", task.name);
                let help =
                    "add -R ROLE or -H HOSTS, give the task `roles:`, or the inventory `default_targets:`";
                self.problems.push(Diagnostic::at(&task.position, message).help(help));
            } else {
                // It stands for other tasks, and they have theirs.
                self.names_only.push(task);
            }
            return;
        };
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

    /// The hosts that the inventory names for tasks that name none; `None` when it names none either.
    fn default_targets(&mut self, task: &Task) -> Option<Vec<usize>> {
        let include: Vec<String> =
            self.inventory.default_targets.iter().map(|target| target.value.clone()).collect();
        let include: Vec<&str> = include.iter().map(String::as_str).collect();
        (!include.is_empty()).then(|| self.selected(task, &include))
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
        Some(self.selected(task, &include))
    }

    /// The hosts that expressions mean, less those that the task and the command line leave out.
    fn selected(&mut self, task: &Task, include: &[&str]) -> Vec<usize> {
        let exclude: Vec<&str> = task
            .exclude
            .iter()
            .map(|hosts| hosts.value.as_str())
            .chain(self.bounds.exclude.iter().map(String::as_str))
            .collect();
        match target::select(self.inventory, include, &exclude) {
            Ok(targets) => targets,
            Err(errors) => {
                for error in errors {
                    let mut problem = Diagnostic::at(&task.position, error.message);
                    problem.help = error.help;
                    self.problems.push(problem);
                }
                Vec::new()
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
