//! The inventory: hosts and roles with their settings and variables, and one host resolved.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::model::position::{Diagnostic, Located, Position};
use crate::model::secret::{Secret, SecretSource, SecretSources};
use crate::model::settings::{Origin, Settings, Sourced};
use crate::model::value::{Value, Vars};
use crate::model::written::WrittenVars;

pub use crate::model::host_name::{HostName, RoleName};

/// A host of the inventory, ranges already expanded.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its unique name.
    pub name: HostName,
    /// Settings of its own entry. Shared where hosts say the same, most often nothing: ten thousand of them
    /// would take tens of megabytes.
    pub settings: Arc<Settings>,
    /// Variables of its own entry.
    pub vars: WrittenVars,
    /// Where its entry stands.
    pub position: Position,
    /// Why it cannot be used: what another tool says of it, and fan cannot do. Only an error for those who select it.
    pub problems: Vec<Diagnostic>,
}

/// A role: a named group of hosts with settings and variables of its own.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its unique name.
    pub name: RoleName,
    /// Who belongs to it: target expressions, and other roles.
    pub members: Vec<Located<String>>,
    /// Who belongs to it by name, as ascending indices: groups of other tools name hosts one by one.
    pub named: Vec<usize>,
    /// Its hosts in the order in which templates have them (`groups`), where that is not the inventory's: another tool's
    /// first host of a group is the one that it names first.
    pub in_order: Vec<usize>,
    /// Roles whose hosts belong to it too.
    pub roles: Vec<Located<RoleName>>,
    /// Settings for its hosts.
    pub settings: Settings,
    /// Variables for its hosts.
    pub vars: WrittenVars,
    /// Its hosts are not changed until the user has typed its name.
    pub protect: bool,
}

/// A loaded inventory: every reference resolved, every range expanded.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// The file it was read from, for messages.
    pub file: Arc<str>,
    /// Hosts, in file order.
    pub hosts: Vec<Host>,
    /// Roles, in file order.
    pub roles: Vec<Role>,
    /// For each role, in the order of `roles`: its hosts as ascending indices into `hosts`.
    pub members: Vec<Vec<usize>>,
    /// The lists of hosts that the command line has named (`^FILE`): ascending indices into `hosts`.
    pub lists: BTreeMap<String, Vec<usize>>,
    /// Variables of every host.
    pub vars: WrittenVars,
    /// Variables that stand above those of all roles and below those of hosts, lowest first: those of Ansible's
    /// `group_vars`.
    pub above_roles: Vec<GroupVars>,
    /// Its variables may be templates of another dialect: one that cannot be filled in is an error where it is used.
    pub is_foreign: bool,
    /// The files of other tools that hosts stand in, by the names that positions have of them: their whole paths.
    pub files: BTreeMap<Arc<str>, Arc<str>>,
    /// Secrets of every task that runs on its hosts.
    pub secrets: SecretSources,
    /// Settings of every host.
    pub defaults: Settings,
    /// Values that are not to be shown: they were encrypted.
    pub hidden: Vec<Secret>,
    /// Target expressions for what names no hosts itself; each is known to mean some.
    pub default_targets: Vec<Located<String>>,
    /// Sources whose hosts are not of this moment.
    pub cached: Vec<CachedSource>,
    /// The commands that were run to hear of its hosts, as lines.
    pub ran: Vec<String>,
}

/// A source whose last answer was taken instead of a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedSource {
    /// As messages name it.
    pub name: Arc<str>,
    /// How old the answer is.
    pub age: Duration,
}

/// Variables of a role's hosts, or of all.
#[derive(Clone, Debug)]
pub struct GroupVars {
    /// The role, as an index; none for every host.
    pub role: Option<usize>,
    /// The variables.
    pub vars: WrittenVars,
}

/// One host with everything the inventory and the command line say about it.
#[derive(Clone, Debug)]
pub struct ResolvedHost {
    /// Its name.
    pub name: HostName,
    /// The roles it belongs to, in file order.
    pub roles: Vec<RoleName>,
    /// All layers of settings merged, lowest first: defaults, roles, host, command line.
    pub settings: Settings,
    /// Variables merged the same way: inventory, roles, host.
    pub vars: Vars,
}

