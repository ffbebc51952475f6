//! Ansible Vault, formats 1.1 and 1.2: `$ANSIBLE_VAULT;1.2;AES256;label` and lines of hexadecimal digits.
//!
//! As in Ansible's `parsing/vault/__init__.py` (`VaultAES256`): PBKDF2 with HMAC-SHA-256 (10,000 rounds) makes a key for
//! AES-256 in counter mode, one for the HMAC of the ciphertext, and the first counter block.

use std::cell::RefCell;
use std::num::NonZeroU32;

use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::{hmac, iv, pbkdf2};
use data_encoding::HEXLOWER_PERMISSIVE;

use crate::model::position::{Diagnostic, Position};
use crate::model::secret::Secret;
use crate::model::value::Value;
use crate::model::written::WrittenVars;

/// How an encrypted file begins.
pub(in crate::config) const MAGIC: &str = "$ANSIBLE_VAULT;";

/// Rounds of PBKDF2.
const ROUNDS: u32 = 10_000;
/// Bytes of each key.
const KEY: usize = 32;
/// Bytes of a block.
const BLOCK: usize = 16;

/// A password, and the label that it is for.
#[derive(Clone, Debug)]
pub struct VaultPassword {
    /// The vault id; none for those without one.
    pub label: Option<String>,
    /// The password.
    pub password: Secret,
}

/// The passwords, and what was opened with them.
#[derive(Default)]
pub(in crate::config) struct Vault {
    passwords: Vec<VaultPassword>,
    opened: RefCell<Vec<Secret>>,
}

/// Why something cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct VaultProblem {
    message: String,
    help: Option<&'static str>,
}

impl VaultProblem {
    /// As an error at a place.
    pub(in crate::config) fn at(&self, at: &Position) -> Diagnostic {
        Diagnostic { help: self.help.map(str::to_owned), ..Diagnostic::at(at, self.message.clone()) }
    }

    fn new(message: impl Into<String>, help: Option<&'static str>) -> Self {
        Self { message: message.into(), help }
    }
}

impl Vault {
    /// Opens with these passwords.
    pub(in crate::config) fn new(passwords: Vec<VaultPassword>) -> Self {
        Self { passwords, opened: RefCell::default() }
    }

    /// All that was opened so far: it is secret.
    pub(in crate::config) fn opened(self) -> Vec<Secret> {
        self.opened.into_inner()
    }

    /// Decrypts a value, and remembers that it is secret.
    pub(in crate::config) fn open(&self, text: &str) -> Result<String, VaultProblem> {
        let plain = self.decrypt(text)?;
        self.opened.borrow_mut().push(Secret::new(plain.clone()));
        Ok(plain)
    }

    /// Remembers that all texts among these variables are secret: they stood in a vault.
    pub(in crate::config) fn hide(&self, vars: &WrittenVars) {
        let mut open: Vec<&Value> = vars.values().values().collect();
        while let Some(value) = open.pop() {
            match value {
                Value::String(text) => self.opened.borrow_mut().push(Secret::new(text.clone())),
                Value::Number(number) => self.opened.borrow_mut().push(Secret::new(number.to_string())),
                Value::Array(items) => open.extend(items),
                Value::Object(map) => open.extend(map.values()),
                Value::Null | Value::Bool(_) => {}
            }
        }
    }

    /// Decrypts a text. With a label, the password of that label is tried first; then all others, as Ansible does.
    pub(in crate::config) fn decrypt(&self, text: &str) -> Result<String, VaultProblem> {
        let sealed = Sealed::read(text).ok_or_else(|| {
            VaultProblem::new("damaged vault: it is not what ansible-vault writes (1.1 or 1.2, AES256)", None)
        })?;
        let named = sealed.label.map(|label| format!(" of vault id \"{label}\"")).unwrap_or_default();
        if self.passwords.is_empty() {
            let help =
                "--vault-password file:PATH, env:NAME, command:LINE or prompt; with a label LABEL@file:PATH";
            return Err(VaultProblem::new(
                format!("encrypted with Ansible Vault, and no password{named} was given"),
                Some(help),
            ));
        }
        let is_first =
            |password: &&VaultPassword| sealed.label.is_some() && password.label.as_deref() == sealed.label;
        let (first, others): (Vec<_>, Vec<_>) = self.passwords.iter().partition(is_first);
        let opened = first.into_iter().chain(others).find_map(|password| sealed.open(&password.password));
        opened.ok_or_else(|| {
            VaultProblem::new(format!("no vault password opens this{named}"), Some("check --vault-password"))
        })
    }
}

/// What a vault holds.
struct Sealed<'t> {
    label: Option<&'t str>,
    salt: Vec<u8>,
    code: Vec<u8>,
    content: Vec<u8>,
}

impl<'t> Sealed<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let mut lines = text.trim().lines().map(str::trim);
        let mut header = lines.next()?.strip_prefix(MAGIC)?.split(';').map(str::trim);
        let version = header.next()?;
        let cipher = header.next()?;
        if !matches!(version, "1.1" | "1.2") || cipher != "AES256" {
            return None;
        }
        let label = header.next().filter(|label| version == "1.2" && !label.is_empty());
        let body: String = lines.collect();
        let inner = HEXLOWER_PERMISSIVE.decode(body.as_bytes()).ok()?;
        let mut parts = inner.splitn(3, |&byte| byte == b'\n');
        let mut part = || HEXLOWER_PERMISSIVE.decode(parts.next()?).ok();
        Some(Self { label, salt: part()?, code: part()?, content: part()? })
    }

    fn open(&self, password: &Secret) -> Option<String> {
        let mut keys = zeroize::Zeroizing::new([0_u8; 2 * KEY + BLOCK]);
        let rounds = NonZeroU32::new(ROUNDS)?;
        let password = password.reveal().as_bytes();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &self.salt, password, keys.as_mut());
        let (cipher, rest) = keys.split_at_checked(KEY)?;
        let (code, counter) = rest.split_at_checked(KEY)?;
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, code), &self.content, &self.code).ok()?;
        let key = DecryptingKey::ctr(UnboundCipherKey::new(&AES_256, cipher).ok()?).ok()?;
        let counter = iv::FixedLength::<BLOCK>::try_from(counter).ok()?;
        let mut content = self.content.clone();
        let plain = key.decrypt(&mut content, DecryptionContext::Iv128(counter)).ok()?;
        // PKCS#7.
        let padding = usize::from(*plain.last()?);
        let text = plain.get(..plain.len().checked_sub(padding)?)?;
        String::from_utf8(text.to_vec()).ok()
    }
}
