//! The packets of SFTP version 3 (draft-ietf-secsh-filexfer-02), with OpenSSH's extensions (PROTOCOL, section 4):
//! both directions, so that the throw-away hosts speak the same. Names and handles are bytes, as the protocol has
//! them. Nothing that comes in is trusted: lengths are checked against what is there before anything is kept.

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;

/// The version that both sides speak.
pub const VERSION: u32 = 3;

/// Bytes that a packet may have, without its length: what OpenSSH takes and sends (sftp-common.h).
pub const MAX_PACKET: usize = 256 * 1024;

/// Names that one packet of a folder's listing may hold; the smallest of them takes 12 bytes.
const MAX_NAMES: usize = MAX_PACKET / 12;

/// A packet that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// It ends before its fields do.
    #[error("it ends too early")]
    Short,
    /// Its type is none of version 3.
    #[error("type {0} is none of version 3")]
    Type(u8),
    /// It says that it holds more names than fit.
    #[error("it claims to hold {0} names")]
    Names(u32),
}

/// How a file is opened: `pflags` (section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFlags(pub u32);

impl OpenFlags {
    /// For reading.
    pub const READ: Self = Self(0x01);
    /// For writing what is there.
    pub const WRITE: Self = Self(0x02);
    /// For writing a file that must not be there yet.
    pub const CREATE_NEW: Self = Self(0x02 | 0x08 | 0x20);

    /// Whether all bits of another are in it.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What is known of a file, or to be set (section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attrs {
    /// Size in bytes.
    pub size: Option<u64>,
    /// Owner and group, by number.
    pub owner: Option<(u32, u32)>,
    /// Type and permission bits, as `st_mode` of POSIX.
    pub permissions: Option<u32>,
    /// Last access and last modification, in seconds since 1970.
    pub times: Option<(u32, u32)>,
}

const HAS_SIZE: u32 = 0x01;
const HAS_OWNER: u32 = 0x02;
const HAS_PERMISSIONS: u32 = 0x04;
const HAS_TIMES: u32 = 0x08;
const HAS_EXTENDED: u32 = 0x8000_0000;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SftpRequest {
    /// Opens a file.
    Open {
        /// Which.
        path: Bytes,
        /// What for.
        flags: OpenFlags,
        /// What a new one gets.
        attrs: Attrs,
    },
    /// Closes a file or folder.
    Close {
        /// Which.
        handle: Bytes,
    },
    /// Reads from a file.
    Read {
        /// Which.
        handle: Bytes,
        /// From here.
        offset: u64,
        /// So many bytes at most.
        length: u32,
    },
    /// Writes to a file.
    Write {
        /// Which.
        handle: Bytes,
        /// From here.
        offset: u64,
        /// What.
        data: Bytes,
    },
    /// Attributes of what is at a path, links not followed.
    Lstat {
        /// Which.
        path: Bytes,
    },
    /// Attributes of an open file.
    Fstat {
        /// Which.
        handle: Bytes,
    },
    /// Sets attributes.
    Setstat {
        /// Of what.
        path: Bytes,
        /// Those that are there.
        attrs: Attrs,
    },
    /// Sets attributes of an open file.
    Fsetstat {
        /// Of what.
        handle: Bytes,
        /// Those that are there.
        attrs: Attrs,
    },
    /// Opens a folder for listing.
    Opendir {
        /// Which.
        path: Bytes,
    },
    /// The next names of a folder.
    Readdir {
        /// Which.
        handle: Bytes,
    },
    /// Removes a file or link.
    Remove {
        /// Which.
        path: Bytes,
    },
    /// Makes a folder.
    Mkdir {
        /// Where.
        path: Bytes,
        /// What it gets.
        attrs: Attrs,
    },
    /// Removes an empty folder.
    Rmdir {
        /// Which.
        path: Bytes,
    },
    /// The absolute form of a path.
    Realpath {
        /// Which.
        path: Bytes,
    },
    /// Attributes of what is at a path, links followed.
    Stat {
        /// Which.
        path: Bytes,
    },
    /// Renames, unless something is there already.
    Rename {
        /// What.
        from: Bytes,
        /// To where.
        to: Bytes,
    },
    /// Where a link points.
    Readlink {
        /// Which.
        path: Bytes,
    },
    /// Makes a link.
    Symlink {
        /// Where it points.
        target: Bytes,
        /// Where it is.
        link: Bytes,
        /// Which of the two stands first.
        order: LinkOrder,
    },
    /// Something of a vendor's.
    Extended {
        /// Which: `posix-rename@openssh.com`.
        name: Bytes,
        /// Its fields, as they stand on the wire.
        fields: Bytes,
    },
}

