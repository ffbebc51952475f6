//! `fan init`: a first inventory and a first tasks file, commented. Nothing that is there is overwritten.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{self, Path};

use crate::cli::args::{InitArgs, InventoryArgs};
use crate::cli::error::CliError;
use crate::cli::print::print;
use crate::cli::{context, found};
use crate::model::count::counted;
use crate::model::inventory::Inventory;
use crate::model::name::check_role_name;
use crate::model::outcome::ExitCode;
use crate::model::position::Diagnostic;
use crate::model::range::{self, MAX_HOSTS};
use crate::model::settings::Settings;

/// Hosts of nobody (RFC 5737), for an inventory without others.
const EXAMPLE: &str = "  web[1-2]: {address: \"192.0.2.[11-12]\"} # web1 is 192.0.2.11, web2 is 192.0.2.12\n  db1: {address: 192.0.2.21, port: 2222}\n";

pub(super) fn run(args: &InitArgs) -> Result<ExitCode, CliError> {
    let folder = args.folder.clone().unwrap_or_default();
    let hosts = args.from.as_deref().map(source).transpose()?;
    let (inventory, tasks) = (folder.join(found::INVENTORY), folder.join(found::TASKS));
    let there: Vec<Diagnostic> = [&inventory, &tasks]
        .into_iter()
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| {
            Diagnostic::bare(format!("{} is there already", path.display()))
                .help("fan init overwrites nothing: name another folder")
        })
        .collect();
    if !there.is_empty() {
        return Err(CliError::Input(there));
    }
    if !folder.as_os_str().is_empty() {
        fs::create_dir_all(&folder).map_err(|source| failed(&folder, source))?;
    }
    write(&inventory, &inventory_text(hosts.as_ref()))?;
    write(&tasks, TASKS)?;
    let count = match &hosts {
        None => "example hosts: put yours in their place".to_owned(),
        Some(hosts) => {
            let left = left_out(hosts);
            let count = counted(hosts.hosts.len(), "host");
            if left.is_empty() {
                count
            } else {
                format!(
                    "{count}; not taken over: {} (`-i` with what it was made from takes all)",
                    left.join(", ")
                )
            }
        }
    };
    let within =
        if folder.as_os_str().is_empty() { String::new() } else { format!("cd {} && ", folder.display()) };
    print(&format!(
        "{}  {count}\n{}  three tasks to begin with\n\nnext: {within}fan check && fan ping -H all && fan hello\n",
        inventory.display(),
        tasks.display()
    ))?;
    Ok(ExitCode::Ok)
}

/// Writes a new file; one that came meanwhile is not overwritten either.
fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> CliError {
    CliError::Local { doing: format!("cannot write {}", path.display()), source }
}

/// The hosts and roles of a source.
fn source(text: &str) -> Result<Inventory, CliError> {
    let own = if text == "ssh:" { "ssh:~/.ssh/config" } else { text };
    let args = InventoryArgs {
        inventories: vec![own.to_owned()],
        vault_passwords: Vec::new(),
        stale_ok: None,
        refresh: false,
        max_hosts: MAX_HOSTS,
    };
    let inventory = context::inventory(&args)?;
    if inventory.hosts.is_empty() {
        return Err(CliError::input(format!("--from {text}: it names no hosts")));
    }
    Ok(inventory)
}

fn inventory_text(inventory: Option<&Inventory>) -> String {
    let Some(inventory) = inventory else {
        let roles = "  web: [\"web*\"]                # patterns of the names above\n  db: [db1]\n";
        return format!("{INVENTORY_HEAD}{EXAMPLE}{INVENTORY_ROLES}{roles}");
    };
    let (mut listed, mut roles) = (String::new(), String::new());
    let mut names: Vec<&str> = Vec::new();
    for host in &inventory.hosts {
        // A list may name a host with its login, and again without.
        let name = host.name.place();
        if names.contains(&name) {
            continue;
        }
        names.push(name);
        let settings = &host.settings;
        let address = settings.address.as_ref().map(|address| address.value.as_str());
        let settings: Vec<String> = [
            address.filter(|address| *address != name).map(|address| format!("address: {}", quoted(address))),
            settings.user.as_ref().map(|user| format!("user: {}", quoted(&user.value))),
            settings.port.as_ref().map(|port| format!("port: {}", port.value)),
            settings.identity.as_ref().map(|files| {
                let files: Vec<String> = files.value.iter().map(|file| quoted(&from_here(file))).collect();
                format!("identity: [{}]", files.join(", "))
            }),
        ]
        .into_iter()
        .flatten()
        .collect();
        let _ = writeln!(listed, "  {}: {{{}}}", quoted(name), settings.join(", "));
    }
    for (role, members) in inventory.roles.iter().zip(&inventory.members) {
        let hosts = members.iter().filter_map(|&at| inventory.hosts.get(at));
        let names: Vec<&str> = hosts.map(|host| host.name.place()).collect();
        if check_role_name(role.name.as_str()).is_ok() && !names.is_empty() {
            let _ = writeln!(roles, "  {}: [{:?}]", quoted(role.name.as_str()), range::fold(&names));
        }
    }
    if roles.is_empty() {
        roles.push_str("  all-hosts: [\"*\"]             # patterns of the names above: web: [\"web*\"]\n");
    }
    format!("{INVENTORY_HEAD}{listed}{INVENTORY_ROLES}{roles}")
}

