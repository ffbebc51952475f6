//! The work of SFTP on the file system of this machine: one request, one reply, with the answers of OpenSSH's
//! sftp-server. Blocks, as files do; knows nothing of channels and of faults.
//!
//! A throw-away host is no cage: absolute paths are the machine's, relative ones begin at the host's home.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{DirBuilder, File, ReadDir};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, FileExt, symlink};
use std::path::{Path, PathBuf};
use std::{fs, io};

use bytes::{BufMut, Bytes, BytesMut};
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::sandbox::sftp::attributes::{AttributesTarget, SETTABLE, attrs, entry, only_name, raw_mode};
use crate::sandbox::sftp::refused::Refused;
use crate::ssh::sftp::wire::{
    Attrs, MAX_PACKET, NameEntry, OpenFlags, Reply, SftpRequest, status, take_attrs, take_string,
};

/// The extensions that are served, each with its version.
pub(super) const EXTENSIONS: &[(&str, &str)] = &[
    ("posix-rename@openssh.com", "1"),
    ("hardlink@openssh.com", "1"),
    ("fsync@openssh.com", "1"),
    ("lsetstat@openssh.com", "1"),
    ("limits@openssh.com", "1"),
];

/// Bytes that one READ or WRITE may carry: OpenSSH leaves 1024 of a packet for everything else.
pub(super) const MAX_DATA: u32 = MAX_PACKET as u32 - 1024;

/// Files and folders that may be open at once.
const MAX_HANDLES: usize = 1000;

/// Names in one packet.
const NAMES: usize = 100;

/// Links that a path may lead through: more of them are a loop.
const MAX_LINKS: usize = 32;

/// The first handle. None of the following is UTF-8, as a client must expect: handles are bytes.
const FIRST_HANDLE: u32 = 0xc800_0000;

/// What a folder's listing has on a real host, and `ReadDir` leaves out.
const DOTS: &[&[u8]] = &[b".", b".."];

const APPEND: OpenFlags = OpenFlags(0x04);
const CREATE: OpenFlags = OpenFlags(0x08);
const TRUNCATE: OpenFlags = OpenFlags(0x10);
const EXCLUSIVE: OpenFlags = OpenFlags(0x20);

/// The files of a host, as one SFTP session sees them.
pub(super) struct Files {
    home: PathBuf,
    open: BTreeMap<u32, OpenHandle>,
    /// The handle of the next one.
    next: u32,
}

enum OpenHandle {
    File {
        file: File,
        /// Written at its end, whatever the offset.
        appends: bool,
    },
    Folder(Folder),
}

struct Folder {
    path: PathBuf,
    /// What is left of [`DOTS`].
    dots: std::slice::Iter<'static, &'static [u8]>,
    entries: ReadDir,
}

/// A status with the words that OpenSSH's server has for it.
pub(super) fn say(code: u32) -> Reply {
    let message = match code {
        status::OK => "Success",
        status::EOF => "End of file",
        status::NO_SUCH_FILE => "No such file",
        status::PERMISSION_DENIED => "Permission denied",
        status::BAD_MESSAGE => "Bad message",
        status::OP_UNSUPPORTED => "Operation unsupported",
        _ => "Failure",
    };
    Reply::Status { code, message: Bytes::from_static(message.as_bytes()) }
}

impl Files {
    /// The files of the host with this home; nothing is open.
    pub(super) fn new(home: PathBuf) -> Self {
        Self { home, open: BTreeMap::new(), next: FIRST_HANDLE }
    }

    /// Does what a request asks for.
    pub(super) fn answer(&mut self, request: &SftpRequest) -> Reply {
        self.serve(request).unwrap_or_else(|Refused(code)| say(code))
    }