/// Names, numbers and sizes; never what is in a file.
impl fmt::Display for SftpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &'_ Bytes| String::from_utf8_lossy(bytes).into_owned();
        match self {
            Self::Open { path, flags, attrs: _ } => write!(f, "OPEN {} (flags {:#x})", text(path), flags.0),
            Self::Close { handle } => write!(f, "CLOSE {}", handle.escape_ascii()),
            Self::Read { handle, offset, length } => {
                write!(f, "READ {} ({length} bytes from {offset})", handle.escape_ascii())
            }
            Self::Write { handle, offset, data } => {
                write!(f, "WRITE {} ({} bytes from {offset})", handle.escape_ascii(), data.len())
            }
            Self::Lstat { path } => write!(f, "LSTAT {}", text(path)),
            Self::Fstat { handle } => write!(f, "FSTAT {}", handle.escape_ascii()),
            Self::Setstat { path, attrs } => write!(f, "SETSTAT {} ({attrs:?})", text(path)),
            Self::Fsetstat { handle, attrs } => write!(f, "FSETSTAT {} ({attrs:?})", handle.escape_ascii()),
            Self::Opendir { path } => write!(f, "OPENDIR {}", text(path)),
            Self::Readdir { handle } => write!(f, "READDIR {}", handle.escape_ascii()),
            Self::Remove { path } => write!(f, "REMOVE {}", text(path)),
            Self::Mkdir { path, attrs: _ } => write!(f, "MKDIR {}", text(path)),
            Self::Rmdir { path } => write!(f, "RMDIR {}", text(path)),
            Self::Realpath { path } => write!(f, "REALPATH {}", text(path)),
            Self::Stat { path } => write!(f, "STAT {}", text(path)),
            Self::Rename { from, to } => write!(f, "RENAME {} to {}", text(from), text(to)),
            Self::Readlink { path } => write!(f, "READLINK {}", text(path)),
            Self::Symlink { target, link, order: _ } => {
                write!(f, "SYMLINK {} to {}", text(link), text(target))
            }
            Self::Extended { name, fields } => write!(f, "{} ({} bytes)", text(name), fields.len()),
        }
    }
}

/// The order of the two paths of [`SftpRequest::Symlink`]. Nothing on the wire tells it: both sides must mean the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkOrder {
    /// Against the letter of the draft: OpenSSH (sftp-server.c, `process_symlink`), and who follows it.
    TargetFirst,
    /// By the letter of the draft (section 6.10).
    LinkFirst,
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// How it went (section 7).
    Status {
        /// One of [`status`].
        code: u32,
        /// For people.
        message: Bytes,
    },
    /// An open file or folder.
    Handle(Bytes),
    /// What was read.
    Data(Bytes),
    /// Names of a folder, or one path.
    Names(Vec<NameEntry>),
    /// Attributes.
    Attrs(Attrs),
    /// The answer to a vendor's request.
    Extended(Bytes),
}

/// A name of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameEntry {
    /// The name: whatever the server sends.
    pub name: Bytes,
    /// A line for people, as `ls -l` prints it.
    pub long: Bytes,
    /// What is known of it.
    pub attrs: Attrs,
}

