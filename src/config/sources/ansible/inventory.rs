//! The sources of one inventory of Ansible's, read one after the other into the same hosts and groups.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::findings::Findings;
use crate::config::sources::ansible::convert;
use crate::config::sources::ansible::folder::{self, opened};
use crate::config::sources::ansible::graph::{AnsibleGraph, UNGROUPED};
use crate::config::sources::ansible::listing::AnsibleListing;
use crate::config::sources::ansible::vault::Vault;
use crate::config::sources::ansible::{hostname, ini, listing, yaml};
use crate::model::inventory::Inventory;
use crate::model::position::{Diagnostic, Position};
use crate::model::template::Templates;

/// Hosts and groups, and the folders that have variables of theirs.
pub(in crate::config) struct AnsibleInventory {
    graph: AnsibleGraph,
    folders: Vec<PathBuf>,
    max_hosts: usize,
}

impl AnsibleInventory {
    /// Without hosts.
    pub(in crate::config) fn new(max_hosts: usize) -> Self {
        Self { graph: AnsibleGraph::new(), folders: Vec::new(), max_hosts }
    }

    /// Notes the folder of a source: its `group_vars` and `host_vars` belong to all hosts.
    pub(in crate::config) fn beside(&mut self, folder: &Path) {
        if !self.folders.iter().any(|known| known == folder) {
            self.folders.push(folder.to_path_buf());
        }
    }

    /// Reads an INI file.
    pub(in crate::config) fn ini(
        &mut self,
        name: &Arc<str>,
        text: String,
        vault: &Vault,
        findings: &mut Findings,
    ) {
        if let Some((text, _)) = opened(name, text, vault, findings) {
            ini::read(name, &text, self.max_hosts, &mut self.graph, findings);
        }
    }

    /// Reads a YAML file.
    pub(in crate::config) fn yaml(
        &mut self,
        name: &Arc<str>,
        text: String,
        vault: &Vault,
        findings: &mut Findings,
    ) {
        if let Some((text, _)) = opened(name, text, vault, findings) {
            yaml::read(name, &text, self.max_hosts, vault, &mut self.graph, findings);
        }
    }

    /// Reads what a program printed for `--list`.
    pub(in crate::config) fn listing(
        &mut self,
        name: &Arc<str>,
        listing: AnsibleListing,
        vault: &Vault,
        findings: &mut Findings,
    ) {
        listing::read(name, listing, self.max_hosts, vault, &mut self.graph, findings);
    }

    /// Reads what a program printed for `--host`.
    pub(in crate::config) fn host_listing(
        &mut self,
        name: &Arc<str>,
        host: &str,
        text: &str,
        vault: &Vault,
        findings: &mut Findings,
    ) {
        listing::read_host(name, host, text, vault, &mut self.graph, findings);
    }

    /// Takes over hosts from a list with commas, as Ansible's `-i a,b`.
    pub(in crate::config) fn hosts(&mut self, name: &Arc<str>, list: &str, findings: &mut Findings) {
        let at = Position::new(Arc::clone(name), 1, 1);
        for pattern in list.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()) {
            match hostname::expand(pattern, self.max_hosts) {
                Ok((names, port)) => {
                    for host in names {
                        let port = port.filter(|_| !self.graph.has_host(&host));
                        let host = self.graph.host(&host, &at);
                        self.graph.join(UNGROUPED, host);
                        if let Some(port) = port {
                            self.graph.set_of_host(host, "ansible_port", port.into(), at.clone());
                        }
                    }
                }
                Err(message) => findings.push(Diagnostic::bare(format!("-i: {pattern:?} {message}"))),
            }
        }
    }

    /// Takes over a host of a plain list.
    pub(in crate::config) fn listed(
        &mut self,
        name: &str,
        user: Option<&str>,
        port: Option<u16>,
        at: &Position,
    ) {
        let host = self.graph.host(name, at);
        self.graph.join(UNGROUPED, host);
        if let Some(user) = user {
            self.graph.set_of_host(host, "ansible_user", user.into(), at.clone());
        }
        if let Some(port) = port {
            self.graph.set_of_host(host, "ansible_port", port.into(), at.clone());
        }
    }

    /// Lays all of it over an inventory.
    pub(in crate::config) fn onto(
        mut self,
        inventory: &mut Inventory,
        templates: &Arc<Templates>,
        vault: &Vault,
        findings: &mut Findings,
    ) {
        self.graph.settle();
        for folder in &self.folders {
            folder::read(folder, vault, &mut self.graph, findings);
        }
        let base = self.folders.first().cloned().unwrap_or_default();
        convert::onto(inventory, self.graph, &base, templates, self.max_hosts, findings);
    }
}
