//! Why a key was not written down.

use std::path::Path;
use std::sync::Arc;

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A name that would not stay one word of a line.
    #[error("\"{}\" is not a valid name in a file of host keys", name.escape_default())]
    Name {
        /// The name.
        name: String,
    },
    /// A key that would be unusable when it is read again.
    #[error("the key cannot be recorded: {problem}")]
    Key {
        /// What is wrong with it.
        problem: String,
    },
    /// The name stands for a link, and what is behind it may be anyone's.
    #[error("{} is a symbolic link", file.display())]
    Link {
        /// The file.
        file: Arc<Path>,
    },
    /// A folder, a device, a pipe.
    #[error("{} is not a regular file", file.display())]
    NotAFile {
        /// The file.
        file: Arc<Path>,
    },
    /// Others write to it all the time.
    #[error("another process keeps {} locked", file.display())]
    Busy {
        /// The file.
        file: Arc<Path>,
    },
    /// The system did not do its part: no space, no permission, read-only.
    #[error("cannot write {}: {reason}", file.display())]
    Write {
        /// The file.
        file: Arc<Path>,
        /// The system's words.
        reason: String,
    },
    /// Read again, the file did not say what was written.
    #[error("{} does not hold what was written to it: another program wrote at the same time", file.display())]
    Lost {
        /// The file.
        file: Arc<Path>,
    },
}

impl RecordError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Name { .. } => {
                "give the host another name with HostKeyAlias, or another address".to_owned()
            }
            Self::Key { .. } => "the server needs a better host key: ssh-keygen -A there".to_owned(),
            Self::Link { file } => {
                format!("name its target {} first in `known_hosts`", file.display())
            }
            Self::NotAFile { .. } => "name a file first in `known_hosts`".to_owned(),
            Self::Busy { file } | Self::Write { file, .. } | Self::Lost { file } => {
                format!("fix {}, then run again", file.display())
            }
        }
    }

    /// Whether this machine is to blame (disk, lock), rather than a name, a key or what the file is.
    pub fn is_local_fault(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Write { .. } | Self::Lost { .. } => true,
            Self::Name { .. } | Self::Key { .. } | Self::Link { .. } | Self::NotAFile { .. } => false,
        }
    }
}
