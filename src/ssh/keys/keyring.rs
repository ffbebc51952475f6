//! The keys and certificates of a run: what each file holds, and which of them are open.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, HashAlg, PublicKey};

use crate::model::secret::Secret;
use crate::ssh::keys::decode::KeyContent;
use crate::ssh::keys::file::{MAX_FILE, read_private, read_public};
use crate::ssh::keys::pem::Pem;
use crate::ssh::keys::problem::{KeyError, KeyProblem};
use crate::ssh::keys::signing::SigningKey;
use crate::ssh::keys::{certificate, decode};

/// OpenSSH's default key files, in its order, without DSA.
pub const DEFAULT_IDENTITIES: [&str; 5] =
    ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"];

/// What one identity file holds for us.
#[derive(Clone, Debug)]
pub enum Identity {
    /// A usable private key.
    Private(Arc<SigningKey>),
    /// Only the public half: the agent must sign. True of encrypted keys that the agent holds, and of hardware
    /// (FIDO) keys.
    AgentOnly(Arc<PublicKey>),
    /// Encrypted; nobody gave a passphrase yet.
    Locked(Arc<LockedKey>),
    /// No private key that can be used.
    Unusable(Arc<UnusableKey>),
}

/// A file without a private key that can be used.
#[derive(Debug)]
pub struct UnusableKey {
    /// Why.
    pub error: KeyError,
    /// The public half, if the file is that or has it beside it: an agent may hold the other one.
    public: Option<PublicKey>,
}

/// An encrypted key.
#[derive(Debug)]
pub struct LockedKey {
    pem: Pem,
    public: Option<PublicKey>,
}

impl Identity {
    /// The public half, as far as it is known.
    pub fn public(&self) -> Option<&PublicKey> {
        match self {
            Self::Private(key) => Some(key.public_key()),
            Self::AgentOnly(key) => Some(key),
            Self::Locked(locked) => locked.public.as_ref(),
            Self::Unusable(unusable) => unusable.public.as_ref(),
        }
    }
}

/// `ED25519 SHA256:...` for messages.
pub(in crate::ssh) fn describe(key: &PublicKey) -> String {
    describe_data(key.key_data())
}

/// `ED25519-CERT SHA256:...` for messages, by the key inside.
pub(in crate::ssh) fn describe_certificate(certificate: &Certificate) -> String {
    describe_data(certificate.public_key()).replacen(' ', "-CERT ", 1)
}

fn describe_data(key: &KeyData) -> String {
    let algorithm = key.algorithm();
    let name = algorithm.as_str().split('@').next().unwrap_or_default();
    let name = name.replace("ssh-", "").replace("ecdsa-sha2-", "").to_uppercase();
    format!("{name} {}", key.fingerprint(HashAlg::Sha256))
}

/// Whether a key lives in a FIDO token, so that a person has to touch it.
pub(in crate::ssh) fn is_hardware(key: &PublicKey) -> bool {
    decode::is_hardware(key)
}

/// Why this certificate may be what the host did not like about the login of `user`.
pub(in crate::ssh) fn doubt(certificate: &Certificate, user: &str) -> Option<String> {
    certificate::doubt(certificate, user)
}

/// Whether a certificate, of an agent for example, is of use now.
pub(in crate::ssh) fn is_current(certificate: &Certificate) -> bool {
    certificate::judge(certificate, now()).is_ok()
}

/// All identity files and certificates of a run, each read once.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    identities: HashMap<PathBuf, Identity>,
    /// Those that were named, by file.
    certificates: HashMap<PathBuf, Arc<Certificate>>,
    /// Those that were found, by the key file beside which they stand.
    found: HashMap<PathBuf, Arc<Certificate>>,
    warnings: Vec<String>,
}

