//! The file: made for its owner only, opened for writing or for reading, brought to the version of this program.
//!
//! Writers take turns: SQLite's write-ahead log lets readers go on meanwhile, and a process that is killed leaves either
//! all of what it saved or nothing.

use std::fs::{DirBuilder, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Error, ErrorCode, OpenFlags, TransactionBehavior};

use crate::fleet::error::FleetError;
use crate::fleet::schema::{APPLICATION, MIGRATIONS, PAGE, latest};

/// How long a writer waits for another one.
const PATIENCE: Duration = Duration::from_secs(30);

/// The fleet over time, as a file.
#[derive(Debug)]
pub struct FleetFile {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
}

impl FleetFile {
    /// Opens the file to save into it; makes it, and the folder that it is in, where there is none.
    ///
    /// # Errors
    ///
    /// It cannot be written, or is none of ours, or a later version's.
    pub fn create(path: &Path) -> Result<Self, FleetError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                FleetError::ReadOnly(path.display().to_string())
            }
            io::ErrorKind::StorageFull => FleetError::Full(path.display().to_string()),
            _ => FleetError::File { path: path.display().to_string(), source },
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        // SQLite gives its two files beside it the same mode.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if is_pipe_or_device(&path.metadata().map_err(failed)?) {
                    return Err(FleetError::NotOurs(path.display().to_string()));
                }
            }
            Err(error) => return Err(failed(error)),
        }
        let file = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, path)?;
        file.migrate()
    }

    /// Opens the file to read it.
    ///
    /// # Errors
    ///
    /// There is none, it cannot be read, or is none of ours, or a later version's.
    pub fn open(path: &Path) -> Result<Self, FleetError> {
        match path.metadata() {
            Ok(found) if is_pipe_or_device(&found) => {
                return Err(FleetError::NotOurs(path.display().to_string()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(FleetError::Missing(path.display().to_string()));
            }
            Err(source) => return Err(FleetError::File { path: path.display().to_string(), source }),
        }
        let file =
            match Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, path).and_then(Self::looked_at) {
                // The files beside it cannot be made on a disk that is read-only: without any, nobody writes.
                Err(error) if error.is_local() && !has_log(path) => {
                    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
                    Self::connect(path, flags, &immutable(path)).and_then(Self::looked_at)?
                }
                other => other?,
            };
        match file.version()? {
            // Another process is making it at this moment, or was stopped while it did.
            0 => Err(FleetError::Missing(path.display().to_string())),
            version if version < latest() => {
                drop(file);
                Self::create(path)
            }
            _ => Ok(file),
        }
    }

    fn connect(path: &Path, flags: OpenFlags, at: &Path) -> Result<Self, FleetError> {
        let failed = |error| FleetError::of(path, error);
        let connection =
            Connection::open_with_flags(at, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
        connection.busy_timeout(PATIENCE).map_err(failed)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
        Ok(Self { path: path.to_owned(), connection })
    }

    /// Whether it can be read at all, and by this program.
    fn looked_at(mut self) -> Result<Self, FleetError> {
        let path = self.path.display().to_string();
        let of = |error| FleetError::of(&self.path, error);
        let transaction = self.connection.transaction().map_err(of)?;
        // All at one moment: another process may be making the file.
        let number = |name: &str| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let (application, version) =
            (number("application_id").map_err(of)?, number("user_version").map_err(of)?);
        let tables: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).map_err(of)?;
        transaction.commit().map_err(of)?;
        if application != APPLICATION && (tables > 0 || application != 0) {
            return Err(FleetError::NotOurs(path));
        }
        if version > latest() {
            return Err(FleetError::Newer { path, version, known: latest() });
        }
        Ok(self)
    }

    fn version(&self) -> Result<i64, FleetError> {
        let version = self.connection.pragma_query_value(None, "user_version", |row| row.get(0));
        version.map_err(|error| FleetError::of(&self.path, error))
    }

    /// Brings the file to the latest version. Several processes may do so at once: one of them does it.
    fn migrate(self) -> Result<Self, FleetError> {
        let mut file = self.looked_at()?;
        let failed = |error| FleetError::of(&file.path, error);
        // Of a new file only.
        file.connection.pragma_update(None, "page_size", PAGE).map_err(failed)?;
        file.connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
        let transaction =
            file.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let version: i64 =
            transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
        let done = usize::try_from(version).unwrap_or(usize::MAX);
        for migration in MIGRATIONS.iter().skip(done) {
            transaction.execute_batch(migration).map_err(failed)?;
        }
        if version < latest() {
            transaction.pragma_update(None, "application_id", APPLICATION).map_err(failed)?;
            transaction.pragma_update(None, "user_version", latest()).map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        // It lasts. Who comes while another process reads or writes leaves it to the next one.
        let log = file.connection.pragma_update(None, "journal_mode", "WAL");
        match log {
            Err(error) if is_busy(&error) => {}
            other => other.map_err(failed)?,
        }
        Ok(file)
    }
}

/// What could be waited for without end when it is opened, or read.
fn is_pipe_or_device(found: &Metadata) -> bool {
    !found.is_file() && !found.is_dir()
}

fn is_busy(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether something is written that is not in the file yet.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Path::new(&log).metadata().is_ok_and(|log| log.len() > 0)
}

/// The file as one that nobody writes to, in SQLite's words.
fn immutable(path: &Path) -> PathBuf {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt;

    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02x}");
        }
    }
    uri.push_str("?immutable=1");
    PathBuf::from(uri)
}
