//! Command lines: quoting of words, the prelude of a task's script, and the one line that every login shell
//! reads alike. Owns what is written; refuses to run anything and to know about hosts.

use std::borrow::Cow;
use std::fmt::Write as _;

use thiserror::Error;

pub mod carried;
mod failing;
pub mod launch;
pub mod marks;
pub mod watchdog;

use crate::model::shell::marks::{Mark, Token};

/// The longest command line that a Linux host takes, in bytes.
///
/// The kernel's `MAX_ARG_STRLEN` (`include/uapi/linux/binfmts.h`) is 32 pages for one argument with its NUL,
/// and sshd hands the whole line to the login shell as one argument of `-c`.
pub const MAX_LINE: usize = 131_071;

/// Why a command line cannot be composed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShellError {
    /// The line is longer than [`MAX_LINE`].
    #[error("the command line has {size} bytes, and a host takes at most {MAX_LINE}")]
    TooLong {
        /// Bytes that the line would have.
        size: usize,
    },
    /// A NUL byte ends an argument for the kernel: it cannot be sent.
    #[error("{0} holds a NUL byte, which no command line can carry")]
    Nul(&'static str),
    /// The name of an environment variable is none that a shell can export.
    #[error("{0:?} cannot be the name of an environment variable")]
    EnvName(String),
    /// The interpreter is not a plain command.
    #[error("{0:?} cannot be called as a shell")]
    Interpreter(String),
    /// The user to become is no name.
    #[error("{0:?} cannot be the name of a user")]
    User(String),
    /// The folder to run in is empty text.
    #[error("the folder to run in is empty")]
    EmptyFolder,
    /// The list is empty, or its first argument is no program.
    #[error("the argument list does not begin with a program")]
    NoProgram,
}

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
    format!("'{}'", text.replace('\'', r"'\''"))
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

/// What surrounds the script of a step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prelude<'a> {
    /// Folder to run in; `~` and `~/...` mean the home folder, nothing else in it is expanded.
    pub cd: Option<&'a str>,
    /// Environment of the script, in order.
    pub env: &'a [(String, String)],
    /// Marks where the script begins on both streams, and the line at which it failed.
    pub token: Option<&'a Token>,
}

