//! The command line that ties a command's life to its standard input: a watchdog beside it ends it when the
//! input does. For servers that pass no signals on, and for the day the client is gone without a word.
//!
//! Owns the text and what fan has to write to its input; refuses to run anything.
//!
//! The command replaces the shell that started the watchdog, so its exit status, its signals and its process
//! id are its own. What the watchdog does:
//!
//! | its input | meaning | what it does to the process group |
//! |---|---|---|
//! | an empty line | fan asks ([`ASK`]) | TERM |
//! | its end after a line | fan insists | KILL |
//! | [`OVER`] | fan has heard the end of all output | nothing; it goes away if the command has ended |
//! | its end without a line | the client is gone | TERM, KILL 4 s later |
//! | its end when the command has ended | all is well | nothing; it goes away |
//!
//! A group whose leader obeyed TERM keeps 4 s for the rest of it to follow.

#[cfg(test)]
mod tests;

use crate::model::shell::error::{MAX_LINE, ShellError};
use crate::model::shell::quote::plain_interpreter;
use crate::model::shell::spelling::Spelling;
use crate::model::shell::{refuse_nul, unlike_option};

/// What makes the watchdog send TERM. The end of the input after it makes it send KILL.
pub const ASK: &[u8] = b"\n";

/// What makes the watchdog of a command that has ended go away. It holds the input, and there are servers that tell of an
/// end only when nobody does.
pub const OVER: &[u8] = b"over\n";

/// What interprets the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpreter<'a> {
    /// A command with plain words, found on the host's `PATH`.
    Named(&'a str),
    /// The account's own shell, of which sshd tells in `SHELL`.
    LoginShell,
}

/// Runs as `sh -c WATCH sh COMMAND…` in a shell that leads its process group.
///
/// `read` and not `cat`: no second process to get rid of. The watchdog holds the input only, and only as long
/// as it reads: sshd's input and output may be one socket, which whoever holds it keeps open. `$$` is the
/// command, also in subshells; as long as the watchdog is in its group, nobody else gets that number. The
/// outer subshell ends at once, so that the command has no child that it does not know.
fn watch(orphaned: Orphaned) -> String {
    let orphaned = match orphaned {
        Orphaned::Ends => "kill -0 $$ || exit 0; kill -TERM 0; sleep 4",
        Orphaned::Stays => "exit 0",
    };
    format!(
        "exec 3<&0 </dev/null; \
         ( exec >/dev/null 2>&1; trap \"\" HUP INT QUIT TERM; ( \
         while read -r _fan <&3; do \
         case $_fan in ?*) kill -0 $$ || exit 0; continue;; esac; \
         kill -TERM 0; read -r _fan <&3; exec 3<&-; kill -0 $$ || sleep 4; kill -KILL 0; \
         done; \
         exec 3<&-; {orphaned}; kill -KILL 0 ) & ); \
         exec 3<&-"
    )
}

/// What becomes of a command whose input ended without a word of fan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphaned {
    /// It is ended: fan is gone.
    Ends,
    /// It goes on. The watchdog is there for the signals only.
    Stays,
}

/// Composes the one line of ASCII that runs a script under an interpreter with a watchdog beside it, whatever
/// the account's login shell.
///
/// Its standard input has to be held open while it runs. The script itself sees an empty one.
pub fn watched_line(interpreter: Interpreter<'_>, script: &str) -> Result<String, ShellError> {
    let interpreter = match interpreter {
        Interpreter::Named(name) => plain_interpreter(name)?,
        Interpreter::LoginShell => "\"${SHELL:-sh}\"",
    };
    refuse_nul("the script", script)?;
    let script = Spelling::Octal.spell(&unlike_option(script));
    let watch = watch(Orphaned::Ends);
    let leading = in_own_group(UNLED);
    let line = format!(
        "exec sh -c '_fan=$(printf %b \"{script}X\") && \
         set -- \"$1\" {interpreter} -c \"${{_fan%X}}\" && _fan=$1 && shift && \
         {leading}' sh '{watch}; exec \"$@\"'"
    );
    if line.len() > MAX_LINE { Err(ShellError::TooLong { size: line.len() }) } else { Ok(line) }
}

/// Where no group can be had.
const UNLED: &str = "echo \"fan: on_disconnect: kill needs setsid on this host\" >&2; exit 1";

/// The commands that run the text in `_fan`, with the arguments for `"$@"`, in a shell that leads its group.
///
/// Signals are for a whole group, so it must be the command's own. sshd makes one for each command; under a
/// forced command, sudo, or another server, the shell may be in someone else's. `kill -0 -$$` is the one
/// spelling of "do I lead a group" that dash, bash and busybox share. `setsid` forks when called by a
/// leader, which would lose the exit status.
fn in_own_group(otherwise: &str) -> String {
    format!(
        "if kill -0 -$$ 2>/dev/null; then eval \"$_fan\"; \
         elif command -v setsid >/dev/null; then exec setsid sh -c \"$_fan\" sh \"$@\"; \
         else {otherwise}; fi"
    )
}

/// The commands of a POSIX shell that run `"$@"` with a watchdog beside it. They are the last of their shell.
pub(super) fn watched_words(orphaned: Orphaned) -> String {
    let otherwise = match orphaned {
        Orphaned::Ends => UNLED,
        Orphaned::Stays => "exec \"$@\" </dev/null",
    };
    format!("_fan='{}; exec \"$@\"'; {}", watch(orphaned), in_own_group(otherwise))
}

/// The commands that put a watchdog beside the shell that runs them, which leads its group or else has none.
pub(super) fn watched_here(orphaned: Orphaned) -> String {
    format!("if kill -0 -$$ 2>/dev/null; then {}; else exec </dev/null; fi", watch(orphaned))
}
