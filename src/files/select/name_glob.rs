//! A glob for one name, and how a pattern falls into such globs.
//!
//! Each name is matched on its own, so nothing in a glob can ever cross a `/`: in globset a `[!a]` would.

use std::mem;

use globset::{Candidate, GlobBuilder, GlobMatcher};

/// Stands for names: `*`, `?`, `[a-z]`, `[!a-z]`, `{a,b}`, and `\` before one of them for itself.
///
/// Case counts. A leading dot is nothing special.
#[derive(Clone, Debug)]
pub struct NameGlob(Matcher);

/// Most patterns are plain names: they need no regular expression.
#[derive(Clone, Debug)]
enum Matcher {
    Exact(Vec<u8>),
    Glob(GlobMatcher),
}

impl NameGlob {
    /// Reads a glob that holds no `/`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        if !text.contains(['*', '?', '[', '{', '}', '\\']) {
            return Ok(Self(Matcher::Exact(text.as_bytes().to_vec())));
        }
        let glob = GlobBuilder::new(text)
            .case_insensitive(false)
            .literal_separator(true)
            .backslash_escape(true)
            .empty_alternates(true)
            .build()
            .map_err(|error| error.kind().to_string())?;
        Ok(Self(Matcher::Glob(glob.compile_matcher())))
    }

    /// Whether it stands for the name.
    pub fn matches(&self, name: &[u8]) -> bool {
        match &self.0 {
            Matcher::Exact(exact) => exact == name,
            Matcher::Glob(glob) => glob.is_match_candidate(&Candidate::from_bytes(name)),
        }
    }
}

/// Splits a pattern at each `/`.
///
/// # Errors
///
/// What is wrong with it: a `/` inside brackets, which no name can match, or a class that bytes cannot express.
pub(super) fn split(text: &str) -> Result<Vec<String>, String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut braces = 0_usize;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '/' && braces == 0 {
            parts.push(mem::take(&mut part));
            continue;
        }
        part.push(c);
        match c {
            '/' => return Err(SLASH_INSIDE.to_owned()),
            '{' => braces += 1,
            '}' => braces = braces.saturating_sub(1),
            // A `\` before a `/` stays at the end of its name, where it is an error.
            '\\' => part.extend(chars.next_if(|&next| next != '/')),
            '[' => {
                part.extend(chars.next_if(|&next| matches!(next, '!' | '^')));
                let mut first = true;
                while let Some(inside) = chars.next_if(|&next| first || next != ']') {
                    match inside {
                        '/' => return Err(SLASH_INSIDE.to_owned()),
                        _ if inside.is_ascii() => part.push(inside),
                        // Matching is by bytes: such a class would match halves of characters.
                        _ => return Err(format!("\"[...]\" takes ASCII characters only, got {inside:?}")),
                    }
                    first = false;
                }
                part.extend(chars.next());
            }
            _ => {}
        }
    }
    parts.push(part);
    Ok(parts)
}

const SLASH_INSIDE: &str = "\"/\" cannot stand inside \"[...]\" or \"{...}\"";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::files::select::name_glob::{NameGlob, split};

    #[test]
    fn names_match() {
        for (glob, yes, no) in [
            ("a.txt", &["a.txt"][..], &["A.txt", "a.txt.bak", "ba.txt"][..]),
            ("*", &["a", ".a", "a.", "...", "a\nb"], &[]),
            ("*.rs", &["a.rs", ".rs"], &["a.rs~", "a.RS"]),
            ("a?", &["ab", "a."], &["a", "abc"]),
            ("[a-c]x", &["ax", "cx"], &["dx", "x"]),
            ("[!a-c]x", &["dx"], &["ax", "x"]),
            ("[]a]", &["]", "a"], &["b"]),
            ("{a,b*}.c", &["a.c", "bb.c"], &["c.c"]),
            ("a{,b}", &["a", "ab"], &["b"]),
            (r"\*", &["*"], &["a", r"\*"]),
            (r"a\ ", &["a "], &["a"]),
            ("**", &["a"], &[]),
            ("a,b", &["a,b"], &["a"]),
        ] {
            let glob_ = NameGlob::new(glob).unwrap();
            for name in yes {
                assert!(glob_.matches(name.as_bytes()), "{glob} {name:?}");
            }
            for name in no {
                assert!(!glob_.matches(name.as_bytes()), "{glob} {name:?}");
            }
        }
    }

    #[test]
    fn names_that_are_no_text_match() {
        assert!(NameGlob::new("*.txt").unwrap().matches(b"\xff\xfe.txt"));
        assert!(!NameGlob::new("*.txt").unwrap().matches(b"\xff.bin"));
    }

    #[test]
    fn bad_globs_are_refused() {
        for glob in ["[a", "{a", "a}", r"a\", "[z-a]"] {
            assert!(NameGlob::new(glob).is_err(), "{glob}");
        }
    }

    #[test]
    fn patterns_fall_into_names() {
        for (text, parts) in [
            ("", &[""][..]),
            ("a", &["a"]),
            ("/a/", &["", "a", ""]),
            ("a/**/[!]x]/{b,c}", &["a", "**", "[!]x]", "{b,c}"]),
            (r"a\{/b", &[r"a\{", "b"]),
            (r"a\/b", &[r"a\", "b"]),
            (r"\[a/b]", &[r"\[a", "b]"]),
        ] {
            assert_eq!(split(text).unwrap(), parts, "{text}");
        }
        for text in ["{a/b,c}", "[a/b]", "[/]", "[é]"] {
            assert!(split(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[ab/*?{},!\\[\\]\\\\^é-]{0,12}", name in prop::collection::vec(any::<u8>(), 0..8)) {
            if let Ok(parts) = split(&text) {
                prop_assert_eq!(parts.join("/"), text);
                for part in parts {
                    let _ = NameGlob::new(&part).map(|glob| glob.matches(&name));
                }
            }
        }

        #[test]
        fn plain_text_matches_itself(name in "[a-z.,!# -]{1,10}") {
            prop_assert!(NameGlob::new(&name).unwrap().matches(name.as_bytes()));
        }
    }
}
