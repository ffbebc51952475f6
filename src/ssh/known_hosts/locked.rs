//! A file of host keys opened for writing: locked against other writers, appended to in one piece or not at all.
//!
//! Owns the system calls. Refuses to know what the lines mean. Never follows a link and never truncates what it
//! did not write.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{FileType, FlockOperation, Mode, OFlags, Stat, flock, fstat, ftruncate, open, stat};
use rustix::io::{Errno, pread, write};

use crate::ssh::known_hosts::record_error::RecordError;
use crate::ssh::known_hosts::verdict::SIZE_MAX;

/// How long another writer may hold the lock: it writes a few lines.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Pause between two looks at the lock.
const LOOK: Duration = Duration::from_millis(5);

/// How often the file may be replaced (`ssh-keygen -R`, an editor) while we wait for its lock.
const REPLACED_MAX: usize = 10;

/// What tells one state of a file from another, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    file: (u64, u64),
    size: i64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The open file; the lock goes with it.
///
/// The lock is on the file itself, not on a second one beside it: that would be left behind in `~/.ssh` and in
/// the project's folder. A file that was replaced while we waited is opened again, so that all writers who heed
/// the lock hold it on the file that the name stands for.
pub(super) struct LockedFile {
    path: Arc<Path>,
    fd: OwnedFd,
}

impl LockedFile {
    /// Opens the file, or makes it with mode 0600, in a folder that is made too if only that one is missing.
    /// Waits this long for its lock.
    pub(super) fn open(path: &Arc<Path>, patience: Duration) -> Result<Self, RecordError> {
        make_folder(path)?;
        let deadline = Instant::now() + patience;
        for _ in 0..REPLACED_MAX {
            let file = Self { path: Arc::clone(path), fd: open_regular(path)? };
            file.lock(deadline)?;
            let held = fstat(&file.fd).map_err(|error| file.failed(error))?;
            match stat(&**path) {
                Ok(named) if (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino) => return Ok(file),
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => return Err(file.failed(error)),
            }
        }
        Err(RecordError::Busy { file: Arc::clone(path) })
    }

    fn lock(&self, deadline: Instant) -> Result<(), RecordError> {
        loop {
            match flock(&self.fd, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(()),
                Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < deadline => {
                    std::thread::sleep(LOOK);
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) => {
                    return Err(RecordError::Busy { file: Arc::clone(&self.path) });
                }
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    /// Its present state.
    pub(super) fn stamp(&self) -> Result<Stamp, RecordError> {
        let stat = fstat(&self.fd).map_err(|error| self.failed(error))?;
        Ok(stamp(&stat))
    }

    /// All of it from a byte on.
    pub(super) fn read_from(&self, mut offset: u64) -> Result<Vec<u8>, RecordError> {
        let mut bytes = Vec::new();
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let count = match pread(&self.fd, chunk.as_mut_slice(), offset) {
                Ok(count) => count,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(self.failed(error)),
            };
            if count == 0 {
                return Ok(bytes);
            }
            bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
            offset += count as u64;
            if offset > SIZE_MAX {
                return Err(self.failed(Errno::FBIG));
            }
        }
    }

    /// Writes the text at the end in one go and to the disk; gives what the file has there now.
    ///
    /// A disk that takes only a part of it gets that part back, as far as nobody else wrote behind it.
    pub(super) fn append(&self, text: &[u8]) -> Result<Vec<u8>, RecordError> {
        let before = self.size()?;
        let written = loop {
            match write(&self.fd, text) {
                Err(Errno::INTR) => {}
                written => break written,
            }
        };
        let problem = match written {
            Ok(count) if count == text.len() => None,
            Ok(count) => {
                self.take_back(before, count);
                Some(Errno::NOSPC)
            }
            Err(error) => Some(error),
        };
        if let Some(error) = problem {
            return Err(self.failed(error));
        }
        rustix::fs::fsync(&self.fd).map_err(|error| self.failed(error))?;
        if before == 0 {
            self.keep_name();
        }
        self.read_from(before)
    }

    fn take_back(&self, before: u64, count: usize) {
        if self.size().is_ok_and(|size| size == before + count as u64) {
            // What cannot be taken back is a torn line, which refuses its host from now on.
            let _ = ftruncate(&self.fd, before);
        }
    }

    /// Brings the name of a new file to the disk.
    fn keep_name(&self) {
        if let Some(folder) = folder_of(&self.path) {
            // Some file systems cannot; the lines themselves are on the disk.
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
    }

    fn size(&self) -> Result<u64, RecordError> {
        let size = fstat(&self.fd).map_err(|error| self.failed(error))?.st_size;
        Ok(u64::try_from(size).unwrap_or_default())
    }

    fn failed(&self, error: Errno) -> RecordError {
        write_failed(&self.path, &error.into())
    }
}

impl Drop for LockedFile {
    /// Closing it is not enough: a child of another thread shares the open file, and its lock, until it has become the
    /// program that it starts.
    fn drop(&mut self) {
        let _ = flock(&self.fd, FlockOperation::Unlock);
    }
}

fn stamp(stat: &Stat) -> Stamp {
    // The types of these fields differ from system to system.
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "not useless everywhere")]
    Stamp {
        file: (stat.st_dev as u64, stat.st_ino as u64),
        size: stat.st_size as i64,
        modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
        changed: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
    }
}

fn open_regular(path: &Arc<Path>) -> Result<OwnedFd, RecordError> {
    // NONBLOCK: opening a FIFO would wait for its reader.
    let flags = OFlags::RDWR
        | OFlags::APPEND
        | OFlags::CREATE
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::NOCTTY
        | OFlags::CLOEXEC;
    let fd = match open(&**path, flags, Mode::RUSR | Mode::WUSR) {
        Ok(fd) => fd,
        Err(Errno::LOOP | Errno::MLINK) => return Err(RecordError::Link { file: Arc::clone(path) }),
        Err(Errno::ISDIR | Errno::NXIO) => return Err(RecordError::NotAFile { file: Arc::clone(path) }),
        Err(error) => return Err(write_failed(path, &error.into())),
    };
    let stat = fstat(&fd).map_err(|error| write_failed(path, &error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(RecordError::NotAFile { file: Arc::clone(path) });
    }
    Ok(fd)
}

fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty())
}

/// A user who never used `ssh` has no `~/.ssh` yet; `ssh` makes it in the same way.
fn make_folder(path: &Arc<Path>) -> Result<(), RecordError> {
    let Some(folder) = folder_of(path) else { return Ok(()) };
    if fs::symlink_metadata(folder).is_ok() {
        return Ok(());
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(write_failed(path, &error)),
        _ => Ok(()),
    }
}

fn write_failed(path: &Arc<Path>, error: &io::Error) -> RecordError {
    RecordError::Write { file: Arc::clone(path), reason: error.to_string() }
}