/// The codes of [`Reply::Status`].
pub mod status {
    /// Done.
    pub const OK: u32 = 0;
    /// Nothing more is there.
    pub const EOF: u32 = 1;
    /// There is no such file.
    pub const NO_SUCH_FILE: u32 = 2;
    /// It is not allowed.
    pub const PERMISSION_DENIED: u32 = 3;
    /// It failed.
    pub const FAILURE: u32 = 4;
    /// The request was broken.
    pub const BAD_MESSAGE: u32 = 5;
    /// The server does not do that.
    pub const OP_UNSUPPORTED: u32 = 8;
    /// There is no such folder on the way (version 4; some servers say it in version 3, too).
    pub const NO_SUCH_PATH: u32 = 10;
    /// Something is there already (likewise).
    pub const FILE_ALREADY_EXISTS: u32 = 11;
}

const INIT: u8 = 1;
const VERSION_REPLY: u8 = 2;

/// The client's first packet, with its length.
pub fn init() -> Bytes {
    let mut packet = BytesMut::with_capacity(9);
    packet.put_u32(5);
    packet.put_u8(INIT);
    packet.put_u32(VERSION);
    packet.freeze()
}

/// Whether a packet is a client's first.
pub fn is_init(packet: &[u8]) -> bool {
    packet.first() == Some(&INIT)
}

/// The server's first packet, with its length: the extensions that it has, each with its version.
pub fn version(extensions: &[(&str, &str)]) -> Bytes {
    let mut body = BytesMut::new();
    body.put_u8(VERSION_REPLY);
    body.put_u32(VERSION);
    for (name, version) in extensions {
        put_string(&mut body, name.as_bytes());
        put_string(&mut body, version.as_bytes());
    }
    with_length(&body, 0)
}

/// Reads the server's first packet: its version, and the names of its extensions.
///
/// # Errors
///
/// It is something else.
pub fn read_version(mut packet: Bytes) -> Result<(u32, Vec<Bytes>), Malformed> {
    match take_u8(&mut packet)? {
        VERSION_REPLY => {}
        other => return Err(Malformed::Type(other)),
    }
    let version = take_u32(&mut packet)?;
    let mut extensions = Vec::new();
    while !packet.is_empty() {
        extensions.push(take_string(&mut packet)?);
        take_string(&mut packet)?;
    }
    Ok((version, extensions))
}

impl SftpRequest {
    /// The packet with its length, but for the data of [`SftpRequest::Write`], which goes right behind it.
    pub fn head(&self, id: u32) -> Bytes {
        let mut body = BytesMut::with_capacity(96);
        body.put_u8(self.type_byte());
        body.put_u32(id);
        let mut behind = 0;
        match self {
            Self::Open { path, flags, attrs } => {
                put_string(&mut body, path);
                body.put_u32(flags.0);
                put_attrs(&mut body, attrs);
            }
            Self::Close { handle } | Self::Fstat { handle } | Self::Readdir { handle } => {
                put_string(&mut body, handle);
            }
            Self::Read { handle, offset, length } => {
                put_string(&mut body, handle);
                body.put_u64(*offset);
                body.put_u32(*length);
            }
            Self::Write { handle, offset, data } => {
                put_string(&mut body, handle);
                body.put_u64(*offset);
                body.put_u32(length_of(data));
                behind = data.len();
            }
            Self::Lstat { path }
            | Self::Opendir { path }
            | Self::Remove { path }
            | Self::Rmdir { path }
            | Self::Realpath { path }
            | Self::Stat { path }
            | Self::Readlink { path } => put_string(&mut body, path),
            Self::Setstat { path, attrs } | Self::Mkdir { path, attrs } => {
                put_string(&mut body, path);
                put_attrs(&mut body, attrs);
            }
            Self::Fsetstat { handle, attrs } => {
                put_string(&mut body, handle);
                put_attrs(&mut body, attrs);
            }
            Self::Rename { from, to } => {
                put_string(&mut body, from);
                put_string(&mut body, to);
            }
            Self::Symlink { target, link, order } => {
                let (first, second) = match order {
                    LinkOrder::TargetFirst => (target, link),
                    LinkOrder::LinkFirst => (link, target),
                };
                put_string(&mut body, first);
                put_string(&mut body, second);
            }
            Self::Extended { name, fields } => {
                put_string(&mut body, name);
                body.put_slice(fields);
            }
        }
        with_length(&body, behind)
    }

