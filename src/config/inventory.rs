//! `inventory.yaml` into `model::inventory`: hosts with ranges expanded and addresses zipped, roles, settings.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::compose::{YamlDialect, compose_as};
use crate::config::fields::{Schema, expected, flag, list, map, quote, text, texts};
use crate::config::findings::{Diagnostics, Findings, Loaded};
use crate::config::secret;
use crate::config::settings::{self, Owner, SettingsLayer};
use crate::config::tables::inventory as tables;
use crate::config::vars::written;
use crate::config::yaml::{Node, Scalar, YamlEntry};
use crate::model::inventory::{Host, HostName, Inventory, Role, RoleName};
use crate::model::name::{check_address, check_host_name, check_role_name};
use crate::model::position::{Diagnostic, Located, Position};
use crate::model::range::expand;
use crate::model::settings::Settings;
use crate::model::target::{TargetPlace, role_members, select};
use crate::model::written::WrittenVars;

pub(super) const FILE: Schema = Schema { known: &[tables::FILE], synonyms: &[("groups", "roles")] };
pub(super) const DEFAULTS: Schema = Schema { known: &[tables::SETTINGS], synonyms: settings::SYNONYMS };
pub(super) const HOST: Schema =
    Schema { known: &[tables::HOST, tables::SETTINGS], synonyms: settings::SYNONYMS };
pub(super) const ROLE: Schema =
    Schema { known: &[tables::ROLE, tables::SETTINGS], synonyms: settings::SYNONYMS };

/// Bytes that the entry of a range may take when it is copied for each of its hosts.
const MAX_COPIED: usize = 64 * 1024 * 1024;

/// A file of fan's, of which the YAML has been read and its meaning has not.
pub(super) struct InventoryFile {
    name: Arc<str>,
    root: Option<Node>,
    findings: Findings,
}

impl InventoryFile {
    /// Reads the YAML of a text; `name` stands for the file in messages and for relative paths.
    ///
    /// # Errors
    /// What keeps it from being read.
    pub(super) fn compose(name: &Arc<str>, text: &str) -> Result<Self, Diagnostics> {
        let mut findings = Findings::default();
        let root = compose_as(YamlDialect::OwnHosts, name, text, &mut findings);
        if root.is_none() && findings.any() {
            return Err(findings.take_errors());
        }
        Ok(Self { name: Arc::clone(name), root, findings })
    }

    /// What it says of other sources, which its reader has to read before it.
    pub(super) fn sources(&self) -> Option<&Node> {
        let Some(Node::Map(root)) = &self.root else { return None };
        root.entries.iter().find(|entry| &*entry.key.text == "sources").map(|entry| &entry.value)
    }

    /// The folder that its relative paths are relative to.
    pub(super) fn base(&self) -> PathBuf {
        Path::new(&*self.name).parent().map_or_else(PathBuf::new, Path::to_path_buf)
    }

    /// Reads it on top of what other sources said. Its ranges may expand to `max_hosts` hosts, those of the other
    /// sources included.
    ///
    /// What stands in both is merged: this file says the last word on each setting and variable, and a role of both has
    /// the hosts of both. Where the others are not whole (`is_whole`), as something is wrong with them, nothing is said of
    /// hosts that are missing.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn read(
        self,
        max_hosts: usize,
        below: Inventory,
        is_whole: bool,
    ) -> Result<Loaded<Inventory>, Diagnostics> {
        let base = self.base();
        let Self { name, root, findings } = self;
        let index = below.hosts.iter().enumerate().map(|(at, host)| (host.name.clone(), at)).collect();
        let mut reader = InventoryReader {
            base,
            max_hosts,
            silent: Arc::default(),
            findings,
            index,
            hosts_below: below.hosts.len(),
            own: HashMap::new(),
            full: false,
            is_whole,
            inventory: Inventory { file: name, ..below },
        };
        if let Some(root) = &root {
            reader.file(root);
        }
        reader.finish()
    }
}

struct InventoryReader {
    base: PathBuf,
    max_hosts: usize,
    /// The settings of hosts whose entries say nothing.
    silent: Arc<Settings>,
    findings: Findings,
    inventory: Inventory,
    /// Where a host stands in the inventory.
    index: HashMap<HostName, usize>,
    /// How many hosts other sources told of.
    hosts_below: usize,
    /// Hosts of other sources of which this file has something to say, with the place.
    own: HashMap<usize, Position>,
    /// There are more hosts than allowed, as was noted.
    full: bool,
    /// All hosts of other sources are there.
    is_whole: bool,
}

impl InventoryReader {
    fn file(&mut self, root: &Node) {
        let (mut roles, mut secrets) = (None, None);
        for entry in map(root, "a map with \"hosts\"", "key", &mut self.findings) {
            match &*entry.key.text {
                "vars" => self.inventory.vars.extend(written(&entry.value, &mut self.findings)),
                "defaults" => self.defaults(&entry.value),
                "hosts" => self.hosts(&entry.value),
                "default_targets" => {
                    self.inventory.default_targets = patterns(&entry.value, &mut self.findings);
                }
                "secrets" => secrets = Some(&entry.value),
                "roles" => roles = Some(&entry.value),
                // Read by now.
                "sources" => {}
                _ => FILE.refuse(&entry.key, &mut self.findings),
            }
        }
        // After the variables, with whose names theirs are compared.
        if let Some(node) = secrets {
            let vars = self.inventory.vars.values();
            let secrets = secret::secrets(node, &self.base, vars, &mut self.findings);
            self.inventory.secrets.extend(secrets);
        }
        // Roles come last, wherever they stand: a warning about them looks at the hosts.
        if let Some(roles) = roles {
            for entry in map(roles, "a map of roles", "role", &mut self.findings) {
                self.role(entry);
            }
        }
    }

