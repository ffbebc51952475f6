//! Lines of an OpenSSH configuration as words: keyword, arguments, criteria. Knows no keyword by name.
//!
//! OpenSSH has two ways of splitting and both are here: one for keywords and the criteria of `Match`, where one
//! `=` counts as a blank (`strdelim` in misc.c), and one for arguments, with both kinds of quotes, backslashes
//! and comments (`argv_split` in misc.c).

/// What separates words.
pub(super) const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

/// A line with something on it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ConfigLine<'t> {
    /// The keyword in lower case.
    pub(super) keyword: String,
    /// Everything behind it, without blanks at the ends.
    pub(super) rest: &'t str,
    /// The keyword's column, from 1.
    pub(super) column: u32,
}

/// Splits off the keyword; a blank line or a comment has none.
pub(super) fn line(text: &str) -> Option<ConfigLine<'_>> {
    let text = text.trim_end_matches(['\u{c}', ' ', '\t', '\r', '\n']);
    let start = text.trim_start_matches(BLANK);
    if start.is_empty() || start.starts_with('#') {
        return None;
    }
    let blanks = text.chars().count().saturating_sub(start.chars().count());
    let mut rest = Some(start);
    // A keyword whose quote does not close is no keyword; it will be refused by its name.
    let keyword = delimited(&mut rest).unwrap_or_else(|| start.to_owned()).to_ascii_lowercase();
    Some(ConfigLine {
        keyword,
        rest: rest.unwrap_or_default().trim_start_matches(BLANK),
        column: u32::try_from(blanks).unwrap_or(u32::MAX).saturating_add(1),
    })
}

/// Takes the next word, which ends at a blank or at one `=` with blanks around it; `"..."` ends a word too.
///
/// Nothing when the text is used up, or when a quote does not close.
pub(super) fn delimited(rest: &mut Option<&str>) -> Option<String> {
    let text = rest.take()?;
    let Some(at) = text.find(|c: char| BLANK.contains(&c) || c == '"' || c == '=') else {
        return Some(text.to_owned());
    };
    let (word, after) = text.split_at(at);
    if let Some(quoted) = after.strip_prefix('"') {
        let (inside, after) = quoted.split_once('"')?;
        *rest = Some(after.trim_start_matches(BLANK));
        return Some(format!("{word}{inside}"));
    }
    let after = match after.strip_prefix('=') {
        Some(after) => after.trim_start_matches(BLANK),
        None => {
            let after = after.trim_start_matches(BLANK);
            after.strip_prefix('=').map_or(after, |after| after.trim_start_matches(BLANK))
        }
    };
    *rest = Some(after);
    Some(word.to_owned())
}

/// Splits arguments into words up to a comment; nothing when a quote does not close.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        match chars.peek() {
            None | Some('#') => return Some(words),
            Some(_) => {}
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(c) = chars.next() {
            match (c, quote) {
                ('\\', _) => {
                    let escaped = |c: &char| matches!(c, '\'' | '"' | '\\') || (quote.is_none() && *c == ' ');
                    word.push(chars.next_if(escaped).unwrap_or('\\'));
                }
                (' ' | '\t', None) => break,
                ('"' | '\'', None) => quote = Some(c),
                (_, Some(open)) if c == open => quote = None,
                (_, _) => word.push(c),
            }
        }
        if quote.is_some() {
            return None;
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords() {
        for (text, expected) in [
            ("Port 22", Some(("port", "22", 1))),
            ("  port=22  ", Some(("port", "22", 3))),
            ("PORT\t = \t22\r", Some(("port", "22", 1))),
            ("Port ==22", Some(("port", "=22", 1))),
            ("\"User\" bob", Some(("user", "bob", 1))),
            ("ProxyCommand nc \"%h\"  %p # x", Some(("proxycommand", "nc \"%h\"  %p # x", 1))),
            ("Port", Some(("port", "", 1))),
            ("# Port 1", None),
            (" \t#", None),
            ("", None),
            (" \t\u{c}", None),
        ] {
            let line = line(text);
            let found = line.as_ref().map(|line| (line.keyword.as_str(), line.rest, line.column));
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn arguments() {
        for (text, expected) in [
            ("a b\tc", Some(vec!["a", "b", "c"])),
            ("\"a b\" c", Some(vec!["a b", "c"])),
            ("a\"b c\"d", Some(vec!["ab cd"])),
            ("'a \"b\"'", Some(vec!["a \"b\""])),
            ("a\\ b \\\"c \\\\ d\\n", Some(vec!["a b", "\"c", "\\", "d\\n"])),
            ("\"a\\ b\"", Some(vec!["a\\ b"])),
            ("a#b # c", Some(vec!["a#b"])),
            ("\"\"", Some(vec![""])),
            ("# x \"", Some(vec![])),
            ("\"a", None),
            ("it's", None),
        ] {
            let found = words(text);
            let expected = expected.map(|words| words.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn criteria() {
        let all = |text: &str| {
            let mut rest = Some(text);
            std::iter::from_fn(|| delimited(&mut rest)).collect::<Vec<_>>()
        };
        assert_eq!(all("host=a,b  user \"x y\" all"), ["host", "a,b", "user", "x y", "all"]);
        assert_eq!(all("host a\"b c\"d"), ["host", "ab c", "d"]);
        assert_eq!(all("host \"a"), ["host"]);
    }
}
