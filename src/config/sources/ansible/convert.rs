//! From Ansible's hosts and groups to an inventory of fan's: groups become roles, connection variables settings.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use crate::config::findings::Findings;
use crate::config::sources::ansible::connection::{self, SaidVariable};
use crate::config::sources::ansible::graph::{ALL, AnsibleGraph, UNGROUPED};
use crate::model::inventory::{GroupVars, Host, HostName, Inventory, Role, RoleName, foreign_names};
use crate::model::name::check_host_name;
use crate::model::position::{Diagnostic, Position};
use crate::model::settings::Settings;
use crate::model::template::expand::{TemplateDialect, VariableSurroundings, expand_some, has_template};
use crate::model::template::others::{self, UnfilledHost, looks_at_others};
use crate::model::template::{Layer, Templates};
use crate::model::value::{Value, Vars};
use crate::model::written::WrittenVars;

/// Lays hosts and groups over an inventory. Relative paths of keys are relative to `base`.
pub(super) fn onto(
    inventory: &mut Inventory,
    mut graph: AnsibleGraph,
    base: &Path,
    templates: &Arc<Templates>,
    max_hosts: usize,
    findings: &mut Findings,
) {
    graph.settle();
    let order = graph.in_order();
    let mut rank = vec![0; graph.groups.len()];
    for (at, &group) in order.iter().enumerate() {
        if let Some(rank) = rank.get_mut(group) {
            *rank = at;
        }
    }
    let mut converter = Converter {
        graph: &graph,
        base,
        templates,
        files: &inventory.files,
        rank,
        chains: HashMap::new(),
        known: HashMap::new(),
        others: OnceCell::new(),
    };
    let ways: Vec<(Arc<[usize]>, WayToHost)> = graph
        .hosts
        .iter()
        .enumerate()
        .map(|(index, host)| {
            let groups = converter.groups_of(&host.groups);
            let way = converter.settings(index, &groups);
            (groups, way)
        })
        .collect();
    let at: HashMap<HostName, usize> =
        inventory.hosts.iter().enumerate().map(|(at, host)| (host.name.clone(), at)).collect();
    let mut members = vec![Vec::new(); graph.groups.len()];
    let in_order: Vec<Vec<usize>> = (0..graph.groups.len()).map(|group| graph.hosts_of(group)).collect();
    let mut places = vec![None; graph.hosts.len()];
    for (index, (host, way)) in std::mem::take(&mut graph.hosts).into_iter().zip(ways).enumerate() {
        let (groups, (settings, problems)) = way;
        if let Err(message) = check_host_name(&host.name) {
            findings.error(&host.position, message);
            continue;
        }
        let known = at.get(&HostName(Arc::clone(&host.name))).copied();
        if known.is_none() && inventory.hosts.len() >= max_hosts {
            let message = format!("more than {max_hosts} hosts");
            findings.error_help(&host.position, message, "raise the limit with --max-hosts");
            break;
        }
        let mut vars = host.vars;
        vars.extend(host.file_vars);
        strip(&mut vars);
        let place = match known.and_then(|known| Some((known, inventory.hosts.get_mut(known)?))) {
            Some((known, host)) => {
                Arc::make_mut(&mut host.settings).overlay(&settings);
                host.vars.extend(vars);
                host.problems.extend(problems);
                known
            }
            None => {
                let (name, position) = (HostName(host.name), host.position);
                inventory.hosts.push(Host { name, settings, vars, position, problems });
                inventory.hosts.len() - 1
            }
        };
        if let Some(slot) = places.get_mut(index) {
            *slot = Some(place);
        }
        for &group in groups.iter() {
            if let Some(members) = members.get_mut(group) {
                members.push(place);
            }
        }
    }
    let placed = |hosts: Vec<usize>| hosts.into_iter().filter_map(|host| places.get(host).copied().flatten());
    let in_order = in_order.into_iter().map(|hosts| placed(hosts).collect()).collect();
    roles(inventory, &graph, &order, members, in_order);
    inventory.is_foreign = true;
}

