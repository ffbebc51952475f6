//! A folder that nothing gets out of, and what may be done in it.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, fstat, mkdirat, openat, readlinkat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use crate::files::local::dest::beneath::{Beneath, open_root};
use crate::files::local::dest::pending::PendingFile;
use crate::files::local::dest::place::{DestInner, DestPlace, set_mtime};
use crate::files::local::error::LocalError;
use crate::files::local::stat::FileFacts;
use crate::model::tree::{Entry, EntryKind, TreePath};

/// A folder that nothing gets out of. Clones are the same folder, in the same run.
#[derive(Clone, Debug)]
pub struct Destination(Arc<DestInner>);

/// What became of a folder that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeFolder {
    /// It is new; only its owner may use it until [`Destination::set_folder`] is called.
    Made,
    /// It was there.
    Stood,
}

impl Destination {
    /// A folder that exists. The path may lead over links: it is the user's.
    ///
    /// # Errors
    ///
    /// It cannot be opened, or is no folder.
    pub fn open(root: &Path) -> Result<Self, LocalError> {
        let fd = open_root(root).map_err(|errno| LocalError::Io {
            action: "open",
            path: root.to_path_buf(),
            source: errno.into(),
        })?;
        Ok(Self::new(root, Beneath::new(fd)))
    }

    /// Sees that there is room for what is to come: a host must not fill the disk.
    ///
    /// # Errors
    ///
    /// There is less room, as far as the file system tells.
    pub fn has_room(&self, bytes: u64) -> Result<(), LocalError> {
        let inner = &*self.0;
        let Some(free) = inner.beneath.free() else { return Ok(()) };
        if bytes <= free {
            return Ok(());
        }
        Err(LocalError::NoRoom { path: inner.shown.clone(), needed: bytes, free })
    }

    /// A folder that is made, with those above it, when it does not exist.
    ///
    /// # Errors
    ///
    /// It cannot be made or opened.
    pub fn open_or_make(root: &Path) -> Result<Self, LocalError> {
        fs::create_dir_all(root).map_err(|source| LocalError::Io {
            action: "make",
            path: root.to_path_buf(),
            source,
        })?;
        Self::open(root)
    }

    fn new(root: &Path, beneath: Beneath) -> Self {
        Self(Arc::new(DestInner { shown: root.to_path_buf(), beneath, put: Mutex::default() }))
    }

    /// Sees to it that a folder is there, and those above it.
    ///
    /// # Errors
    ///
    /// Something else is in its place, and stays; or it cannot be made.
    pub fn folder(&self, path: &TreePath) -> Result<MadeFolder, LocalError> {
        let inner = &*self.0;
        let (Some(name), Some(parent)) = (path.name(), path.parent()) else { return Ok(MadeFolder::Stood) };
        let above = match inner.beneath.folder(&parent) {
            Ok(above) => above,
            Err(refused) if refused.errno == Errno::NOENT => {
                self.folder(&parent)?;
                inner.open(&parent)?
            }
            Err(refused) => return Err(inner.refused(refused)),
        };
        let made = match mkdirat(&above, name, Mode::RWXU) {
            Ok(()) => MadeFolder::Made,
            Err(Errno::EXIST) => MadeFolder::Stood,
            Err(errno) => return Err(inner.io("make", path, errno)),
        };
        let folder = inner.open(path)?;
        let facts = FileFacts::from(fstat(folder).map_err(|errno| inner.io("read", path, errno))?);
        let mut put = inner.put();
        match put.get(&facts.identity) {
            // A new one is nobody else's, whoever had its number before.
            Some(other) if other != path && made == MadeFolder::Stood => Err(inner.clash(path, other)),
            _ => {
                put.insert(facts.identity, path.clone());
                Ok(made)
            }
        }
    }

    /// Sets mode and time of a folder, once all is in it. Of the mode only the bits of `0o777` count.
    ///
    /// # Errors
    ///
    /// There is no such folder, or it is another user's.
    pub fn set_folder(
        &self,
        path: &TreePath,
        mode: Option<u32>,
        mtime: Option<i64>,
    ) -> Result<(), LocalError> {
        let inner = &*self.0;
        let folder = File::from(inner.open(path)?);
        let changed = |source| inner.error("change", path, source);
        if let Some(mtime) = mtime {
            set_mtime(&folder, mtime).map_err(changed)?;
        }
        if let Some(mode) = mode {
            // Whoever has set setgid on this machine wants new files to belong to that group.
            let kept = folder.metadata().map_err(changed)?.permissions().mode() & 0o7000;
            folder.set_permissions(Permissions::from_mode(mode & 0o777 | kept)).map_err(changed)?;
        }
        Ok(())
    }

