//! Ansible's INI inventories, as Ansible's `plugins/inventory/ini.py` reads them.
//!
//! Values on a host's line are split like words of a shell, and those below `[group:vars]` go to the end of the line; both
//! are then read as Python's literals.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::fields::quote;
use crate::config::findings::Findings;
use crate::config::sources::ansible::graph::{AnsibleGraph, UNGROUPED};
use crate::config::sources::ansible::{hostname, literal, words::words};
use crate::model::position::Position;
use crate::model::value::Value;

/// What the lines of a section are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IniSection {
    Hosts,
    Children,
    Vars,
}

/// Reads a text into the graph.
pub(super) fn read(
    file: &Arc<str>,
    text: &str,
    limit: usize,
    graph: &mut AnsibleGraph,
    findings: &mut Findings,
) {
    let mut reader = IniReader { file, limit, graph, findings, pending: BTreeMap::new() };
    let mut section = IniSection::Hosts;
    let mut group = UNGROUPED;
    for (number, whole) in text.lines().enumerate() {
        let line = whole.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let before = whole.chars().count() - whole.trim_start().chars().count();
        let at = Position::new(Arc::clone(file), count(number + 1), count(before + 1));
        if line.starts_with('[')
            && let Some((name, kind)) = header(line)
        {
            match reader.section(name, kind, &at) {
                Some((found, index)) => (section, group) = (found, index),
                None => return,
            }
            continue;
        }
        if line.starts_with('[') && line.ends_with(']') {
            let help = "write [group], [group:children] or [group:vars], without spaces";
            reader.findings.error_help(&at, format!("invalid section {}", quote(line)), help);
            continue;
        }
        match section {
            IniSection::Hosts => reader.host(line, group, &at),
            IniSection::Children => reader.child(line, group, &at),
            IniSection::Vars => reader.variable(line, group, &at),
        }
    }
    for ((name, _), at) in std::mem::take(&mut reader.pending) {
        reader.findings.error(&at, format!("group {} is not defined", quote(&name)));
    }
}

struct IniReader<'r> {
    file: &'r Arc<str>,
    limit: usize,
    graph: &'r mut AnsibleGraph,
    findings: &'r mut Findings,
    /// Groups that were spoken of and are still to be defined.
    pending: BTreeMap<(String, bool), Position>,
}

impl IniReader<'_> {
    fn section(&mut self, name: &str, kind: Option<&str>, at: &Position) -> Option<(IniSection, usize)> {
        let section = match kind {
            None | Some("hosts") => IniSection::Hosts,
            Some("children") => IniSection::Children,
            Some("vars") => IniSection::Vars,
            Some(other) => {
                let message = format!("section [{name}:{other}] is of an unknown kind");
                self.findings.error_help(at, message, "kinds: children, hosts, vars");
                return None;
            }
        };
        if section == IniSection::Vars {
            // The group may come later.
            if self.graph.known_group(name).is_none() {
                self.pending.insert((name.to_owned(), true), at.clone());
            }
        } else {
            self.pending.remove(&(name.to_owned(), true));
            self.pending.remove(&(name.to_owned(), false));
        }
        Some((section, self.graph.group(name)))
    }

    fn host(&mut self, line: &str, group: usize, at: &Position) {
        let Some(words) = words(line) else {
            self.findings.error_help(at, "a quote is not closed", "quotes go around a value: name='a b'");
            return;
        };
        let mut words = words.into_iter();
        let Some((_, pattern)) = words.next() else { return };
        let (names, port) = match hostname::expand(&pattern, self.limit) {
            Ok(expanded) => expanded,
            Err(message) => return self.findings.error(at, format!("{} {message}", quote(&pattern))),
        };
        let mut vars = Vec::new();
        for (byte, word) in words {
            let place = self.within(line, at, byte);
            match word.split_once('=') {
                Some((name, value)) => vars.push((name.to_owned(), literal::value(value), place)),
                None => {
                    let message = format!("expected name=value, found {}", quote(&word));
                    self.findings.error_help(&place, message, "one host stands on a line");
                }
            }
        }
        for name in names {
            // As in Ansible, the port of a host that was named before stays.
            let port = port.filter(|_| !self.graph.has_host(&name));
            let host = self.graph.host(&name, at);
            self.graph.join(group, host);
            if let Some(port) = port {
                self.graph.set_of_host(host, "ansible_port", Value::from(port), at.clone());
            }
            for (name, value, place) in &vars {
                self.graph.set_of_host(host, name, value.clone(), place.clone());
            }
        }
    }

    fn child(&mut self, line: &str, group: usize, at: &Position) {
        let name = line.split_once('#').map_or(line, |(name, _)| name).trim();
        if name.is_empty() || name.contains([':', ']', ' ', '\t']) {
            let message = format!("expected the name of a group, found {}", quote(line));
            return self.findings.error(at, message);
        }
        if self.graph.known_group(name).is_none() {
            self.pending.insert((name.to_owned(), false), at.clone());
        }
        let child = self.graph.group(name);
        if !self.graph.attach(group, child) {
            self.findings.error(at, format!("group {} would be below itself", quote(name)));
        }
    }

    fn variable(&mut self, line: &str, group: usize, at: &Position) {
        let Some((name, value)) = line.split_once('=') else {
            let message = format!("expected name=value, found {}", quote(line));
            return self.findings.error(at, message);
        };
        let value = literal::value(value.trim());
        self.graph.set_of_group(group, name.trim(), value, at.clone());
    }

    fn within(&self, line: &str, at: &Position, byte: usize) -> Position {
        let before = line.get(..byte).map_or(0, |before| before.chars().count());
        Position {
            column: at.column.saturating_add(count(before)),
            ..Position::new(Arc::clone(self.file), at.line, 1)
        }
    }
}

/// The name and the kind of a section: `[web]`, `[web:vars] # comment`.
fn header(line: &str) -> Option<(&str, Option<&str>)> {
    let (inner, behind) = line.strip_prefix('[')?.split_once(']')?;
    let behind = behind.trim_start();
    if !behind.is_empty() && !behind.starts_with('#') {
        return None;
    }
    let (name, kind) = match inner.split_once(':') {
        Some((name, kind)) => (name, Some(kind)),
        None => (inner, None),
    };
    let is_word = |kind: &str| !kind.is_empty() && kind.chars().all(|c| c.is_alphanumeric() || c == '_');
    let good = !name.is_empty() && !name.contains(char::is_whitespace) && kind.is_none_or(is_word);
    good.then_some((name, kind))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
