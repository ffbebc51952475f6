//! What honest SFTP servers do in their own way. Each of these is what some server in use does; several may come
//! together.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytes::Bytes;

use crate::sandbox::sftp::attributes::attrs;
use crate::sandbox::sftp::files::{Files, say};
use crate::ssh::sftp::wire::{Attrs, NameEntry, OpenFlags, Reply, SftpRequest, status};

/// Bytes that one READ answers, where reads are short.
const SHORT: u32 = 1000;

/// Data that one packet may carry, where packets are small.
const SMALL: usize = 32 * 1024;

/// One way in which a server differs from OpenSSH's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SYMLINK has the link first, as the draft says.
    LinkFirst,
    /// Links point at absolute paths: relative targets begin at the home.
    AbsoluteLinks,
    /// READLINK tells where links lead, and not what they hold.
    ResolvedLinks,
    /// RENAME goes through links at both ends, where they lead somewhere, and replaces what is there.
    RenamesThrough,
    /// RENAME goes through a link at its target, and replaces what is there.
    ReplacesThrough,
    /// There is no SYMLINK.
    NoLinks,
    /// SYMLINK says that all is well, and makes nothing.
    LinksLie,
    /// There is no FSETSTAT.
    NoFsetstat,
    /// There is neither FSETSTAT nor SETSTAT.
    NoSetstat,
    /// FSETSTAT and SETSTAT fail, and it is not said why.
    SetstatFails,
    /// FSETSTAT and SETSTAT are not permitted.
    ForbidsSetstat,
    /// SETSTAT fails for paths that end so.
    SetstatFailsFor(&'static str),
    /// What is missing is not said to be missing: it fails.
    MissingFails,
    /// No modes are told, and so no types.
    TellsNoModes,
    /// Neither modes nor sizes of folders are told.
    TellsNoFolderModes,
    /// FSETSTAT and SETSTAT say that all is well, and change no mode.
    DeafToModes,
    /// OPEN and MKDIR give all rights to all.
    WideModes,
    /// Folders list names, and nothing else of them.
    BareNames,
    /// There is no LSTAT.
    NoLstat,
    /// LSTAT tells of what a link points at, as STAT does, where there is something.
    LstatFollows,
    /// Folders list what links point at, where there is something.
    ListsThrough,
    /// READ answers less than it was asked for.
    ShortReads,
    /// There are no extensions, and no more than 32 KiB go into a packet.
    SmallPackets,
    /// There are no extensions, and RENAME says in version 4's words that something is there already.
    AlreadyExists,
    /// Extensions are listed that are not there.
    HollowExtensions,
    /// What is missing is missed in version 4's words.
    NoSuchPath,
    /// There is no SFTP.
    NoSftp,
    /// It is not told how each third command of a connection ended.
    LosesEnds,
    /// Commands are refused.
    NoCommands,
    /// The connection ends when a command is asked for beside SFTP; without it, commands are refused.
    EndsOnCommand,
}

impl Dialect {
    /// Whether it announces no extensions.
    pub(super) fn is_bare(self) -> bool {
        matches!(
            self,
            Self::SmallPackets
                | Self::AlreadyExists
                | Self::RenamesThrough
                | Self::ReplacesThrough
                | Self::ListsThrough
        )
    }

    /// What is done in place of what OpenSSH does.
    fn instead(self, files: &mut Files, request: &SftpRequest) -> Option<Reply> {
        match (self, request) {
            (Self::LinkFirst, SftpRequest::Symlink { target, link, order }) => {
                let (target, link) = (link.clone(), target.clone());
                Some(files.answer(&SftpRequest::Symlink { target, link, order: *order }))
            }
            (Self::AbsoluteLinks, SftpRequest::Symlink { target, link, order }) => {
                let target = Bytes::copy_from_slice(files.path(target).as_os_str().as_bytes());
                Some(files.answer(&SftpRequest::Symlink { target, link: link.clone(), order: *order }))
            }
            (Self::ResolvedLinks, SftpRequest::Readlink { path }) => Some(match files.answer(request) {
                Reply::Names(names) => {
                    Reply::Names(names.into_iter().map(|name| resolved(path, name)).collect())
                }
                reply => reply,
            }),
            (Self::RenamesThrough, SftpRequest::Rename { from, to }) => {
                let through = |path| fs::canonicalize(files.path(path)).unwrap_or_else(|_| files.path(path));
                Some(renamed(&through(from), &through(to)))
            }
            (Self::ReplacesThrough, SftpRequest::Rename { from, to }) => {
                let through = fs::canonicalize(files.path(to)).unwrap_or_else(|_| files.path(to));
                Some(renamed(&files.path(from), &through))
            }
            (Self::NoLinks, SftpRequest::Symlink { .. })
            | (Self::NoFsetstat, SftpRequest::Fsetstat { .. })
            | (Self::NoSetstat, SftpRequest::Fsetstat { .. } | SftpRequest::Setstat { .. })
            | (Self::NoLstat, SftpRequest::Lstat { .. })
            | (
                Self::SmallPackets | Self::AlreadyExists | Self::HollowExtensions,
                SftpRequest::Extended { .. },
            ) => Some(say(status::OP_UNSUPPORTED)),
            (Self::SetstatFails, SftpRequest::Fsetstat { .. } | SftpRequest::Setstat { .. }) => {
                Some(say(status::FAILURE))
            }
            (Self::ForbidsSetstat, SftpRequest::Fsetstat { .. } | SftpRequest::Setstat { .. }) => {
                Some(say(status::PERMISSION_DENIED))
            }
            (Self::SetstatFailsFor(end), SftpRequest::Setstat { path, .. })
                if path.ends_with(end.as_bytes()) =>
            {
                Some(say(status::FAILURE))
            }
            (Self::LstatFollows, SftpRequest::Lstat { path }) if files.path(path).exists() => {
                Some(files.answer(&SftpRequest::Stat { path: path.clone() }))
            }
            (Self::ListsThrough, SftpRequest::Readdir { handle }) => {
                let folder = files.folder(handle)?.to_owned();
                let through =
                    |entry: NameEntry| match fs::metadata(folder.join(OsStr::from_bytes(&entry.name))) {
                        Ok(there) => NameEntry { attrs: attrs(&there), ..entry },
                        Err(_) => entry,
                    };
                Some(match files.answer(request) {
                    Reply::Names(names) => Reply::Names(names.into_iter().map(through).collect()),
                    reply => reply,
                })
            }
            (Self::LinksLie, SftpRequest::Symlink { .. }) => Some(say(status::OK)),
            (Self::DeafToModes, SftpRequest::Setstat { path, attrs }) => {
                let attrs = Attrs { permissions: None, ..*attrs };
                Some(files.answer(&SftpRequest::Setstat { path: path.clone(), attrs }))
            }
            (Self::DeafToModes, SftpRequest::Fsetstat { handle, attrs }) => {
                let attrs = Attrs { permissions: None, ..*attrs };
                Some(files.answer(&SftpRequest::Fsetstat { handle: handle.clone(), attrs }))
            }
            (Self::WideModes, SftpRequest::Open { path, flags, .. })
                if flags.contains(OpenFlags::CREATE_NEW) =>
            {
                Some(widened(files, request, path, 0o666))
            }
            (Self::WideModes, SftpRequest::Mkdir { path, .. }) => Some(widened(files, request, path, 0o777)),
            (Self::ShortReads, SftpRequest::Read { handle, offset, length }) if *length > SHORT => {
                Some(files.answer(&SftpRequest::Read {
                    handle: handle.clone(),
                    offset: *offset,
                    length: SHORT,
                }))
            }
            (Self::SmallPackets, SftpRequest::Write { data, .. }) if data.len() > SMALL => {
                Some(say(status::BAD_MESSAGE))
            }
            (_, _) => None,
        }
    }

