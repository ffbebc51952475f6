//! What dynamic inventories print: Ansible's `--list` JSON, as Ansible's `plugins/inventory/script.py` reads it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::config::fields::quote;
use crate::config::findings::Findings;
use crate::config::sources::ansible::connection;
use crate::config::sources::ansible::graph::AnsibleGraph;
use crate::config::sources::ansible::value::as_literal;
use crate::config::sources::ansible::vault::Vault;
use crate::model::position::{Diagnostic, Position};
use crate::model::value::{Value, Vars, type_name};

/// An answer to `--list`.
#[derive(Debug)]
pub(in crate::config) struct AnsibleListing(Vars);

impl AnsibleListing {
    /// Reads the JSON; `name` stands for the program in messages.
    ///
    /// # Errors
    /// It is none, or no map.
    pub(in crate::config) fn parse(name: &Arc<str>, text: &str) -> Result<Self, Diagnostic> {
        match serde_json::from_str(text) {
            Ok(Value::Object(answer)) => Ok(Self(answer)),
            Ok(other) => {
                let message = format!("expected a map of groups, found {}", type_name(&other));
                Err(Diagnostic::at(&Position::new(Arc::clone(name), 1, 1), message))
            }
            Err(error) => {
                let column = u32::try_from(error.column()).unwrap_or(u32::MAX);
                let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
                let at = Position::new(Arc::clone(name), line.max(1), column.max(1));
                let help =
                    "an inventory program prints the JSON of Ansible's --list on stdout, and nothing else";
                Err(Diagnostic::at(&at, "this is no JSON").help(help))
            }
        }
    }

    /// The hosts about which the program is still to be asked, one by one (`--host`).
    pub(in crate::config) fn unasked(&self) -> Vec<String> {
        if self.hostvars().is_some() {
            return Vec::new();
        }
        let mut seen = HashSet::new();
        let groups = self.0.iter().filter(|(group, _)| *group != META);
        let hosts = groups.flat_map(|(group, data)| match data {
            Value::Object(data) if is_group(data) => strings(data.get("hosts")),
            Value::Object(_) => vec![group.as_str()],
            hosts => strings(Some(hosts)),
        });
        hosts.filter(|host| seen.insert(*host)).map(str::to_owned).collect()
    }

    /// Whether there is a password in it that is not encrypted.
    pub(in crate::config) fn has_password(&self) -> bool {
        let mut open: Vec<&Vars> = vec![&self.0];
        while let Some(map) = open.pop() {
            for (name, value) in map {
                match value {
                    Value::Object(inner) if !inner.contains_key(SEALED) => open.push(inner),
                    Value::String(_) | Value::Number(_) if connection::is_password(name) => return true,
                    _ => {}
                }
            }
        }
        false
    }

    fn hostvars(&self) -> Option<&Vars> {
        self.0.get(META)?.get("hostvars")?.as_object()
    }
}

/// Reads an answer into the graph.
pub(super) fn read(
    name: &Arc<str>,
    listing: AnsibleListing,
    limit: usize,
    vault: &Vault,
    graph: &mut AnsibleGraph,
    findings: &mut Findings,
) {
    let at = Position::new(Arc::clone(name), 1, 1);
    let AnsibleListing(mut answer) = listing;
    let meta = answer.remove(META);
    let (named, seen) = (Vec::new(), HashSet::new());
    let mut reader = ListingReader { at, limit, vault, graph, findings, named, seen, is_full: false };
    for (group, data) in answer {
        reader.group(&group, data);
    }
    let Some(Value::Object(mut meta)) = meta else { return };
    let Some(Value::Object(mut hostvars)) = meta.remove("hostvars") else { return };
    for host in std::mem::take(&mut reader.named) {
        if let Some(vars) = hostvars.get_mut(&host) {
            reader.host_vars(&host, vars.take());
        }
    }
}

/// Where the variables of hosts are.
const META: &str = "_meta";

/// What Ansible's JSON has in place of an encrypted value, and of a text that is no template.
const SEALED: &str = "__ansible_vault";
const UNSAFE: &str = "__ansible_unsafe";

