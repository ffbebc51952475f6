//! One word for the shell: what has to be quoted, and how.

use std::borrow::Cow;

use crate::model::shell::error::ShellError;
use crate::model::shell::spelling::Spelling;

/// Quotes a text so that a POSIX shell (sh, bash, zsh, ksh) reads exactly one word from it.
///
/// Words that need no quotes stay as they are.
pub fn quote_word(text: &str) -> Cow<'_, str> {
    if is_plain(text) && !is_reserved(text) { Cow::Borrowed(text) } else { Cow::Owned(single_quoted(text)) }
}

/// Whether every shell reads the text as itself wherever a word may stand.
///
/// `=` is left out because zsh expands `=ls` and because `a=b` in front of a command is an assignment; `,`
/// because it parts a brace expansion. An option like `--owner=me` is neither.
pub(crate) fn is_plain(text: &str) -> bool {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b"_./:@%+-".contains(&b);
    !text.is_empty() && text.bytes().all(|b| safe(b) || (b == b'=' && text.starts_with('-')))
}

/// Whether a shell takes the word for a part of its grammar when it stands first in a command.
pub(crate) fn is_reserved(text: &str) -> bool {
    const RESERVED: &[&str] = &[
        "if",
        "then",
        "else",
        "elif",
        "fi",
        "do",
        "done",
        "case",
        "esac",
        "while",
        "until",
        "for",
        "foreach",
        "in",
        "end",
        "select",
        "function",
        "time",
        "coproc",
        "repeat",
        "nocorrect",
        "noglob",
    ];
    RESERVED.contains(&text)
}

/// Puts a text in single quotes; a quote inside becomes `'\''`.
pub(crate) fn single_quoted(text: &str) -> String {
    format!("'{}'", Spelling::Single.spell(text))
}

/// Puts bytes in single quotes, as [`quote_word`] does with texts that need them.
pub fn single_quoted_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(bytes.len() + 2);
    quoted.push(b'\'');
    for &byte in bytes {
        if byte == b'\'' { quoted.extend_from_slice(b"'\\''") } else { quoted.push(byte) }
    }
    quoted.push(b'\'');
    quoted
}

/// Whether an interpreter reads quotes as POSIX shells do, by its name: `bash`, `/bin/sh`, `busybox sh`.
pub(crate) fn is_posix_family(interpreter: &str) -> bool {
    const FAMILY: &[&str] = &["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "busybox"];
    let program = interpreter.split(' ').next().unwrap_or_default();
    FAMILY.contains(&program.rsplit('/').next().unwrap_or(program))
}

/// The interpreter, when it is one that every login shell reads as it stands.
pub(crate) fn plain_interpreter(interpreter: &str) -> Result<&str, ShellError> {
    let plain = interpreter.split(' ').all(|word| is_plain(word) && !word.contains('='));
    if plain { Ok(interpreter) } else { Err(ShellError::Interpreter(interpreter.to_owned())) }
}