/// Makes roles of the groups, lowest first, and puts their variables where Ansible has them: those of all files of
/// `group_vars` above those of all groups in the inventory itself.
fn roles(
    inventory: &mut Inventory,
    graph: &AnsibleGraph,
    order: &[usize],
    members: Vec<Vec<usize>>,
    mut in_order: Vec<Vec<usize>>,
) {
    let mut above = Vec::new();
    if let Some(all) = graph.groups.get(ALL) {
        inventory.vars.extend(stripped(&all.vars));
        above.push(GroupVars { role: None, vars: stripped(&all.file_vars) });
    }
    let mut members = members;
    let mut known: HashMap<RoleName, usize> =
        inventory.roles.iter().enumerate().map(|(at, role)| (role.name.clone(), at)).collect();
    for &index in order {
        let Some(group) = graph.groups.get(index) else { continue };
        let mut named = members.get_mut(index).map(std::mem::take).unwrap_or_default();
        // A list of hosts alone has no groups.
        let says_nothing = group.vars.values().is_empty() && group.file_vars.values().is_empty();
        let is_list = graph.groups.len() <= UNGROUPED + 1 && says_nothing;
        if index == UNGROUPED && (is_list || named.is_empty()) {
            continue;
        }
        named.sort_unstable();
        let in_order = in_order.get_mut(index).map(std::mem::take).unwrap_or_default();
        let in_order = if in_order == named { Vec::new() } else { in_order };
        let name = RoleName(Arc::clone(&group.name));
        let role = Role { named, in_order, vars: stripped(&group.vars), ..Role::new(name) };
        let place = match known.get(&role.name).copied() {
            Some(known) => {
                if let Some(known) = inventory.roles.get_mut(known) {
                    known.merge(role);
                }
                known
            }
            None => {
                known.insert(role.name.clone(), inventory.roles.len());
                inventory.roles.push(role);
                inventory.roles.len() - 1
            }
        };
        above.push(GroupVars { role: Some(place), vars: stripped(&group.file_vars) });
    }
    inventory.above_roles.extend(above.into_iter().filter(|group| !group.vars.values().is_empty()));
}

/// The variables that templates may see: without passwords.
fn stripped(vars: &WrittenVars) -> WrittenVars {
    let mut vars = vars.clone();
    strip(&mut vars);
    vars
}

fn strip(vars: &mut WrittenVars) {
    let passwords: Vec<String> =
        vars.values().keys().filter(|name| connection::is_password(name)).cloned().collect();
    for name in passwords {
        vars.remove(&name);
    }
}

struct Converter<'g> {
    graph: &'g AnsibleGraph,
    base: &'g Path,
    templates: &'g Arc<Templates>,
    files: &'g BTreeMap<Arc<str>, Arc<str>>,
    /// Where each group stands in the order of variables.
    rank: Vec<usize>,
    /// The groups of a host in that order, by those that name it: many hosts share them.
    chains: HashMap<Vec<usize>, Arc<[usize]>>,
    /// Settings that hosts share, by what makes them.
    known: HashMap<Vec<SaidKey<'g>>, WayToHost>,
    /// What templates know of all hosts: `groups`, and `hostvars` where one looks at it.
    others: OnceCell<[Layer; 2]>,
}

/// A connection variable with its value as text, to tell settings that are the same.
type SaidKey<'g> = (&'g str, String, &'g Position);

/// How a host is reached, and what of it cannot be kept.
type WayToHost = (Arc<Settings>, Vec<Diagnostic>);

impl<'g> Converter<'g> {
    /// The groups of a host and all above them but `all`, lowest first.
    fn groups_of(&mut self, direct: &[usize]) -> Arc<[usize]> {
        if let Some(known) = self.chains.get(direct) {
            return Arc::clone(known);
        }
        let mut groups: Vec<usize> = direct.to_vec();
        groups.extend(direct.iter().flat_map(|&group| self.graph.ancestors(group)));
        groups.retain(|&group| group != ALL);
        groups.sort_by_key(|&group| self.rank.get(group));
        groups.dedup();
        let groups: Arc<[usize]> = groups.into();
        self.chains.insert(direct.to_vec(), Arc::clone(&groups));
        groups
    }

