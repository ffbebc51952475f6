//! The words of a host's line in an INI inventory, as Python's `shlex.split(line, comments=True)` has them.

/// Words, each with the byte at which it begins; `None` when a quote or a backslash is left open.
pub(super) fn words(line: &str) -> Option<Vec<(usize, String)>> {
    let mut words = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let mut quote = None;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some(sign), c) if c == sign => quote = None,
            (Some('"'), '\\') => {
                let (_, next) = chars.next()?;
                let (_, word) = open.as_mut()?;
                if !matches!(next, '"' | '\\') {
                    word.push('\\');
                }
                word.push(next);
            }
            (Some(_), c) => open.as_mut()?.1.push(c),
            (None, ' ' | '\t' | '\r' | '\n') => words.extend(open.take()),
            // Also in the middle of a word.
            (None, '#') => break,
            (None, '\'' | '"') => {
                open.get_or_insert((at, String::new()));
                quote = Some(c);
            }
            (None, '\\') => {
                let (_, next) = chars.next()?;
                open.get_or_insert((at, String::new())).1.push(next);
            }
            (None, c) => open.get_or_insert((at, String::new())).1.push(c),
        }
    }
    words.extend(open);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_shlex_does() {
        let split =
            |line| words(line).map(|words| words.into_iter().map(|(_, word)| word).collect::<Vec<_>>());
        for (line, expected) in [
            ("web1 a=1  b='x y'", vec!["web1", "a=1", "b=x y"]),
            ("a=\"1 \\\"2\\\" \\n\"", vec!["a=1 \"2\" \\n"]),
            ("a='\\'", vec!["a=\\"]),
            ("a\\ b # c", vec!["a b"]),
            ("a=b#c d", vec!["a=b"]),
            ("a='b#c' ''", vec!["a=b#c", ""]),
            ("# only", vec![]),
        ] {
            assert_eq!(split(line), Some(expected.into_iter().map(str::to_owned).collect()), "{line}");
        }
        for open in ["a='b", "a=\"b", "a\\"] {
            assert_eq!(split(open), None, "{open}");
        }
    }
}
