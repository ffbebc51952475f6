//! The answers: what is known of a presented key, with the places that say so.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::ssh::known_hosts::flaw::LineFlaw;

/// What the files say of a key that a host presents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is recorded for the host, there.
    Trusted(FileLine),
    /// No key at all is recorded for the host.
    Unknown,
    /// Other keys are recorded for the host, but not this one.
    Changed {
        /// The recorded ones, in the order of the files.
        recorded: Vec<RecordedKey>,
    },
    /// A line forbids the key for this host, whatever other lines say.
    Revoked(FileLine),
    /// The files cannot answer, so nobody may connect.
    Store(KnownHostsError),
}

/// A line of a file. Displayed as `file:line`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLine {
    /// The file as it was named to [`KnownHosts::load`](crate::ssh::known_hosts::lookup::KnownHosts::load).
    pub file: Arc<Path>,
    /// Line, from 1.
    pub line: u32,
}

impl fmt::Display for FileLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A key that is recorded for a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedKey {
    /// Where.
    pub place: FileLine,
    /// The type inside the key: `ssh-ed25519`. Printable ASCII.
    pub key_type: String,
    /// Its [`fingerprint`](crate::ssh::known_hosts::key::fingerprint).
    pub fingerprint: String,
}

/// Why the files cannot answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KnownHostsError {
    /// A file exists, or may exist, but cannot be read.
    #[error("cannot read {}: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: Arc<Path>,
        /// The system's words.
        reason: String,
    },
    /// Something that is not a regular file.
    #[error("{} is {found}, not a file of host keys", file.display())]
    NotAFile {
        /// The path.
        file: Arc<Path>,
        /// What it is, with its article.
        found: &'static str,
    },
    /// A file beyond all reason.
    #[error("{} is larger than {} MiB", file.display(), SIZE_MAX >> 20)]
    TooLarge {
        /// The file.
        file: Arc<Path>,
    },
    /// A line about the host means nothing, so what is recorded for it is not known.
    #[error("{place}: a line about this host is unusable: {problem}")]
    Line {
        /// The line.
        place: FileLine,
        /// What is wrong with it.
        problem: LineFlaw,
    },
    /// A line of a file of revoked keys means nothing, so it is not known what it revokes.
    #[error("{place}: a line of revoked keys is unusable: {problem}")]
    Revocation {
        /// The line.
        place: FileLine,
        /// What is wrong with it.
        problem: LineFlaw,
    },
    /// A revocation list in OpenSSH's binary form.
    #[error("{} is a binary revocation list (KRL), which fan does not read", file.display())]
    BinaryRevocations {
        /// The file.
        file: Arc<Path>,
    },
}

impl KnownHostsError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreadable { file, .. } => {
                format!("make {} readable, or name other files with `known_hosts`", file.display())
            }
            Self::NotAFile { .. } | Self::TooLarge { .. } => {
                "name another file with `known_hosts`".to_owned()
            }
            Self::BinaryRevocations { .. } => {
                "list the revoked keys as text, one public key per line, or as @revoked lines".to_owned()
            }
            Self::Line { place, .. } | Self::Revocation { place, .. } => {
                format!("correct or delete line {} of {}", place.line, place.file.display())
            }
        }
    }
}

/// Larger files are refused: a million ed25519 lines are about 100 MiB.
pub(super) const SIZE_MAX: u64 = 256 << 20;
