//! The list that a zip has at its end.

use crate::files::archive::entry::{ArchivedKind, ContentProof, ListedEntry, PointsTo};
use crate::files::archive::tools::PATIENCE;
use crate::files::remote::{Script, Shell, shown};
use crate::model::outcome::{Failure, Kind};

/// The central directory of a zip (APPNOTE.TXT 4.3.12), which is at its end: names are bytes there, whatever a program
/// makes of them.
pub(super) async fn zip_entries(shell: &Shell, path: &[u8]) -> Result<Vec<ListedEntry>, Failure> {
    let broken = || Failure::new(Kind::RemotePath, format!("the zip {} is broken", shown(path)));
    let tail = async |length: u64| {
        let script = Script::new(&format!("tail -c {length} <")).path(path);
        let end = shell.run(script.bytes(), PATIENCE).await?;
        if end.status == 0 { Ok(end.output) } else { Err(broken()) }
    };
    // Its end record, before a comment of at most 64 KiB.
    let end = tail(22 + 65_535).await?;
    let at = end.windows(4).rposition(|window| window == b"PK\x05\x06").ok_or_else(broken)?;
    let record = end.get(at..).unwrap_or_default();
    let mut size = u64::from(number::<4>(record, 12).ok_or_else(broken)?);
    let mut behind = u64::try_from(record.len()).unwrap_or_default();
    // The same for large ones: a record of its own, and a pointer to it (4.3.14, 4.3.15).
    if let Some(large) = at
        .checked_sub(76)
        .and_then(|at| end.get(at..at + 76))
        .filter(|large| large.starts_with(b"PK\x06\x06"))
    {
        let low = u64::from(number::<4>(large, 40).ok_or_else(broken)?);
        let high = u64::from(number::<4>(large, 44).ok_or_else(broken)?);
        size = high << 32 | low;
        behind += 76;
    }
    let directory = tail(size.saturating_add(behind)).await?;
    let mut rest = directory.get(..usize::try_from(size).unwrap_or(usize::MAX)).ok_or_else(broken)?;
    let mut entries = Vec::new();
    while rest.starts_with(b"PK\x01\x02") {
        let field = |at| number::<4>(rest, at).ok_or_else(broken);
        let half = |at| number::<2>(rest, at).ok_or_else(broken);
        let lengths =
            [half(28)?, half(30)?, half(32)?].map(|length| usize::try_from(length).unwrap_or_default());
        let [named, extra, comment] = lengths;
        let name = rest.get(46..46 + named).ok_or_else(broken)?.to_vec();
        if half(8)? & 1 == 1 {
            let message = format!("{} in the zip {} is encrypted", shown(&name), shown(path));
            return Err(Failure::new(Kind::RemotePath, message));
        }
        let extras = rest.get(46 + named..46 + named + extra).ok_or_else(broken)?;
        let size = match field(24)? {
            u32::MAX => large_size(extras).ok_or_else(broken)?,
            size => u64::from(size),
        };
        // The attributes of Unix are the upper half, when it was made there (4.4.2).
        let unix = if half(4)? >> 8 == 3 { field(38)? >> 16 } else { 0 };
        let kind = match (unix & 0o170_000, name.ends_with(b"/")) {
            (0o040_000, _) | (_, true) => Some(ArchivedKind::Folder),
            (0o120_000, _) => Some(ArchivedKind::Link(PointsTo::Sum(field(16)?))),
            (0o100_000 | 0, _) => Some(ArchivedKind::File { size, proof: ContentProof::Sum(field(16)?) }),
            _ => None,
        };
        entries.push(ListedEntry {
            name,
            kind,
            same_as: None,
            mode: if unix == 0 { 0o755 } else { unix & 0o777 },
        });
        rest = rest.get(46 + named + extra + comment..).ok_or_else(broken)?;
    }
    if rest.is_empty() { Ok(entries) } else { Err(broken()) }
}

/// A number in a zip, the lowest byte first.
fn number<const BYTES: usize>(bytes: &[u8], at: usize) -> Option<u32> {
    Some(bytes.get(at..at + BYTES)?.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
}

/// The size of a large file, from what is added to its entry (4.5.3).
fn large_size(mut extras: &[u8]) -> Option<u64> {
    loop {
        let (kind, length) = (number::<2>(extras, 0)?, usize::try_from(number::<2>(extras, 2)?).ok()?);
        if kind == 1 {
            return Some(u64::from(number::<4>(extras, 8)?) << 32 | u64::from(number::<4>(extras, 4)?));
        }
        extras = extras.get(4 + length..)?;
    }
}
