//! Passwords (RFC 4252 section 8) and dialogues (keyboard-interactive, RFC 4256).
//!
//! A dialogue gets the password as the answer to one question that is alone and hidden, and to no other: fan
//! cannot know what else is asked, and a second hidden question is a second factor.

use russh::MethodKind;
use russh::client::KeyboardInteractiveAuthResponse as Reply;

use crate::model::endpoint::Password;
use crate::ssh::auth::attempts::{AuthAnswer, LoginStep};
use crate::ssh::auth::clock::Stage;
use crate::ssh::auth::login::LoginAttempt;
use crate::ssh::error::ConnectError;

/// Rounds of a dialogue in which nothing is asked, at most.
const MAX_EMPTY_ROUNDS: usize = 5;

/// A question of a server in a message: its first characters.
const MAX_QUESTION: usize = 60;

impl LoginAttempt<'_> {
    /// Sends the password by the one way that the server takes; `None` when there is none, or it was sent.
    ///
    /// A server with both ways gets it by the plain one. Sending it by the second as well when it was wrong
    /// would count twice against the account.
    pub(super) async fn try_password(&mut self) -> Result<Option<LoginStep>, ConnectError> {
        let Some(password) = self.endpoint.password.as_ref().and_then(Password::known) else {
            return Ok(None);
        };
        if self.attempts.is_password_sent() {
            return Ok(None);
        }
        let user = self.endpoint.user.as_ref();
        if self.attempts.may(MethodKind::Password) {
            self.clock.enter(Stage::Password);
            self.attempts.password_sent();
            let result = self.handle.authenticate_password(user, password.reveal()).await;
            let answer = AuthAnswer::from(result.map_err(|_| self.broke())?);
            let answer = self.heard(answer).await?;
            return Ok(Some(self.attempts.judge("password".to_owned(), &answer)));
        }
        if self.attempts.may(MethodKind::KeyboardInteractive) {
            self.clock.enter(Stage::Dialogue);
            let answer = self.dialogue(password.reveal()).await?;
            let answer = self.heard(answer).await?;
            // A dialogue that ended without the question is not begun again.
            self.attempts.password_sent();
            return Ok(Some(self.attempts.judge("keyboard-interactive".to_owned(), &answer)));
        }
        Ok(None)
    }

    async fn dialogue(&mut self, password: &str) -> Result<AuthAnswer, ConnectError> {
        let user = self.endpoint.user.as_ref();
        let mut reply = self.handle.authenticate_keyboard_interactive_start(user, None).await;
        let mut empty_rounds = 0;
        let mut state = PasswordDialogue::Open;
        loop {
            let prompts = match reply {
                Ok(Reply::Success) => return Ok(AuthAnswer::Success),
                Ok(Reply::Failure { remaining_methods, partial_success }) => {
                    return Ok(AuthAnswer::Failure { allowed: remaining_methods, partial: partial_success });
                }
                Ok(Reply::InfoRequest { prompts, .. }) => prompts,
                Err(_) => return Err(self.broke()),
            };
            let answers = match (prompts.as_slice(), &state) {
                (_, PasswordDialogue::Refused) => return Err(self.endless()),
                ([], _) if empty_rounds == MAX_EMPTY_ROUNDS => {
                    self.attempts.puzzled("the host's questions did not end".to_owned());
                    return Err(self.endless());
                }
                ([], PasswordDialogue::Open | PasswordDialogue::Answered(_)) => {
                    empty_rounds += 1;
                    Vec::new()
                }
                ([question], PasswordDialogue::Open) if !question.echo => {
                    state = PasswordDialogue::Answered(question.prompt.clone());
                    self.attempts.password_sent();
                    vec![password.to_owned()]
                }
                ([question], PasswordDialogue::Answered(first)) if question.prompt == *first => {
                    self.attempts.note("the host asks for the password again: it rejected it".to_owned());
                    state = PasswordDialogue::Refused;
                    Vec::new()
                }
                ([question, ..], PasswordDialogue::Open | PasswordDialogue::Answered(_)) => {
                    let shown: String = question.prompt.trim().chars().take(MAX_QUESTION).collect();
                    self.attempts.puzzled(format!("the host asks {shown:?}, which fan does not answer"));
                    state = PasswordDialogue::Refused;
                    // Too few answers are a refusal (RFC 4256 section 3.4): nothing is given away.
                    Vec::new()
                }
            };
            reply = self.handle.authenticate_keyboard_interactive_respond(answers).await;
        }
    }

    /// The server goes on asking: there is no way to end a dialogue but to leave.
    fn endless(&mut self) -> ConnectError {
        self.attempts.refused("keyboard-interactive".to_owned());
        ConnectError::fatal(self.attempts.failure(self.endpoint))
    }
}

/// Where a dialogue stands.
enum PasswordDialogue {
    /// Nothing was answered yet.
    Open,
    /// The password was given, to this question.
    Answered(String),
    /// A question was refused.
    Refused,
}