    fn serve(&mut self, request: &SftpRequest) -> Result<Reply, Refused> {
        match request {
            SftpRequest::Open { path, flags, attrs } => return self.open_file(path, *flags, attrs),
            SftpRequest::Opendir { path } => return self.open_folder(path),
            SftpRequest::Readdir { handle } => return self.names(handle),
            SftpRequest::Read { handle, offset, length } => {
                return read(self.file(handle)?.0, *offset, *length);
            }
            SftpRequest::Write { handle, offset, data } => self.write(handle, *offset, data)?,
            SftpRequest::Close { handle } => {
                let number = number(handle).ok_or(Refused(status::NO_SUCH_FILE))?;
                self.open.remove(&number).ok_or(Refused(status::NO_SUCH_FILE))?;
            }
            SftpRequest::Stat { path } => return Ok(Reply::Attrs(attrs(&fs::metadata(self.path(path))?))),
            SftpRequest::Lstat { path } => {
                return Ok(Reply::Attrs(attrs(&fs::symlink_metadata(self.path(path))?)));
            }
            SftpRequest::Fstat { handle } => {
                return Ok(Reply::Attrs(attrs(&self.file(handle)?.0.metadata()?)));
            }
            SftpRequest::Setstat { path, attrs } => AttributesTarget::Path(&self.path(path)).set(attrs)?,
            SftpRequest::Fsetstat { handle, attrs } => {
                AttributesTarget::File(self.file(handle)?.0).set(attrs)?
            }
            SftpRequest::Remove { path } => fs::remove_file(self.path(path))?,
            SftpRequest::Rmdir { path } => fs::remove_dir(self.path(path))?,
            SftpRequest::Mkdir { path, attrs } => {
                let mode = attrs.permissions.map_or(0o777, |mode| mode & SETTABLE);
                DirBuilder::new().mode(mode).create(self.path(path))?;
            }
            SftpRequest::Rename { from, to } => {
                // Where OpenSSH links and unlinks, for the same end: what is there already is never replaced.
                renameat_with(CWD, self.path(from), CWD, self.path(to), RenameFlags::NOREPLACE)?;
            }
            // In OpenSSH's order: so both paths were read.
            SftpRequest::Symlink { target, link, .. } => symlink(OsStr::from_bytes(target), self.path(link))?,
            SftpRequest::Readlink { path } => return Ok(one_path(fs::read_link(self.path(path))?)),
            SftpRequest::Realpath { path } => return Ok(one_path(self.real_path(path)?)),
            SftpRequest::Extended { name, fields } => return self.extended(name, fields.clone()),
        }
        Ok(say(status::OK))
    }

    fn extended(&mut self, name: &[u8], mut fields: Bytes) -> Result<Reply, Refused> {
        let from = &mut fields;
        match name {
            b"posix-rename@openssh.com" => {
                fs::rename(self.path(&take_string(from)?), self.path(&take_string(from)?))?;
            }
            b"hardlink@openssh.com" => {
                fs::hard_link(self.path(&take_string(from)?), self.path(&take_string(from)?))?;
            }
            b"fsync@openssh.com" => match self.file(&take_string(from)?) {
                Ok((file, _)) => file.sync_all()?,
                Err(Refused(_)) => return Err(Refused(status::NO_SUCH_FILE)),
            },
            b"lsetstat@openssh.com" => {
                let path = self.path(&take_string(from)?);
                AttributesTarget::Link(&path).set(&take_attrs(from)?)?;
            }
            b"limits@openssh.com" => {
                let mut limits = BytesMut::new();
                limits.put_u64(MAX_PACKET as u64);
                limits.put_u64(MAX_DATA.into());
                limits.put_u64(MAX_DATA.into());
                limits.put_u64(MAX_HANDLES as u64);
                return Ok(Reply::Extended(limits.freeze()));
            }
            _ => return Err(Refused(status::OP_UNSUPPORTED)),
        }
        Ok(say(status::OK))
    }

