//! From a host's name to the lines about it.
//!
//! Plain names cost one hash lookup, patterns are tried one by one, hashed names are left to [`HashedLines`].

use std::collections::HashMap;

use crate::ssh::known_hosts::hashed::HashedLines;
use crate::ssh::known_hosts::hosts::{HostField, Names};
use crate::ssh::known_hosts::key::KeyId;

/// Lines of one kind by their hosts. An entry is the number that the caller knows a line by.
#[derive(Debug, Default)]
pub(super) struct HostIndex {
    exact: HashMap<Box<[u8]>, Vec<u32>>,
    patterns: Vec<(Names, u32)>,
    /// The hashed lines.
    pub(super) hashed: HashedLines,
}

impl HostIndex {
    /// Adds a line. Entries must be added in ascending order.
    pub(super) fn insert(&mut self, hosts: HostField, key: Option<KeyId>, entry: u32) {
        match hosts {
            HostField::Names(names) => match names.into_literals() {
                Ok(literals) => {
                    for name in literals {
                        self.exact.entry(name).or_default().push(entry);
                    }
                }
                Err(names) => self.patterns.push((names, entry)),
            },
            HostField::Hashed(name) => self.hashed.insert(name, key, entry),
            // Nobody can be found by it; the caller has warned of it.
            HostField::Unreadable => {}
        }
    }

    /// The lines that name the host in plain text, by name or pattern, in ascending order.
    pub(super) fn listed(&self, name: &[u8]) -> Vec<u32> {
        let mut found = self.exact.get(name).cloned().unwrap_or_default();
        found.extend(self.patterns.iter().filter(|(names, _)| names.matches(name)).map(|(_, entry)| *entry));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Every line about the host, in ascending order. May try all hashed lines.
    pub(super) fn all(&self, name: &[u8]) -> Vec<u32> {
        let mut found = self.listed(name);
        found.extend(self.hashed.find_all(name));
        found.sort_unstable();
        found
    }
}
