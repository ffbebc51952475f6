//! Private key files, read and checked once before any host is contacted.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::{HashAlg, PrivateKey, PublicKey, load_public_key};
use rustix::fs::OFlags;

/// A key file is never larger than this; OpenSSH's own limit is 1 MiB.
const MAX_KEY_FILE: u64 = 1024 * 1024;

/// OpenSSH's default key files, in its order, without DSA.
pub const DEFAULT_IDENTITIES: [&str; 5] =
    ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"];

/// What one identity file holds for us.
#[derive(Clone, Debug)]
pub enum Identity {
    /// A usable private key.
    Private(Arc<PrivateKey>),
    /// Only the public half: the agent must sign. True of encrypted keys with a `.pub` beside them, and of
    /// hardware (FIDO) keys.
    AgentOnly(Arc<PublicKey>),
}

impl Identity {
    /// The public half.
    pub fn public(&self) -> &PublicKey {
        match self {
            Self::Private(key) => key.public_key(),
            Self::AgentOnly(key) => key,
        }
    }

    /// `ED25519 SHA256:...`
    pub fn describe(&self) -> String {
        describe(self.public())
    }
}

/// `ED25519 SHA256:...` for messages.
pub(super) fn describe(key: &PublicKey) -> String {
    let algorithm = key.algorithm();
    let name = algorithm.as_str().trim_start_matches("ssh-").trim_start_matches("ecdsa-sha2-").to_uppercase();
    format!("{name} {}", key.fingerprint(HashAlg::Sha256))
}

/// All identity files of a run, each read once.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    identities: HashMap<PathBuf, Identity>,
}

/// Why a key file cannot be used: a message and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct KeyError {
    /// The file.
    pub path: String,
    /// Lowercase fragment; never quotes the file.
    pub message: String,
    /// What to type next.
    pub hint: Option<String>,
}

impl Keyring {
    /// Reads a key file into the ring; a second time costs nothing.
    ///
    /// # Errors
    ///
    /// The file is missing, unsafe (readable by others), not a private key, or encrypted without a `.pub`.
    pub fn load(&mut self, path: &Path) -> Result<(), KeyError> {
        if !self.identities.contains_key(path) {
            let identity = read_identity(path)?;
            self.identities.insert(path.to_owned(), identity);
        }
        Ok(())
    }

    /// The identity that was loaded from this file.
    pub fn get(&self, path: &Path) -> Option<&Identity> {
        self.identities.get(path)
    }
}

fn read_identity(path: &Path) -> Result<Identity, KeyError> {
    let fail = |message: String, hint: Option<&str>| KeyError {
        path: path.display().to_string(),
        message,
        hint: hint.map(str::to_owned),
    };
    let text = read_private_file(path).map_err(|(message, hint)| fail(message, hint))?;
    if let Some((message, hint)) = recognise(&text) {
        return Err(fail(message.to_owned(), Some(hint)));
    }
    let key = russh::keys::decode_secret_key(&text, None);
    match key {
        Ok(key) if is_hardware(key.public_key()) => {
            Ok(Identity::AgentOnly(Arc::new(key.public_key().clone())))
        }
        Ok(key) => {
            check_strength(key.public_key())
                .map_err(|message| fail(message, Some("make a new key: ssh-keygen -t ed25519")))?;
            Ok(Identity::Private(Arc::new(key)))
        }
        Err(russh::keys::Error::KeyIsEncrypted) => {
            let public = public_half(path);
            load_public_key(&public).map(|key| Identity::AgentOnly(Arc::new(key))).map_err(|_| {
                fail(
                    "the key is encrypted".to_owned(),
                    Some("add it to the agent (ssh-add), and keep its .pub file beside it"),
                )
            })
        }
        Err(error) => Err(fail(format!("not a usable private key: {error}"), None)),
    }
}

/// `KEY.pub` beside `KEY`.
fn public_half(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

/// Opens without following into devices or waiting on pipes, and refuses what others can read (ssh does too).
fn read_private_file(path: &Path) -> Result<String, (String, Option<&'static str>)> {
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(OFlags::NONBLOCK.bits()).expect("a small constant"))
        .open(path)
        .map_err(|error| (format!("cannot read the key: {error}"), None))?;
    let metadata = file.metadata().map_err(|error| (format!("cannot read the key: {error}"), None))?;
    if !metadata.is_file() {
        return Err(("not a regular file".to_owned(), None));
    }
    if metadata.len() > MAX_KEY_FILE {
        return Err(("too large for a key file".to_owned(), None));
    }
    let owned = metadata.uid() == rustix::process::geteuid().as_raw();
    if owned && metadata.mode() & 0o077 != 0 {
        let mode = metadata.mode() & 0o777;
        return Err((format!("the key is readable by others (mode {mode:04o})"), Some("chmod 600 the file")));
    }
    let mut text = String::new();
    file.take(MAX_KEY_FILE)
        .read_to_string(&mut text)
        .map_err(|_| ("not a text file: no private key".to_owned(), None))?;
    Ok(text)
}

/// Files that people mistake for a private key.
fn recognise(text: &str) -> Option<(&'static str, &'static str)> {
    let start = text.trim_start();
    if start.is_empty() {
        Some(("the file is empty", "point `identity` at a private key"))
    } else if start.starts_with("PuTTY-User-Key-File") {
        Some(("a key in PuTTY's format", "convert it: puttygen KEY -O private-openssh -o NEW"))
    } else if start.starts_with("ssh-") || start.starts_with("ecdsa-") || start.starts_with("sk-") {
        Some(("this is a public key", "use the private key: the same name without .pub"))
    } else if start.contains("BEGIN DSA PRIVATE KEY") {
        Some(("DSA keys are no longer accepted by SSH servers", "make a new key: ssh-keygen -t ed25519"))
    } else if start.contains("BEGIN CERTIFICATE") {
        Some(("this is a certificate, not a key", "point `identity` at the private key"))
    } else {
        None
    }
}

fn is_hardware(key: &PublicKey) -> bool {
    key.algorithm().as_str().starts_with("sk-")
}

/// OpenSSH refuses RSA keys under 1024 bits since 7.6, and warns of those under 2048.
fn check_strength(key: &PublicKey) -> Result<(), String> {
    let Some(rsa) = key.key_data().rsa() else { return Ok(()) };
    let bits = rsa
        .n()
        .as_positive_bytes()
        .map_or(0, |bytes| bytes.first().map_or(0, |&top| bytes.len() * 8 - top.leading_zeros() as usize));
    if bits < 2048 { Err(format!("an RSA key of {bits} bits is too weak (2048 at least)")) } else { Ok(()) }
}
