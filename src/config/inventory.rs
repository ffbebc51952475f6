//! `inventory.yaml` into `model::inventory`: hosts with ranges expanded and addresses zipped, roles, settings.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::compose::compose;
use crate::config::fields::{Schema, expected, flag, list, map, quote, text, texts};
use crate::config::findings::{Diagnostics, Findings, Loaded};
use crate::config::foreign::{WantedFile, recognised};
use crate::config::settings::{self, Owner, SettingsLayer};
use crate::config::tables::inventory as tables;
use crate::config::vars::{Braces, vars};
use crate::config::yaml::{Node, Scalar, YamlEntry};
use crate::config::{secret, source};
use crate::model::inventory::{Host, HostName, Inventory, Role, RoleName};
use crate::model::name::{check_address, check_host_name, check_role_name};
use crate::model::position::{Diagnostic, Located};
use crate::model::range::{MAX_HOSTS, expand};
use crate::model::secret::SecretSources;
use crate::model::settings::Settings;
use crate::model::target::role_members;
use crate::model::value::Vars;

pub(super) const FILE: Schema = Schema { known: &[tables::FILE], synonyms: &[("groups", "roles")] };
pub(super) const DEFAULTS: Schema = Schema { known: &[tables::SETTINGS], synonyms: settings::SYNONYMS };
pub(super) const HOST: Schema =
    Schema { known: &[tables::HOST, tables::SETTINGS], synonyms: settings::SYNONYMS };
pub(super) const ROLE: Schema =
    Schema { known: &[tables::ROLE, tables::SETTINGS], synonyms: settings::SYNONYMS };

/// Bytes that the entry of a range may take when it is copied for each of its hosts.
const MAX_COPIED: usize = 64 * 1024 * 1024;

/// Reads an inventory file.
///
/// Relative paths in it are relative to its folder; its ranges may expand to `max_hosts` hosts.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn load_inventory(path: &Path, max_hosts: usize) -> Result<Loaded<Inventory>, Diagnostics> {
    let source = source::read(path)?;
    read(Arc::clone(&source.name), &source.text, max_hosts).map_err(|problems| {
        recognised(&source.name, &source.text, WantedFile::Inventory).map_or(problems, Diagnostics::from)
    })
}

/// Reads an inventory from text; `name` stands for the file in messages and for relative paths.
///
/// # Errors
/// Everything that is wrong with the text.
pub fn load_inventory_text(name: &str, text: &str) -> Result<Loaded<Inventory>, Diagnostics> {
    read(Arc::from(name), text.strip_prefix('\u{feff}').unwrap_or(text), MAX_HOSTS)
}

fn read(file: Arc<str>, text: &str, max_hosts: usize) -> Result<Loaded<Inventory>, Diagnostics> {
    let mut findings = Findings::default();
    let root = compose(&file, text, &mut findings);
    if root.is_none() && findings.any() {
        return Err(findings.take_errors());
    }
    let base = Path::new(&*file).parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let mut reader = InventoryReader {
        base,
        max_hosts,
        silent: Arc::default(),
        findings,
        hosts: Vec::new(),
        index: HashMap::new(),
        full: false,
        roles: Vec::new(),
        vars: Vars::new(),
        secrets: SecretSources::new(),
        defaults: Settings::default(),
    };
    if let Some(root) = &root {
        reader.file(root);
    }
    reader.finish(file)
}

struct InventoryReader {
    base: PathBuf,
    max_hosts: usize,
    /// The settings of hosts whose entries say nothing.
    silent: Arc<Settings>,
    findings: Findings,
    hosts: Vec<Host>,
    /// Where a host stands in `hosts`.
    index: HashMap<HostName, usize>,
    /// There are more hosts than allowed, as was noted.
    full: bool,
    roles: Vec<Role>,
    vars: Vars,
    secrets: SecretSources,
    defaults: Settings,
}

impl InventoryReader {
    fn file(&mut self, root: &Node) {
        let (mut roles, mut secrets) = (None, None);
        for entry in map(root, "a map with \"hosts\"", "key", &mut self.findings) {
            match &*entry.key.text {
                "vars" => self.vars = vars(&entry.value, Braces::Template, &mut self.findings),
                "defaults" => self.defaults(&entry.value),
                "hosts" => self.hosts(&entry.value),
                "secrets" => secrets = Some(&entry.value),
                "roles" => roles = Some(&entry.value),
                _ => FILE.refuse(&entry.key, &mut self.findings),
            }
        }
        // After the variables, with whose names theirs are compared.
        if let Some(node) = secrets {
            self.secrets = secret::secrets(node, &self.base, &self.vars, &mut self.findings);
        }
        // Roles come last, wherever they stand: a warning about them looks at the hosts.
        if let Some(roles) = roles {
            for entry in map(roles, "a map of roles", "role", &mut self.findings) {
                self.role(entry);
            }
        }
    }

