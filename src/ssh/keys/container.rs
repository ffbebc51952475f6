//! OpenSSH's own format for private keys (PROTOCOL.key): judged by its head, decrypted, and put in order for the
//! decoder.
//!
//! The decoder could decrypt as well. It is done here because of two things: a wrong passphrase and a damaged
//! key are told apart, and numbers of ECDSA keys are written as the decoder wants them. OpenSSH leaves their
//! leading zeros out, and the decoder then refuses one P-256 key in 512.

use russh::keys::ssh_key::cipher::Tag;
use russh::keys::ssh_key::{Cipher, Kdf};
use zeroize::Zeroizing;

use crate::model::secret::Secret;
use crate::ssh::keys::cost::REWRITE;
use crate::ssh::keys::problem::KeyProblem;
use crate::ssh::wire::{Cursor, put_string};

/// What every container begins with.
const MAGIC: &[u8] = b"openssh-key-v1\0";

/// Rounds of bcrypt at most; `ssh-keygen -a` has 16 or 24, and careful people take 100.
const MAX_BCRYPT_ROUNDS: u32 = 4096;

/// The block that an open secret part is filled up to.
const BLOCK: usize = 8;

/// Ciphers that an OpenSSH container may be locked with, as PROTOCOL.key and `ssh -Q cipher` name them.
const CIPHERS: [&str; 9] = [
    "aes128-cbc",
    "aes192-cbc",
    "aes256-cbc",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
];

/// A container, read and not opened.
#[derive(Debug)]
pub(super) struct Container<'a> {
    /// Cipher and derivation, when it needs a passphrase.
    lock: Option<(Cipher, Kdf)>,
    /// The public key, as it goes over the wire.
    pub(super) public: &'a [u8],
    secret: &'a [u8],
    /// What some ciphers leave behind the secret part, to prove it whole.
    tag: &'a [u8],
}

impl<'a> Container<'a> {
    /// Reads all but the secret part.
    ///
    /// # Errors
    ///
    /// Damaged, several keys, an unknown cipher or derivation, too many rounds.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, KeyProblem> {
        let damaged =
            || KeyProblem::hinted("the key is damaged: its head cannot be read", "copy the file again");
        let mut cursor = Cursor::new(bytes);
        if cursor.take(MAGIC.len()) != Some(MAGIC) {
            return Err(damaged());
        }
        let mut name = || std::str::from_utf8(cursor.string()?).ok();
        let (cipher, derivation) = (name().ok_or_else(damaged)?, name().ok_or_else(damaged)?);
        let options = cursor.string().ok_or_else(damaged)?;
        let count = cursor.u32().ok_or_else(damaged)?;
        if count != 1 {
            let message = format!("the file holds {count} keys, and one is expected");
            return Err(KeyProblem::hinted(message, "keep one key in the file"));
        }
        let public = cursor.string().ok_or_else(damaged)?;
        let secret = cursor.string().ok_or_else(damaged)?;
        let lock = if cipher == "none" { None } else { Some(lock(cipher, derivation, options)?) };
        Ok(Self { lock, public, secret, tag: cursor.rest() })
    }

    /// Whether it needs a passphrase.
    pub(super) fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// The same as a container that is open and as the decoder wants it; `None` when the passphrase is wrong.
    ///
    /// # Errors
    ///
    /// It opened, and what is in it is no key.
    pub(super) fn open(&self, passphrase: Option<&Secret>) -> Result<Option<Zeroizing<Vec<u8>>>, KeyProblem> {
        let damaged = || KeyProblem::hinted("the key is damaged", "copy the file again");
        let mut secret = Zeroizing::new(self.secret.to_vec());
        if let Some((cipher, derivation)) = &self.lock {
            let passphrase = passphrase.map_or("", Secret::reveal);
            let tag: Option<Tag> = self.tag.first_chunk::<16>().map(|tag| Tag::from(*tag));
            let decrypted = derivation
                .derive_key_and_iv(*cipher, passphrase)
                .ok()
                .and_then(|(key, iv)| cipher.decrypt(&key, &iv, &mut secret, tag).ok());
            if decrypted.is_none() {
                return Ok(None);
            }
        }
        let mut cursor = Cursor::new(&secret);
        let check = cursor.take(4).ok_or_else(damaged)?;
        if cursor.take(4) != Some(check) {
            // The same number twice proves that the passphrase was right.
            return if self.is_locked() { Ok(None) } else { Err(damaged()) };
        }
        let secret = in_order(check, cursor).ok_or_else(damaged)?;
        let mut plain = Zeroizing::new(MAGIC.to_vec());
        put_string(&mut plain, b"none");
        put_string(&mut plain, b"none");
        put_string(&mut plain, b"");
        plain.extend([0, 0, 0, 1]);
        put_string(&mut plain, self.public);
        put_string(&mut plain, &secret);
        Ok(Some(plain))
    }
}