impl Keyring {
    /// Reads a key file into the ring, and the certificate beside it; a second time costs nothing.
    ///
    /// # Errors
    ///
    /// The file is missing, unsafe (readable by others), or not a usable private key. It is in the ring all the same:
    /// its public half may be known, and an agent hold the other one.
    pub fn load(&mut self, path: &Path) -> Result<(), KeyError> {
        if !self.identities.contains_key(path) {
            let identity = read_identity(path).unwrap_or_else(|problem| {
                let public = public_half(path).or_else(|| read_public_key(&beside(path, ".pub")));
                Identity::Unusable(Arc::new(UnusableKey { error: problem.at(path), public }))
            });
            self.find_certificate(path, &identity);
            self.identities.insert(path.to_owned(), identity);
        }
        match self.identities.get(path) {
            Some(Identity::Unusable(unusable)) => Err(unusable.error.clone()),
            Some(Identity::Private(_) | Identity::AgentOnly(_) | Identity::Locked(_)) | None => Ok(()),
        }
    }

    /// Reads a certificate that the user named; a second time costs nothing.
    ///
    /// # Errors
    ///
    /// The file is missing or no certificate, or it is a host's, or not valid now.
    pub fn load_certificate(&mut self, path: &Path) -> Result<(), KeyError> {
        if self.certificates.contains_key(path) {
            return Ok(());
        }
        let read = || {
            let certificate = certificate::read(path)?;
            certificate::judge(&certificate, now())?;
            Ok(certificate)
        };
        let certificate = read().map_err(|problem: KeyProblem| problem.at(path))?;
        self.warn_of_principals(path, &certificate);
        self.certificates.insert(path.to_owned(), Arc::new(certificate));
        Ok(())
    }

    /// The identity that was loaded from this file.
    pub fn get(&self, path: &Path) -> Option<&Identity> {
        self.identities.get(path)
    }

    /// The certificates for a key: of those files that were named, then the one beside the key file.
    pub fn certificates<'a>(
        &'a self,
        identity: Option<&'a Path>,
        named: &'a [PathBuf],
        key: &'a PublicKey,
    ) -> impl Iterator<Item = &'a Arc<Certificate>> {
        let named = named.iter().filter_map(|path| self.certificates.get(path));
        named
            .chain(identity.and_then(|path| self.found.get(path)))
            .filter(move |certificate| certificate.public_key() == key.key_data())
    }

    /// The key that a certificate file certifies.
    pub fn certified(&self, path: &Path) -> Option<PublicKey> {
        self.certificates.get(path).map(|certificate| PublicKey::new(certificate.public_key().clone(), ""))
    }

    /// The encrypted keys that nobody opened yet, with their public halves as far as they are known; by path.
    pub fn locked(&self) -> Vec<(PathBuf, Option<PublicKey>)> {
        let locked = self.identities.iter().filter_map(|(path, identity)| match identity {
            Identity::Locked(locked) => Some((path.clone(), locked.public.clone())),
            Identity::Private(_) | Identity::AgentOnly(_) | Identity::Unusable(_) => None,
        });
        let mut locked: Vec<_> = locked.collect();
        locked.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        locked
    }

    /// The files without a private key that can be used; by path.
    pub fn unusable(&self) -> Vec<(PathBuf, Arc<UnusableKey>)> {
        let unusable = self.identities.iter().filter_map(|(path, identity)| match identity {
            Identity::Unusable(unusable) => Some((path.clone(), Arc::clone(unusable))),
            Identity::Private(_) | Identity::AgentOnly(_) | Identity::Locked(_) => None,
        });
        let mut unusable: Vec<_> = unusable.collect();
        unusable.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        unusable
    }

    /// Opens a locked key; false when the passphrase is wrong. A key that is open stays so.
    ///
    /// # Errors
    ///
    /// The passphrase was right, and the key cannot be used.
    pub fn unlock(&mut self, path: &Path, passphrase: &Secret) -> Result<bool, KeyError> {
        let Some(Identity::Locked(locked)) = self.identities.get(path) else { return Ok(true) };
        let opened = decode::unlock(&locked.pem, passphrase).map_err(|problem| problem.at(path))?;
        let Some(key) = opened else { return Ok(false) };
        let identity = Identity::Private(key);
        self.find_certificate(path, &identity);
        self.identities.insert(path.to_owned(), identity);
        Ok(true)
    }

    /// Leaves a key that cannot sign to the agent; without its public half nothing can be left.
    pub fn leave_to_agent(&mut self, path: &Path) {
        let public = match self.identities.get(path) {
            Some(Identity::Locked(locked)) => &locked.public,
            Some(Identity::Unusable(unusable)) => &unusable.public,
            Some(Identity::Private(_) | Identity::AgentOnly(_)) | None => return,
        };
        if let Some(public) = public.clone() {
            self.identities.insert(path.to_owned(), Identity::AgentOnly(Arc::new(public)));
        }
    }

    /// What the owner of the files should know, once: certificates that were found and cannot be used.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Takes in `KEY-cert.pub`. It was not asked for, so what is wrong with it is a warning.
    fn find_certificate(&mut self, key_file: &Path, identity: &Identity) {
        let path = beside(key_file, "-cert.pub");
        if !path.exists() || self.found.contains_key(key_file) {
            return;
        }
        // The public half of some encrypted keys is known only when they are open: it is looked at then.
        let Some(public) = identity.public() else { return };
        let read = || {
            let certificate = certificate::read(&path)?;
            certificate::judge(&certificate, now())?;
            if certificate.public_key() != public.key_data() {
                let message = format!("the certificate is for another key than {}", key_file.display());
                return Err(KeyProblem::new(message));
            }
            Ok(certificate)
        };
        match read() {
            Ok(certificate) => {
                self.warn_of_principals(&path, &certificate);
                self.found.insert(key_file.to_owned(), Arc::new(certificate));
            }
            Err(problem) => self.warnings.push(format!("{}; it is not offered", problem.at(&path))),
        }
    }

    fn warn_of_principals(&mut self, path: &Path, certificate: &Certificate) {
        if certificate.valid_principals().is_empty() {
            self.warnings.push(format!(
                "{}: the certificate names no principals: most servers refuse it (ssh-keygen -s CA -n USER)",
                path.display()
            ));
        }
    }
}

