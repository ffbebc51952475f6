//! What of a folder takes part, by the rules of `.gitignore` files (gitignore(5)).

use std::sync::Arc;

use crate::files::select::error::SelectError;
use crate::files::select::name_glob::{NameGlob, split};
use crate::model::tree::{MAX_DEPTH, TreePath};

/// What of a folder takes part: all but what a pattern leaves out.
///
/// - `!` in front takes back in; `\!` and `\#` stand for the characters themselves
/// - a `/` at the end means folders only
/// - a `/` in front or inside ties the pattern to the folder of its file; without one it is for names at any depth
/// - `**` between two `/`, or at one end, stands for any number of folders
///
/// What is in a folder that is left out is left out with it. Of several patterns the last one that matches
/// decides; patterns of a step come before those of files, and inner files before outer ones.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    step: Arc<SelectionLayer>,
    /// Outermost first.
    files: Vec<Arc<SelectionLayer>>,
}

/// The patterns of one place.
#[derive(Debug, Default)]
struct SelectionLayer {
    folder: TreePath,
    rules: Vec<SelectionRule>,
}

/// One pattern.
#[derive(Debug)]
struct SelectionRule {
    verdict: SelectionVerdict,
    folders_only: bool,
    parts: Vec<PatternPart>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SelectionVerdict {
    In,
    Out,
}

#[derive(Debug)]
enum PatternPart {
    Name(NameGlob),
    /// `**`. At the end it stands for at least one name, elsewhere also for none.
    AnyDepth,
}

impl Selection {
    /// What the patterns of a step leave.
    ///
    /// Unlike in a file, `#` in front is part of the pattern.
    ///
    /// # Errors
    ///
    /// The first pattern that cannot be read.
    pub fn new(exclude: &[impl AsRef<str>]) -> Result<Self, SelectError> {
        let rules = exclude
            .iter()
            .map(AsRef::as_ref)
            .map(|pattern| SelectionRule::new(pattern).map_err(|message| error(None, pattern, message)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { step: Arc::new(SelectionLayer { folder: TreePath::root(), rules }), files: Vec::new() })
    }

    /// The same with the lines of a `.fanignore` file, which is in a folder of the tree.
    ///
    /// # Errors
    ///
    /// The first line that cannot be read.
    pub fn with_file(&self, folder: &TreePath, text: &str) -> Result<Self, SelectError> {
        let mut rules = Vec::new();
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let pattern = without_trailing_spaces(line);
            if pattern.is_empty() || pattern.starts_with('#') {
                continue;
            }
            rules.push(
                SelectionRule::new(pattern).map_err(|message| error(Some(number + 1), pattern, message))?,
            );
        }
        let mut inner = self.clone();
        inner.files.push(Arc::new(SelectionLayer { folder: folder.clone(), rules }));
        Ok(inner)
    }

    /// Whether what is at the path takes part.
    pub fn takes(&self, path: &TreePath, is_folder: bool) -> bool {
        let names: Vec<&[u8]> = path.names().collect();
        (1..=names.len()).all(|depth| {
            let inner = depth < names.len();
            names
                .get(..depth)
                .is_none_or(|names| self.verdict(names, is_folder || inner) == SelectionVerdict::In)
        })
    }

    /// The same for something in a folder of which it is known that it takes part.
    pub fn takes_inside(&self, path: &TreePath, is_folder: bool) -> bool {
        let names: Vec<&[u8]> = path.names().collect();
        self.verdict(&names, is_folder) == SelectionVerdict::In
    }

    fn verdict(&self, names: &[&[u8]], is_folder: bool) -> SelectionVerdict {
        let mut layers = [&self.step].into_iter().chain(self.files.iter().rev());
        layers.find_map(|layer| layer.verdict(names, is_folder)).unwrap_or(SelectionVerdict::In)
    }
}

impl SelectionLayer {
    fn verdict(&self, names: &[&[u8]], is_folder: bool) -> Option<SelectionVerdict> {
        let mut names = names.iter().copied();
        for name in self.folder.names() {
            if names.next() != Some(name) {
                return None;
            }
        }
        let below: Vec<&[u8]> = names.collect();
        let last = self.rules.iter().rev().find(|rule| rule.matches(&below, is_folder));
        last.map(|rule| rule.verdict)
    }
}

impl SelectionRule {
    fn new(text: &str) -> Result<Self, String> {
        let (verdict, pattern) = match text.strip_prefix('!') {
            Some(rest) => (SelectionVerdict::In, rest),
            None => (SelectionVerdict::Out, text),
        };
        let (folders_only, pattern) = match pattern.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        let anchored = pattern.contains('/');
        let pattern = pattern.strip_prefix('/').unwrap_or(pattern);
        if pattern.is_empty() {
            return Err("names nothing".to_owned());
        }
        let mut parts = if anchored { Vec::new() } else { vec![PatternPart::AnyDepth] };
        for part in split(pattern)? {
            parts.push(match part.as_str() {
                "" => return Err("holds an empty name: it would never match".to_owned()),
                // Git takes them and never matches: what should stay here would be sent.
                "." | ".." => return Err("holds \".\" or \"..\": it would never match".to_owned()),
                // More than two mean the same to git.
                stars if stars.len() > 1 && stars.bytes().all(|byte| byte == b'*') => PatternPart::AnyDepth,
                name => PatternPart::Name(NameGlob::new(name)?),
            });
        }
        Ok(Self { verdict, folders_only, parts })
    }