    /// What goes behind the head.
    pub fn tail(&self) -> Bytes {
        if let Self::Write { data, .. } = self { data.clone() } else { Bytes::new() }
    }

    fn type_byte(&self) -> u8 {
        match self {
            Self::Open { .. } => 3,
            Self::Close { .. } => 4,
            Self::Read { .. } => 5,
            Self::Write { .. } => 6,
            Self::Lstat { .. } => 7,
            Self::Fstat { .. } => 8,
            Self::Setstat { .. } => 9,
            Self::Fsetstat { .. } => 10,
            Self::Opendir { .. } => 11,
            Self::Readdir { .. } => 12,
            Self::Remove { .. } => 13,
            Self::Mkdir { .. } => 14,
            Self::Rmdir { .. } => 15,
            Self::Realpath { .. } => 16,
            Self::Stat { .. } => 17,
            Self::Rename { .. } => 18,
            Self::Readlink { .. } => 19,
            Self::Symlink { .. } => 20,
            Self::Extended { .. } => 200,
        }
    }

    /// Reads a packet without its length; gives the request's number too. The paths of a link are taken to stand in
    /// OpenSSH's order.
    ///
    /// # Errors
    ///
    /// It is no request of version 3.
    pub fn read(mut packet: Bytes) -> Result<(u32, Self), Malformed> {
        let kind = take_u8(&mut packet)?;
        let id = take_u32(&mut packet)?;
        let from = &mut packet;
        let request = match kind {
            3 => Self::Open {
                path: take_string(from)?,
                flags: OpenFlags(take_u32(from)?),
                attrs: take_attrs(from)?,
            },
            4 => Self::Close { handle: take_string(from)? },
            5 => Self::Read { handle: take_string(from)?, offset: take_u64(from)?, length: take_u32(from)? },
            6 => {
                Self::Write { handle: take_string(from)?, offset: take_u64(from)?, data: take_string(from)? }
            }
            7 => Self::Lstat { path: take_string(from)? },
            8 => Self::Fstat { handle: take_string(from)? },
            9 => Self::Setstat { path: take_string(from)?, attrs: take_attrs(from)? },
            10 => Self::Fsetstat { handle: take_string(from)?, attrs: take_attrs(from)? },
            11 => Self::Opendir { path: take_string(from)? },
            12 => Self::Readdir { handle: take_string(from)? },
            13 => Self::Remove { path: take_string(from)? },
            14 => Self::Mkdir { path: take_string(from)?, attrs: take_attrs(from)? },
            15 => Self::Rmdir { path: take_string(from)? },
            16 => Self::Realpath { path: take_string(from)? },
            17 => Self::Stat { path: take_string(from)? },
            18 => Self::Rename { from: take_string(from)?, to: take_string(from)? },
            19 => Self::Readlink { path: take_string(from)? },
            20 => {
                let (target, link) = (take_string(from)?, take_string(from)?);
                Self::Symlink { target, link, order: LinkOrder::TargetFirst }
            }
            200 => {
                let name = take_string(from)?;
                Self::Extended { name, fields: std::mem::take(from) }
            }
            other => return Err(Malformed::Type(other)),
        };
        Ok((id, request))
    }
}

impl Reply {
    /// The packet with its length, but for the data of [`Reply::Data`], which goes right behind it.
    pub fn head(&self, id: u32) -> Bytes {
        let mut body = BytesMut::with_capacity(64);
        let kind = match self {
            Self::Status { .. } => 101,
            Self::Handle(_) => 102,
            Self::Data(_) => 103,
            Self::Names(_) => 104,
            Self::Attrs(_) => 105,
            Self::Extended(_) => 201,
        };
        body.put_u8(kind);
        body.put_u32(id);
        let mut behind = 0;
        match self {
            Self::Status { code, message } => {
                body.put_u32(*code);
                put_string(&mut body, message);
                put_string(&mut body, b"");
            }
            Self::Handle(handle) => put_string(&mut body, handle),
            Self::Data(data) => {
                body.put_u32(length_of(data));
                behind = data.len();
            }
            Self::Names(names) => {
                body.put_u32(u32::try_from(names.len()).unwrap_or(u32::MAX));
                for entry in names {
                    put_string(&mut body, &entry.name);
                    put_string(&mut body, &entry.long);
                    put_attrs(&mut body, &entry.attrs);
                }
            }
            Self::Attrs(attrs) => put_attrs(&mut body, attrs),
            Self::Extended(fields) => body.put_slice(fields),
        }
        with_length(&body, behind)
    }

