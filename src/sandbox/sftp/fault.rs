//! The ways in which the SFTP of a host misbehaves. Here are those that show in an answer; those that show in how
//! answers are sent are in the loop above.

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};

use crate::sandbox::sftp::dialect::{self, Dialect};
use crate::sandbox::sftp::files::{Files, MAX_DATA, say};
use crate::ssh::sftp::wire::{Attrs, NameEntry, Reply, SftpRequest, status};

/// Names that a fault puts into one packet.
const NAMES: u64 = 100;

/// The mode of the files that a fault makes up.
const MADE_UP: u32 = 0o100_644;

/// The one way in which the SFTP of a host misbehaves; the host works otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SftpFault {
    /// The subsystem is refused, as by a server without one.
    Missing,
    /// Prints this text first, as the startup file of a shell may.
    Noise(String),
    /// Answers so many requests after the greeting, and then nothing.
    Hang {
        /// How many.
        after: u32,
    },
    /// Answers everything up to the first RENAME, which is done, and then nothing.
    HangRename,
    /// The connection is cut once so many bytes of an SFTP session have come, its greeting included.
    ///
    /// Requests that came whole are done; those that the last bytes completed are not answered any more.
    Cut {
        /// How many.
        after_bytes: u64,
    },
    /// Answers with packets that claim to have `0x7fff_ffff` bytes.
    HugeLength,
    /// Answers with request numbers that nobody sent.
    WrongIds,
    /// Answers READ requests that come in pairs in swapped order. A client must take that.
    Reorder,
    /// Has no extensions.
    NoExtensions,

    /// Every folder lists exactly these names, as regular files.
    Names(Vec<Vec<u8>>),
    /// The listing of a folder never ends: always new names.
    EndlessNames,
    /// The listing of a folder never ends: packets without names.
    EmptyNames,
    /// The listing of a folder never ends: names of nothing that is there, and the folder's own.
    EndlessGhosts,

    /// READ beyond the beginning of a file answers no bytes, and does not say that the file ends.
    ZeroData,
    /// READ never says that a file ends: it goes on with made-up bytes.
    MoreData,
    /// READ says that a file ends after so many bytes.
    ShortFile {
        /// How many.
        size: u64,
    },
    /// READ answers one byte more than it was asked for.
    LongReply,
    /// STAT, LSTAT and FSTAT tell another size of regular files.
    SizeLies {
        /// What is added to it.
        by: i64,
    },

    /// WRITE fails once so many bytes were written in a session; a WRITE that fails writes nothing.
    DiskFull {
        /// How many.
        after: u64,
    },
    /// The byte at this offset of every file is written wrong.
    FlipByte {
        /// Where.
        at: u64,
    },
    /// Neither RENAME nor `posix-rename@openssh.com` work.
    RenameFails,
    /// Has no extensions, and RENAME does not work.
    NoRename,
    /// RENAME and `posix-rename@openssh.com` say that all is well, and rename nothing.
    RenameLies,
    /// REMOVE and RMDIR say that all is well, and remove nothing.
    RemoveLies,
    /// REMOVE and RMDIR are not permitted.
    RemoveFails,

    /// Is honest, and differs from OpenSSH's server in these ways.
    Differs(Vec<Dialect>),
}

/// Answers requests, with a fault or without.
pub(super) struct Desk {
    files: Files,
    fault: Option<SftpFault>,
    /// Bytes written so far.
    written: u64,
    /// Names made up so far.
    named: u64,
    /// Folders that were listed already.
    listed: BTreeSet<Bytes>,
}

impl Desk {
    /// Makes the desk of one session.
    pub(super) fn new(files: Files, fault: Option<SftpFault>) -> Self {
        Self { files, fault, written: 0, named: 0, listed: BTreeSet::new() }
    }

