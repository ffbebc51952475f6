//! Keys from the bytes that a terminal sends for them (xterm's, which all others send too).

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewKey {
    /// A character.
    Char(char),
    /// With Ctrl held, as its letter in lower case.
    Ctrl(char),
    /// Return.
    Enter,
    /// Escape, alone.
    Escape,
    /// Tab.
    Tab,
    /// The key that takes back a character.
    Backspace,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
}

/// The keys in what was read at once: a sequence comes whole. What is none is passed over.
pub fn parse(bytes: &[u8]) -> Vec<ViewKey> {
    let mut keys = Vec::new();
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let (key, left) = match first {
            0x1b => escape(after),
            b'\r' | b'\n' => (Some(ViewKey::Enter), after),
            b'\t' => (Some(ViewKey::Tab), after),
            0x08 | 0x7f => (Some(ViewKey::Backspace), after),
            1..=26 => (Some(ViewKey::Ctrl(char::from(first - 1 + b'a'))), after),
            0..0x20 => (None, after),
            0x20..0x7f => (Some(ViewKey::Char(char::from(first))), after),
            0x80.. => character(rest),
        };
        keys.extend(key);
        rest = left;
    }
    keys
}

/// The key of a sequence, behind its ESC.
fn escape(after: &[u8]) -> (Option<ViewKey>, &[u8]) {
    let Some((b'[' | b'O', body)) = after.split_first() else {
        // With Alt held, a key sends ESC before it: it is none of ours. ESC alone is.
        return match after.split_first() {
            None => (Some(ViewKey::Escape), after),
            Some((_, left)) => (None, left),
        };
    };
    let Some(end) = body.iter().position(|byte| (0x40..=0x7e).contains(byte)) else { return (None, &[]) };
    let (parameters, last) = body.split_at(end);
    let (last, left) = last.split_first().map_or((0, &[][..]), |(last, left)| (*last, left));
    let key = match (last, parameters.split(|byte| *byte == b';').next().unwrap_or_default()) {
        (b'A', _) => Some(ViewKey::Up),
        (b'B', _) => Some(ViewKey::Down),
        (b'C', _) => Some(ViewKey::Right),
        (b'D', _) => Some(ViewKey::Left),
        (b'H', _) | (b'~', b"1" | b"7") => Some(ViewKey::Home),
        (b'F', _) | (b'~', b"4" | b"8") => Some(ViewKey::End),
        (b'~', b"5") => Some(ViewKey::PageUp),
        (b'~', b"6") => Some(ViewKey::PageDown),
        (b'Z', _) => Some(ViewKey::Tab),
        _ => None,
    };
    (key, left)
}

/// A character outside ASCII.
fn character(bytes: &[u8]) -> (Option<ViewKey>, &[u8]) {
    for length in 2..=4 {
        let (head, left) = bytes.split_at(length.min(bytes.len()));
        if let Ok(text) = std::str::from_utf8(head) {
            return (text.chars().next().map(ViewKey::Char), left);
        }
    }
    (None, bytes.get(1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_as_terminals_send_them() {
        for (bytes, keys) in [
            (&b"jk"[..], vec![ViewKey::Char('j'), ViewKey::Char('k')]),
            (b"\x1b", vec![ViewKey::Escape]),
            (
                b"\x1b[A\x1bOB\x1b[5~\x1b[6;2~",
                vec![ViewKey::Up, ViewKey::Down, ViewKey::PageUp, ViewKey::PageDown],
            ),
            (b"\x1b[1~\x1b[4~\x1b[H\x1bOF", vec![ViewKey::Home, ViewKey::End, ViewKey::Home, ViewKey::End]),
            (b"\r\t\x7f\x15", vec![ViewKey::Enter, ViewKey::Tab, ViewKey::Backspace, ViewKey::Ctrl('u')]),
            ("ä漢".as_bytes(), vec![ViewKey::Char('ä'), ViewKey::Char('漢')]),
            (b"\x1bx\x1b[200~q\x1b[", vec![ViewKey::Char('q')]),
            (b"\xff\xffq", vec![ViewKey::Char('q')]),
        ] {
            assert_eq!(parse(bytes), keys, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_typed_panics(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(parse(&bytes).len() <= bytes.len());
        }
    }
}
