//! Opens folders below one that is open already, and never one that is elsewhere.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat};
#[cfg(target_os = "linux")]
use rustix::fs::{ResolveFlags, openat2};
use rustix::io::Errno;

use crate::files::local::stat::FileFacts;
use crate::model::tree::TreePath;

pub(super) const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A folder that nothing gets out of.
#[derive(Debug)]
pub(super) struct Beneath {
    root: OwnedFd,
    way: BeneathWay,
}

/// How a path below is opened. Neither way follows a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BeneathWay {
    /// The kernel sees to it, at once: openat2(2), Linux 5.6.
    #[cfg(target_os = "linux")]
    Kernel,
    /// Name by name.
    Names,
}

/// A folder that could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BeneathRefused {
    /// Where on the way to it.
    pub(super) at: TreePath,
    /// What is there instead of a folder.
    pub(super) there: Option<FileType>,
    pub(super) errno: Errno,
}

impl Beneath {
    pub(super) fn new(root: OwnedFd) -> Self {
        let names = Self { root, way: BeneathWay::Names };
        #[cfg(target_os = "linux")]
        // It may be too old, or kept from us by a container.
        if names.by_kernel(&TreePath::root()).is_ok() {
            return Self { way: BeneathWay::Kernel, ..names };
        }
        names
    }

    #[cfg(test)]
    pub(super) fn with_way(self, way: BeneathWay) -> Self {
        Self { way, ..self }
    }

    /// Bytes that the user may still write there; none when the file system does not tell.
    pub(super) fn free(&self) -> Option<u64> {
        let stat = rustix::fs::fstatvfs(&self.root).ok()?;
        // File systems without blocks of their own say 0 of everything.
        (stat.f_blocks > 0).then(|| stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Opens a folder; the root, once more, for the empty path.
    pub(super) fn folder(&self, path: &TreePath) -> Result<OwnedFd, BeneathRefused> {
        match self.way {
            // It does not tell where it failed, and gives up when folders are renamed meanwhile.
            #[cfg(target_os = "linux")]
            BeneathWay::Kernel => self.by_kernel(path).or_else(|_| self.by_names(path)),
            BeneathWay::Names => self.by_names(path),
        }
    }

    #[cfg(target_os = "linux")]
    fn by_kernel(&self, path: &TreePath) -> Result<OwnedFd, Errno> {
        let name = if path.is_root() { b"." } else { path.as_bytes() };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        openat2(&self.root, name, FOLDER | OFlags::NOFOLLOW, Mode::empty(), resolve)
    }

    fn by_names(&self, path: &TreePath) -> Result<OwnedFd, BeneathRefused> {
        let mut at = TreePath::root();
        let mut folder = openat(&self.root, c".", FOLDER, Mode::empty()).map_err(|errno| BeneathRefused {
            at: at.clone(),
            there: None,
            errno,
        })?;
        for name in path.names() {
            at = at.join(name).expect("the beginning of a path is a path");
            folder = openat(&folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()).map_err(|errno| {
                let stat = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW);
                let there = stat.ok().map(|stat| FileFacts::from(stat).kind);
                BeneathRefused { at: at.clone(), there, errno }
            })?;
        }
        Ok(folder)
    }
}

/// Opens the root, which may be reached over links: it is the user's own path.
pub(super) fn open_root(path: &Path) -> Result<OwnedFd, Errno> {
    openat(CWD, path, FOLDER, Mode::empty())
}
