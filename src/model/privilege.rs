//! Running as another user on a host: the methods, the commands that use them, and what their refusals mean.
//!
//! Owns words and verdicts; knows no password. The prompt of sudo is a mark of ours. su prompts in words of its own, so
//! a mark stands right before it, and nothing but su speaks between that mark and the start of the command.

use crate::model::outcome::{Failure, Kind};
use crate::model::secret::Secret;
use crate::model::shell::marks::{Mark, Token};
use crate::model::shell::{ShellError, login_shell_line, quote_word, single_quoted};
use crate::model::text::ending;

/// Bytes of what a program said that a message repeats.
const LONGEST_SAID: usize = 400;

/// The program that changes the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// `sudo`: asks for the password of the user who logged in.
    #[default]
    Sudo,
    /// `su`: asks for the password of the other user.
    Su,
    /// `doas`: takes a password from a terminal only, so it is used without one.
    Doas,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sudo, Self::Su, Self::Doas];

    /// Its word in files and messages, which is its program.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sudo => "sudo",
            Self::Su => "su",
            Self::Doas => "doas",
        }
    }

    /// Whether it can be given a password without a terminal.
    pub fn takes_password(self) -> bool {
        match self {
            Self::Sudo | Self::Su => true,
            Self::Doas => false,
        }
    }
}

/// As whom a command runs, and by which means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Privilege<'a> {
    /// The user to become.
    pub user: &'a str,
    /// How.
    pub method: Method,
    /// There is a password to answer a prompt with. Without one sudo is told not to ask: a prompt that is left
    /// unanswered may count as a failed login.
    pub password: bool,
}

/// Another user, and the password for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raising {
    /// The user to become.
    pub user: String,
    /// How.
    pub method: Method,
    /// What the prompt is answered with.
    pub password: Option<Secret>,
}

impl Raising {
    /// Without the password itself.
    pub fn privilege(&self) -> Privilege<'_> {
        let password = self.password.is_some() && self.method.takes_password();
        Privilege { user: &self.user, method: self.method, password }
    }
}

/// What such a program did instead of running the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrivilegeRefusal<'a> {
    /// The last of what it said.
    pub said: &'a str,
    /// It was sent a password.
    pub answered: bool,
}