    /// What is told in place of what OpenSSH tells.
    fn told(self, request: &SftpRequest, reply: Reply) -> Reply {
        match (self, reply) {
            (Self::BareNames, Reply::Names(names)) if matches!(request, SftpRequest::Readdir { .. }) => {
                let bare = |entry: NameEntry| NameEntry { attrs: Attrs::default(), ..entry };
                Reply::Names(names.into_iter().map(bare).collect())
            }
            (Self::AlreadyExists, Reply::Status { code: status::FAILURE, message })
                if matches!(request, SftpRequest::Rename { .. }) =>
            {
                Reply::Status { code: status::FILE_ALREADY_EXISTS, message }
            }
            (Self::NoSuchPath, Reply::Status { code: status::NO_SUCH_FILE, message }) => {
                Reply::Status { code: status::NO_SUCH_PATH, message }
            }
            (Self::MissingFails, Reply::Status { code: status::NO_SUCH_FILE, .. }) => say(status::FAILURE),
            (Self::TellsNoModes | Self::TellsNoFolderModes, Reply::Attrs(attrs)) => {
                Reply::Attrs(self.without_mode(attrs))
            }
            (Self::TellsNoModes | Self::TellsNoFolderModes, Reply::Names(names)) => {
                let without = |entry: NameEntry| NameEntry { attrs: self.without_mode(entry.attrs), ..entry };
                Reply::Names(names.into_iter().map(without).collect())
            }
            (_, reply) => reply,
        }
    }

    fn without_mode(self, told: Attrs) -> Attrs {
        let is_folder = told.permissions.is_some_and(|mode| mode & 0o170_000 == 0o040_000);
        match self {
            Self::TellsNoModes => Attrs { permissions: None, ..told },
            _ if is_folder => Attrs { permissions: None, size: None, ..told },
            _ => told,
        }
    }
}

/// Answers as a server does that differs in these ways.
pub(super) fn answer(files: &mut Files, dialects: &[Dialect], request: &SftpRequest) -> Reply {
    let instead = dialects.iter().find_map(|dialect| dialect.instead(files, request));
    let reply = instead.unwrap_or_else(|| files.answer(request));
    dialects.iter().fold(reply, |reply, dialect| dialect.told(request, reply))
}

fn widened(files: &mut Files, request: &SftpRequest, path: &[u8], mode: u32) -> Reply {
    let reply = files.answer(request);
    // Where nothing was made there is nothing to widen.
    let _ = fs::set_permissions(files.path(path), Permissions::from_mode(mode));
    reply
}

/// A rename that replaces what is there.
fn renamed(from: &Path, to: &Path) -> Reply {
    say(if fs::rename(from, to).is_ok() { status::OK } else { status::FAILURE })
}

/// The target of a link as its path from the home, where it holds one from its own folder.
fn resolved(link: &[u8], target: NameEntry) -> NameEntry {
    let mut names: Vec<&[u8]> = link.split(|&byte| byte == b'/').filter(|name| *name != b".").collect();
    names.pop();
    if target.name.starts_with(b"/") {
        return target;
    }
    for name in target.name.split(|&byte| byte == b'/') {
        if name == b".." {
            names.pop();
        } else {
            names.push(name);
        }
    }
    NameEntry { name: names.join(&b'/').into(), ..target }
}
