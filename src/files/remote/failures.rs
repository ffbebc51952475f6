//! What went wrong on the host, from what it said.

use crate::files::remote::paths::shown;
use crate::files::remote::shell::JobEnd;
use crate::model::outcome::{Failure, Kind};
use crate::ssh::sftp::SftpError;

/// The account has no shell, or may not have another channel for one.
pub(super) fn is_no_shell(failure: &Failure) -> bool {
    matches!(failure.kind, Kind::ExecRefused | Kind::ChannelRefused)
}

/// The connection, or the server at its end, is of no more use, or does not answer.
pub(in crate::files) fn is_loss(failure: &Failure) -> bool {
    failure.kind.is_loss() || failure.kind == Kind::Timeout
}

/// What a job's failure is, from what was said.
pub(super) fn refused(what: &str, end: &JobEnd) -> Failure {
    let said = end.said();
    let has = |words: &str| said.to_ascii_lowercase().contains(words);
    let kind = if has("permission denied") || has("not permitted") || has("read-only file system") {
        Kind::RemotePermission
    } else if has("no space left") || has("quota exceeded") {
        Kind::RemoteDiskFull
    } else {
        Kind::RemotePath
    };
    let told = if said.is_empty() { format!("exit status {}", end.status) } else { said };
    Failure::new(kind, format!("{what}: {told}"))
}

pub(super) fn untold(path: &[u8]) -> Failure {
    Failure::new(Kind::Protocol, format!("the host does not say what {} is", shown(path)))
}

/// A connection that broke while the host counted.
pub(super) fn uncounted(failure: Failure) -> Failure {
    failure.about("cannot hash files")
}

pub(super) fn odd_digest(line: &[u8]) -> Failure {
    let line = shown(line.get(..80.min(line.len())).unwrap_or_default());
    Failure::new(Kind::VerifyFailed, format!("the host's SHA-256 cannot be read: {line:?}"))
}

/// An answer, or none where the server only says no to the question.
pub(super) fn unless_refused<T>(answer: Result<T, SftpError>) -> Result<Option<T>, SftpError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_end() => Err(error),
        Err(_) => Ok(None),
    }
}