fn read_identity(path: &Path) -> Result<Identity, KeyProblem> {
    let text = read_private(path, MAX_FILE).map_err(|refusal| {
        let (message, hint) = refusal.explain("the key");
        KeyProblem { message, hint }
    });
    let text = match text {
        Ok(text) => text,
        Err(problem) => {
            // A public key is readable by others, and rightly: the mode is not what is wrong with it.
            let public = read_public(path, MAX_FILE).ok().map(|text| decode::decode(&text));
            return Err(match public {
                Some(Err(better)) if better.message.starts_with("this is a") => better,
                Some(_) | None => problem,
            });
        }
    };
    Ok(match decode::decode(&text)? {
        KeyContent::Open(key) => Identity::Private(key),
        KeyContent::Hardware(public) => Identity::AgentOnly(Arc::new(public)),
        KeyContent::Locked(pem, public) => {
            let public = public.or_else(|| read_public_key(&beside(path, ".pub")));
            Identity::Locked(Arc::new(LockedKey { pem, public }))
        }
    })
}

/// The public half of a key in a file that is no good as a private key: it is the public half itself, or a private key
/// that others can read.
fn public_half(path: &Path) -> Option<PublicKey> {
    let text = read_public(path, MAX_FILE).ok()?;
    match decode::decode(&text) {
        Ok(KeyContent::Open(key)) => Some(key.public_key().clone()),
        Ok(KeyContent::Hardware(public)) => Some(public),
        Ok(KeyContent::Locked(_, public)) => public,
        Err(_) => read_public_key(path),
    }
}

/// A file with a plain public key on its first line.
fn read_public_key(path: &Path) -> Option<PublicKey> {
    let text = read_public(path, MAX_FILE).ok()?;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let blob = data_encoding::BASE64.decode(line.split_whitespace().nth(1)?.as_bytes()).ok()?;
    parse_public(&blob)
}

/// A plain public key as it goes over the wire.
pub(in crate::ssh) fn parse_public(blob: &[u8]) -> Option<PublicKey> {
    if crate::ssh::wire::is_plain_key(blob) { russh::keys::key::parse_public_key(blob).ok() } else { None }
}

fn beside(key_file: &Path, suffix: &str) -> PathBuf {
    let mut name = key_file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Seconds since 1970; certificates are valid between two such numbers.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests;
