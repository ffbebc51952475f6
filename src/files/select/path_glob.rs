//! A glob that stands for paths, name by name, as a shell expands it.

use crate::files::select::error::SelectError;
use crate::files::select::name_glob::{NameGlob, split};

/// A glob that stands for paths. Whoever has the folders expands it, part by part.
///
/// `**` is refused: what it finds lies at many depths, and would all land in one folder.
#[derive(Clone, Debug)]
pub struct PathGlob {
    absolute: bool,
    folders_only: bool,
    parts: Vec<PathPart>,
}

/// A part of a path, between two `/`.
#[derive(Clone, Debug)]
pub enum PathPart {
    /// A plain name, also `..`: there is nothing to look up. It was written with its `\` and holds none.
    Name(Vec<u8>),
    /// Stands for names of the folder.
    Glob(NameGlob),
}

impl PathPart {
    /// Whether it stands for the name. A leading dot must be written as one, as in a shell.
    pub fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Name(exact) => exact == name,
            Self::Glob(glob) => {
                // A glob that also takes something else there has not spelled the dot out.
                let hidden =
                    name.strip_prefix(b".").is_some_and(|rest| glob.matches(&[b"\0", rest].concat()));
                glob.matches(name) && !hidden
            }
        }
    }
}

impl PathGlob {
    /// Whether the text holds a character that makes it a glob.
    pub fn is_glob(text: &str) -> bool {
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '*' | '?' | '[' | '{' => return true,
                '\\' => _ = chars.next(),
                _ => {}
            }
        }
        false
    }

    /// Reads a glob: several `/` are one, and `.` is left out.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn new(text: &str) -> Result<Self, SelectError> {
        let error = |message| SelectError { line: None, pattern: text.to_owned(), message };
        let mut parts = Vec::new();
        for part in split(text).map_err(error)? {
            match part.as_str() {
                "" | "." => {}
                "**" => {
                    return Err(error("\"**\" is not supported here: name the folder instead".to_owned()));
                }
                _ if Self::is_glob(&part) => {
                    parts.push(PathPart::Glob(NameGlob::new(&part).map_err(error)?));
                }
                _ => parts.push(PathPart::Name(unescaped(&part).into_bytes())),
            }
        }
        Ok(Self { absolute: text.starts_with('/'), folders_only: text.ends_with('/'), parts })
    }

    /// Whether it begins at `/`.
    pub fn is_absolute(&self) -> bool {
        self.absolute
    }

    /// Whether it ends in `/`, and so stands for folders only.
    pub fn folders_only(&self) -> bool {
        self.folders_only
    }

    /// Its parts, outermost first.
    pub fn parts(&self) -> &[PathPart] {
        &self.parts
    }
}

/// The text without the `\` that keep the character after them from being special.
fn unescaped(text: &str) -> String {
    let mut chars = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    plain
}

#[cfg(test)]
mod tests {
    use crate::files::select::path_glob::{PathGlob, PathPart};

    #[test]
    fn globs_are_told_from_paths() {
        for (text, glob) in [
            ("a.txt", false),
            ("a/../b", false),
            (r"a\*", false),
            ("a*", true),
            ("a?/b", true),
            ("[ab]", true),
            ("{a,b}", true),
        ] {
            assert_eq!(PathGlob::is_glob(text), glob, "{text}");
        }
    }

    #[test]
    fn paths_fall_into_parts() {
        let glob = PathGlob::new(r"/srv/./a\*b//../*.log/").unwrap();
        assert!(glob.is_absolute() && glob.folders_only());
        let shown: Vec<String> = glob
            .parts()
            .iter()
            .map(|part| match part {
                PathPart::Name(name) => String::from_utf8(name.clone()).unwrap(),
                PathPart::Glob(_) => "<glob>".to_owned(),
            })
            .collect();
        assert_eq!(shown, ["srv", "a*b", "..", "<glob>"]);
    }

    #[test]
    fn a_leading_dot_must_be_written() {
        for (text, name, matches) in [
            ("*", "a", true),
            ("*", ".a", false),
            ("?a", ".a", false),
            ("[!b]a", ".a", false),
            (".*", ".a", true),
            (".*", "a", false),
            ("{.a,b}*", ".a1", true),
            (r"\.?", ".a", true),
            ("a*", "a.b", true),
        ] {
            let glob = PathGlob::new(text).unwrap();
            assert_eq!(glob.parts()[0].matches(name.as_bytes()), matches, "{text} {name}");
        }
    }

    #[test]
    fn errors_show_the_whole_text() {
        for (text, message) in [
            ("srv/[a", r#"pattern "srv/[a": unclosed character class; missing ']'"#),
            ("a/**/b", r#"pattern "a/**/b": "**" is not supported here: name the folder instead"#),
            ("{a/b}", r#"pattern "{a/b}": "/" cannot stand inside "[...]" or "{...}""#),
        ] {
            assert_eq!(PathGlob::new(text).unwrap_err().to_string(), message);
        }
    }
}