impl Privilege<'_> {
    /// Composes the commands of a POSIX shell that run a program of commands as the other user, directly when that is
    /// the user who logged in.
    ///
    /// The messages are in English (`LC_ALL=C`), as they are told apart by their words; the program gets its own
    /// locale back. The token of the prompt is in the arguments for everybody to see: what is trusted is where it is
    /// printed, and when.
    pub(crate) fn raise(&self, token: &Token, program: &str) -> Result<String, ShellError> {
        const LOCALE: &str = "if [ -n \"$1\" ]; then LC_ALL=$1; export LC_ALL; else unset LC_ALL; fi; shift";
        let user = self.word()?;
        let inner = single_quoted(&format!("{LOCALE}; {program}"));
        let raising = match self.method {
            Method::Sudo => {
                let asking = if self.password { "-S -p \"fan-$_fan-password:\"" } else { "-n" };
                format!(
                    "_fan={}; LC_ALL=C exec sudo -H {asking} -u {user} -- sh -c {inner} sh \"$1\"",
                    token.as_str()
                )
            }
            Method::Su => {
                let inner = format!("set -- \"${{FAN_LC_ALL-}}\"; unset FAN_LC_ALL; {LOCALE}; {program}");
                let line = single_quoted(&login_shell_line("sh", &inner)?);
                let asks = token.prints(&Mark::Asks);
                format!("{asks} >&2; FAN_LC_ALL=$1 LC_ALL=C exec su {user} -c {line}")
            }
            Method::Doas => format!("LC_ALL=C exec doas -n -u {user} sh -c {inner} sh \"$1\""),
        };
        Ok(format!(
            "set -- \"${{LC_ALL-}}\"; if [ \"$(id -un)\" = {user} ]; then exec sh -c {inner} sh \"$1\"; fi; {raising}"
        ))
    }

    /// Composes the commands of a POSIX shell, those of the user who logged in, by which sudo is given the password
    /// before a program is run by [`Self::program`]; none where nothing is asked.
    pub(crate) fn authenticates(&self, token: &Token) -> Result<String, ShellError> {
        let user = self.word()?;
        Ok(match self.method {
            Method::Sudo if self.password => format!(
                "if [ \"$(id -un)\" != {user} ]; then _fan={}; \
                 LC_ALL=C sudo -S -p \"fan-$_fan-password:\" -u {user} -v || exit; fi; ",
                token.as_str()
            ),
            Method::Sudo | Method::Doas | Method::Su => String::new(),
        })
    }

    /// Composes the commands that run a program as the other user and no shell in between, so that a rule for the
    /// program is enough; `words` are quoted.
    ///
    /// The program is a child of the shell that [`Self::authenticates`]: sudo remembers a password for the children of
    /// one process. `LANGUAGE` makes the messages English and leaves the program its character set.
    pub(crate) fn program(&self, words: &str) -> Result<String, ShellError> {
        let user = self.word()?;
        let raised = match self.method {
            Method::Sudo => format!("LANGUAGE=en sudo -H -n -u {user} -- {words}"),
            Method::Doas => format!("doas -n -u {user} {words}"),
            // It runs a shell in any case.
            Method::Su => format!("su {user} -c {}", single_quoted(words)),
        };
        Ok(format!("if [ \"$(id -un)\" = {user} ]; then exec {words}; fi; {raised}"))
    }

    /// The user as one word of a shell.
    fn word(&self) -> Result<String, ShellError> {
        if self.user.is_empty() || self.user.starts_with('-') || self.user.contains('\0') {
            return Err(ShellError::User(self.user.to_owned()));
        }
        Ok(quote_word(self.user).into_owned())
    }

    /// The failure of a program that was not run after all, by the last line of what was said: the words are those of
    /// sudo or doas, which ends with 1 then.
    pub fn refused_program(&self, said: &str) -> Option<Failure> {
        let last = said.trim().lines().last()?;
        let own = last.strip_prefix(self.method.as_str()).is_some_and(|rest| rest.starts_with(": "));
        if !own && !last.starts_with("Sorry, user ") {
            return None;
        }
        let failure = self.refused(PrivilegeRefusal { said: last, answered: false });
        Some(match failure.kind {
            Kind::SudoPasswordMissing if self.password => failure.hint(
                "sudo there forgets a password at once (`timestamp_timeout=0`): allow the program without one, or write \
                 `sudo: SCRIPT`",
            ),
            _ => failure,
        })
    }

    /// Whether what the program said last is its own prompt.
    pub fn is_prompt(&self, said: &[u8]) -> bool {
        let said = said.trim_ascii_end();
        match self.method {
            Method::Su => said.ends_with(b"assword:"),
            Method::Sudo | Method::Doas => false,
        }
    }

    /// The failure of a command that was not started.
    pub fn refused(&self, refusal: PrivilegeRefusal<'_>) -> Failure {
        let (method, said) = (self.method, refusal.said.trim());
        let has = |words: &str| said.contains(words);
        let program = method.as_str();
        let last = ending(said.lines().last().unwrap_or_default().as_bytes(), LONGEST_SAID);
        let told = if last.is_empty() { String::new() } else { format!(": it said {last:?}") };
        let fails = |kind: Kind, message: String| Failure::new(kind, message);
        // As the shells of the host say it; a server that runs no shell misses other programs.
        let missing = ["{}: not found", "{}: inaccessible or not found", "command not found: {}"];
        if missing.iter().any(|words| has(&words.replace("{}", program))) {
            return fails(Kind::SudoDenied, format!("{program} is not installed on the host"))
                .hint("install it, name another `method`, or log in as that user");
        }
        // sudo-rs writes some of them with a capital letter.
        let lower = said.to_ascii_lowercase();
        if lower.contains("a terminal is required to")
            || has("must have a tty")
            || has("no tty present")
            || has("must be run from a terminal")
        {
            return fails(Kind::SudoTtyRequired, format!("{program} requires a terminal{told}"))
                .hint("the host's sudoers has requiretty: add `Defaults:USER !requiretty` there");
        }
        if has("incorrect password attempt")
            || lower.contains("incorrect authentication attempt")
            || (method == Method::Su && refusal.answered && has("Authentication failure"))
        {
            return self.password_wrong();
        }
        if has("password is required")
            || lower.contains("no password was provided")
            || has("no askpass")
            || lower.contains("interactive authentication is required")
            || lower.contains("interaction is required")
            || has("Authentication required but not attempted")
        {
            return self.password_missing();
        }
        if method == Method::Doas && has("Authentication required") || has("a tty is required") {
            let failure = if self.password {
                fails(Kind::SudoTtyRequired, "doas takes a password from a terminal only".to_owned())
            } else {
                fails(Kind::SudoPasswordMissing, "doas requires a password".to_owned())
            };
            return failure
                .hint("allow it without one (`permit nopass` in doas.conf), or use another `method`");
        }
        let message = format!("{program} did not run the command as {:?}{told}", self.user);
        fails(Kind::SudoDenied, message).hint(match method {
            Method::Sudo => "may this user run commands as that one? `sudo -l` on the host shows",
            Method::Su => "does that user exist, and may this one become it?",
            Method::Doas => "does doas.conf of the host permit it?",
        })
    }

    /// The program asked again.
    pub fn password_wrong(&self) -> Failure {
        Failure::new(Kind::SudoPasswordWrong, format!("{} rejected the password", self.method.as_str()))
            .hint("it was sent once and is not sent again: too many attempts lock an account")
    }

    /// The program asked, and there is nothing to answer with.
    pub fn password_missing(&self) -> Failure {
        let whose = match self.method {
            Method::Sudo | Method::Doas => "the user who logs in".to_owned(),
            Method::Su => self.user.to_owned(),
        };
        Failure::new(Kind::SudoPasswordMissing, format!("{} wants a password", self.method.as_str())).hint(
            format!("give the password of {whose} (`sudo: {{password: …}}`, or -K), or allow it without one"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(method: Method, said: &str, answered: bool) -> Kind {
        let privilege = Privilege { user: "root", method, password: answered };
        privilege.refused(PrivilegeRefusal { said, answered }).kind
    }

    #[test]
    fn what_the_programs_say_has_a_kind() {
        let cases = [
            (Method::Sudo, "sudo: a password is required\n", false, Kind::SudoPasswordMissing),
            (
                Method::Sudo,
                "\nsudo: no password was provided\nsudo: a password is required",
                false,
                Kind::SudoPasswordMissing,
            ),
            (Method::Sudo, "sudo: 1 incorrect password attempt", true, Kind::SudoPasswordWrong),
            (Method::Sudo, "sudo: sorry, you must have a tty to run sudo", false, Kind::SudoTtyRequired),
            (Method::Sudo, "u is not in the sudoers file.", true, Kind::SudoDenied),
            (Method::Sudo, "Sorry, user u may not run sudo on h.", true, Kind::SudoDenied),
            (Method::Sudo, "sh: 1: exec: sudo: not found", false, Kind::SudoDenied),
            (Method::Sudo, "sudo: unknown user nobody2", false, Kind::SudoDenied),
            (Method::Sudo, "", false, Kind::SudoDenied),
            // sudo-rs.
            (
                Method::Sudo,
                "sudo: interactive authentication is required\n",
                false,
                Kind::SudoPasswordMissing,
            ),
            (Method::Sudo, "sudo: Interaction is required\n", false, Kind::SudoPasswordMissing),
            (
                Method::Sudo,
                "sudo: Authentication required but not attempted",
                false,
                Kind::SudoPasswordMissing,
            ),
            (
                Method::Sudo,
                "sudo: Authentication failed, try again.\nsudo: Maximum 1 incorrect authentication attempts reached",
                true,
                Kind::SudoPasswordWrong,
            ),
            (Method::Sudo, "sudo: Incorrect authentication attempt\n", true, Kind::SudoPasswordWrong),
            (Method::Sudo, "sudo: A terminal is required to authenticate\n", false, Kind::SudoTtyRequired),
            (Method::Sudo, "sudo: I'm sorry u. I'm afraid I can't do that\n", true, Kind::SudoDenied),
            (
                Method::Sudo,
                "sudo: Account or password is expired, reset your password and try again\n",
                true,
                Kind::SudoDenied,
            ),
            (Method::Su, "Password: \nsu: Authentication failure\n", true, Kind::SudoPasswordWrong),
            (Method::Su, "su: Authentication failure\n", false, Kind::SudoDenied),
            (Method::Su, "su: must be run from a terminal", false, Kind::SudoTtyRequired),
            (Method::Su, "su: user x does not exist", true, Kind::SudoDenied),
            (Method::Doas, "doas: Authentication required\n", false, Kind::SudoPasswordMissing),
            (Method::Doas, "doas: Authentication required\n", true, Kind::SudoTtyRequired),
            (Method::Doas, "doas: Operation not permitted\n", false, Kind::SudoDenied),
        ];
        for (method, said, answered, expected) in cases {
            assert_eq!(kind(method, said, answered), expected, "{method:?} {said:?}");
        }
        let privilege = Privilege { user: "root", method: Method::Sudo, password: false };
        let failure = privilege
            .refused(PrivilegeRefusal { said: "lecture\nu is not in the sudoers file.\n", answered: false });
        assert_eq!(
            failure.message(),
            "sudo did not run the command as \"root\": it said \"u is not in the sudoers file.\""
        );
        for said in [
            "sh: 1: exec: sudo: not found",
            "sh: exec: line 0: sudo: not found",
            "zsh:1: command not found: sudo",
        ] {
            let failure = privilege.refused(PrivilegeRefusal { said, answered: false });
            assert_eq!(failure.message(), "sudo is not installed on the host", "{said}");
        }
        // A server that starts programs by itself, without a shell.
        let said = "exec: \"exec\": executable file not found in $PATH";
        let failure = privilege.refused(PrivilegeRefusal { said, answered: false });
        assert!(failure.message().starts_with("sudo did not run the command"), "{}", failure.message());
    }

    #[test]
    fn only_su_prompts_in_words_of_its_own() {
        let prompts = |method| Privilege { user: "root", method, password: true }.is_prompt(b"Password: ");
        assert_eq!(Method::ALL.map(prompts), [false, true, false]);
    }

    #[test]
    fn the_token_is_composed_on_the_host_and_the_user_is_one_word() {
        let token = Token::new(7);
        for method in Method::ALL {
            let privilege = Privilege { user: "it's", method, password: true };
            let raised = privilege.raise(&token, "id").unwrap();
            assert!(!raised.contains(&format!("fan-{}", token.as_str())), "{raised}");
            assert!(raised.contains(r"-u 'it'\''s'") || raised.contains(r"su 'it'\''s'"), "{raised}");
        }
    }
}
