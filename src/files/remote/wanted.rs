//! What is to be set of a file, and by which means.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::model::outcome::{Failure, Kind};
use crate::model::time::rfc3339;
use crate::ssh::sftp::wire::Attrs;

/// Whether commands may run beside SFTP on a connection. Clones are of the same connection: those who share it learn from
/// each other.
#[derive(Clone, Debug)]
pub enum Commands {
    /// As on most servers.
    Beside(Arc<CommandsTried>),
    /// The server ends the connection when it is asked for one (proftpd's mod_sftp).
    Never,
}

/// What came of the commands that were asked for beside SFTP on a connection.
#[derive(Debug, Default)]
pub struct CommandsTried(AtomicU8);

/// Nothing is known until one is asked for; one that was granted is a proof for good.
const ASKED: u8 = 1;
const GRANTED: u8 = 2;

impl Default for Commands {
    fn default() -> Self {
        Self::Beside(Arc::default())
    }
}

impl Commands {
    /// Whether a command may be asked for.
    ///
    /// # Errors
    ///
    /// It would end the connection.
    pub fn allowed(&self) -> Result<(), Failure> {
        match self {
            Self::Beside(_) => Ok(()),
            Self::Never => Err(Failure::new(
                Kind::ExecRefused,
                "the server ends the connection when asked for a command beside SFTP",
            )),
        }
    }

    /// One is about to be asked for.
    pub(super) fn asked(&self) {
        self.learn(ASKED);
    }

    /// The server gave one.
    pub(super) fn granted(&self) {
        self.learn(GRANTED);
    }

    fn learn(&self, what: u8) {
        if let Self::Beside(tried) = self {
            tried.0.fetch_max(what, Ordering::Relaxed);
        }
    }

    /// Whether a connection that is lost may have been ended by the server because somebody asked for a command.
    pub fn may_have_ended_it(&self) -> bool {
        matches!(self, Self::Beside(tried) if tried.0.load(Ordering::Relaxed) == ASKED)
    }
}

/// What is to be set of a file; what is not said stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedAttributes {
    /// Permission bits.
    pub mode: Option<u32>,
    /// Owner, by name or number.
    pub owner: Option<String>,
    /// Group, by name or number.
    pub group: Option<String>,
    /// Last modification.
    pub mtime: Option<i64>,
}

impl WantedAttributes {
    /// Whether nothing is.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// `owner:group` as chown takes it.
pub(super) fn whose(wanted: &WantedAttributes) -> String {
    let owner = wanted.owner.as_deref().unwrap_or_default();
    let group = wanted.group.as_ref().map(|group| format!(":{group}")).unwrap_or_default();
    format!("{owner}{group}")
}

pub(in crate::files) fn attrs_of(wanted: &WantedAttributes) -> Attrs {
    let seconds = wanted.mtime.map(|mtime| u32::try_from(mtime.max(0)).unwrap_or(u32::MAX));
    Attrs { permissions: wanted.mode, times: seconds.map(|seconds| (seconds, seconds)), ..Attrs::default() }
}

/// `touch` with a time that all of them read.
pub(super) fn touch(mtime: i64) -> String {
    let digits: String = rfc3339(mtime.max(0).unsigned_abs()).chars().filter(char::is_ascii_digit).collect();
    let (minutes, seconds) = digits.split_at(12);
    format!("TZ=UTC0 touch -c -t {minutes}.{seconds}")
}
