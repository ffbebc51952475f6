//! How the files of a run are made and opened: no link is followed, and each is for its owner only.

use std::fs::File;

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

const FILE_MODE: u32 = 0o600;

/// Makes a new file in the folder of a run.
pub(super) fn new_file(folder: impl AsFd, name: &str) -> io::Result<File> {
    let flags =
        OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(FILE_MODE))?.into())
}

/// Opens a file of a run; none when it does not exist.
pub(super) fn file(folder: impl AsFd, name: &str) -> io::Result<Option<File>> {
    open(folder, name, OFlags::RDONLY)
}

/// The same, to be locked: NFS locks only what may be written.
pub(super) fn lockable(folder: impl AsFd, name: &str) -> io::Result<Option<File>> {
    open(folder, name, OFlags::RDWR)
}

pub(super) fn open(folder: impl AsFd, name: &str, mode: OFlags) -> io::Result<Option<File>> {
    let flags = mode | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::openat(folder, name, flags, Mode::empty()) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}
