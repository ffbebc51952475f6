//! What is offered, and in which order.

use std::path::PathBuf;

use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::{Algorithm, PrivateKey, PublicKey};
use tempfile::TempDir;

use super::*;
use crate::ssh::agent::HeldKey;

/// A host that has everything and needs nothing.
pub(in crate::ssh::auth) fn endpoint() -> Endpoint {
    Endpoint::new("web1", "127.0.0.1", 22, "deploy")
}

/// Keys in files, by letter.
struct KeyFiles {
    folder: TempDir,
    keyring: Keyring,
    keys: Vec<(char, PublicKey)>,
}

impl KeyFiles {
    fn new(names: &str) -> Self {
        let mut files =
            Self { folder: tempfile::tempdir().unwrap(), keyring: Keyring::default(), keys: Vec::new() };
        for name in names.chars() {
            let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
            let path = files.path(name);
            key.write_openssh_file(&path, russh::keys::ssh_key::LineEnding::LF).unwrap();
            files.keyring.load(&path).unwrap();
            files.keys.push((name, key.public_key().clone()));
        }
        files
    }

    fn path(&self, name: char) -> PathBuf {
        self.folder.path().join(name.to_string())
    }

    fn key(&self, name: char) -> PublicKey {
        self.keys.iter().find(|(known, _)| *known == name).unwrap().1.clone()
    }

    fn held(&self, names: &str) -> Vec<HeldKey> {
        names.chars().map(|name| HeldKey::Key(self.key(name))).collect()
    }

    /// The order of the offers, files and agent in the order of the sources: `a` from a file, `A` by the agent.
    fn order(&self, endpoint: &Endpoint, held: &str) -> String {
        let mut seen = SeenKeys::default();
        let held = self.held(held);
        let offers: Vec<Offer> = sources(endpoint)
            .into_iter()
            .flat_map(|source| match source {
                KeySource::Files => offers::from_files(endpoint, &self.keyring, &mut seen),
                KeySource::Agent => offers::from_agent(endpoint, &self.keyring, &held, &mut seen),
            })
            .collect();
        let letter = |offer: &Offer| {
            let known = self.keys.iter().find(|(_, key)| key == offer.key()).unwrap().0;
            match offer.signer {
                Signer::File(_) => known,
                Signer::Agent { .. } => known.to_ascii_uppercase(),
            }
        };
        offers.iter().map(letter).collect()
    }
}

#[test]
fn named_keys_come_first_and_nothing_comes_twice() {
    let files = KeyFiles::new("abcd");
    let identities = |names: &str| names.chars().map(|name| files.path(name)).collect::<Vec<_>>();
    let named = Endpoint { identities: identities("ba").into(), ..endpoint() };
    assert_eq!(files.order(&named, "cbd"), "baCD");
    let only = Endpoint { identities_only: true, ..named.clone() };
    assert_eq!(files.order(&only, "cbd"), "ba");
    let default = Endpoint { identities_named: NamedBy::Nobody, ..named };
    assert_eq!(files.order(&default, "cad"), "ACDb");
    assert_eq!(files.order(&endpoint(), "dc"), "DC");
}

/// `ssh-add` gives an agent the key first and its certificate second.
#[test]
fn a_certificate_of_the_agent_comes_before_its_bare_key() {
    let authority = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
    let files = KeyFiles::new("ab");
    let mut builder = Builder::new([7; 16], files.key('b').key_data().clone(), 0, u64::MAX).unwrap();
    builder.cert_type(CertType::User).unwrap().key_id("test").unwrap().all_principals_valid().unwrap();
    let certificate = builder.sign(&authority).unwrap();
    let mut held = files.held("ab");
    held.push(HeldKey::Certificate(Arc::new(certificate)));
    let offers = offers::from_agent(&endpoint(), &files.keyring, &held, &mut SeenKeys::default());
    let offered: Vec<(bool, bool)> =
        offers.iter().map(|offer| (*offer.key() == files.key('b'), offer.certificate.is_some())).collect();
    assert_eq!(offered, [(false, false), (true, true), (true, false)]);
}
