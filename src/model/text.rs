//! Text from hosts made safe for a screen and for a CI runner's log: the one place that knows which bytes
//! may act on a reader. Pure; it never decides whether text is shown, nor where.

use std::borrow::Cow;
use std::fmt::Write;

/// Stands where a text from a host was cut for a message, maybe within a secret.
pub const CUT: char = '\u{2026}';

/// The beginning of what a host said, in so many bytes at most, with a mark where more follows.
pub fn beginning(said: &[u8], most: usize) -> String {
    match said.get(..most) {
        Some(start) if start.len() < said.len() => format!("{}{CUT}", String::from_utf8_lossy(start)),
        Some(_) | None => String::from_utf8_lossy(said).into_owned(),
    }
}

/// The end of it.
pub fn ending(said: &[u8], most: usize) -> String {
    match said.len().checked_sub(most).and_then(|from| said.get(from..)) {
        Some(end) if end.len() < said.len() => format!("{CUT}{}", String::from_utf8_lossy(end)),
        Some(_) | None => String::from_utf8_lossy(said).into_owned(),
    }
}

/// Ends all colours and attributes.
pub const RESET: &str = "\x1b[0m";

/// Parameters of a colour sequence longer than this are nobody's colour.
const SGR_MAX: usize = 64;

/// What becomes of colour sequences (SGR: `ESC [ digits ; : m`) in text from a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sgr {
    /// They stay; a line that leaves a colour switched on gets a reset at its end.
    Keep,
    /// They become visible escapes like every other control sequence.
    Escape,
}

/// Makes one line from a host printable: nothing in it can move a cursor, hide text or end the line.
///
/// `line` is a line with or without its end; `\n`, `\r\n` or a last `\r` is cut off. Every other control
/// character (C0 but tab, DEL, C1), byte that is not UTF-8, bidirectional control, line separator and
/// zero-width character becomes a visible escape: `\r`, `\x1b`, `\xff`, `\u{202e}`. The rest is unchanged,
/// backslashes too: the result is for eyes and cannot be decoded. Applying it twice changes nothing more.
/// Borrows when there was nothing to do.
pub fn sanitize(line: &[u8], sgr: Sgr) -> Cow<'_, str> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match plain(line) {
        Some(text) => Cow::Borrowed(text),
        None => Cow::Owned(escape(line, sgr)),
    }
}

/// Whether a character acts on a reader instead of being seen.
///
/// Control characters but tab, bidirectional controls, line and paragraph separators, annotations, and what takes no
/// room and shows nothing: the characters of Unicode's property `Default_Ignorable_Code_Point` (Unicode Standard Annex
/// 44), in which text can be hidden. Combining accents are seen.
pub fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\x08' | '\x0a'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character only chooses between the text and the picture of the one before it, as in the emoji of many
/// programs: U+FE0E, U+FE0F. One stands; more of them would be hidden text.
fn chooses_look(c: char, before: Option<char>) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}')
        && before.is_some_and(|before| !before.is_whitespace() && !is_hidden(before))
}

