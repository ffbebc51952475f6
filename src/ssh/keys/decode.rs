//! From the text of a key file to a key that can sign, or to what is needed to get there.
//!
//! Every sentence about a bad file is made here or in `pem` and `cost`, before the decoder is asked; the decoder
//! only has to say yes or no. Nothing in a file may end the process: see [`guarded`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use russh::keys::key::parse_public_key;
use russh::keys::{Algorithm, PrivateKey, PublicKey, decode_secret_key};

use crate::model::secret::Secret;
use crate::ssh::keys::container::Container;
use crate::ssh::keys::cost;
use crate::ssh::keys::pem::{Pem, PemFormat, damaged, dsa};
use crate::ssh::keys::problem::KeyProblem;
use crate::ssh::keys::signing::SigningKey;
use crate::ssh::wire::{is_plain_key, type_name};

/// Bits of an RSA key at least; OpenSSH still takes 1024, which is within reach of those who try.
const MIN_RSA_BITS: usize = 2048;

/// Bits of an RSA key at most, as in OpenSSH.
const MAX_RSA_BITS: usize = 16_384;

/// What a key file holds.
#[derive(Debug)]
pub(super) enum KeyContent {
    /// A key that can sign.
    Open(Arc<SigningKey>),
    /// A handle for a key in hardware: the agent signs.
    Hardware(PublicKey),
    /// A key behind a passphrase; the public half, where the format leaves it open.
    Locked(Pem, Option<PublicKey>),
}

/// Reads a key file's text.
///
/// # Errors
///
/// Why this is no usable key; see docs/authentication.md.
pub(super) fn decode(text: &str) -> Result<KeyContent, KeyProblem> {
    let pem = Pem::parse(text)?;
    match pem.format {
        PemFormat::OpenSsh => {
            let container = Container::parse(&pem.bytes)?;
            check_type(container.public)?;
            let public = guarded(|| parse_public_key(container.public).ok()).ok_or_else(damaged)?;
            check_strength(&public)?;
            if is_hardware(&public) {
                return Ok(KeyContent::Hardware(public));
            }
            if container.is_locked() {
                return Ok(KeyContent::Locked(pem, Some(public)));
            }
        }
        PemFormat::Der => {}
        PemFormat::Legacy => return Ok(KeyContent::Locked(pem, None)),
        PemFormat::Pkcs8Encrypted => {
            cost::pkcs8(&pem.bytes)?;
            return Ok(KeyContent::Locked(pem, None));
        }
    }
    Ok(KeyContent::Open(open(&pem, None)?.ok_or_else(damaged)?))
}

/// Opens a locked key; `None` when the passphrase is wrong.
///
/// # Errors
///
/// It opened, and what is in it cannot be used.
pub(super) fn unlock(pem: &Pem, passphrase: &Secret) -> Result<Option<Arc<SigningKey>>, KeyProblem> {
    open(pem, Some(passphrase))
}

/// Opens a key, or finds the passphrase wrong. Of other formats than OpenSSH's nobody can tell a wrong passphrase
/// from damage.
fn open(pem: &Pem, passphrase: Option<&Secret>) -> Result<Option<Arc<SigningKey>>, KeyProblem> {
    let key = match pem.format {
        PemFormat::OpenSsh => {
            let container = Container::parse(&pem.bytes)?;
            let opened = guarded(|| Some(container.open(passphrase))).ok_or_else(damaged)?;
            let Some(plain) = opened? else { return Ok(None) };
            Some(guarded(|| PrivateKey::from_bytes(&plain).ok()).ok_or_else(damaged)?)
        }
        PemFormat::Der | PemFormat::Legacy | PemFormat::Pkcs8Encrypted => {
            guarded(|| decode_secret_key(&pem.text, passphrase.map(Secret::reveal)).ok())
        }
    };
    key.map(usable).transpose()
}

/// Runs a piece of a decoder on bytes from a file; `None` when it fails in any way.
///
/// The decoders are libraries that have panicked on such bytes before (a truncated PKCS#8 key). The checks
/// around them leave them little to stumble over; this is the last net.
fn guarded<T>(decoder: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(decoder)).ok().flatten()
}

fn usable(key: PrivateKey) -> Result<Arc<SigningKey>, KeyProblem> {
    check_strength(key.public_key())?;
    // A trial: halves that do not belong together would otherwise look like a refusal by every host.
    let proven = guarded(|| SigningKey::new(key));
    proven.map(Arc::new).ok_or_else(|| {
        KeyProblem::hinted("the key is damaged: its halves do not belong together", "copy the file again")
    })
}

/// Refuses types that cannot be used, by name, before the decoder sees the key.
fn check_type(blob: &[u8]) -> Result<(), KeyProblem> {
    match type_name(blob) {
        Some("ssh-dss") => Err(dsa()),
        Some(_) if is_plain_key(blob) => Ok(()),
        Some(name) => {
            let name: String = name.chars().take(40).collect();
            Err(KeyProblem::hinted(
                format!("keys of type {name:?} are not supported"),
                "make a new key: ssh-keygen -t ed25519",
            ))
        }
        None => Err(damaged()),
    }
}

fn check_strength(key: &PublicKey) -> Result<(), KeyProblem> {
    let renew = "make a new key: ssh-keygen -t ed25519";
    if key.algorithm() == Algorithm::Dsa {
        return Err(dsa());
    }
    let Some(rsa) = key.key_data().rsa() else { return Ok(()) };
    let bits = rsa
        .n()
        .as_positive_bytes()
        .map_or(0, |bytes| bytes.first().map_or(0, |&top| bytes.len() * 8 - top.leading_zeros() as usize));
    if bits < MIN_RSA_BITS {
        let message = format!("an RSA key of {bits} bits is too weak ({MIN_RSA_BITS} at least)");
        return Err(KeyProblem::hinted(message, renew));
    }
    if bits > MAX_RSA_BITS {
        let message = format!("an RSA key of {bits} bits is too large ({MAX_RSA_BITS} at most)");
        return Err(KeyProblem::hinted(message, renew));
    }
    Ok(())
}

/// Whether a key lives in a FIDO token (PROTOCOL.u2f).
pub(super) fn is_hardware(key: &PublicKey) -> bool {
    matches!(key.algorithm(), Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256)
}