/// A key file as it is found from any folder.
fn from_here(file: &str) -> String {
    if file.starts_with(['~', '/', '{', '%', '$']) {
        return file.to_owned();
    }
    path::absolute(file).map_or_else(|_| file.to_owned(), |path| path.display().to_string())
}

/// What a login may need, some host has, and is not written.
fn left_out(inventory: &Inventory) -> Vec<&'static str> {
    let any = |has: fn(&Settings) -> bool| inventory.hosts.iter().any(|host| has(&host.settings));
    [
        ("gateways", any(|settings| settings.gateway.is_some())),
        ("host_keys", any(|settings| settings.host_keys.is_some() || settings.host_key.is_some())),
        ("passwords", any(|settings| settings.password.is_some())),
        (
            "ways to become root",
            any(|settings| settings.sudo_password.is_some() || settings.sudo_method.is_some()),
        ),
    ]
    .into_iter()
    .filter_map(|(name, is)| is.then_some(name))
    .chain(inventory.hosts.iter().any(|host| !host.vars.values().is_empty()).then_some("variables"))
    .collect()
}

/// A text as YAML takes it for nothing else.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain);
    let is_word = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
        .contains(&text.to_ascii_lowercase().as_str());
    if is_name && !is_word { text.to_owned() } else { format!("{text:?}") }
}

const INVENTORY_HEAD: &str = "\
# Which hosts there are, and how they are reached: docs/inventory.md. ~/.ssh/config holds as well.

# Settings of every host. A host or a role may have its own.
defaults:
  connect_timeout: 10s
  # user: deploy
  # gateway: bastion             # a host below, or user@address:port

# Variables for tasks; roles and hosts may have their own.
vars:
  app: shop

hosts:
";

const INVENTORY_ROLES: &str = "
roles:
";

const TASKS: &str = "\
# What is done on the hosts: docs/tasks.md. `fan list` shows the tasks, `fan TASK --plan` what one would do.

tasks:
  hello:
    desc: Say hello from every host
    hosts: [all]
    params: {name: World} # fan hello:Jeff
    steps:
      - run: echo \"Hello {{ name }} from $(hostname)\"

  disk:
    desc: Warn where a disk is almost full
    hosts: [all]
    params: {percent: 90}
    steps:
      - run: df -P / | awk 'NR == 2 { print $5 + 0 }'
        register: used
      - assert: {that: \"used.stdout | int < percent\", message: \"{{ used.stdout }} % of / are used\"}

  restart:
    desc: Restart a service, one host first, then a quarter at a time
    hosts: [all]
    params: {service: null} # fan restart:nginx
    serial: [1, 25%]
    steps:
      - sudo: systemctl restart {{ service }}
      - run: systemctl is-active {{ service }}
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn what_is_written_is_read_back() {
        config::load_tasks_text("tasks.yaml", TASKS).unwrap();
        let read = |text: &str| config::load_inventory_text("inventory.yaml", text).unwrap().value;
        assert_eq!(read(&inventory_text(None)).hosts.len(), 3);
        let source = read(
            "hosts:\n  web[1-2]: {}\n  10.0.0.1: {user: no}\n  off: {address: 192.0.2.1, port: 2222}\n  1e3: {}\n\
             roles:\n  web: [\"web*\"]\n  yes: [off, 1e3]\n",
        );
        let again = read(&inventory_text(Some(&source)));
        let names = |inventory: &Inventory| {
            inventory.hosts.iter().map(|host| host.name.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&again), names(&source));
        assert_eq!(again.members, source.members);
        assert!(left_out(&source).is_empty());
        let keys = read("hosts: {a: {identity: [~/.ssh/id, keys/one], host_keys: accept-new}}\n");
        let text = inventory_text(Some(&keys));
        let here = path::absolute("keys/one").unwrap();
        assert!(
            text.contains(&format!("identity: [\"~/.ssh/id\", {:?}]", here.display().to_string())),
            "{text}"
        );
        assert_eq!(left_out(&keys), ["host_keys"]);
        let off = again.hosts.iter().find(|host| host.name.as_str() == "off").unwrap();
        assert_eq!(off.settings.port.as_ref().map(|port| port.value), Some(2222));
    }
}
