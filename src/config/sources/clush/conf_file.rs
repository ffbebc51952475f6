//! The INI dialect of Python's `configparser`, as far as clush uses it: `key: value` or `key = value` below `[section]`,
//! continued on lines that are indented.

use std::sync::Arc;

use crate::config::fields::quote;
use crate::config::findings::Findings;
use crate::model::position::Position;

/// A section with its options; their names are in lower case.
#[derive(Debug)]
pub(super) struct ConfSection {
    pub(super) name: String,
    pub(super) at: Position,
    options: Vec<(String, String)>,
}

impl ConfSection {
    /// The value of an option.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Takes over what a file of more weight says.
    pub(super) fn merge(&mut self, other: Self) {
        for (name, value) in other.options {
            self.options.retain(|(known, _)| *known != name);
            self.options.push((name, value));
        }
        self.at = other.at;
    }
}

/// Reads the sections of a text.
pub(super) fn read(file: &Arc<str>, text: &str, findings: &mut Findings) -> Vec<ConfSection> {
    let mut sections: Vec<ConfSection> = Vec::new();
    let mut is_open = false;
    for (number, line) in text.lines().enumerate() {
        let said = line.trim();
        let at = Position::new(Arc::clone(file), u32::try_from(number + 1).unwrap_or(u32::MAX), 1);
        if said.is_empty() || said.starts_with(['#', ';']) {
            continue;
        }
        let options = sections.last_mut().map(|section| &mut section.options);
        if line.starts_with([' ', '\t'])
            && is_open
            && let Some((_, value)) = options.and_then(|options| options.last_mut())
        {
            value.push('\n');
            value.push_str(said);
            continue;
        }
        if let Some(name) = said.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name)
        {
            if sections.iter().any(|known| known.name == name) {
                findings.error(&at, format!("section [{name}] stands here twice"));
            }
            sections.push(ConfSection { name: name.to_owned(), at, options: Vec::new() });
            is_open = false;
            continue;
        }
        match (said.split_once([':', '=']), sections.last_mut()) {
            (Some((name, value)), Some(section)) => {
                let (name, value) = (name.trim().to_lowercase(), value.trim().to_owned());
                if section.get(&name).is_some() {
                    findings.error(&at, format!("\"{name}\" stands here twice"));
                }
                section.options.push((name, value));
                is_open = true;
            }
            (None, Some(_)) => findings.error(&at, format!("expected \"key: value\", found {}", quote(said))),
            (_, None) => findings.error(&at, format!("expected a [section], found {}", quote(said))),
        }
    }
    sections
}
