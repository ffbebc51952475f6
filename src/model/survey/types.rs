//! What a host tells of its paths.

use std::fmt;

/// The SHA-256 of a content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SurveyHash(pub [u8; 32]);

impl fmt::Display for SurveyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SurveyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SurveyKind {
    /// A folder.
    Folder,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A named pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A device.
    Device,
}

impl SurveyKind {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::File => "file",
            Self::Link => "link",
            Self::Pipe => "named pipe",
            Self::Socket => "socket",
            Self::Device => "device",
        }
    }
}

/// What is at a path, as far as hosts are compared by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SurveyEntry {
    /// What it is.
    pub kind: SurveyKind,
    /// Permission bits; none of a link, which has none that count.
    pub mode: Option<u32>,
    /// `user:group`, by name where the host knows one.
    pub owner: Option<String>,
    /// Bytes of a file.
    pub size: Option<u64>,
    /// The SHA-256 of a file's content.
    pub hash: Option<SurveyHash>,
    /// Where a link points.
    pub target: Option<Vec<u8>>,
    /// Its content could not be read, or its names not be listed.
    pub closed: bool,
}

/// What is at a path that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SurveyRoot {
    /// A folder, whose paths follow.
    Folder,
    /// Something else, which follows with an empty path.
    Other,
    /// Nothing.
    Missing,
    /// It may not be looked at: in the host's words.
    Closed(String),
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SurveyItem {
    /// What is at one of the paths that were asked for, by its number.
    Root(usize, SurveyRoot),
    /// Something in it: the path from there, empty for itself.
    Entry(usize, Vec<u8>, SurveyEntry),
    /// The answer is whole.
    End,
}
