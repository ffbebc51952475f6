//! The lists that `tar -tv` prints: GNU's with quoted names, libarchive's with escapes and its times apart, BusyBox's as it
//! comes.

use std::collections::HashMap;

use crate::files::archive::entry::{ArchivedKind, ContentProof, ListedEntry, PointsTo, bare};
use crate::files::archive::tools::{ArchiveReader, BROKEN, COMPLAINTS};
use crate::files::remote::{JobEnd, shown};

/// What the lines of `tar -tv` say.
pub(super) fn tar_entries(reader: &ArchiveReader, end: &JobEnd) -> Result<Vec<ListedEntry>, String> {
    let output = &end.output[..];
    let mark = format!("\n{COMPLAINTS}");
    let at = output.windows(mark.len()).rposition(|window| window == mark.as_bytes());
    let (listed, said) = output.split_at(at.unwrap_or(output.len()));
    let said = String::from_utf8_lossy(said.get(mark.len()..).unwrap_or_default()).into_owned();
    if end.status != 0 || at.is_none() {
        // The first complaint is the cause; what follows says that there was one.
        let said = said.lines().map(str::trim).find(|line| !line.is_empty() && *line != BROKEN);
        return Err(said.unwrap_or("it is broken").to_owned());
    }
    // BusyBox takes these away before it lists names.
    if said.to_ascii_lowercase().contains("removing leading") {
        return Err("its names are absolute, or lead out with \"..\"".to_owned());
    }
    let listed = listed.strip_suffix(b"\n").unwrap_or(listed);
    let mut times = HashMap::new();
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut in_times = false;
    for line in listed.split(|&byte| byte == b'\n') {
        if line == b"#mtree" {
            in_times = true;
        } else if in_times {
            times.extend(mtree_time(line));
        } else if is_listed(line) {
            lines.push(line.to_vec());
        } else if let (ArchiveReader::Busybox(_), Some(last)) = (reader, lines.last_mut()) {
            // It writes line ends in names as they are.
            last.push(b'\n');
            last.extend_from_slice(line);
        }
    }
    let mut entries = Vec::with_capacity(lines.len());
    for line in lines {
        let entry = tar_entry(reader, &line, &times);
        entries.push(entry.ok_or_else(|| format!("a line of its list is unclear: {}", shown(&line)))?);
    }
    Ok(entries)
}

/// Whether a line begins as `tar -tv` begins one.
fn is_listed(line: &[u8]) -> bool {
    let letters = |&byte: &u8| b"rwxsStTlL-".contains(&byte);
    line.first().is_some_and(|kind| b"-dlhcbpsVMCDS".contains(kind))
        && line.get(1..10).is_some_and(|mode| mode.iter().all(letters))
}

fn tar_entry(reader: &ArchiveReader, line: &[u8], times: &HashMap<Vec<u8>, i64>) -> Option<ListedEntry> {
    let count = if matches!(reader, ArchiveReader::Bsd(_)) { 8 } else { 5 };
    let (mut fields, mut rest) = (Vec::new(), line);
    for _ in 0..count {
        let begin = rest.iter().position(|&byte| byte != b' ')?;
        let (field, behind) =
            rest.get(begin..)?.split_at(rest.get(begin..)?.iter().position(|&byte| byte == b' ')?);
        fields.push(std::str::from_utf8(field).ok()?);
        rest = behind;
    }
    let rest = rest.get(1..)?;
    let letters = fields.first()?;
    let kind = letters.chars().next()?;
    // A word that is there twice may be part of either name.
    let apart = |word: &[u8]| {
        let mut places = rest.windows(word.len()).enumerate().filter(|(_, window)| *window == word);
        let at = places.next().filter(|_| places.next().is_none())?.0;
        Some((rest.get(..at)?.to_vec(), rest.get(at + word.len()..)?.to_vec()))
    };
    let has = |word: &[u8]| rest.windows(word.len()).any(|window| window == word);
    let size: Option<u64> = fields.get(if count == 8 { 4 } else { 2 })?.parse().ok();
    let (name, target) = match (reader, kind) {
        (ArchiveReader::Gnu, _) => {
            let (name, behind) = quoted(rest)?;
            let target = behind.strip_prefix(b" -> ").or(behind.strip_prefix(b" link to "));
            (name, target.and_then(quoted).map(|(target, _)| target))
        }
        (ArchiveReader::Busybox(_), '-') if size == Some(0) && !has(b" -> ") => (rest.to_vec(), None),
        (ArchiveReader::Busybox(_), '-') if size == Some(0) => {
            apart(b" -> ").map(|(name, target)| (name, Some(target)))?
        }
        (_, 'l') => apart(b" -> ").map(|(name, target)| (name, Some(target)))?,
        (_, 'h') => apart(b" link to ").map(|(name, target)| (name, Some(target)))?,
        _ => (rest.to_vec(), None),
    };
    let plain = |text: Vec<u8>| if matches!(reader, ArchiveReader::Bsd(_)) { unescaped(&text) } else { text };
    let (name, target) = (plain(name), target.map(plain));
    let time = match reader {
        ArchiveReader::Bsd(_) => times.get(&bare(&name)).copied(),
        _ => seconds(fields.get(3)?, fields.get(4)?),
    };
    let same_as = target.clone().filter(|_| kind != 'l');
    let kind = match kind {
        'd' | 'D' => Some(ArchivedKind::Folder),
        'l' => Some(ArchivedKind::Link(PointsTo::Said(target?))),
        '-' | 'C' | 'S' | 'h' => Some(ArchivedKind::File { size: size?, proof: ContentProof::Time(time?) }),
        _ => None,
    };
    Some(ListedEntry { name, kind, same_as, mode: mode_of(letters) })
}