    fn finish(mut self, file: Arc<str>) -> Result<Loaded<Inventory>, Diagnostics> {
        let mut members = vec![Vec::new(); self.roles.len()];
        // Patterns are matched only against a complete list of hosts; or they would be blamed wrongly.
        if !self.findings.any() {
            if self.hosts.is_empty() {
                self.findings.push(
                    Diagnostic::bare(format!("{file}: no hosts defined"))
                        .help("name them below \"hosts:\", for example \"  web1: {address: 192.0.2.11}\""),
                );
            } else {
                match role_members(&self.hosts, &self.roles) {
                    Ok(found) => members = found,
                    Err(errors) => errors.into_iter().for_each(|error| self.findings.push(error)),
                }
            }
        }
        let Self { findings, hosts, roles, vars, secrets, defaults, .. } = self;
        findings.finish(Inventory { file, hosts, roles, members, vars, secrets, defaults })
    }

    fn defaults(&mut self, node: &Node) {
        let mut layer =
            SettingsLayer { owner: Owner::Defaults, base: &self.base, settings: Settings::default() };
        for entry in map(node, "a map of settings", "setting", &mut self.findings) {
            if !layer.read(entry, &mut self.findings) {
                DEFAULTS.refuse(&entry.key, &mut self.findings);
            }
        }
        self.defaults = layer.settings;
    }

    fn hosts(&mut self, node: &Node) {
        if let Node::Map(_) = node {
            for entry in map(node, "a map of hosts", "host", &mut self.findings) {
                self.host(&entry.key, Some(&entry.value));
            }
            return;
        }
        for item in list(node, "a list of hosts", &mut self.findings) {
            if let Node::Map(_) = item {
                let help = "write \"hosts\" as a map to give hosts settings: no \"- \" before the names";
                expected(item, "the name of a host", Some(help.to_owned()), &mut self.findings);
            } else if item.is_null() {
                self.findings.error(item.position(), "a host name is missing");
            } else if let Some(name) = text(item, "hosts", &mut self.findings) {
                self.host(name, None);
            }
        }
    }

    /// Reads one entry: a name or a pattern of names, and what all of them have in common.
    fn host(&mut self, key: &Scalar, value: Option<&Node>) {
        let mut layer = SettingsLayer { owner: Owner::Host, base: &self.base, settings: Settings::default() };
        let mut own = Vars::new();
        let mut address = None;
        let entries = value.map_or(&[][..], |node| match node {
            Node::Scalar(scalar) if !scalar.is_null() => {
                let help = format!("write {}: {{address: {}}}", key.text, scalar.text);
                expected(node, "a map of settings", Some(help), &mut self.findings);
                &[]
            }
            Node::Scalar(_) | Node::List(_) | Node::Map(_) | Node::Broken(_) => {
                map(node, "a map of settings", "setting", &mut self.findings)
            }
        });
        for entry in entries {
            match (&*entry.key.text, &entry.value) {
                ("vars", node) => own = vars(node, Braces::Template, &mut self.findings),
                ("address", Node::Scalar(scalar)) => {
                    layer.read(entry, &mut self.findings);
                    address = Some(scalar);
                }
                _ => {
                    if !layer.read(entry, &mut self.findings) {
                        HOST.refuse(&entry.key, &mut self.findings);
                    }
                }
            }
        }
        let settings = layer.settings;
        let Some(names) = self.expand(key) else { return };
        if value.map_or(0, Node::weight).saturating_mul(names.len()) > MAX_COPIED {
            self.findings.error_help(
                &key.position,
                format!("{} is too large to be repeated for {} hosts", quote(&key.text), names.len()),
                "move variables to a role or to the \"vars\" of the file",
            );
            return;
        }
        if address.is_none()
            && let Some(message) = names.iter().find_map(|name| check_address(name).err())
        {
            // The name is what will be dialled.
            self.findings.error(&key.position, message);
            return;
        }
        let addresses = match address {
            Some(scalar) if settings.address.is_some() => self.addresses(scalar, key, names.len()),
            Some(_) | None => Vec::new(),
        };
        self.add(key, names, &addresses, &settings, &own);
    }

    /// Expands a pattern of host names, unless that makes too many hosts.
    fn expand(&mut self, key: &Scalar) -> Option<Vec<String>> {
        let names = self.pattern(key)?;
        if self.hosts.len() + names.len() > self.max_hosts {
            if !self.full {
                self.full = true;
                let message = format!("more than {} hosts", self.max_hosts);
                self.findings.error_help(&key.position, message, "raise the limit with --max-hosts");
            }
            return None;
        }
        for name in &names {
            if let Err(message) = check_host_name(name) {
                // One is enough: the others have the same letters.
                self.findings.error(&key.position, message);
                return None;
            }
        }
        Some(names)
    }

