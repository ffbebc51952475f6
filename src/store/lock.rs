//! The lock of a run, on one of its files.

use std::fs::File;
use std::io;
use std::io::Write;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FlockOperation};
use rustix::io::Errno;

/// A file of a run with the lock of that run.
///
/// The lock is that of the open file, which a child of another thread shares until it has become the program that it
/// starts. Closing it here would leave the run locked for as long; so it is unlocked, which counts for all who share it.
/// By SIGKILL it goes with the last of them.
#[derive(Debug)]
pub(super) struct Locked(File);

impl Locked {
    /// Takes the lock, from those who have it for an instant, to look.
    pub(super) fn wait(file: File) -> io::Result<Self> {
        rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
        Ok(Self(file))
    }

    /// Takes the lock; gives the file back when someone has it.
    pub(super) fn now(file: File) -> io::Result<Result<Self, File>> {
        Self::unless_taken(file, FlockOperation::NonBlockingLockExclusive)
    }

    fn unless_taken(file: File, how: FlockOperation) -> io::Result<Result<Self, File>> {
        match rustix::fs::flock(&file, how) {
            Ok(()) => Ok(Ok(Self(file))),
            Err(Errno::WOULDBLOCK) => Ok(Err(file)),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether the file still has this name: whoever had the lock before may have removed it.
    pub(super) fn is_in(&self, folder: impl AsFd, name: &str) -> bool {
        let named = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
        let (Ok(named), Ok(own)) = (named, rustix::fs::fstat(&self.0)) else { return false };
        (named.st_dev, named.st_ino) == (own.st_dev, own.st_ino)
    }

    /// Writes to the file, whole.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Lets others have it.
    pub(super) fn release(&self) {
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.release();
    }
}

/// Whether someone has the lock of a run. Those who ask do not stand in each other's way.
pub(super) fn is_locked(file: File) -> io::Result<bool> {
    Ok(Locked::unless_taken(file, FlockOperation::NonBlockingLockShared)?.is_err())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn is_free(path: &Path) -> bool {
        !is_locked(File::options().read(true).write(true).open(path).unwrap()).unwrap()
    }

    #[test]
    fn a_lock_goes_even_if_a_child_still_shares_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = File::create(&path).unwrap();
        // What a child has between fork and exec.
        let shared = file.try_clone().unwrap();
        let locked = Locked::wait(file).unwrap();
        assert!(!is_free(&path));
        drop(locked);
        assert!(is_free(&path));
        let locked = Locked::now(shared.try_clone().unwrap()).unwrap().unwrap();
        assert!(!is_free(&path));
        locked.release();
        assert!(is_free(&path));
    }

    #[test]
    fn who_looks_at_a_lock_does_not_have_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let looking = File::create(&path).unwrap();
        let shared = looking.try_clone().unwrap();
        let at_it = Locked::unless_taken(looking, FlockOperation::NonBlockingLockShared).unwrap().unwrap();
        assert!(is_free(&path), "two look at the same time");
        drop(at_it);
        assert!(Locked::now(shared).unwrap().is_ok());
    }
}
