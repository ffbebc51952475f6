//! What is in an archive.

use std::collections::BTreeMap;

use crate::files::remote::shown;
use crate::model::outcome::{Failure, Kind};
use crate::model::tree::TreePath;

/// What an archive is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// A tar.
    Tar,
    /// A tar behind this program.
    Packed(&'static str),
    /// A zip.
    Zip,
}

/// What is in an archive: each path once, as its last entry has it.
#[derive(Debug)]
pub struct ArchiveList {
    /// What it is.
    pub format: ArchiveFormat,
    /// Each before what is in it.
    pub entries: BTreeMap<TreePath, Archived>,
}

/// One entry of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// What it is.
    pub kind: ArchivedKind,
    /// Permission bits, the special ones left out.
    pub mode: u32,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchivedKind {
    /// A folder.
    Folder,
    /// A regular file.
    File {
        /// In bytes.
        size: u64,
        /// What else tells it from another.
        proof: ContentProof,
    },
    /// A symbolic link; a zip keeps where it points among the contents, and lists its length and sum.
    Link(PointsTo),
}

/// What besides the size tells one content from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentProof {
    /// Seconds since 1970, as tar keeps them and sets them.
    Time(i64),
    /// CRC-32 of the content: the times of a zip have no zone.
    Sum(u32),
}

/// Where a link points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PointsTo {
    /// There.
    Said(Vec<u8>),
    /// To a text of this CRC-32.
    Sum(u32),
}

/// An entry as it is listed: its name as it stands in the archive, and for a hard link that of the other entry.
pub(super) struct ListedEntry {
    pub(super) name: Vec<u8>,
    pub(super) kind: Option<ArchivedKind>,
    pub(super) same_as: Option<Vec<u8>>,
    pub(super) mode: u32,
}

impl ArchiveFormat {
    /// What these first 512 bytes, or all of fewer, begin.
    pub(super) fn of(begin: &[u8]) -> Option<Self> {
        let is_tar = begin.get(257..262) == Some(b"ustar")
            || (begin.len() == 512 && (begin.iter().all(|&byte| byte == 0) || has_tar_sum(begin)));
        Some(match begin {
            [0x1f, 0x8b, ..] => Self::Packed("gzip"),
            [b'B', b'Z', b'h', ..] => Self::Packed("bzip2"),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Packed("xz"),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Packed("zstd"),
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Self::Zip,
            _ if is_tar => Self::Tar,
            _ => return None,
        })
    }
}

/// Whether a block begins a tar from before there was a magic word: its sum, with blanks in the sum's own place.
fn has_tar_sum(block: &[u8]) -> bool {
    let (at, digits) = (148..156, block.get(148..156).unwrap_or_default());
    let digits: String = digits.iter().map(|&byte| char::from(byte)).filter(char::is_ascii_digit).collect();
    let byte = |(place, &byte): (usize, &u8)| u32::from(if at.contains(&place) { b' ' } else { byte });
    u32::from_str_radix(&digits, 8) == Ok(block.iter().enumerate().map(byte).sum())
}

/// A path of these names.
///
/// # Errors
///
/// One of them would lead elsewhere.
pub(super) fn path_of(names: &[&[u8]]) -> Result<TreePath, Failure> {
    names.iter().try_fold(TreePath::root(), |path, name| {
        path.join(name)
            .map_err(|why| Failure::new(Kind::UnsafeName, format!("the name {:?} {why}", shown(name))))
    })
}

/// A name without what does not lead anywhere.
pub(super) fn bare(name: &[u8]) -> Vec<u8> {
    let names: Vec<&[u8]> =
        name.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b".")).collect();
    names.join(&b'/')
}

/// CRC-32 as zip has it (APPNOTE.TXT 4.4.7).
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}
