//! The decision about a key: pins, revocations, files of known keys, certificates and the policy for what is new.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use russh::keys::PublicKeyOrCertificate;
use russh::keys::ssh_key::Certificate;

use crate::model::endpoint::Endpoint;
use crate::model::host_key::Pin;
use crate::model::outcome::{Failure, Kind};
use crate::model::settings::HostKeyPolicy;
use crate::ssh::certificate;
use crate::ssh::host_key::judge::{
    Certificates, Decision, HostKey, Judge, KeyStanding, SSH_PORT, WantedKeys,
};
use crate::ssh::host_key::refusal::{revoked, uncertified, unclear, unreadable, unrecorded};
use crate::ssh::known_hosts::{
    Beside, KeyRecording, KnownHosts, NewKey, RecordError, Recorder, RevokedKeys, Verdict, fingerprint,
};

/// The knowledge of a run about host keys, each file read once. Cheap to share.
#[derive(Debug, Default)]
pub struct HostKeys {
    stores: Mutex<HashMap<Arc<[PathBuf]>, Arc<KnownHosts>>>,
    revoked: Mutex<HashMap<Arc<[PathBuf]>, Arc<RevokedKeys>>>,
    recorder: Arc<Recorder>,
}

impl HostKeys {
    /// All that decides about one host's keys.
    ///
    /// Reads the host's files, unless they were read before; this blocks on the disk.
    pub fn judge(&self, endpoint: &Endpoint) -> Judge {
        let (name, port) = match &endpoint.host_key.alias {
            // As `get_hostfile_hostname_ipaddr` in OpenSSH's sshconnect.c: an alias has no port.
            Some(alias) => (Arc::clone(alias), SSH_PORT),
            None => (Arc::clone(&endpoint.address), endpoint.port),
        };
        Judge {
            host: endpoint.name.clone(),
            name,
            port,
            rules: endpoint.host_key.clone(),
            store: self.store(&endpoint.known_hosts),
            revoked: self.revoked(&endpoint.host_key.revoked),
            recorder: Arc::clone(&self.recorder),
            record_in: endpoint.known_hosts.first().filter(|_| endpoint.records_keys).cloned(),
        }
    }

    /// What is odd about the files of a host.
    pub fn warnings(&self, files: &Arc<[PathBuf]>) -> Vec<String> {
        self.store(files).warnings().to_vec()
    }

    /// Writes keys to a file and forgets what was read before.
    ///
    /// # Errors
    ///
    /// Nothing was written, or what was written cannot be relied on.
    pub fn record(&self, file: &Path, keys: &[NewKey]) -> Result<Vec<KeyRecording>, RecordError> {
        let recordings = self.recorder.record(file, keys);
        self.stores.lock().unwrap_or_else(PoisonError::into_inner).clear();
        recordings
    }

    fn store(&self, files: &Arc<[PathBuf]>) -> Arc<KnownHosts> {
        // Held while reading on purpose: a thousand hosts share one read.
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let store = stores.entry(Arc::clone(files)).or_insert_with(|| Arc::new(KnownHosts::load(files)));
        Arc::clone(store)
    }

    fn revoked(&self, files: &Arc<[PathBuf]>) -> Arc<RevokedKeys> {
        let mut read = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = read.entry(Arc::clone(files)).or_insert_with(|| Arc::new(RevokedKeys::load(files)));
        Arc::clone(keys)
    }
}

impl Judge {
    /// What to ask the server for.
    pub fn wanted(&self) -> WantedKeys {
        if self.rules.pins.is_empty() {
            return WantedKeys {
                first: self.store.recorded_types(&self.name, self.port),
                certificates: self.certificates(),
            };
        }
        let pinned = self.rules.pins.iter().filter_map(|pin| match pin {
            Pin::Key { key_type, .. } => Some(key_type.to_string()),
            Pin::Fingerprint(_) => None,
        });
        WantedKeys { first: pinned.collect(), certificates: Certificates::Unwanted }
    }

    /// Whether the user would have to be asked about a key of this host, whichever it shows: the policy says so,
    /// and nothing is known of the host.
    pub fn may_ask(&self) -> bool {
        self.rules.policy == HostKeyPolicy::Ask
            && self.rules.pins.is_empty()
            && !self.is_certified()
            // No key at all is equal to nothing: what is said of it is what is known of the host.
            && self.store.check(&self.name, self.port, b"") == Verdict::Unknown
    }

