//! The spellings in which a secret may turn up: as it is, in base64, in hexadecimal digits, in URLs, in JSON, quoted
//! for a shell, and line by line.

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXLOWER, HEXUPPER};
use zeroize::Zeroizing;

use crate::model::redact::undone::Undone;
use crate::model::shell::spelling::{Spelling, escaped};

/// Bytes that a line of a secret needs to be looked for by itself. Shorter ones are likely elsewhere, too: `}`, `end`.
const MIN_LINE: usize = 8;

/// A longer secret is a file: it is looked for as it is, line by line, in base64 and in JSON.
const MAX_ALL_FORMS: usize = 4 * 1024;

/// Adds all forms of a secret; some may come twice.
pub(super) fn of(secret: &str, forms: &mut Vec<Zeroizing<Vec<u8>>>) {
    let mut add = |form: String| {
        if form.len() >= MIN_SECRET {
            forms.push(Zeroizing::new(form.into_bytes()));
        }
    };
    one(secret, &mut add);
    if secret.len() <= MAX_ALL_FORMS {
        base64(&utf16(secret, u16::to_le_bytes), &mut add);
    }
    let mut lines = secret.lines().map(str::trim).filter(|line| line.len() >= MIN_LINE).peekable();
    if secret.contains('\n') && lines.peek().is_some() {
        // As a terminal on the host writes it.
        add(secret.replace('\n', "\r\n"));
        // The first and last lines of keys and certificates are no secrets.
        lines.filter(|line| !line.starts_with("-----")).for_each(|line| one(line, &mut add));
    }
    if (MIN_SECRET..=MAX_ALL_FORMS).contains(&secret.len()) {
        // As PowerShell and other programs of Windows write.
        forms.extend([u16::to_le_bytes, u16::to_be_bytes].map(|bytes| utf16(secret, bytes)));
    }
}

/// A text in UTF-16.
fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.encode_utf16().flat_map(bytes).collect())
}

/// As Python's `ascii()` and JavaScript write what is not ASCII: by its code point.
fn points(text: &str, add: &mut impl FnMut(String)) {
    if text.is_ascii() {
        return;
    }
    let written = |slashes: bool, wide: &dyn Fn(u32) -> String| {
        text.chars().fold(String::new(), |mut out, c| {
            match (c, u32::from(c)) {
                ('\\', _) if slashes => out.push_str("\\\\"),
                ('\n', _) => out.push_str("\\n"),
                (c, _) if c.is_ascii() => out.push(c),
                (_, point @ ..=0xff) => out.push_str(&format!("\\x{point:02x}")),
                (_, point) => out.push_str(&wide(point)),
            }
            out
        })
    };
    let units = |point: u32| {
        char::from_u32(point).map_or_else(String::new, |c| {
            c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
        })
    };
    let python = |point: u32| {
        if point <= 0xffff { format!("\\u{point:04x}") } else { format!("\\U{point:08x}") }
    };
    for slashes in [true, false] {
        add(written(slashes, &python));
        add(written(slashes, &units));
        add(written(slashes, &|point| format!("\\u{{{point:x}}}")));
    }
    add(text.escape_default().to_string());
    // JavaScript's `escape`.
    add(text.chars().fold(String::new(), |mut out, c| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            match *unit {
                unit @ ..=0x7f if c.is_ascii_alphanumeric() || "@*_+-./".contains(c) => {
                    out.extend(char::from_u32(unit.into()));
                }
                unit @ ..=0xff => out.push_str(&format!("%{unit:02X}")),
                unit => out.push_str(&format!("%u{unit:04X}")),
            }
        }
        out
    }));
}

/// Adds what is looked for where all quoting is undone: what quoting does not change, and base64, which may be quoted
/// as any text.
pub(super) fn undone(secret: &str, patterns: &mut Vec<Zeroizing<Vec<u8>>>) {
    let mut add = |form: String| {
        let form = Zeroizing::new(form);
        let undone = Undone::of(form.as_bytes(), true).bytes;
        if undone.len() < MIN_UNDONE {
            return;
        }
        // Behind a backslash of what stands before it, its first character would be a code.
        let first = undone.first().is_some_and(|&byte| b"abefnrtvxuU01234567".contains(&byte));
        if first && undone.len() > MIN_SECRET {
            patterns.push(Zeroizing::new(undone.get(1..).unwrap_or_default().to_vec()));
        }
        patterns.push(Zeroizing::new(undone));
    };
    add(secret.to_owned());
    base64(secret.as_bytes(), &mut add);
    if secret.contains('\n') {
        let lines = secret.lines().map(str::trim).filter(|line| line.len() >= MIN_LINE);
        for line in lines.filter(|line| !line.starts_with("-----")) {
            add(line.to_owned());
            base64(line.as_bytes(), &mut add);
        }
    }
}

