//! The hosts of each role, for templates (`groups`).

use std::sync::Arc;

use crate::engine::plan::scope::GROUPS;
use crate::model::inventory::Inventory;
use crate::model::template::Layer;

/// The name of all hosts among the roles, as in target expressions.
const ALL: &str = "all";

/// One variable with the names of each role's hosts, in the run or not; the roles in file order, then `all`.
pub(super) fn layer(inventory: &Inventory) -> Layer {
    let names: Arc<[Arc<str>]> = inventory.hosts.iter().map(|host| Arc::from(host.name.as_str())).collect();
    let all = (0..names.len()).collect::<Arc<[usize]>>();
    let roles = inventory.roles.iter().zip(&inventory.members);
    let mut groups: Vec<(Arc<str>, Arc<[usize]>)> =
        roles.map(|(role, members)| (Arc::from(role.name.as_str()), Arc::from(members.as_slice()))).collect();
    if !groups.iter().any(|(name, _)| &**name == ALL) {
        groups.push((Arc::from(ALL), all));
    }
    Layer::of_groups(GROUPS, names, groups)
}
