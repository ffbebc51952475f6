//! The settings of hosts, in `defaults:`, in a role and in a host's own entry: one set of fields, one reader.

use std::path::Path;
use std::time::Duration;

use crate::config::fields::{Schema, flag, integer, literal, map, quote, time_limit};
use crate::config::findings::Findings;
use crate::config::gateway::Hop;
use crate::config::places::{environment_name, resolved};
use crate::config::tables::inventory;
use crate::config::yaml::{Node, Scalar, YamlEntry};
use crate::config::{fields, host_keys, scalar, secret};
use crate::model::inventory::RoleName;
use crate::model::name::check_user_name;
use crate::model::position::Position;
use crate::model::privilege::Method;
use crate::model::secret::SecretSource;
use crate::model::settings::{
    AgentSetting, GatewaySetting, OnDisconnect, Origin, Settings, Sourced, TimeLimit, Transport,
};

/// What ssh_config and other tools call them.
pub(super) const SYNONYMS: &[(&str, &str)] = &[
    ("hostname", "address"),
    ("host", "address"),
    ("ip", "address"),
    ("ansible_host", "address"),
    ("ansible_port", "port"),
    ("username", "user"),
    ("login", "user"),
    ("ansible_user", "user"),
    ("remote_user", "user"),
    ("key", "identity"),
    ("private_key", "identity"),
    ("key_filename", "identity"),
    ("identity_file", "identity"),
    ("identityfile", "identity"),
    ("timeout", "command_timeout"),
    ("login_timeout", "auth_timeout"),
    ("environment", "env"),
    ("connection", "transport"),
    ("variables", "vars"),
    ("become", "sudo"),
    ("bastion", "gateway"),
    ("jump_host", "gateway"),
    ("proxy_jump", "gateway"),
    ("proxyjump", "gateway"),
    ("proxycommand", "proxy_command"),
    ("agent_forwarding", "forward_agent"),
    ("forwardagent", "forward_agent"),
    ("ansible_password", "password"),
    ("certificates", "certificate"),
    ("certificate_file", "certificate"),
    ("fingerprint", "host_key"),
    ("host_key_checking", "host_keys"),
    ("strict_host_key_checking", "host_keys"),
];

/// Most repeats of a connection attempt.
const MAX_RETRIES: u32 = 100;

/// Whose settings are read.
#[derive(Clone, Debug)]
pub(super) enum Owner {
    /// The `defaults:` of the inventory.
    Defaults,
    /// A role.
    Role(RoleName),
    /// A host, or the hosts of one range.
    Host,
}

/// Reads settings into one layer.
pub(super) struct SettingsLayer<'l> {
    /// Whose they are.
    pub(super) owner: Owner,
    /// The folder of the inventory file, against which relative paths are resolved.
    pub(super) base: &'l Path,
    /// What was read so far.
    pub(super) settings: Settings,
}