/// Composes a step's script for a POSIX shell: folder, environment, stop at the first failure, the user's lines.
///
/// When the folder cannot be entered, the script says so on stderr and exits with 1 before anything else
/// runs. Otherwise its exit status is that of the line that failed, or of the last one. Failing pipe stages
/// count where the shell has `pipefail`. The result ends with a newline, because a heredoc's last line needs it.
pub fn task_script(prelude: &Prelude<'_>, script: &str) -> Result<String, ShellError> {
    let mut text = String::with_capacity(script.len() + 1024);
    if let Some(token) = prelude.token {
        let start = token.prints(&Mark::Start);
        let _ = writeln!(text, "{start}; {start} >&2");
    }
    if let Some(folder) = prelude.cd {
        refuse_nul("the folder to run in", folder)?;
        let message = single_quoted(&format!("fan: cannot cd to {folder}"));
        let folder = folder_word(folder)?;
        let tell = prelude.token.map(|token| format!("{} >&2; ", token.prints(&Mark::NoFolder)));
        let tell = tell.unwrap_or_default();
        let _ = writeln!(text, "cd -- {folder} || {{ printf '%s\\n' {message} >&2; {tell}exit 1; }}");
    }
    for (name, value) in prelude.env {
        refuse_nul("the environment", value)?;
        if !is_env_name(name) {
            return Err(ShellError::EnvName(name.clone()));
        }
        let _ = writeln!(text, "export {name}={}", single_quoted(value));
    }
    // `set -e` comes last so that the script starts with status 0 where there is no pipefail.
    text.push_str("(set -o pipefail) 2>/dev/null && set -o pipefail\nset -e\n");
    if let Some(token) = prelude.token {
        let _ = writeln!(text, "{}", failing::prelude(token));
    }
    refuse_nul("the script", script)?;
    text.push_str(script);
    if !script.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// Composes the script that replaces the shell by a program, each argument reaching it as it is.
pub fn argv_line<S: AsRef<str>>(args: &[S]) -> Result<String, ShellError> {
    // A leading dash would be read by `exec` itself, and not every `exec` knows `--`.
    let named =
        args.first().map(AsRef::as_ref).filter(|program| !program.is_empty() && !program.starts_with('-'));
    if named.is_none() {
        return Err(ShellError::NoProgram);
    }
    let mut line = String::from("exec");
    for arg in args {
        refuse_nul("an argument", arg.as_ref())?;
        line.push(' ');
        line.push_str(&quote_word(arg.as_ref()));
    }
    Ok(line)
}

/// Composes the one line of ASCII that runs a script under an interpreter whatever the account's login shell.
///
/// sh, bash, zsh, ksh, fish, csh and tcsh read it alike. The interpreter is a command with plain words
/// (`sh`, `bash`, `busybox sh`); `-c` and the script are added. A script without characters that some login
/// shell treats specially inside single quotes stays readable; any other travels through `printf %b`.
pub fn login_shell_line(interpreter: &str, script: &str) -> Result<String, ShellError> {
    let interpreter = plain_interpreter(interpreter)?;
    refuse_nul("the script", script)?;
    let script = unlike_option(script);
    let line = if script.bytes().all(is_quiet) {
        format!("exec {interpreter} -c '{script}'")
    } else {
        encoded_line(interpreter, &script)
    };
    if line.len() > MAX_LINE { Err(ShellError::TooLong { size: line.len() }) } else { Ok(line) }
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

/// The script, spelled so that `sh -c` does not take it for an option.
fn unlike_option(script: &str) -> Cow<'_, str> {
    if script.starts_with(['-', '+']) { Cow::Owned(format!(" {script}")) } else { Cow::Borrowed(script) }
}

/// The line whose script is spelled in octal where a login shell might read it differently.
///
/// The inner `sh` is the only one that decodes. `X` at the end keeps `$(...)` from dropping newlines, and `&&`
/// keeps a host without a working `printf` from running nothing and calling it success.
fn encoded_line(interpreter: &str, script: &str) -> String {
    let octal = octal(script);
    format!("exec sh -c '_fan=$(printf %b \"{octal}X\") && exec {interpreter} -c \"${{_fan%X}}\"'")
}

/// A script for `printf %b`, in double quotes inside single quotes, in ASCII.
pub(crate) fn octal(script: &str) -> String {
    octal_bytes(script.as_bytes())
}

/// The same of any bytes.
fn octal_bytes(bytes: &[u8]) -> String {
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

/// Whether every login shell reads the byte as itself inside single quotes.
///
/// `'` ends them; fish reads `\'` and `\\` there; csh acts on `!` and on newlines; bytes outside ASCII depend on
/// the host's locale.
fn is_quiet(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) && !matches!(byte, b'\'' | b'\\' | b'!')
}

/// The folder as one word that cannot be an option, `-`, `+1` of zsh, or an entry of `CDPATH`.
fn folder_word(folder: &str) -> Result<String, ShellError> {
    match folder {
        "" => Err(ShellError::EmptyFolder),
        "~" => Ok("\"$HOME\"".to_owned()),
        _ => Ok(match (folder.strip_prefix("~/"), folder.starts_with('/')) {
            (Some(rest), _) => format!("\"$HOME\"/{}", single_quoted(rest)),
            (None, true) => single_quoted(folder),
            (None, false) => single_quoted(&format!("./{folder}")),
        }),
    }
}

fn is_env_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn refuse_nul(what: &'static str, text: &str) -> Result<(), ShellError> {
    if text.contains('\0') { Err(ShellError::Nul(what)) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
