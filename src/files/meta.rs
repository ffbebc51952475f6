//! What is at a path of a host, whoever told: SFTP's attributes, or the words of stat(1) and ls(1).

use crate::ssh::sftp::wire::Attrs;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// What it is.
    pub kind: MetaKind,
    /// Permission bits, at most `0o7777`, where they are known.
    pub mode: Option<u32>,
    /// Owner and group by number, where they are known.
    pub owner: Option<(u32, u32)>,
    /// Last modification in whole seconds since 1970, where it is known.
    pub mtime: Option<i64>,
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaKind {
    /// A regular file.
    File {
        /// Its size in bytes.
        size: u64,
    },
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, a socket, a pipe.
    Special,
}

/// The type bits of `st_mode` (POSIX `<sys/stat.h>`, with the values that all systems have).
const TYPE: u32 = 0o170_000;

impl Meta {
    /// From SFTP's attributes. `None` when they do not tell what it is.
    pub fn of(attrs: &Attrs) -> Option<Self> {
        MetaKind::of(attrs.permissions?, attrs.size).map(|kind| Self::told(kind, attrs))
    }

    /// The same, where it is known what it is.
    pub fn told(kind: MetaKind, attrs: &Attrs) -> Self {
        let mtime = attrs.times.map(|(_, modified)| i64::from(modified));
        Self { kind, mode: attrs.permissions.map(|bits| bits & 0o7777), owner: attrs.owner, mtime }
    }

    /// From a line of `stat -c '%f %u %g %s %Y'`, of `stat -f '%Xp %u %g %z %m'`, or of `ls -dln`.
    pub fn of_line(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        if let [bits, user, group, size, mtime] = words.as_slice() {
            let bits = u32::from_str_radix(bits, 16).ok()?;
            return Some(Self {
                kind: MetaKind::of(bits, Some(size.parse().ok()?))?,
                mode: Some(bits & 0o7777),
                owner: Some((user.parse().ok()?, group.parse().ok()?)),
                // Some systems add a fraction.
                mtime: mtime.split('.').next()?.parse().ok(),
            });
        }
        let [letters, _links, user, group, size, ..] = words.as_slice() else { return None };
        let kind = match letters.chars().next()? {
            '-' => MetaKind::File { size: size.parse().ok()? },
            'd' => MetaKind::Folder,
            'l' => MetaKind::Link,
            _ => MetaKind::Special,
        };
        let owner = Some((user.parse().ok()?, group.parse().ok()?));
        Some(Self { kind, mode: Some(mode_of_letters(letters)?), owner, mtime: None })
    }

    /// Its size, when it is a file.
    pub fn size(&self) -> Option<u64> {
        match self.kind {
            MetaKind::File { size } => Some(size),
            MetaKind::Folder | MetaKind::Link | MetaKind::Special => None,
        }
    }
}

impl MetaKind {
    /// From type bits; only a file needs its size to be one.
    fn of(bits: u32, size: Option<u64>) -> Option<Self> {
        Some(match bits & TYPE {
            0o100_000 => Self::File { size: size? },
            0o040_000 => Self::Folder,
            0o120_000 => Self::Link,
            0 => return None,
            _ => Self::Special,
        })
    }

    /// Its word, with article.
    pub fn word(self) -> &'static str {
        match self {
            Self::File { .. } => "a file",
            Self::Folder => "a folder",
            Self::Link => "a link",
            Self::Special => "a device, socket or pipe",
        }
    }
}

/// `-rwsr-xr-t` as bits.
fn mode_of_letters(letters: &str) -> Option<u32> {
    let bytes = letters.as_bytes().get(1..10)?;
    let mut mode = 0;
    for (place, triple) in bytes.chunks(3).enumerate() {
        let shift = 6 - 3 * place;
        let special = 0o4000 >> place;
        let [read, write, execute] = triple else { return None };
        mode |= u32::from(*read == b'r') << (shift + 2);
        mode |= u32::from(*write == b'w') << (shift + 1);
        mode |= match execute {
            b'x' => 1 << shift,
            b's' | b't' => (1 << shift) | special,
            b'S' | b'T' => special,
            _ => 0,
        };
    }
    Some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_tell_agree() {
        let file = Meta {
            kind: MetaKind::File { size: 42 },
            mode: Some(0o4755),
            owner: Some((0, 7)),
            mtime: Some(1_700_000_000),
        };
        let attrs = Attrs {
            size: Some(42),
            owner: Some((0, 7)),
            permissions: Some(0o104_755),
            times: Some((1, 1_700_000_000)),
        };
        assert_eq!(Meta::of(&attrs), Some(file));
        let folder = Attrs { permissions: Some(0o040_700), ..Attrs::default() };
        assert_eq!(
            Meta::of(&folder).map(|meta| (meta.kind, meta.mode)),
            Some((MetaKind::Folder, Some(0o700)))
        );
        assert_eq!(Meta::of(&Attrs { permissions: None, ..attrs }), None, "it does not tell");
        assert_eq!(Meta::of(&Attrs { size: None, ..attrs }), None, "a file has a size");
        assert_eq!(Meta::of_line("89ed 0 7 42 1700000000"), Some(file));
        let listed = Meta { mtime: None, ..file };
        assert_eq!(Meta::of_line("-rwsr-xr-x 1 0 7 42 Jan  1 00:00 /x y"), Some(listed));
    }

    #[test]
    fn kinds_and_odd_lines() {
        for (line, kind) in [
            ("41ed 0 0 4096 1", Some(MetaKind::Folder)),
            ("a1ff 0 0 9 1", Some(MetaKind::Link)),
            ("2190 0 0 0 1", Some(MetaKind::Special)),
            ("drwxrwxrwt 2 0 0 4096 Jan 1 2020 /tmp", Some(MetaKind::Folder)),
            ("crw-rw-rw- 1 0 0 1, 3 Jan 1 2020 /dev/null", Some(MetaKind::Special)),
            ("-", None),
            ("", None),
            ("what is this line about", None),
        ] {
            assert_eq!(Meta::of_line(line).map(|meta| meta.kind), kind, "{line}");
        }
        assert_eq!(mode_of_letters("drwxrwxrwt"), Some(0o1777));
        assert_eq!(mode_of_letters("-rwSr-Sr-T"), Some(0o7644));
    }
}
