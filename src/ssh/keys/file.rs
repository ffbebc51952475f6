//! Reads files that hold secrets: never a device, never one that others can read, never more than is sane.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

/// A key file is never larger than this; OpenSSH's own limit is the same.
pub(super) const MAX_FILE: u64 = 1024 * 1024;

/// Why a file cannot be read or must not be used.
#[derive(Debug)]
pub enum FileRefusal {
    /// It is not there.
    Missing,
    /// It is a folder.
    Folder,
    /// It is a device, a pipe or a socket.
    NotAFile,
    /// It has more bytes than allowed.
    TooLarge(u64),
    /// Others can read or change it; its mode.
    Exposed(u32),
    /// It belongs to someone else, who could change it at any time; the user's number.
    Foreign(u32),
    /// It is not text.
    NotText,
    /// The system refuses to read it.
    Io(io::Error),
}

impl FileRefusal {
    /// The refusal of `what` (`the key`) in words, and what to do about it.
    pub fn explain(&self, what: &str) -> (String, Option<String>) {
        let hinted = |message: String, hint: &str| (message, Some(hint.to_owned()));
        match self {
            Self::Missing => hinted("there is no such file".to_owned(), "is the path right?"),
            Self::Folder => hinted("this is a folder".to_owned(), "name a file in it"),
            Self::NotAFile => hinted("not a regular file".to_owned(), "is the path right?"),
            Self::TooLarge(limit) => hinted(format!("larger than {limit} bytes"), "is the path right?"),
            Self::Exposed(mode) => {
                hinted(format!("{what} is readable by others (mode {mode:04o})"), "chmod 600 the file")
            }
            Self::Foreign(owner) => hinted(
                format!("{what} belongs to another user (uid {owner})"),
                "use a copy of your own: the owner can read and change it",
            ),
            Self::NotText => hinted("not a text file".to_owned(), "is the path right?"),
            Self::Io(error) => (format!("cannot read {what}: {error}"), None),
        }
    }
}

/// Reads a text that only its owner may read.
///
/// # Errors
///
/// It is missing, no regular file, larger than `limit`, readable by others, someone else's, or no text.
pub fn read_private(path: &Path, limit: u64) -> Result<Zeroizing<String>, FileRefusal> {
    let file = open(path)?;
    let metadata = file.metadata().map_err(FileRefusal::Io)?;
    check_kind(&metadata, limit)?;
    check_access(metadata.uid(), metadata.mode(), rustix::process::geteuid().as_raw())?;
    read(file, limit)
}

/// Reads a text that anyone may read: public keys and certificates.
///
/// # Errors
///
/// It is missing, no regular file, larger than `limit`, or no text.
pub(super) fn read_public(path: &Path, limit: u64) -> Result<Zeroizing<String>, FileRefusal> {
    let file = open(path)?;
    check_kind(&file.metadata().map_err(FileRefusal::Io)?, limit)?;
    read(file, limit)
}

/// Whether a file is a key for SSH, by its first line: `a private key`, `a public key`.
pub fn holds_key(path: &Path) -> Option<&'static str> {
    let mut start = String::new();
    let file = open(path).ok().filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()))?;
    file.take(64).read_to_string(&mut start).ok()?;
    let line = start.lines().next()?;
    let is_public =
        |kind: &str| line.strip_prefix(kind).is_some_and(|rest| rest.trim_start().starts_with("AAAA"));
    if line.starts_with("PuTTY-User-Key-File")
        || (line.starts_with("-----BEGIN ") && line.contains("PRIVATE KEY"))
    {
        return Some("a private key");
    }
    ["ssh-", "ecdsa-", "sk-"].iter().any(|kind| line.starts_with(kind)).then_some(())?;
    line.split_once(' ').is_some_and(|(kind, _)| is_public(kind)).then_some("a public key")
}

/// Opens without waiting for the other end of a pipe.
fn open(path: &Path) -> Result<File, FileRefusal> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("a small constant");
    OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => FileRefusal::Missing,
        _ => FileRefusal::Io(error),
    })
}

fn check_kind(metadata: &Metadata, limit: u64) -> Result<(), FileRefusal> {
    if metadata.is_dir() {
        Err(FileRefusal::Folder)
    } else if !metadata.is_file() {
        Err(FileRefusal::NotAFile)
    } else if metadata.len() > limit {
        Err(FileRefusal::TooLarge(limit))
    } else {
        Ok(())
    }
}

/// Judges owner and mode for the user `me`.
///
/// A file of root's may be shared with our group: how else would we read it? Root may use everybody's, as with
/// ssh, because containers mount keys of other users; the mode counts in any case.
fn check_access(owner: u32, mode: u32, me: u32) -> Result<(), FileRefusal> {
    let shared = if owner == 0 && me != 0 { 0o027 } else { 0o077 };
    if owner != me && owner != 0 && me != 0 {
        Err(FileRefusal::Foreign(owner))
    } else if mode & shared != 0 {
        Err(FileRefusal::Exposed(mode & 0o777))
    } else {
        Ok(())
    }
}

fn read(file: File, limit: u64) -> Result<Zeroizing<String>, FileRefusal> {
    let mut text = Zeroizing::new(String::new());
    file.take(limit).read_to_string(&mut text).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => FileRefusal::NotText,
        _ => FileRefusal::Io(error),
    })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_and_mode_decide() {
        let (me, other) = (1000, 1001);
        for (owner, mode, user, expected) in [
            (me, 0o100_600, me, "ok"),
            (me, 0o100_400, me, "ok"),
            (me, 0o100_640, me, "exposed 640"),
            (me, 0o100_644, me, "exposed 644"),
            (other, 0o100_600, me, "foreign 1001"),
            (0, 0o100_640, me, "ok"),
            (0, 0o100_644, me, "exposed 644"),
            (0, 0o100_660, me, "exposed 660"),
            (0, 0o100_640, 0, "exposed 640"),
            (other, 0o100_600, 0, "ok"),
            (other, 0o100_644, 0, "exposed 644"),
        ] {
            let said = match check_access(owner, mode, user) {
                Ok(()) => "ok".to_owned(),
                Err(FileRefusal::Exposed(mode)) => format!("exposed {mode:o}"),
                Err(FileRefusal::Foreign(owner)) => format!("foreign {owner}"),
                Err(other) => format!("{other:?}"),
            };
            assert_eq!(said, expected, "{owner} {mode:o} {user}");
        }
    }
}
