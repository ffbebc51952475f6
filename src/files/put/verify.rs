//! Sees that the host has what was sent. A large content is counted piece by piece while the next pieces are on their
//! way, so that its end does not wait for all of it to be counted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::files::content::{Content, PIECE};
use crate::files::digest::Digest;
use crate::files::remote::{Remote, is_loss};
use crate::model::outcome::{Failure, Kind};
use crate::ssh::Session;

/// Bytes that a host hashes in a second, at the very least.
const SLOWEST_HASH: u64 = 5 * 1024 * 1024;

/// What has arrived, piece by piece.
pub(super) struct Arrivals {
    size: u64,
    /// Bytes of each piece that are still to come.
    missing: Mutex<Vec<u64>>,
    whole: mpsc::UnboundedSender<usize>,
}

impl Arrivals {
    /// Nothing has arrived yet; the other end is told of pieces that are whole.
    pub(super) fn of(content: &Content) -> (Self, mpsc::UnboundedReceiver<usize>) {
        let (whole, told) = mpsc::unbounded_channel();
        let mut left = content.size();
        let missing = (0..content.pieces()).map(|_| {
            let piece = left.min(PIECE);
            left -= piece;
            piece
        });
        (Self { size: content.size(), missing: Mutex::new(missing.collect()), whole }, told)
    }

    /// Bytes have arrived: so many from an offset on.
    pub(super) fn note(&self, mut offset: u64, mut length: u64) {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        while length > 0 && offset < self.size {
            let number = usize::try_from(offset / PIECE).unwrap_or(usize::MAX);
            let here = length.min(PIECE - offset % PIECE);
            if let Some(left) = missing.get_mut(number) {
                *left = left.saturating_sub(here);
                if *left == 0 {
                    // Nobody listens once the verdict is out.
                    let _ = self.whole.send(number);
                }
            }
            offset += here;
            length -= here;
        }
    }
}

/// Counts pieces on the host as they arrive; false when the host cannot count.
pub(super) async fn pieces<S: Session>(
    remote: &Remote<S>,
    content: &Arc<Content>,
    path: &[u8],
    mut arrived: mpsc::UnboundedReceiver<usize>,
) -> Result<bool, Failure> {
    let patience = Duration::from_secs(content.size() / SLOWEST_HASH);
    // Started while the first piece is on its way; why there is none is told when it is needed.
    let _ = remote.shell().await;
    let mut ready = Vec::new();
    loop {
        match arrived.recv().await {
            Some(number) => ready.push(number),
            None => return Ok(true),
        }
        while let Ok(number) = arrived.try_recv() {
            ready.push(number);
        }
        let Some(theirs) = remote.digests_of_pieces(path, &ready, patience).await? else { return Ok(false) };
        for (&number, theirs) in ready.iter().zip(theirs) {
            same(content, content.piece(number).await?, theirs)?;
        }
        ready.clear();
    }
}

/// Counts all of it on the host; without a shell there it is read back.
pub(super) async fn whole<S: Session>(
    remote: &Remote<S>,
    content: &Arc<Content>,
    path: &[u8],
) -> Result<(), Failure> {
    let theirs = match digest_of(remote, path, content.size()).await? {
        Some(digest) => digest,
        None => remote.read_back(path).await?,
    };
    same(content, content.digest().await?, theirs)
}

/// The SHA-256 of what is at a path; where no command may run, from reading it back. None when it cannot be read.
pub(super) async fn digest_there<S: Session>(
    remote: &Remote<S>,
    path: &[u8],
    size: u64,
) -> Result<Option<Digest>, Failure> {
    if let Some(digest) = digest_of(remote, path, size).await? {
        return Ok(Some(digest));
    }
    match remote.read_back(path).await {
        Ok(digest) => Ok(Some(digest)),
        Err(failure) if is_loss(&failure) => Err(failure),
        // It may be written to and not be read, or changes at this moment: it is sent.
        Err(_) => Ok(None),
    }
}

/// The host's SHA-256 of a file; none when it cannot count.
pub(super) async fn digest_of<S: Session>(
    remote: &Remote<S>,
    path: &[u8],
    size: u64,
) -> Result<Option<Digest>, Failure> {
    let patience = Duration::from_secs(size / SLOWEST_HASH);
    let digests = remote.digests(&[path.to_vec()], patience).await?;
    Ok(digests.and_then(|digests| digests.first().copied()))
}

fn same(content: &Content, ours: Digest, theirs: Digest) -> Result<(), Failure> {
    if ours == theirs {
        return Ok(());
    }
    let name = content.name().display();
    Err(Failure::new(
        Kind::VerifyFailed,
        format!("what arrived of {name} differs from what was sent (SHA-256 {theirs}, not {ours})"),
    )
    .hint("the old content is unchanged; a disk or a proxy on the way alters data"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_piece_is_told_of_once_it_is_whole() {
        let size = usize::try_from(PIECE).unwrap() + 10;
        let content = Content::of_bytes(Path::new("x"), vec![0; size], 0o644);
        let (arrivals, mut told) = Arrivals::of(&content);
        arrivals.note(PIECE - 5, 10);
        assert!(told.try_recv().is_err());
        arrivals.note(PIECE + 5, 5);
        assert_eq!(told.try_recv(), Ok(1));
        arrivals.note(0, PIECE - 5);
        assert_eq!(told.try_recv(), Ok(0));
        assert!(told.try_recv().is_err());
    }
}