/// Breaks what a CI runner would take for a command in a line of its log.
///
/// The first character of each becomes a visible escape: `##word[` anywhere (`##[`, `##vso[`,
/// `##teamcity[`), `::` at the start of the line after white space, `section_start:` and `section_end:`
/// anywhere; letter case does not matter. Borrows when there was nothing to do.
pub fn neutralize_ci(line: &str) -> Cow<'_, str> {
    let bytes = line.as_bytes();
    let indent = line.len() - line.trim_start().len();
    let mut out = String::new();
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let rest = bytes.get(at..).unwrap_or_default();
        let acts = match byte {
            b':' => at == indent && rest.starts_with(b"::"),
            b'#' => is_hash_command(rest),
            b's' | b'S' => is_section(rest),
            _ => false,
        };
        if acts {
            out.push_str(line.get(copied..at).unwrap_or_default());
            push_byte(&mut out, byte);
            copied = at + 1;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(line);
    }
    out.push_str(line.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// The line itself when all of it is visible.
fn plain(line: &[u8]) -> Option<&str> {
    // No early exit within a chunk: the compiler turns the fold into vector instructions.
    let ascii = line.chunks(64).all(|chunk| {
        chunk.iter().fold(true, |plain, &byte| plain & (matches!(byte, b' '..=b'~') | (byte == b'\t')))
    });
    let text = std::str::from_utf8(line).ok()?;
    (ascii || !text.contains(is_hidden)).then_some(text)
}

fn escape(line: &[u8], sgr: Sgr) -> String {
    let mut out = String::with_capacity(line.len() + 16);
    let mut coloured = false;
    let mut before = None;
    for chunk in line.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(c) = rest.chars().next() {
            let colour = if sgr == Sgr::Keep { leading_sgr(rest) } else { None };
            let taken = match colour {
                Some(sequence) => {
                    out.push_str(sequence);
                    coloured = !matches!(sequence, RESET | "\x1b[m");
                    sequence.len()
                }
                None => {
                    if chooses_look(c, before) {
                        out.push(c);
                    } else {
                        push_char(&mut out, c);
                    }
                    before = Some(c);
                    c.len_utf8()
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        for &byte in chunk.invalid() {
            push_byte(&mut out, byte);
        }
    }
    if coloured {
        out.push_str(RESET);
    }
    out
}

/// The colour sequence that a text starts with, if it starts with a complete one.
fn leading_sgr(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\x1b[")?;
    let length = parameters.bytes().take(SGR_MAX + 1).position(|byte| !matches!(byte, b'0'..=b';'))?;
    (parameters.as_bytes().get(length) == Some(&b'm')).then(|| text.get(..length + 3))?
}

fn push_char(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        c if !is_hidden(c) => out.push(c),
        c => match u8::try_from(c) {
            Ok(byte) if byte.is_ascii() => push_byte(out, byte),
            _ => write!(out, "\\u{{{:x}}}", u32::from(c)).expect("writing to a String cannot fail"),
        },
    }
}

fn push_byte(out: &mut String, byte: u8) {
    write!(out, "\\x{byte:02x}").expect("writing to a String cannot fail");
}

/// GitHub's runner, Azure Pipelines and TeamCity search the whole line for `##[`, `##vso[`, `##teamcity[`.
fn is_hash_command(rest: &[u8]) -> bool {
    rest.strip_prefix(b"##")
        .is_some_and(|word| word.iter().find(|byte| !byte.is_ascii_alphabetic()) == Some(&b'['))
}

/// GitLab's collapsible sections.
fn is_section(rest: &[u8]) -> bool {
    [&b"section_start:"[..], b"section_end:"]
        .iter()
        .any(|marker| rest.get(..marker.len()).is_some_and(|start| start.eq_ignore_ascii_case(marker)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::model::text::{Sgr, chooses_look, is_hidden, neutralize_ci, sanitize};

    #[test]
    fn table_of_lines() {
        for (input, kept, escaped) in [
            (&b"plain text\t100%"[..], "plain text\t100%", "plain text\t100%"),
            (b"line end\n", "line end", "line end"),
            (b"dos line end\r\n", "dos line end", "dos line end"),
            (b"10%\r20%\r\n", "10%\\r20%", "10%\\r20%"),
            (b"two\nlines", "two\\nlines", "two\\nlines"),
            (b"\x1b[31mred", "\x1b[31mred\x1b[0m", "\\x1b[31mred"),
            (b"\x1b[31mred\x1b[m.", "\x1b[31mred\x1b[m.", "\\x1b[31mred\\x1b[m."),
            (b"\x1b[38:2:1:2:3mx", "\x1b[38:2:1:2:3mx\x1b[0m", "\\x1b[38:2:1:2:3mx"),
            (b"\x1b[2J\x1b]52;c;eA==\x07", "\\x1b[2J\\x1b]52;c;eA==\\x07", "\\x1b[2J\\x1b]52;c;eA==\\x07"),
            (b"\x1b[31", "\\x1b[31", "\\x1b[31"),
            (b"\x1b[>4m", "\\x1b[>4m", "\\x1b[>4m"),
            (b"\x9b2J \xff", "\\x9b2J \\xff", "\\x9b2J \\xff"),
            ("\u{9b}2J".as_bytes(), "\\u{9b}2J", "\\u{9b}2J"),
            (
                "a\u{202e}b\u{200b}c\u{feff}".as_bytes(),
                "a\\u{202e}b\\u{200b}c\\u{feff}",
                "a\\u{202e}b\\u{200b}c\\u{feff}",
            ),
            (b"\x08\x7f\0", "\\x08\\x7f\\x00", "\\x08\\x7f\\x00"),
            ("größe ✓ 漢字".as_bytes(), "größe ✓ 漢字", "größe ✓ 漢字"),
            ("u\u{308}ber".as_bytes(), "u\u{308}ber", "u\u{308}ber"),
            ("⚠\u{fe0f} old".as_bytes(), "⚠\u{fe0f} old", "⚠\u{fe0f} old"),
            (
                "⚠\u{fe0f}\u{fe0e} \u{fe0f}".as_bytes(),
                "⚠\u{fe0f}\\u{fe0e} \\u{fe0f}",
                "⚠\u{fe0f}\\u{fe0e} \\u{fe0f}",
            ),
            ("\u{3164}\u{e0101}".as_bytes(), "\\u{3164}\\u{e0101}", "\\u{3164}\\u{e0101}"),
            (b"", "", ""),
        ] {
            assert_eq!(sanitize(input, Sgr::Keep), kept, "{input:?}");
            assert_eq!(sanitize(input, Sgr::Escape), escaped, "{input:?}");
        }
    }

    #[test]
    fn visible_text_is_borrowed() {
        for text in ["", "ok", "größe ✓", "a\tb"] {
            assert!(matches!(sanitize(text.as_bytes(), Sgr::Keep), std::borrow::Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn endless_colour_parameters_are_not_a_colour() {
        let line = format!("\x1b[{}m", "1;".repeat(100));
        assert!(!sanitize(line.as_bytes(), Sgr::Keep).contains('\x1b'));
    }

    #[test]
    fn table_of_runner_commands() {
        for (input, output) in [
            ("##[set-output name=x]y", "\\x23#[set-output name=x]y"),
            ("text ###[group]", "text #\\x23#[group]"),
            ("##vso[task.setvariable]", "\\x23#vso[task.setvariable]"),
            ("a ##TeamCity[x] ##[y]", "a \\x23#TeamCity[x] \\x23#[y]"),
            ("::add-mask::x", "\\x3a:add-mask::x"),
            ("  ::error::x", "  \\x3a:error::x"),
            ("std::io::Error", "std::io::Error"),
            ("section_start:1:x", "\\x73ection_start:1:x"),
            ("x Section_End:1:x", "x \\x53ection_End:1:x"),
            ("## heading [1]", "## heading [1]"),
            ("sections: 3", "sections: 3"),
        ] {
            assert_eq!(neutralize_ci(input), output);
            assert_eq!(neutralize_ci(output), output);
        }
    }

    /// A terminal's parser, as far as needed: counts what is not printing, tab or SGR.
    fn actions(text: &str) -> usize {
        enum State {
            Ground,
            Escape,
            Csi(bool),
        }
        let mut state = State::Ground;
        let mut actions = 0;
        for c in text.chars() {
            state = match (state, c) {
                (State::Ground, '\x1b') => State::Escape,
                (State::Ground, '\t') => State::Ground,
                (State::Ground, c) => {
                    actions += usize::from(is_hidden(c) && !matches!(c, '\u{fe0e}' | '\u{fe0f}'));
                    State::Ground
                }
                (State::Escape, '[') => State::Csi(true),
                (State::Escape, _) => {
                    actions += 1;
                    State::Ground
                }
                (State::Csi(plain), '0'..=';') => State::Csi(plain),
                (State::Csi(true), 'm') => State::Ground,
                (State::Csi(_), '@'..='~') => {
                    actions += 1;
                    State::Ground
                }
                (State::Csi(_), _) => State::Csi(false),
            };
        }
        actions + usize::from(!matches!(state, State::Ground))
    }

    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..6),
            "\\PC{0,6}".prop_map(String::into_bytes),
            "\x1b\\[[0-9;:?>]{0,5}[mHJKA@]".prop_map(String::into_bytes),
            "[\x1b\x07\x08\r\n\u{9b}\u{9d}\u{202e}\u{200b}]{0,4}".prop_map(String::into_bytes),
            "(##|::|vso|\\[|section_start:|#| |teamcity){0,5}".prop_map(String::into_bytes),
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_action_survives(line in hostile()) {
            prop_assert_eq!(actions(&sanitize(&line, Sgr::Keep)), 0);
            let text = sanitize(&line, Sgr::Escape);
            let mut before = None;
            for c in text.chars() {
                prop_assert!(!is_hidden(c) || chooses_look(c, before), "{:?}", text);
                before = Some(c);
            }
        }

        #[test]
        fn twice_is_once(line in hostile()) {
            for sgr in [Sgr::Keep, Sgr::Escape] {
                let once = sanitize(&line, sgr).into_owned();
                prop_assert_eq!(sanitize(once.as_bytes(), sgr), once.as_str());
            }
        }

        #[test]
        fn colour_does_not_leak(line in hostile()) {
            let text = sanitize(&line, Sgr::Keep);
            if let Some((_, last)) = text.rsplit_once('\x1b') {
                prop_assert!(last.starts_with("[0m") || last.starts_with("[m"), "{:?}", text);
            }
        }

        #[test]
        fn visible_text_is_unchanged(line in "[ -~äß漢✓\t]{0,40}") {
            prop_assert_eq!(sanitize(line.as_bytes(), Sgr::Escape), line.as_str());
        }

        #[test]
        fn no_runner_sees_a_command(line in hostile()) {
            let text = neutralize_ci(&sanitize(&line, Sgr::Escape)).into_owned();
            let lower = text.to_lowercase();
            for marker in ["##[", "##vso[", "##teamcity[", "section_start:", "section_end:"] {
                prop_assert!(!lower.contains(marker), "{:?}", text);
            }
            prop_assert!(!text.trim_start().starts_with("::"), "{:?}", text);
            prop_assert_eq!(neutralize_ci(&text), text.as_str());
        }
    }
}