/// All forms of one text.
fn one(text: &str, add: &mut impl FnMut(String)) {
    add(text.to_owned());
    base64(text.as_bytes(), add);
    json(text, add);
    points(text, add);
    if text.len() <= MAX_ALL_FORMS {
        add(HEXLOWER.encode(text.as_bytes()));
        add(HEXUPPER.encode(text.as_bytes()));
        urls(text, add);
        quoted(text, add);
    }
}

/// The characters of base64 that depend on nothing but the text, for each of the three ways in which it may stand in
/// what is encoded: `user:password` in a header is one.
fn base64(text: &[u8], add: &mut impl FnMut(String)) {
    const ALPHABETS: [Encoding; 2] = [BASE64_NOPAD, BASE64URL_NOPAD];
    for (before, mixed) in [(0, 0), (1, 2), (2, 3)] {
        let mut padded = Zeroizing::new(vec![0; before]);
        padded.extend_from_slice(text);
        // The character that the end shares with what comes behind is left out.
        let whole = padded.len() * 8 / 6;
        for alphabet in &ALPHABETS {
            let encoded = Zeroizing::new(alphabet.encode(&padded));
            add(encoded.get(mixed..whole).unwrap_or_default().to_owned());
        }
    }
}

/// JSON strings without their quotes, as serde, Python, PHP and Go write them, and Rust's messages.
fn json(text: &str, add: &mut impl FnMut(String)) {
    let plain = serde_json::Value::from(text).to_string();
    let plain = plain.get(1..plain.len() - 1).unwrap_or_default().to_owned();
    for upper in [false, true] {
        let code = |c: char, out: &mut String| {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") });
            }
        };
        let written = |special: &dyn Fn(char) -> bool| {
            plain.chars().fold(String::new(), |mut out, c| {
                if special(c) {
                    code(c, &mut out)
                } else {
                    out.push(c)
                }
                out
            })
        };
        add(written(&|c| !c.is_ascii()));
        add(written(&|c| matches!(c, '<' | '>' | '&')));
        add(written(&|c| matches!(c, '<' | '>' | '&' | '\'') || !c.is_ascii()));
    }
    add(plain.replace('/', "\\/"));
    add(text.escape_debug().to_string());
    add(plain);
}

/// Percent-encoded: RFC 3986's unreserved characters, the same with slashes, a browser's `encodeURIComponent`, forms.
fn urls(text: &str, add: &mut impl FnMut(String)) {
    for (unreserved, space) in [("-._~", "%20"), ("-._~/", "%20"), ("-._~!*'()", "%20"), ("-._*", "+")] {
        for upper in [false, true] {
            let mut encoded = String::new();
            for byte in text.bytes() {
                match byte {
                    b' ' => encoded.push_str(space),
                    byte if byte.is_ascii_alphanumeric() || unreserved.contains(char::from(byte)) => {
                        encoded.push(char::from(byte));
                    }
                    byte if upper => encoded.push_str(&format!("%{byte:02X}")),
                    byte => encoded.push_str(&format!("%{byte:02x}")),
                }
            }
            add(encoded);
        }
    }
}

/// As fan spells it itself, once and twice, and as shells print words (`set -x`, `printf %q`).
fn quoted(text: &str, add: &mut impl FnMut(String)) {
    for first in Spelling::ALL {
        let once = first.spell(text);
        for second in Spelling::ALL {
            add(second.spell(&once));
        }
        add(once);
    }
    add(text.replace('\'', "'\"'\"'"));
    let special: Vec<char> = text
        .chars()
        .filter(|c| c.is_ascii() && !c.is_ascii_alphanumeric() && !"_./:@%+-=,".contains(*c))
        .collect();
    add(escaped(text, &special));
}

/// Bytes that a secret needs to be looked for. A shorter one would be found everywhere, and its mask would tell more
/// about it than it hides.
pub const MIN_SECRET: usize = 6;

/// Bytes without quotes and backslashes that are looked for where quoting is undone.
pub(super) const MIN_UNDONE: usize = 4;