    fn finish(mut self) -> Result<Loaded<Inventory>, Diagnostics> {
        // Patterns are matched only against a complete list of hosts; or they would be blamed wrongly.
        if !self.findings.any() && self.is_whole {
            let Inventory { file, hosts, roles, members, .. } = &mut self.inventory;
            if hosts.is_empty() {
                self.findings.push(
                    Diagnostic::bare(format!("{file}: no hosts defined"))
                        .help("name them below \"hosts:\", for example \"  web1: {address: 192.0.2.11}\""),
                );
            } else {
                match role_members(hosts, roles) {
                    Ok(found) => *members = found,
                    Err(errors) => errors.into_iter().for_each(|error| self.findings.push(error)),
                }
            }
        }
        self.check_default_targets();
        self.findings.finish(self.inventory)
    }

    /// The default targets mean hosts: whoever names a wrong one is told where.
    fn check_default_targets(&mut self) {
        let targets = self.inventory.default_targets.clone();
        if self.findings.any() || !self.is_whole || targets.is_empty() {
            return;
        }
        let known = self.inventory.hosts.len();
        let texts: Vec<&str> = targets.iter().map(|target| target.value.as_str()).collect();
        for error in select(&mut self.inventory, &texts, &[]).err().into_iter().flatten() {
            let at = match error.place {
                TargetPlace::Include(index) => targets.get(index),
                TargetPlace::Exclude(_) | TargetPlace::Selection => targets.first(),
            };
            let Some(Located { position, .. }) = at else { continue };
            let column = position.column.saturating_add(error.column).saturating_sub(1);
            let position = Position { column, ..position.clone() };
            self.findings.push(Diagnostic { help: error.help, ..Diagnostic::at(&position, error.message) });
        }
        // Hosts of no inventory that it names come when they are selected.
        self.inventory.hosts.truncate(known);
    }

    fn defaults(&mut self, node: &Node) {
        let mut layer =
            SettingsLayer { owner: Owner::Defaults, base: &self.base, settings: Settings::default() };
        for entry in map(node, "a map of settings", "setting", &mut self.findings) {
            if !layer.read(entry, &mut self.findings) {
                DEFAULTS.refuse(&entry.key, &mut self.findings);
            }
        }
        self.inventory.defaults.overlay(&layer.settings);
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
        let mut own = WrittenVars::default();
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
                ("vars", node) => own = written(node, &mut self.findings),
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
        let fresh = names.iter().filter(|name| self.hosts_below == 0 || !self.is_known(name)).count();
        if self.inventory.hosts.len() + fresh > self.max_hosts {
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

    fn is_known(&self, name: &str) -> bool {
        self.index.contains_key(&HostName(Arc::from(name)))
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
        vars: &WrittenVars,
    ) {
        let mut again = None;
        let shared = if *settings == Settings::default() {
            Arc::clone(&self.silent)
        } else {
            Arc::new(settings.clone())
        };
        for (number, name) in names.into_iter().enumerate() {
            let name = HostName(Arc::from(name));
            let known = self.index.get(&name).copied();
            if let Some(first) = known
                && (first >= self.hosts_below || self.own.contains_key(&first))
            {
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
            match known.and_then(|known| Some((known, self.inventory.hosts.get_mut(known)?))) {
                Some((known, host)) => {
                    Arc::make_mut(&mut host.settings).overlay(&settings);
                    host.vars.extend(vars.clone());
                    self.own.insert(known, key.position.clone());
                }
                None => {
                    self.index.insert(name.clone(), self.inventory.hosts.len());
                    let (vars, position) = (vars.clone(), key.position.clone());
                    self.inventory.hosts.push(Host { settings, vars, ..Host::new(name, position) });
                }
            }
        }
        if let Some((name, first)) = again {
            let host = self.inventory.hosts.get(first).map(|host| &host.position);
            let first = self.own.get(&first).or(host).map(|first| (first.line, first.column));
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
        let mut role = Role::new(name.clone());
        if let Node::Map(_) = entry.value {
            let mut layer =
                SettingsLayer { owner: Owner::Role(name), base: &self.base, settings: Settings::default() };
            for field in map(&entry.value, "a role", "field", findings) {
                match &*field.key.text {
                    "hosts" => role.members = patterns(&field.value, findings),
                    "roles" => role.roles = roles(&field.value, findings),
                    "vars" => role.vars = written(&field.value, findings),
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
        match self.inventory.role_index(role.name.as_str()) {
            Some(known) => {
                if let Some(known) = self.inventory.roles.get_mut(known) {
                    known.merge(role);
                }
            }
            None => self.inventory.roles.push(role),
        }
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