    /// Whether it stands for the path.
    ///
    /// Goes from the end, with the set of places where the rest of the pattern may end: bit `n` is "after the first
    /// `n` names". So no pattern takes more than names × parts steps, and most fail at the last name.
    fn matches(&self, names: &[&[u8]], is_folder: bool) -> bool {
        if (self.folders_only && !is_folder) || names.is_empty() || names.len() > MAX_DEPTH {
            return false;
        }
        let mut ends: u128 = 1 << names.len();
        let mut last = true;
        for part in self.parts.iter().rev() {
            ends = match part {
                PatternPart::AnyDepth => {
                    let highest = ends.checked_ilog2().unwrap_or_default() + u32::from(!last);
                    (1 << highest) - 1
                }
                PatternPart::Name(glob) => {
                    let matching = names
                        .iter()
                        .enumerate()
                        .filter(|(at, name)| ends & (2 << at) != 0 && glob.matches(name))
                        .map(|(at, _)| 1_u128 << at);
                    matching.fold(0, |ends, end| ends | end)
                }
            };
            if ends == 0 {
                return false;
            }
            last = false;
        }
        ends & 1 != 0
    }
}

fn error(line: Option<usize>, pattern: &str, message: String) -> SelectError {
    SelectError { line, pattern: pattern.to_owned(), message }
}

/// A space at the end counts only after a `\`.
fn without_trailing_spaces(line: &str) -> &str {
    let trimmed = line.trim_end_matches([' ', '\r']);
    let escapes = trimmed.bytes().rev().take_while(|&byte| byte == b'\\').count();
    if escapes % 2 == 1 && line.get(trimmed.len()..).is_some_and(|rest| rest.starts_with(' ')) {
        line.get(..=trimmed.len()).unwrap_or(trimmed)
    } else {
        trimmed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::files::select::selection::Selection;
    use crate::model::tree::TreePath;

    fn path(text: &str) -> TreePath {
        text.split('/')
            .filter(|name| !name.is_empty())
            .fold(TreePath::root(), |path, name| path.join(name.as_bytes()).unwrap())
    }

    /// Whether a path takes part; one that ends in `/` is a folder.
    fn takes(selection: &Selection, text: &str) -> bool {
        selection.takes(&path(text), text.ends_with('/'))
    }

    #[test]
    fn patterns_leave_out() {
        for (pattern, out, stays) in [
            ("a", &["a", "x/a", "a/", "a/b", "x/a/b/c"][..], &["b", "ab", "A"][..]),
            ("*.o", &["a.o", "x/y/a.o", ".o"], &["a.c"]),
            ("a/", &["a/", "x/a/", "a/b", "x/a/b"], &["a", "x/a"]),
            ("/a", &["a", "a/b"], &["x/a"]),
            ("a/b", &["a/b", "a/b/c"], &["b", "x/a/b", "a/x/b", "a"]),
            ("a/*", &["a/b", "a/b/c"], &["a", "x/a/b"]),
            ("/*", &["a", "a/b"], &[]),
            ("**/a", &["a", "x/a", "x/y/a"], &["xa"]),
            ("a/**", &["a/b", "a/b/c"], &["a", "a/", "x/a/b"]),
            ("a/**/", &["a/b/", "a/b/c"], &["a/", "a/b"]),
            ("a/**/b", &["a/b", "a/x/b", "a/x/y/b"], &["a/x", "b", "ab"]),
            ("**/a/**/b/**", &["a/b/c", "x/a/y/b/z", "a/b/b"], &["a/b", "b/a/b"]),
            ("**", &["a", "a/b"], &[]),
            ("a/***/b", &["a/b", "a/x/y/b"], &["a/x"]),
            ("a**b", &["ab", "axb", "x/ab"], &["a/b"]),
            ("x[!a]y", &["xby"], &["x/y"]),
            ("/x[!a]y", &["xby"], &["x/y", "xay"]),
            ("/x?y", &["xby"], &["x/y"]),
            ("*.{jpg,png}", &["a.jpg", "x/a.png"], &["a.gif"]),
            (r"\!a", &["!a"], &["a"]),
            ("#a", &["#a"], &["a"]),
            ("a ", &["a "], &["a"]),
            (".*", &[".git/", ".git/x", "a/.x"], &["a.b"]),
        ] {
            let selection = Selection::new(&[pattern]).unwrap();
            for text in out {
                assert!(!takes(&selection, text), "{pattern} leaves out {text}");
            }
            for text in stays {
                assert!(takes(&selection, text), "{pattern} keeps {text}");
            }
            assert!(selection.takes(&TreePath::root(), true), "{pattern} keeps the folder itself");
        }
    }

    #[test]
    fn the_last_pattern_decides() {
        let selection = Selection::new(&["*.log", "!keep.log", "/old/", "!/old/keep.log"]).unwrap();
        assert!(!takes(&selection, "a.log"));
        assert!(takes(&selection, "x/keep.log"));
        assert!(!takes(&selection, "old/keep.log"), "its folder is left out");
        assert!(selection.takes_inside(&path("old/keep.log"), false), "had its folder taken part");
    }

    #[test]
    fn files_are_read_line_by_line() {
        let text = "\u{feff}# comment\r\n\n*.o  \r\n\\#x\ny\\ \n   \n/z";
        let selection = Selection::default().with_file(&TreePath::root(), text).unwrap();
        for out in ["a.o", "#x", "y ", "z"] {
            assert!(!takes(&selection, out), "{out:?}");
        }
        for stays in ["# comment", "y", "a/z", "x"] {
            assert!(takes(&selection, stays), "{stays:?}");
        }
    }

    #[test]
    fn inner_files_come_before_outer_ones_and_the_step_before_both() {
        let selection = Selection::new(&["secret", "!wanted"]).unwrap();
        let selection = selection.with_file(&TreePath::root(), "*.log\nwanted\n").unwrap();
        let selection = selection.with_file(&path("in"), "!a.log\n/top\n!secret").unwrap();
        for (text, taken) in [
            ("a.log", false),
            ("in/a.log", true),
            ("in/x/a.log", true),
            ("in/b.log", false),
            ("in/top", false),
            ("in/x/top", true),
            ("top", true),
            ("inn/a.log", false),
            ("in/secret", false),
            ("wanted", true),
        ] {
            assert_eq!(takes(&selection, text), taken, "{text}");
        }
    }

    #[test]
    fn bad_patterns_are_told() {
        for (pattern, message) in [
            ("", r#"pattern "": names nothing"#),
            ("/", r#"pattern "/": names nothing"#),
            ("!", r#"pattern "!": names nothing"#),
            ("a//b", r#"pattern "a//b": holds an empty name: it would never match"#),
            ("./a", r#"pattern "./a": holds "." or "..": it would never match"#),
            ("../a", r#"pattern "../a": holds "." or "..": it would never match"#),
            ("a[", r#"pattern "a[": unclosed character class; missing ']'"#),
        ] {
            assert_eq!(Selection::new(&["ok", pattern]).unwrap_err().to_string(), message);
        }
        let error = Selection::default().with_file(&TreePath::root(), "# a\nok\n{a\n").unwrap_err();
        assert_eq!(error.line, Some(3));
        assert!(error.to_string().starts_with(r#"line 3: pattern "{a": "#), "{error}");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[ab/*?{}!#\\[\\] \\\\\n]{0,40}", names in prop::collection::vec("[ab.]{1,3}", 0..5)) {
            if let Ok(selection) = Selection::default().with_file(&TreePath::root(), &text) {
                let path = names.iter().fold(TreePath::root(), |path, name| path.join(name.as_bytes()).unwrap_or(path));
                selection.takes(&path, true);
            }
        }

        #[test]
        fn what_is_in_a_folder_that_is_left_out_is_left_out(
            patterns in prop::collection::vec("!?/?(\\*\\*/)?[ab*]{1,2}(/[ab*]{1,2})?/?", 0..6),
            names in prop::collection::vec("[ab]{1,2}", 1..5),
        ) {
            let selection = Selection::new(&patterns).unwrap();
            let path = path(&names.join("/"));
            let outside = path.parent().unwrap();
            if !selection.takes(&outside, true) {
                prop_assert!(!selection.takes(&path, false) && !selection.takes(&path, true));
            } else {
                prop_assert_eq!(selection.takes(&path, true), selection.takes_inside(&path, true));
            }
        }

        #[test]
        fn a_path_with_a_slash_in_front_leaves_out_itself_only(names in prop::collection::vec("[a-c]{1,2}", 1..4), other in prop::collection::vec("[a-c]{1,2}", 1..4)) {
            let selection = Selection::new(&[format!("/{}", names.join("/"))]).unwrap();
            prop_assert_eq!(!takes(&selection, &other.join("/")), other.starts_with(&names));
        }
    }
}
