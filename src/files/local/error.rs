//! Why this machine's side of a transfer failed, in the user's terms.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::files::select::SelectError;
use crate::model::tree::UnsafeName;

/// Why this machine's side of a transfer failed. Paths are in the user's terms.
#[derive(Debug, Error)]
pub enum LocalError {
    /// The system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// It went away, or became something else, while the folder was read.
    #[error("{} changed while its folder was read", path.display())]
    Changed {
        /// What was there before.
        path: PathBuf,
    },
    /// A name that cannot be moved.
    #[error("{}: the name {why}", path.display())]
    Name {
        /// What has the name.
        path: PathBuf,
        /// What is wrong with it.
        why: UnsafeName,
    },
    /// A link that is followed points at nothing.
    #[error("{} is a dangling link", path.display())]
    Dangling {
        /// The link.
        path: PathBuf,
    },
    /// A link that is followed leads back to a folder that it is in.
    #[error("{} is a link back to {}", path.display(), folder.display())]
    Loop {
        /// The link.
        path: PathBuf,
        /// The folder that it is in.
        folder: PathBuf,
    },
    /// Links that are followed only lead to each other.
    #[error("{} is a link to itself", path.display())]
    EndlessLink {
        /// The link.
        path: PathBuf,
    },
    /// There is more in a folder than is moved.
    #[error("{} holds more than {limit} files and folders", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// How many are moved at most.
        limit: usize,
    },
    /// A `.fanignore` file that cannot be used.
    #[error("{} {why}", path.display())]
    IgnoreFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A line of a `.fanignore` file that cannot be read.
    #[error("cannot read {}", path.display())]
    Select {
        /// The file.
        path: PathBuf,
        /// The line.
        source: SelectError,
    },
    /// Something is in the place of what was to go there. It stays.
    #[error("{} is in the way: it is {what}", path.display())]
    InTheWay {
        /// Where.
        path: PathBuf,
        /// What it is: `a folder`.
        what: &'static str,
    },
    /// What was to be read is there, but is no regular file.
    #[error("{} is {what}, not a file", path.display())]
    NotAFile {
        /// Where.
        path: PathBuf,
        /// What it is: `a pipe`.
        what: &'static str,
    },
    /// A link of a host that would lead out of the folder.
    #[error("{}: a link to {target:?} would lead out of the folder", path.display())]
    UnsafeLink {
        /// The link.
        path: PathBuf,
        /// Where it would point.
        target: String,
    },
    /// There is less room than what is to come needs.
    #[error("{} has {free} bytes free, and {needed} are needed", path.display())]
    NoRoom {
        /// The folder.
        path: PathBuf,
        /// Bytes to come.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// To the file system of this machine two names are one.
    #[error("{} and {} are the same file here", path.display(), other.display())]
    Clash {
        /// The second.
        path: PathBuf,
        /// The first, which stays.
        other: PathBuf,
    },
}
