//! A file that is being written, and is not at its path yet.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};

use rustix::fs::{AtFlags, Mode, OFlags, fstat, openat, unlinkat};

use crate::files::local::dest::place::{DestPlace, set_mtime};
use crate::files::local::error::LocalError;
use crate::files::local::stat::{FileFacts, FileIdentity};

/// A file that is being written, under another name beside its path. Goes away when it is dropped uncommitted.
///
/// Nobody but its owner may read it until then: the mode comes last.
#[derive(Debug)]
pub struct PendingFile {
    place: DestPlace,
    file: File,
    identity: FileIdentity,
    state: PendingState,
}

/// Where the content is.
#[derive(Debug)]
enum PendingState {
    /// Under this name, beside its path.
    Beside(Vec<u8>),
    /// At its path.
    There,
}

impl PendingFile {
    pub(super) fn new(place: DestPlace) -> Result<Self, LocalError> {
        let temporary = place.temporary_name();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let unwritable = |errno| place.inner.io("write", &place.path, errno);
        let fd = openat(&place.folder, &*temporary, flags, Mode::RUSR | Mode::WUSR).map_err(unwritable)?;
        let identity = FileFacts::from(fstat(&fd).map_err(unwritable)?).identity;
        Ok(Self { place, file: File::from(fd), identity, state: PendingState::Beside(temporary) })
    }

    /// Writes all the bytes at an offset. Pieces may come in any order, and from several threads.
    ///
    /// # Errors
    ///
    /// The disk is full, or broken.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), LocalError> {
        self.file.write_all_at(bytes, offset).map_err(|source| self.error("write", source))
    }

    /// Puts the file at its path, in the place of a file or link, once its content is on the disk.
    ///
    /// Of the mode only the bits of `0o777` count: no host sets setuid here. Without a time, it is that of the last
    /// write. Of the file that was there nothing is kept.
    ///
    /// # Errors
    ///
    /// Something is in the way that is neither file nor link, or is a file of this run under another spelling; or
    /// it cannot be written. What was there before stays.
    pub fn commit(mut self, mode: u32, mtime: Option<i64>) -> Result<(), LocalError> {
        let settled = self.file.set_permissions(Permissions::from_mode(mode & 0o777)).and_then(|()| {
            if let Some(mtime) = mtime {
                set_mtime(&self.file, mtime)?;
            }
            self.file.sync_all()
        });
        settled.map_err(|source| self.error("write", source))?;
        if let PendingState::Beside(temporary) = &self.state {
            self.place.put(temporary, self.identity)?;
        }
        self.state = PendingState::There;
        Ok(())
    }

    fn error(&self, action: &'static str, source: io::Error) -> LocalError {
        self.place.inner.error(action, &self.place.path, source)
    }

    /// The same, but all that is written ends up on another file's descriptor.
    #[cfg(test)]
    pub(super) fn with_file(mut self, file: File) -> Self {
        self.file = file;
        self
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if let PendingState::Beside(temporary) = &self.state {
            // Nobody is left to be told; the file is ours by its name.
            let _ = unlinkat(&self.place.folder, &**temporary, AtFlags::empty());
        }
    }
}
