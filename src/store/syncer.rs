//! Brings what was written to the disk, from time to time: what the operating system holds is lost when the power goes.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// A thread that syncs so often as long as something is written.
pub(super) struct Syncer {
    dirty: Arc<AtomicBool>,
    /// Taken away at the end.
    work: Mutex<Option<SyncWork>>,
}

/// The two ends of what the thread is told, by the end of its sender, and what it tells.
struct SyncWork {
    end: Sender<()>,
    result: Receiver<io::Result<()>>,
}

impl fmt::Debug for Syncer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Syncer").finish_non_exhaustive()
    }
}

impl Syncer {
    /// Begins; without a thread to be had nothing is synced.
    pub(super) fn start(period: Duration, mut sync: impl FnMut() -> io::Result<()> + Send + 'static) -> Self {
        let dirty = Arc::new(AtomicBool::new(false));
        let ((end, ended), (sender, result)) = (mpsc::channel(), mpsc::channel());
        let is_dirty = Arc::clone(&dirty);
        let mut work = move || {
            let mut has_synced = false;
            while ended.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
                if is_dirty.swap(false, Ordering::Relaxed) {
                    sync()?;
                    has_synced = true;
                }
            }
            // What was over within the period waits for no disk.
            if has_synced && is_dirty.swap(false, Ordering::Relaxed) { sync() } else { Ok(()) }
        };
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(move || {
            // Nobody listens any more when the disk took too long.
            let _ = sender.send(work());
        });
        Self { dirty, work: Mutex::new(thread.ok().map(|_| SyncWork { end, result })) }
    }

    /// Something was written.
    pub(super) fn touch(&self) {
        self.dirty.store(true, Ordering::Relaxed);
    }

    /// Ends with a last sync, if there was one before. A disk that takes longer than `patience` is left to itself.
    ///
    /// # Errors
    ///
    /// The first sync that failed; nothing was synced after it.
    pub(super) fn finish(&self, patience: Duration) -> io::Result<()> {
        let taken = self.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(SyncWork { end, result }) = taken else { return Ok(()) };
        drop(end);
        result.recv_timeout(patience).unwrap_or(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A syncer whose every sync is told, with the result that it is given.
    fn told(
        period: Duration,
        results: impl IntoIterator<Item = io::Result<()>>,
    ) -> (Syncer, mpsc::Receiver<()>) {
        let (sender, receiver) = mpsc::channel();
        let mut results = results.into_iter().collect::<Vec<_>>().into_iter();
        let sync = move || {
            sender.send(()).unwrap();
            results.next().unwrap_or(Ok(()))
        };
        (Syncer::start(period, sync), receiver)
    }

    const SHORT: Duration = Duration::from_millis(1);
    const NEVER: Duration = Duration::from_secs(3600);

    #[test]
    fn what_is_written_is_synced_and_nothing_else() {
        let (syncer, synced) = told(SHORT, []);
        assert!(synced.recv_timeout(20 * SHORT).is_err(), "nothing was written");
        for _ in 0..3 {
            syncer.touch();
            synced.recv().unwrap();
        }
        assert!(synced.recv_timeout(20 * SHORT).is_err(), "nothing more was written");
        syncer.finish(NEVER).unwrap();
        assert!(synced.recv().is_err(), "its thread has ended");
    }

    #[test]
    fn a_short_run_waits_for_no_disk() {
        let (syncer, synced) = told(NEVER, []);
        syncer.touch();
        syncer.finish(NEVER).unwrap();
        assert!(synced.recv().is_err());
        syncer.finish(NEVER).unwrap();
    }

    #[test]
    fn an_error_is_told_at_the_end() {
        let (syncer, synced) = told(SHORT, [Ok(()), Err(io::Error::other("no disk"))]);
        for _ in 0..2 {
            syncer.touch();
            synced.recv().unwrap();
        }
        syncer.touch();
        assert_eq!(syncer.finish(NEVER).unwrap_err().to_string(), "no disk");
        assert!(synced.recv().is_err(), "not tried again");
    }

    #[test]
    fn a_disk_that_stands_still_holds_nobody_up() {
        let (begun, begins) = mpsc::channel();
        let (_gate, gate) = mpsc::channel::<()>();
        let syncer = Syncer::start(SHORT, move || {
            begun.send(()).unwrap();
            // For as long as the test lasts.
            let _ = gate.recv();
            Ok(())
        });
        syncer.touch();
        begins.recv().unwrap();
        syncer.finish(SHORT).unwrap();
    }
}
