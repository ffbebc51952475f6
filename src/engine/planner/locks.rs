//! The locks of a run's tasks: their names filled in, the hosts that keep them planned.

use crate::engine::plan::scope;
use crate::engine::plan::{Keeper, Plan, PlannedHost, PlannedLock, PlannedStep, PlannedTask};
use crate::model::endpoint::Endpoint;
use crate::model::inventory::Inventory;
use crate::model::name::check_lock_name;
use crate::model::position::Diagnostic;
use crate::model::suggest::did_you_mean;
use crate::model::task::{Action, Lock, Task};
use crate::model::template::{self, Layer, Syntax};
use crate::model::value::Vars;

/// Built-in variables that are the same for whoever runs the task, wherever: all that a lock's name may look at.
const SHARED: [&str; 1] = ["task"];

/// The hosts that keep a lock and take no other part in the run, as ascending indices into the inventory's.
pub(super) fn asides<'t>(
    tasks: impl Iterator<Item = &'t Task>,
    inventory: &Inventory,
    taking_part: &[usize],
    problems: &mut Vec<Diagnostic>,
) -> Vec<usize> {
    let mut asides = Vec::new();
    for on in tasks.filter_map(|task| task.lock.as_ref()?.on.as_ref()) {
        match inventory.host_index(&on.value) {
            Some(host) if taking_part.binary_search(&host).is_ok() => {}
            Some(host) => asides.push(host),
            None => {
                let problem =
                    Diagnostic::at(&on.position, format!("no host \"{}\" to hold the lock", on.value));
                let names = inventory.hosts.iter().map(|host| host.name.as_str());
                problems.push(match did_you_mean(&on.value, names) {
                    Some(near) => problem.help(format!("did you mean \"{near}\"?")),
                    None => problem.help("`on` names one host of the inventory"),
                });
            }
        }
    }
    asides.sort_unstable();
    asides.dedup();
    asides
}

/// Takes the hosts that keep a lock and nothing else out of the drafts.
pub(super) fn take_out(
    drafts: &mut Vec<(PlannedHost, Vars)>,
    inventory: &Inventory,
    asides: &[usize],
) -> Vec<Endpoint> {
    let is_aside = |draft: &(PlannedHost, Vars)| {
        let name = &draft.0.endpoint.name;
        asides.iter().filter_map(|&aside| inventory.hosts.get(aside)).any(|host| host.name == *name)
    };
    let keepers = drafts.extract_if(.., |draft| is_aside(draft));
    keepers.map(|(planned, _)| planned.endpoint).collect()
}

/// The plan with the locks of its tasks; `tasks` are the same ones, as they were written.
pub(super) fn with_locks(plan: Plan, tasks: &[&Task], problems: &mut Vec<Diagnostic>) -> Plan {
    let lock = |(index, task): (usize, &&Task)| match planned(&plan, index, task.lock.as_ref()?) {
        Ok(lock) => lock,
        Err(problem) => {
            problems.push(*problem);
            None
        }
    };
    let locks: Vec<Option<PlannedLock>> = tasks.iter().enumerate().map(lock).collect();
    let locked = plan.tasks.into_iter().zip(locks).map(|(task, lock)| PlannedTask { lock, ..task });
    Plan { tasks: locked.collect(), ..plan }
}

fn planned(plan: &Plan, index: usize, lock: &Lock) -> Result<Option<PlannedLock>, Box<Diagnostic>> {
    let Some(task) = plan.tasks.get(index) else { return Ok(None) };
    // A task without hosts is an error that was told.
    let Some(first) = task.hosts.first() else { return Ok(None) };
    let at = &lock.name.position;
    let refused = |message: String| Box::new(Diagnostic::at(at, message));
    for name in template::names(&lock.name.value, Syntax::Text).unwrap_or_default() {
        if scope::BUILT_IN_NAMES.contains(&name.as_str()) && !SHARED.contains(&name.as_str()) {
            let message = format!("the name of a lock cannot contain \"{name}\": it differs between runs");
            return Err(Box::new(
                Diagnostic::at(at, message).help("use variables with one value on all its hosts"),
            ));
        }
        if plan.secrets.named().contains(&name) {
            return Err(refused(format!(
                "the name of a lock cannot contain the secret \"{name}\": it is visible on the host"
            )));
        }
    }
    let mut found: Option<(String, usize)> = None;
    for (position, member) in task.hosts.iter().enumerate() {
        let scope = scope::of(plan, task, position, Layer::default(), Layer::default(), []);
        let name = plan.templates.render_text(&lock.name.value, &scope).map_err(|error| {
            Box::new(Diagnostic { help: error.help.clone(), ..Diagnostic::at(at, error.message.clone()) })
        })?;
        match &found {
            None => {
                check_lock_name(&name).map_err(refused)?;
                found = Some((name, member.host));
            }
            Some((other, of)) if *other != name => {
                let host = |host: usize| plan.hosts.get(host).map_or("", |host| host.endpoint.name.as_str());
                let (of, here) = (host(*of), host(member.host));
                let message =
                    format!("the lock is \"{other}\" on {of} and \"{name}\" on {here}: a task has one lock");
                return Err(refused(message));
            }
            Some(_) => {}
        }
    }
    let keeper = match &lock.on {
        None => Some(Keeper::Member(first.host)),
        Some(on) => {
            let named = |endpoint: &Endpoint| endpoint.name.as_str() == on.value;
            let member = plan.hosts.iter().position(|host| named(&host.endpoint)).map(Keeper::Member);
            member.or_else(|| plan.locking.keepers.iter().position(named).map(Keeper::Aside))
        }
    };
    if let Some(Keeper::Member(keeper)) = keeper
        && let Some(step) = restart_of(task, keeper)
    {
        let name = plan.hosts.get(keeper).map_or("", |host| host.endpoint.name.as_str());
        let message =
            format!("{name} holds the lock, and would lose it in step {}, which restarts it", step + 1);
        let help = "hold it on a host that the task does not restart: lock: {name: ..., on: HOST}";
        return Err(Box::new(Diagnostic::at(at, message).help(help)));
    }
    Ok(found.zip(keeper).map(|((name, _), keeper)| PlannedLock { name: name.into(), keeper }))
}

/// The step of a task that restarts a host, if one does.
fn restart_of(task: &PlannedTask, host: usize) -> Option<usize> {
    let member = task.hosts.iter().any(|member| member.host == host);
    let restarts =
        |planned: &PlannedStep| matches!(planned.step.action, Action::Reboot(_)) && planned.places.is_here();
    task.steps.iter().position(restarts).filter(|_| member)
}