    /// Judges what a server shows, and writes a new key down if that is the policy.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub async fn admit(&self, shown: &PublicKeyOrCertificate) -> Result<(), Failure> {
        let (decision, key) = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                let key = key.to_bytes().ok().and_then(HostKey::from_blob).ok_or_else(unreadable)?;
                (self.plain(&key), Some(key))
            }
            PublicKeyOrCertificate::Certificate(certificate) => {
                (self.certificate(certificate, SystemTime::now()), None)
            }
        };
        match (decision, key) {
            (Decision::Accept, _) => Ok(()),
            (Decision::AcceptAndRecord, Some(key)) => self.note(key).await,
            (Decision::AcceptAndRecord, None) => Err(unreadable()),
            (Decision::AskLater(failure) | Decision::Refuse(failure), _) => Err(failure),
        }
    }

    /// Decides about a plain key.
    pub fn plain(&self, key: &HostKey) -> Decision {
        if let Err(failure) = self.check_revocation(&key.blob, &key.describe()) {
            return Decision::Refuse(failure);
        }
        if !self.rules.pins.is_empty() {
            return match self.is_pinned(key) {
                true => Decision::Accept,
                false => Decision::Refuse(self.unpinned(key)),
            };
        }
        match self.store.check(&self.name, self.port, &key.blob) {
            Verdict::Trusted(_) => Decision::Accept,
            Verdict::Unknown => self.unknown(key),
            Verdict::Changed { recorded } => Decision::Refuse(self.changed(key, &recorded)),
            Verdict::Revoked(place) => Decision::Refuse(revoked(&key.describe(), &place)),
            Verdict::Store(error) => Decision::Refuse(unclear(&error)),
        }
    }

    /// Decides about a certificate. One that proves nothing is still a key, as in OpenSSH: recorded, it is good.
    pub(super) fn certificate(&self, shown: &Certificate, now: SystemTime) -> Decision {
        let key = certificate::blob(shown.public_key()).and_then(HostKey::from_blob);
        let (Some(key), Some(authority)) = (key, certificate::blob(shown.signature_key())) else {
            return Decision::Refuse(unreadable());
        };
        if !self.rules.pins.is_empty() {
            return self.plain(&key);
        }
        let signer = format!("the authority {}", fingerprint(&authority));
        let revocation = self
            .check_revocation(&key.blob, &key.describe())
            .and_then(|()| self.check_revocation(&authority, &signer));
        if let Err(failure) = revocation {
            return Decision::Refuse(failure);
        }
        if let Some(place) = self.store.revoked(&self.name, self.port, &authority) {
            return Decision::Refuse(revoked(&signer, &place));
        }
        let verified = || {
            let authorities = self.store.authorities(&self.name, self.port);
            certificate::verify(shown, &self.name, &authorities, now)
        };
        match self.store.check(&self.name, self.port, &key.blob) {
            Verdict::Trusted(_) => Decision::Accept,
            Verdict::Revoked(place) => Decision::Refuse(revoked(&key.describe(), &place)),
            Verdict::Store(error) => Decision::Refuse(unclear(&error)),
            Verdict::Unknown => match verified() {
                Ok(()) => Decision::Accept,
                Err(flaw) => Decision::Refuse(uncertified(&key, &flaw)),
            },
            Verdict::Changed { recorded } => match verified() {
                Ok(()) => Decision::Accept,
                Err(flaw) => {
                    let failure = self.changed(&key, &recorded);
                    Decision::Refuse(failure.and(format!("its certificate does not count: {flaw}")))
                }
            },
        }
    }

    /// How the keys of the host stand that were collected together, in their order.
    pub fn standings(&self, keys: &[HostKey]) -> Vec<KeyStanding> {
        let checked = |key: &HostKey| self.store.check(&self.name, self.port, &key.blob);
        let one_is_pinned = keys.iter().any(|key| self.is_pinned(key));
        let one_is_known = keys.iter().any(|key| matches!(checked(key), Verdict::Trusted(_)));
        let standing = |key: &HostKey| {
            if let Err(failure) = self.check_revocation(&key.blob, &key.describe()) {
                let is_revoked = failure.kind == Kind::HostKeyRevoked;
                return if is_revoked {
                    KeyStanding::Revoked(failure)
                } else {
                    KeyStanding::Unclear(failure)
                };
            }
            if !self.rules.pins.is_empty() {
                return match (self.is_pinned(key), one_is_pinned) {
                    (true, _) => KeyStanding::Pinned,
                    (false, true) => KeyStanding::Unneeded,
                    (false, false) => KeyStanding::Changed(self.unpinned(key)),
                };
            }
            match checked(key) {
                Verdict::Trusted(place) => KeyStanding::Known(place),
                Verdict::Unknown => KeyStanding::New,
                // A host that has its recorded key may have got one of another type beside it.
                Verdict::Changed { recorded }
                    if one_is_known && recorded.iter().all(|known| known.key_type != key.key_type) =>
                {
                    KeyStanding::New
                }
                Verdict::Changed { recorded } => KeyStanding::Changed(self.changed(key, &recorded)),
                Verdict::Revoked(place) => KeyStanding::Revoked(revoked(&key.describe(), &place)),
                Verdict::Store(error) => KeyStanding::Unclear(unclear(&error)),
            }
        };
        keys.iter().map(standing).collect()
    }

    /// The order to write a key of this host down, once someone trusts it.
    pub fn new_key(&self, key: &HostKey, beside: Beside) -> NewKey {
        NewKey { host: self.name.to_string(), port: self.port, blob: key.blob.clone(), beside }
    }

    /// The file that new keys of this host go to.
    pub fn record_in(&self) -> Option<&Path> {
        self.record_in.as_deref()
    }

    async fn note(&self, key: HostKey) -> Result<(), Failure> {
        let Some(file) = self.record_in.clone() else {
            let failure = Failure::new(Kind::HostKeyStore, "there is no file to record the host's key in");
            return Err(failure.hint(
                "name a file of your own with `known_hosts`: HOME is not set, or `UserKnownHostsFile` keeps nothing",
            ));
        };
        let (recorder, new) = (Arc::clone(&self.recorder), self.new_key(&key, Beside::Nothing));
        let recorded = tokio::task::spawn_blocking(move || recorder.record(&file, &[new])).await;
        let recorded = recorded
            .map_err(|_| Failure::new(Kind::Internal, "recording the host's key was interrupted"))?
            .map_err(|error| unrecorded(&error))?;
        match recorded.into_iter().next() {
            Some(KeyRecording::Added(_) | KeyRecording::Already(_)) => Ok(()),
            Some(KeyRecording::Refused(verdict)) => Err(self.refused(&key, verdict)),
            None => Err(Failure::new(Kind::Internal, "recording the host's key had no result")),
        }
    }

    /// What another process wrote since our files were read.
    fn refused(&self, key: &HostKey, verdict: Verdict) -> Failure {
        match verdict {
            Verdict::Changed { recorded } => self.changed(key, &recorded),
            Verdict::Revoked(place) => revoked(&key.describe(), &place),
            Verdict::Store(error) => unclear(&error),
            Verdict::Trusted(_) | Verdict::Unknown => {
                Failure::new(Kind::Internal, "key refused without a reason")
            }
        }
    }

    /// OpenSSH always asks for certificates, and refuses a recorded key when its certificate is from a revoked
    /// authority. So that we see that, too, we ask where anything is revoked.
    fn certificates(&self) -> Certificates {
        if self.is_certified() {
            Certificates::OfAll
        } else if self.store.has_revocations(&self.name, self.port) {
            Certificates::OfFirst
        } else {
            Certificates::Unwanted
        }
    }

    /// Whether an authority may speak for the host.
    fn is_certified(&self) -> bool {
        !self.store.authorities(&self.name, self.port).is_empty()
    }

    fn is_pinned(&self, key: &HostKey) -> bool {
        self.rules.pins.iter().any(|pin| pin.matches(&key.blob, &key.fingerprint))
    }

    /// Revocations come first: in the files of revoked keys, and in those of known keys also where a pin makes
    /// them irrelevant otherwise.
    fn check_revocation(&self, blob: &[u8], shown: &str) -> Result<(), Failure> {
        match self.revoked.find(blob) {
            Ok(Some(place)) => Err(revoked(shown, &place)),
            Err(error) => Err(unclear(&error)),
            Ok(None) => match self.store.revoked(&self.name, self.port, blob) {
                Some(place) => Err(revoked(shown, &place)),
                None => Ok(()),
            },
        }
    }

    /// A new key. Where an authority speaks for the host, a key without a certificate is never taken on its own
    /// word: that is what someone in the middle would show.
    fn unknown(&self, key: &HostKey) -> Decision {
        if self.is_certified() {
            let failure = Failure::new(
                Kind::HostKeyUnknown,
                format!("the host shows a key without a certificate: {}", key.describe()),
            );
            return Decision::Refuse(failure.hint(format!(
                "a @cert-authority line covers this host: set HostCertificate in its sshd_config; or {}",
                self.how_to_trust()
            )));
        }
        let failure =
            Failure::new(Kind::HostKeyUnknown, format!("the host's key is not known: {}", key.describe()))
                .hint(self.how_to_trust());
        match self.rules.policy {
            HostKeyPolicy::Strict => Decision::Refuse(failure),
            HostKeyPolicy::Ask => Decision::AskLater(failure),
            HostKeyPolicy::AcceptNew => Decision::AcceptAndRecord,
        }
    }
}
