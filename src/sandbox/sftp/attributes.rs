//! Attributes of files: the machine's as SFTP has them, a line of a listing, and setting them, as OpenSSH's
//! sftp-server does (sftp-common.c, `stat_to_attrib` and `ls_file`; sftp-server.c, `process_setstat`).

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown, lchown};
use std::path::Path;
use std::{fs, io};

use bytes::{BufMut, Bytes, BytesMut};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps, chmodat, futimens, utimensat};

use crate::model::time::rfc3339;
use crate::sandbox::sftp::refused::Refused;
use crate::ssh::sftp::wire::{Attrs, NameEntry, status};

/// The bits of a mode that may be set: permissions, and those beside them.
pub(super) const SETTABLE: u32 = 0o7777;

/// What attributes are set of.
pub(super) enum AttributesTarget<'a> {
    /// What is at a path, links followed.
    Path(&'a Path),
    /// What is at a path, links not followed.
    Link(&'a Path),
    /// An open file.
    File(&'a File),
}

impl AttributesTarget<'_> {
    /// Sets those attributes that are there, each of them even when another fails; the last failure counts.
    pub(super) fn set(&self, attrs: &Attrs) -> Result<(), Refused> {
        let done = [
            attrs.size.map(|size| self.resize(size)),
            attrs.permissions.map(|mode| self.set_mode(mode & SETTABLE)),
            attrs.times.map(|times| self.set_times(times)),
            attrs.owner.map(|owner| self.set_owner(owner)),
        ];
        done.into_iter().flatten().rfind(Result::is_err).unwrap_or(Ok(()))
    }

    fn resize(&self, size: u64) -> Result<(), Refused> {
        match self {
            Self::Path(path) => {
                let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
                let file = OpenOptions::new().write(true).custom_flags(nonblocking).open(path)?;
                Ok(file.set_len(size)?)
            }
            Self::Link(_) => Err(Refused(status::BAD_MESSAGE)),
            Self::File(file) => Ok(file.set_len(size)?),
        }
    }

    fn set_mode(&self, mode: u32) -> Result<(), Refused> {
        let permissions = Permissions::from_mode(mode);
        match self {
            Self::Path(path) => Ok(fs::set_permissions(path, permissions)?),
            Self::Link(path) => Ok(chmodat(CWD, *path, raw_mode(mode), AtFlags::SYMLINK_NOFOLLOW)?),
            Self::File(file) => Ok(file.set_permissions(permissions)?),
        }
    }

    fn set_times(&self, (accessed, modified): (u32, u32)) -> Result<(), Refused> {
        let at = |seconds: u32| Timespec { tv_sec: seconds.into(), tv_nsec: 0 };
        let times = Timestamps { last_access: at(accessed), last_modification: at(modified) };
        Ok(match self {
            Self::Path(path) => utimensat(CWD, *path, &times, AtFlags::empty()),
            Self::Link(path) => utimensat(CWD, *path, &times, AtFlags::SYMLINK_NOFOLLOW),
            Self::File(file) => futimens(file, &times),
        }?)
    }

    fn set_owner(&self, (user, group): (u32, u32)) -> Result<(), Refused> {
        let set = match self {
            Self::Path(path) => chown(path, Some(user), Some(group)),
            Self::Link(path) => lchown(path, Some(user), Some(group)),
            Self::File(file) => fchown(file, Some(user), Some(group)),
        };
        Ok(set?)
    }
}

/// A mode as system calls take it.
#[allow(clippy::useless_conversion, reason = "a raw mode has 16 bits on macOS")]
pub(super) fn raw_mode(mode: u32) -> Mode {
    Mode::from_raw_mode((mode & SETTABLE).try_into().unwrap_or_default())
}

/// What SFTP says of a file.
pub(super) fn attrs(metadata: &Metadata) -> Attrs {
    Attrs {
        size: Some(metadata.size()),
        owner: Some((metadata.uid(), metadata.gid())),
        permissions: Some(metadata.mode()),
        times: Some((seconds(metadata.atime()), seconds(metadata.mtime()))),
    }
}

/// A path as the only name of a reply: nothing else is said of it.
pub(super) fn only_name(path: impl Into<Bytes>) -> NameEntry {
    let name = path.into();
    NameEntry { long: name.clone(), name, attrs: Attrs::default() }
}

/// A name of a folder, with its line for people.
pub(super) fn entry(name: &[u8], found: io::Result<Metadata>) -> Option<NameEntry> {
    // It went away since its name was read.
    let metadata = found.ok()?;
    let mut long = BytesMut::new();
    let line = format!(
        "{} {:4} {:<8} {:<8} {:8} {} ",
        letters(metadata.mode()),
        metadata.nlink(),
        metadata.uid(),
        metadata.gid(),
        metadata.size(),
        rfc3339(seconds(metadata.mtime()).into()),
    );
    long.put_slice(line.as_bytes());
    long.put_slice(name);
    Some(NameEntry { name: Bytes::copy_from_slice(name), long: long.freeze(), attrs: attrs(&metadata) })
}

/// Times before 1970 and after 2106 do not fit the protocol.
fn seconds(time: i64) -> u32 {
    u32::try_from(time.max(0)).unwrap_or(u32::MAX)
}

/// A mode as `ls -l` shows it, but for the bits beside the permissions.
#[allow(clippy::useless_conversion, reason = "a raw mode has 16 bits on macOS")]
fn letters(mode: u32) -> String {
    let kind = match FileType::from_raw_mode(mode.try_into().unwrap_or_default()) {
        FileType::RegularFile => '-',
        FileType::Directory => 'd',
        FileType::Symlink => 'l',
        FileType::Fifo => 'p',
        FileType::Socket => 's',
        FileType::CharacterDevice => 'c',
        FileType::BlockDevice => 'b',
        FileType::Unknown => '?',
    };
    let bits = "rwxrwxrwx".chars().zip((0..9).rev());
    let shown = bits.map(|(letter, bit)| if mode >> bit & 1 == 1 { letter } else { '-' });
    std::iter::once(kind).chain(shown).collect()
}
