//! What the operator says of a host's key beside the files of known keys: pins, alias, policy.
//!
//! Owns the forms of a pin. Refuses to judge keys: that needs files.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use data_encoding::{BASE64, BASE64_NOPAD};

use crate::model::settings::HostKeyPolicy;

/// Bytes of a SHA-256.
const SHA256: usize = 32;

/// How a host's key is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostKeyRules {
    /// The host must show one of these; when there are any, no file of known keys is asked.
    pub pins: Arc<[Pin]>,
    /// What to do about a key that nothing is known of.
    pub policy: HostKeyPolicy,
    /// The name that keys are looked up under, without a port, instead of the address.
    pub alias: Option<Arc<str>>,
    /// Files of keys that no host may show.
    pub revoked: Arc<[PathBuf]>,
}

/// A key that a host must have, as the inventory writes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pin {
    /// `SHA256:` and unpadded base64, as `ssh-keygen -l` prints it.
    Fingerprint(Arc<str>),
    /// A whole public key.
    Key {
        /// Its type: `ssh-ed25519`.
        key_type: Arc<str>,
        /// The key in the wire encoding of RFC 4253 section 6.6.
        blob: Arc<[u8]>,
    },
}

/// Why a text is no pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinError {
    /// What is wrong, a lowercase fragment.
    pub message: &'static str,
    /// What to write instead.
    pub help: &'static str,
}

impl Pin {
    /// Reads `SHA256:...`, or `TYPE BASE64 [COMMENT]` as a `.pub` file has it.
    ///
    /// # Errors
    ///
    /// The text is neither, or damaged.
    pub fn parse(text: &str) -> Result<Self, PinError> {
        const HELP: &str = "write SHA256:… from ssh-keygen -lf, or the key: ssh-ed25519 AAAA…";
        let wrong = |message| Err(PinError { message, help: HELP });
        let text = text.trim();
        if let Some(hash) = text.strip_prefix("SHA256:") {
            // A padding that someone added means the same.
            let hash = hash.trim_end_matches('=');
            return match BASE64_NOPAD.decode(hash.as_bytes()) {
                Ok(bytes) if bytes.len() == SHA256 => {
                    Ok(Self::Fingerprint(Arc::from(format!("SHA256:{hash}"))))
                }
                Ok(_) | Err(_) => wrong("the fingerprint is damaged or cut off"),
            };
        }
        if text.starts_with("MD5:") || text.split(':').count() == 16 {
            return wrong("MD5 fingerprints are no longer safe");
        }
        let mut words = text.split_ascii_whitespace();
        let (Some(key_type), Some(encoded)) = (words.next(), words.next()) else {
            return wrong("neither a SHA256 fingerprint nor a public key");
        };
        let Ok(blob) = BASE64.decode(encoded.as_bytes()) else {
            return wrong("the key is not valid base64, it may be cut off");
        };
        if key_type.contains("-cert-v") {
            return wrong("a certificate cannot be pinned");
        }
        let body = blob.split_first_chunk::<4>().and_then(|(length, rest)| {
            let (inner, body) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            (inner == key_type.as_bytes()).then_some(body)
        });
        if body.is_none_or(<[u8]>::is_empty) {
            return wrong("the key is damaged, or its type is not the one before it");
        }
        Ok(Self::Key { key_type: Arc::from(key_type), blob: Arc::from(blob) })
    }

    /// Whether a key is the pinned one, by its wire encoding and its fingerprint.
    pub fn matches(&self, key_blob: &[u8], fingerprint: &str) -> bool {
        match self {
            Self::Fingerprint(pinned) => **pinned == *fingerprint,
            Self::Key { blob, .. } => **blob == *key_blob,
        }
    }
}

/// As the inventory writes it.
impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fingerprint(text) => f.write_str(text),
            Self::Key { key_type, blob } => write!(f, "{key_type} {}", BASE64.encode(blob)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG5LFg5NlbEoeV5e0AXyWfh8LLDmjRbWaj6RiSWAC28P";
    const PRINT: &str = "SHA256:q3krupEeXjO3rWqIhc3a1OUbHAkvrAmu/La7Fnc2jk4";

    #[test]
    fn both_forms_are_read_and_match_their_key_only() {
        let key = Pin::parse(&format!(" {KEY}  web1 comment\n")).unwrap();
        let Pin::Key { blob, .. } = &key else { panic!("it is a key") };
        let print = Pin::parse(&format!("{PRINT}=")).unwrap();
        assert!(key.matches(blob, "whatever") && print.matches(b"whatever", PRINT));
        assert!(!key.matches(b"other", PRINT) && !print.matches(blob, "SHA256:other"));
        assert_eq!(key.to_string(), KEY);
        assert_eq!(print.to_string(), PRINT);
    }

    #[test]
    fn what_is_no_pin_is_told_why() {
        let cut = &KEY[..KEY.len() - 4];
        let other_type = KEY.replace("ssh-ed25519 ", "ssh-rsa ");
        let mut told = String::new();
        for text in [
            "",
            "x",
            "SHA256:x",
            &PRINT[..40],
            "MD5:aa:bb",
            "aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99",
            KEY.trim_start_matches("ssh-ed25519 "),
            &KEY[..KEY.len() - 3],
            &other_type,
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
        ] {
            told += &format!("{text:.24}: {}\n", Pin::parse(text).unwrap_err().message);
        }
        // Of the right form as far as this floor can tell; such a pin matches no key.
        assert!(Pin::parse(cut).is_ok());
        insta::assert_snapshot!(told, @r"
        : neither a SHA256 fingerprint nor a public key
        x: neither a SHA256 fingerprint nor a public key
        SHA256:x: the fingerprint is damaged or cut off
        SHA256:q3krupEeXjO3rWqIh: the fingerprint is damaged or cut off
        MD5:aa:bb: MD5 fingerprints are no longer safe
        aa:bb:cc:dd:ee:ff:00:11:: MD5 fingerprints are no longer safe
        AAAAC3NzaC1lZDI1NTE5AAAA: neither a SHA256 fingerprint nor a public key
        ssh-ed25519 AAAAC3NzaC1l: the key is not valid base64, it may be cut off
        ssh-rsa AAAAC3NzaC1lZDI1: the key is damaged, or its type is not the one before it
        ssh-ed25519 AAAAC3NzaC1l: the key is damaged, or its type is not the one before it
        ");
    }
}
