//! The variables of all hosts of the inventory, for steps that look at those of others (`hostvars`).

use std::collections::HashMap;

use crate::engine::plan::PlannedHost;
use crate::engine::planner::request::Request;
use crate::engine::planner::variables::identity;
use crate::model::inventory::{Inventory, ResolvedHost};
use crate::model::settings::Settings;
use crate::model::template::expand::{expand, expand_each};
use crate::model::template::{Layer, Scope};
use crate::model::value::{Value, Vars};

/// Each host with its variables. Those of the plan have theirs already; of the others, one whose variables cannot be filled
/// in is left out: it is not what the run is about.
pub(super) fn of_all(
    request: &Request,
    inventory: &Inventory,
    file_vars: &Vars,
    hosts: &[PlannedHost],
) -> HashMap<String, Scope> {
    let of_planned = |host: &PlannedHost| {
        let scope = Scope::new().with(identity(host, request)).with(host.vars.clone());
        (host.endpoint.name.to_string(), scope)
    };
    let mut all: HashMap<String, Scope> = hosts.iter().map(of_planned).collect();
    let roles = inventory.roles_of_hosts();
    for (host, roles) in inventory.hosts.iter().zip(&roles) {
        if all.contains_key(host.name.as_str()) {
            continue;
        }
        let resolved = inventory.resolve(host, roles, &request.settings);
        let own = described(&resolved, request.operator.user.as_deref().unwrap_or_default());
        let mut vars = file_vars.clone();
        vars.extend(resolved.vars);
        let below = [request.groups.clone(), own.clone(), request.secrets.named().clone()];
        let above = [Layer::new(&request.extra_vars)];
        let expanded = if inventory.is_foreign {
            Some(expand_each(&request.templates, &vars, &below, &above).0)
        } else {
            expand(&request.templates, &vars, &below, &above).ok()
        };
        if let Some(vars) = expanded {
            let scope = Scope::new().with(own).with(Layer::new(&vars));
            all.insert(resolved.name.to_string(), scope);
        }
    }
    all
}

/// What is known of a host without asking OpenSSH's configuration about it.
fn described(host: &ResolvedHost, operator: &str) -> Layer {
    let Settings { address, port, user, .. } = &host.settings;
    let roles = host.roles.iter().map(|role| Value::from(role.as_str())).collect();
    let name = host.name.as_str();
    let address = address.as_ref().map_or(name, |address| address.value.as_str());
    Layer::new(&Vars::from_iter([
        ("host".to_owned(), Value::from(name)),
        ("address".to_owned(), Value::from(address)),
        ("port".to_owned(), Value::from(port.as_ref().map_or(22, |port| port.value))),
        ("user".to_owned(), Value::from(user.as_ref().map_or(operator, |user| user.value.as_str()))),
        ("roles".to_owned(), Value::Array(roles)),
    ]))
}