impl SettingsLayer<'_> {
    /// Reads a field if it is a setting; says whether it is.
    pub(super) fn read(&mut self, entry: &YamlEntry, findings: &mut Findings) -> bool {
        let (field, node) = (&*entry.key.text, &entry.value);
        let origin = self.origin(&entry.key.position);
        let settings = &mut self.settings;
        match field {
            "address" => match self.owner {
                Owner::Host => {
                    let text = literal(node, field, findings).and_then(|text| full(text, field, findings));
                    settings.address = sourced(text.map(|text| text.text.to_string()), origin);
                }
                Owner::Defaults | Owner::Role(_) => findings.error_help(
                    &entry.key.position,
                    "\"address\" belongs to one host",
                    "set it below the host's name in \"hosts\"",
                ),
            },
            "port" => {
                let port = integer(node, field, 1..=u32::from(u16::MAX), findings);
                settings.port = sourced(port.and_then(|port| u16::try_from(port).ok()), origin);
            }
            "user" => settings.user = sourced(user(node, findings), origin),
            "identity" => settings.identity = sourced(paths(node, field, self.base, findings), origin),
            "identities_only" => settings.identities_only = sourced(flag(node, field, findings), origin),
            "agent" => settings.agent = sourced(agent(node, self.base, findings), origin),
            "known_hosts" => settings.known_hosts = sourced(paths(node, field, self.base, findings), origin),
            "connect_timeout" => settings.connect_timeout = sourced(deadline(node, field, findings), origin),
            "auth_timeout" => settings.auth_timeout = sourced(deadline(node, field, findings), origin),
            "session_timeout" => settings.session_timeout = sourced(deadline(node, field, findings), origin),
            "command_timeout" => {
                settings.command_timeout = sourced(time_limit(node, field, findings), origin);
            }
            "idle_timeout" => settings.idle_timeout = sourced(time_limit(node, field, findings), origin),
            "keepalive" => settings.keepalive = sourced(time_limit(node, field, findings), origin),
            "retries" => {
                settings.retries = sourced(integer(node, field, 0..=MAX_RETRIES, findings), origin);
            }
            "shell" => settings.shell = sourced(shell(node, findings), origin),
            "env" => {
                for variable in map(node, "a map of environment variables", "variable", findings) {
                    if let Some((name, value)) = environment(variable, findings) {
                        settings.env.insert(name, Sourced::new(value, origin.clone()));
                    }
                }
            }
            "transport" => settings.transport = sourced(transport(node, findings), origin),
            "gateway" | "proxy_command" if settings.gateway.is_some() => findings.error_help(
                &entry.key.position,
                "\"gateway\" and \"proxy_command\" are two ways to the same host",
                "keep one of them",
            ),
            "gateway" => settings.gateway = sourced(gateway(node, findings), origin),
            "proxy_command" => settings.gateway = sourced(proxy_command(node, findings), origin),
            "forward_agent" => settings.forward_agent = sourced(flag(node, field, findings), origin),
            "password" => {
                settings.password = sourced(secret::source(node, field, self.base, findings), origin);
            }
            "certificate" => {
                settings.certificates = sourced(paths(node, field, self.base, findings), origin);
            }
            "host_key" => settings.host_key = sourced(host_keys::keys(node, findings), origin),
            "host_keys" => settings.host_keys = sourced(host_keys::policy(node, findings), origin),
            "host_key_alias" => settings.host_key_alias = sourced(host_keys::alias(node, findings), origin),
            "revoked_host_keys" => {
                settings.revoked_host_keys = sourced(paths(node, field, self.base, findings), origin);
            }
            "sudo" => {
                let sudo = sudo(node, self.base, findings);
                settings.sudo_user = sourced(sudo.user, origin.clone());
                settings.sudo_method = sourced(sudo.method, origin.clone());
                settings.sudo_password = sourced(sudo.password, origin);
            }
            "durable" => settings.durable = sourced(flag(node, field, findings), origin),
            "reattach" => settings.reattach = sourced(deadline(node, field, findings), origin),
            "on_disconnect" => settings.on_disconnect = sourced(on_disconnect(node, findings), origin),
            _ => return false,
        }
        true
    }

    fn origin(&self, at: &Position) -> Origin {
        match &self.owner {
            Owner::Defaults => Origin::Defaults(at.clone()),
            Owner::Role(name) => Origin::Role(name.clone(), at.clone()),
            Owner::Host => Origin::Host(at.clone()),
        }
    }
}

/// How to become another user.
#[derive(Default)]
pub(super) struct Sudo {
    user: Option<String>,
    pub(super) method: Option<Method>,
    pub(super) password: Option<SecretSource>,
}

impl Sudo {
    /// Reads one key of it.
    pub(super) fn read(&mut self, entry: &YamlEntry, base: &Path, findings: &mut Findings) {
        let (key, node) = (&*entry.key.text, &entry.value);
        match key {
            "user" => self.user = user(node, findings),
            "method" => {
                let words = Method::ALL.map(|method| (method.as_str(), method));
                self.method = fields::word(node, key, &words, findings);
            }
            "password" => self.password = secret::source(node, key, base, findings),
            _ => SUDO.refuse(&entry.key, findings),
        }
    }
}

pub(super) const SUDO: Schema = Schema {
    known: &[inventory::SUDO],
    synonyms: &[
        ("become_user", "user"),
        ("become_method", "method"),
        ("pass", "password"),
        ("with", "method"),
    ],
};

fn sudo(node: &Node, base: &Path, findings: &mut Findings) -> Sudo {
    let mut sudo = Sudo::default();
    if !matches!(node, Node::Map(_)) {
        findings.error_help(
            node.position(),
            "\"sudo\" of a host is a map of user, method and password",
            "steps that need sudo say so: \"sudo: true\"",
        );
        return sudo;
    }
    for entry in map(node, "a map of how", "key", findings) {
        sudo.read(entry, base, findings);
    }
    sudo
}

fn sourced<T>(value: Option<T>, origin: Origin) -> Option<Sourced<T>> {
    value.map(|value| Sourced::new(value, origin))
}

/// A text with something in it.
fn full<'s>(scalar: &'s Scalar, field: &str, findings: &mut Findings) -> Option<&'s Scalar> {
    if scalar.text.trim().is_empty() {
        findings.error(&scalar.position, format!("\"{field}\" is empty"));
        return None;
    }
    Some(scalar)
}

fn user(node: &Node, findings: &mut Findings) -> Option<String> {
    let scalar = literal(node, "user", findings)?;
    if let Err(message) = check_user_name(&scalar.text) {
        findings.error(&scalar.position, message);
        return None;
    }
    Some(scalar.text.to_string())
}

/// One path or a list of them.
fn paths(node: &Node, field: &str, base: &Path, findings: &mut Findings) -> Option<Vec<String>> {
    let mut path = |node: &Node| {
        let text = literal(node, field, findings).and_then(|text| full(text, field, findings))?;
        Some(resolved(base, &text.text))
    };
    if let Node::List(items) = node {
        let paths: Vec<_> = items.items.iter().filter_map(&mut path).collect();
        if items.items.is_empty() {
            findings.error_help(node.position(), format!("\"{field}\" is empty"), "remove it or name a file");
            return None;
        }
        return Some(paths);
    }
    Some(vec![path(node)?])
}

