//! Command lines: quoting of words, the prelude of a task's script, and the one line that every login shell
//! reads alike. Owns what is written; refuses to run anything and to know about hosts.

pub mod carried;
mod cutter;
pub mod durable;
mod error;
mod failing;
pub mod launch;
pub mod marks;
pub mod path_pattern;
mod quote;
pub mod silent;
pub mod spelling;
#[cfg(test)]
pub(in crate::model) mod tests;
pub mod watchdog;

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::model::shell::marks::{Mark, Token};
use crate::model::shell::spelling::{Spelling, is_quiet};

pub use crate::model::shell::error::{MAX_LINE, ShellError};
pub(crate) use crate::model::shell::quote::{
    is_plain, is_posix_family, is_reserved, plain_interpreter, single_quoted,
};
pub use crate::model::shell::quote::{quote_word, single_quoted_bytes};

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
        begin(&mut text, token);
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

/// Composes the script that is just what the user wrote, with marks where it begins on both streams.
pub fn marked_script(token: &Token, script: &str) -> Result<String, ShellError> {
    refuse_nul("the script", script)?;
    let mut text = String::with_capacity(script.len() + 256);
    begin(&mut text, token);
    text.push_str(script);
    text.push('\n');
    Ok(text)
}

fn begin(text: &mut String, token: &Token) {
    let start = token.prints(&Mark::Start);
    let _ = writeln!(text, "{start}; {start} >&2");
}

/// Composes the script that replaces the shell by a program, each argument reaching it as it is.
pub fn argv_words<S: AsRef<str>>(args: &[S]) -> Result<String, ShellError> {
    // A leading dash would be read by `exec` itself, and not every `exec` knows `--`.
    let named =
        args.first().map(AsRef::as_ref).filter(|program| !program.is_empty() && !program.starts_with('-'));
    if named.is_none() {
        return Err(ShellError::NoProgram);
    }
    let mut words = Vec::with_capacity(args.len());
    for arg in args {
        refuse_nul("an argument", arg.as_ref())?;
        words.push(quote_word(arg.as_ref()));
    }
    Ok(words.join(" "))
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

/// The script, spelled so that `sh -c` does not take it for an option.
fn unlike_option(script: &str) -> Cow<'_, str> {
    if script.starts_with(['-', '+']) { Cow::Owned(format!(" {script}")) } else { Cow::Borrowed(script) }
}

/// The line whose script is spelled in octal where a login shell might read it differently.
///
/// The inner `sh` is the only one that decodes. `X` at the end keeps `$(...)` from dropping newlines, and `&&`
/// keeps a host without a working `printf` from running nothing and calling it success.
fn encoded_line(interpreter: &str, script: &str) -> String {
    let octal = Spelling::Octal.spell(script);
    format!("exec sh -c '_fan=$(printf %b \"{octal}X\") && exec {interpreter} -c \"${{_fan%X}}\"'")
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
