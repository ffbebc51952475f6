//! What the hosts of a run share of an earlier one that it goes on from, before any of them begins.

use crate::engine::host::learned::Learned;
use crate::engine::live::together::Once;
use crate::engine::plan::Plan;
use crate::model::template::Layer;
use crate::model::value::Vars;

/// Restores the steps that one host has done for all, and what hosts know for others.
pub(super) fn restore(plan: &Plan, once: &Once<Layer>, learned: &Learned) {
    for (place, done) in plan.memory.once() {
        once.settle(*place, done.clone());
    }
    for planned in &plan.hosts {
        let host = &planned.endpoint.name;
        let Some(recalled) = plan.memory.of(host) else { continue };
        let vars: Vars = recalled.visits.iter().flat_map(|visit| visit.vars.clone()).collect();
        if !vars.is_empty() {
            learned.tell(host.as_str(), &Layer::new(&vars));
        }
    }
}
