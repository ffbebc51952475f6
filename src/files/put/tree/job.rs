//! A folder to be put, and what became of it, as data.

use std::path::Path;

use crate::files::local::Walked;
use crate::files::meta::{Meta, MetaKind};
use crate::files::progress::TransferProgress;
use crate::files::remote::{WantedAttributes, child};
use crate::model::tree::{Entry, EntryKind, TreePath};

/// Paths that a record names, at most.
const NAMED: usize = 1000;

/// A folder to be put.
pub struct TreeJob<'a> {
    /// The local folder.
    pub root: &'a Path,
    /// What is in it.
    pub walked: &'a Walked,
    /// The path that the folder will have on the host.
    pub target: &'a [u8],
    /// What files are to be like; without a mode each has its own.
    pub files: &'a WantedAttributes,
    /// Mode of folders; without one each has its own.
    pub folder_mode: Option<u32>,
    /// Files keep their times.
    pub times: bool,
    /// What is there and not here goes away, but for what is left out.
    pub delete: bool,
    /// Files that are there get the mode of ours, too.
    pub mirror: bool,
    /// Nothing is changed.
    pub dry_run: bool,
    /// Bytes of one host that may be on their way.
    pub in_flight: usize,
    /// Where it is counted.
    pub progress: &'a TransferProgress,
}

/// What became of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutTree {
    /// Files that were sent, or would be.
    pub sent: usize,
    /// Files that were there already.
    pub unchanged: usize,
    /// Files, links and folders that were removed, or would be.
    pub removed: usize,
    /// Folders and links that were made, modes and owners that were set.
    pub other: usize,
    /// Files whose content was there already, and whose mode, owner or time was set: of both `unchanged` and `other`.
    pub settled: usize,
    /// Folders that were there already, likewise.
    pub settled_folders: usize,
    /// The server renames only where nothing is: old contents were taken away before new ones were put there.
    pub in_two_steps: bool,
    /// What was changed, the first thousand: `+` made or sent, `-` removed, `~` given another mode, owner or time.
    pub changes: Vec<(char, TreePath)>,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl PutTree {
    pub(super) fn name(&mut self, sign: char, path: &TreePath) {
        if self.changes.len() < NAMED {
            self.changes.push((sign, path.clone()));
        }
    }
}

/// A file to be sent.
#[derive(Clone, Copy)]
pub(super) struct Sending<'a> {
    pub(super) entry: &'a Entry,
    /// The file whose place it takes.
    pub(super) before: Option<Meta>,
}

impl Sending<'_> {
    pub(super) fn wanted(&self, job: &TreeJob<'_>) -> WantedAttributes {
        job.wanted(self.entry, self.before.as_ref())
    }
}

/// The bits that only the host's side decides on, unless the step says them: setuid, setgid, sticky.
pub(super) const SPECIAL: u32 = 0o7000;

impl TreeJob<'_> {
    /// What a file is to be like, in the place of another.
    pub(super) fn wanted(&self, entry: &Entry, before: Option<&Meta>) -> WantedAttributes {
        let usual = match before {
            Some(Meta { mode: Some(mode), .. }) if !self.mirror => *mode,
            _ => ours(entry, before),
        };
        WantedAttributes {
            mode: Some(self.files.mode.unwrap_or(usual)),
            mtime: self.times.then_some(entry.mtime),
            ..self.files.clone()
        }
    }

    pub(super) fn folder_mode(&self, entry: &Entry, before: Option<&Meta>) -> u32 {
        self.folder_mode.unwrap_or_else(|| ours(entry, before))
    }

    pub(super) fn local(&self, path: &TreePath) -> std::path::PathBuf {
        use std::os::unix::ffi::OsStrExt;
        self.root.join(Path::new(std::ffi::OsStr::from_bytes(path.as_bytes())))
    }

    pub(super) fn says_modes(&self) -> bool {
        self.files.mode.is_some() || self.folder_mode.is_some()
    }

    pub(super) fn owned(&self) -> bool {
        self.files.owner.is_some() || self.files.group.is_some()
    }
}

/// The mode that something has here, with the special bits that it has there.
fn ours(entry: &Entry, before: Option<&Meta>) -> u32 {
    (entry.mode & 0o777) | before.and_then(|before| before.mode).map_or(0, |mode| mode & SPECIAL)
}

/// What there is to say of files that were put in place.
#[derive(Default)]
pub(super) struct Remarks {
    pub(super) notes: Vec<String>,
    /// The server renames only where nothing is.
    pub(super) in_two_steps: bool,
}

/// The path on the host of something in the folder.
pub(super) fn below(target: &[u8], path: &TreePath) -> Vec<u8> {
    if path.is_root() { target.to_vec() } else { child(target, path.as_bytes()) }
}

/// Whether what is there is of the same kind as what is to be there.
pub(super) fn same_kind(entry: &Entry, meta: &Meta) -> bool {
    matches!(
        (&entry.kind, meta.kind),
        (EntryKind::File { .. }, MetaKind::File { .. })
            | (EntryKind::Folder, MetaKind::Folder)
            | (EntryKind::Link { .. }, MetaKind::Link)
    )
}