    /// Does what a request asks for, or what the fault does in its place.
    pub(super) fn answer(&mut self, request: &SftpRequest) -> Reply {
        let Self { files, fault, written, named, listed } = self;
        let Some(fault) = fault else { return files.answer(request) };
        let instead = match fault {
            // These are not in an answer.
            SftpFault::Missing
            | SftpFault::Noise(_)
            | SftpFault::Hang { .. }
            | SftpFault::HangRename
            | SftpFault::Cut { .. }
            | SftpFault::HugeLength
            | SftpFault::WrongIds
            | SftpFault::Reorder => None,

            SftpFault::Differs(dialects) => Some(dialect::answer(files, dialects, request)),

            SftpFault::NoExtensions => is_extended(request, None).then(|| say(status::OP_UNSUPPORTED)),
            SftpFault::NoRename if is_extended(request, None) => Some(say(status::OP_UNSUPPORTED)),
            SftpFault::RenameFails | SftpFault::NoRename => is_rename(request).then(|| say(status::FAILURE)),
            SftpFault::RenameLies => is_rename(request).then(|| say(status::OK)),
            SftpFault::RemoveLies => is_removal(request).then(|| say(status::OK)),
            SftpFault::RemoveFails => is_removal(request).then(|| say(status::PERMISSION_DENIED)),
            SftpFault::Names(names) => folder_of(request).map(|folder| {
                if listed.insert(folder.clone()) {
                    Reply::Names(names.iter().map(|name| made_up(name)).collect())
                } else {
                    say(status::EOF)
                }
            }),
            SftpFault::EndlessNames => folder_of(request).map(|_| {
                let numbers = *named..*named + NAMES;
                *named += NAMES;
                Reply::Names(numbers.map(|number| made_up(format!("endless-{number}").as_bytes())).collect())
            }),
            SftpFault::EndlessGhosts => folder_of(request).map(|_| {
                *named += 1;
                let names = [format!("ghost-{named}"), ".".to_owned(), "..".to_owned()];
                let bare = |name: String| NameEntry {
                    name: Bytes::from(name),
                    long: Bytes::new(),
                    attrs: Attrs::default(),
                };
                Reply::Names(names.into_iter().map(bare).collect())
            }),
            SftpFault::EmptyNames => folder_of(request).map(|_| Reply::Names(Vec::new())),
            SftpFault::DiskFull { after } => data_of(request).and_then(|data| {
                let full = *written + data.len() as u64 > *after;
                if !full {
                    *written += data.len() as u64;
                }
                full.then(|| Reply::Status {
                    code: status::FAILURE,
                    message: Bytes::from_static(b"No space left on device"),
                })
            }),
            SftpFault::FlipByte { at } => flipped(request, *at).map(|wrong| files.answer(&wrong)),
            SftpFault::SizeLies { by } => {
                let told = matches!(
                    request,
                    SftpRequest::Stat { .. } | SftpRequest::Lstat { .. } | SftpRequest::Fstat { .. }
                );
                told.then(|| lie(files.answer(request), *by))
            }
            SftpFault::ZeroData => {
                piece_of(request).filter(|piece| piece.offset > 0).map(|_| Reply::Data(Bytes::new()))
            }
            SftpFault::MoreData => piece_of(request).map(|piece| match files.answer(request) {
                Reply::Data(data) => padded(data, piece.length.min(MAX_DATA)),
                Reply::Status { code: status::EOF, .. } => padded(Bytes::new(), piece.length.min(MAX_DATA)),
                other => other,
            }),
            SftpFault::LongReply => piece_of(request).map(|piece| match files.answer(request) {
                Reply::Data(data) => padded(data, piece.length.saturating_add(1)),
                other => other,
            }),
            SftpFault::ShortFile { size } => {
                piece_of(request).map(|FaultPiece { handle, offset, length }| {
                    let left = size.saturating_sub(offset);
                    if left == 0 {
                        return say(status::EOF);
                    }
                    let length = u32::try_from(left).map_or(length, |left| left.min(length));
                    files.answer(&SftpRequest::Read { handle: handle.clone(), offset, length })
                })
            }
        };
        instead.unwrap_or_else(|| files.answer(request))
    }
}

/// What READ asks for.
struct FaultPiece<'a> {
    handle: &'a Bytes,
    offset: u64,
    length: u32,
}

fn piece_of(request: &SftpRequest) -> Option<FaultPiece<'_>> {
    let SftpRequest::Read { handle, offset, length } = request else { return None };
    Some(FaultPiece { handle, offset: *offset, length: *length })
}

fn data_of(request: &SftpRequest) -> Option<&Bytes> {
    if let SftpRequest::Write { data, .. } = request { Some(data) } else { None }
}

/// Fills data up to a size with what nobody wrote.
fn padded(data: Bytes, size: u32) -> Reply {
    let mut data = BytesMut::from(data);
    data.resize(size as usize, b'+');
    Reply::Data(data.freeze())
}

fn lie(reply: Reply, by: i64) -> Reply {
    match reply {
        Reply::Attrs(attrs) if attrs.permissions.is_some_and(|mode| mode & 0o170_000 == 0o100_000) => {
            Reply::Attrs(Attrs { size: attrs.size.map(|size| size.saturating_add_signed(by)), ..attrs })
        }
        other => other,
    }
}

/// The WRITE with one byte turned around, when it has that byte.
fn flipped(request: &SftpRequest, at: u64) -> Option<SftpRequest> {
    let SftpRequest::Write { handle, offset, data } = request else { return None };
    let mut data = data.to_vec();
    let byte = data.get_mut(usize::try_from(at.checked_sub(*offset)?).ok()?)?;
    *byte = !*byte;
    Some(SftpRequest::Write { handle: handle.clone(), offset: *offset, data: data.into() })
}

fn folder_of(request: &SftpRequest) -> Option<&Bytes> {
    if let SftpRequest::Readdir { handle } = request { Some(handle) } else { None }
}

/// Whether a request puts a file under another name.
pub(super) fn is_rename(request: &SftpRequest) -> bool {
    matches!(request, SftpRequest::Rename { .. }) || is_extended(request, Some(b"posix-rename@openssh.com"))
}

fn is_removal(request: &SftpRequest) -> bool {
    matches!(request, SftpRequest::Remove { .. } | SftpRequest::Rmdir { .. })
}

fn is_extended(request: &SftpRequest, which: Option<&[u8]>) -> bool {
    matches!(request, SftpRequest::Extended { name, .. } if which.is_none_or(|which| which == name))
}

fn made_up(name: &[u8]) -> NameEntry {
    let name = Bytes::copy_from_slice(name);
    let attrs = Attrs { size: Some(1), permissions: Some(MADE_UP), ..Attrs::default() };
    NameEntry { long: name.clone(), name, attrs }
}
