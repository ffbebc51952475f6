//! Paths inside a folder that is moved, and what is at them. Names are bytes, as file systems and SFTP have them.
//!
//! A [`TreePath`] cannot leave its folder, whoever made up its names: that is checked where it is built.

use std::fmt;

/// The longest path inside a folder, in bytes (Linux's `PATH_MAX`).
pub const MAX_PATH: usize = 4096;

/// The deepest nesting of folders in a folder.
pub const MAX_DEPTH: usize = 64;

/// Why a name cannot be part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsafeName {
    /// It is empty.
    Empty,
    /// It is `.` or `..`.
    Dots,
    /// It holds a `/`.
    Slash,
    /// It holds a NUL.
    Nul,
    /// The path would be longer than [`MAX_PATH`], or deeper than [`MAX_DEPTH`].
    TooLong,
}

impl fmt::Display for UnsafeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::Dots => "is \".\" or \"..\"",
            Self::Slash => "holds a \"/\"",
            Self::Nul => "holds a NUL",
            Self::TooLong => "makes a path that is too long or too deep",
        })
    }
}

/// A path inside a folder: names joined by `/`, none of which leads out of it. Empty for the folder itself.
///
/// Ordered so that a folder comes before what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(Vec<u8>);

impl TreePath {
    /// The folder itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// The path of something in the folder at this path.
    ///
    /// # Errors
    ///
    /// The name is none: it would lead elsewhere.
    pub fn join(&self, name: &[u8]) -> Result<Self, UnsafeName> {
        match name {
            b"" => return Err(UnsafeName::Empty),
            b"." | b".." => return Err(UnsafeName::Dots),
            _ if name.contains(&b'/') => return Err(UnsafeName::Slash),
            _ if name.contains(&0) => return Err(UnsafeName::Nul),
            _ => {}
        }
        if self.0.len() + 1 + name.len() > MAX_PATH || self.depth() >= MAX_DEPTH {
            return Err(UnsafeName::TooLong);
        }
        let mut path = self.0.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        Ok(Self(path))
    }

    /// Its bytes: no leading and no trailing `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its names, outermost first.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
    }

    /// Its last name; none for the folder itself.
    pub fn name(&self) -> Option<&[u8]> {
        self.names().next_back()
    }

    /// The path of the folder that it is in; none for the folder itself.
    pub fn parent(&self) -> Option<Self> {
        let name = self.name()?;
        let end = self.0.len().saturating_sub(name.len() + 1);
        Some(Self(self.0.get(..end).unwrap_or_default().to_vec()))
    }

    /// How many names it has.
    pub fn depth(&self) -> usize {
        self.names().count()
    }

    /// Whether it is the folder itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        String::from_utf8_lossy(&self.0).fmt(f)
    }
}

/// Something in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub path: TreePath,
    /// What.
    pub kind: EntryKind,
    /// Permission bits, at most `0o7777`.
    pub mode: u32,
    /// Last modification, whole seconds since 1970.
    pub mtime: i64,
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File {
        /// Its size in bytes.
        size: u64,
    },
    /// A folder.
    Folder,
    /// A symbolic link.
    Link {
        /// Where it points, as it was written.
        target: Vec<u8>,
    },
    /// A device, a socket, a pipe: never moved.
    Special,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::model::tree::{MAX_DEPTH, TreePath, UnsafeName};

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let root = TreePath::root();
        for (name, why) in [
            (&b""[..], UnsafeName::Empty),
            (b".", UnsafeName::Dots),
            (b"..", UnsafeName::Dots),
            (b"/etc/cron.d/x", UnsafeName::Slash),
            (b"a/b", UnsafeName::Slash),
            (b"../x", UnsafeName::Slash),
            (b"a\0b", UnsafeName::Nul),
            (&[b'x'; 5000], UnsafeName::TooLong),
        ] {
            assert_eq!(root.join(name), Err(why));
        }
        let deep = (0..MAX_DEPTH).fold(root, |path, _| path.join(b"d").unwrap());
        assert_eq!(deep.join(b"d"), Err(UnsafeName::TooLong));
    }

    #[test]
    fn parents_and_names() {
        let path = TreePath::root().join(b"a").unwrap().join(b"b").unwrap();
        assert_eq!(path.as_bytes(), b"a/b");
        assert_eq!(path.name(), Some(&b"b"[..]));
        assert_eq!(path.parent().unwrap().as_bytes(), b"a");
        assert_eq!(path.parent().unwrap().parent(), Some(TreePath::root()));
        assert_eq!(TreePath::root().parent(), None);
    }

    proptest! {
        #[test]
        fn no_path_leaves_its_folder(names in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5), 0..6)) {
            let mut path = TreePath::root();
            for name in &names {
                path = path.join(name).unwrap_or(path);
            }
            for name in path.as_bytes().split(|&byte| byte == b'/').filter(|_| !path.is_root()) {
                prop_assert!(!name.is_empty() && name != b"." && name != b".." && !name.contains(&0));
            }
        }
    }
}
