//! clush's groups become roles, and their nodes hosts.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::config::fields::quote;
use crate::config::findings::Findings;
use crate::config::sources::clush::config::{ClushConfig, ClushGroups, ClushSource};
use crate::config::sources::clush::nodeset::{self, NodeGroups, NodeNames};
use crate::config::sources::clush::upcall::{self, ClushQuestion, RunningUpcall};
use crate::model::inventory::{Host, HostName, Inventory, Role, RoleName};
use crate::model::name::check_host_name;
use crate::model::position::{Diagnostic, Position};

/// Commands that run at a time.
const AT_A_TIME: usize = 8;

/// The name of a group that stands for all nodes of its source.
const EVERY: &str = "*";

/// Lays hosts and roles over an inventory: each group is a role `SOURCE:GROUP`, and those of the default source also
/// go by their name alone. Gives the commands that were run.
pub(in crate::config) fn onto(
    inventory: &mut Inventory,
    config: &ClushConfig,
    max_hosts: usize,
    findings: &mut Findings,
) -> Vec<String> {
    let mut asked = ClushAsked {
        config,
        max_hosts,
        texts: HashMap::new(),
        known: HashMap::new(),
        open: Vec::new(),
        ran: Vec::new(),
    };
    let mut index: HashMap<HostName, usize> =
        inventory.hosts.iter().enumerate().map(|(at, host)| (host.name.clone(), at)).collect();
    for (number, names) in asked.names(findings).into_iter().enumerate() {
        let Some(source) = config.sources.get(number) else { continue };
        for group in names {
            let at = place(source, &group);
            let nodes = match asked.group(number, &group) {
                Ok(nodes) => nodes,
                Err(why) => {
                    findings.error(at, format!("group {}: {why}", quote(&group)));
                    continue;
                }
            };
            let mut named = Vec::with_capacity(nodes.len());
            for node in &nodes {
                if let Err(message) = check_host_name(node) {
                    findings.error(at, format!("group {}: {message}", quote(&group)));
                    break;
                }
                let name = HostName(Arc::from(node.as_str()));
                let place = *index.entry(name.clone()).or_insert_with(|| {
                    inventory.hosts.push(Host::new(name, at.clone()));
                    inventory.hosts.len() - 1
                });
                named.push(place);
            }
            if inventory.hosts.len() > max_hosts {
                let message = format!("more than {max_hosts} hosts");
                findings.error_help(at, message, "raise the limit with --max-hosts");
                return asked.ran;
            }
            named.sort_unstable();
            let whole = format!("{}:{group}", source.name);
            // "all" means all hosts wherever it stands.
            let alone = (number == config.default && group != "all").then(|| group.clone());
            for name in alone.into_iter().chain([whole]) {
                let role = Role { named: named.clone(), ..Role::new(RoleName(Arc::from(name))) };
                match inventory.role_index(role.name.as_str()) {
                    Some(known) => {
                        if let Some(known) = inventory.roles.get_mut(known) {
                            known.merge(role);
                        }
                    }
                    None => inventory.roles.push(role),
                }
            }
        }
    }
    asked.ran
}

fn place<'s>(source: &'s ClushSource, group: &str) -> &'s Position {
    let of_file = match &source.groups {
        ClushGroups::File(groups) => groups.iter().find(|(name, ..)| name == group).map(|(.., at)| at),
        ClushGroups::Upcalls(_) => None,
    };
    of_file.unwrap_or(&source.at)
}

/// What files and commands have said so far.
struct ClushAsked<'c> {
    config: &'c ClushConfig,
    max_hosts: usize,
    /// The node sets of groups, as text.
    texts: HashMap<(usize, String), Result<String, String>>,
    known: HashMap<(usize, String), NodeNames>,
    /// The groups that are being read, each named by the one before.
    open: Vec<(usize, String)>,
    ran: Vec<String>,
}