fn lock(cipher: &str, derivation: &str, options: &[u8]) -> Result<(Cipher, Kdf), KeyProblem> {
    let known = CIPHERS.contains(&cipher).then(|| cipher.parse::<Cipher>().ok()).flatten();
    let Some(known) = known else {
        let message = format!("the key is encrypted with an unknown cipher, {}", quoted(cipher));
        return Err(KeyProblem::hinted(message, REWRITE));
    };
    if derivation != "bcrypt" {
        let derivation = quoted(derivation);
        let message = format!("the key is encrypted with an unknown key derivation, {derivation}");
        return Err(KeyProblem::hinted(message, REWRITE));
    }
    let mut options = Cursor::new(options);
    let (Some(salt), Some(rounds)) = (options.string(), options.u32()) else {
        return Err(KeyProblem::hinted("the key is damaged: its head cannot be read", "copy the file again"));
    };
    if rounds > MAX_BCRYPT_ROUNDS {
        let message =
            format!("opening the key takes {rounds} rounds of bcrypt: too many (limit {MAX_BCRYPT_ROUNDS})");
        return Err(KeyProblem::hinted(message, REWRITE));
    }
    Ok((known, Kdf::Bcrypt { salt: salt.to_vec(), rounds }))
}

/// The secret part with the number of an ECDSA key at its full length, filled up again to whole blocks.
fn in_order(check: &[u8], mut cursor: Cursor<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let mut secret = Zeroizing::new([check, check].concat());
    let kind = cursor.string()?;
    put_string(&mut secret, kind);
    let size = match kind {
        b"ecdsa-sha2-nistp256" => 32,
        b"ecdsa-sha2-nistp384" => 48,
        b"ecdsa-sha2-nistp521" => 66,
        _ => {
            secret.extend(cursor.rest());
            return Some(secret);
        }
    };
    let (curve, point, number) = (cursor.string()?, cursor.string()?, cursor.string()?);
    let comment = cursor.string()?;
    put_string(&mut secret, curve);
    put_string(&mut secret, point);
    let mut full = Zeroizing::new(vec![0; size - number.len().min(size)]);
    full.extend(number);
    put_string(&mut secret, &full);
    put_string(&mut secret, comment);
    let missing = secret.len().next_multiple_of(BLOCK) - secret.len();
    secret.extend((1..).take(missing));
    Some(secret)
}

/// A short text of a file for a message.
fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(cipher: &str, derivation: &str, rounds: u32, keys: u32) -> Vec<u8> {
        let mut bytes = b"openssh-key-v1\0".to_vec();
        put_string(&mut bytes, cipher.as_bytes());
        put_string(&mut bytes, derivation.as_bytes());
        let mut options = Vec::new();
        put_string(&mut options, &[0; 16]);
        options.extend(rounds.to_be_bytes());
        put_string(&mut bytes, &options);
        bytes.extend(keys.to_be_bytes());
        put_string(&mut bytes, b"public");
        put_string(&mut bytes, b"secret");
        bytes
    }

    #[test]
    fn a_container_is_judged_by_its_head() {
        for (bytes, expected) in [
            (sample("aes256-ctr", "bcrypt", 16, 1), Ok(true)),
            (sample("none", "none", 0, 1), Ok(false)),
            (sample("rot13", "bcrypt", 16, 1), Err("the key is encrypted with an unknown cipher, \"rot13\"")),
            (
                sample("aes256-ctr", "md5", 16, 1),
                Err("the key is encrypted with an unknown key derivation, \"md5\""),
            ),
            (
                sample("aes256-ctr", "bcrypt", 1 << 31, 1),
                Err("opening the key takes 2147483648 rounds of bcrypt: too many (limit 4096)"),
            ),
            (sample("none", "none", 0, 2), Err("the file holds 2 keys, and one is expected")),
            (b"openssh-key-v1\0\0\0".to_vec(), Err("the key is damaged: its head cannot be read")),
        ] {
            let said = Container::parse(&bytes)
                .map(|container| container.is_locked())
                .map_err(|problem| problem.message);
            assert_eq!(said, expected.map_err(str::to_owned));
        }
    }
}
