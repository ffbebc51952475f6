//! What dynamic inventories print: Ansible's `--list` JSON, as Ansible's `plugins/inventory/script.py` reads it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::config::fields::quote;
use crate::config::findings::Findings;
use crate::config::sources::ansible::graph::AnsibleGraph;
use crate::model::position::{Diagnostic, Position};
use crate::model::value::{Value, Vars, type_name};

/// Reads an answer into the graph; gives the hosts whose variables are still to be asked for, one by one (`--host`).
pub(super) fn read(
    name: &Arc<str>,
    text: &str,
    limit: usize,
    graph: &mut AnsibleGraph,
    findings: &mut Findings,
) -> Vec<String> {
    let at = Position::new(Arc::clone(name), 1, 1);
    let answer: Value = match serde_json::from_str(text) {
        Ok(answer) => answer,
        Err(error) => {
            let column = u32::try_from(error.column()).unwrap_or(u32::MAX);
            let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
            let at = Position::new(Arc::clone(name), line.max(1), column.max(1));
            let help = "an inventory program prints the JSON of Ansible's --list on stdout, and nothing else";
            findings.error_help(&at, "this is no JSON", help);
            return Vec::new();
        }
    };
    let Value::Object(answer) = answer else {
        findings.error(&at, format!("expected a map of groups, found {}", type_name(&answer)));
        return Vec::new();
    };
    let mut reader = ListingReader { at, limit, graph, findings, named: Vec::new(), seen: HashSet::new() };
    for (group, data) in answer.iter().filter(|(group, _)| *group != "_meta") {
        reader.group(group, data);
    }
    let hostvars = answer.get("_meta").and_then(|meta| meta.get("hostvars")).and_then(Value::as_object);
    let Some(hostvars) = hostvars else { return reader.named };
    for host in std::mem::take(&mut reader.named) {
        if let Some(vars) = hostvars.get(&host) {
            reader.host_vars(&host, vars);
        }
    }
    Vec::new()
}

/// Reads the answer about one host (`--host`) into the graph.
pub(super) fn read_host(
    name: &Arc<str>,
    host: &str,
    text: &str,
    graph: &mut AnsibleGraph,
    findings: &mut Findings,
) {
    let at = Position::new(Arc::clone(name), 1, 1);
    if text.trim().is_empty() {
        return;
    }
    match serde_json::from_str::<Value>(text) {
        Ok(vars) => {
            let (named, seen) = (Vec::new(), HashSet::new());
            ListingReader { at, limit: usize::MAX, graph, findings, named, seen }.host_vars(host, &vars);
        }
        Err(_) => findings.error(&at, format!("the answer to --host {host} is no JSON")),
    }
}

struct ListingReader<'r> {
    at: Position,
    limit: usize,
    graph: &'r mut AnsibleGraph,
    findings: &'r mut Findings,
    /// The hosts that were named, each once.
    named: Vec<String>,
    seen: HashSet<String>,
}

impl ListingReader<'_> {
    fn group(&mut self, name: &str, data: &Value) {
        let group = self.graph.group(name);
        match data {
            Value::Object(data)
                if ["hosts", "vars", "children"].iter().any(|key| data.contains_key(*key)) =>
            {
                if let Some(hosts) = data.get("hosts") {
                    self.hosts(name, group, hosts);
                }
                if let Some(vars) = data.get("vars").filter(|vars| !vars.is_null()) {
                    for (name, value) in self.map(vars, &format!("the variables of group {}", quote(name))) {
                        self.graph.set_of_group(group, &name, value, self.at.clone());
                    }
                }
                for child in data.get("children").and_then(Value::as_array).into_iter().flatten() {
                    let Some(child) = child.as_str() else { continue };
                    let index = self.graph.group(child);
                    if !self.graph.attach(group, index) {
                        let message = format!("group {} would be below itself", quote(child));
                        self.findings.error(&self.at, message);
                    }
                }
            }
            // The old short form: a host with its variables.
            Value::Object(vars) => {
                self.host(name, group);
                for (name, value) in vars {
                    self.graph.set_of_group(group, name, value.clone(), self.at.clone());
                }
            }
            hosts => self.hosts(name, group, hosts),
        }
    }

    fn hosts(&mut self, name: &str, group: usize, hosts: &Value) {
        let Value::Array(hosts) = hosts else {
            let found = type_name(hosts);
            let message = format!("expected a list of the hosts of group {}, found {found}", quote(name));
            return self.findings.error(&self.at, message);
        };
        for host in hosts {
            match host {
                Value::String(host) => self.host(host, group),
                other => {
                    let message = format!("a host of group {} is {}", quote(name), type_name(other));
                    self.findings.error(&self.at, message);
                }
            }
        }
    }

    fn host(&mut self, host: &str, group: usize) {
        if !self.graph.has_host(host) && self.graph.hosts.len() >= self.limit {
            return;
        }
        let index = self.graph.host(host, &self.at);
        self.graph.join(group, index);
        if self.seen.insert(host.to_owned()) {
            self.named.push(host.to_owned());
        }
    }

    fn host_vars(&mut self, host: &str, vars: &Value) {
        let index = self.graph.host(host, &self.at);
        for (name, value) in self.map(vars, &format!("the variables of host {}", quote(host))) {
            self.graph.set_of_host(index, &name, value, self.at.clone());
        }
    }

    fn map(&mut self, value: &Value, what: &str) -> Vars {
        match value {
            Value::Object(map) => map.clone(),
            Value::Null => Vars::new(),
            other => {
                let message = format!("expected a map of {what}, found {}", type_name(other));
                self.findings.push(Diagnostic::at(&self.at, message));
                Vars::new()
            }
        }
    }
}
