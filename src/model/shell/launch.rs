//! From a script to the line that starts it on a host: as the user who logged in or as another user, with a watchdog
//! beside it or not, and, when it is too long for a line, typed to the shell that is to run it.

#[cfg(test)]
mod tests;

use crate::model::privilege::Privilege;
use crate::model::shell::error::{MAX_LINE, ShellError};
use crate::model::shell::marks::{Mark, Token};
use crate::model::shell::quote::{plain_interpreter, single_quoted};
use crate::model::shell::spelling::Spelling;
use crate::model::shell::watchdog::{Interpreter, Orphaned, watched_here, watched_line, watched_words};
use crate::model::shell::{login_shell_line, refuse_nul, unlike_option};

/// The longest script that is typed to a shell, in bytes as they are typed.
///
/// The shell reads it byte by byte, so that it takes no byte of what follows: some 3 MB in a second.
pub const MAX_TYPED: usize = 8 * 1024 * 1024;

/// Bytes of a line that is typed on a terminal.
const TERMINAL_LINE: usize = 1000;

/// A script to start.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The command that runs it, of plain words.
    pub interpreter: &'a str,
    /// The script with all that stands before its first line.
    pub script: &'a str,
    /// The token of its marks.
    pub token: &'a Token,
    /// As whom it runs, when that is not the user who logged in.
    pub privilege: Option<Privilege<'a>>,
    /// Commands of a POSIX shell that come first, before the script's marks; empty, or ended by a separator.
    pub first: &'a str,
    /// What its standard input is.
    pub input: Input,
    /// Everybody on the host can read a command line: whatever is in the script must not stand there.
    pub confidential: bool,
    /// It runs on a terminal, which takes lines of 4095 bytes at most.
    pub terminal: bool,
}

/// What the standard input of a script is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Empty.
    Empty,
    /// Empty; a watchdog reads what is behind it.
    Watched(Orphaned),
    /// What fan writes to the command once it has begun.
    Given,
}

/// How a script is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchLine {
    /// For the login shell.
    pub line: String,
    /// What is to be written to its input at [`Mark::Ready`], the line end included.
    pub typed: Option<String>,
}

impl Launch<'_> {
    /// Composes the line.
    ///
    /// # Errors
    ///
    /// The interpreter is no plain command, the script holds a NUL byte, or is longer than [`MAX_TYPED`].
    pub fn line(&self) -> Result<LaunchLine, ShellError> {
        let direct = match (self.privilege, self.input) {
            (None, Input::Empty | Input::Given) if self.first.is_empty() => {
                login_shell_line(self.interpreter, self.script)
            }
            (None, Input::Watched(Orphaned::Ends)) if self.first.is_empty() => {
                watched_line(Interpreter::Named(self.interpreter), self.script)
            }
            (None | Some(_), _) => {
                self.program(&unlike_option(self.script), false).and_then(|program| self.raised(&program))
            }
        };
        match direct {
            Ok(_) if self.confidential => self.typed(),
            Err(ShellError::TooLong { .. }) => self.typed(),
            direct => Ok(LaunchLine { line: direct?, typed: None }),
        }
    }

    /// The line of a shell that is typed its script.
    fn typed(&self) -> Result<LaunchLine, ShellError> {
        let typed = Spelling::Octal.spell(self.script);
        let length = typed.len();
        if typed.len() > MAX_TYPED {
            return Err(ShellError::TooLong { size: typed.len() });
        }
        let input = match self.input {
            Input::Empty => "exec </dev/null".to_owned(),
            Input::Watched(orphaned) => watched_here(orphaned),
            Input::Given => ":".to_owned(),
        };
        let ready = self.token.prints(&Mark::Ready);
        let (reads, typed) = if self.terminal {
            // Line by line up to an empty one.
            let reads = format!(
                "{ready} >&2; _fan=; while IFS= read -r _fan_l || exit; [ -n \"$_fan_l\" ]; \
                 do _fan=$_fan$_fan_l; done"
            );
            (reads, in_lines(&typed))
        } else {
            (format!("{ready} >&2; IFS= read -r _fan || exit"), typed + "\n")
        };
        // A part of it, or the parts of two, are no script.
        let whole = format!("[ ${{#_fan}} -eq {length} ] || exit 1");
        let reading = format!(
            "{reads}; {whole}; _fan=$(printf %b \"${{_fan}}X\") || exit; {input}; eval \"${{_fan%X}}\""
        );
        let line = self.raised(&self.program(&reading, true)?)?;
        Ok(LaunchLine { line, typed: Some(typed) })
    }

    /// The commands of a POSIX shell that run a script under the interpreter, with this input.
    fn program(&self, script: &str, typed: bool) -> Result<String, ShellError> {
        let interpreter = plain_interpreter(self.interpreter)?;
        refuse_nul("the script", script)?;
        let script = single_quoted(script);
        Ok(match self.input {
            Input::Watched(orphaned) if !typed => {
                format!("set -- {interpreter} -c {script}; {}", watched_words(orphaned))
            }
            Input::Watched(_) => format!(
                "if ! kill -0 -$$ 2>/dev/null && command -v setsid >/dev/null; \
                 then exec setsid {interpreter} -c {script}; else exec {interpreter} -c {script}; fi"
            ),
            Input::Empty if !typed => format!("exec {interpreter} -c {script} </dev/null"),
            Input::Empty | Input::Given => format!("exec {interpreter} -c {script}"),
        })
    }

    /// The line that runs the program as the right user.
    fn raised(&self, program: &str) -> Result<String, ShellError> {
        let line = match self.privilege {
            None => login_shell_line("sh", &format!("{}{program}", self.first))?,
            Some(privilege) => login_shell_line("sh", &privilege.raise(self.token, program)?)?,
        };
        if line.len() > MAX_LINE { Err(ShellError::TooLong { size: line.len() }) } else { Ok(line) }
    }
}

/// A text in lines that a terminal takes, and an empty one behind them.
fn in_lines(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + text.len() / TERMINAL_LINE + 2);
    for (at, c) in text.chars().enumerate() {
        if at > 0 && at % TERMINAL_LINE == 0 {
            lines.push('\n');
        }
        lines.push(c);
    }
    lines + "\n\n"
}
