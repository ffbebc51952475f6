//! What Ansible's inventories are made of: hosts, groups within groups, variables of both.
//!
//! Rules as in Ansible's `inventory/data.py` and `inventory/group.py`: every group is below `all`, a host of no other group
//! is in `ungrouped`, and variables of a group deeper down win, then those of a higher priority, then those of the name
//! that comes later in the alphabet.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::position::Position;
use crate::model::value::Value;
use crate::model::written::WrittenVars;

/// The group of every host.
pub(super) const ALL: usize = 0;
/// The group of hosts that are in no other one.
pub(super) const UNGROUPED: usize = 1;
/// The variable that ranks groups of the same depth.
const PRIORITY: &str = "ansible_group_priority";

/// A group.
pub(super) struct AnsibleGroup {
    pub(super) name: Arc<str>,
    pub(super) vars: WrittenVars,
    /// Those of its files in `group_vars`.
    pub(super) file_vars: WrittenVars,
    pub(super) parents: Vec<usize>,
    /// The groups that it names as its own, in the order in which it does.
    pub(super) children: Vec<usize>,
    /// Its own hosts, in the order in which they were named.
    pub(super) hosts: Vec<usize>,
    pub(super) priority: i64,
    /// How far below `all` it is, by the longest way.
    pub(super) depth: usize,
}

/// A host.
pub(super) struct AnsibleHost {
    pub(super) name: Arc<str>,
    pub(super) vars: WrittenVars,
    /// Those of its files in `host_vars`.
    pub(super) file_vars: WrittenVars,
    /// The groups that name it.
    pub(super) groups: Vec<usize>,
    pub(super) position: Position,
}

/// The hosts and groups of all sources so far.
pub(super) struct AnsibleGraph {
    pub(super) groups: Vec<AnsibleGroup>,
    pub(super) hosts: Vec<AnsibleHost>,
    group_index: HashMap<Arc<str>, usize>,
    host_index: HashMap<Arc<str>, usize>,
}

impl AnsibleGraph {
    /// Without hosts.
    pub(super) fn new() -> Self {
        let mut graph = Self {
            groups: Vec::new(),
            hosts: Vec::new(),
            group_index: HashMap::new(),
            host_index: HashMap::new(),
        };
        graph.group("all");
        let ungrouped = graph.group("ungrouped");
        graph.attach(ALL, ungrouped);
        graph
    }

    /// The group of this name, which is made when it is new.
    pub(super) fn group(&mut self, name: &str) -> usize {
        if let Some(&known) = self.group_index.get(name) {
            return known;
        }
        let name: Arc<str> = Arc::from(name);
        let index = self.groups.len();
        self.group_index.insert(Arc::clone(&name), index);
        self.groups.push(AnsibleGroup {
            name,
            vars: WrittenVars::default(),
            file_vars: WrittenVars::default(),
            parents: Vec::new(),
            children: Vec::new(),
            hosts: Vec::new(),
            priority: 1,
            depth: 0,
        });
        index
    }

    /// The group of this name.
    pub(super) fn known_group(&self, name: &str) -> Option<usize> {
        self.group_index.get(name).copied()
    }

    /// The host of this name, which is made when it is new.
    pub(super) fn host(&mut self, name: &str, at: &Position) -> usize {
        if let Some(&known) = self.host_index.get(name) {
            return known;
        }
        let name: Arc<str> = Arc::from(name);
        let index = self.hosts.len();
        self.host_index.insert(Arc::clone(&name), index);
        self.hosts.push(AnsibleHost {
            name,
            vars: WrittenVars::default(),
            file_vars: WrittenVars::default(),
            groups: Vec::new(),
            position: at.clone(),
        });
        index
    }

    /// Whether there is a host of this name.
    pub(super) fn has_host(&self, name: &str) -> bool {
        self.host_index.contains_key(name)
    }

    /// Puts a host into a group.
    pub(super) fn join(&mut self, group: usize, host: usize) {
        let Some(of_host) = self.hosts.get_mut(host).map(|host| &mut host.groups) else { return };
        if !of_host.contains(&group) {
            of_host.push(group);
            if let Some(group) = self.groups.get_mut(group) {
                group.hosts.push(host);
            }
        }
    }

