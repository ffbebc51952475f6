//! `fan hosts`: the selected hosts, and where each setting came from.

use std::collections::{HashMap, HashSet};
use std::fmt::{Display, Write};

use serde_json::json;

use crate::cli::args::HostsArgs;
use crate::cli::error::{CliError, talk};
use crate::cli::print::print;
use crate::cli::{context, snippet};
use crate::engine::planner::SshConfigSource;
use crate::model::duration;
use crate::model::inventory::{HostName, Inventory, ResolvedHost};
use crate::model::outcome::ExitCode;
use crate::model::position::{Diagnostic, Position};
use crate::model::redact::Redactor;
use crate::model::secret::SecretSource;
use crate::model::settings::{
    AgentSetting, GatewaySetting, OnDisconnect, Settings, Sourced, TimeLimit, Transport,
};
use crate::model::target::role_spelled;
use crate::model::value::Value;
use crate::model::written::WrittenVars;

pub(super) fn run(args: &HostsArgs) -> Result<ExitCode, CliError> {
    let mut inventory = context::inventory(&args.selection.source)?;
    for source in &inventory.cached {
        talk(&format!("{}: its answer of {} ago, from the cache", source.name, duration::show(source.age)));
    }
    let selected = context::select_or_all(&mut inventory, &args.selection)?;
    if args.list {
        return names(&inventory, &selected);
    }
    let mut settings = context::settings(&args.connection)?;
    context::limit(&mut settings, &args.limit);
    context::ask_for_sudo(&mut settings, &args.sudo_password);
    let ssh_config = context::ssh_config(&args.connection)?;
    let defaults = DefaultTargets::of(&mut inventory, args.selection.source.max_hosts)?;
    let (hosts, errors) = resolve(&inventory, &selected, &settings, &ssh_config);
    let text = if args.json {
        format!("{:#}\n", Value::Array(hosts.iter().map(|host| describe(host, &defaults)).collect()))
    } else {
        hosts.iter().map(|host| show(host, &defaults)).collect()
    };
    // What was encrypted in the inventory stays hidden.
    print(&Redactor::new(&inventory.hidden).redact(&text))?;
    // Shown all the same: whoever looks for a mistake wants to see the rest.
    if errors.is_empty() { Ok(ExitCode::Ok) } else { Err(CliError::Input(errors)) }
}

/// Prints names, which need no settings.
fn names(inventory: &Inventory, selected: &[usize]) -> Result<ExitCode, CliError> {
    let hosts = selected.iter().filter_map(|&index| inventory.hosts.get(index));
    let text: String = hosts.clone().flat_map(|host| [host.name.as_str(), "\n"]).collect();
    print(&text)?;
    // Many hosts share a line.
    let mut errors: Vec<Diagnostic> = Vec::new();
    for problem in hosts.flat_map(|host| &host.problems) {
        if !errors.contains(problem) {
            errors.push(problem.clone());
        }
    }
    if errors.is_empty() { Ok(ExitCode::Ok) } else { Err(CliError::Input(errors)) }
}

/// A host with all layers of its settings and variables.
struct ShownHost {
    host: ResolvedHost,
    /// Where each variable was written.
    places: HashMap<String, Position>,
}

/// The hosts that tasks and commands run on which name none, and where the inventory says so.
struct DefaultTargets {
    hosts: HashSet<HostName>,
    origin: String,
}

impl DefaultTargets {
    fn of(inventory: &mut Inventory, max_hosts: usize) -> Result<Self, CliError> {
        let found = context::default_targets(inventory, max_hosts)?;
        let names = found.iter().filter_map(|&at| inventory.hosts.get(at)).map(|host| host.name.clone());
        let first = inventory.default_targets.first().map(|target| &target.position);
        let origin = first.map(|at| format!("{}:{}", at.file, at.line)).unwrap_or_default();
        Ok(Self { hosts: names.collect(), origin })
    }

    /// Where it is said that a host is one of them.
    fn origin(&self, host: &ResolvedHost) -> Option<&str> {
        self.hosts.contains(&host.name).then_some(self.origin.as_str())
    }
}