/// A deadline that every host has.
fn deadline(node: &Node, field: &str, findings: &mut Findings) -> Option<Duration> {
    match time_limit(node, field, findings)? {
        TimeLimit::After(limit) => Some(limit),
        TimeLimit::None => {
            findings.error_help(
                node.position(),
                format!("{field} cannot be none: a host that never answers would block the run"),
                "write a duration, for example 60s",
            );
            None
        }
    }
}

fn agent(node: &Node, base: &Path, findings: &mut Findings) -> Option<AgentSetting> {
    let scalar = literal(node, "agent", findings)?;
    match scalar::boolean(&scalar.text) {
        Some(true) => Some(AgentSetting::Environment),
        Some(false) => Some(AgentSetting::Off),
        None if scalar.text.contains('/') => Some(AgentSetting::Socket(resolved(base, &scalar.text))),
        None => {
            findings.error(
                &scalar.position,
                format!("\"agent\" must be true, false or the path of a socket, got {}", quote(&scalar.text)),
            );
            None
        }
    }
}

/// The name or path of an interpreter: it becomes a word of a command line, so it has to be a tame one.
fn shell(node: &Node, findings: &mut Findings) -> Option<String> {
    let scalar = literal(node, "shell", findings)?;
    let text = &*scalar.text;
    let tame = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+');
    if text.is_empty() || text.starts_with('-') || !text.chars().all(tame) {
        findings.error_help(
            &scalar.position,
            format!("\"shell\" must be a program without arguments, got {}", quote(text)),
            "for example sh, bash or /usr/local/bin/bash",
        );
        return None;
    }
    Some(text.to_owned())
}

fn environment(entry: &YamlEntry, findings: &mut Findings) -> Option<(String, String)> {
    let name = environment_name(&entry.key, findings);
    let value = literal(&entry.value, &entry.key.text, findings)?;
    Some((name?, value.text.to_string()))
}

/// `none`, one hop or several with commas as `ssh -J` takes them, or a list of hops.
fn gateway(node: &Node, findings: &mut Findings) -> Option<GatewaySetting> {
    if let Node::List(list) = node {
        if list.items.is_empty() {
            let help = "write \"gateway: none\" for a direct connection";
            findings.error_help(node.position(), "\"gateway\" is empty", help);
            return None;
        }
        let hops = list.items.iter().map(|item| hop(literal(item, "gateway", findings)?, None, findings));
        // All of them are read before one that is missing counts, so that each error is found.
        let hops: Vec<_> = hops.collect();
        return hops.into_iter().collect::<Option<_>>().map(GatewaySetting::Hops);
    }
    let scalar = literal(node, "gateway", findings)?;
    if &*scalar.text == "none" {
        return Some(GatewaySetting::Direct);
    }
    let hops: Vec<_> = scalar.text.split(',').map(|text| hop(scalar, Some(text.trim()), findings)).collect();
    hops.into_iter().collect::<Option<_>>().map(GatewaySetting::Hops)
}

/// A command for the local shell, or `none`. Its tokens depend on the host.
fn proxy_command(node: &Node, findings: &mut Findings) -> Option<GatewaySetting> {
    let scalar =
        literal(node, "proxy_command", findings).and_then(|text| full(text, "proxy_command", findings))?;
    Some(match &*scalar.text {
        "none" => GatewaySetting::Direct,
        command => GatewaySetting::Command(command.to_owned()),
    })
}

/// A hop: a whole text, or a part of one.
fn hop(scalar: &Scalar, part: Option<&str>, findings: &mut Findings) -> Option<String> {
    let text = part.unwrap_or(&scalar.text);
    if text == "none" {
        findings.error(&scalar.position, "\"none\" in \"gateway\" must be alone");
        return None;
    }
    let hop = Hop::parse(text).and_then(|hop| hop.check().map(|()| hop.to_string()));
    let help = "write the name of a host, or [user@]address[:port]";
    hop.map_err(|message| findings.error_help(&scalar.position, message, help)).ok()
}

fn on_disconnect(node: &Node, findings: &mut Findings) -> Option<OnDisconnect> {
    let scalar = literal(node, "on_disconnect", findings)?;
    match &*scalar.text {
        "leave" => Some(OnDisconnect::Leave),
        "kill" => Some(OnDisconnect::Kill),
        other => {
            let message = format!("\"on_disconnect\" must be leave or kill, got {}", quote(other));
            findings.error(&scalar.position, message);
            None
        }
    }
}

fn transport(node: &Node, findings: &mut Findings) -> Option<Transport> {
    let scalar = fields::text(node, "transport", findings)?;
    match &*scalar.text {
        "ssh" => Some(Transport::Ssh),
        "local" => Some(Transport::Local),
        other => {
            let message = format!("\"transport\" must be ssh or local, got {}", quote(other));
            findings.error(&scalar.position, message);
            None
        }
    }
}
