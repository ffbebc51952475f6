//! The settings about a host's keys: which ones it has, what to do about new ones, the name they go by.
//!
//! Refuses keys and fingerprints that could never match, since they would lock the host out without saying why.

use data_encoding::{BASE64, BASE64_NOPAD};

use crate::config::fields::{literal, quote};
use crate::config::findings::Findings;
use crate::config::yaml::{Node, Scalar};
use crate::model::name::hidden_character;
use crate::model::settings::HostKeyPolicy;

/// Types of keys that a host may have.
const TYPES: [&str; 5] =
    ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];

/// `host_key`: one key or fingerprint, or a list of them.
pub(super) fn keys(node: &Node, findings: &mut Findings) -> Option<Vec<String>> {
    let one = |node: &Node, findings: &mut Findings| {
        let scalar = literal(node, "host_key", findings)?;
        match key(&scalar.text) {
            Ok(key) => Some(key),
            Err((message, help)) => {
                findings.error_help(&scalar.position, message, help);
                None
            }
        }
    };
    let Node::List(list) = node else { return Some(vec![one(node, findings)?]) };
    if list.items.is_empty() {
        findings.error_help(node.position(), "\"host_key\" is empty", "remove it or name a key");
        return None;
    }
    let keys: Vec<_> = list.items.iter().filter_map(|item| one(item, findings)).collect();
    (!keys.is_empty()).then_some(keys)
}

/// A fingerprint or a key without its comment.
fn key(text: &str) -> Result<String, (String, &'static str)> {
    const HOW: &str = "ssh-keygen -lf FILE shows a fingerprint: SHA256: and 43 characters";
    if let Some(digest) = text.strip_prefix("SHA256:") {
        return match BASE64_NOPAD.decode(digest.as_bytes()) {
            Ok(bytes) if bytes.len() == 32 => Ok(text.to_owned()),
            Ok(_) | Err(_) => Err((format!("{} is not a SHA-256 fingerprint", quote(text)), HOW)),
        };
    }
    let mut words = text.split_ascii_whitespace();
    let (kind, blob) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if kind.starts_with("MD5:") || text.split(':').count() == 16 {
        return Err(("MD5 fingerprints are not safe".to_owned(), HOW));
    }
    if !TYPES.contains(&kind) {
        let message = format!("\"host_key\" must be a fingerprint or a public key, got {}", quote(text));
        return Err((message, "write SHA256:... or, for example, ssh-ed25519 AAAA..."));
    }
    // A key names its type once more, behind the length of the name (RFC 4253, section 6.6).
    let inside = BASE64.decode(blob.as_bytes()).ok();
    let named = inside.as_deref().and_then(|bytes| bytes.split_at_checked(4));
    let length = u32::try_from(kind.len()).unwrap_or_default().to_be_bytes();
    match named {
        Some((head, rest))
            if head == length && rest.len() > kind.len() && rest.starts_with(kind.as_bytes()) =>
        {
            Ok(format!("{kind} {blob}"))
        }
        Some(_) | None => Err((
            format!("{} is not a whole {kind} key", quote(text)),
            "copy both words of the .pub file or of ssh-keyscan",
        )),
    }
}

/// `host_keys`: what to do about unknown keys.
pub(super) fn policy(node: &Node, findings: &mut Findings) -> Option<HostKeyPolicy> {
    let scalar = literal(node, "host_keys", findings)?;
    match &*scalar.text {
        "strict" => Some(HostKeyPolicy::Strict),
        "ask" => Some(HostKeyPolicy::Ask),
        "accept-new" => Some(HostKeyPolicy::AcceptNew),
        "no" | "off" | "false" | "none" | "ignore" | "accept-any" => {
            findings.error_help(
                &scalar.position,
                "fan checks the key of every host",
                "accept-new records the keys of new hosts and refuses changed ones",
            );
            None
        }
        other => {
            let message = format!("\"host_keys\" must be strict, ask or accept-new, got {}", quote(other));
            findings.error(&scalar.position, message);
            None
        }
    }
}

/// `host_key_alias`: a name as it can stand in a file of known keys.
pub(super) fn alias(node: &Node, findings: &mut Findings) -> Option<String> {
    let scalar = literal(node, "host_key_alias", findings)?;
    if is_name(scalar) {
        return Some(scalar.text.to_string());
    }
    let message = format!("{} cannot be a name in a file of known keys", quote(&scalar.text));
    findings.error_help(&scalar.position, message, "write a host name, without blanks and wildcards");
    None
}

fn is_name(scalar: &Scalar) -> bool {
    let text = &*scalar.text;
    let special = |c: char| c.is_whitespace() || "*?!,|@#\"'".contains(c);
    !text.is_empty() && !text.contains(special) && hidden_character(text).is_none()
}