    /// What goes behind the head.
    pub fn tail(&self) -> Bytes {
        if let Self::Data(data) = self { data.clone() } else { Bytes::new() }
    }

    /// Reads a packet without its length; gives the request's number too.
    ///
    /// # Errors
    ///
    /// It is no reply of version 3.
    pub fn read(mut packet: Bytes) -> Result<(u32, Self), Malformed> {
        let kind = take_u8(&mut packet)?;
        let id = take_u32(&mut packet)?;
        let from = &mut packet;
        let reply = match kind {
            101 => {
                let code = take_u32(from)?;
                // Servers older than version 3 send no message.
                let message = if from.is_empty() { Bytes::new() } else { take_string(from)? };
                Self::Status { code, message }
            }
            102 => Self::Handle(take_string(from)?),
            103 => Self::Data(take_string(from)?),
            104 => {
                let count = take_u32(from)?;
                let fits = usize::try_from(count).ok().filter(|&count| count <= MAX_NAMES);
                let mut names = Vec::with_capacity(fits.ok_or(Malformed::Names(count))?.min(1024));
                for _ in 0..count {
                    let (name, long) = (take_string(from)?, take_string(from)?);
                    names.push(NameEntry { name, long, attrs: take_attrs(from)? });
                }
                Self::Names(names)
            }
            105 => Self::Attrs(take_attrs(from)?),
            201 => Self::Extended(std::mem::take(from)),
            other => return Err(Malformed::Type(other)),
        };
        Ok((id, reply))
    }
}

/// Appends a string with its length, as vendors' requests need it.
pub fn put_string(to: &mut BytesMut, text: &[u8]) {
    to.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
    to.put_slice(text);
}

/// Takes a string off the front, as vendors' replies need it.
///
/// # Errors
///
/// There is less than its length says.
pub fn take_string(from: &mut Bytes) -> Result<Bytes, Malformed> {
    let length = usize::try_from(take_u32(from)?).map_err(|_| Malformed::Short)?;
    if length > from.len() { Err(Malformed::Short) } else { Ok(from.split_to(length)) }
}

/// Takes a 64-bit number off the front.
///
/// # Errors
///
/// There is less.
pub fn take_u64(from: &mut Bytes) -> Result<u64, Malformed> {
    from.try_get_u64().map_err(|_| Malformed::Short)
}

fn take_u32(from: &mut Bytes) -> Result<u32, Malformed> {
    from.try_get_u32().map_err(|_| Malformed::Short)
}

fn take_u8(from: &mut Bytes) -> Result<u8, Malformed> {
    from.try_get_u8().map_err(|_| Malformed::Short)
}

fn length_of(data: &Bytes) -> u32 {
    u32::try_from(data.len()).unwrap_or(u32::MAX)
}

fn with_length(body: &BytesMut, behind: usize) -> Bytes {
    let mut packet = BytesMut::with_capacity(4 + body.len());
    packet.put_u32(u32::try_from(body.len() + behind).unwrap_or(u32::MAX));
    packet.put_slice(body);
    packet.freeze()
}

