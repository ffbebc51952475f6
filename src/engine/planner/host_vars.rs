//! The variables of all hosts of the inventory, for steps that look at those of others (`hostvars`).

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::plan::PlannedHost;
use crate::engine::planner::request::Request;
use crate::engine::planner::variables::identity;
use crate::model::inventory::{Inventory, ResolvedHost};
use crate::model::settings::Settings;
use crate::model::template::expand::{TemplateDialect, VariableSurroundings, expand, expand_each};
use crate::model::template::others::{self, UnfilledHost, looks_at_others};
use crate::model::template::{Layer, Scope};
use crate::model::value::{Value, Vars};

/// The variable `hostvars` for templates in variables of the inventory and the tasks file; nothing where none looks at it.
pub(super) fn before(
    request: &Request,
    inventory: &Inventory,
    file_vars: &Vars,
    planned: &[(PlannedHost, Vars)],
) -> Layer {
    let mut layers = vec![file_vars.clone()];
    layers.push(inventory.vars.values().clone());
    layers.extend(inventory.roles.iter().map(|role| role.vars.values().clone()));
    let of_roles = layers.len();
    layers.extend(inventory.above_roles.iter().map(|group| group.vars.values().clone()));
    let own = inventory.hosts.iter().map(|host| host.vars.values());
    if !layers.iter().chain(own).any(looks_at_others) {
        return Layer::default();
    }
    let operator = request.operator.user.as_deref().unwrap_or_default();
    let mut known: HashMap<&str, Layer> = HashMap::new();
    for (host, _) in planned {
        known.insert(host.endpoint.name.as_str(), identity(host, request));
    }
    let mut all: HashMap<Arc<str>, DescribedHost> = HashMap::new();
    let roles = inventory.roles_of_hosts();
    for (host, roles) in inventory.hosts.iter().zip(&roles) {
        let name = host.name.as_str();
        let its = inventory.above_roles.iter().enumerate();
        let its = its.filter(|(_, group)| group.role.is_none_or(|role| roles.contains(&role)));
        let above = its.map(|(at, _)| of_roles + at);
        let identity = known
            .get(name)
            .cloned()
            .unwrap_or_else(|| described(&inventory.resolve(host, roles, &request.settings), operator));
        let described = DescribedHost {
            names: inventory.names_of(host, roles),
            layers: [0, 1].into_iter().chain(roles.iter().map(|role| role + 2)).chain(above).collect(),
            own: host.vars.values().clone(),
            identity,
        };
        all.insert(Arc::from(name), described);
    }
    let names = inventory.hosts.iter().map(|host| Arc::from(host.name.as_str())).collect();
    let (groups, secrets) = (request.groups.clone(), request.secrets.named().clone());
    let extra = Layer::new(&request.extra_vars);
    let describe = move |name: &str| {
        let host: &DescribedHost = all.get(name)?;
        let mut vars = host.names.clone();
        host.layers.iter().filter_map(|&at| layers.get(at)).for_each(|layer| vars.extend(layer.clone()));
        vars.extend(host.own.clone());
        let below = vec![groups.clone(), host.identity.clone(), secrets.clone()];
        Some(UnfilledHost { vars, below, above: vec![extra.clone()] })
    };
    let dialect = if inventory.is_foreign { TemplateDialect::Ansible } else { TemplateDialect::Own };
    others::layer(Arc::clone(&request.templates), names, dialect, Box::new(describe))
}

/// A host of the inventory with the variables that are its own, and which others it shares.
struct DescribedHost {
    names: Vars,
    /// The layers that it shares, lowest first.
    layers: Vec<usize>,
    own: Vars,
    identity: Layer,
}

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
        vars.extend(inventory.names_of(host, roles));
        vars.extend(resolved.vars);
        let below =
            [request.others.clone(), request.groups.clone(), own.clone(), request.secrets.named().clone()];
        let above = [Layer::new(&request.extra_vars)];
        let expanded = if inventory.is_foreign {
            let around = VariableSurroundings { templates: &request.templates, below: &below, above: &above };
            Some(expand_each(around, &vars, &|_| TemplateDialect::Ansible).0)
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
