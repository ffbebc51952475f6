//! Where a file or link of a destination goes: its folder, open, and its name there.

use std::collections::HashMap;
use std::fs::{File, FileTimes};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, FileType, renameat, statat};
use rustix::io::Errno;

use crate::files::local::dest::beneath::{Beneath, BeneathRefused};
use crate::files::local::error::LocalError;
use crate::files::local::stat::{FileFacts, FileIdentity, os_path, words};
use crate::model::tree::TreePath;

/// What a destination and the files that are written into it share.
#[derive(Debug)]
pub(super) struct DestInner {
    /// The root in the user's terms.
    pub(super) shown: PathBuf,
    pub(super) beneath: Beneath,
    /// What was put here, to see when two names are one to the file system: `A` and `a` on macOS.
    pub(super) put: Mutex<HashMap<FileIdentity, TreePath>>,
}

impl DestInner {
    pub(super) fn open(&self, path: &TreePath) -> Result<OwnedFd, LocalError> {
        self.beneath.folder(path).map_err(|refused| self.refused(refused))
    }

    /// What was put here. It is whole after a panic too: each change is one call.
    pub(super) fn put(&self) -> MutexGuard<'_, HashMap<FileIdentity, TreePath>> {
        self.put.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn must_be_file(&self, path: &TreePath, kind: FileType) -> Result<(), LocalError> {
        if kind == FileType::RegularFile {
            Ok(())
        } else {
            Err(LocalError::NotAFile { path: self.shown(path), what: words(kind) })
        }
    }

    pub(super) fn refused(&self, refused: BeneathRefused) -> LocalError {
        match refused.there {
            Some(there) if there != FileType::Directory => self.in_the_way(&refused.at, there),
            _ => self.io("open", &refused.at, refused.errno),
        }
    }

    pub(super) fn in_the_way(&self, path: &TreePath, there: FileType) -> LocalError {
        LocalError::InTheWay { path: self.shown(path), what: words(there) }
    }

    pub(super) fn clash(&self, path: &TreePath, other: &TreePath) -> LocalError {
        LocalError::Clash { path: self.shown(path), other: self.shown(other) }
    }

    pub(super) fn io(&self, action: &'static str, path: &TreePath, errno: Errno) -> LocalError {
        self.error(action, path, errno.into())
    }

    pub(super) fn error(&self, action: &'static str, path: &TreePath, source: io::Error) -> LocalError {
        LocalError::Io { action, path: self.shown(path), source }
    }

    /// The path in the user's terms.
    pub(super) fn shown(&self, path: &TreePath) -> PathBuf {
        if path.is_root() { self.shown.clone() } else { self.shown.join(os_path(path.as_bytes())) }
    }
}

/// Where a file or link goes: its folder, open, and its name there.
#[derive(Debug)]
pub(super) struct DestPlace {
    pub(super) inner: Arc<DestInner>,
    pub(super) folder: OwnedFd,
    pub(super) path: TreePath,
}

impl DestPlace {
    pub(super) fn new(inner: &Arc<DestInner>, path: &TreePath) -> Result<Self, LocalError> {
        let Some(parent) = path.parent() else { return Err(inner.in_the_way(path, FileType::Directory)) };
        Ok(Self { folder: inner.open(&parent)?, inner: Arc::clone(inner), path: path.clone() })
    }

    /// Its last name. The root has none, and is no place.
    pub(super) fn name(&self) -> &[u8] {
        self.path.name().unwrap_or_default()
    }

    /// A name beside it that nobody else has.
    pub(super) fn temporary_name(&self) -> Vec<u8> {
        let unique = format!(".fan-{:032x}", rand::random::<u128>());
        let mut name = self.name();
        // Names have 255 bytes at most (NAME_MAX), this one a dot in front.
        name = name.get(..NAME_MAX - 1 - unique.len()).unwrap_or(name);
        // macOS wants names to be UTF-8: half a character is left out.
        if let Err(error) = str::from_utf8(name)
            && error.error_len().is_none()
        {
            name = name.get(..error.valid_up_to()).unwrap_or(name);
        }
        [b".", name, unique.as_bytes()].concat()
    }

    /// Whether a file or link may go here: what is here is one too, and was not put here under another name.
    ///
    /// Tells which file is here.
    pub(super) fn is_free(
        &self,
        put: &HashMap<FileIdentity, TreePath>,
    ) -> Result<Option<FileIdentity>, LocalError> {
        let facts = match statat(&self.folder, self.name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => FileFacts::from(stat),
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(self.inner.io("write", &self.path, errno)),
        };
        match put.get(&facts.identity) {
            Some(other) if *other != self.path => return Err(self.inner.clash(&self.path, other)),
            _ => {}
        }
        match facts.kind {
            FileType::RegularFile | FileType::Symlink => Ok(Some(facts.identity)),
            there => Err(self.inner.in_the_way(&self.path, there)),
        }
    }

    /// Puts here what is under a temporary name beside it.
    pub(super) fn put(&self, temporary: &[u8], identity: FileIdentity) -> Result<(), LocalError> {
        // Held throughout, or two names that are one could both find the place free.
        let mut put = self.inner.put();
        let replaced = self.is_free(&put)?;
        renameat(&self.folder, temporary, &self.folder, self.name()).map_err(|errno| match errno {
            Errno::ISDIR => self.inner.in_the_way(&self.path, FileType::Directory),
            errno => self.inner.io("write", &self.path, errno),
        })?;
        // Its number is free for the next file.
        if let Some(replaced) = replaced {
            put.remove(&replaced);
        }
        put.insert(identity, self.path.clone());
        Ok(())
    }
}

const NAME_MAX: usize = 255;

pub(super) fn set_mtime(file: &File, mtime: i64) -> io::Result<()> {
    let distance = Duration::from_secs(mtime.unsigned_abs());
    let time: Option<SystemTime> =
        if mtime < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    let time = time.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    file.set_times(FileTimes::new().set_modified(time))
}
