//! Steps that move files and look after them, as the user wrote them: what goes where, and what must hold there
//! afterwards. Templates in them are not yet rendered.

use std::fmt;

use crate::model::position::Located;
use crate::model::template::text::{TagLines, TemplateText};

/// Permission bits as `chmod` takes them, at most `0o7777`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mode(pub u32);

impl Mode {
    /// Reads an octal number of three or four digits: `644`, `0644`, `2755`.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits = matches!(text.len(), 3 | 4) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        match u32::from_str_radix(text, 8) {
            Ok(bits) if digits => Ok(Self(bits)),
            _ => Err(format!("mode must be octal, as in \"0644\", got {text:?}")),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// Who may do what with a file; what is not set stays as it is, or as it comes.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// Mode of files.
    pub mode: Option<Mode>,
    /// Mode of folders that are made.
    pub dir_mode: Option<Mode>,
    /// Owner, by name or number.
    pub owner: Option<TemplateText>,
    /// Group, by name or number.
    pub group: Option<TemplateText>,
}

/// What of a folder is moved, and how.
#[derive(Clone, Debug, Default)]
pub struct TreeRules {
    /// Globs of what is left out, as in a `.fanignore` file.
    pub exclude: Vec<Located<String>>,
    /// What becomes of symbolic links in it.
    pub links: Links,
    /// Files keep their modification times.
    pub times: bool,
}

/// What becomes of symbolic links in a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// They are made anew, pointing where they point. From a host only those that stay inside the folder.
    #[default]
    Keep,
    /// What they point at goes in their place.
    Follow,
    /// They are left out.
    Skip,
}

impl Links {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Keep, Self::Follow, Self::Skip];

    /// Its word in a tasks file and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Follow => "follow",
            Self::Skip => "skip",
        }
    }
}

/// How new content takes the place of old.
#[derive(Clone, Debug, Default)]
pub struct Install {
    /// The old content is kept beside the new one.
    pub backup: bool,
    /// A command that must succeed before; `%s` in it stands for the new content's file.
    pub validate: Option<TemplateText>,
    /// A link in the target's place is followed instead of replaced.
    pub follow: bool,
    /// The new content is written into the file that is there, which stays the same file.
    pub in_place: bool,
}

/// `put`: files and folders of the operator's machine onto the host.
#[derive(Clone, Debug)]
pub struct Put {
    /// Local paths and globs, never empty.
    pub from: Vec<TemplateText>,
    /// Remote path. A folder when it ends in `/`, or when one is there.
    pub to: TemplateText,
    /// For folders.
    pub tree: TreeRules,
    /// Modes and owners.
    pub attributes: Attributes,
    /// For files.
    pub install: Install,
}

/// `get`: files and folders of the host onto the operator's machine.
#[derive(Clone, Debug)]
pub struct Get {
    /// Remote paths and globs, never empty.
    pub from: Vec<TemplateText>,
    /// Local path. A folder when it ends in `/`, or when one is there.
    pub to: TemplateText,
    /// For folders.
    pub tree: TreeRules,
}

/// `sync`: a folder of the host becomes like one of the operator's machine.
#[derive(Clone, Debug)]
pub struct Sync {
    /// Local folder.
    pub from: TemplateText,
    /// Remote folder.
    pub to: TemplateText,
    /// What is there and not here goes away.
    pub delete: bool,
    /// What of it is moved.
    pub tree: TreeRules,
    /// Modes and owners.
    pub attributes: Attributes,
}

/// `template`: a local file whose templates are filled in for each host.
#[derive(Clone, Debug)]
pub struct TemplateFile {
    /// Local path.
    pub from: TemplateText,
    /// Remote path.
    pub to: TemplateText,
    /// What becomes of the lines of its tags.
    pub tag_lines: TagLines,
    /// Mode and owner.
    pub attributes: Attributes,
    /// How it takes the old one's place.
    pub install: Install,
}

/// `file`: what is at a remote path.
#[derive(Clone, Debug)]
pub struct FileStep {
    /// Remote path.
    pub path: TemplateText,
    /// What must hold.
    pub state: FileState,
    /// Mode and owner.
    pub attributes: Attributes,
}

/// What `file` sees to.
#[derive(Clone, Debug)]
pub enum FileState {
    /// A file is there; an empty one is made when there is none.
    Present,
    /// Nothing is there.
    Absent {
        /// A folder goes with all that is in it.
        recurse: bool,
    },
    /// A folder is there, and those above it.
    Directory,
    /// A symbolic link is there.
    Link {
        /// Where it points.
        target: TemplateText,
    },
}

/// `line`: a line in a remote text file.
#[derive(Clone, Debug)]
pub struct LineStep {
    /// Remote path.
    pub path: TemplateText,
    /// What must hold.
    pub edit: LineEdit,
    /// The file is made when there is none.
    pub create: bool,
    /// Mode and owner.
    pub attributes: Attributes,
    /// How it takes the old one's place.
    pub install: Install,
}

/// What `line` sees to.
#[derive(Clone, Debug)]
pub enum LineEdit {
    /// The line is there.
    Present {
        /// The line, without line end.
        line: TemplateText,
        /// The last line that this regular expression matches is replaced by it.
        matching: Option<Located<String>>,
        /// Where it goes when it is new.
        place: LinePlace,
    },
    /// No line that the regular expression matches is there.
    Absent {
        /// The regular expression.
        matching: Located<String>,
    },
}

/// Where a new line goes.
#[derive(Clone, Debug, Default)]
pub enum LinePlace {
    /// At the end.
    #[default]
    End,
    /// At the beginning.
    Start,
    /// After the last line that the regular expression matches; at the end without one.
    After(Located<String>),
    /// Before the first line that the regular expression matches; at the end without one.
    Before(Located<String>),
}

#[cfg(test)]
mod tests {
    use crate::model::files::Mode;

    #[test]
    fn modes_are_octal() {
        for (text, bits) in [("644", 0o644), ("0644", 0o644), ("4755", 0o4755), ("0000", 0)] {
            assert_eq!(Mode::parse(text), Ok(Mode(bits)), "{text}");
        }
        for text in ["", "64", "00644", "0o644", "+644", "0888", "u+x", "64 4"] {
            assert!(Mode::parse(text).is_err(), "{text}");
        }
        assert_eq!(Mode(0o755).to_string(), "0755");
    }
}