fn put_attrs(to: &mut BytesMut, attrs: &Attrs) {
    let flag = |there: bool, bit: u32| if there { bit } else { 0 };
    to.put_u32(
        flag(attrs.size.is_some(), HAS_SIZE)
            | flag(attrs.owner.is_some(), HAS_OWNER)
            | flag(attrs.permissions.is_some(), HAS_PERMISSIONS)
            | flag(attrs.times.is_some(), HAS_TIMES),
    );
    if let Some(size) = attrs.size {
        to.put_u64(size);
    }
    if let Some((user, group)) = attrs.owner {
        to.put_u32(user);
        to.put_u32(group);
    }
    if let Some(permissions) = attrs.permissions {
        to.put_u32(permissions);
    }
    if let Some((accessed, modified)) = attrs.times {
        to.put_u32(accessed);
        to.put_u32(modified);
    }
}

/// Takes attributes off the front, as vendors' requests need it.
///
/// # Errors
///
/// There is less than they say.
pub fn take_attrs(from: &mut Bytes) -> Result<Attrs, Malformed> {
    let flags = take_u32(from)?;
    let has = |bit: u32| flags & bit != 0;
    let attrs = Attrs {
        size: if has(HAS_SIZE) { Some(take_u64(from)?) } else { None },
        owner: if has(HAS_OWNER) { Some((take_u32(from)?, take_u32(from)?)) } else { None },
        permissions: if has(HAS_PERMISSIONS) { Some(take_u32(from)?) } else { None },
        times: if has(HAS_TIMES) { Some((take_u32(from)?, take_u32(from)?)) } else { None },
    };
    if has(HAS_EXTENDED) {
        for _ in 0..take_u32(from)? {
            take_string(from)?;
            take_string(from)?;
        }
    }
    Ok(attrs)
}

/// Cuts a byte stream into packets.
#[derive(Debug, Default)]
pub struct Packets {
    buffer: BytesMut,
}

impl Packets {
    /// Takes bytes in.
    pub fn push(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
    }

    /// The next whole packet, without its length.
    ///
    /// # Errors
    ///
    /// Its length is beyond [`MAX_PACKET`]: what comes is not SFTP. Holds the bytes in place of the length.
    #[allow(clippy::should_implement_trait, reason = "an iterator ends; this one has nothing for now")]
    pub fn next(&mut self) -> Result<Option<Bytes>, [u8; 4]> {
        let Some(&length) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let size = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if size > MAX_PACKET {
            return Err(length);
        }
        if self.buffer.len() < 4 + size {
            // Room at once for all of it: growing bit by bit would copy it again and again.
            self.buffer.reserve(4 + size - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(size).freeze()))
    }

