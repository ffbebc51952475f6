//! Signatures for a login, by a key file or by the agent, in russh's terms.

use std::path::Path;
use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::{HashAlg, PublicKey};

use crate::ssh::agent::{AgentConnection, Agents, SignError, TurnError};
use crate::ssh::auth::clock::Clock;
use crate::ssh::keys::{SigningKey, is_hardware};
use crate::ssh::wire::put_string;

/// Why a key that a server would take did not get us in.
#[derive(Debug)]
pub(super) enum SignFailure {
    /// The connection is gone.
    Connection,
    /// This key does not sign; others may.
    NoSignature(String),
    /// The agent does not sign any more.
    AgentGone(String),
    /// Others kept the agent busy for too long.
    TooLate,
}

impl From<russh::SendError> for SignFailure {
    fn from(_: russh::SendError) -> Self {
        Self::Connection
    }
}

impl From<russh::Error> for SignFailure {
    fn from(_: russh::Error) -> Self {
        Self::Connection
    }
}

/// Signs with a key from a file.
pub(super) struct FileSigner(pub(super) Arc<SigningKey>);

impl russh::Signer for FileSigner {
    type Error = SignFailure;

    async fn auth_sign(
        &mut self,
        _identity: &AgentIdentity,
        hash: Option<HashAlg>,
        mut data: Vec<u8>,
    ) -> Result<Vec<u8>, SignFailure> {
        let blob = self.0.sign(&data, hash);
        let blob = blob.ok_or_else(|| SignFailure::NoSignature("the key cannot sign".to_owned()))?;
        put_string(&mut data, &blob);
        Ok(data)
    }
}

/// Has the agent sign, in turn.
pub(super) struct AgentSigner<'a> {
    pub(super) agent: &'a mut AgentConnection,
    pub(super) socket: &'a Path,
    /// The key to ask for instead of the certificate that was offered.
    pub(super) bare: Option<PublicKey>,
    pub(super) agents: &'a Agents,
    pub(super) clock: &'a Clock,
}

impl russh::Signer for AgentSigner<'_> {
    type Error = SignFailure;

    async fn auth_sign(
        &mut self,
        identity: &AgentIdentity,
        hash: Option<HashAlg>,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, SignFailure> {
        let patience = self.agents.patience;
        let hardware = is_hardware(&identity.public_key());
        let clock = self.clock;
        let bare = self.bare.clone().map(AgentIdentity::from);
        let identity = bare.as_ref().unwrap_or(identity);
        clock
            .paused(async {
                let turn = self.agents.turns.acquire(self.socket, hardware, patience.turn).await;
                let turn = turn.map_err(|error| match error {
                    TurnError::TooLate => SignFailure::TooLate,
                    TurnError::Dead => {
                        SignFailure::AgentGone("the agent stopped answering earlier in this run".to_owned())
                    }
                })?;
                let signed = self.agent.sign(identity, hash, data, patience.sign).await;
                match &signed {
                    Ok(_) | Err(SignError::Refused | SignError::Broken(_)) => turn.answered(),
                    Err(SignError::Silent(_)) => turn.unanswered(),
                }
                signed.map_err(|error| match error {
                    SignError::Refused => SignFailure::NoSignature(error.to_string()),
                    SignError::Silent(_) | SignError::Broken(_) => SignFailure::AgentGone(error.to_string()),
                })
            })
            .await
    }
}
