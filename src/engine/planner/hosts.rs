//! From a resolved host to all that a worker and the transport need.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::plan::{Becoming, PlannedHost};
use crate::engine::planner::endpoints::{HostPlanner, KnownEndpoints, SharedPaths};
use crate::engine::planner::request::Request;
use crate::model::endpoint::Endpoint;
use crate::model::inventory::{Inventory, ResolvedHost};
use crate::model::position::Diagnostic;
use crate::model::settings::{OnDisconnect, Sourced, TimeLimit};
use crate::model::template::Layer;
use crate::model::value::Vars;

/// Interpreter of scripts unless `shell` says otherwise.
const DEFAULT_SHELL: &str = "sh";

/// How long it is tried to come back to a durable command unless `reattach` says otherwise.
const REATTACH: Duration = Duration::from_secs(600);

/// Hosts, beside each its variables as they were written; and what the user should know about them.
pub(super) struct Drafts {
    pub(super) hosts: Vec<(PlannedHost, Vars)>,
    pub(super) warnings: Vec<Diagnostic>,
}

/// Plans the hosts with these ascending indices.
pub(super) fn plan(
    request: &Request,
    inventory: &Inventory,
    indices: &[usize],
    problems: &mut Vec<Diagnostic>,
) -> Drafts {
    let mut planner = HostPlanner {
        request,
        inventory,
        roles: inventory.roles_of_hosts(),
        shared: SharedPaths::default(),
        known: KnownEndpoints::default(),
        problems: Vec::new(),
        warnings: Vec::new(),
    };
    let hosts = indices.iter().filter_map(|&index| planner.host(index)).collect();
    problems.append(&mut planner.problems);
    Drafts { hosts, warnings: planner.warnings }
}

impl HostPlanner<'_> {
    fn host(&mut self, index: usize) -> Option<(PlannedHost, Vars)> {
        let host = self.inventory.hosts.get(index)?;
        if !host.problems.is_empty() {
            // Many hosts share a line.
            for problem in &host.problems {
                if !self.problems.contains(problem) {
                    self.problems.push(problem.clone());
                }
            }
            return None;
        }
        let role_indices = self.roles.get(index).map(Vec::as_slice).unwrap_or_default();
        let resolved = self.inventory.resolve(host, role_indices, &self.flags_of(&host.name));
        let ResolvedHost { name, roles, settings, vars: written } = resolved;
        let mut vars = self.inventory.names_of(host, role_indices);
        vars.extend(written);
        let settings = self.over_ssh_config(name.place(), settings);
        let gateway = self.way(&settings, &mut vec![name.to_string()]);
        let limit =
            |setting: &Option<Sourced<TimeLimit>>| setting.as_ref().and_then(|limit| limit.value.duration());
        let planned = PlannedHost {
            roles,
            vars: Layer::default(),
            shell: settings
                .shell
                .as_ref()
                .map_or_else(|| Arc::from(DEFAULT_SHELL), |shell| Arc::from(shell.value.as_str())),
            env: settings.env.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect(),
            command_timeout: limit(&settings.command_timeout),
            idle_timeout: limit(&settings.idle_timeout),
            on_disconnect: settings
                .on_disconnect
                .as_ref()
                .map_or_else(OnDisconnect::default, |said| said.value),
            durable: settings.durable.clone(),
            reattach: settings.reattach.as_ref().map_or(REATTACH, |reattach| reattach.value),
            becoming: Becoming {
                user: settings.sudo_user.as_ref().map(|user| Arc::from(user.value.as_str())),
                method: settings.sudo_method.as_ref().map(|method| method.value).unwrap_or_default(),
                password: settings.sudo_password.as_ref().map(|source| source.value.clone()),
            },
            endpoint: Endpoint { gateway, ..self.endpoint(name, settings) },
        };
        Some((planned, vars))
    }
}
