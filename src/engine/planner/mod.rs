//! From what the user wrote to a [`Plan`]: pure, and everything that can be wrong is said in one pass.

mod condition;
mod delegates;
mod gateways;
mod given;
mod host_vars;
mod hosts;
mod locks;
mod narrow;
mod outline;
mod rollout;
mod ssh_config;
mod start;
#[cfg(test)]
mod tests;
mod types;
mod uses;
mod variables;

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

pub(super) use crate::engine::planner::condition::asks;
pub use crate::engine::planner::hosts::Operator;
pub(super) use crate::engine::planner::narrow::narrow;
pub use crate::engine::planner::outline::Picking;
pub use crate::engine::planner::ssh_config::{Consulted, SshConfigSource};
pub(super) use crate::engine::planner::uses::hidden_names;
pub use crate::engine::planner::uses::secrets_used;
pub(super) use crate::engine::planner::variables::{is_shared, name_hosts, suggest};

use indexmap::IndexMap;

use crate::engine::plan::memory::Memory;
use crate::engine::plan::{Changes, Locking, Plan, PlannedHost, PlannedTask, Sizes, TaskHost};
use crate::engine::planner::outline::{Outline, outline};
use crate::engine::planner::start::Start;
use crate::engine::planner::variables::Variables;
use crate::model::given::Given;
use crate::model::inventory::{HostName, Inventory};
use crate::model::position::{Diagnostic, Located};
use crate::model::secret::Secrets;
use crate::model::settings::{Settings, TimeLimit};
use crate::model::shard::Shard;
use crate::model::suggest::did_you_mean;
use crate::model::target;
use crate::model::task::{Action, Command, Share, Step, Task, TaskFile};
use crate::model::template::{Layer, Templates};
use crate::model::value::Vars;

/// Hosts at work at a time unless `-z` says otherwise.
pub const DEFAULT_POOL: usize = 128;

/// A task as called on the command line.
#[derive(Clone, Debug)]
pub struct Call {
    /// The task's name.
    pub task: String,
    /// Arguments by position (`hello:Jeff`).
    pub positional: Vec<Given>,
    /// Arguments by name (`hello:name=Jeff`).
    pub named: IndexMap<String, Given>,
}

impl Call {
    /// A call without arguments.
    pub fn bare(task: &str) -> Self {
        Self { task: task.to_owned(), positional: Vec::new(), named: IndexMap::new() }
    }
}

/// Which hosts take no part, whatever a task names.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// Target expressions of hosts that are left out.
    pub exclude: Vec<String>,
    /// All hosts but these, when a run is taken up again. A task that one host does for all is done all the same.
    pub only: Option<Arc<BTreeSet<HostName>>>,
}

/// What all plans have in common.
#[derive(Debug)]
pub struct Request {
    /// Unique name of the run.
    pub run: Arc<str>,
    /// What runs, for headings.
    pub title: String,
    /// RFC 3339.
    pub started_at: String,
    /// The operator's side.
    pub operator: Operator,
    /// Settings of the command line.
    pub settings: Settings,
    /// Variables of the command line. Those of tasks take the types of the parameters that they stand for.
    pub extra_vars: Vars,
    /// The same as they were given.
    pub extra_given: IndexMap<String, Given>,
    /// Secrets that the files name.
    pub secrets: Secrets,
    /// Renders templates.
    pub templates: Arc<Templates>,
    /// Hosts at work at a time.
    pub pool: usize,
    /// `-w`.
    pub warn_only: bool,
    /// What becomes of changes to files.
    pub changes: Changes,
    /// Which hosts take no part where tasks name their own targets.
    pub bounds: Bounds,
    /// The slice of the hosts that is meant, where it is not all of them.
    pub shard: Option<Shard>,
    /// Which steps are picked.
    pub picking: Picking,
    /// Sizes of the batches instead of the tasks' own.
    pub serial: Vec<Share>,
    /// `--where`.
    pub condition: Option<Arc<str>>,
    /// OpenSSH's client configuration.
    pub ssh_config: SshConfigSource,
}

/// Plans one command on the selected hosts, for the login shell as it is (`fan exec`).
///
/// # Errors
///
/// Gateways that cannot be used.
pub fn command(
    request: Request,
    inventory: &Inventory,
    selected: &[usize],
    line: &str,
) -> Result<Plan, Vec<Diagnostic>> {
    step(request, inventory, selected, Step::bare(Action::Run(Command::Raw(Arc::from(line)))), line)
}