impl ClushAsked<'_> {
    /// The names of the groups of each source. Their commands run side by side, and so do those for their nodes.
    fn names(&mut self, findings: &mut Findings) -> Vec<Vec<String>> {
        let config = self.config;
        let lists: Vec<_> =
            config.sources.iter().map(|source| self.start(source, ClushQuestion::List)).collect();
        let mut names = Vec::new();
        for ((number, source), list) in config.sources.iter().enumerate().zip(lists) {
            let found = match (&source.groups, list) {
                (ClushGroups::File(groups), _) => groups.iter().map(|(name, ..)| name.clone()).collect(),
                (ClushGroups::Upcalls(_), Some(list)) => match list.and_then(RunningUpcall::finish) {
                    Ok(text) => self.expand_names(&text),
                    Err(why) => Err(why),
                }
                .unwrap_or_else(|why| {
                    findings.error(&source.at, why);
                    Vec::new()
                }),
                (ClushGroups::Upcalls(_), None) => self.by_node(number, source, findings),
            };
            names.push(found);
        }
        for (number, (source, names)) in config.sources.iter().zip(&names).enumerate() {
            for some in names.chunks(AT_A_TIME) {
                let running: Vec<_> =
                    some.iter().map(|group| (group, self.start(source, ClushQuestion::Map(group)))).collect();
                for (group, running) in running {
                    if let Some(running) = running {
                        let text = running.and_then(RunningUpcall::finish);
                        self.texts.insert((number, group.clone()), text);
                    }
                }
            }
        }
        names
    }

    /// A source without a list: the groups of each of its nodes, where it tells these.
    fn by_node(&mut self, number: usize, source: &ClushSource, findings: &mut Findings) -> Vec<String> {
        let mut groups: IndexMap<String, Vec<String>> = IndexMap::new();
        let all = self.start(source, ClushQuestion::All);
        let has_reverse =
            matches!(&source.groups, ClushGroups::Upcalls(upcalls) if upcalls.reverse.is_some());
        let (Some(all), true) = (all, has_reverse) else {
            let message = format!("groups of [{}] are not known: it has no \"list\"", source.name);
            let help = "add list: a command that prints their names";
            findings.warn(Diagnostic::at(&source.at, message).help(help));
            return Vec::new();
        };
        let nodes = all.and_then(RunningUpcall::finish).and_then(|text| self.set(number, &text));
        let nodes: Vec<String> = match nodes {
            Ok(nodes) => nodes.into_iter().collect(),
            Err(why) => {
                findings.error(&source.at, why);
                return Vec::new();
            }
        };
        for some in nodes.chunks(AT_A_TIME) {
            let running: Vec<_> = some
                .iter()
                .filter_map(|node| Some((node, self.start(source, ClushQuestion::Reverse(node))?)))
                .collect();
            for (node, running) in running {
                match running.and_then(RunningUpcall::finish) {
                    Ok(text) => {
                        for group in text.split([' ', '\t', '\n', ',']).filter(|group| !group.is_empty()) {
                            groups.entry(group.to_owned()).or_default().push(node.clone());
                        }
                    }
                    Err(why) => findings.error(&source.at, why),
                }
            }
        }
        groups.into_keys().collect()
    }

    fn start(
        &mut self,
        source: &ClushSource,
        question: ClushQuestion<'_>,
    ) -> Option<Result<RunningUpcall, String>> {
        match &source.groups {
            ClushGroups::File(_) => None,
            ClushGroups::Upcalls(upcalls) => upcall::start(upcalls, &source.name, question, &mut self.ran),
        }
    }

    /// Names of groups, which may be a set with ranges themselves.
    fn expand_names(&self, text: &str) -> Result<Vec<String>, String> {
        struct NoGroups;
        impl NodeGroups for NoGroups {
            fn nodes(&mut self, group: &str) -> Result<NodeNames, String> {
                Err(format!("\"@{group}\" is no name of a group"))
            }
        }
        Ok(nodeset::nodes(text, self.max_hosts, &mut NoGroups)?.into_iter().collect())
    }

    /// The nodes of a group.
    fn group(&mut self, source: usize, group: &str) -> Result<NodeNames, String> {
        let key = (source, group.to_owned());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        if self.open.contains(&key) {
            return Err("it would be within itself".to_owned());
        }
        let text = self.text(&key)?;
        self.open.push(key.clone());
        let nodes = self.set(source, &text);
        self.open.pop();
        let nodes = nodes?;
        self.known.insert(key, nodes.clone());
        Ok(nodes)
    }

    /// What the source says of a group; without one, that is nothing, as with clush.
    fn text(&mut self, key: &(usize, String)) -> Result<String, String> {
        let (number, group) = key;
        let Some(source) = self.config.sources.get(*number) else { return Ok(String::new()) };
        if let Some(known) = self.texts.get(key) {
            return known.clone();
        }
        let text = match &source.groups {
            ClushGroups::File(groups) => {
                let found = groups.iter().find(|(name, ..)| name == group);
                found
                    .map(|(_, nodes, _)| nodes.clone())
                    .ok_or_else(|| format!("\"@{}:{group}\" is not defined", source.name))
            }
            ClushGroups::Upcalls(upcalls) => {
                let running = upcall::start(upcalls, &source.name, ClushQuestion::Map(group), &mut self.ran);
                running.unwrap_or_else(|| Err("no command".to_owned())).and_then(RunningUpcall::finish)
            }
        };
        self.texts.insert(key.clone(), text.clone());
        text
    }

    /// All nodes of a source: its own group or command for that, else those of all its groups.
    fn every(&mut self, number: usize) -> Result<NodeNames, String> {
        let Some(source) = self.config.sources.get(number) else { return Ok(NodeNames::new()) };
        let names = match &source.groups {
            ClushGroups::File(groups) if groups.iter().any(|(name, ..)| name == "all") => {
                vec!["all".to_owned()]
            }
            ClushGroups::File(groups) => groups.iter().map(|(name, ..)| name.clone()).collect(),
            ClushGroups::Upcalls(upcalls) => {
                if let Some(all) = upcall::start(upcalls, &source.name, ClushQuestion::All, &mut self.ran) {
                    let text = all.and_then(RunningUpcall::finish)?;
                    return self.set(number, &text);
                }
                let list = upcall::start(upcalls, &source.name, ClushQuestion::List, &mut self.ran);
                let list = list.unwrap_or_else(|| Err("neither \"all\" nor \"list\"".to_owned()));
                self.expand_names(&list.and_then(RunningUpcall::finish)?)?
            }
        };
        let mut nodes = NodeNames::new();
        for name in names {
            nodes.extend(self.group(number, &name)?);
        }
        Ok(nodes)
    }

    fn set(&mut self, source: usize, text: &str) -> Result<NodeNames, String> {
        let limit = self.max_hosts;
        nodeset::nodes(text, limit, &mut WithinSource { asked: self, source })
    }
}

/// The groups that a node set of a source means: without a source of their own, those beside it.
struct WithinSource<'a, 'c> {
    asked: &'a mut ClushAsked<'c>,
    source: usize,
}

impl NodeGroups for WithinSource<'_, '_> {
    fn nodes(&mut self, group: &str) -> Result<NodeNames, String> {
        let (number, name) = match group.split_once(':') {
            Some((source, name)) => {
                let known = self.asked.config.sources.iter().position(|known| known.name == source);
                (known.ok_or_else(|| format!("\"@{group}\": there is no source \"{source}\""))?, name)
            }
            None => (self.source, group),
        };
        if name == EVERY { self.asked.every(number) } else { self.asked.group(number, name) }
    }
}
