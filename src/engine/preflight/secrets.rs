//! Which secrets a plan needs: those that its steps and the files of its `template` steps name, and those that the variables
//! are built on which they name.

use std::collections::{BTreeSet, HashMap};

use crate::engine::plan::Plan;
use crate::engine::plan::scope::HOST_VARS;
use crate::engine::planner::uses::{leaves, names_of};
use crate::engine::preflight::disk::Disk;
use crate::engine::preflight::known::{Known, Text, WhenRuns};
use crate::model::inventory::Inventory;
use crate::model::task::{Action, TaskFile};
use crate::model::template::expand::has_template;
use crate::model::value::Vars;

/// The names of the secrets that a plan needs.
///
/// A variable counts for each host that has one of that name: rather one secret too many than one too few. When it
/// cannot be said before the run what a `template` step will read, all are needed.
pub fn secrets_used(plan: &Plan, inventory: &Inventory, file: &TaskFile) -> BTreeSet<String> {
    let declared: BTreeSet<&str> =
        inventory.secrets.keys().chain(file.secrets.keys()).map(String::as_str).collect();
    let all = || declared.iter().map(|&name| name.to_owned()).collect();
    let Some(in_files) = names_in_files(plan) else { return all() };
    let mut open: Vec<String> = in_files.into_iter().collect();
    plan.tasks.iter().for_each(|task| names_of(task, &mut open));
    // Whatever another host has.
    if open.iter().any(|name| name == HOST_VARS) {
        return all();
    }
    let built_on = dependencies(inventory, file);
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        // What the command line gives wins over both.
        if seen.contains(&name) || plan.extra_vars.contains(&name) {
            continue;
        }
        open.extend(built_on.get(name.as_str()).into_iter().flatten().cloned());
        seen.insert(name);
    }
    seen.retain(|name| declared.contains(name.as_str()));
    seen
}

/// The names that the local files of a plan's `template` steps look at; none when that cannot be said before the run.
fn names_in_files(plan: &Plan) -> Option<BTreeSet<String>> {
    let (mut known, mut disk) = (Known::new(plan), Disk::default());
    let mut names = BTreeSet::new();
    for task in &plan.tasks {
        for step in &task.steps {
            if let Action::Template(file) = &step.step.action {
                let text = Text::new(&file.from);
                for member in known.members(task, step).iter().filter(|member| member.runs != WhenRuns::No) {
                    let path = known.local(&known.render(&text, member)?);
                    names
                        .extend(disk.template(&known.folder(member)?.join(path)).ok()?.names.iter().cloned());
                }
            }
            known.define(task, step);
        }
    }
    Some(names)
}

/// For each name of a variable with templates in it: the names that these look at, wherever it has them.
fn dependencies<'a>(inventory: &'a Inventory, file: &'a TaskFile) -> HashMap<&'a str, BTreeSet<String>> {
    let of_hosts = inventory.hosts.iter().map(|host| host.vars.values());
    let of_roles = inventory.roles.iter().map(|role| role.vars.values());
    let above_roles = inventory.above_roles.iter().map(|group| group.vars.values());
    let of_tasks = file.tasks.values().map(|task| &task.vars);
    let all = [inventory.vars.values(), &file.vars];
    let all = all.into_iter().chain(of_roles).chain(above_roles).chain(of_hosts).chain(of_tasks);
    let vars = all.flat_map(Vars::iter).map(|(name, value)| (name, Some(value)));
    let params =
        file.tasks.values().flat_map(|task| task.params.iter().map(|(name, value)| (name, value.as_ref())));
    let mut found: HashMap<&str, BTreeSet<String>> = HashMap::new();
    for (name, value) in vars.chain(params) {
        if let Some(value) = value.filter(|value| has_template(value)) {
            leaves(value, found.entry(name).or_default());
        }
    }
    found
}