/// Plans one step on the selected hosts, in a task of this title (`fan put`).
///
/// # Errors
///
/// Gateways that cannot be used.
pub fn step(
    mut request: Request,
    inventory: &Inventory,
    selected: &[usize],
    step: Step,
    title: &str,
) -> Result<Plan, Vec<Diagnostic>> {
    let task = Task::bare(title, vec![step]);
    let mut problems = Vec::new();
    let mut drafts = hosts::plan(&request, inventory, selected, &mut problems);
    let hosts: Vec<PlannedHost> = if request.condition.is_some() {
        request.secrets = Secrets::new(inventory.secrets.keys().map(String::as_str), []);
        condition::built_on(&request, &Vars::new(), &mut drafts.hosts, true, &mut problems);
        let (_, hosts) = Variables::new(&request, &Vars::new(), drafts.hosts, &mut problems);
        condition::check(&request, &hosts, &mut problems);
        hosts
    } else {
        drafts.hosts.into_iter().map(|(host, _)| host).collect()
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let everyone = (0..hosts.len()).map(|host| TaskHost { host, vars: Layer::default() }).collect();
    let outline = outline(&task, None, &Picking::default(), 0);
    let mut task = planned_task(&task, outline, everyone, &hosts, &Arc::from(Path::new("")));
    if !request.serial.is_empty() {
        task.sizes.serial.clone_from(&request.serial);
        narrow::settle(&mut task, &hosts);
    }
    Ok(assemble(request, hosts, vec![task], drafts.warnings))
}

/// Plans tasks, with those that must run before them.
///
/// `selected` are the hosts that the command line names; without any, each task's own targets count.
///
/// # Errors
///
/// All that is wrong: unknown tasks and arguments, tasks without targets, variables that are not defined.
pub fn tasks(
    mut request: Request,
    inventory: &mut Inventory,
    selected: Option<&[usize]>,
    file: &TaskFile,
    calls: &[Call],
) -> Result<Plan, Vec<Diagnostic>> {
    let bounds = request.bounds.clone();
    let mut list = TaskList {
        inventory,
        selected,
        bounds: &bounds,
        shard: request.shard,
        file,
        all_may_do: request.condition.is_some(),
        secrets: request.secrets.named().clone(),
        seen: HashSet::new(),
        tasks: Vec::new(),
        problems: Vec::new(),
    };
    for call in calls {
        list.call(call, &request.extra_vars);
    }
    let TaskList { tasks: mut listed, mut problems, .. } = list;
    let called: Vec<&Task> = listed.iter().map(|listed| listed.task).collect();
    types::type_extra(&mut request, &called, file, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }

    let start = match &request.picking.start_at {
        None => Start::default(),
        Some(text) => {
            let tasks: Vec<&Task> = listed.iter().map(|listed| listed.task).collect();
            let called: Vec<&str> = calls.iter().map(|call| call.task.as_str()).collect();
            start::find(text, &tasks, &called, file).map_err(|problem| vec![problem])?
        }
    };
    let listed = listed.split_off(start.task);

    let mut all: Vec<usize> = listed.iter().flat_map(|listed| listed.targets.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    let asides = locks::asides(listed.iter().map(|listed| listed.task), inventory, &all, &mut problems);
    let mut known = [&all[..], &asides].concat();
    known.sort_unstable();
    let mut drafts = hosts::plan(&request, inventory, &known, &mut problems);
    let keepers = locks::take_out(&mut drafts.hosts, inventory, &asides);
    condition::built_on(&request, &file.vars, &mut drafts.hosts, false, &mut problems);
    let (mut variables, hosts) = Variables::new(&request, &file.vars, drafts.hosts, &mut problems);
    condition::check(&request, &hosts, &mut problems);
    let folder: Arc<Path> = Path::new(&*file.file).parent().unwrap_or(Path::new("")).into();
    let mut tasks = Vec::new();
    let mut delegations = Vec::new();
    for (number, listed) in listed.iter().enumerate() {
        let members: Vec<usize> =
            listed.targets.iter().filter_map(|target| all.binary_search(target).ok()).collect();
        let first = if number == 0 { start.step } else { 0 };
        let outline = outline(listed.task, Some(file), &request.picking, first);
        outline.check_notify(&mut problems);
        problems.extend(outline.refused.iter().cloned());
        let task_hosts =
            variables.task(listed.task, &outline, &listed.arguments, &members, &hosts, &mut problems);
        delegations.push(variables.delegates(&outline, &task_hosts, &hosts, &mut problems));
        tasks.push(planned_task(listed.task, outline, task_hosts, &hosts, &folder));
    }
    if !request.picking.takes_all_tags() && tasks.iter().all(|task| task.steps.is_empty()) {
        problems
            .push(Diagnostic::bare("no step is left: none has such tags").help("`--plan` shows the steps"));
    }
    if !request.serial.is_empty() {
        for task in &mut tasks {
            task.sizes.serial.clone_from(&request.serial);
            narrow::settle(task, &hosts);
        }
    }
    let (delegates, warnings) =
        delegates::plan(&request, inventory, &delegations, &hosts, &mut tasks, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let host_vars =
        uses::uses_host_vars(&tasks).then(|| host_vars::of_all(&request, inventory, &file.vars, &hosts));
    let (shard, extra_vars) = (request.shard, request.extra_vars.clone());
    let mut plan = assemble(request, hosts, tasks, drafts.warnings);
    let given = listed.iter().map(|listed| &listed.arguments.given).chain([&extra_vars]);
    plan.secrets = plan.secrets.clone().with_given(given::secrets(&plan, given));
    if let Some(shard) = shard {
        let once = plan.tasks.iter().flat_map(|task| &task.steps).filter(|planned| planned.step.run_once);
        let warnings: Vec<Diagnostic> = once.map(|planned| once_per_shard(&planned.step, shard)).collect();
        plan.warnings.extend(warnings);
    }
    plan.host_vars = Arc::new(host_vars.unwrap_or_default());
    plan.delegates = delegates;
    let new = warnings.into_iter().filter(|warning| !plan.warnings.contains(warning)).collect::<Vec<_>>();
    plan.warnings.extend(new);
    plan.locking.keepers = keepers;
    let locked: Vec<&Task> = listed.iter().map(|listed| listed.task).collect();
    locks::plan(&mut plan, &locked, &mut problems);
    if problems.is_empty() { Ok(plan) } else { Err(problems) }
}

/// The values of a task's parameters.
#[derive(Debug, Default)]
struct Arguments {
    /// From the command line: no templates.
    given: Vars,
    /// From the tasks file, for the parameters that were not given.
    defaults: Vars,
}

/// A task in the order of the run.
struct Listed<'a> {
    task: &'a Task,
    arguments: Arguments,
    /// Indices into the inventory's hosts.
    targets: Vec<usize>,
}

/// Puts the called tasks, and those that must run before them, in order.
struct TaskList<'a, 'i> {
    inventory: &'i mut Inventory,
    selected: Option<&'a [usize]>,
    bounds: &'a Bounds,
    shard: Option<Shard>,
    file: &'a TaskFile,
    /// Which host does a `run_once` task is decided later.
    all_may_do: bool,
    /// Values that no message shows.
    secrets: Layer,
    seen: HashSet<&'a str>,
    tasks: Vec<Listed<'a>>,
    problems: Vec<Diagnostic>,
}

impl<'a> TaskList<'a, '_> {
    fn call(&mut self, call: &Call, extra: &Vars) {
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
            self.problems.push(problem.help("it is there for other tasks to call"));
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
            let arguments = self.bind(other, &Call::bare(&other.name), extra);
            self.list(other, arguments, &own);
            self.others(&other.after, &own, extra);
        }
    }

    /// Binds a call's arguments to the task's parameters, as a function call does.
    fn bind(&mut self, task: &Task, call: &Call, extra: &Vars) -> Arguments {
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
            let message = "with --where, which host does a `run_once` task is known to its own slice only";
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

/// Slices know nothing of each other.
fn once_per_shard(step: &Step, shard: Shard) -> Diagnostic {
    let message = format!("with --shard {shard} this `run_once` step is done once in each slice");
    Diagnostic::at(&step.position, message).help("a task with `run_once` is done in one slice only")
}

fn unknown_task(name: &str, file: &TaskFile) -> Diagnostic {
    let problem = Diagnostic::bare(format!("no task \"{name}\" in {}", file.file));
    match did_you_mean(name, file.tasks.keys().map(String::as_str)) {
        Some(near) => problem.help(format!("did you mean \"{near}\"?")),
        None => problem.help("`fan list` shows the tasks"),
    }
}

fn assemble(
    request: Request,
    hosts: Vec<PlannedHost>,
    tasks: Vec<PlannedTask>,
    warnings: Vec<Diagnostic>,
) -> Plan {
    Plan {
        run: request.run,
        title: request.title,
        started_at: request.started_at,
        hosts,
        delegates: Vec::new(),
        condition: request.condition,
        tasks,
        pool: request.pool,
        warn_only: request.warn_only,
        stepwise: false,
        changes: request.changes,
        home: request.operator.home,
        templates: request.templates,
        secrets: request.secrets,
        passwords: Default::default(),
        memory: Memory::default(),
        extra_vars: Layer::new(&request.extra_vars),
        host_vars: Arc::default(),
        locking: Locking::default(),
        warnings,
    }
}

fn planned_task(
    task: &Task,
    outline: Outline,
    task_hosts: Vec<TaskHost>,
    hosts: &[PlannedHost],
    folder: &Arc<Path>,
) -> PlannedTask {
    let Outline { steps, body, handlers, refused: _ } = outline;
    let sizes = Sizes { serial: task.rollout.serial.clone(), max_fail: task.rollout.max_fail };
    let mut planned = PlannedTask {
        name: Arc::clone(&task.name),
        steps,
        body,
        handlers,
        batches: Vec::new(),
        max_fail: None,
        sizes,
        strategy: task.rollout.strategy,
        run_once: task.run_once,
        lock: None,
        hosts: task_hosts,
        host_names: Layer::default(),
        timeout: task.timeout.map(TimeLimit::duration),
        folder: Arc::clone(folder),
    };
    narrow::settle(&mut planned, hosts);
    planned
}
