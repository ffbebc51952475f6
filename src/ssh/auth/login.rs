//! One login: which proof is offered when, and how far it got.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use russh::MethodKind;
use russh::client::Handle;
use russh::keys::{Algorithm, HashAlg};

use crate::model::endpoint::{Agent, Endpoint, NamedBy};
use crate::model::outcome::{Failure, Kind};
use crate::ssh::agent::{AgentConnection, Agents, HeldKey, holds, is_consulted};
use crate::ssh::auth::attempts::{Attempts, AuthAnswer, LoginStep};
use crate::ssh::auth::clock::{Clock, Stage};
use crate::ssh::auth::offers;
use crate::ssh::auth::offers::{Offer, SeenKeys, Signer};
use crate::ssh::auth::signer::{AgentSigner, FileSigner, SignFailure};
use crate::ssh::deadline::PhaseLimit;
use crate::ssh::error::{ConnectError, Retry};
use crate::ssh::handler::ClientHandler;
use crate::ssh::keys::{Identity, Keyring, doubt};

/// Refusals that we let it come to: OpenSSH's `MaxAuthTries` is 6, and the sixth ends the connection.
const MAX_REFUSALS: usize = 5;

/// Authenticates; returns how.
///
/// # Errors
///
/// `auth_failed` when nothing was accepted, `auth_exhausted` when the server lost patience, `agent` when an
/// agent that the user named is of no use, `connect_reset` when the connection broke. Only a login that was cut
/// before anything was refused, or that had to wait too long for others, may be repeated.
pub(in crate::ssh) async fn authenticate(
    handle: &mut Handle<ClientHandler>,
    endpoint: &Endpoint,
    keyring: &Keyring,
    agents: &Agents,
    limit: PhaseLimit,
) -> Result<String, ConnectError> {
    let clock = Clock::start();
    let mut login = LoginAttempt {
        handle,
        endpoint,
        keyring,
        agents,
        clock: &clock,
        attempts: Attempts::default(),
        seen: SeenKeys::default(),
        offers: VecDeque::new(),
        sources: sources(endpoint),
        agent: None,
        refusals: 0,
        none_tried: false,
    };
    let result = clock.within(limit.left, login.run()).await;
    result.unwrap_or_else(|| Err(ConnectError::fatal(expired(clock.stage(), limit.said))))
}

/// A login under way.
pub(super) struct LoginAttempt<'a> {
    pub(super) handle: &'a mut Handle<ClientHandler>,
    pub(super) endpoint: &'a Endpoint,
    keyring: &'a Keyring,
    agents: &'a Agents,
    pub(super) clock: &'a Clock,
    pub(super) attempts: Attempts,
    seen: SeenKeys,
    /// Keys that were found and not offered yet.
    offers: VecDeque<Offer>,
    /// Where more keys may be found.
    sources: VecDeque<KeySource>,
    agent: Option<AgentConnection>,
    refusals: usize,
    none_tried: bool,
}

/// Where keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeySource {
    Files,
    Agent,
}

/// The order of the sources: what the user named, or what `ssh` does.
fn sources(endpoint: &Endpoint) -> VecDeque<KeySource> {
    let order = if endpoint.identities_named != NamedBy::Nobody {
        [KeySource::Files, KeySource::Agent]
    } else {
        [KeySource::Agent, KeySource::Files]
    };
    VecDeque::from(order)
}