fn is_group(data: &Vars) -> bool {
    ["hosts", "vars", "children"].iter().any(|key| data.contains_key(*key))
}

fn strings(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Reads the answer about one host (`--host`) into the graph.
pub(super) fn read_host(
    name: &Arc<str>,
    host: &str,
    text: &str,
    vault: &Vault,
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
            ListingReader { at, limit: usize::MAX, vault, graph, findings, named, seen, is_full: false }
                .host_vars(host, vars);
        }
        Err(_) => findings.error(&at, format!("the answer to --host {host} is no JSON")),
    }
}

struct ListingReader<'r> {
    at: Position,
    limit: usize,
    vault: &'r Vault,
    graph: &'r mut AnsibleGraph,
    findings: &'r mut Findings,
    /// The hosts that were named, each once.
    named: Vec<String>,
    seen: HashSet<String>,
    /// There are more hosts than allowed, as was noted.
    is_full: bool,
}

impl ListingReader<'_> {
    fn group(&mut self, name: &str, data: Value) {
        let group = self.graph.group(name);
        match data {
            Value::Object(mut data) if is_group(&data) => {
                if let Some(hosts) = data.remove("hosts") {
                    self.hosts(name, group, hosts);
                }
                if let Some(vars) = data.remove("vars") {
                    for (name, value) in self.map(vars, || format!("the variables of group {}", quote(name)))
                    {
                        let value = self.value(value);
                        self.graph.set_of_group(group, &name, value, self.at.clone());
                    }
                }
                for child in strings(data.get("children")) {
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
                    let value = self.value(value);
                    self.graph.set_of_group(group, &name, value, self.at.clone());
                }
            }
            hosts => self.hosts(name, group, hosts),
        }
    }

    fn hosts(&mut self, name: &str, group: usize, hosts: Value) {
        let Value::Array(hosts) = hosts else {
            let found = type_name(&hosts);
            let message = format!("expected a list of the hosts of group {}, found {found}", quote(name));
            return self.findings.error(&self.at, message);
        };
        for host in hosts {
            match host {
                Value::String(host) => self.host(&host, group),
                other => {
                    let message = format!("a host of group {} is {}", quote(name), type_name(&other));
                    self.findings.error(&self.at, message);
                }
            }
        }
    }

    fn host(&mut self, host: &str, group: usize) {
        if !self.graph.has_host(host) && self.graph.hosts.len() >= self.limit {
            if !std::mem::replace(&mut self.is_full, true) {
                let message = format!("more than {} hosts", self.limit);
                self.findings.error_help(&self.at, message, "raise the limit with --max-hosts");
            }
            return;
        }
        let index = self.graph.host(host, &self.at);
        self.graph.join(group, index);
        if !self.seen.contains(host) {
            self.seen.insert(host.to_owned());
            self.named.push(host.to_owned());
        }
    }

    fn host_vars(&mut self, host: &str, vars: Value) {
        let index = self.graph.host(host, &self.at);
        for (name, value) in self.map(vars, || format!("the variables of host {}", quote(host))) {
            let value = self.value(value);
            self.graph.set_of_host(index, &name, value, self.at.clone());
        }
    }

    fn map(&mut self, value: Value, what: impl Fn() -> String) -> Vars {
        match value {
            Value::Object(map) => map,
            Value::Null => Vars::new(),
            other => {
                let message = format!("expected a map of {}, found {}", what(), type_name(&other));
                self.findings.push(Diagnostic::at(&self.at, message));
                Vars::new()
            }
        }
    }

    /// A value, with what is encrypted in it opened.
    fn value(&mut self, value: Value) -> Value {
        match value {
            Value::Object(map) => match (map.get(SEALED), map.get(UNSAFE)) {
                (Some(Value::String(sealed)), _) => match self.vault.open(sealed) {
                    Ok(plain) => Value::from(plain),
                    Err(problem) => {
                        self.findings.push(problem.at(&self.at));
                        Value::Null
                    }
                },
                (_, Some(Value::String(text))) => Value::from(as_literal(text)),
                _ => Value::Object(map.into_iter().map(|(name, value)| (name, self.value(value))).collect()),
            },
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            plain => plain,
        }
    }
}