impl Inventory {
    /// An inventory without hosts, for commands that name hosts ad hoc.
    pub fn empty() -> Self {
        Self {
            file: Arc::from("(no inventory)"),
            hosts: Vec::new(),
            roles: Vec::new(),
            members: Vec::new(),
            lists: BTreeMap::new(),
            vars: WrittenVars::default(),
            above_roles: Vec::new(),
            is_foreign: false,
            files: BTreeMap::new(),
            secrets: SecretSources::new(),
            defaults: Settings::default(),
            hidden: Vec::new(),
            default_targets: Vec::new(),
            cached: Vec::new(),
            ran: Vec::new(),
        }
    }

    /// Where the sources of its passwords stand, each at its first place.
    pub fn password_places(&self) -> HashMap<SecretSource, Position> {
        let hosts = self.hosts.iter().map(|host| &*host.settings);
        let all =
            std::iter::once(&self.defaults).chain(self.roles.iter().map(|role| &role.settings)).chain(hosts);
        let mut places = HashMap::new();
        for Sourced { value, origin } in all.flat_map(|it| it.password.iter().chain(&it.sudo_password)) {
            if let Some(at) = origin.position() {
                places.entry(value.clone()).or_insert_with(|| at.clone());
            }
        }
        places
    }

    /// The index of a host by name.
    pub fn host_index(&self, name: &str) -> Option<usize> {
        self.hosts.iter().position(|host| host.name.as_str() == name)
    }

    /// The index of a role by name.
    pub fn role_index(&self, name: &str) -> Option<usize> {
        self.roles.iter().position(|role| role.name.as_str() == name)
    }

    /// For each host, the indices of its roles in file order.
    pub fn roles_of_hosts(&self) -> Vec<Vec<usize>> {
        let mut roles = vec![Vec::new(); self.hosts.len()];
        for (role, members) in self.members.iter().enumerate() {
            for &host in members {
                if let Some(list) = roles.get_mut(host) {
                    list.push(role);
                }
            }
        }
        roles
    }

    /// The protected roles that some hosts belong to, given by name with the address that is dialled, and those hosts.
    ///
    /// A host of no inventory belongs to a role when one of the role's hosts has the same name or address:
    /// `root@192.0.2.1` is no way around it, and neither is a name that ssh_config leads there. Ports and gateways are
    /// not compared, since a question too many is the lesser evil.
    pub fn protected(&self, dialled: &HashMap<&str, &str>) -> Vec<(&RoleName, Vec<&HostName>)> {
        let mut found = Vec::new();
        for (role, members) in self.roles.iter().zip(&self.members).filter(|(role, _)| role.protect) {
            let addresses: HashSet<&str> =
                members.iter().filter_map(|&host| self.hosts.get(host)).map(address_of).collect();
            let belongs = |(index, host): &(usize, &Host)| {
                let there =
                    dialled.get(host.name.as_str()).is_some_and(|address| addresses.contains(address));
                members.binary_search(index).is_ok()
                    || (is_ad_hoc(host) && (there || addresses.contains(host.name.place())))
            };
            let hosts =
                self.hosts.iter().enumerate().filter(|(_, host)| dialled.contains_key(host.name.as_str()));
            let hosts: Vec<_> = hosts.filter(belongs).map(|(_, host)| &host.name).collect();
            if !hosts.is_empty() {
                found.push((&role.name, hosts));
            }
        }
        found
    }

    /// What templates know of a host by themselves where another tool's inventory was read.
    pub fn names_of(&self, host: &Host, roles: &[usize]) -> Vars {
        if !self.is_foreign {
            return Vars::new();
        }
        let groups = roles.iter().filter_map(|&role| self.roles.get(role)).map(|role| role.name.as_str());
        let file = self.files.get(&host.position.file).map(|file| &**file);
        foreign_names(host.name.as_str(), groups.collect(), file)
    }