/// The hosts with all layers of their settings, and what makes some of them unusable. Warnings are told.
fn resolve(
    inventory: &Inventory,
    selected: &[usize],
    settings: &Settings,
    ssh_config: &SshConfigSource,
) -> (Vec<ShownHost>, Vec<Diagnostic>) {
    let roles = inventory.roles_of_hosts();
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    let mut hosts = Vec::new();
    for &index in selected {
        let Some(host) = inventory.hosts.get(index) else { continue };
        let roles = roles.get(index).map(Vec::as_slice).unwrap_or_default();
        let written = inventory.layers(host, roles).flat_map(WrittenVars::iter);
        let places = written.map(|(name, _, at)| (name.to_owned(), at.clone())).collect();
        let unusable = host.problems.iter().filter(|problem| !errors.contains(*problem));
        let unusable: Vec<Diagnostic> = unusable.cloned().collect();
        errors.extend(unusable);
        let host = inventory.resolve(host, roles, settings);
        let consulted = ssh_config.under(host.name.place(), host.settings);
        hosts.push(ShownHost { host: ResolvedHost { settings: consulted.settings, ..host }, places });
        // Many hosts share a line.
        errors
            .extend(consulted.errors.into_iter().filter(|error| !errors.contains(error)).collect::<Vec<_>>());
        for warning in consulted.warnings {
            if !warnings.contains(&warning) {
                snippet::tell(&warning);
                warnings.push(warning);
            }
        }
    }
    (hosts, errors)
}

/// Every setting that someone made: name, value, origin.
fn rows(settings: &Settings) -> Vec<(String, Value, String)> {
    let mut rows = Vec::new();
    fn row<T>(
        rows: &mut Vec<(String, Value, String)>,
        name: &str,
        set: &Option<Sourced<T>>,
        show: impl Fn(&T) -> Value,
    ) {
        if let Some(set) = set {
            rows.push((name.to_owned(), show(&set.value), set.origin.to_string()));
        }
    }
    // Taken apart as a whole: a setting that nobody would see does not compile.
    let Settings {
        env,
        address,
        port,
        user,
        identity,
        identities_only,
        agent,
        certificates,
        forward_agent,
        password: login_password,
        sudo_user,
        sudo_method,
        sudo_password,
        gateway,
        known_hosts,
        shared_known_hosts,
        host_key,
        host_keys,
        host_key_alias,
        revoked_host_keys,
        connect_timeout,
        auth_timeout,
        session_timeout,
        command_timeout,
        idle_timeout,
        keepalive,
        retries,
        on_disconnect,
        durable,
        reattach,
        shell,
        transport,
    } = settings;
    let text = |value: &String| Value::from(value.as_str());
    let time = |value: &std::time::Duration| Value::from(duration::show(*value));
    let limit = |value: &TimeLimit| Value::from(value.duration().map_or("none".to_owned(), duration::show));
    row(&mut rows, "address", address, text);
    row(&mut rows, "port", port, |port| Value::from(*port));
    row(&mut rows, "user", user, text);
    row(&mut rows, "identity", identity, |files| json!(files));
    row(&mut rows, "identities_only", identities_only, |only| Value::from(*only));
    row(&mut rows, "agent", agent, |agent| match agent {
        AgentSetting::Off => Value::from(false),
        AgentSetting::Environment => Value::from(true),
        AgentSetting::Socket(path) => Value::from(path.as_str()),
    });
    row(&mut rows, "certificate", certificates, |files| json!(files));
    row(&mut rows, "forward_agent", forward_agent, |forward| Value::from(*forward));
    row(&mut rows, "password", login_password, |source| Value::from(password(source)));
    row(&mut rows, "sudo.user", sudo_user, text);
    row(&mut rows, "sudo.method", sudo_method, |method| Value::from(method.as_str()));
    row(&mut rows, "sudo.password", sudo_password, |source| Value::from(password(source)));
    let by_command = |way: &Sourced<GatewaySetting>| matches!(way.value, GatewaySetting::Command(_));
    let name = if gateway.as_ref().is_some_and(by_command) { "proxy_command" } else { "gateway" };
    row(&mut rows, name, gateway, |gateway| match gateway {
        GatewaySetting::Direct => Value::from("none"),
        GatewaySetting::Hops(hops) => Value::from(hops.join(",")),
        GatewaySetting::Command(command) => text(command),
    });
    row(&mut rows, "known_hosts", known_hosts, |files| json!(files));
    row(&mut rows, "known_hosts.shared", shared_known_hosts, |files| json!(files));
    row(&mut rows, "host_key", host_key, |pins| json!(pins));
    row(&mut rows, "host_keys", host_keys, |policy| Value::from(policy.as_str()));
    row(&mut rows, "host_key_alias", host_key_alias, text);
    row(&mut rows, "revoked_host_keys", revoked_host_keys, |files| json!(files));
    row(&mut rows, "connect_timeout", connect_timeout, time);
    row(&mut rows, "auth_timeout", auth_timeout, time);
    row(&mut rows, "session_timeout", session_timeout, time);
    row(&mut rows, "command_timeout", command_timeout, limit);
    row(&mut rows, "idle_timeout", idle_timeout, limit);
    row(&mut rows, "keepalive", keepalive, limit);
    row(&mut rows, "retries", retries, |retries| Value::from(*retries));
    row(&mut rows, "on_disconnect", on_disconnect, |then| match then {
        OnDisconnect::Leave => Value::from("leave"),
        OnDisconnect::Kill => Value::from("kill"),
    });
    row(&mut rows, "durable", durable, |durable| Value::from(*durable));
    row(&mut rows, "reattach", reattach, time);
    row(&mut rows, "shell", shell, text);
    row(&mut rows, "transport", transport, |transport| match transport {
        Transport::Ssh => Value::from("ssh"),
        Transport::Local => Value::from("local"),
    });
    for (name, value) in env {
        rows.push((format!("env.{name}"), Value::from(value.value.as_str()), value.origin.to_string()));
    }
    rows
}

