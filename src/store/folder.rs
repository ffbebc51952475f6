//! The folder of all runs and those in it. Owns how they are made and opened: below the state folder no link is followed,
//! and everything is for its owner only.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

use crate::store::error::StoreError;
use crate::store::files;
use crate::store::journal::Journal;
use crate::store::recipe::Recipe;

/// Characters of a run's name, a ULID.
const NAME_LENGTH: usize = 26;

/// How often the folder of a run is made.
const TRIES: u32 = 10;

/// For its owner only.
pub(super) const FOLDER_MODE: u32 = 0o700;

/// The folder of all runs.
#[derive(Debug)]
pub struct Runs {
    folder: OwnedFd,
    path: PathBuf,
}

impl Runs {
    /// Opens the folder `fan/runs` of a state folder, and makes it if need be.
    ///
    /// # Errors
    ///
    /// It cannot be made, or is someone else's.
    pub fn create(state: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(state)
            .map_err(|source| StoreError::Folder { path: state.display().to_string(), source })?;
        Self::at(state, true)?.ok_or(StoreError::Empty)
    }

    /// Opens the folder; none when it does not exist.
    ///
    /// # Errors
    ///
    /// It cannot be opened, or is someone else's.
    pub fn open(state: &Path) -> Result<Option<Self>, StoreError> {
        Self::at(state, false)
    }

    fn at(state: &Path, make: bool) -> Result<Option<Self>, StoreError> {
        let failed = |path: &Path, errno: Errno| StoreError::Folder {
            path: path.display().to_string(),
            source: errno.into(),
        };
        // A home may well be a link; what is below it is ours.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut folder = match rustix::fs::open(state, flags, Mode::empty()) {
            Ok(folder) => folder,
            Err(Errno::NOENT) if !make => return Ok(None),
            Err(errno) => return Err(failed(state, errno)),
        };
        let mut path = state.to_owned();
        for name in ["fan", "runs"] {
            path.push(name);
            if make {
                match rustix::fs::mkdirat(&folder, name, Mode::from_raw_mode(FOLDER_MODE)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(failed(&path, errno)),
                }
            }
            folder = match rustix::fs::openat(&folder, name, flags | OFlags::NOFOLLOW, Mode::empty()) {
                Ok(folder) => folder,
                Err(Errno::NOENT) if !make => return Ok(None),
                Err(errno) => return Err(failed(&path, errno)),
            };
            own(&folder, &path)?;
        }
        Ok(Some(Self { folder, path }))
    }

    /// The names of all runs, the newest first.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        let failed = |errno: Errno| StoreError::Folder { path: self.shown(), source: errno.into() };
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if let Ok(name) = entry.file_name().to_str()
                && is_name(name)
            {
                names.push(name.to_owned());
            }
        }
        // Names sort by time.
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    }

    /// The one run that is meant: `last`, a name, or the beginning of one.
    ///
    /// # Errors
    ///
    /// None is meant, or more than one.
    pub fn find(&self, meant: &str) -> Result<String, StoreError> {
        let names = self.names()?;
        if meant == "last" {
            return names.into_iter().next().ok_or(StoreError::Empty);
        }
        let prefix = meant.to_ascii_uppercase();
        let mut found = names.into_iter().filter(|name| name.starts_with(&prefix));
        match (found.next(), found.next()) {
            (None, _) => Err(StoreError::Missing { name: meant.to_owned() }),
            (Some(name), None) => Ok(name),
            (Some(first), Some(second)) => {
                let count = 2 + found.count();
                Err(StoreError::Ambiguous { name: meant.to_owned(), count, first, second })
            }
        }
    }

    /// Begins the journal of a run.
    ///
    /// # Errors
    ///
    /// Its folder or its files cannot be made.
    pub fn begin(&self, recipe: &Recipe) -> Result<Journal, StoreError> {
        let path = self.path_of(&recipe.run);
        let failed = |errno: Errno| StoreError::Folder { path: path.clone(), source: errno.into() };
        let mut tries = TRIES;
        loop {
            tries -= 1;
            rustix::fs::mkdirat(&self.folder, &*recipe.run, Mode::from_raw_mode(FOLDER_MODE))
                .map_err(failed)?;
            match self.folder_of(&recipe.run) {
                // Where clocks were set back, it may be removed as an old one before its lock is taken.
                Err(Errno::NOENT) if tries > 0 => {}
                Err(errno) => return Err(failed(errno)),
                Ok(folder) => match Journal::begin(folder, recipe) {
                    Err(StoreError::File { source, .. })
                        if source.kind() == io::ErrorKind::NotFound && tries > 0 => {}
                    begun => return begun,
                },
            }
        }
    }

    /// The folder of all runs, open.
    pub(super) fn folder(&self) -> &OwnedFd {
        &self.folder
    }

    /// Where a run is, for messages.
    pub(super) fn path_of(&self, run: &str) -> String {
        self.path.join(run).display().to_string()
    }

    /// Opens the folder of a run.
    pub(super) fn folder_of(&self, run: &str) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        rustix::fs::openat(&self.folder, run, flags, Mode::empty())
    }

    /// Removes a run that is locked.
    pub(super) fn remove(&self, run: &str) -> io::Result<()> {
        self.empty(run, |_| true)?;
        rustix::fs::unlinkat(&self.folder, run, AtFlags::REMOVEDIR)?;
        Ok(())
    }

    /// Removes a run that cannot be locked, as it has no events; stays away from one that gets them now. They are the first
    /// file of a run: one that has others besides is not of today.
    pub(super) fn remove_unbegun(&self, run: &str) -> io::Result<()> {
        if self.empty(run, |name| name != files::EVENTS.as_bytes())? {
            rustix::fs::unlinkat(&self.folder, run, AtFlags::REMOVEDIR)?;
        }
        Ok(())
    }

    /// Removes the files of a run up to one that is not to go; tells whether there was none.
    fn empty(&self, run: &str, goes: impl Fn(&[u8]) -> bool) -> io::Result<bool> {
        let folder = self.folder_of(run)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(&folder)? {
            names.push(entry?.file_name().to_owned());
        }
        names.retain(|name| !matches!(name.to_bytes(), b"." | b".."));
        if !names.iter().all(|name| goes(name.to_bytes())) {
            return Ok(false);
        }
        for name in names {
            rustix::fs::unlinkat(&folder, name, AtFlags::empty())?;
        }
        Ok(true)
    }

    fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// Makes sure that a folder is the user's own, and closed to others.
fn own(folder: &OwnedFd, path: &Path) -> Result<(), StoreError> {
    let shown = || path.display().to_string();
    let failed = |errno: Errno| StoreError::Folder { path: shown(), source: errno.into() };
    let stat = rustix::fs::fstat(folder).map_err(failed)?;
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(StoreError::Unsafe { path: shown(), why: "belongs to another user" });
    }
    if stat.st_mode & 0o077 != 0 {
        rustix::fs::fchmod(folder, Mode::from_raw_mode(FOLDER_MODE)).map_err(failed)?;
    }
    Ok(())
}

/// Whether a folder has the name of a run.
pub(super) fn is_name(name: &str) -> bool {
    name.len() == NAME_LENGTH && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}
