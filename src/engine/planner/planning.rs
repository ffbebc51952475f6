//! From what the user wrote to a [`Plan`], with all that is wrong in one pass.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::plan::memory::Memory;
use crate::engine::plan::readable::with_titles;
use crate::engine::plan::{Locking, Plan, PlannedHost, PlannedStep, PlannedTask, Sizes, TaskHost};
use crate::engine::planner::listing::TaskList;
use crate::engine::planner::outline::{Outline, Picking, outline};
use crate::engine::planner::request::Request;
use crate::engine::planner::start::{self, RunStart};
use crate::engine::planner::variables::Variables;
use crate::engine::planner::{
    condition, delegates, durable, given, groups, host_vars, hosts, local_each, locks, narrow, types, uses,
};
use crate::model::call::TaskCall;
use crate::model::endpoint::Endpoint;
use crate::model::inventory::Inventory;
use crate::model::position::{Diagnostic, Position};
use crate::model::redact::MIN_SECRET;
use crate::model::secret::{SecretSource, Secrets};
use crate::model::settings::TimeLimit;
use crate::model::shard::Shard;
use crate::model::task::{Action, Command, Step, Task, TaskFile};
use crate::model::template::{Layer, Scope};
use crate::model::value::Vars;

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
    request.groups = groups::layer(inventory);
    let mut drafts = hosts::plan(&request, inventory, selected, &mut problems);
    let hosts: Vec<PlannedHost> = if request.condition.is_some() {
        request.secrets = Secrets::new(inventory.secrets.keys().map(String::as_str), []);
        request.others = host_vars::before(&request, inventory, &Vars::new(), &drafts.hosts);
        condition::built_on(&request, &Vars::new(), &mut drafts.hosts, true, &mut problems);
        let (_, hosts) =
            Variables::new(&request, inventory.is_foreign, &Vars::new(), drafts.hosts, &mut problems);
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
    let task = planned_task(&request, &task, outline, everyone, &hosts);
    durable::check(std::slice::from_ref(&task), &hosts, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let password_places = inventory.password_places();
    let warnings = drafts.warnings;
    let parts = PlanParts { hosts, tasks: vec![task], password_places, warnings, ..PlanParts::default() };
    Ok(assemble(request, parts))
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
    calls: &[TaskCall],
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
        templates: Arc::clone(&request.templates),
        seen: Vec::new(),
        path: Vec::new(),
        tasks: Vec::new(),
        names_only: Vec::new(),
        problems: Vec::new(),
    };
    for call in calls {
        list.call(call, &request.extra_vars);
    }
    let TaskList { tasks: mut listed, names_only, mut problems, .. } = list;
    let called: Vec<&Task> = listed.iter().map(|listed| listed.task).chain(names_only).collect();
    types::type_extra(&mut request, &called, file, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }

    request.groups = groups::layer(inventory);
    let start = match &request.picking.start_at {
        None => RunStart::default(),
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
    request.others = host_vars::before(&request, inventory, &file.vars, &drafts.hosts);
    condition::built_on(&request, &file.vars, &mut drafts.hosts, false, &mut problems);
    let (mut variables, hosts) =
        Variables::new(&request, inventory.is_foreign, &file.vars, drafts.hosts, &mut problems);
    condition::check(&request, &hosts, &mut problems);
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
        tasks.push(planned_task(&request, listed.task, outline, task_hosts, &hosts));
    }
    durable::check(&tasks, &hosts, &mut problems);
    if !request.picking.takes_all_tags() && tasks.iter().all(|task| task.steps.is_empty()) {
        problems
            .push(Diagnostic::bare("no steps left: none has these tags").help("`--plan` shows the steps"));
    }
    let (delegates, warnings) =
        delegates::plan(&request, inventory, &delegations, &hosts, &mut tasks, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let host_vars =
        uses::uses_host_vars(&tasks).then(|| host_vars::of_all(&request, inventory, &file.vars, &hosts));
    let given = listed.iter().map(|listed| &listed.arguments.given).chain([&request.extra_vars]);
    let given = given::secrets(&request.secrets, &tasks, given);
    // What was encrypted in the inventory is not to be shown; what is shorter cannot be looked for.
    let hidden = inventory.hidden.iter().filter(|secret| secret.reveal().len() >= MIN_SECRET);
    let hidden = hidden.map(|secret| ("vault".to_owned(), secret.clone()));
    request.secrets = request.secrets.with_given(given.into_iter().chain(hidden).collect());
    let mut all_warnings = drafts.warnings;
    if let Some(shard) = request.shard {
        let once = tasks.iter().flat_map(|task| &task.steps).filter(|planned| planned.step.run_once);
        all_warnings.extend(once.map(|planned| once_per_shard(&planned.step, shard)));
    }
    for warning in warnings.into_iter().chain(local_each::warnings(&tasks, &hosts)) {
        if !all_warnings.contains(&warning) {
            all_warnings.push(warning);
        }
    }
    let host_vars = host_vars.unwrap_or_default();
    let mut password_places = inventory.password_places();
    for PlannedStep { step, .. } in tasks.iter().flat_map(|task| &task.steps) {
        if let Some(source) = step.becomes().and_then(|other| other.password.as_ref()) {
            password_places.entry(source.clone()).or_insert_with(|| step.position.clone());
        }
    }
    let warnings = all_warnings;
    let plan = assemble(
        request,
        PlanParts { hosts, delegates, tasks, keepers, host_vars, password_places, warnings },
    );
    let locked: Vec<&Task> = listed.iter().map(|listed| listed.task).collect();
    let plan = locks::with_locks(plan, &locked, &mut problems);
    if problems.is_empty() { Ok(with_titles(plan)) } else { Err(problems) }
}

/// Slices know nothing of each other.
fn once_per_shard(step: &Step, shard: Shard) -> Diagnostic {
    let message = format!("with --shard {shard} this `run_once` step runs once in each slice");
    Diagnostic::at(&step.position, message).help("a task with `run_once` runs in one slice only").warning()
}

/// What was worked out for a request.
#[derive(Default)]
struct PlanParts {
    hosts: Vec<PlannedHost>,
    delegates: Vec<PlannedHost>,
    tasks: Vec<PlannedTask>,
    keepers: Vec<Endpoint>,
    host_vars: HashMap<String, Scope>,
    password_places: HashMap<SecretSource, Position>,
    warnings: Vec<Diagnostic>,
}

fn assemble(request: Request, parts: PlanParts) -> Plan {
    let PlanParts { hosts, delegates, tasks, keepers, host_vars, password_places, warnings } = parts;
    Plan {
        run: request.run,
        title: request.title,
        started_at: request.started_at,
        hosts,
        delegates,
        condition: request.condition,
        known: request.known,
        tasks,
        pool: request.pool,
        warn_only: request.warn_only,
        stepwise: request.stepwise,
        changes: request.changes,
        home: request.operator.home,
        templates: request.templates,
        groups: request.groups,
        secrets: request.secrets,
        password_places,
        passwords: HashMap::new(),
        memory: Memory::default(),
        extra_vars: Layer::new(&request.extra_vars),
        host_vars: Arc::new(host_vars),
        locking: Locking { keepers, wait: request.lock_wait, who: request.who, look_only: false },
        warnings,
        below_home: false,
    }
}

fn planned_task(
    request: &Request,
    task: &Task,
    outline: Outline,
    task_hosts: Vec<TaskHost>,
    hosts: &[PlannedHost],
) -> PlannedTask {
    let Outline { steps, body, handlers, refused: _ } = outline;
    let serial = if request.serial.is_empty() { &task.rollout.serial } else { &request.serial };
    let sizes = Sizes { serial: serial.clone(), max_fail: task.rollout.max_fail };
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
    };
    narrow::settle(&mut planned, hosts);
    planned
}