    fn pattern(&mut self, scalar: &Scalar) -> Option<Vec<String>> {
        expand(&scalar.text, self.max_hosts)
            .map_err(|error| {
                let at = scalar.place(1, Some(error.column));
                self.findings.push(Diagnostic { help: error.help, ..Diagnostic::at(&at, error.message) });
            })
            .ok()
    }

    /// The addresses of a range's hosts, one each: a range of the same length, or one address for all.
    fn addresses(&mut self, scalar: &Scalar, key: &Scalar, hosts: usize) -> Vec<String> {
        let text = &*scalar.text;
        // A bracket in front is an IPv6 address in the notation of URLs, which the check explains.
        let is_range = text.contains(['[', '/']) && !text.starts_with('[');
        let addresses =
            if is_range { self.pattern(scalar).unwrap_or_default() } else { vec![text.to_owned()] };
        for address in &addresses {
            if let Err(message) = check_address(address) {
                self.findings.error(&scalar.position, message);
                return Vec::new();
            }
        }
        if is_range && !addresses.is_empty() && addresses.len() != hosts {
            self.findings.error_help(
                &scalar.position,
                format!(
                    "{} is {}, but its address is {}",
                    quote(&key.text),
                    counted(hosts, "host", "hosts"),
                    counted(addresses.len(), "address", "addresses")
                ),
                "both ranges must have the same length",
            );
            return Vec::new();
        }
        addresses
    }

    fn add(
        &mut self,
        key: &Scalar,
        names: Vec<String>,
        addresses: &[String],
        settings: &Settings,
        vars: &Vars,
    ) {
        let mut again = None;
        let shared = if *settings == Settings::default() {
            Arc::clone(&self.silent)
        } else {
            Arc::new(settings.clone())
        };
        for (number, name) in names.into_iter().enumerate() {
            let name = HostName(Arc::from(name));
            if let Some(&first) = self.index.get(&name) {
                // One message for an entry, however many names of its range are taken.
                again.get_or_insert((name, first));
                continue;
            }
            let mut settings = Arc::clone(&shared);
            let address = addresses.get(number).or_else(|| addresses.first());
            if let Some(address) = address
                && let Some(slot) = &mut Arc::make_mut(&mut settings).address
            {
                slot.value.clone_from(address);
            }
            self.index.insert(name.clone(), self.hosts.len());
            self.hosts.push(Host { name, settings, vars: vars.clone(), position: key.position.clone() });
        }
        if let Some((name, first)) = again {
            let first = self.hosts.get(first).map(|host| (host.position.line, host.position.column));
            let (line, column) = first.unwrap_or_default();
            self.findings.error(
                &key.position,
                format!("duplicate host {} (first at {line}:{column})", quote(name.as_str())),
            );
        }
    }

    fn role(&mut self, entry: &YamlEntry) {
        let key = &entry.key;
        if let Err(message) = check_role_name(&key.text) {
            self.findings.error(&key.position, message);
        }
        let name = RoleName(Arc::clone(&key.text));
        if self.index.contains_key(&HostName(Arc::clone(&key.text))) {
            let name = quote(&key.text);
            self.findings.warn(Diagnostic::at(&key.position, format!("role {name} has the name of a host")));
        }
        let findings = &mut self.findings;
        let mut role = Role {
            name: name.clone(),
            members: Vec::new(),
            roles: Vec::new(),
            settings: Settings::default(),
            vars: Vars::new(),
            protect: false,
        };
        if let Node::Map(_) = entry.value {
            let mut layer =
                SettingsLayer { owner: Owner::Role(name), base: &self.base, settings: Settings::default() };
            for field in map(&entry.value, "a role", "field", findings) {
                match &*field.key.text {
                    "hosts" => role.members = patterns(&field.value, findings),
                    "roles" => role.roles = roles(&field.value, findings),
                    "vars" => role.vars = vars(&field.value, Braces::Template, findings),
                    "protect" => role.protect = flag(&field.value, "protect", findings).unwrap_or_default(),
                    _ => {
                        if !layer.read(field, findings) {
                            ROLE.refuse(&field.key, findings);
                        }
                    }
                }
            }
            role.settings = layer.settings;
        } else {
            role.members = patterns(&entry.value, findings);
        }
        self.roles.push(role);
    }
}

/// Target expressions with their places.
pub(super) fn patterns(node: &Node, findings: &mut Findings) -> Vec<Located<String>> {
    let patterns = texts(node, "hosts", "a list of hosts", findings);
    patterns.into_iter().map(|text| Located::new(text.text.to_string(), text.start.clone())).collect()
}

/// Names of roles with their places.
pub(super) fn roles(node: &Node, findings: &mut Findings) -> Vec<Located<RoleName>> {
    let names = texts(node, "roles", "a list of roles", findings);
    names.into_iter().map(|text| Located::new(RoleName(Arc::clone(&text.text)), text.start.clone())).collect()
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