/// Permission bits of `rwxr-xr-x`; the special ones are not kept.
fn mode_of(letters: &str) -> u32 {
    let bits = letters.chars().skip(1).take(9).map(|letter| !matches!(letter, '-' | 'S' | 'T' | 'l' | 'L'));
    bits.fold(0, |mode, bit| mode << 1 | u32::from(bit))
}

/// `2026-11-30`, `15:26:20` or with a fraction, in UTC: seconds since 1970.
fn seconds(date: &str, time: &str) -> Option<i64> {
    let number = |text: &str| text.parse::<i64>().ok();
    let (date, before) = match date.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (date, false),
    };
    let mut date = date.split('-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.split('.').next()?.split(':').map(number);
    let (hour, minute) = (time.next()??, time.next()??);
    let second = time.next().flatten().unwrap_or(0);
    if before {
        return None;
    }
    // Days from the civil calendar, with years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let days =
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// A text in double quotes, as GNU writes names in C's manner, and what is behind it.
fn quoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let inner = text.strip_prefix(b"\"")?;
    let mut end = 0;
    while *inner.get(end)? != b'"' {
        end += if inner.get(end) == Some(&b'\\') { 2 } else { 1 };
    }
    Some((unescaped(inner.get(..end)?), inner.get(end + 1..)?))
}

/// A text without C's escapes.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let Some((&escape, after)) = behind.split_first().filter(|_| byte == b'\\') else {
            plain.push(byte);
            continue;
        };
        let octal = behind.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(value) = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            plain.push(value);
            rest = behind.get(3..).unwrap_or_default();
            continue;
        }
        plain.push(match escape {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'a' => 7,
            b'b' => 8,
            b'v' => 11,
            b'f' => 12,
            other => other,
        });
        rest = after;
    }
    plain
}

/// A path and its time, from a line of an mtree.
fn mtree_time(line: &[u8]) -> Option<(Vec<u8>, i64)> {
    let end = line.iter().position(|&byte| byte == b' ')?;
    let (path, words) = line.split_at(end);
    let words = std::str::from_utf8(words).ok()?;
    let time = words.split(' ').find_map(|word| word.strip_prefix("time="))?;
    Some((bare(&unescaped(path)), time.split('.').next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let name = quoted(b"\"a \\\"b\\\" \\\\ \\n \\377\" -> \"x\"").unwrap();
        assert_eq!(name, (b"a \"b\" \\ \n \xff".to_vec(), &b" -> \"x\""[..]));
        for broken in [&b""[..], b"a", b"\"a", b"\"a\\"] {
            assert_eq!(quoted(broken), None);
        }
    }

    #[test]
    fn a_line_that_can_be_read_in_two_ways_is_not_read() {
        let read =
            |reader, line: &str| tar_entry(reader, line.as_bytes(), &HashMap::from([(b"a".to_vec(), 0)]));
        let (busybox, bsd) = (&ArchiveReader::Busybox("tar"), &ArchiveReader::Bsd("tar"));
        for (reader, begin, word) in [
            (busybox, "lrwxrwxrwx 0/0 0 1970-01-01 00:00:00", "->"),
            (busybox, "-rw-r--r-- 0/0 0 1970-01-01 00:00:00", "->"),
            (bsd, "lrwxrwxrwx  0 0 0 0 Jan  1  1970", "->"),
            (bsd, "hrw-r--r--  0 0 0 0 Jan  1  1970", "link to"),
        ] {
            let entry = read(reader, &format!("{begin} a {word} b")).unwrap();
            assert_eq!(entry.name, b"a", "{begin}");
            assert!(read(reader, &format!("{begin} a {word} b {word} c")).is_none(), "{begin}");
        }
    }

    #[test]
    fn times_are_utc() {
        for (date, time, due) in [
            ("1970-01-01", "00:00:00", Some(0)),
            ("2000-02-29", "23:59:59.75", Some(951_868_799)),
            ("2026-11-30", "15:26:20", Some(1_796_052_380)),
            ("1969-12-31", "23:59:59", Some(-1)),
            ("soon", "12:00", None),
        ] {
            assert_eq!(seconds(date, time), due, "{date} {time}");
        }
    }
}
