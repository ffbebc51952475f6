//! Proves who we are: key files first, then the agent's keys, few enough not to be thrown out.
//!
//! An authentication that failed is never repeated: servers punish that (`MaxAuthTries`, fail2ban,
//! `PerSourcePenalties`). RSA signs with SHA-2 only (RFC 8332).

use std::path::Path;
use std::sync::Arc;

use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg, PublicKey};
use russh::{MethodKind, MethodSet};
use tokio::net::UnixStream;

use crate::model::endpoint::{Agent, Endpoint};
use crate::model::outcome::{Failure, Kind};
use crate::ssh::client::ClientHandler;
use crate::ssh::keys::{Identity, Keyring, describe};

/// Keys offered at most: OpenSSH's `MaxAuthTries` is 6, and the last one may be needed for something else.
const MAX_OFFERS: usize = 5;

/// What has been tried so far, for the message when all of it failed.
struct Attempts {
    tried: Vec<String>,
    notes: Vec<String>,
    remaining: Option<MethodSet>,
}

/// Authenticates; returns how.
///
/// # Errors
///
/// `auth_failed` when nothing was accepted, `auth_exhausted` when the server lost patience, `agent` when an
/// agent that the user named is of no use.
pub(super) async fn authenticate(
    handle: &mut Handle<ClientHandler>,
    endpoint: &Endpoint,
    keyring: &Keyring,
) -> Result<String, Failure> {
    let mut attempts = Attempts { tried: Vec::new(), notes: Vec::new(), remaining: None };
    let identities: Vec<&Identity> =
        endpoint.identities.iter().filter_map(|path| keyring.get(path)).collect();

    for identity in &identities {
        let Identity::Private(key) = identity else { continue };
        if attempts.tried.len() >= MAX_OFFERS {
            break;
        }
        let hash = rsa_hash(handle, &key.algorithm()).await;
        let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
        let result = handle.authenticate_publickey(endpoint.user.as_ref(), key).await;
        let result = result.map_err(|error| auth_broke(&error))?;
        if let Some(how) = attempts.judge(&result, identity.describe()) {
            return Ok(how);
        }
        if attempts.publickey_is_over(handle) {
            return Err(attempts.failure(endpoint));
        }
    }

    if let Agent::Socket { path, required } = &endpoint.agent {
        match agent_keys(path, &identities, endpoint.identities_only).await {
            Ok((mut agent, keys)) => {
                for key in keys {
                    if attempts.tried.len() >= MAX_OFFERS {
                        attempts.notes.push("more keys in the agent were not offered".to_owned());
                        break;
                    }
                    let hash = rsa_hash(handle, &key.algorithm()).await;
                    let user = endpoint.user.as_ref();
                    match handle.authenticate_publickey_with(user, key.clone(), hash, &mut agent).await {
                        Ok(result) => {
                            if let Some(how) = attempts.judge(&result, format!("{} (agent)", describe(&key)))
                            {
                                return Ok(how);
                            }
                        }
                        Err(error) => attempts.notes.push(format!("the agent did not sign: {error}")),
                    }
                    if attempts.publickey_is_over(handle) {
                        break;
                    }
                }
            }
            Err(message) if *required => return Err(Failure::new(Kind::Agent, message)),
            Err(message) => attempts.notes.push(message),
        }
    }
    Err(attempts.failure(endpoint))
}

impl Attempts {
    /// Notes an answer; returns how the login was proven when it was.
    fn judge(&mut self, result: &AuthResult, key: String) -> Option<String> {
        match result {
            AuthResult::Success => Some(format!("publickey {key}")),
            AuthResult::Failure { remaining_methods, .. } => {
                self.tried.push(key);
                self.remaining = Some(remaining_methods.clone());
                None
            }
        }
    }

    /// Whether offering another key is pointless.
    fn publickey_is_over(&self, handle: &Handle<ClientHandler>) -> bool {
        handle.is_closed()
            || self.remaining.as_ref().is_some_and(|methods| !methods.contains(&MethodKind::PublicKey))
    }

    fn failure(self, endpoint: &Endpoint) -> Failure {
        let user = &endpoint.user;
        let tried = match self.tried.as_slice() {
            [] => "no key to offer".to_owned(),
            keys => format!("tried {}", keys.join(", ")),
        };
        let notes: String = self.notes.iter().map(|note| format!("; {note}")).collect();
        let allowed = match &self.remaining {
            Some(methods) if !methods.is_empty() => {
                let names: Vec<_> = methods.iter().map(<&str>::from).collect();
                format!("; the server allows {}", names.join(","))
            }
            _ => String::new(),
        };
        let failure =
            Failure::new(Kind::AuthFailed, format!("login as {user} was refused: {tried}{notes}{allowed}"));
        if self.tried.is_empty() {
            failure.hint("name a key with `identity:`, or load one into the agent (ssh-add)")
        } else {
            failure.hint(format!("is one of these keys in ~{user}/.ssh/authorized_keys there?"))
        }
    }
}

/// SHA-2 for RSA, as good as the server can; other keys have their own hash.
async fn rsa_hash(handle: &Handle<ClientHandler>, algorithm: &Algorithm) -> Option<HashAlg> {
    if !algorithm.clone().is_rsa() {
        return None;
    }
    // A server that announces nothing gets SHA-512: `ssh-rsa` with SHA-1 is never an option.
    match handle.best_supported_rsa_hash().await {
        Ok(Some(Some(hash))) => Some(hash),
        _ => Some(HashAlg::Sha512),
    }
}

/// The agent's keys in the order to offer them: those named by `identity` first, others unless they are
/// ruled out.
async fn agent_keys(
    socket: &Path,
    identities: &[&Identity],
    identities_only: bool,
) -> Result<(AgentClient<UnixStream>, Vec<PublicKey>), String> {
    let mut agent = AgentClient::connect_uds(socket)
        .await
        .map_err(|error| format!("the agent at {} does not answer: {error}", socket.display()))?;
    let held = agent
        .request_identities()
        .await
        .map_err(|error| format!("the agent does not list its keys: {error}"))?;
    let held: Vec<PublicKey> = held
        .into_iter()
        .filter_map(|identity| match identity {
            AgentIdentity::PublicKey { key, .. } => Some(key),
            AgentIdentity::Certificate { .. } => None,
        })
        .collect();
    let same = |a: &PublicKey, b: &PublicKey| a.key_data() == b.key_data();
    let mut keys: Vec<PublicKey> = identities
        .iter()
        .filter_map(|identity| match identity {
            Identity::AgentOnly(public) => held.iter().find(|key| same(key, public)).cloned(),
            // Offered from its file already.
            Identity::Private(_) => None,
        })
        .collect();
    if !identities_only {
        let known = |key: &PublicKey| identities.iter().any(|identity| same(identity.public(), key));
        keys.extend(held.iter().filter(|key| !known(key)).cloned());
    }
    Ok((agent, keys))
}

fn auth_broke(error: &russh::Error) -> Failure {
    Failure::new(Kind::AuthFailed, format!("the connection broke during authentication: {error}"))
}
