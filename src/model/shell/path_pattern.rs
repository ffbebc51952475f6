//! Patterns of paths on a host, as a POSIX shell reads them: `*`, `?` and `[a-z]`. Owns what is a pattern and what is a
//! text, and how both are spelled in a script; refuses to look at any disk.

use crate::model::shell::quote::single_quoted;

/// A path with patterns in it, or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern(Vec<PatternPiece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum PatternPiece {
    Text(String),
    /// `*`
    Any,
    /// `?`
    One,
    /// `[abc]`, `[!a-z]`
    Set {
        negated: bool,
        characters: String,
    },
}

/// Characters that mean something in a pattern. A backslash before one of them takes its meaning.
const SPECIAL: [char; 5] = ['*', '?', '[', ']', '\\'];

/// A value in a pattern: it stands for itself.
pub fn pattern_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if SPECIAL.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

impl PathPattern {
    /// Reads a path: every text is one.
    pub fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let after = rest.get(c.len_utf8()..).unwrap_or_default();
            let (part, behind) = match c {
                '\\' if after.starts_with(SPECIAL) => {
                    plain.extend(after.chars().next());
                    (None, after.get(1..).unwrap_or_default())
                }
                '*' => (Some(PatternPiece::Any), after),
                '?' => (Some(PatternPiece::One), after),
                '[' => match set(after) {
                    Some((set, behind)) => (Some(set), behind),
                    None => {
                        plain.push(c);
                        (None, after)
                    }
                },
                other => {
                    plain.push(other);
                    (None, after)
                }
            };
            if let Some(part) = part {
                if !plain.is_empty() {
                    parts.push(PatternPiece::Text(std::mem::take(&mut plain)));
                }
                parts.push(part);
            }
            rest = behind;
        }
        if !plain.is_empty() {
            parts.push(PatternPiece::Text(plain));
        }
        Self(parts)
    }

    /// The path, when there is no pattern in it.
    pub fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [PatternPiece::Text(path)] => Some(path),
            _ => None,
        }
    }

    /// The folder in which the first pattern begins to be looked for.
    pub fn folder(&self) -> &str {
        let Some(PatternPiece::Text(first)) = self.0.first() else { return "." };
        match first.rfind('/') {
            Some(0) => "/",
            Some(end) => first.get(..end).unwrap_or_default(),
            None => ".",
        }
    }

    /// One word of a script, which a POSIX shell expands to the paths that there are.
    pub fn word(&self) -> String {
        let mut word = String::new();
        for part in &self.0 {
            match part {
                PatternPiece::Text(text) => word.push_str(&single_quoted(text)),
                PatternPiece::Any => word.push('*'),
                PatternPiece::One => word.push('?'),
                PatternPiece::Set { negated, characters } => {
                    word.push_str(if *negated { "[!" } else { "[" });
                    for c in characters.chars() {
                        if !c.is_ascii_alphanumeric() && c != '-' {
                            word.push('\\');
                        }
                        word.push(c);
                    }
                    word.push(']');
                }
            }
        }
        word
    }
}

/// A set of characters, behind its bracket; none when it has no end, or could match a slash or a line end.
fn set(after: &str) -> Option<(PatternPiece, &str)> {
    let negated = after.starts_with(['!', '^']);
    let inner = if negated { after.get(1..)? } else { after };
    let mut characters = String::new();
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            '/' | '\n' => return None,
            ']' if !escaped && !characters.is_empty() => {
                return Some((PatternPiece::Set { negated, characters }, inner.get(at + 1..)?));
            }
            '\\' if !escaped => escaped = true,
            c => {
                characters.push(c);
                escaped = false;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_patterns_is_itself() {
        for (text, path) in [
            ("/srv/app", "/srv/app"),
            ("", ""),
            (r"/a\*b\[c\]\\d", r"/a*b[c]\d"),
            (r"/a\b", r"/a\b"),
            ("/a[b", "/a[b"),
            ("/a[b/c]", "/a[b/c]"),
            ("/a[]", "/a[]"),
            ("/a'b $(c)", "/a'b $(c)"),
        ] {
            assert_eq!(PathPattern::parse(text).literal(), Some(path), "{text}");
        }
        for value in ["a*b?[c]", r"\*", r"a\", "[!x]", ""] {
            let pattern = PathPattern::parse(&pattern_text(value));
            assert_eq!(pattern.literal(), Some(value), "{value}");
        }
    }

    #[test]
    fn patterns_stay_outside_of_quotes_and_texts_inside() {
        for (text, word, folder) in [
            ("/srv/*.jar", "'/srv/'*'.jar'", "/srv"),
            ("*", "*", "."),
            ("/?", "'/'?", "/"),
            ("a b/$(reboot)*'", r"'a b/$(reboot)'*''\'''", "a b"),
            ("/x/v[0-9]*/bin", "'/x/v'[0-9]*'/bin'", "/x"),
            ("x[!a;b]", r"'x'[!a\;b]", "."),
            (r"x[\]]", r"'x'[\]]", "."),
            ("x[]a]", r"'x'[\]a]", "."),
        ] {
            let pattern = PathPattern::parse(text);
            assert_eq!(pattern.literal(), None, "{text}");
            assert_eq!(pattern.word(), word, "{text}");
            assert_eq!(pattern.folder(), folder, "{text}");
        }
    }
}
