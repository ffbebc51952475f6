//! Input on its way to a command: bounded in memory, the rest in a file without a name.
//!
//! russh opens the window of a channel when bytes arrive, not when they are used, and a queue that refuses
//! them would stop the whole connection: with `cat` as the command, that is a deadlock, because the
//! replies that free the output wait behind the input. So everything is taken in, and memory stays small.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

/// What is kept in memory, in bytes; the packet that crosses it is the last.
const MEMORY: usize = 1024 * 1024;

/// What is read back from the file at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// A queue of bytes with one writer and one reader.
pub(super) struct Spool {
    /// Where the file is created.
    folder: PathBuf,
    backlog: Mutex<Backlog>,
    changed: Notify,
}

struct Backlog {
    phase: SpoolPhase,
    /// The oldest bytes.
    memory: VecDeque<Bytes>,
    /// How many they are.
    held: usize,
    /// The bytes after those in memory.
    overflow: Option<Overflow>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SpoolPhase {
    /// More may come.
    Open,
    /// All has come.
    Finished,
    /// The reader is gone: whatever comes is thrown away.
    Discarding,
}

struct Overflow {
    file: File,
    read: u64,
    written: u64,
}

impl Spool {
    /// Makes an empty queue; a file in `folder` is created only when memory does not do.
    pub(super) fn new(folder: PathBuf) -> Self {
        let backlog = Backlog { phase: SpoolPhase::Open, memory: VecDeque::new(), held: 0, overflow: None };
        Self { folder, backlog: Mutex::new(backlog), changed: Notify::new() }
    }

    /// Appends bytes. Fails when the disk does.
    ///
    /// The file is written in place, without a blocking task: it is small pieces into the page cache.
    pub(super) fn push(&self, bytes: Bytes) -> io::Result<()> {
        let mut backlog = self.lock();
        if backlog.phase != SpoolPhase::Open || bytes.is_empty() {
            return Ok(());
        }
        if backlog.overflow.is_none() && backlog.held >= MEMORY {
            let file = tempfile::tempfile_in(&self.folder)?;
            backlog.overflow = Some(Overflow { file, read: 0, written: 0 });
        }
        match &mut backlog.overflow {
            Some(overflow) => {
                overflow.file.write_all_at(&bytes, overflow.written)?;
                overflow.written += bytes.len() as u64;
            }
            None => {
                backlog.held += bytes.len();
                backlog.memory.push_back(bytes);
            }
        }
        self.changed.notify_one();
        Ok(())
    }

    /// Says that nothing more comes.
    pub(super) fn finish(&self) {
        let mut backlog = self.lock();
        if backlog.phase == SpoolPhase::Open {
            backlog.phase = SpoolPhase::Finished;
        }
        self.changed.notify_one();
    }

    /// Says that nobody reads any more.
    pub(super) fn discard(&self) {
        let mut backlog = self.lock();
        *backlog =
            Backlog { phase: SpoolPhase::Discarding, memory: VecDeque::new(), held: 0, overflow: None };
    }

    /// The next bytes, in order; `None` at the end. Cancel-safe.
    pub(super) async fn next(&self) -> io::Result<Option<Bytes>> {
        loop {
            {
                let mut backlog = self.lock();
                if let Some(bytes) = backlog.take()? {
                    return Ok(Some(bytes));
                }
                if backlog.phase != SpoolPhase::Open {
                    return Ok(None);
                }
            }
            // A push since the look left its permit here: nothing is missed.
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backlog {
    fn take(&mut self) -> io::Result<Option<Bytes>> {
        if let Some(bytes) = self.memory.pop_front() {
            self.held -= bytes.len();
            return Ok(Some(bytes));
        }
        let Some(overflow) = &mut self.overflow else { return Ok(None) };
        let left = usize::try_from(overflow.written - overflow.read).unwrap_or(CHUNK);
        let mut chunk = BytesMut::zeroed(left.min(CHUNK));
        overflow.file.read_exact_at(&mut chunk, overflow.read)?;
        overflow.read += chunk.len() as u64;
        if overflow.read == overflow.written {
            self.overflow = None;
        }
        Ok(Some(chunk.freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(count: usize) -> Vec<u8> {
        (0..count).flat_map(|number| (number as u32).to_be_bytes()).collect()
    }

    async fn rest(spool: &Spool) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(bytes) = spool.next().await.unwrap() {
            all.extend_from_slice(&bytes);
        }
        all
    }

    #[tokio::test]
    async fn keeps_order_and_bytes_past_what_memory_holds() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().to_owned());
        let sent = numbered(MEMORY); // four times what memory holds
        for piece in sent.chunks(30_000) {
            spool.push(Bytes::copy_from_slice(piece)).unwrap();
        }
        assert!(spool.lock().overflow.is_some());
        assert!(spool.lock().held < MEMORY + 30_000);
        spool.finish();
        assert!(rest(&spool).await == sent);
        assert!(spool.lock().overflow.is_none());
    }

    #[tokio::test]
    async fn a_waiting_reader_sees_what_comes_and_the_end() {
        let spool = Spool::new(std::env::temp_dir());
        let (seen, ()) = futures::join!(rest(&spool), async {
            tokio::task::yield_now().await;
            spool.push(Bytes::from_static(b"late")).unwrap();
            tokio::task::yield_now().await;
            spool.finish();
        });
        assert_eq!(seen, b"late");
    }

    #[tokio::test]
    async fn keeps_nothing_for_a_reader_that_is_gone() {
        let spool = Spool::new(std::env::temp_dir());
        spool.push(Bytes::from_static(b"old")).unwrap();
        spool.discard();
        spool.push(Bytes::from_static(b"new")).unwrap();
        assert_eq!(spool.next().await.unwrap(), None);
    }
}
