//! Reads a known_hosts file whole, or says why it cannot be relied on.
//!
//! Refuses to interpret the bytes. "Cannot be read" must never look like "is empty": only a file that does not
//! exist counts as empty.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, open};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::ssh::known_hosts::verdict::{KnownHostsError, SIZE_MAX};

/// The bytes of a file, with what is odd about it.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The bytes.
    pub(super) bytes: Vec<u8>,
    /// Who else may write to it, if anyone.
    pub(super) warning: Option<String>,
}

/// Reads the file; one that does not exist is empty.
pub(super) fn read(path: &Arc<Path>) -> Result<Contents, KnownHostsError> {
    // The customary way to say "no file" in OpenSSH's options. Other devices are refused below.
    if **path == *Path::new("/dev/null") {
        return Ok(Contents::default());
    }
    let unreadable =
        |error: io::Error| KnownHostsError::Unreadable { file: Arc::clone(path), reason: error.to_string() };
    // Without NONBLOCK, opening a FIFO would wait for its writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = match open(&**path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(Contents::default()),
        Err(error) => return Err(unreadable(error.into())),
    };
    let stat = fstat(&file).map_err(|error| unreadable(error.into()))?;
    let file_type = FileType::from_raw_mode(stat.st_mode);
    if file_type != FileType::RegularFile {
        let found = if file_type == FileType::Directory { "a directory" } else { "a device, pipe or socket" };
        return Err(KnownHostsError::NotAFile { file: Arc::clone(path), found });
    }
    let too_large = || KnownHostsError::TooLarge { file: Arc::clone(path) };
    let size = u64::try_from(stat.st_size).unwrap_or_default();
    if size > SIZE_MAX {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    File::from(file).take(SIZE_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    // It may have grown since.
    if bytes.len() as u64 > SIZE_MAX {
        return Err(too_large());
    }
    Ok(Contents { bytes, warning: writable_by_others(path, &stat) })
}

/// OpenSSH's client reads such a file without a word. So do we, for it is the same file, but not in silence.
fn writable_by_others(path: &Path, stat: &Stat) -> Option<String> {
    let file = path.display();
    let mode = stat.st_mode & 0o7777;
    if mode & 0o022 != 0 {
        return Some(format!(
            "{file}: others can add host keys to it (mode {mode:04o}), run: chmod go-w {file}"
        ));
    }
    let owner = stat.st_uid;
    let trusted = owner == 0 || owner == geteuid().as_raw();
    (!trusted).then(|| format!("{file}: belongs to another user (uid {owner}), who can add host keys to it"))
}
