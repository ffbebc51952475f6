//! For whom things are done on the host: the login user, or root.

use crate::model::outcome::{Failure, Kind};
use crate::model::shell::{ShellError, login_shell_line, quote_word};

/// For whom things are done on the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Privilege {
    /// The user who logged in.
    #[default]
    Login,
    /// Root: by sudo without a password, unless the login is root's already.
    Root,
}

impl Privilege {
    /// The line for any login shell that runs a command. The command is of plain words: letters, blanks, slashes,
    /// double quotes.
    pub(super) fn line(self, command: &str) -> String {
        match self {
            Self::Login => format!("exec {command}"),
            // C: the messages of sudo are told apart by their words.
            Self::Root => format!(
                "exec sh -c 'if [ \"$(id -u)\" = 0 ]; then exec {command}; \
                 else LC_ALL=C exec sudo -n -- {command}; fi'"
            ),
        }
    }

    /// The line for any login shell that runs a script.
    pub(super) fn script_line(self, script: &str) -> Result<String, ShellError> {
        match self {
            Self::Login => login_shell_line("sh", script),
            Self::Root => login_shell_line(
                "sh",
                &format!(
                    "if [ \"$(id -u)\" = 0 ]; then exec sh -c {0}; else LC_ALL=C exec sudo -n -- sh -c {0}; fi",
                    quote_word(script)
                ),
            ),
        }
    }

    /// Why nothing was started, from what was said instead.
    pub(super) fn refused(self, said: &str) -> Failure {
        let told = if said.is_empty() { String::new() } else { format!(": it said {said:?}") };
        match self {
            Self::Login => {
                Failure::new(Kind::ExecRefused, format!("the host runs no shell for this account{told}"))
            }
            Self::Root => {
                let (kind, hint) = sudo_kind(said);
                Failure::new(kind, format!("sudo did not run{told}")).hint(hint)
            }
        }
    }
}

fn sudo_kind(said: &str) -> (Kind, &'static str) {
    let has = |words: &str| said.contains(words);
    if has("password is required") || has("no askpass") {
        (Kind::SudoPasswordMissing, "file steps use sudo without a password: allow NOPASSWD for this user")
    } else if has("must have a tty") || has("no tty present") {
        (Kind::SudoTtyRequired, "the host's sudoers has requiretty: add `Defaults:USER !requiretty`")
    } else if has("not found") {
        (Kind::SudoDenied, "there is no sudo on the host: log in as root, or install it")
    } else {
        (Kind::SudoDenied, "may this user use sudo there? `sudo -l` on the host tells")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sudo_says_has_a_kind() {
        for (said, kind) in [
            ("sudo: a password is required", Kind::SudoPasswordMissing),
            ("sudo: sorry, you must have a tty to run sudo", Kind::SudoTtyRequired),
            ("joe is not in the sudoers file.  This incident will be reported.", Kind::SudoDenied),
            ("sh: 1: exec: sudo: not found", Kind::SudoDenied),
        ] {
            assert_eq!(Privilege::Root.refused(said).kind, kind, "{said}");
        }
        assert_eq!(Privilege::Login.refused("This account is not available.").kind, Kind::ExecRefused);
    }
}
