//! The spellings that fan gives to texts on their way: within quotes, in octal, in messages. One table: whoever quotes
//! takes its row, and the search for secrets is tried against all of them, one in the other.
//!
//! Owns how a text is spelled; knows no places where it may stand.

use std::fmt::Write as _;

/// One spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// Between the single quotes of a POSIX shell.
    Single,
    /// Between its double quotes.
    Double,
    /// In the body of a heredoc that is expanded.
    Heredoc,
    /// For `printf %b`, in double quotes inside single quotes, in ASCII: every login shell reads it alike.
    Octal,
    /// Between the quotes of a message.
    Message,
    /// A JSON string without its quotes.
    Json,
    /// Text of HTML, as the filter `escape` of templates and reports write it.
    Html,
}

impl Spelling {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Single, Self::Double, Self::Heredoc, Self::Octal, Self::Message, Self::Json, Self::Html];

    /// Spells a text.
    pub fn spell(self, text: &str) -> String {
        match self {
            Self::Single => text.replace('\'', r"'\''"),
            Self::Double => escaped(text, &['\\', '"', '$', '`']),
            Self::Heredoc => escaped(text, &['\\', '$', '`']),
            Self::Octal => octal(text.as_bytes()),
            Self::Message => within(&format!("{text:?}")),
            Self::Json => within(&serde_json::Value::from(text).to_string()),
            Self::Html => html(text),
        }
    }
}

/// [`Spelling::Octal`] of any bytes.
pub(crate) fn octal(bytes: &[u8]) -> String {
    let mut octal = String::with_capacity(bytes.len() * 2);
    for &byte in bytes {
        match byte {
            b'\n' => octal.push_str("\\n"),
            b'\t' => octal.push_str("\\t"),
            // Inside the inner double quotes these three would act; the other loud ones in the outer quotes.
            b'"' | b'$' | b'`' => {
                let _ = write!(octal, "\\0{byte:03o}");
            }
            _ if is_quiet(byte) => octal.push(char::from(byte)),
            _ => {
                let _ = write!(octal, "\\0{byte:03o}");
            }
        }
    }
    octal
}

/// As MiniJinja does it.
fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            '/' => out.push_str("&#x2f;"),
            c => out.push(c),
        }
    }
    out
}

fn within(quoted: &str) -> String {
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}

/// A backslash before each of these.
pub(crate) fn escaped(text: &str, specials: &[char]) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if specials.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Whether every login shell reads the byte as itself inside single quotes.
///
/// `'` ends them; fish reads `\'` and `\\` there; csh acts on `!` and on newlines; bytes outside ASCII depend on
/// the host's locale.
pub(super) fn is_quiet(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) && !matches!(byte, b'\'' | b'\\' | b'!')
}
