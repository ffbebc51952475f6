//! Which keys are offered to a host, and in which order. Pure: files were read and agents asked before.
//!
//! A named key file comes first, then the agent's. Without a named one the order is that of `ssh`: the agent's
//! keys, those with a default key file first, then the default files. A certificate comes before its bare key,
//! and no key is offered twice.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use russh::keys::{Certificate, PublicKey};

use crate::model::endpoint::Endpoint;
use crate::ssh::agent::{HeldKey, holds};
use crate::ssh::keys::{self, Identity, Keyring, SigningKey};

/// One thing to offer.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    /// Who signs.
    pub(super) signer: Signer,
    /// The certificate that is offered instead of the bare key.
    pub(super) certificate: Option<Arc<Certificate>>,
}

/// Who signs.
#[derive(Clone, Debug)]
pub(super) enum Signer {
    /// We do.
    File(Arc<SigningKey>),
    /// The agent does.
    Agent {
        /// With this key.
        key: PublicKey,
        /// It holds the key as such, and not only a certificate of it: it is asked by that name, because it
        /// does not know certificates that stand in files.
        bare: bool,
    },
}

impl Offer {
    /// The key that signs.
    pub(super) fn key(&self) -> &PublicKey {
        match &self.signer {
            Signer::File(key) => key.public_key(),
            Signer::Agent { key, .. } => key,
        }
    }

    /// `ED25519 SHA256:...`, `ED25519-CERT SHA256:... (agent)`
    pub(super) fn describe(&self) -> String {
        let name = match &self.certificate {
            Some(certificate) => keys::describe_certificate(certificate),
            None => keys::describe(self.key()),
        };
        match self.signer {
            Signer::File(_) => name,
            Signer::Agent { .. } => format!("{name} (agent)"),
        }
    }
}

/// Keeps what was put into a list from being put there again.
#[derive(Debug, Default)]
pub(super) struct SeenKeys(HashSet<(Vec<u8>, bool)>);

impl SeenKeys {
    fn is_new(&mut self, key: &PublicKey, certificate: bool) -> bool {
        // A key that cannot be encoded cannot be offered either.
        key.to_bytes().is_ok_and(|blob| self.0.insert((blob, certificate)))
    }

    fn push(&mut self, offers: &mut Vec<Offer>, signer: &Signer, certificate: Option<Arc<Certificate>>) {
        let offer = Offer { signer: signer.clone(), certificate };
        if self.is_new(offer.key(), offer.certificate.is_some()) {
            offers.push(offer);
        }
    }
}

/// What the key files are good for.
pub(super) fn from_files(endpoint: &Endpoint, keyring: &Keyring, seen: &mut SeenKeys) -> Vec<Offer> {
    let mut offers = Vec::new();
    for path in endpoint.identities.iter() {
        let Some(Identity::Private(key)) = keyring.get(path) else { continue };
        let signer = Signer::File(Arc::clone(key));
        for certificate in keyring.certificates(Some(path), &endpoint.certificates, key.public_key()) {
            seen.push(&mut offers, &signer, Some(Arc::clone(certificate)));
        }
        seen.push(&mut offers, &signer, None);
    }
    offers
}

/// What the agent is good for, given what it holds.
pub(super) fn from_agent(
    endpoint: &Endpoint,
    keyring: &Keyring,
    held: &[HeldKey],
    seen: &mut SeenKeys,
) -> Vec<Offer> {
    let mut offers = Vec::new();
    let wanted = endpoint.identities.iter().filter_map(|path| Some((path, keyring.get(path)?.public()?)));
    let named: Vec<PublicKey> =
        endpoint.certificates.iter().filter_map(|path| keyring.certified(path)).collect();
    let wanted: Vec<(Option<&PathBuf>, &PublicKey)> =
        wanted.map(|(path, key)| (Some(path), key)).chain(named.iter().map(|key| (None, key))).collect();
    for (path, key) in wanted.iter().filter(|(_, key)| holds(held, key)) {
        let signer = by_agent(held, key);
        let files = keyring.certificates(path.map(PathBuf::as_path), &endpoint.certificates, key);
        for certificate in files {
            seen.push(&mut offers, &signer, Some(Arc::clone(certificate)));
        }
        push_held(held, key, seen, &mut offers);
        // A key that is only known by its certificate is not offered bare unless the agent may offer all.
        if path.is_some() && matches!(signer, Signer::Agent { bare: true, .. }) {
            seen.push(&mut offers, &signer, None);
        }
    }
    if !endpoint.identities_only {
        for held_one in held {
            match held_one {
                HeldKey::Key(key) => {
                    push_held(held, key, seen, &mut offers);
                    seen.push(&mut offers, &by_agent(held, key), None);
                }
                HeldKey::Certificate(certificate) => {
                    let key = PublicKey::new(certificate.public_key().clone(), "");
                    push_held(held, &key, seen, &mut offers);
                }
            }
        }
    }
    offers
}

/// The agent's own certificates for a key, as long as they are of use.
fn push_held(all: &[HeldKey], key: &PublicKey, seen: &mut SeenKeys, offers: &mut Vec<Offer>) {
    for held in all {
        if let HeldKey::Certificate(certificate) = held
            && certificate.public_key() == key.key_data()
            && keys::is_current(certificate)
        {
            seen.push(offers, &by_agent(all, key), Some(Arc::clone(certificate)));
        }
    }
}

fn by_agent(held: &[HeldKey], key: &PublicKey) -> Signer {
    let is_key = |held: &HeldKey| matches!(held, HeldKey::Key(held) if held.key_data() == key.key_data());
    Signer::Agent { key: key.clone(), bare: held.iter().any(is_key) }
}
