//! Ansible's YAML inventories, as Ansible's `plugins/inventory/yaml.py` reads them.

use std::sync::Arc;

use crate::config::compose::{YamlDialect, compose_as};
use crate::config::fields::{kind, quote};
use crate::config::findings::Findings;
use crate::config::sources::ansible::graph::AnsibleGraph;
use crate::config::sources::ansible::hostname;
use crate::config::sources::ansible::value::{entries, value};
use crate::config::sources::ansible::vault::Vault;
use crate::config::yaml::{Node, Scalar};
use crate::model::position::Diagnostic;
use crate::model::value::Value;

/// Reads a text into the graph.
pub(super) fn read(
    file: &Arc<str>,
    text: &str,
    limit: usize,
    vault: &Vault,
    graph: &mut AnsibleGraph,
    findings: &mut Findings,
) {
    let errors = findings.any();
    let Some(root) = compose_as(YamlDialect::Ansible, file, text, findings) else {
        if errors == findings.any() {
            findings.push(Diagnostic::bare(format!("{file}: the inventory is empty")));
        }
        return;
    };
    let Node::Map(map) = &root else {
        let message = format!("expected a map of groups, found {}", kind(&root));
        return findings.error(root.position(), message);
    };
    if let Some((key, _)) = entries(map).find(|(key, _)| &*key.text == "plugin") {
        return findings.error_help(
            &key.position,
            "this configures a plugin of Ansible, which needs Ansible to run",
            "let a program print the inventory: ansible-inventory -i FILE --list, as exec: (docs/inventories.md)",
        );
    }
    let mut reader = YamlInventory { limit, vault, graph, findings };
    for (key, node) in entries(map) {
        reader.group(key, node);
    }
}

struct YamlInventory<'r> {
    limit: usize,
    vault: &'r Vault,
    graph: &'r mut AnsibleGraph,
    findings: &'r mut Findings,
}

impl YamlInventory<'_> {
    fn group(&mut self, name: &Scalar, node: &Node) -> usize {
        let group = self.graph.group(&name.text);
        let map = match node {
            Node::Map(map) => map,
            _ if node.is_null() => return group,
            Node::Scalar(_) | Node::List(_) | Node::Broken(_) => {
                let message = format!("expected a group, found {}", kind(node));
                self.findings.error_help(node.position(), message, "a group has hosts, children and vars");
                return group;
            }
        };
        for (key, node) in entries(map) {
            match &*key.text {
                "hosts" => self.members(node, |reader, host, of_host| reader.host(host, of_host, group)),
                "children" => self.members(node, |reader, child, of_child| {
                    let child_group = match of_child {
                        Some(node) => reader.group(child, node),
                        None => reader.graph.group(&child.text),
                    };
                    if !reader.graph.attach(group, child_group) {
                        let message = format!("group {} would be below itself", quote(&child.text));
                        reader.findings.error(&child.position, message);
                    }
                }),
                "vars" => self.members(node, |reader, name, of_var| {
                    let value = of_var.map_or(Value::Null, |node| value(node, reader.vault, reader.findings));
                    reader.graph.set_of_group(group, &name.text, value, name.position.clone());
                }),
                other => {
                    let message =
                        format!("{} is ignored: a group has hosts, children and vars", quote(other));
                    self.findings.warn(Diagnostic::at(&key.position, message));
                }
            }
        }
        group
    }

    /// The entries of one of a group's maps; a text alone is a key without a value.
    fn members(&mut self, node: &Node, mut each: impl FnMut(&mut Self, &Scalar, Option<&Node>)) {
        match node {
            Node::Map(map) => {
                for (key, node) in entries(map) {
                    each(self, key, Some(node));
                }
            }
            _ if node.is_null() => {}
            Node::Scalar(scalar) => each(self, scalar, None),
            Node::List(list) => self.findings.error_help(
                &list.position,
                "expected a map, found a list",
                "write each name as a key: \"web1:\", without \"- \"",
            ),
            Node::Broken(_) => {}
        }
    }

    fn host(&mut self, key: &Scalar, node: Option<&Node>, group: usize) {
        let (names, port) = match hostname::expand(&key.text, self.limit) {
            Ok(expanded) => expanded,
            Err(message) => {
                return self.findings.error(&key.position, format!("{} {message}", quote(&key.text)));
            }
        };
        let vars = match node {
            Some(Node::Map(map)) => super::value::vars(map, self.vault, self.findings),
            Some(node) if !node.is_null() => {
                let message = format!("expected a map of variables, found {}", kind(node));
                return self.findings.error(node.position(), message);
            }
            Some(_) | None => crate::model::written::WrittenVars::default(),
        };
        for name in names {
            // As in Ansible, the port of a host that was named before stays.
            let port = port.filter(|_| !self.graph.has_host(&name));
            let host = self.graph.host(&name, &key.position);
            self.graph.join(group, host);
            if let Some(port) = port {
                self.graph.set_of_host(host, "ansible_port", Value::from(port), key.position.clone());
            }
            for (name, value, at) in vars.iter() {
                self.graph.set_of_host(host, name, value.clone(), at.clone());
            }
        }
    }
}
