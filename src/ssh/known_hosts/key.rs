//! Public keys as the SSH wire carries them: their type, their form, their fingerprint.
//!
//! Knows just enough of the formats to tell a whole key from a damaged one. Refuses cryptography: whether a
//! point lies on its curve is the key exchange's concern, and a key that is none can equal no server's.

use std::collections::HashMap;
use std::sync::Arc;

use data_encoding::BASE64_NOPAD;
use sha2::{Digest, Sha256};

use crate::ssh::known_hosts::flaw::LineFlaw;

/// RSA keys below this many bits are refused, as OpenSSH does (`SSH_RSA_MINIMUM_MODULUS_SIZE`).
const RSA_MIN_BITS: usize = 1024;

/// Key types from the most to the least wanted: the order of OpenSSH's default `HostKeyAlgorithms`.
const PREFERENCE: [&str; 7] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
];

/// The fingerprint of a public key as OpenSSH prints it: `SHA256:` and unpadded base64.
///
/// `blob` is the key in the wire encoding of RFC 4253 section 6.6.
pub fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", BASE64_NOPAD.encode(&Sha256::digest(blob)))
}

/// The type name inside a key, if it is one that can be printed.
pub fn type_name(blob: &[u8]) -> Option<&str> {
    let (name, _) = split_string(blob)?;
    printable_type(name)
}

/// A type name that is safe to print: graphic ASCII, at most 64 bytes (RFC 4251 section 6).
pub(super) fn printable_type(name: &[u8]) -> Option<&str> {
    let fits = !name.is_empty() && name.len() <= 64 && name.iter().all(u8::is_ascii_graphic);
    std::str::from_utf8(name).ok().filter(|_| fits)
}

/// Whether the key is a certificate, which proves nothing by being equal to a recorded one.
pub fn is_certificate(type_name: &str) -> bool {
    type_name.contains("-cert-v")
}

/// Position in the order of preference; types that are not listed come last.
pub(super) fn preference(type_name: &str) -> usize {
    PREFERENCE.iter().position(|known| *known == type_name).unwrap_or(PREFERENCE.len())
}

/// Checks that a recorded key is whole and of the type that its line claims.
pub(super) fn inspect(label: &str, blob: &[u8]) -> Result<(), LineFlaw> {
    let (name, body) = split_string(blob).ok_or(LineFlaw::Truncated)?;
    let name = printable_type(name).ok_or(LineFlaw::Truncated)?;
    // OpenSSH reads the names of RSA's signature algorithms as names of the key type.
    let same = name == label || (name == "ssh-rsa" && matches!(label, "rsa-sha2-256" | "rsa-sha2-512"));
    if !same {
        return Err(LineFlaw::WrongType { label: label.into(), found: name.into() });
    }
    let whole = match name {
        "ssh-ed25519" => matches!(strings(body).as_deref(), Some([key]) if key.len() == 32),
        "sk-ssh-ed25519@openssh.com" => {
            matches!(strings(body).as_deref(), Some([key, _application]) if key.len() == 32)
        }
        "ecdsa-sha2-nistp256" => is_ecdsa(body, b"nistp256", 65),
        "ecdsa-sha2-nistp384" => is_ecdsa(body, b"nistp384", 97),
        "ecdsa-sha2-nistp521" => is_ecdsa(body, b"nistp521", 133),
        "ssh-rsa" => match strings(body).as_deref() {
            Some([_exponent, modulus]) => {
                let bits = bit_length(modulus);
                if bits < RSA_MIN_BITS {
                    return Err(LineFlaw::WeakRsa { bits });
                }
                true
            }
            Some(_) | None => false,
        },
        // Of a type we do not know only the name can be checked: certificates, for one, hold more than strings.
        _ => !body.is_empty(),
    };
    if whole { Ok(()) } else { Err(LineFlaw::Truncated) }
}

fn is_ecdsa(body: &[u8], curve: &[u8], point_len: usize) -> bool {
    matches!(strings(body).as_deref(), Some([name, point]) if *name == curve && point.len() == point_len)
}

fn bit_length(number: &[u8]) -> usize {
    let digits = number.iter().skip_while(|byte| **byte == 0);
    let zeros = digits.clone().next().map_or(0, |first| first.leading_zeros() as usize);
    digits.count() * 8 - zeros
}

/// The strings that `bytes` consists of, or nothing when it does not end with the last one.
fn strings(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (string, rest) = split_string(bytes)?;
        found.push(string);
        bytes = rest;
    }
    Some(found)
}

/// Takes one length-prefixed string off the front (RFC 4251 section 5).
fn split_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Names a distinct key of the loaded files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct KeyId(u32);

/// The distinct keys of the loaded files: a lab of thousands of lines may hold a single one.
#[derive(Debug, Default)]
pub(super) struct Keys {
    ids: HashMap<Arc<[u8]>, KeyId>,
    blobs: Vec<Arc<[u8]>>,
}

impl Keys {
    /// The id of a key, new or not.
    pub(super) fn intern(&mut self, blob: &[u8]) -> KeyId {
        if let Some(id) = self.ids.get(blob) {
            return *id;
        }
        let blob: Arc<[u8]> = blob.into();
        let id = KeyId(u32::try_from(self.blobs.len()).expect("a file of bounded size holds fewer keys"));
        self.blobs.push(Arc::clone(&blob));
        self.ids.insert(blob, id);
        id
    }

    /// The id of a key, if it occurs in the files at all.
    pub(super) fn find(&self, blob: &[u8]) -> Option<KeyId> {
        self.ids.get(blob).copied()
    }

    /// The key itself.
    pub(super) fn blob(&self, id: KeyId) -> &[u8] {
        self.blobs.get(id.0 as usize).expect("an id comes from `intern` of the same table")
    }

    /// The type of the key.
    pub(super) fn type_of(&self, id: KeyId) -> &str {
        type_name(self.blob(id)).expect("`inspect` saw the name before the key was interned")
    }
}
