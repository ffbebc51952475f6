//! What was tried in a login and what came of it, and the message when all of it failed.

use std::fmt;

use russh::{MethodKind, MethodSet};
use tracing::debug;

use crate::model::endpoint::Endpoint;
use crate::model::outcome::{Failure, Kind};

/// The story of a login so far.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// What the server refused.
    tried: Vec<String>,
    /// What it accepted, and wanted more.
    accepted: Vec<String>,
    /// What could not be tried and why, and what else may explain a refusal.
    notes: Vec<String>,
    /// What it would take next; unknown until its first answer.
    allowed: Option<MethodSet>,
    /// The password was sent.
    password: bool,
    /// A dialogue went where fan does not follow.
    puzzled: bool,
}

/// What one attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginStep {
    /// We are in.
    Done,
    /// It was right, and not enough.
    Partial,
    /// It was refused.
    Refused,
}

impl Attempts {
    /// Notes the server's answer to `what`.
    pub(super) fn judge(&mut self, what: String, answer: &AuthAnswer) -> LoginStep {
        debug!("{what}: {answer}");
        match answer {
            AuthAnswer::Success => {
                self.accepted.push(what);
                LoginStep::Done
            }
            AuthAnswer::Failure { allowed, partial } => {
                self.allowed = Some(allowed.clone());
                if *partial {
                    self.accepted.push(what);
                    LoginStep::Partial
                } else {
                    self.tried.push(what);
                    LoginStep::Refused
                }
            }
        }
    }

    /// Notes what the server allows, learnt by trying nothing.
    pub(super) fn learn(&mut self, allowed: &MethodSet) {
        self.allowed = Some(allowed.clone());
    }

    /// Takes the last refusal back: it was not about what was tried.
    pub(super) fn forget_last(&mut self) {
        self.tried.pop();
    }

    /// Notes that something was refused in other ways than by the server's answer to it.
    pub(super) fn refused(&mut self, what: String) {
        debug!("{what}: refused");
        self.tried.push(what);
    }

    /// Whether anything was refused.
    pub(super) fn is_refused(&self) -> bool {
        !self.tried.is_empty()
    }

    /// Notes something that may explain a refusal; once.
    pub(super) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            debug!("{note}");
            self.notes.push(note);
        }
    }

    /// Notes why a dialogue was left, other than over a wrong password.
    pub(super) fn puzzled(&mut self, note: String) {
        self.puzzled = true;
        self.note(note);
    }

    /// Notes that the password left: it does so once.
    pub(super) fn password_sent(&mut self) {
        debug!("the password is sent");
        self.password = true;
    }

    /// Whether the password left.
    pub(super) fn is_password_sent(&self) -> bool {
        self.password
    }

    /// Whether the server said what it allows.
    pub(super) fn knows_methods(&self) -> bool {
        self.allowed.is_some()
    }

    /// Whether a method may be tried: allowed, or not known to be forbidden.
    pub(super) fn may(&self, method: MethodKind) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(&method))
    }

    /// How the login was proven, and what was refused before that.
    pub(super) fn how(&self) -> String {
        let accepted = self.accepted.join(" + ");
        match self.tried.as_slice() {
            [] => accepted,
            tried => format!("{accepted}; refused before: {}", tried.join(", ")),
        }
    }

    /// The failure of the whole login.
    pub(super) fn failure(&self, endpoint: &Endpoint) -> Failure {
        let user = &endpoint.user;
        let mut message = format!("login as {user} was refused: ");
        message += &match (self.accepted.as_slice(), self.tried.as_slice()) {
            ([], []) => "no key to offer".to_owned(),
            ([], tried) => format!("tried {}", tried.join(", ")),
            (accepted, []) => format!("{} was accepted and is not enough", accepted.join(", ")),
            (accepted, tried) => {
                format!("{} was accepted and is not enough; tried {}", accepted.join(", "), tried.join(", "))
            }
        };
        for note in &self.notes {
            message += "; ";
            message += note;
        }
        if let Some(allowed) = self.allowed.as_ref().filter(|allowed| !allowed.is_empty()) {
            message += &format!("; the server allows {}", names(allowed));
        }
        Failure::new(Kind::AuthFailed, message).hint(self.hint(endpoint))
    }

    /// The failure of a login in which the connection broke.
    pub(super) fn cut(&self, endpoint: &Endpoint) -> Failure {
        let mut message = format!("the connection broke during the login as {}", endpoint.user);
        if !self.tried.is_empty() {
            message += &format!(", after the server had refused {}", self.tried.join(", "));
        }
        if self.password {
            message += ", after the password was sent";
        }
        Failure::new(Kind::ConnectReset, message)
            .hint("the network, `LoginGraceTime` or a crash of the server may do this; see the server's log")
    }

    fn hint(&self, endpoint: &Endpoint) -> String {
        let user = &endpoint.user;
        let takes_password = self.allowed.is_some()
            && (self.may(MethodKind::Password) || self.may(MethodKind::KeyboardInteractive));
        let takes_keys = self.may(MethodKind::PublicKey);
        if self.puzzled {
            format!(
                "fan answers one hidden question, with the password: `ssh` as {user} shows what else is asked"
            )
        } else if self.password {
            "the password is sent once and never again: check it, and the login name".to_owned()
        } else if takes_password && endpoint.password.is_none() && (!takes_keys || self.tried.is_empty()) {
            "the host takes a password: -k asks for one, `password:` names where it is kept".to_owned()
        } else if self.tried.is_empty() {
            "name a key with `identity:`, or load one into the agent (ssh-add)".to_owned()
        } else {
            format!("is one of these keys in ~{user}/.ssh/authorized_keys there?")
        }
    }
}

