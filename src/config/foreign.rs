//! Files of other tools, recognised and named: what they are, and which page shows how they become fan's.
//!
//! Refuses: reading them.

use std::path::Path;
use std::sync::Arc;

use crate::config::compose::compose;
use crate::config::findings::Findings;
use crate::config::source;
use crate::config::yaml::Node;
use crate::model::name::check_address;
use crate::model::position::Diagnostic;

/// What fan reads a file as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WantedFile {
    /// As an inventory.
    Inventory,
    /// As a tasks file.
    Tasks,
}

/// What a file is when it is none of fan's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Foreign {
    AnsibleInventory,
    InventoryScript,
    Playbook,
    RoleTasks,
    Fabfile,
    Capfile,
    HostList,
    ClushGroups,
    /// A tasks file where an inventory is expected.
    FanTasks,
    /// The other way round.
    FanInventory,
}

impl Foreign {
    /// What it is, and what to do.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::AnsibleInventory => {
                ("an Ansible inventory", "-i FILE takes its hosts and groups: docs/inventories.md")
            }
            Self::InventoryScript => (
                "a program, such as an Ansible inventory script",
                "chmod +x FILE, and -i FILE runs it: docs/inventories.md",
            ),
            Self::Playbook => {
                ("an Ansible playbook", "docs/coming-from-ansible.md shows one as a tasks.yaml")
            }
            Self::RoleTasks => (
                "a list of tasks of an Ansible role",
                "docs/ansible-modules.md shows each module as a step of a tasks.yaml",
            ),
            Self::Fabfile => ("a fabfile", "docs/coming-from-fabric.md shows one as a tasks.yaml"),
            Self::Capfile => (
                "a file of Capistrano",
                "docs/recipes/release.md is a deployment with releases and a rollback",
            ),
            Self::HostList => ("a plain list of hosts", "-i FILE takes its hosts: docs/inventories.md"),
            Self::ClushGroups => (
                "a file of node groups, as clush has them",
                "-i clush:FILE takes its nodes and groups: docs/inventories.md",
            ),
            Self::FanTasks => ("a tasks file", "-f names the tasks file, -i the inventory"),
            Self::FanInventory => ("an inventory", "-i names the inventory, -f the tasks file"),
        }
    }
}

/// The one thing to say about a file that could not be read because it is another tool's.
pub(super) fn recognised(file: &str, text: &str, wanted: WantedFile) -> Option<Diagnostic> {
    let foreign = of(file, text)?;
    let is_wanted = match wanted {
        WantedFile::Inventory => {
            matches!(foreign, Foreign::FanInventory | Foreign::AnsibleInventory | Foreign::HostList)
        }
        WantedFile::Tasks => foreign == Foreign::FanTasks,
    };
    let (what, help) = foreign.words();
    let as_what = match wanted {
        WantedFile::Inventory => "an inventory",
        WantedFile::Tasks => "a fan tasks file",
    };
    (!is_wanted).then(|| {
        Diagnostic::bare(format!("{file} is {what}, not {as_what}")).help(help.replace("FILE", file))
    })
}

/// What to do with a file that stands where none belongs, when it is one.
pub fn foreign_file(path: &Path) -> Option<String> {
    if !path.is_file() {
        return None;
    }
    let source = source::read(path).ok()?;
    Some(match of(&source.name, &source.text) {
        Some(Foreign::FanTasks) => format!("it is a tasks file: fan run -f {} TASK", source.name),
        Some(Foreign::FanInventory) => format!("it is an inventory: fan hosts -i {}", source.name),
        Some(foreign) => {
            let (what, help) = foreign.words();
            format!("it is {what}: {}", help.replace("FILE", &source.name))
        }
        None => "-f FILE names the tasks file, -i FILE the inventory".to_owned(),
    })
}

