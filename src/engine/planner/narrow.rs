//! What becomes of a plan when it is known which hosts take part (`--where`): batches, shares and the hosts of
//! `run_once` tasks are those of the hosts that are left.

use crate::engine::plan::{Plan, PlannedHost, PlannedTask, TaskHost};
use crate::engine::planner::rollout;
use crate::model::template::Layer;
use crate::model::value::{Value, Vars};

/// The plan with only these hosts in its tasks, by their index. The others stay in it, without a task.
pub(crate) fn narrow(plan: &Plan, chosen: &[bool]) -> Plan {
    let is_chosen = |host: &TaskHost| chosen.get(host.host).copied().unwrap_or(false);
    let mut plan = plan.clone();
    for task in &mut plan.tasks {
        let most = if task.run_once { 1 } else { usize::MAX };
        let positions = task.hosts.iter().enumerate().filter(|(_, host)| is_chosen(host));
        let left: Vec<usize> = positions.map(|(position, _)| position).take(most).collect();
        for step in &mut task.steps {
            step.places = step.places.only(&left);
        }
        task.hosts.retain(is_chosen);
        task.hosts.truncate(most);
        settle(task, &plan.hosts);
    }
    plan
}

/// Fills in what a task has of its hosts.
pub(super) fn settle(task: &mut PlannedTask, hosts: &[PlannedHost]) {
    let names = task.hosts.iter().filter_map(|host| hosts.get(host.host));
    let names = names.map(|host| Value::from(host.endpoint.name.as_str())).collect();
    task.host_names = Layer::new(&Vars::from_iter([("hosts".to_owned(), Value::Array(names))]));
    task.batches = rollout::batches(&task.sizes.serial, task.hosts.len());
    task.max_fail = task.sizes.max_fail.map(|share| share.of(task.hosts.len()));
}