/// A server's answer to an attempt, whatever the method.
#[derive(Clone, Debug)]
pub(super) enum AuthAnswer {
    /// We are in.
    Success,
    /// We are not.
    Failure {
        /// What may be tried next.
        allowed: MethodSet,
        /// The attempt was right, and more is wanted.
        partial: bool,
    },
}

impl fmt::Display for AuthAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("accepted"),
            Self::Failure { allowed, partial: true } => {
                write!(f, "accepted, and not enough; the server allows {}", names(allowed))
            }
            Self::Failure { allowed, partial: false } => {
                write!(f, "refused; the server allows {}", names(allowed))
            }
        }
    }
}

fn names(methods: &MethodSet) -> String {
    methods.iter().map(<&str>::from).collect::<Vec<_>>().join(",")
}

impl From<russh::client::AuthResult> for AuthAnswer {
    fn from(result: russh::client::AuthResult) -> Self {
        match result {
            russh::client::AuthResult::Success => Self::Success,
            russh::client::AuthResult::Failure { remaining_methods, partial_success } => {
                Self::Failure { allowed: remaining_methods, partial: partial_success }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::auth::login::tests::endpoint;

    fn refused(allowed: &[MethodKind], partial: bool) -> AuthAnswer {
        AuthAnswer::Failure { allowed: MethodSet::from(allowed), partial }
    }

    fn said(attempts: &Attempts) -> String {
        let failure = attempts.failure(&endpoint());
        format!("{}\nhint: {}", failure.message(), failure.hint.unwrap())
    }

    #[test]
    fn the_message_lists_what_was_tried_and_what_the_server_allows() {
        let mut attempts = Attempts::default();
        assert!(attempts.may(MethodKind::Password));
        insta::assert_snapshot!(said(&attempts), @r"
        login as deploy was refused: no key to offer
        hint: name a key with `identity:`, or load one into the agent (ssh-add)
        ");
        attempts.learn(&MethodSet::from(&[MethodKind::Password, MethodKind::KeyboardInteractive][..]));
        insta::assert_snapshot!(said(&attempts), @r"
        login as deploy was refused: no key to offer; the server allows password,keyboard-interactive
        hint: the host takes a password: -k asks for one, `password:` names where it is kept
        ");
        let mut attempts = Attempts::default();
        attempts.judge("ED25519 SHA256:abc".to_owned(), &refused(&[MethodKind::PublicKey], false));
        attempts.note("the agent holds no keys".to_owned());
        insta::assert_snapshot!(said(&attempts), @r"
        login as deploy was refused: tried ED25519 SHA256:abc; the agent holds no keys; the server allows publickey
        hint: is one of these keys in ~deploy/.ssh/authorized_keys there?
        ");
    }

    #[test]
    fn a_partial_success_is_told_as_one() {
        let mut attempts = Attempts::default();
        let step = attempts.judge("publickey K".to_owned(), &refused(&[MethodKind::Password], true));
        assert_eq!(step, LoginStep::Partial);
        insta::assert_snapshot!(said(&attempts), @r"
        login as deploy was refused: publickey K was accepted and is not enough; the server allows password
        hint: the host takes a password: -k asks for one, `password:` names where it is kept
        ");
        attempts.password_sent();
        assert_eq!(
            attempts.judge("password".to_owned(), &refused(&[MethodKind::Password], false)),
            LoginStep::Refused
        );
        insta::assert_snapshot!(said(&attempts), @r"
        login as deploy was refused: publickey K was accepted and is not enough; tried password; the server allows password
        hint: the password is sent once and never again: check it, and the login name
        ");
        assert_eq!(attempts.judge("publickey L".to_owned(), &AuthAnswer::Success), LoginStep::Done);
        assert_eq!(attempts.how(), "publickey K + publickey L; refused before: password");
    }
}