fn of(file: &str, text: &str) -> Option<Foreign> {
    let name = Path::new(file).file_name()?.to_string_lossy().into_owned();
    let has_line = |starts: &[&str]| {
        text.lines().any(|line| starts.iter().any(|start| line.trim_start().starts_with(start)))
    };
    if name.ends_with(".py") || has_line(&["from fabric", "import fabric", "from invoke", "import invoke"]) {
        let is_fabfile =
            has_line(&["from fabric", "import fabric", "from invoke", "import invoke", "@task", "env.hosts"]);
        return Some(if is_fabfile || name == "fabfile.py" {
            Foreign::Fabfile
        } else {
            Foreign::InventoryScript
        });
    }
    if name == "Capfile"
        || has_line(&[
            "require \"capistrano",
            "require 'capistrano",
            "lock \"~>",
            "lock '~>",
            "set :application",
        ])
    {
        return Some(Foreign::Capfile);
    }
    if text.starts_with("#!") {
        return Some(Foreign::InventoryScript);
    }
    let arc: Arc<str> = Arc::from(file);
    let mut findings = Findings::default();
    let root = compose(&arc, text, &mut findings);
    root.as_ref().and_then(of_yaml).or_else(|| of_lines(text))
}

/// What a YAML document of this shape is.
fn of_yaml(root: &Node) -> Option<Foreign> {
    match root {
        Node::List(list) => {
            let mut items = list.items.iter();
            let has =
                |names: &[&str]| list.items.iter().any(|item| keys(item).any(|key| names.contains(&key)));
            let are_maps = items.clone().next().is_some() && items.all(|item| matches!(item, Node::Map(_)));
            if are_maps && has(&["hosts", "import_playbook", "ansible.builtin.import_playbook"]) {
                Some(Foreign::Playbook)
            } else {
                (are_maps && (has(MODULES) || has_dotted_key(&list.items))).then_some(Foreign::RoleTasks)
            }
        }
        Node::Map(_) => {
            let has = |name: &str| keys(root).any(|key| key == name);
            if has("tasks") {
                Some(Foreign::FanTasks)
            } else if has("hosts") && (has("roles") || has("defaults")) {
                Some(Foreign::FanInventory)
            } else {
                groups(root).then_some(Foreign::AnsibleInventory)
            }
        }
        Node::Scalar(_) | Node::Broken(_) => None,
    }
}

/// Modules that most roles use.
const MODULES: &[&str] = &[
    "apt",
    "yum",
    "dnf",
    "package",
    "copy",
    "template",
    "file",
    "service",
    "systemd",
    "shell",
    "command",
    "lineinfile",
    "include_tasks",
    "import_tasks",
    "set_fact",
    "debug",
    "user",
    "git",
    "uri",
    "get_url",
    "unarchive",
];

fn has_dotted_key(items: &[Node]) -> bool {
    items.iter().flat_map(keys).any(|key| key.split('.').count() == 3)
}

/// Whether every entry looks like a group of Ansible's.
fn groups(root: &Node) -> bool {
    const PARTS: [&str; 3] = ["hosts", "children", "vars"];
    let Node::Map(map) = root else { return false };
    !map.entries.is_empty()
        && map.entries.iter().all(|entry| {
            let is_group =
                keys(&entry.value).next().is_some() && keys(&entry.value).all(|key| PARTS.contains(&key));
            is_group && !["vars", "defaults", "hosts", "roles"].contains(&&*entry.key.text)
        })
}

fn keys(node: &Node) -> impl Iterator<Item = &str> {
    let entries = match node {
        Node::Map(map) => map.entries.as_slice(),
        Node::Scalar(_) | Node::List(_) | Node::Broken(_) => &[],
    };
    entries.iter().map(|entry| &*entry.key.text)
}