impl LoginAttempt<'_> {
    async fn run(&mut self) -> Result<String, ConnectError> {
        loop {
            if self.handle.is_closed() {
                // After a refusal, the server is done with us; otherwise the connection was cut.
                if self.attempts.is_refused() {
                    break;
                }
                return Err(self.broke());
            }
            let step = if let Some(offer) = self.next_offer().await? {
                self.offer(offer).await?
            } else if !self.attempts.knows_methods() && !self.none_tried {
                self.try_none().await?
            } else if let Some(step) = self.try_password().await? {
                step
            } else {
                break;
            };
            match step {
                LoginStep::Done => return Ok(self.attempts.how()),
                LoginStep::Partial => {}
                LoginStep::Refused => self.refusals += 1,
            }
        }
        Err(ConnectError::fatal(self.attempts.failure(self.endpoint)))
    }

    /// The next key to offer, if keys are wanted and another one may be refused.
    async fn next_offer(&mut self) -> Result<Option<Offer>, ConnectError> {
        if !self.attempts.may(MethodKind::PublicKey) {
            return Ok(None);
        }
        loop {
            if let Some(offer) = self.offers.pop_front() {
                // The password is the last chance, and must not be the refusal that ends the connection.
                let reserved = usize::from(self.endpoint.password.is_some());
                if self.refusals + reserved < MAX_REFUSALS {
                    return Ok(Some(offer));
                }
                let left = self.offers.len() + 1;
                self.offers.clear();
                self.sources.clear();
                self.attempts.note(format!("{left} more keys were not offered: servers allow six tries"));
                return Ok(None);
            }
            let Some(source) = self.sources.pop_front() else { return Ok(None) };
            let found = match source {
                KeySource::Files => {
                    self.note_unusable();
                    offers::from_files(self.endpoint, self.keyring, &mut self.seen)
                }
                KeySource::Agent => self.ask_agent().await?,
            };
            self.offers.extend(found);
        }
    }

    /// Keys that are no files to sign with: default ones that nobody was asked to open, and those of an agent
    /// that is turned off.
    fn note_unusable(&mut self) {
        for path in self.endpoint.identities.iter() {
            let shown = path.display();
            match self.keyring.get(path) {
                Some(Identity::Locked(_)) => {
                    self.attempts.note(format!("{shown} is encrypted and was not opened"));
                }
                Some(Identity::AgentOnly(_)) if self.endpoint.agent == Agent::Off => {
                    self.attempts.note(format!("{shown} needs an agent, and there is none"));
                }
                Some(Identity::Unusable(unusable)) if self.endpoint.identities_named != NamedBy::Nobody => {
                    self.attempts.note(unusable.error.to_string());
                }
                Some(Identity::AgentOnly(_) | Identity::Private(_) | Identity::Unusable(_)) | None => {}
            }
        }
    }

    /// Keys that only the agent could sign with, and that it does not hold.
    fn note_missing(&mut self, held: &[HeldKey]) {
        for path in self.endpoint.identities.iter() {
            if let Some(Identity::AgentOnly(public)) = self.keyring.get(path)
                && !holds(held, public)
            {
                self.attempts.note(format!("the agent does not hold {}", path.display()));
            }
        }
    }

    /// Opens the agent and asks what it holds.
    async fn ask_agent(&mut self) -> Result<Vec<Offer>, ConnectError> {
        let Agent::Socket { path, required } = &self.endpoint.agent else { return Ok(Vec::new()) };
        if !is_consulted(self.endpoint, self.keyring) {
            return Ok(Vec::new());
        }
        let opening =
            AgentConnection::open(path, self.handle.agent_session_binding(), self.agents.patience.list);
        match self.clock.paused(opening).await {
            Ok((agent, held)) => {
                self.agent = Some(agent);
                if held.is_empty() {
                    self.attempts.note("the agent holds no keys for this host (or is locked)".to_owned());
                }
                self.note_missing(&held);
                Ok(offers::from_agent(self.endpoint, self.keyring, &held, &mut self.seen))
            }
            Err(error) if *required => Err(ConnectError::fatal(Failure::new(Kind::Agent, error.to_string()))),
            Err(error) => {
                self.attempts.note(error.to_string());
                Ok(Vec::new())
            }
        }
    }

    /// Offers one key; the server says whether it would do before anything is signed (RFC 4252 section 7).
    async fn offer(&mut self, offer: Offer) -> Result<LoginStep, ConnectError> {
        self.clock.enter(Stage::Keys);
        let hash = self.rsa_hash(&offer.key().algorithm()).await;
        let user = self.endpoint.user.as_ref();
        let result = match (&offer.signer, &offer.certificate) {
            (Signer::File(key), None) => {
                let mut signer = FileSigner(Arc::clone(key));
                let public = key.public_key().clone();
                self.handle.authenticate_publickey_with(user, public, hash, &mut signer).await
            }
            // Not by `authenticate_openssh_cert`, which knows RSA with SHA-1 only.
            (Signer::File(key), Some(certificate)) => {
                let mut signer = FileSigner(Arc::clone(key));
                let certificate = certificate.as_ref().clone();
                self.handle.authenticate_certificate_with(user, certificate, hash, &mut signer).await
            }
            (Signer::Agent { key, bare }, certificate) => {
                let (Some(agent), Agent::Socket { path, .. }) = (&mut self.agent, &self.endpoint.agent)
                else {
                    return Ok(LoginStep::Refused);
                };
                let bare = bare.then(|| key.clone());
                let mut signer =
                    AgentSigner { agent, socket: path, bare, agents: self.agents, clock: self.clock };
                match certificate {
                    None => {
                        self.handle.authenticate_publickey_with(user, key.clone(), hash, &mut signer).await
                    }
                    Some(certificate) => {
                        let certificate = certificate.as_ref().clone();
                        self.handle.authenticate_certificate_with(user, certificate, hash, &mut signer).await
                    }
                }
            }
        };
        match result {
            Ok(result) => {
                let answer = self.heard(AuthAnswer::from(result)).await?;
                Ok(self.judge_offer(offer, &answer))
            }
            Err(SignFailure::Connection) => Err(self.broke()),
            Err(SignFailure::NoSignature(why)) => {
                self.attempts.note(format!("{}: {why}", offer.describe()));
                Ok(LoginStep::Refused)
            }
            Err(SignFailure::AgentGone(why)) => {
                self.attempts.note(why);
                self.agent = None;
                self.offers.retain(|offer| matches!(offer.signer, Signer::File(_)));
                Ok(LoginStep::Refused)
            }
            Err(SignFailure::TooLate) => Err(ConnectError {
                failure: Failure::new(Kind::Agent, "the agent was busy with other hosts for too long"),
                retry: Retry::Soon,
            }),
        }
    }

    fn judge_offer(&mut self, offer: Offer, answer: &AuthAnswer) -> LoginStep {
        let before = self.attempts.knows_methods();
        let step = self.attempts.judge(offer.describe(), answer);
        match step {
            LoginStep::Done | LoginStep::Partial => {}
            LoginStep::Refused => {
                if let Some(certificate) = &offer.certificate
                    && let Some(doubt) = doubt(certificate, &self.endpoint.user)
                {
                    self.attempts.note(doubt);
                }
                // A server that wants something else first refuses whatever it is shown: the key gets another
                // chance after that.
                if !before && !self.attempts.may(MethodKind::PublicKey) && !self.handle.is_closed() {
                    self.attempts.forget_last();
                    self.offers.push_front(offer);
                }
            }
        }
        step
    }

    /// Tries to get in with nothing, which says what the server wants (RFC 4252 section 5.2).
    async fn try_none(&mut self) -> Result<LoginStep, ConnectError> {
        self.none_tried = true;
        let result = self.handle.authenticate_none(self.endpoint.user.as_ref()).await;
        let answer = AuthAnswer::from(result.map_err(|_| self.broke())?);
        match self.heard(answer).await? {
            AuthAnswer::Success => Ok(self
                .attempts
                .judge("nothing: the host asks for no proof".to_owned(), &AuthAnswer::Success)),
            AuthAnswer::Failure { allowed, .. } => {
                self.attempts.learn(&allowed);
                // It is no refusal of anything; servers do not count it.
                Ok(LoginStep::Partial)
            }
        }
    }

    /// SHA-2 for RSA, as good as the server can; other keys have their own hash.
    async fn rsa_hash(&self, algorithm: &Algorithm) -> Option<HashAlg> {
        if !algorithm.clone().is_rsa() {
            return None;
        }
        // A server that announces nothing gets SHA-512: `ssh-rsa` with SHA-1 is never an option.
        match self.handle.best_supported_rsa_hash().await {
            Ok(Some(Some(hash))) => Some(hash),
            _ => Some(HashAlg::Sha512),
        }
    }

    /// Tells an answer from the end of the connection: russh makes a refusal of that, which allows nothing.
    pub(super) async fn heard(&mut self, answer: AuthAnswer) -> Result<AuthAnswer, ConnectError> {
        const LOOKS: u32 = 10;
        if let AuthAnswer::Failure { allowed, partial: false } = &answer
            && allowed.is_empty()
        {
            // Its task gives the answer up a moment before it is gone.
            for _ in 0..LOOKS {
                if self.handle.is_closed() {
                    return Err(self.broke());
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(answer)
    }

    /// The connection ended under us. It is opened again only when that repeats no refusal and no password.
    pub(super) fn broke(&mut self) -> ConnectError {
        let failure = self.attempts.cut(self.endpoint);
        let counted = self.attempts.is_refused() || self.attempts.is_password_sent();
        if counted { ConnectError::fatal(failure) } else { ConnectError::temporary(failure) }
    }
}

fn expired(stage: Stage, deadline: std::time::Duration) -> Failure {
    let seconds = deadline.as_secs_f64();
    match stage {
        Stage::Keys => Failure::new(Kind::AuthTimeout, format!("the login did not end within {seconds} s"))
            .hint("is the server slow to look up users and keys? `auth_timeout` sets the deadline, and so does -t"),
        Stage::Password | Stage::Dialogue => {
            let message = format!("the server did not answer the password within {seconds} s");
            let hint = "it may want a new password: log in once with ssh; `auth_timeout` sets the deadline";
            Failure::new(Kind::AuthTimeout, message).hint(hint)
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
