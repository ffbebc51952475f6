//! What `stat` tells, in types that do not differ between systems.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{FileType, Stat};

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileIdentity {
    device: u64,
    number: u64,
}

/// What `stat` tells of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileFacts {
    pub(super) identity: FileIdentity,
    pub(super) kind: FileType,
    /// Permission bits, at most `0o7777`.
    pub(super) mode: u32,
    pub(super) size: u64,
    /// Whole seconds since 1970.
    pub(super) mtime: i64,
}

impl From<Stat> for FileFacts {
    #[allow(
        clippy::unnecessary_cast,
        clippy::useless_conversion,
        reason = "the types of these fields differ between systems"
    )]
    fn from(stat: Stat) -> Self {
        Self {
            identity: FileIdentity { device: stat.st_dev as u64, number: stat.st_ino as u64 },
            kind: FileType::from_raw_mode(stat.st_mode),
            mode: u32::from(stat.st_mode) & 0o7777,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            mtime: stat.st_mtime as i64,
        }
    }
}

/// What it is, for a person: `a socket`.
pub(super) fn words(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a folder",
        FileType::Symlink => "a symbolic link",
        FileType::Socket => "a socket",
        FileType::Fifo => "a pipe",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "neither file nor folder",
    }
}

pub(super) fn os_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}
