//! One file off the host: received beside its place, compared with what the host counts, and then put in place.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use crate::files::content::blocking;
use crate::files::digest::{Digest, Hasher};
use crate::files::get::receive::{Expected, receive};
use crate::files::local::{Destination, LocalError, PendingFile};
use crate::files::progress::TransferProgress;
use crate::files::remote::{Remote, shown};
use crate::model::outcome::{Failure, Kind};
use crate::model::tree::{EntryKind, TreePath};
use crate::ssh::Session;

/// Bytes that a host hashes in a second, at the very least.
const SLOWEST_HASH: u64 = 5 * 1024 * 1024;

/// A file that is wanted.
pub struct GetJob<'a> {
    /// Where it is on the host.
    pub path: &'a [u8],
    /// Its size, as the host says.
    pub size: u64,
    /// Its permission bits, where they are known.
    pub mode: Option<u32>,
    /// Its time, when that is to be kept.
    pub mtime: Option<i64>,
    /// The folder that nothing gets out of.
    pub folder: &'a Destination,
    /// Where it goes in there.
    pub at: &'a TreePath,
    /// Nothing is changed.
    pub dry_run: bool,
    /// Bytes that may be on their way.
    pub in_flight: usize,
    /// Where it is counted.
    pub progress: &'a TransferProgress,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Got {
    /// It was here already.
    Same,
    /// It came, or would.
    New,
}

/// Gets a file.
///
/// # Errors
///
/// It is not in place, and what was there before is.
pub async fn get_file<S: Session>(remote: &Remote<S>, job: &GetJob<'_>) -> Result<Got, Failure> {
    let (here, counted) = is_here(remote, job).await?;
    if here.is_some() && here == counted {
        return Ok(Got::Same);
    }
    job.progress.expect(job.size);
    if job.dry_run {
        return Ok(Got::New);
    }
    let (folder, at, size) = (job.folder.clone(), job.at.clone(), job.size);
    let pending = blocking(move || {
        folder.has_room(size).and_then(|()| folder.create(&at)).map_err(|error| local(&error))
    })
    .await?;
    let pending = Arc::new(pending);
    let sink = Arc::clone(&pending);
    let write = Arc::new(move |data: &[u8], at: u64| sink.write_at(data, at).map_err(io::Error::other));
    let expected = Expected { path: job.path, size: job.size, in_flight: job.in_flight };
    // The host counts while it sends.
    let (came, theirs) = futures::try_join!(
        receive(remote, &expected, write, job.progress),
        theirs(remote, job.path, job.size)
    )?;
    same(job.path, came, theirs)?;
    if here == Some(came) {
        // Nobody counts there: it had to come to be compared.
        return Ok(Got::Same);
    }
    commit(pending, job.mode, job.mtime).await?;
    Ok(Got::New)
}

/// Sees that what came is what the host counts.
pub(super) fn same(path: &[u8], came: Digest, theirs: Option<Digest>) -> Result<(), Failure> {
    if theirs.is_none_or(|theirs| theirs == came) {
        return Ok(());
    }
    let message = format!("what arrived of {} differs from the host's file", shown(path));
    Err(Failure::new(Kind::VerifyFailed, message)
        .hint("it changed while it was being read; nothing was kept"))
}

/// What of a host's mode holds here: who else may write is for this machine to say.
pub(super) fn local_mode(mode: u32) -> u32 {
    mode & 0o755
}

pub(super) async fn commit(
    pending: Arc<PendingFile>,
    mode: Option<u32>,
    mtime: Option<i64>,
) -> Result<(), Failure> {
    let pending = Arc::try_unwrap(pending)
        .map_err(|_| Failure::new(Kind::Internal, "a file that came is still being written"))?;
    // No setuid bits from a host, and never less than its owner needs.
    let mode = local_mode(mode.unwrap_or(0o644)) | 0o600;
    blocking(move || pending.commit(mode, mtime).map_err(|error| local(&error))).await
}

async fn theirs<S: Session>(remote: &Remote<S>, path: &[u8], size: u64) -> Result<Option<Digest>, Failure> {
    let patience = Duration::from_secs(size / SLOWEST_HASH);
    let digests = remote.digests(&[path.to_vec()], patience).await?;
    Ok(digests.and_then(|digests| digests.first().copied()))
}

/// The SHA-256 of what is here, when it has the right size, and then what the host counts, if it does.
async fn is_here<S: Session>(
    remote: &Remote<S>,
    job: &GetJob<'_>,
) -> Result<(Option<Digest>, Option<Digest>), Failure> {
    let (folder, at, size) = (job.folder.clone(), job.at.clone(), job.size);
    let ours = blocking(move || local_digest(&folder, &at, size).map_err(|error| local(&error))).await?;
    match ours {
        None => Ok((None, None)),
        Some(ours) => Ok((Some(ours), theirs(remote, job.path, job.size).await?)),
    }
}

/// The SHA-256 of what is here, when it has the right size.
pub(super) fn local_digest(
    folder: &Destination,
    at: &TreePath,
    size: u64,
) -> Result<Option<Digest>, LocalError> {
    let here = folder.lstat(at)?;
    if here.map(|entry| entry.kind) != Some(EntryKind::File { size }) {
        return Ok(None);
    }
    let mut file = folder.open_existing(at)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(read) = file.read(&mut buffer) else { return Ok(None) };
        let Some(data) = buffer.get(..read).filter(|data| !data.is_empty()) else {
            return Ok(Some(hasher.finish()));
        };
        hasher.update(data);
    }
}

/// An error of this machine as the failure of a step.
pub(super) fn local(error: &LocalError) -> Failure {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    let kind = match error {
        LocalError::UnsafeLink { .. } | LocalError::Name { .. } => Kind::UnsafeName,
        LocalError::Io { .. }
        | LocalError::Changed { .. }
        | LocalError::Dangling { .. }
        | LocalError::Loop { .. }
        | LocalError::EndlessLink { .. }
        | LocalError::TooMany { .. }
        | LocalError::IgnoreFile { .. }
        | LocalError::Select { .. }
        | LocalError::InTheWay { .. }
        | LocalError::NotAFile { .. }
        | LocalError::NoRoom { .. }
        | LocalError::Clash { .. } => Kind::LocalIo,
    };
    Failure::new(kind, format!("{error}{cause}"))
}