    fn open_file(&mut self, path: &[u8], flags: OpenFlags, attrs: &Attrs) -> Result<Reply, Refused> {
        let when = |flag: OpenFlags, then: OFlags| if flags.contains(flag) { then } else { OFlags::empty() };
        let access = match (flags.contains(OpenFlags::READ), flags.contains(OpenFlags::WRITE)) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            (_, false) => OFlags::RDONLY,
        };
        // A pipe that nobody writes to must not hold a thread for ever: unlike a real host, it says so at once.
        let flags = access
            | OFlags::CLOEXEC
            | OFlags::NONBLOCK
            | OFlags::NOCTTY
            | when(APPEND, OFlags::APPEND)
            | when(CREATE, OFlags::CREATE)
            | when(TRUNCATE, OFlags::TRUNC)
            | when(EXCLUSIVE, OFlags::EXCL);
        let file =
            rustix::fs::open(self.path(path), flags, raw_mode(attrs.permissions.unwrap_or(0o666)))?.into();
        self.keep(OpenHandle::File { file, appends: flags.contains(OFlags::APPEND) })
    }

    fn open_folder(&mut self, path: &[u8]) -> Result<Reply, Refused> {
        let path = self.path(path);
        let entries = fs::read_dir(&path)?;
        self.keep(OpenHandle::Folder(Folder { path, dots: DOTS.iter(), entries }))
    }

    fn keep(&mut self, open: OpenHandle) -> Result<Reply, Refused> {
        if self.open.len() >= MAX_HANDLES {
            return Err(Refused(status::FAILURE));
        }
        let handle = self.next;
        self.next += 1;
        self.open.insert(handle, open);
        Ok(Reply::Handle(Bytes::copy_from_slice(&handle.to_be_bytes())))
    }

    /// The next names of a folder; those that went away meanwhile are left out.
    fn names(&mut self, handle: &[u8]) -> Result<Reply, Refused> {
        let Some(OpenHandle::Folder(Folder { path, dots, entries })) =
            number(handle).and_then(|number| self.open.get_mut(&number))
        else {
            return Err(Refused(status::FAILURE));
        };
        let dots = dots.filter_map(|dot| entry(dot, fs::symlink_metadata(path.join(OsStr::from_bytes(dot)))));
        let entries = entries
            .filter_map(|found| found.ok())
            .filter_map(|found| entry(found.file_name().as_bytes(), found.metadata()));
        let names: Vec<NameEntry> = dots.chain(entries).take(NAMES).collect();
        if names.is_empty() { Err(Refused(status::EOF)) } else { Ok(Reply::Names(names)) }
    }

    /// The folder that is open under a handle.
    pub(super) fn folder(&self, handle: &[u8]) -> Option<&Path> {
        match self.open.get(&number(handle)?)? {
            OpenHandle::Folder(folder) => Some(&folder.path),
            OpenHandle::File { .. } => None,
        }
    }

    fn write(&self, handle: &[u8], offset: u64, data: &[u8]) -> Result<(), Refused> {
        let (mut file, appends) = self.file(handle)?;
        if appends {
            file.write_all(data)?
        } else {
            file.write_all_at(data, offset)?
        }
        Ok(())
    }

    fn file(&self, handle: &[u8]) -> Result<(&File, bool), Refused> {
        match number(handle).and_then(|number| self.open.get(&number)) {
            Some(OpenHandle::File { file, appends }) => Ok((file, *appends)),
            Some(OpenHandle::Folder(_)) | None => Err(Refused(status::FAILURE)),
        }
    }

    /// Where a path leads. The empty one leads nowhere, as in any system call.
    pub(super) fn path(&self, path: &[u8]) -> PathBuf {
        if path.is_empty() { PathBuf::new() } else { self.home.join(OsStr::from_bytes(path)) }
    }

    /// The absolute form of a path without links; its last part need not be there, nor that of the link at its end
    /// (OpenSSH's sftp-realpath.c).
    fn real_path(&self, path: &[u8]) -> Result<PathBuf, Refused> {
        let path = if path.is_empty() { self.home.clone() } else { self.path(path) };
        let parts = |path: &Path| -> Vec<Vec<u8>> {
            path.as_os_str().as_bytes().rsplit(|&byte| byte == b'/').map(<[u8]>::to_vec).collect()
        };
        let (mut left, mut real, mut links) = (parts(&path), PathBuf::from("/"), 0);
        while let Some(part) = left.pop() {
            match part.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    real.pop();
                    continue;
                }
                name => real.push(OsStr::from_bytes(name)),
            }
            match fs::symlink_metadata(&real) {
                Ok(found) if found.is_symlink() => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let target = fs::read_link(&real)?;
                    real.pop();
                    if target.is_absolute() {
                        real = PathBuf::from("/");
                    }
                    left.extend(parts(&target));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound && left.is_empty() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(real)
    }
}

fn read(file: &File, offset: u64, length: u32) -> Result<Reply, Refused> {
    let mut data = BytesMut::zeroed(length.min(MAX_DATA) as usize);
    let size = file.read_at(&mut data, offset)?;
    if size == 0 && length > 0 {
        return Err(Refused(status::EOF));
    }
    data.truncate(size);
    Ok(Reply::Data(data.freeze()))
}

fn one_path(path: PathBuf) -> Reply {
    Reply::Names(vec![only_name(path.into_os_string().into_vec())])
}

fn number(handle: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(handle.try_into().ok()?))
}
