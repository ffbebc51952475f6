//! A connection to an agent, for one login: which keys it holds, and signatures by them.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use russh::keys::agent::client::AgentClient;
use russh::keys::agent::{AgentIdentity, AgentSessionBinding};
use russh::keys::{HashAlg, PublicKey};
use tokio::net::UnixStream;

use crate::model::endpoint::Endpoint;
use crate::ssh::agent::frames;
use crate::ssh::agent::held::HeldKey;
use crate::ssh::agent::turns::Turns;
use crate::ssh::keys::{Identity, Keyring};

/// How long to wait for an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentPatience {
    /// For the list of its keys, connecting included.
    pub list: Duration,
    /// For one signature: a person may have to touch a token or to confirm.
    pub sign: Duration,
    /// For one's turn while others wait for their signatures. Well below the two minutes after which a server
    /// drops a login (`LoginGraceTime`).
    pub turn: Duration,
}

impl Default for AgentPatience {
    fn default() -> Self {
        Self { list: Duration::from_secs(10), sign: Duration::from_secs(60), turn: Duration::from_secs(60) }
    }
}

/// The agents of a run.
#[derive(Debug, Default)]
pub(in crate::ssh) struct Agents {
    /// How long to wait for them.
    pub(in crate::ssh) patience: AgentPatience,
    /// Who signs when.
    pub(in crate::ssh) turns: Turns,
}

/// Why an agent is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// Nothing is there.
    #[error("there is no agent at {}", .0.display())]
    Missing(PathBuf),
    /// Something else than a socket is there.
    #[error("{} is not the socket of an agent", .0.display())]
    NotASocket(PathBuf),
    /// Nobody listens, or we may not talk to it.
    #[error("the agent at {} cannot be reached: {reason}", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It does not answer in time.
    #[error("the agent at {} did not answer within {} s", path.display(), after.as_secs_f64())]
    Silent {
        /// The socket.
        path: PathBuf,
        /// How long it was waited for.
        after: Duration,
    },
    /// It said no.
    #[error("the agent at {} does not list its keys", .0.display())]
    Refused(PathBuf),
    /// It does not speak the protocol, or hung up.
    #[error("the agent at {} broke off: {reason}", path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
}

/// The keys that an agent holds, for whoever has no connection to a host yet: keys that are restricted to some
/// hosts may be missing.
///
/// # Errors
///
/// The agent is not there, does not answer in time, or does not speak the protocol.
pub async fn held(socket: &Path, deadline: Duration) -> Result<Vec<HeldKey>, AgentError> {
    AgentConnection::open(socket, None, deadline).await.map(|(_, held)| held)
}

/// Whether a login there may need the agent: a key file that is named, open, and all that may be offered, does not.
pub fn is_consulted(endpoint: &Endpoint, keyring: &Keyring) -> bool {
    let open = |path: &PathBuf| matches!(keyring.get(path), Some(Identity::Private(_)));
    !endpoint.identities_only || !endpoint.certificates.is_empty() || !endpoint.identities.iter().all(open)
}

/// Whether an agent that holds these can sign with a key.
pub fn holds(held: &[HeldKey], key: &PublicKey) -> bool {
    held.iter().any(|held| match held {
        HeldKey::Key(held) => held.key_data() == key.key_data(),
        HeldKey::Certificate(certificate) => certificate.public_key() == key.key_data(),
    })
}

/// A connection to an agent, for one login.
pub(in crate::ssh) struct AgentConnection {
    stream: UnixStream,
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub(in crate::ssh) enum SignError {
    /// The person, or a restriction of the key, said no.
    #[error("the agent refused to sign (declined, or the key is restricted)")]
    Refused,
    /// It did not answer.
    #[error("the agent did not sign within {} s", .0.as_secs_f64())]
    Silent(Duration),
    /// Anything else.
    #[error("the agent did not sign: {0}")]
    Broken(String),
}

impl AgentConnection {
    /// Connects, binds the connection to a session, and lists the keys, all within a deadline.
    pub(in crate::ssh) async fn open(
        socket: &Path,
        binding: Option<&AgentSessionBinding>,
        deadline: Duration,
    ) -> Result<(Self, Vec<HeldKey>), AgentError> {
        let opening = async {
            match Self::try_open(socket, binding).await {
                // Old agents hang up on what they do not know: once more, without.
                Err(AgentError::Broken { .. }) if binding.is_some() => Self::try_open(socket, None).await,
                other => other,
            }
        };
        tokio::time::timeout(deadline, opening)
            .await
            .unwrap_or_else(|_| Err(AgentError::Silent { path: socket.to_owned(), after: deadline }))
    }

    async fn try_open(
        socket: &Path,
        binding: Option<&AgentSessionBinding>,
    ) -> Result<(Self, Vec<HeldKey>), AgentError> {
        let broken = |error: io::Error| {
            let reason = match error.kind() {
                io::ErrorKind::UnexpectedEof => "it hung up".to_owned(),
                _ => error.to_string(),
            };
            AgentError::Broken { path: socket.to_owned(), reason }
        };
        let mut stream = connect(socket).await?;
        if let Some(binding) = binding {
            match AgentClient::connect(&mut stream).bind_session(binding, false).await {
                // An agent without this extension says no, and signs with unrestricted keys all the same.
                Ok(()) | Err(russh::keys::Error::AgentFailure) => {}
                Err(error) => return Err(broken(io::Error::other(error))),
            }
        }
        let answer = frames::exchange(&mut stream, &[frames::REQUEST_IDENTITIES]).await.map_err(broken)?;
        let held = frames::identities(&answer).ok_or_else(|| AgentError::Refused(socket.to_owned()))?;
        Ok((Self { stream }, held))
    }

    /// Has `data` signed; returns it with the signature behind it, as RFC 4252 section 7 wants it.
    ///
    /// After [`SignError::Silent`] and [`SignError::Broken`] the connection is of no use any more.
    pub(in crate::ssh) async fn sign(
        &mut self,
        identity: &AgentIdentity,
        hash: Option<HashAlg>,
        data: Vec<u8>,
        deadline: Duration,
    ) -> Result<Vec<u8>, SignError> {
        let mut client = AgentClient::connect(&mut self.stream);
        let signing = client.sign_request(identity, hash, data);
        match tokio::time::timeout(deadline, signing).await {
            Ok(Ok(signed)) => Ok(signed),
            Ok(Err(russh::keys::Error::AgentFailure)) => Err(SignError::Refused),
            Ok(Err(error)) => Err(SignError::Broken(error.to_string())),
            Err(_) => Err(SignError::Silent(deadline)),
        }
    }
}

/// Connects to a socket, with a word for each way in which it can be wrong.
pub(super) async fn connect(socket: &Path) -> Result<UnixStream, AgentError> {
    use std::os::unix::fs::FileTypeExt;
    let unreachable =
        |error: io::Error| AgentError::Unreachable { path: socket.to_owned(), reason: error.to_string() };
    match std::fs::metadata(socket) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => return Err(AgentError::NotASocket(socket.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(AgentError::Missing(socket.to_owned()));
        }
        Err(error) => return Err(unreachable(error)),
    }
    UnixStream::connect(socket).await.map_err(unreachable)
}

#[cfg(test)]
mod tests;