    /// What is there of the packet that is not whole yet.
    pub fn rest(&self) -> &[u8] {
        &self.buffer
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn requests() -> Vec<SftpRequest> {
        let (path, handle) = (Bytes::from_static(b"/a\xff"), Bytes::from_static(&[0, 0xff, 0x80]));
        let attrs = Attrs {
            size: Some(1 << 40),
            owner: Some((1, 2)),
            permissions: Some(0o100_644),
            times: Some((3, 4)),
        };
        vec![
            SftpRequest::Open { path: path.clone(), flags: OpenFlags::CREATE_NEW, attrs: Attrs::default() },
            SftpRequest::Close { handle: handle.clone() },
            SftpRequest::Read { handle: handle.clone(), offset: 7, length: 9 },
            SftpRequest::Write { handle: handle.clone(), offset: 1 << 33, data: Bytes::from_static(b"data") },
            SftpRequest::Lstat { path: path.clone() },
            SftpRequest::Fstat { handle: handle.clone() },
            SftpRequest::Setstat { path: path.clone(), attrs },
            SftpRequest::Fsetstat { handle: handle.clone(), attrs },
            SftpRequest::Opendir { path: path.clone() },
            SftpRequest::Readdir { handle: handle.clone() },
            SftpRequest::Remove { path: path.clone() },
            SftpRequest::Mkdir { path: path.clone(), attrs },
            SftpRequest::Rmdir { path: path.clone() },
            SftpRequest::Realpath { path: path.clone() },
            SftpRequest::Stat { path: path.clone() },
            SftpRequest::Rename { from: path.clone(), to: path.clone() },
            SftpRequest::Readlink { path: path.clone() },
            SftpRequest::Symlink {
                target: path.clone(),
                link: handle.clone(),
                order: LinkOrder::TargetFirst,
            },
            SftpRequest::Extended { name: path, fields: Bytes::from_static(b"fields") },
        ]
    }

    fn replies() -> Vec<Reply> {
        let text = Bytes::from_static(b"text");
        let name = NameEntry { name: text.clone(), long: Bytes::new(), attrs: Attrs::default() };
        vec![
            Reply::Status { code: status::EOF, message: text.clone() },
            Reply::Handle(text.clone()),
            Reply::Data(text.clone()),
            Reply::Names(vec![name.clone(), name]),
            Reply::Attrs(Attrs { permissions: Some(0o40_755), ..Attrs::default() }),
            Reply::Extended(text),
        ]
    }

    fn packet(head: &[u8], tail: &[u8]) -> Bytes {
        let mut packets = Packets::default();
        packets.push(head);
        packets.push(tail);
        packets.next().unwrap().unwrap()
    }

    #[test]
    fn what_one_side_writes_the_other_reads() {
        for request in requests() {
            let packet = packet(&request.head(77), &request.tail());
            assert_eq!(SftpRequest::read(packet), Ok((77, request)));
        }
        for reply in replies() {
            assert_eq!(Reply::read(packet(&reply.head(77), &reply.tail())), Ok((77, reply)));
        }
        let version = packet(&version(&[("a@b", "1"), ("c", "2")]), b"");
        assert_eq!(read_version(version), Ok((3, vec![Bytes::from("a@b"), Bytes::from("c")])));
        assert!(is_init(&packet(&init(), b"")));
    }

    #[test]
    fn the_paths_of_a_link_stand_in_either_order() {
        let (target, link) = (Bytes::from_static(b"target"), Bytes::from_static(b"link"));
        let of = |order| SftpRequest::Symlink { target: target.clone(), link: link.clone(), order };
        let read = SftpRequest::read(packet(&of(LinkOrder::LinkFirst).head(1), b"")).unwrap().1;
        let swapped = SftpRequest::Symlink {
            target: link.clone(),
            link: target.clone(),
            order: LinkOrder::TargetFirst,
        };
        assert_eq!(read, swapped);
    }

    #[test]
    fn cut_packets_are_errors() {
        for request in requests() {
            let whole = packet(&request.head(1), &request.tail());
            // A vendor's fields have no end of their own.
            let fields = if matches!(request, SftpRequest::Extended { .. }) { 6 } else { 0 };
            for end in 0..whole.len() - fields {
                assert!(SftpRequest::read(whole.slice(..end)).is_err(), "{request:?} cut at {end}");
            }
        }
    }

    #[test]
    fn lies_about_lengths_cost_nothing() {
        let names = [104, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(Reply::read(Bytes::copy_from_slice(&names)), Err(Malformed::Names(u32::MAX)));
        let data = [103, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 1, 2];
        assert_eq!(Reply::read(Bytes::copy_from_slice(&data)), Err(Malformed::Short));
        let mut packets = Packets::default();
        packets.push(b"NOISE");
        assert_eq!(packets.next(), Err(*b"NOIS"));
    }

    proptest! {
        #[test]
        fn no_packet_is_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let bytes = Bytes::from(bytes);
            let _ = SftpRequest::read(bytes.clone());
            let _ = Reply::read(bytes.clone());
            let _ = read_version(bytes);
        }

        #[test]
        fn packets_come_out_as_they_went_in(sizes in prop::collection::vec(0usize..300, 0..8), cut in 1usize..50) {
            let mut stream = BytesMut::new();
            for &size in &sizes {
                put_string(&mut stream, &vec![7; size]);
            }
            let (mut packets, mut seen) = (Packets::default(), Vec::new());
            for piece in stream.chunks(cut) {
                packets.push(piece);
                while let Some(packet) = packets.next().unwrap() {
                    seen.push(packet.len());
                }
            }
            prop_assert_eq!(seen, sizes);
            prop_assert!(packets.rest().is_empty());
        }
    }
}
