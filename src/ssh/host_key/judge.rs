//! What decides about one host's keys, as data, and the decision.

use std::path::PathBuf;
use std::sync::Arc;

use crate::model::host_key::HostKeyRules;
use crate::model::inventory::HostName;
use crate::model::outcome::Failure;
use crate::ssh::known_hosts::{
    FileLine, KnownHosts, Recorder, RevokedKeys, fingerprint, is_certificate, type_name,
};

/// SSH's own port.
pub(super) const SSH_PORT: u16 = 22;

/// A host key as a server shows it: a plain one, not a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostKey {
    /// Its type: `ssh-ed25519`. Printable ASCII.
    pub key_type: String,
    /// `SHA256:...`
    pub fingerprint: String,
    /// The wire encoding.
    pub blob: Vec<u8>,
}

impl HostKey {
    /// A key by its wire encoding; none when that is no plain key.
    pub fn from_blob(blob: Vec<u8>) -> Option<Self> {
        let key_type = type_name(&blob).filter(|name| !is_certificate(name))?.to_owned();
        Some(Self { key_type, fingerprint: fingerprint(&blob), blob })
    }

    /// `ssh-ed25519 SHA256:...` for messages.
    pub fn describe(&self) -> String {
        format!("{} {}", self.key_type, self.fingerprint)
    }
}

/// What is to be done about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is the host's.
    Accept,
    /// Nothing is known of it; it is to be written down, and is the host's once that succeeded.
    AcceptAndRecord,
    /// Nothing is known of it, and the user is to say. Where nobody can be asked, this is the refusal.
    AskLater(Failure),
    /// It is not the host's, or nobody can tell.
    Refuse(Failure),
}

/// How a key stands, for people who decide about it: what `fan trust` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyStanding {
    /// It is pinned by the inventory.
    Pinned,
    /// Another key of the host is pinned, so this one will not be asked for.
    Unneeded,
    /// It is recorded, there.
    Known(FileLine),
    /// Nothing speaks for it or against it.
    New,
    /// Another key of its type is recorded, or only keys that the host does not have.
    Changed(Failure),
    /// It is revoked.
    Revoked(Failure),
    /// The files cannot answer.
    Unclear(Failure),
}

/// What a client asks a server for, so that it shows a key that can be judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct WantedKeys {
    /// Types of keys to ask for before all others, the most wanted first.
    pub first: Vec<String>,
    /// Certificates to ask for, before any plain key.
    pub certificates: Certificates,
}

/// For which types of keys a server is asked for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Certificates {
    /// None: nobody could vouch for one.
    #[default]
    Unwanted,
    /// Those that plain keys are wanted of. Nobody vouches for them, but a revoked authority may be seen.
    OfFirst,
    /// All.
    OfAll,
}

/// All that decides about one host's keys.
#[derive(Debug)]
pub struct Judge {
    pub(super) host: HostName,
    pub(super) name: Arc<str>,
    pub(super) port: u16,
    pub(super) rules: HostKeyRules,
    pub(super) store: Arc<KnownHosts>,
    pub(super) revoked: Arc<RevokedKeys>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) record_in: Option<PathBuf>,
}
