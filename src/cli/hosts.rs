//! `fan hosts`: the selected hosts, and where each setting came from.

use std::fmt::{Display, Write};

use serde_json::json;

use crate::cli::args::Hosts;
use crate::cli::error::CliError;
use crate::cli::{context, print};
use crate::model::duration;
use crate::model::inventory::{Inventory, ResolvedHost};
use crate::model::outcome::ExitCode;
use crate::model::settings::{AgentSetting, Settings, Sourced, TimeLimit, Transport};
use crate::model::value::Value;

pub(super) fn run(args: &Hosts) -> Result<ExitCode, CliError> {
    let mut inventory = context::inventory(args.selection.inventory.as_deref(), args.selection.max_hosts)?;
    let selected = context::select_or_all(&mut inventory, &args.selection)?;
    let settings = context::settings(&args.connection)?;
    let hosts = resolve(&inventory, &selected, &settings);
    let text = if args.list {
        hosts.iter().map(|host| format!("{}\n", host.name)).collect()
    } else if args.json {
        format!("{:#}\n", Value::Array(hosts.iter().map(describe).collect()))
    } else {
        hosts.iter().map(show).collect()
    };
    print(&text)?;
    Ok(ExitCode::Ok)
}

fn resolve(inventory: &Inventory, selected: &[usize], settings: &Settings) -> Vec<ResolvedHost> {
    let roles = inventory.roles_of_hosts();
    selected
        .iter()
        .filter_map(|&index| {
            let roles = roles.get(index).map(Vec::as_slice).unwrap_or_default();
            Some(inventory.resolve(inventory.hosts.get(index)?, roles, settings))
        })
        .collect()
}

/// Every setting that somebody made: name, value, origin.
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
    let text = |value: &String| Value::from(value.as_str());
    let time = |value: &std::time::Duration| Value::from(duration::show(*value));
    let limit = |value: &TimeLimit| Value::from(value.duration().map_or("none".to_owned(), duration::show));
    row(&mut rows, "address", &settings.address, text);
    row(&mut rows, "port", &settings.port, |port| Value::from(*port));
    row(&mut rows, "user", &settings.user, text);
    row(&mut rows, "identity", &settings.identity, |files| json!(files));
    row(&mut rows, "identities_only", &settings.identities_only, |only| Value::from(*only));
    row(&mut rows, "agent", &settings.agent, |agent| match agent {
        AgentSetting::Off => Value::from(false),
        AgentSetting::Environment => Value::from(true),
        AgentSetting::Socket(path) => Value::from(path.as_str()),
    });
    row(&mut rows, "known_hosts", &settings.known_hosts, |files| json!(files));
    row(&mut rows, "host_key", &settings.host_key, |pins| json!(pins));
    row(&mut rows, "host_keys", &settings.host_keys, |policy| Value::from(policy.as_str()));
    row(&mut rows, "host_key_alias", &settings.host_key_alias, text);
    row(&mut rows, "revoked_host_keys", &settings.revoked_host_keys, |files| json!(files));
    row(&mut rows, "connect_timeout", &settings.connect_timeout, time);
    row(&mut rows, "command_timeout", &settings.command_timeout, limit);
    row(&mut rows, "idle_timeout", &settings.idle_timeout, limit);
    row(&mut rows, "keepalive", &settings.keepalive, limit);
    row(&mut rows, "retries", &settings.retries, |retries| Value::from(*retries));
    row(&mut rows, "shell", &settings.shell, text);
    row(&mut rows, "transport", &settings.transport, |transport| match transport {
        Transport::Ssh => Value::from("ssh"),
        Transport::Local => Value::from("local"),
    });
    for (name, value) in &settings.env {
        rows.push((format!("env.{name}"), Value::from(value.value.as_str()), value.origin.to_string()));
    }
    rows
}

fn describe(host: &ResolvedHost) -> Value {
    let settings: serde_json::Map<String, Value> = rows(&host.settings)
        .into_iter()
        .map(|(name, value, origin)| (name, json!({"value": value, "origin": origin})))
        .collect();
    json!({
        "name": host.name.as_str(),
        "roles": host.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
        "settings": settings,
        "vars": host.vars,
    })
}

fn show(host: &ResolvedHost) -> String {
    let mut text = format!("{}", host.name);
    if !host.roles.is_empty() {
        let roles: Vec<&str> = host.roles.iter().map(|role| role.as_str()).collect();
        let _ = write!(text, "  roles {}", roles.join(","));
    }
    text.push('\n');
    for (name, value, origin) in rows(&host.settings) {
        line(&mut text, &name, &plain(&value), &origin);
    }
    for (name, value) in &host.vars {
        line(&mut text, &format!("vars.{name}"), &plain(value), "");
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
