//! From settings to the endpoint that they describe: what the transport needs to know, fan's defaults filled in.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::planner::request::{Operator, Request};
use crate::engine::planner::ssh_config::Consulted;
use crate::model::endpoint::{Agent, Deadlines, Endpoint, KEEPALIVE_INTERVAL, NamedBy, Password, Whole};
use crate::model::host_key::{HostKeyRules, Pin};
use crate::model::inventory::{HostName, Inventory};
use crate::model::position::Diagnostic;
use crate::model::settings::{AgentSetting, GatewaySetting, Origin, Settings, Sourced, Transport};

/// Repeats of a connection attempt unless `retries` says otherwise.
const DEFAULT_RETRIES: u32 = 2;

/// SSH's port.
const DEFAULT_PORT: u16 = 22;

/// The gateways met so far, by the whole way to them: hosts with the same way share one endpoint.
pub(super) type KnownEndpoints = HashMap<String, Option<Arc<Endpoint>>>;

/// Plans one host after the other; what they share is made once.
pub(super) struct HostPlanner<'a> {
    pub(super) request: &'a Request,
    pub(super) inventory: &'a Inventory,
    /// For each host of the inventory, the indices of its roles.
    pub(super) roles: Vec<Vec<usize>>,
    pub(super) shared: SharedPaths,
    pub(super) known: KnownEndpoints,
    pub(super) problems: Vec<Diagnostic>,
    pub(super) warnings: Vec<Diagnostic>,
}

impl HostPlanner<'_> {
    /// Notes a problem, once: a thousand hosts may share it.
    pub(super) fn problem(&mut self, problem: Diagnostic) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Lays a host's settings over what OpenSSH's client configuration says about its name.
    pub(super) fn over_ssh_config(&mut self, name: &str, settings: Settings) -> Settings {
        let Consulted { settings: merged, errors, warnings } = self.request.ssh_config.under(name, settings);
        errors.into_iter().for_each(|error| self.problem(error));
        for warning in warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        merged
    }

    /// The endpoint that settings describe, without its gateway.
    pub(super) fn endpoint(&mut self, name: HostName, settings: Settings) -> Endpoint {
        let operator = &self.request.operator;
        let host_key = host_key(&settings, operator, &mut self.shared);
        let deadlines = deadlines(&settings);
        let (known_hosts, records_keys) = self.shared.known_hosts(&settings, operator);
        let transport = settings.transport.map_or(Transport::Ssh, |transport| transport.value);
        let user = settings.user.map(|user| user.value).or_else(|| operator.user.clone());
        let nameless = user.is_none() && transport == Transport::Ssh;
        let address = settings.address.map_or_else(|| name.place().to_owned(), |address| address.value);
        let endpoint = Endpoint {
            address: Arc::from(address.trim_start_matches('[').trim_end_matches(']')),
            name,
            port: settings.port.map_or(DEFAULT_PORT, |port| port.value),
            user: Arc::from(user.unwrap_or_default()),
            identities: match &settings.identity {
                Some(files) => self.shared.paths(&files.value, operator),
                None => self.shared.default_identities(operator),
            },
            identities_named: named_by(settings.identity.as_ref()),
            identities_only: settings.identities_only.is_some_and(|only| only.value),
            certificates: self
                .shared
                .paths(settings.certificates.as_ref().map_or(&[], |files| files.value.as_slice()), operator),
            certificates_named: named_by(settings.certificates.as_ref()),
            agent: agent(settings.agent.as_ref(), operator),
            forward_agent: settings.forward_agent.is_some_and(|forward| forward.value),
            password: settings.password.map(|source| Password::At(source.value)),
            known_hosts,
            records_keys,
            host_key,
            deadlines,
            keepalive: match &settings.keepalive {
                None => Some(KEEPALIVE_INTERVAL),
                Some(interval) => interval.value.duration(),
            },
            retries: settings.retries.map_or(DEFAULT_RETRIES, |retries| retries.value),
            transport,
            proxy_command: match settings.gateway.map(|gateway| gateway.value) {
                Some(GatewaySetting::Command(command)) => Some(Arc::from(command)),
                Some(GatewaySetting::Direct | GatewaySetting::Hops(_)) | None => None,
            },
            gateway: None,
        };
        if nameless {
            self.problem(
                Diagnostic::bare("no login name: set user")
                    .help("this machine has no user entry for you: set `user` in the inventory, or -u NAME"),
            );
        }
        endpoint
    }
}