    /// Puts a group below another one; false when that would be a circle.
    pub(super) fn attach(&mut self, parent: usize, child: usize) -> bool {
        if parent == child || self.ancestors(parent).contains(&child) {
            return false;
        }
        if let Some(group) = self.groups.get_mut(child)
            && !group.parents.contains(&parent)
        {
            group.parents.push(parent);
            if let Some(parent) = self.groups.get_mut(parent) {
                parent.children.push(child);
            }
        }
        true
    }

    /// The hosts of a group in Ansible's order: its own, then those of the groups below it, level by level.
    pub(super) fn hosts_of(&self, group: usize) -> Vec<usize> {
        let mut groups = vec![group];
        let mut at = 0;
        while let Some(&next) = groups.get(at) {
            let below = self.groups.get(next).into_iter().flat_map(|group| &group.children);
            let new: Vec<usize> = below.copied().filter(|child| !groups.contains(child)).collect();
            groups.extend(new);
            at += 1;
        }
        let mut seen = vec![false; self.hosts.len()];
        let hosts = groups.iter().filter_map(|&group| self.groups.get(group)).flat_map(|group| &group.hosts);
        hosts
            .copied()
            .filter(|&host| seen.get_mut(host).is_some_and(|it| !std::mem::replace(it, true)))
            .collect()
    }

    /// Sets a variable of a group.
    pub(super) fn set_of_group(&mut self, group: usize, name: &str, value: Value, at: Position) {
        let Some(group) = self.groups.get_mut(group) else { return };
        if name == PRIORITY {
            let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
            group.priority = number.unwrap_or(group.priority);
            return;
        }
        group.vars.insert(name.to_owned(), value, at);
    }

    /// Sets a variable of a host.
    pub(super) fn set_of_host(&mut self, host: usize, name: &str, value: Value, at: Position) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.vars.insert(name.to_owned(), value, at);
        }
    }

    /// All groups above one.
    pub(super) fn ancestors(&self, group: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut open: Vec<usize> =
            self.groups.get(group).map(|group| group.parents.clone()).unwrap_or_default();
        while let Some(next) = open.pop() {
            if !found.contains(&next) {
                found.push(next);
                open.extend(self.groups.get(next).into_iter().flat_map(|group| &group.parents));
            }
        }
        found
    }

    /// Puts everything below `all`, and what belongs nowhere else into `ungrouped`; reckons depths.
    pub(super) fn settle(&mut self) {
        for index in UNGROUPED + 1..self.groups.len() {
            if let Some(group) = self.groups.get_mut(index)
                && group.parents.is_empty()
            {
                group.parents.push(ALL);
            }
        }
        for index in 0..self.hosts.len() {
            let Some(host) = self.hosts.get_mut(index) else { continue };
            if host.groups.iter().any(|&group| group > UNGROUPED) {
                host.groups.retain(|&group| group != UNGROUPED);
            } else {
                self.join(UNGROUPED, index);
            }
        }
        // All at once: each by itself would be as many passes as there are hosts.
        if let Some(ungrouped) = self.groups.get_mut(UNGROUPED) {
            let is_there =
                |&host: &usize| self.hosts.get(host).is_some_and(|host| host.groups.contains(&UNGROUPED));
            ungrouped.hosts.retain(is_there);
        }
        let mut depths = vec![None; self.groups.len()];
        for index in 0..self.groups.len() {
            self.depth(index, &mut depths);
        }
        for (group, depth) in self.groups.iter_mut().zip(depths) {
            group.depth = depth.unwrap_or_default();
        }
    }

    fn depth(&self, group: usize, depths: &mut [Option<usize>]) -> usize {
        if let Some(known) = depths.get(group).copied().flatten() {
            return known;
        }
        let parents = self.groups.get(group).map(|group| group.parents.clone()).unwrap_or_default();
        let depth = parents.iter().map(|&parent| self.depth(parent, depths) + 1).max().unwrap_or_default();
        if let Some(slot) = depths.get_mut(group) {
            *slot = Some(depth);
        }
        depth
    }

    /// The groups but `all`, in the order in which their variables are laid over each other.
    pub(super) fn in_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (UNGROUPED..self.groups.len()).collect();
        order.sort_by_key(|&index| {
            self.groups.get(index).map(|group| (group.depth, group.priority, Arc::clone(&group.name)))
        });
        order
    }
}