/// What a text that is no YAML, or none with a meaning, is by its lines.
fn of_lines(text: &str) -> Option<Foreign> {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
        .collect();
    let section =
        |line: &&&str| line.starts_with('[') && line.ends_with(']') && !line.contains([',', ' ', '"']);
    let is = |name: &str| lines.iter().any(|line| line.eq_ignore_ascii_case(name));
    if is("[Main]") {
        return Some(Foreign::ClushGroups);
    }
    if lines.iter().any(|line| section(&line)) || lines.iter().any(|line| line.contains("ansible_host=")) {
        return Some(Foreign::AnsibleInventory);
    }
    // Names and nodes, of which some are a range: one of fan's keys begins no such line.
    let groups = |line: &&str| {
        line.split_once(": ").is_some_and(|(name, nodes)| {
            let is_group = !["hosts", "roles", "defaults", "vars", "tasks"].contains(&name);
            is_group && !name.contains(' ') && !nodes.contains(' ') && !nodes.starts_with(['[', '{', '"'])
        })
    };
    let has_range = |line: &&str| line.split_once('[').is_some_and(|(_, rest)| rest.contains(']'));
    if lines.iter().any(has_range) && lines.iter().all(groups) {
        return Some(Foreign::ClushGroups);
    }
    (!lines.is_empty() && lines.iter().all(|line| is_host(line))).then_some(Foreign::HostList)
}

/// `host`, `user@host:22`, `host user`: a line of pssh's.
fn is_host(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let Some(host) = words.next() else { return false };
    let address = host.rsplit('@').next().unwrap_or(host);
    let address = address.split_once(':').map_or(address, |(address, _)| address);
    let bare: String = address.chars().filter(|c| !matches!(c, '[' | ']')).collect();
    words.count() <= 1 && !host.ends_with(':') && !host.starts_with('-') && check_address(&bare).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_tools_are_recognised() {
        for (name, text, expected) in [
            (
                "hosts.ini",
                "# ours\n[web]\nweb[01:04] ansible_host=10.0.0.1\n[web:vars]\na=1\n",
                Some(Foreign::AnsibleInventory),
            ),
            ("hosts", "web01 ansible_host=10.0.0.1\n", Some(Foreign::AnsibleInventory)),
            (
                "hosts.yml",
                "all:\n  children:\n    web:\n      hosts:\n        web01:\n",
                Some(Foreign::AnsibleInventory),
            ),
            (
                "hosts.yml",
                "web:\n  hosts:\n    web01: {}\ndb:\n  hosts:\n    db1: {}\n",
                Some(Foreign::AnsibleInventory),
            ),
            ("cloud.sh", "#!/bin/sh\necho '{}'\n", Some(Foreign::InventoryScript)),
            ("ec2.py", "#!/usr/bin/env python3\nimport boto\n", Some(Foreign::InventoryScript)),
            ("site.yml", "---\n- name: web\n  hosts: web\n  roles: [nginx]\n", Some(Foreign::Playbook)),
            ("all.yml", "- import_playbook: web.yml\n", Some(Foreign::Playbook)),
            ("main.yml", "- name: x\n  apt: {name: nginx}\n", Some(Foreign::RoleTasks)),
            ("main.yml", "- ansible.builtin.apt: {name: nginx}\n", Some(Foreign::RoleTasks)),
            ("fabfile.py", "def deploy(): pass\n", Some(Foreign::Fabfile)),
            ("other.py", "from fabric.api import run\n", Some(Foreign::Fabfile)),
            ("Capfile", "require 'capistrano/setup'\n", Some(Foreign::Capfile)),
            ("deploy.rb", "lock '~> 3.17'\nset :application, 'shop'\n", Some(Foreign::Capfile)),
            ("hosts.txt", "web01\ndeploy@web02:2222\n10.0.0.3 root\n", Some(Foreign::HostList)),
            ("groups.conf", "[Main]\ndefault: local\n", Some(Foreign::ClushGroups)),
            ("local.cfg", "web: web[1-3]\ndb: db[1-2]\n", Some(Foreign::ClushGroups)),
            ("t.yaml", "tasks:\n  a: [uptime]\n", Some(Foreign::FanTasks)),
            ("i.yaml", "hosts:\n  a: {}\nroles: {b: [a]}\n", Some(Foreign::FanInventory)),
            ("x.yaml", "hosts: 3\n", None),
            ("x.yaml", "- a\n- b\n", None),
            ("x.yaml", "", None),
            ("x.yaml", "some prose that is\nnot a list of hosts\n", None),
        ] {
            assert_eq!(of(name, text), expected, "{name}:\n{text}");
        }
    }
}