    /// The layers of a host's variables, lowest first.
    pub fn layers<'i>(&'i self, host: &'i Host, roles: &'i [usize]) -> impl Iterator<Item = &'i WrittenVars> {
        let of_roles = roles.iter().filter_map(|&index| self.roles.get(index)).map(|role| &role.vars);
        let is_its = |group: &&GroupVars| group.role.is_none_or(|role| roles.contains(&role));
        let above = self.above_roles.iter().filter(is_its).map(|group| &group.vars);
        [&self.vars].into_iter().chain(of_roles).chain(above).chain([&host.vars])
    }

    /// Merges everything said about one host, `command_line` last.
    ///
    /// `roles` are the indices of its roles in file order (see [`Self::roles_of_hosts`]).
    pub fn resolve(&self, host: &Host, roles: &[usize], command_line: &Settings) -> ResolvedHost {
        let mut settings = self.defaults.clone();
        let mut vars = Vars::new();
        for written in self.layers(host, roles) {
            vars.extend(written.values().clone());
        }
        let mut names = Vec::with_capacity(roles.len());
        for role in roles.iter().filter_map(|&index| self.roles.get(index)) {
            settings.overlay(&role.settings);
            names.push(role.name.clone());
        }
        settings.overlay(&host.settings);
        settings.overlay(command_line);
        // A login or port written with the host itself (`root@web1:22`) is closer than a flag for all.
        let written = |origin: &Origin| *origin == Origin::CommandLine(AD_HOC);
        settings.user = host.settings.user.clone().filter(|user| written(&user.origin)).or(settings.user);
        settings.port = host.settings.port.clone().filter(|port| written(&port.origin)).or(settings.port);
        ResolvedHost { name: host.name.clone(), roles: names, settings, vars }
    }
}

impl Host {
    /// One of which nothing is said.
    pub fn new(name: HostName, position: Position) -> Self {
        let (settings, vars) = (Arc::default(), WrittenVars::default());
        Self { name, settings, vars, position, problems: Vec::new() }
    }
}

impl Role {
    /// One without hosts.
    pub fn new(name: RoleName) -> Self {
        Self {
            name,
            members: Vec::new(),
            named: Vec::new(),
            in_order: Vec::new(),
            roles: Vec::new(),
            settings: Settings::default(),
            vars: WrittenVars::default(),
            protect: false,
        }
    }

    /// Adds what another source says of it, which has the last word.
    pub fn merge(&mut self, other: Self) {
        self.members.extend(other.members);
        if !(self.in_order.is_empty() && other.in_order.is_empty()) {
            if self.in_order.is_empty() {
                self.in_order.clone_from(&self.named);
            }
            let more = if other.in_order.is_empty() { &other.named } else { &other.in_order };
            let new: Vec<usize> = more.iter().copied().filter(|host| !self.in_order.contains(host)).collect();
            self.in_order.extend(new);
        }
        self.named.extend(other.named);
        self.named.sort_unstable();
        self.named.dedup();
        self.roles.extend(other.roles);
        self.settings.overlay(&other.settings);
        self.vars.extend(other.vars);
        self.protect |= other.protect;
    }
}

/// What templates of Ansible's inventories know of a host by themselves, beside what fan's do; `file` is the whole path of
/// the source that named it first.
pub fn foreign_names(host: &str, mut groups: Vec<&str>, file: Option<&str>) -> Vars {
    groups.sort_unstable();
    let short = host.split('.').next().unwrap_or(host);
    let mut names = Vars::from_iter([
        ("inventory_hostname".to_owned(), Value::from(host)),
        ("inventory_hostname_short".to_owned(), Value::from(short)),
        ("group_names".to_owned(), groups.into_iter().map(Value::from).collect()),
    ]);
    if let Some(file) = file {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        names.insert("inventory_dir".to_owned(), Value::from(if folder.is_empty() { "/" } else { folder }));
        names.insert("inventory_file".to_owned(), Value::from(file));
    }
    names
}

/// Stands for the file in the position of a host that no inventory has, and for the origin of its settings.
pub const AD_HOC: &str = "--hosts";

/// Says whether a host was appended by a selection rather than read from an inventory.
pub fn is_ad_hoc(host: &Host) -> bool {
    &*host.position.file == AD_HOC
}

/// The address of a host as the inventory has it: its `address` setting, or else its name.
pub fn address_of(host: &Host) -> &str {
    host.settings.address.as_ref().map_or(host.name.place(), |address| &address.value)
}
