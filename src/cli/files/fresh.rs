//! Files that are written from their beginning on, at just their place: no link leads elsewhere, and no file of someone
//! else's is filled, whatever others put into the folder before or meanwhile.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, ftruncate, openat, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

/// Which file one is: its device and its number there.
pub(super) type FreshIdentity = (u64, u64);

/// How often someone may put something in the way between two steps.
const TRIES: usize = 8;

/// Opens a file to be written anew, by its path.
///
/// # Errors
///
/// It cannot be written, or what is there is no file.
pub(super) fn at(path: &Path) -> io::Result<File> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let folder: OwnedFd = File::open(folder)?.into();
    let name = name.to_str().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
    // A pipe of one's own that a program waits at is a place to write to.
    let pipe = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::Fifo && stat.st_uid == geteuid().as_raw()
    });
    if pipe {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        return Ok(File::from(openat(&folder, name, flags, Mode::empty())?));
    }
    file(&folder, name).map(|(file, _)| file)
}

/// Opens a file of a folder to be written anew. One's own keeps its mode; a link, or a file that is someone else's or has another
/// name, goes away.
///
/// # Errors
///
/// It cannot be written, or what is there is no file.
pub(super) fn file(folder: impl AsFd, name: &str) -> io::Result<(File, FreshIdentity)> {
    const FLAGS: OFlags =
        OFlags::WRONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);
    let folder = folder.as_fd();
    for _ in 0..TRIES {
        match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile if stat.st_uid == geteuid().as_raw() && stat.st_nlink == 1 => {
                    let Ok(opened) = openat(folder, name, FLAGS, Mode::empty()) else {
                        // Not even its owner may write it, or it is another one by now.
                        gone(unlinkat(folder, name, AtFlags::empty()))?;
                        continue;
                    };
                    let found = fstat(&opened)?;
                    if (found.st_dev, found.st_ino) != (stat.st_dev, stat.st_ino) {
                        continue;
                    }
                    ftruncate(&opened, 0)?;
                    return Ok((File::from(opened), identity(&found)));
                }
                FileType::RegularFile | FileType::Symlink => {
                    gone(unlinkat(folder, name, AtFlags::empty()))?;
                }
                FileType::Directory => return Err(io::Error::from(io::ErrorKind::IsADirectory)),
                _ => return Err(io::Error::other("it is not a file")),
            },
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        // As any new file: the user's umask decides who may read it.
        let mode = Mode::from_raw_mode(0o666);
        match openat(folder, name, FLAGS | OFlags::CREATE | OFlags::EXCL, mode) {
            Ok(opened) => {
                let stat = fstat(&opened)?;
                return Ok((File::from(opened), identity(&stat)));
            }
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(replaced())
}

/// Opens a file of a folder once more, to write to its end.
///
/// # Errors
///
/// It cannot be written, or is another one by now.
pub(super) fn again(folder: impl AsFd, name: &str, identity_of: FreshIdentity) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let opened = openat(folder, name, flags, Mode::empty())
        .map_err(|errno| if errno == Errno::LOOP { replaced() } else { errno.into() })?;
    if identity(&fstat(&opened)?) == identity_of { Ok(File::from(opened)) } else { Err(replaced()) }
}

/// Sees that a folder to write into is not reached over a link that someone else made.
///
/// # Errors
///
/// It is.
pub(super) fn trusted_folder(folder: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(folder) else { return Ok(()) };
    if found.is_symlink() && found.uid() != geteuid().as_raw() && found.uid() != 0 {
        return Err(io::Error::other("it is a link that another user made"));
    }
    Ok(())
}

/// Another process has put something else there.
pub(super) fn replaced() -> io::Error {
    io::Error::other("another file took its place")
}

fn identity(stat: &rustix::fs::Stat) -> FreshIdentity {
    #[allow(clippy::unnecessary_cast, reason = "their types are the system's")]
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// That it is gone already is as good.
fn gone(removed: Result<(), Errno>) -> io::Result<()> {
    match removed {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_link_is_replaced_and_what_it_leads_to_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, path) = (folder.path().join("victim"), folder.path().join("x.jsonl"));
        fs::write(&victim, "kept").unwrap();
        symlink(&victim, &path).unwrap();
        at(&path).unwrap().write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        // One that leads nowhere makes no file there.
        let (nowhere, path) = (folder.path().join("nowhere"), folder.path().join("y.jsonl"));
        symlink(&nowhere, &path).unwrap();
        at(&path).unwrap();
        assert!(!nowhere.exists() && path.is_file());
    }

    #[test]
    fn a_file_with_another_name_is_replaced_and_one_of_one_s_own_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, path) = (folder.path().join("victim"), folder.path().join("x.jsonl"));
        fs::write(&victim, "kept").unwrap();
        fs::hard_link(&victim, &path).unwrap();
        at(&path).unwrap().write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
        fs::write(&path, "longer than new").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        at(&path).unwrap().write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn nothing_is_added_to_what_was_put_in_the_place_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let open: OwnedFd = File::open(folder.path()).unwrap().into();
        let (_, identity) = file(&open, "h.out").unwrap();
        again(&open, "h.out", identity).unwrap().write_all(b"one").unwrap();
        let path = folder.path().join("h.out");
        fs::rename(&path, folder.path().join("moved")).unwrap();
        fs::write(&path, "").unwrap();
        assert!(again(&open, "h.out", identity).is_err());
        fs::remove_file(&path).unwrap();
        symlink(folder.path().join("moved"), &path).unwrap();
        assert!(again(&open, "h.out", identity).is_err());
        assert_eq!(fs::read_to_string(folder.path().join("moved")).unwrap(), "one");
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(at(folder.path()).is_err() && at(Path::new("/dev/null")).is_err());
    }
}
