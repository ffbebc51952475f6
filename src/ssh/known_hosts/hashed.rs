//! Finding a name among hashed lines with as few HMACs as possible.
//!
//! Every hashed name has a salt of its own, so a name can only be tried line by line: 1000 hosts against 10,000
//! lines would be ten million HMACs. Three observations avoid them:
//!
//! - A presented key narrows the search to the lines that hold exactly this key.
//! - Inventories and files are mostly in the same order, so where one host was found the next one is near. The
//!   search goes outwards from there in both directions: hosts that connect at once come slightly out of order.
//! - A hash belongs to one name: a line that was matched is never tried for another.
//!
//! All of it is shared between tasks: atomics that are only hints or facts that never change once set.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use crate::ssh::known_hosts::hosts::HashedName;
use crate::ssh::known_hosts::key::KeyId;

/// Hashed lines of one kind, each with the number that the caller knows it by.
#[derive(Debug, Default)]
pub(super) struct HashedLines {
    lines: Vec<HashedLine>,
    whole: SaltGroup,
    by_key: HashMap<KeyId, SaltGroup>,
    asked: RwLock<HashMap<Box<[u8]>, Arc<Asked>>>,
}

#[derive(Debug)]
struct HashedLine {
    name: HashedName,
    /// Id of the name that was found to match, or [`NOBODY`].
    owner: AtomicU32,
    entry: u32,
}

const NOBODY: u32 = 0;

/// Lines to search, in the order of the file.
#[derive(Debug, Default)]
struct SaltGroup {
    members: Vec<u32>,
    /// Where to begin: the member after the last one found. A hint, so races only cost time.
    cursor: AtomicUsize,
}

/// A name that was looked up.
#[derive(Debug)]
struct Asked {
    id: u32,
    /// One more than the line that was found last, or 0: a host that connects again is found at once.
    last: AtomicU32,
    /// All lines that match, once every line was tried.
    scanned: OnceLock<Vec<u32>>,
}

impl HashedLines {
    /// Adds a line; one with a key can be found by it.
    pub(super) fn insert(&mut self, name: HashedName, key: Option<KeyId>, entry: u32) {
        let index = u32::try_from(self.lines.len()).expect("a file of bounded size has fewer lines");
        self.lines.push(HashedLine { name, owner: AtomicU32::new(NOBODY), entry });
        self.whole.members.push(index);
        if let Some(key) = key {
            self.by_key.entry(key).or_default().members.push(index);
        }
    }

    /// A line for this name with this key.
    pub(super) fn find_with_key(&self, name: &[u8], key: KeyId) -> Option<u32> {
        let group = self.by_key.get(&key)?;
        let asked = self.ask(name);
        let found = match asked.scanned.get() {
            Some(lines) => lines.iter().copied().find(|index| group.members.binary_search(index).is_ok()),
            None => self.search(group, &asked, name),
        };
        found.and_then(|index| self.entry(index))
    }

    /// Lines for this name: one, and those next to it. Empty only when there is none at all.
    ///
    /// The lines of a host mostly stand together, for they were recorded together.
    pub(super) fn find_some(&self, name: &[u8]) -> Vec<u32> {
        if self.lines.is_empty() {
            return Vec::new();
        }
        let asked = self.ask(name);
        let found = match asked.scanned.get() {
            Some(lines) => lines.clone(),
            None => match self.search(&self.whole, &asked, name) {
                Some(index) => {
                    let matches = |index: &u32| self.matches(*index, asked.id, name);
                    let before = (0..index).rev().take_while(matches);
                    let mut found: Vec<u32> = before.chain([index]).collect();
                    found.extend((index.saturating_add(1)..).take_while(matches));
                    found
                }
                None => Vec::new(),
            },
        };
        self.entries(&found)
    }

    /// All lines for this name, in order. Tries every line, once per name.
    pub(super) fn find_all(&self, name: &[u8]) -> Vec<u32> {
        if self.lines.is_empty() {
            return Vec::new();
        }
        let asked = self.ask(name);
        let found = asked.scanned.get_or_init(|| {
            self.whole.members.iter().copied().filter(|index| self.matches(*index, asked.id, name)).collect()
        });
        self.entries(found)
    }

    /// Searches outwards from the place of the last success.
    fn search(&self, group: &SaltGroup, asked: &Asked, name: &[u8]) -> Option<u32> {
        let last = asked.last.load(Ordering::Relaxed).checked_sub(1);
        if let Some(index) = last.filter(|index| group.members.binary_search(index).is_ok()) {
            return Some(index);
        }
        let count = group.members.len();
        let start = group.cursor.load(Ordering::Relaxed).min(count);
        for distance in 0..count {
            let after = start.checked_add(distance);
            let before = start.checked_sub(distance + 1);
            for position in [after, before].into_iter().flatten() {
                let Some(index) = group.members.get(position) else { continue };
                if self.matches(*index, asked.id, name) {
                    group.cursor.store(position + 1, Ordering::Relaxed);
                    asked.last.store(index + 1, Ordering::Relaxed);
                    return Some(*index);
                }
            }
        }
        if count == self.lines.len() {
            // Every line was tried: no need to do it again. Another task may have said so already.
            let _ = asked.scanned.set(Vec::new());
        }
        None
    }

    fn matches(&self, index: u32, id: u32, name: &[u8]) -> bool {
        let Some(line) = self.lines.get(index as usize) else { return false };
        match line.owner.load(Ordering::Relaxed) {
            NOBODY => {
                let matched = line.name.matches(name);
                if matched {
                    line.owner.store(id, Ordering::Relaxed);
                }
                matched
            }
            owner => owner == id,
        }
    }

    /// The record of a name; a new one the first time.
    fn ask(&self, name: &[u8]) -> Arc<Asked> {
        let known = self.asked.read().unwrap_or_else(PoisonError::into_inner).get(name).map(Arc::clone);
        known.unwrap_or_else(|| {
            let mut asked = self.asked.write().unwrap_or_else(PoisonError::into_inner);
            let id = u32::try_from(asked.len() + 1).expect("a run has fewer hosts");
            Arc::clone(
                asked.entry(name.into()).or_insert_with(|| {
                    Arc::new(Asked { id, last: AtomicU32::new(0), scanned: OnceLock::new() })
                }),
            )
        })
    }

    fn entry(&self, index: u32) -> Option<u32> {
        self.lines.get(index as usize).map(|line| line.entry)
    }

    fn entries(&self, indices: &[u32]) -> Vec<u32> {
        indices.iter().filter_map(|index| self.entry(*index)).collect()
    }
}
