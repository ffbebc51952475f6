//! The hosts that steps with `on` are done on, in the place of those that they are done for.

use indexmap::IndexMap;

use crate::engine::plan::{Places, PlannedHost, PlannedTask};
use crate::engine::planner::hosts;
use crate::engine::planner::request::Request;
use crate::engine::planner::variables::Delegation;
use crate::model::inventory::Inventory;
use crate::model::position::Diagnostic;
use crate::model::target;

/// Plans the hosts that steps are handed to, and writes down at each step who does it. `wanted` has the delegations of each
/// task, in their order.
pub(super) fn plan(
    request: &Request,
    inventory: &mut Inventory,
    wanted: &[Vec<Delegation>],
    hosts: &[PlannedHost],
    tasks: &mut [PlannedTask],
    problems: &mut Vec<Diagnostic>,
) -> (Vec<PlannedHost>, Vec<Diagnostic>) {
    // The hosts of the inventory that are meant, and the plan's hosts that mean them.
    let mut indices: IndexMap<String, Option<usize>> = IndexMap::new();
    for delegation in wanted.iter().flatten() {
        for to in delegation.to.iter().flatten() {
            if indices.contains_key(to) {
                continue;
            }
            let found = the_one(inventory, to);
            if let Err(problem) = &found {
                let mut problem = problem.clone();
                problem.position = Some(delegation.at.clone());
                problems.push(problem);
            }
            indices.insert(to.clone(), found.ok());
        }
    }
    let mut meant: Vec<usize> = indices.values().copied().flatten().collect();
    meant.sort_unstable();
    meant.dedup();
    let drafts = hosts::plan(request, inventory, &meant, problems);
    let delegates: Vec<PlannedHost> = drafts.hosts.into_iter().map(|(host, _)| host).collect();
    for (task, delegations) in tasks.iter_mut().zip(wanted) {
        for Delegation { step, at: _, per_item, to } in delegations {
            let place = |to: &String, member: usize| {
                let delegate = meant.binary_search(indices.get(to).copied().flatten().as_ref()?).ok()?;
                let own = &hosts.get(member)?.endpoint.name;
                (delegates.get(delegate)?.endpoint.name != *own).then_some(delegate)
            };
            let members = to.iter().zip(task.hosts.iter().map(|host| host.host));
            let places = if *per_item {
                let places = members.map(|(to, member)| to.iter().map(|to| place(to, member)).collect());
                Places::Items(places.collect())
            } else {
                Places::Hosts(
                    members.map(|(to, member)| to.first().and_then(|to| place(to, member))).collect(),
                )
            };
            if let Some(step) = task.steps.get_mut(*step) {
                step.places = places;
            }
        }
    }
    (delegates, drafts.warnings)
}

/// The index of the one host that an expression means.
fn the_one(inventory: &mut Inventory, to: &str) -> Result<usize, Diagnostic> {
    match target::select(inventory, &[to], &[]).as_deref() {
        Ok(&[host]) => Ok(host),
        Ok(hosts) => {
            let message = format!("\"on\" takes one host, and {to:?} is {}", hosts.len());
            Err(Diagnostic::bare(message))
        }
        Err(errors) => {
            let first = errors.first();
            let message = first.map_or_else(|| format!("no host {to:?}"), |error| error.message.clone());
            let mut problem = Diagnostic::bare(message);
            problem.help = first.and_then(|error| error.help.clone());
            Err(problem)
        }
    }
}
