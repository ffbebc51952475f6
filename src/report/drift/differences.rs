//! What was found: paths on which hosts differ, each with the groups of hosts that are alike there.

use std::sync::Arc;

/// What hosts have otherwise than the others.
#[derive(Clone, Debug, Default)]
pub struct Drift {
    /// What was compared, as the user wrote it.
    pub title: String,
    /// What the others are compared with: `the majority`, a host, a file.
    pub against: String,
    /// Hosts that were compared.
    pub hosts: usize,
    /// Each path or command that was asked for.
    pub roots: Vec<DriftRoot>,
    /// Where hosts differ.
    pub items: Vec<DriftItem>,
    /// What could not be compared, and where.
    pub uncompared: Vec<String>,
}

/// One of the things that were asked for.
#[derive(Clone, Debug, Default)]
pub struct DriftRoot {
    /// The path, or the command.
    pub name: String,
    /// It is a folder somewhere.
    pub is_folder: bool,
    /// Paths in it that are the same on all hosts.
    pub same: usize,
    /// Paths that are there everywhere, and differ.
    pub differ: usize,
    /// Paths that the reference does not have.
    pub added: usize,
    /// Paths that the reference has, and others have not.
    pub missing: usize,
}

/// How hosts differ at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftWay {
    /// All have something there.
    Differs,
    /// The reference has nothing.
    Added,
    /// The reference has something that others have not.
    Missing,
}

impl DriftWay {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::Added => "added",
            Self::Missing => "missing",
        }
    }
}

/// A path on which hosts differ.
#[derive(Clone, Debug)]
pub struct DriftItem {
    /// Number of what was asked for.
    pub root: usize,
    /// The path, or the command. Unclean.
    pub path: String,
    /// How.
    pub way: DriftWay,
    /// Paths below it that differ in nothing else.
    pub below: usize,
    /// Hosts that are alike there, the reference first.
    pub groups: Vec<DriftGroup>,
}

impl DriftItem {
    /// The group whose content the others' are shown against: the first that has one to show.
    pub(super) fn shown_first(&self) -> Option<(usize, &DriftGroup)> {
        self.groups.iter().enumerate().find(|(_, group)| matches!(group.text, DriftText::Text(_)))
    }
}

/// Hosts that are alike.
#[derive(Clone, Debug)]
pub struct DriftGroup {
    /// Their names; none for a local file.
    pub hosts: Vec<String>,
    /// What they have: `0644 root:root, 120 bytes`. Unclean.
    pub what: String,
    /// Its content.
    pub text: DriftText,
}

/// A content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriftText {
    /// Nothing is to be shown: it is no file, or the only one.
    None,
    /// It is text.
    Text(Arc<str>),
    /// It is not shown, and why.
    Note(&'static str),
}

impl DriftText {
    /// Of bytes; a text has no NUL and is UTF-8.
    pub(super) fn of(data: &[u8]) -> Self {
        match std::str::from_utf8(data) {
            Ok(text) if !text.contains('\0') => Self::Text(Arc::from(text)),
            Ok(_) | Err(_) => Self::Note("binary"),
        }
    }
}

impl Drift {
    /// Hosts differ somewhere.
    pub fn differs(&self) -> bool {
        !self.items.is_empty()
    }
}
