//! How a throw-away host wants to be logged in to, where that is not just by its key (RFC 4252 section 5.1,
//! RFC 4256).

use std::borrow::Cow;

use russh::server::Auth;
use russh::{MethodKind, MethodSet};

/// What a host asks for instead of the key alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
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
    login: Login,
    /// The first of two steps was right.
    halfway: bool,
    /// Rounds of the dialogue so far.
    rounds: u32,
}

impl Login {
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
    pub(super) fn new(login: Login) -> Self {
        Self { login, halfway: false, rounds: 0 }
    }

    /// Answers a password.
    pub(super) fn password(&mut self, given: &str) -> Auth {
        let right = match &self.login {
            Login::Password(right) => Some(right),
            Login::KeyThenPassword(right) => self.halfway.then_some(right),
            Login::PasswordThenKey(right) => (!self.halfway).then_some(right),
            Login::Dialogue { .. } | Login::DialogueAgain(_) | Login::KeyThenDialogue(_) => None,
        };
        if right.is_none_or(|right| right != given) {
            self.refuse()
        } else if let Login::PasswordThenKey(_) = self.login {
            self.pass(MethodKind::PublicKey)
        } else {
            Auth::Accept
        }
    }

    /// Whether the key is looked at now.
    pub(super) fn takes_key(&self) -> bool {
        match self.login {
            Login::Password(_) | Login::Dialogue { .. } | Login::DialogueAgain(_) => false,
            Login::KeyThenPassword(_) | Login::KeyThenDialogue(_) => !self.halfway,
            Login::PasswordThenKey(_) => self.halfway,
        }
    }

    /// Answers the right key, proven.
    pub(super) fn key(&mut self) -> Auth {
        if !self.takes_key() {
            return self.refuse();
        }
        match self.login {
            Login::KeyThenPassword(_) => self.pass(MethodKind::Password),
            Login::KeyThenDialogue(_) => self.pass(MethodKind::KeyboardInteractive),
            Login::PasswordThenKey(_) => Auth::Accept,
            Login::Password(_) | Login::Dialogue { .. } | Login::DialogueAgain(_) => self.refuse(),
        }
    }

    /// Answers the next message of a dialogue; the first one has no answers.
    pub(super) fn dialogue(&mut self, answers: Option<Vec<String>>) -> Auth {
        let (empty_rounds, questions, answer) = match &self.login {
            Login::Dialogue { empty_rounds, questions, answer } => (*empty_rounds, questions.clone(), answer),
            Login::DialogueAgain(right) => {
                return match answers {
                    Some(answers) if answers.len() == 1 && answers.contains(right) => Auth::Accept,
                    _ => ask(&[("Password: ".to_owned(), false)]),
                };
            }
            Login::KeyThenDialogue(answer) if self.halfway => {
                (0, vec![("Password: ".to_owned(), false)], answer)
            }
            Login::Password(_)
            | Login::KeyThenPassword(_)
            | Login::PasswordThenKey(_)
            | Login::KeyThenDialogue(_) => return self.refuse(),
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
            (Login::KeyThenPassword(_), true) => only(MethodKind::Password),
            (Login::KeyThenDialogue(_), true) => only(MethodKind::KeyboardInteractive),
            (Login::PasswordThenKey(_), true) => only(MethodKind::PublicKey),
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
