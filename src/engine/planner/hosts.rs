//! From a resolved host to all that a worker and the transport need: fan's defaults filled in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::plan::PlannedHost;
use crate::engine::planner::Request;
use crate::model::endpoint::{Agent, Deadlines, Endpoint, KEEPALIVE_INTERVAL};
use crate::model::inventory::{Inventory, ResolvedHost};
use crate::model::settings::{AgentSetting, Sourced, TimeLimit, Transport};
use crate::model::template::Layer;
use crate::model::value::Vars;

/// Repeats of a connection attempt unless `retries` says otherwise.
const DEFAULT_RETRIES: u32 = 2;

/// SSH's port.
const DEFAULT_PORT: u16 = 22;

/// Interpreter of scripts unless `shell` says otherwise.
const DEFAULT_SHELL: &str = "sh";

/// What the planner needs to know of the operator and the machine.
#[derive(Clone, Debug, Default)]
pub struct Operator {
    /// The local user: the login name where none is set.
    pub user: String,
    /// For `~/` in paths.
    pub home: Option<PathBuf>,
    /// `SSH_AUTH_SOCK`, when it is set.
    pub agent_socket: Option<PathBuf>,
    /// OpenSSH's default key files that can be used.
    pub default_identities: Vec<PathBuf>,
    /// OpenSSH's default known_hosts files.
    pub default_known_hosts: Vec<PathBuf>,
}

impl Operator {
    /// A path of the inventory or command line with `~/` expanded.
    pub fn path(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(text),
        }
    }
}

/// Plans the hosts with these ascending indices; beside each, its variables as they were written.
pub(super) fn plan(request: &Request, inventory: &Inventory, indices: &[usize]) -> Vec<(PlannedHost, Vars)> {
    let roles = inventory.roles_of_hosts();
    let mut shared = SharedPaths::default();
    indices
        .iter()
        .filter_map(|&index| {
            let host = inventory.hosts.get(index)?;
            let roles = roles.get(index).map(Vec::as_slice).unwrap_or_default();
            let mut resolved = inventory.resolve(host, roles, &request.settings);
            let vars = std::mem::take(&mut resolved.vars);
            Some((planned(resolved, &request.operator, &mut shared), vars))
        })
        .collect()
}

fn planned(host: ResolvedHost, operator: &Operator, shared: &mut SharedPaths) -> PlannedHost {
    let settings = host.settings;
    let limit =
        |setting: &Option<Sourced<TimeLimit>>| setting.as_ref().and_then(|limit| limit.value.duration());
    let address = settings.address.map_or_else(|| host.name.to_string(), |address| address.value);
    let mut deadlines = Deadlines::default();
    if let Some(timeout) = &settings.connect_timeout {
        deadlines.connect = timeout.value;
    }
    let endpoint = Endpoint {
        address: Arc::from(address.trim_start_matches('[').trim_end_matches(']')),
        name: host.name,
        port: settings.port.map_or(DEFAULT_PORT, |port| port.value),
        user: settings.user.map_or_else(|| Arc::from(operator.user.as_str()), |user| Arc::from(user.value)),
        identities: match &settings.identity {
            Some(files) => shared.paths(&files.value, operator),
            None => shared.default_identities(operator),
        },
        identities_only: settings.identities_only.is_some_and(|only| only.value),
        agent: agent(settings.agent.as_ref(), operator),
        known_hosts: match &settings.known_hosts {
            Some(files) => shared.paths(&files.value, operator),
            None => shared.default_known_hosts(operator),
        },
        deadlines,
        keepalive: match &settings.keepalive {
            None => Some(KEEPALIVE_INTERVAL),
            Some(interval) => interval.value.duration(),
        },
        retries: settings.retries.map_or(DEFAULT_RETRIES, |retries| retries.value),
        transport: settings.transport.map_or(Transport::Ssh, |transport| transport.value),
    };
    PlannedHost {
        endpoint,
        roles: host.roles,
        vars: Layer::default(),
        shell: settings.shell.map_or_else(|| Arc::from(DEFAULT_SHELL), |shell| Arc::from(shell.value)),
        env: settings.env.into_iter().map(|(name, value)| (name, value.value)).collect(),
        command_timeout: limit(&settings.command_timeout),
        idle_timeout: limit(&settings.idle_timeout),
    }
}

fn agent(setting: Option<&Sourced<AgentSetting>>, operator: &Operator) -> Agent {
    match setting.map(|setting| &setting.value) {
        Some(AgentSetting::Off) => Agent::Off,
        Some(AgentSetting::Socket(path)) => Agent::Socket { path: operator.path(path), required: true },
        Some(AgentSetting::Environment) | None => match &operator.agent_socket {
            Some(path) => Agent::Socket { path: path.clone(), required: false },
            None => Agent::Off,
        },
    }
}

/// Path lists that a thousand hosts have in common are stored once: the connector keys its caches by them.
#[derive(Default)]
struct SharedPaths {
    lists: std::collections::HashMap<Vec<PathBuf>, Arc<[PathBuf]>>,
}

impl SharedPaths {
    fn share(&mut self, paths: Vec<PathBuf>) -> Arc<[PathBuf]> {
        let list = self.lists.entry(paths).or_insert_with_key(|paths| Arc::from(paths.as_slice()));
        Arc::clone(list)
    }

    fn paths(&mut self, texts: &[String], operator: &Operator) -> Arc<[PathBuf]> {
        self.share(texts.iter().map(|text| operator.path(text)).collect())
    }

    fn default_identities(&mut self, operator: &Operator) -> Arc<[PathBuf]> {
        self.share(operator.default_identities.clone())
    }

    fn default_known_hosts(&mut self, operator: &Operator) -> Arc<[PathBuf]> {
        self.share(operator.default_known_hosts.iter().map(|path| Path::new(path).to_owned()).collect())
    }
}
