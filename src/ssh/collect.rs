//! Collects the keys that a host has, without ever logging in: the client notes the key that it is shown and
//! refuses it, so that the connection ends before authentication.
//!
//! Owns the attempts, one after the other for each host. Takes connected streams from its caller, so that they
//! may come through other hosts. Refuses to judge what it finds.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKeyOrCertificate};
use russh::{AlgorithmKind, client};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::model::endpoint::Endpoint;
use crate::model::outcome::{Failure, Kind};
use crate::ssh::deadline::handshake_timeout;
use crate::ssh::error::ConnectError;
use crate::ssh::host_key::{HostKey, WantedKeys};
use crate::ssh::{algorithms, failure, stream};

/// Which keys of a host are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTypes {
    /// The one that it shows to a client who knows nothing of it.
    Preferred,
    /// One of each type, as `ssh-keyscan` collects them: a connection for each type.
    All,
}

/// Collects keys of a host: at least one, the most wanted type first.
///
/// `dial` gives a connected stream and whatever must be held while the connection lasts.
///
/// # Errors
///
/// The host cannot be reached or does not speak SSH, or broke whatever key it was asked for.
pub async fn collect<D, F, S, G>(
    endpoint: &Endpoint,
    types: KeyTypes,
    dial: D,
) -> Result<Collected, ConnectError>
where
    D: Fn() -> F,
    F: Future<Output = Result<(S, G), ConnectError>>,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut collected = Collected::default();
    let mut first_error = None;
    for (word, algorithms) in types.attempts() {
        let asked = async {
            let (stream, _guard) = dial().await?;
            shown(endpoint, stream, algorithms).await
        };
        match asked.await {
            Ok(found) => collected.keys.extend(found),
            // A server that breaks at one question may well answer the next, on another connection.
            Err(error) if is_about_the_question(&error) => {
                collected.missed.push(Missed { types: word, failure: error.failure.clone() });
                first_error.get_or_insert(error);
            }
            // Whoever cannot be reached is not asked again; what was seen by then was seen.
            Err(error) if collected.keys.is_empty() => return Err(first_error.unwrap_or(error)),
            Err(error) => {
                collected.missed.push(Missed { types: word, failure: error.failure });
                break;
            }
        }
    }
    match (collected.keys.is_empty(), first_error) {
        (false, _) => Ok(collected),
        (true, Some(error)) => Err(error),
        (true, None) => {
            let failure = Failure::new(Kind::Kex, "the server has no host key of a type that fan verifies");
            Err(ConnectError::fatal(failure.hint("add one there: ssh-keygen -A")))
        }
    }
}

/// Whether the server was reached and broke, or broke off, when it was asked for these keys.
fn is_about_the_question(error: &ConnectError) -> bool {
    matches!(error.failure.kind, Kind::ConnectReset | Kind::Kex | Kind::Protocol)
}

/// What was seen of a host's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// The keys, the most wanted type first.
    pub keys: Vec<HostKey>,
    /// Types that the host could not be asked for.
    pub missed: Vec<Missed>,
}

/// Types of keys that a host could not be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// Which: `RSA`.
    pub types: &'static str,
    /// Why.
    pub failure: Failure,
}

impl KeyTypes {
    /// The algorithms of each attempt, and a word for them; `None` asks for all of them at once.
    fn attempts(self) -> Vec<(&'static str, Option<Vec<Algorithm>>)> {
        let ecdsa = [EcdsaCurve::NistP256, EcdsaCurve::NistP384, EcdsaCurve::NistP521];
        let rsa = [HashAlg::Sha512, HashAlg::Sha256];
        match self {
            Self::Preferred => vec![("any", None)],
            Self::All => vec![
                ("Ed25519", Some(vec![Algorithm::Ed25519])),
                ("ECDSA", Some(ecdsa.map(|curve| Algorithm::Ecdsa { curve }).to_vec())),
                ("RSA", Some(rsa.map(|hash| Algorithm::Rsa { hash: Some(hash) }).to_vec())),
            ],
        }
    }
}

/// The key that the server shows when asked for these algorithms; none when it has no such key.
async fn shown<S>(
    endpoint: &Endpoint,
    stream: S,
    algorithms: Option<Vec<Algorithm>>,
) -> Result<Option<HostKey>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut config = algorithms::config(&WantedKeys::default());
    if let Some(algorithms) = algorithms {
        config.preferred.key = algorithms.into();
    }
    let slot = Arc::new(Mutex::new(None));
    let (watched, cut) = stream::watch(stream);
    let handshake = client::connect_stream(Arc::new(config), watched, Onlooker(Arc::clone(&slot)));
    let deadline = endpoint.deadlines.handshake;
    let Ok(ended) = tokio::time::timeout(deadline, handshake).await else {
        return Err(handshake_timeout(deadline));
    };
    let noted = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (noted, ended) {
        (Some(blob), _) => match HostKey::from_blob(blob) {
            Some(key) => Ok(Some(key)),
            None => Err(ConnectError::fatal(Failure::new(
                Kind::Protocol,
                "the server presents something that is not a host key",
            ))),
        },
        (None, Err(russh::Error::NoCommonAlgo { kind: AlgorithmKind::Key, .. })) => Ok(None),
        (None, Err(error)) => Err(cut.refusal().unwrap_or_else(|| failure::handshake(&error))),
        (None, Ok(_)) => {
            Err(ConnectError::fatal(Failure::new(Kind::Protocol, "the server showed no host key")))
        }
    }
}

/// Looks at the key and turns away.
struct Onlooker(Arc<Mutex<Option<Vec<u8>>>>);

impl client::Handler for Onlooker {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        // The server proved that it holds the key: its signature was checked before.
        let blob = shown.public_key().to_bytes().ok();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = blob;
        Ok(false)
    }
}