    /// The layers of a host's variables, lowest first.
    fn layers(&self, host: usize, groups: &[usize]) -> Vec<&'g WrittenVars> {
        let graph = self.graph;
        let all = graph.groups.get(ALL);
        let of = |index: &usize| graph.groups.get(*index);
        let own = graph.hosts.get(host);
        let inline = all.into_iter().chain(groups.iter().filter_map(of)).map(|group| &group.vars);
        let files = all.into_iter().chain(groups.iter().filter_map(of)).map(|group| &group.file_vars);
        let of_host = own.into_iter().flat_map(|host| [&host.vars, &host.file_vars]);
        inline.chain(files).chain(of_host).filter(|vars| !vars.values().is_empty()).collect()
    }

    fn settings(&mut self, host: usize, groups: &[usize]) -> WayToHost {
        let layers = self.layers(host, groups);
        let mut said: Vec<(&'g str, &'g Value, &'g Position)> = Vec::new();
        for layer in &layers {
            for (name, value, at) in layer.iter().filter(|(name, ..)| connection::is_one(name)) {
                match said.iter_mut().find(|(known, ..)| *known == name) {
                    Some(known) => *known = (name, value, at),
                    None => said.push((name, value, at)),
                }
            }
        }
        if said.iter().any(|(_, value, _)| has_template(value)) {
            let (settings, problems) = self.rendered(host, groups, &layers, &said);
            return (Arc::new(settings), problems);
        }
        let key = said.iter().map(|(name, value, at)| (*name, value.to_string(), *at)).collect();
        let (graph, base) = (self.graph, self.base);
        let make = || {
            let said: Vec<SaidVariable<'_>> =
                said.iter().map(|(name, value, at)| (*name, (*value).clone(), *at)).collect();
            let (settings, problems) = connection::settings(&said, base);
            (Arc::new(settings), problems)
        };
        // What is said of one host alone is shared with none.
        let own = graph.hosts.get(host).is_some_and(|host| {
            [&host.vars, &host.file_vars]
                .iter()
                .any(|vars| vars.values().keys().any(|name| connection::is_one(name)))
        });
        if own { make() } else { self.known.entry(key).or_insert_with(make).clone() }
    }

    fn names(&self, host: usize, groups: &[usize]) -> Vars {
        let Some(host) = self.graph.hosts.get(host) else { return Vars::new() };
        let groups = groups.iter().filter_map(|&group| self.graph.groups.get(group));
        let file = self.files.get(&host.position.file).map(|file| &**file);
        foreign_names(&host.name, groups.map(|group| &*group.name).collect(), file)
    }

    /// The variables `groups` and `hostvars`. Passwords are nobody's to look at.
    fn others(&self) -> [Layer; 2] {
        let graph = self.graph;
        let names: Arc<[Arc<str>]> = graph.hosts.iter().map(|host| Arc::clone(&host.name)).collect();
        let mut groups: Vec<(Arc<str>, Arc<[usize]>)> = Vec::new();
        for (index, group) in graph.groups.iter().enumerate() {
            let hosts = if index == ALL { (0..names.len()).collect() } else { graph.hosts_of(index).into() };
            groups.push((Arc::clone(&group.name), hosts));
        }
        let of_groups = Layer::of_groups("groups", Arc::clone(&names), groups);
        let of_group = graph.groups.iter().flat_map(|group| [&group.vars, &group.file_vars]);
        let of_host = graph.hosts.iter().flat_map(|host| [&host.vars, &host.file_vars]);
        if !of_group.chain(of_host).any(|vars| looks_at_others(vars.values())) {
            return [of_groups, Layer::default()];
        }
        let mut all: HashMap<Arc<str>, (Vec<WrittenVars>, Vars)> = HashMap::new();
        for (index, host) in graph.hosts.iter().enumerate() {
            let mut chain: Vec<usize> = host.groups.clone();
            chain.extend(host.groups.iter().flat_map(|&group| graph.ancestors(group)));
            chain.retain(|&group| group != ALL);
            chain.sort_by_key(|&group| self.rank.get(group));
            chain.dedup();
            let layers = self.layers(index, &chain).into_iter().map(stripped).collect();
            all.insert(Arc::clone(&host.name), (layers, self.names(index, &chain)));
        }
        let below = of_groups.clone();
        let describe = move |name: &str| {
            let (layers, names): &(Vec<WrittenVars>, Vars) = all.get(name)?;
            let mut vars = names.clone();
            layers.iter().for_each(|layer| vars.extend(layer.values().clone()));
            Some(UnfilledHost { vars, below: vec![below.clone()], above: Vec::new() })
        };
        let of_hosts =
            others::layer(Arc::clone(self.templates), names, TemplateDialect::Ansible, Box::new(describe));
        [of_groups, of_hosts]
    }

    /// The settings of a host some of whose connection variables are templates.
    fn rendered(
        &self,
        host: usize,
        groups: &[usize],
        layers: &[&'g WrittenVars],
        said: &[(&'g str, &'g Value, &'g Position)],
    ) -> (Settings, Vec<Diagnostic>) {
        let mut vars = Vars::new();
        for layer in layers {
            vars.extend(layer.values().clone());
        }
        let magic = Layer::new(&self.names(host, groups));
        let [of_groups, of_hosts] = self.others.get_or_init(|| self.others()).clone();
        let around = VariableSurroundings {
            templates: self.templates,
            below: &[of_groups, of_hosts, magic],
            above: &[],
        };
        let wanted = said.iter().map(|&(name, ..)| name);
        let (done, problems) = expand_some(around, &vars, wanted, &|_| TemplateDialect::Ansible);
        let mut found = Vec::new();
        let mut filled: Vec<SaidVariable<'_>> = Vec::new();
        for &(name, _, at) in said {
            match done.get(name) {
                Some(value) => filled.push((name, value.clone(), at)),
                None => {
                    let problem = problems.iter().find(|(broken, _)| broken == name);
                    let message = problem.map_or_else(
                        || format!("{name} has no value"),
                        |(_, problem)| problem.message.clone(),
                    );
                    found.push(Diagnostic::at(at, message));
                }
            }
        }
        let (settings, more) = connection::settings(&filled, self.base);
        found.extend(more);
        (settings, found)
    }
}
