//! How a throw-away host wants to be logged in to, where that is not just by its key (RFC 4252 section 5.1,
//! RFC 4256).

use std::borrow::Cow;

use russh::server::Auth;
use russh::{MethodKind, MethodSet};

/// What a host asks for instead of the key alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SandboxLogin {
    /// This password, as such.
    Password(String),
    /// Answers to questions.
    Dialogue {
        /// Rounds without a question before the first one.
        empty_rounds: u32,
        /// The questions, all in one round, each with whether the answer may be shown.
        questions: Vec<(String, bool)>,
        /// The answer to each.
        answer: String,
    },
    /// The answer to one hidden question, which is asked again and again until it is right.
    DialogueAgain(String),
    /// The key, then this password.
    KeyThenPassword(String),
    /// This password, then the key.
    PasswordThenKey(String),
    /// The key, then the answer to one hidden question.
    KeyThenDialogue(String),
}

/// Where the login of one connection stands.
#[derive(Debug)]
pub(super) struct Gate {
    login: SandboxLogin,
    /// The first of two steps was right.
    halfway: bool,
    /// Rounds of the dialogue so far.
    rounds: u32,
}

impl SandboxLogin {
    /// What is announced before anything was tried.
    pub(super) fn methods(&self) -> MethodSet {
        only(match self {
            Self::Password(_) | Self::PasswordThenKey(_) => MethodKind::Password,
            Self::Dialogue { .. } | Self::DialogueAgain(_) => MethodKind::KeyboardInteractive,
            Self::KeyThenPassword(_) | Self::KeyThenDialogue(_) => MethodKind::PublicKey,
        })
    }
}

impl Gate {
    /// The gate of a new connection.
    pub(super) fn new(login: SandboxLogin) -> Self {
        Self { login, halfway: false, rounds: 0 }
    }

    /// Answers a password.
    pub(super) fn password(&mut self, given: &str) -> Auth {
        let right = match &self.login {
            SandboxLogin::Password(right) => Some(right),
            SandboxLogin::KeyThenPassword(right) => self.halfway.then_some(right),
            SandboxLogin::PasswordThenKey(right) => (!self.halfway).then_some(right),
            SandboxLogin::Dialogue { .. }
            | SandboxLogin::DialogueAgain(_)
            | SandboxLogin::KeyThenDialogue(_) => None,
        };
        if right.is_none_or(|right| right != given) {
            self.refuse()
        } else if let SandboxLogin::PasswordThenKey(_) = self.login {
            self.pass(MethodKind::PublicKey)
        } else {
            Auth::Accept
        }
    }

    /// Whether the key is looked at now.
    pub(super) fn takes_key(&self) -> bool {
        match self.login {
            SandboxLogin::Password(_) | SandboxLogin::Dialogue { .. } | SandboxLogin::DialogueAgain(_) => {
                false
            }
            SandboxLogin::KeyThenPassword(_) | SandboxLogin::KeyThenDialogue(_) => !self.halfway,
            SandboxLogin::PasswordThenKey(_) => self.halfway,
        }
    }

    /// Answers the right key, proven.
    pub(super) fn key(&mut self) -> Auth {
        if !self.takes_key() {
            return self.refuse();
        }
        match self.login {
            SandboxLogin::KeyThenPassword(_) => self.pass(MethodKind::Password),
            SandboxLogin::KeyThenDialogue(_) => self.pass(MethodKind::KeyboardInteractive),
            SandboxLogin::PasswordThenKey(_) => Auth::Accept,
            SandboxLogin::Password(_) | SandboxLogin::Dialogue { .. } | SandboxLogin::DialogueAgain(_) => {
                self.refuse()
            }
        }
    }

    /// Answers the next message of a dialogue; the first one has no answers.
    pub(super) fn dialogue(&mut self, answers: Option<Vec<String>>) -> Auth {
        let (empty_rounds, questions, answer) = match &self.login {
            SandboxLogin::Dialogue { empty_rounds, questions, answer } => {
                (*empty_rounds, questions.clone(), answer)
            }
            SandboxLogin::DialogueAgain(right) => {
                return match answers {
                    Some(answers) if answers.len() == 1 && answers.contains(right) => Auth::Accept,
                    _ => ask(&[("Password: ".to_owned(), false)]),
                };
            }
            SandboxLogin::KeyThenDialogue(answer) if self.halfway => {
                (0, vec![("Password: ".to_owned(), false)], answer)
            }
            SandboxLogin::Password(_)
            | SandboxLogin::KeyThenPassword(_)
            | SandboxLogin::PasswordThenKey(_)
            | SandboxLogin::KeyThenDialogue(_) => return self.refuse(),
        };
        let Some(answers) = answers else {
            self.rounds = 0;
            return if empty_rounds == 0 { ask(&questions) } else { ask(&[]) };
        };
        self.rounds += 1;
        if self.rounds < empty_rounds {
            ask(&[])
        } else if self.rounds == empty_rounds {
            ask(&questions)
        } else if answers.len() == questions.len() && answers.iter().all(|given| given == answer) {
            Auth::Accept
        } else {
            self.refuse()
        }
    }

    /// Refuses what was tried, and says what would do.
    pub(super) fn refuse(&self) -> Auth {
        let methods = match (&self.login, self.halfway) {
            (SandboxLogin::KeyThenPassword(_), true) => only(MethodKind::Password),
            (SandboxLogin::KeyThenDialogue(_), true) => only(MethodKind::KeyboardInteractive),
            (SandboxLogin::PasswordThenKey(_), true) => only(MethodKind::PublicKey),
            (login, _) => login.methods(),
        };
        Auth::Reject { proceed_with_methods: Some(methods), partial_success: false }
    }

    fn pass(&mut self, next: MethodKind) -> Auth {
        self.halfway = true;
        Auth::Reject { proceed_with_methods: Some(only(next)), partial_success: true }
    }
}

fn only(method: MethodKind) -> MethodSet {
    MethodSet::from(&[method][..])
}

fn ask(questions: &[(String, bool)]) -> Auth {
    let prompts = questions.iter().map(|(text, shown)| (Cow::Owned(text.clone()), *shown)).collect();
    Auth::Partial { name: Cow::Borrowed(""), instructions: Cow::Borrowed(""), prompts: Cow::Owned(prompts) }
}
