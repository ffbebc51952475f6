//! Why the file cannot be used, and what to do about it.

use std::io;
use std::path::Path;

use rusqlite::{Error, ErrorCode};
use thiserror::Error as ThisError;

/// Why the file cannot be used.
#[derive(Debug, ThisError)]
pub enum FleetError {
    /// There is none.
    #[error("there is no fleet file {0}")]
    Missing(String),
    /// It, or its folder, cannot be made or opened.
    #[error("cannot use the fleet file {path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is no database, or another program's.
    #[error("{0} is not a fleet file of fan")]
    NotOurs(String),
    /// A later version made it.
    #[error("{path} was written by a later version of fan (format {version}; this one knows {known})")]
    Newer {
        /// Which.
        path: String,
        /// Its format.
        version: i64,
        /// The latest that is known.
        known: i64,
    },
    /// Its content is broken.
    #[error("{0} is damaged")]
    Damaged(String),
    /// Another process has been writing for too long.
    #[error("{0} is in use: another process has been writing to it for 30 seconds")]
    Busy(String),
    /// There is no room.
    #[error("cannot write {0}: the disk is full")]
    Full(String),
    /// It may not be written.
    #[error("cannot write {0}: it, its folder or its disk is read-only")]
    ReadOnly(String),
    /// SQLite cannot open it, or read or write there.
    #[error(
        "cannot open or use {0} and the files that SQLite keeps beside it: is the disk full or read-only?"
    )]
    Unusable(String),
    /// What else there is.
    #[error("{path}: {source}")]
    Sqlite {
        /// Which.
        path: String,
        /// Why.
        source: Error,
    },
}

impl FleetError {
    pub(super) fn of(path: &Path, source: Error) -> Self {
        let shown = path.display().to_string();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged(shown),
            Some(ErrorCode::NotADatabase) => Self::NotOurs(shown),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(shown),
            Some(ErrorCode::DiskFull) => Self::Full(shown),
            Some(ErrorCode::ReadOnly) => Self::ReadOnly(shown),
            Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) => Self::Unusable(shown),
            Some(_) | None => Self::Sqlite { path: shown, source },
        }
    }

    /// What to do, where something can be done.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing(_) => Some("`fan facts --save` begins one".to_owned()),
            Self::NotOurs(_) => Some("name another file with --db, or move this one away".to_owned()),
            Self::Newer { .. } => Some("use that version of fan, or another file: --db FILE".to_owned()),
            Self::Damaged(path) => Some(format!(
                "save what can be read: sqlite3 {path} .recover | sqlite3 new.db, or move it away: the next \
                 `fan facts --save` begins a new one"
            )),
            Self::Full(_) => {
                Some("nothing was changed; make room, or name another file with --db".to_owned())
            }
            Self::ReadOnly(_) | Self::Busy(_) | Self::Unusable(_) => {
                Some("name another file with --db".to_owned())
            }
            Self::File { .. } | Self::Sqlite { .. } => None,
        }
    }

    /// Whether it is the machine's fault, and not that of what was asked for.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Missing(_) | Self::NotOurs(_) | Self::Newer { .. } | Self::Damaged(_) => false,
            Self::File { .. }
            | Self::Busy(_)
            | Self::Full(_)
            | Self::ReadOnly(_)
            | Self::Unusable(_)
            | Self::Sqlite { .. } => true,
        }
    }
}