/// A limit for the whole opening takes the place of those of its phases. A login that has one of its own keeps it,
/// but for the flag: who writes that waits before a terminal.
fn deadlines(settings: &Settings) -> Deadlines {
    let mut deadlines = Deadlines::default();
    let login = settings.auth_timeout.as_ref().map(|limit| limit.value);
    if let Some(Sourced { value: limit, origin }) = &settings.connect_timeout {
        (deadlines.connect, deadlines.handshake, deadlines.auth) = (*limit, *limit, *limit);
        let own_login = login.is_some() && !matches!(**origin, Origin::CommandLine(_));
        deadlines.whole = if own_login { Whole::UpToLogin(*limit) } else { Whole::UpToReady(*limit) };
    }
    deadlines.auth = login.unwrap_or(deadlines.auth);
    if let Some(limit) = &settings.session_timeout {
        deadlines.channel = limit.value;
    }
    deadlines
}

fn named_by<T>(setting: Option<&Sourced<T>>) -> NamedBy {
    match setting.map(|setting| &*setting.origin) {
        None => NamedBy::Nobody,
        Some(Origin::SshConfig(_)) => NamedBy::SshConfig,
        Some(
            Origin::Defaults(_)
            | Origin::Role(..)
            | Origin::Host(_)
            | Origin::Variable(..)
            | Origin::CommandLine(_),
        ) => NamedBy::User,
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

fn host_key(settings: &Settings, operator: &Operator, shared: &mut SharedPaths) -> HostKeyRules {
    let pins = settings.host_key.iter().flat_map(|pins| &pins.value);
    // Whoever read the setting refused what is no pin; kept as it stands, such a text matches no key.
    let pin = |text: &String| Pin::parse(text).unwrap_or_else(|_| Pin::Fingerprint(Arc::from(text.as_str())));
    let revoked = settings.revoked_host_keys.as_ref().map_or(&[][..], |files| files.value.as_slice());
    HostKeyRules {
        pins: pins.map(pin).collect(),
        policy: settings.host_keys.as_ref().map_or(operator.default_host_keys, |policy| policy.value),
        alias: settings.host_key_alias.as_ref().map(|alias| Arc::from(alias.value.as_str())),
        revoked: shared.paths(revoked, operator),
    }
}

/// Path lists that a thousand hosts have in common are stored once: the connector keys its caches by them.
#[derive(Default)]
pub(super) struct SharedPaths {
    lists: HashMap<Vec<PathBuf>, Arc<[PathBuf]>>,
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

    /// The project's file, then those that the settings name or OpenSSH would read; and whether new keys may be
    /// written to the first of them. Those of the whole machine are never written to.
    fn known_hosts(&mut self, settings: &Settings, operator: &Operator) -> (Arc<[PathBuf]>, bool) {
        let paths = |named: &Sourced<Vec<String>>| -> Vec<PathBuf> {
            named.value.iter().map(|text| operator.path(text)).collect()
        };
        let (own, shared) = match (&settings.known_hosts, &settings.shared_known_hosts) {
            (None, _) => (operator.default_known_hosts.clone(), operator.system_known_hosts.clone()),
            (Some(own), Some(shared)) if matches!(*own.origin, Origin::SshConfig(_)) => {
                (paths(own), paths(shared))
            }
            (Some(own), _) => (paths(own), Vec::new()),
        };
        let first = operator.project_known_hosts.as_ref().or(own.first());
        let records = first.is_some_and(|first| {
            first.as_path() != Path::new("/dev/null") && !operator.system_known_hosts.contains(first)
        });
        let files = operator.project_known_hosts.iter().cloned().chain(own).chain(shared).collect();
        (self.share(files), records)
    }
}