    /// Begins a file. Nothing is at its path, or what was there before, until [`PendingFile::commit`].
    ///
    /// Its folder must be there.
    ///
    /// # Errors
    ///
    /// Something is in its place that is neither file nor link; or it cannot be made.
    pub fn create(&self, path: &TreePath) -> Result<PendingFile, LocalError> {
        let place = DestPlace::new(&self.0, path)?;
        // Before anything is moved: to be told after a gigabyte is too late.
        place.is_free(&self.0.put())?;
        PendingFile::new(place)
    }

    /// Makes a symbolic link, in the place of a file or link.
    ///
    /// Its target must stay in the folder, whatever the host says: no `/` in front, and `..` only there, no more
    /// often than the link is deep. A `..` after a name is refused too: the name may be that of a link, and then
    /// the text does not tell where the `..` leads.
    ///
    /// # Errors
    ///
    /// The target leads out; something is in the way that is neither file nor link; or it cannot be made.
    pub fn link(&self, path: &TreePath, target: &[u8]) -> Result<(), LocalError> {
        let inner = &self.0;
        if !stays_inside(path, target) {
            let target = String::from_utf8_lossy(target).into_owned();
            return Err(LocalError::UnsafeLink { path: inner.shown(path), target });
        }
        let place = DestPlace::new(inner, path)?;
        let temporary = place.temporary_name();
        symlinkat(target, &place.folder, &*temporary).map_err(|errno| inner.io("make", path, errno))?;
        let stat = statat(&place.folder, &*temporary, AtFlags::SYMLINK_NOFOLLOW);
        let put = stat
            .map_err(|errno| inner.io("make", path, errno))
            .and_then(|stat| place.put(&temporary, FileFacts::from(stat).identity));
        if put.is_err() {
            // The error that matters is the one that brought us here.
            let _ = unlinkat(&place.folder, &*temporary, AtFlags::empty());
        }
        put
    }

    /// What is at a path, without following a link there. None when nothing is, or its folder is missing.
    ///
    /// # Errors
    ///
    /// It cannot be told, or something that is no folder is on the way.
    pub fn lstat(&self, path: &TreePath) -> Result<Option<Entry>, LocalError> {
        let inner = &*self.0;
        let unreadable = |errno| inner.io("read", path, errno);
        let (name, parent) = match (path.name(), path.parent()) {
            (Some(name), Some(parent)) => (name, parent),
            _ => (&b"."[..], TreePath::root()),
        };
        let folder = match inner.beneath.folder(&parent) {
            Ok(folder) => folder,
            Err(refused) if refused.errno == Errno::NOENT => return Ok(None),
            Err(refused) => return Err(inner.refused(refused)),
        };
        let facts = match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => FileFacts::from(stat),
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(unreadable(errno)),
        };
        let kind = match facts.kind {
            FileType::RegularFile => EntryKind::File { size: facts.size },
            FileType::Directory => EntryKind::Folder,
            FileType::Symlink => EntryKind::Link {
                target: readlinkat(&folder, name, Vec::new()).map_err(unreadable)?.into_bytes(),
            },
            _ => EntryKind::Special,
        };
        Ok(Some(Entry { path: path.clone(), kind, mode: facts.mode, mtime: facts.mtime }))
    }

    /// Opens a regular file that is there, for reading.
    ///
    /// # Errors
    ///
    /// It is not there, is something else, or cannot be read.
    pub fn open_existing(&self, path: &TreePath) -> Result<File, LocalError> {
        let inner = &self.0;
        let unreadable = |errno| inner.io("read", path, errno);
        let place = DestPlace::new(inner, path)?;
        // Looked at first: to open a device may do something to it.
        let stat = statat(&place.folder, place.name(), AtFlags::SYMLINK_NOFOLLOW).map_err(unreadable)?;
        inner.must_be_file(path, FileFacts::from(stat).kind)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = openat(&place.folder, place.name(), flags, Mode::empty()).map_err(unreadable)?;
        inner.must_be_file(path, FileFacts::from(fstat(&fd).map_err(unreadable)?).kind)?;
        Ok(File::from(fd))
    }
}

/// Whether a link at the path leads to something in the folder, see [`Destination::link`].
///
/// Such links cannot lead out together either: each begins in a real folder, goes up to a real folder, and from
/// there only down.
pub(super) fn stays_inside(path: &TreePath, target: &[u8]) -> bool {
    if target.is_empty() || target.starts_with(b"/") || target.contains(&0) {
        return false;
    }
    let mut above = path.depth().saturating_sub(1);
    let mut down = false;
    for name in target.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if down || above == 0 => return false,
            b".." => above -= 1,
            _ => down = true,
        }
    }
    true
}

#[cfg(test)]
mod tests;
