//! The hosts of each role, for templates (`groups`).

use std::collections::HashSet;
use std::sync::Arc;

use crate::engine::plan::scope::GROUPS;
use crate::model::inventory::{Inventory, Role};
use crate::model::template::Layer;

/// The name of all hosts among the roles, as in target expressions.
const ALL: &str = "all";

/// The group that Ansible's inventories always have.
const UNGROUPED: &str = "ungrouped";

/// One variable with the names of each role's hosts, in the run or not; the roles in file order, then `all`.
pub(super) fn layer(inventory: &Inventory) -> Layer {
    let names: Arc<[Arc<str>]> = inventory.hosts.iter().map(|host| Arc::from(host.name.as_str())).collect();
    let all = (0..names.len()).collect::<Arc<[usize]>>();
    let roles = inventory.roles.iter().zip(&inventory.members);
    let mut groups: Vec<(Arc<str>, Arc<[usize]>)> =
        roles.map(|(role, members)| (Arc::from(role.name.as_str()), in_order(role, members))).collect();
    if inventory.is_foreign && !groups.iter().any(|(name, _)| &**name == UNGROUPED) {
        groups.push((Arc::from(UNGROUPED), Arc::default()));
    }
    if !groups.iter().any(|(name, _)| &**name == ALL) {
        groups.push((Arc::from(ALL), all));
    }
    Layer::of_groups(GROUPS, names, groups)
}

/// A role's hosts in the order that its source has; last those that no source names one by one.
fn in_order(role: &Role, members: &[usize]) -> Arc<[usize]> {
    if role.in_order.is_empty() {
        return Arc::from(members);
    }
    let listed: HashSet<usize> = role.in_order.iter().copied().collect();
    let named = role.in_order.iter().filter(|host| members.binary_search(host).is_ok());
    named.chain(members.iter().filter(|host| !listed.contains(host))).copied().collect()
}
