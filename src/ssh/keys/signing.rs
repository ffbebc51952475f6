//! A private key of ours, ready to sign.
//!
//! The key of a run signs once per host. ssh-key derives the public half anew for every Ed25519 signature; AWS-LC, which
//! russh brings for its ciphers, keeps it and is faster on top.

use std::fmt;

use aws_lc_rs::signature::Ed25519KeyPair;
use russh::keys::signature::{Signer as _, Verifier as _};
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::ssh_key::{Algorithm, Signature};
use russh::keys::{HashAlg, PrivateKey, PublicKey};

/// A private key that was read and found usable.
pub struct SigningKey {
    key: PrivateKey,
    ed25519: Option<Ed25519KeyPair>,
}

/// Never shows the private half.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(self.public_key()).finish()
    }
}

impl SigningKey {
    /// The key, unless its halves do not belong together.
    pub(super) fn new(key: PrivateKey) -> Option<Self> {
        let ed25519 = match key.key_data() {
            KeypairData::Ed25519(pair) => {
                let (seed, public) = (pair.private.as_ref(), pair.public.as_ref());
                Some(Ed25519KeyPair::from_seed_and_public_key(seed, public).ok()?)
            }
            _ => None,
        };
        let this = Self { key, ed25519 };
        const MESSAGE: &[u8] = b"fan: a key file is checked";
        let signature = this.signature(MESSAGE, Some(HashAlg::Sha256))?;
        this.public_key().key_data().verify(MESSAGE, &signature).ok()?;
        Some(this)
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    /// The signature of `data` as it goes over the wire (RFC 4253 section 6.6); `hash` is for RSA alone, which signs with SHA-1
    /// without one.
    pub(in crate::ssh) fn sign(&self, data: &[u8], hash: Option<HashAlg>) -> Option<Vec<u8>> {
        let mut blob = Vec::new();
        self.signature(data, hash)?.encode(&mut blob).ok()?;
        Some(blob)
    }

    fn signature(&self, data: &[u8], hash: Option<HashAlg>) -> Option<Signature> {
        if let Some(pair) = &self.ed25519 {
            return Signature::new(Algorithm::Ed25519, pair.sign(data).as_ref()).ok();
        }
        match self.key.key_data() {
            KeypairData::Rsa(pair) => (pair, hash).try_sign(data).ok(),
            other => other.try_sign(data).ok(),
        }
    }
}
