//! `--log FILE`: what fan does, line by line, for a bug report. Owns the file and what may stand in it. The records come
//! from all floors through `tracing`, and from russh through `log`; without the flag nobody makes one.
//!
//! Refuses what hosts print and what files hold: no record has it. Secrets are taken out of each line before it is
//! written; nothing that may be one is recorded before fan knows its secrets.

use std::env::consts;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::OFlags;
use tracing::info;
use tracing::level_filters::LevelFilter;
use tracing_log::{AsLog, LogTracer, log};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;

use crate::cli::args::LogArgs;
use crate::cli::error::{CliError, redacted, talk};
use crate::model::text::{self, Sgr};

/// Records of russh that are never written: the length of each packet (that of a password among them), and what the
/// throw-away hosts of `fan demo` send.
const LEFT_OUT: [&str; 2] = ["russh::sshbuffer", "russh::server"];

/// The finest level of russh's records. Below it, most of them are lengths of packets.
const FINEST: log::LevelFilter = log::LevelFilter::Debug;

/// The log of this process, to its end.
pub(super) struct Log {
    file: Arc<LogFile>,
    path: PathBuf,
}

/// Begins the log that the user wants, if any; its first line is written when this returns.
///
/// # Errors
///
/// The file cannot be made or written, or is none that is only the user's.
pub(super) fn begin(args: &LogArgs, command: &str) -> Result<Option<Log>, CliError> {
    let Some(path) = &args.log else { return Ok(None) };
    let failed =
        |source| CliError::Local { doing: format!("cannot write the log {}", path.display()), source };
    let log = LogFile { file: open(path).map_err(failed)?, failure: Mutex::default() };
    let log = Log { file: Arc::new(log), path: path.clone() };
    let records = fmt::layer()
        .with_ansi(false)
        .log_internal_errors(false)
        .with_writer(Arc::clone(&log.file))
        .with_filter(args.log_filter.clone());
    let made = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(records))
        .map_err(io::Error::other)
        .and_then(|()| {
            LogTracer::builder()
                .ignore_all(LEFT_OUT)
                .with_max_level(LevelFilter::current().as_log().min(FINEST))
                .init()
                .map_err(io::Error::other)
        });
    made.map_err(failed)?;
    let version = env!("CARGO_PKG_VERSION");
    let libc = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    // Whatever the filter says: whether the file can be written is seen here.
    let head = format!(
        "fan {version} {command} ({} {} {libc}, pid {})",
        consts::ARCH,
        consts::OS,
        std::process::id()
    );
    log.file.line(&head).map_err(failed)?;
    Ok(Some(log))
}

impl Log {
    /// Ends the log with the code that the process exits with.
    pub(super) fn end(self, code: u8) {
        info!("exit code {code}");
        let failure = self.file.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(failure) = failure {
            talk(&format!("warning: the log {} is incomplete: {failure}", self.path.display()));
        }
    }
}

/// Opens a file for lines at its end, and makes it the user's alone.
fn open(path: &Path) -> io::Result<File> {
    let not_ours = |why: &str| Err(io::Error::other(why.to_owned()));
    let no_link = |error: io::Error| match rustix::io::Errno::from_io_error(&error) {
        Some(rustix::io::Errno::LOOP) => io::Error::other("it is a link"),
        _ => error,
    };
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
        .open(path)
        .map_err(no_link)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return not_ours("it is not a regular file");
    }
    if found.nlink() > 1 {
        return not_ours("it has a second hard link");
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return not_ours("it is another user's file");
    }
    if found.permissions().mode() & 0o077 != 0 {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// Where the lines go.
struct LogFile {
    file: File,
    /// The first error; what comes after it is tried all the same.
    failure: Mutex<Option<io::Error>>,
}

impl LogFile {
    fn line(&self, line: &str) -> io::Result<()> {
        let shown = redacted(line);
        let mut line = text::sanitize(shown.as_bytes(), Sgr::Escape).into_owned();
        line.push('\n');
        (&self.file).write_all(line.as_bytes())
    }
}

/// Each write is one record.
impl Write for &LogFile {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.line(String::from_utf8_lossy(record).trim_end_matches('\n')) {
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