/// Where a password comes from. A command is not shown: it may have a secret among its words.
fn password(source: &SecretSource) -> String {
    match source {
        SecretSource::Env(name) => format!("env {name}"),
        SecretSource::File(path) => format!("file {path}"),
        SecretSource::Command(_) => "command".to_owned(),
        SecretSource::Prompt(_) => "prompt".to_owned(),
        SecretSource::Written(secret) => secret.to_string(),
    }
}

fn describe(ShownHost { host, places }: &ShownHost, defaults: &DefaultTargets) -> Value {
    let origins: serde_json::Map<String, Value> = host
        .vars
        .keys()
        .filter_map(|name| Some((name.clone(), Value::from(places.get(name)?.to_string()))))
        .collect();
    let settings: serde_json::Map<String, Value> = rows(&host.settings)
        .into_iter()
        .map(|(name, value, origin)| (name, json!({"value": value, "origin": origin})))
        .collect();
    json!({
        "name": host.name.as_str(),
        "roles": host.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
        "default_target": defaults.origin(host),
        "settings": settings,
        "vars": host.vars,
        "vars_origin": origins,
    })
}

fn show(ShownHost { host, places }: &ShownHost, defaults: &DefaultTargets) -> String {
    let mut text = format!("{}", host.name);
    if !host.roles.is_empty() {
        let roles: Vec<_> = host.roles.iter().map(|role| role_spelled(role.as_str())).collect();
        let _ = write!(text, "  roles {}", roles.join(","));
    }
    if let Some(origin) = defaults.origin(host) {
        let _ = write!(text, "  default target ({origin})");
    }
    text.push('\n');
    for (name, value, origin) in rows(&host.settings) {
        line(&mut text, &name, &plain(&value), &origin);
    }
    for (name, value) in &host.vars {
        let place = places.get(name).map(ToString::to_string).unwrap_or_default();
        line(&mut text, &format!("vars.{name}"), &plain(value), place);
    }
    text
}

fn line(text: &mut String, name: &str, value: &str, origin: impl Display) {
    let line = format!("  {name:16} {value:32} {origin}");
    let _ = writeln!(text, "{}", line.trim_end());
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
