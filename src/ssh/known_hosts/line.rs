//! One line of a known_hosts file: bytes in, meaning out.
//!
//! Owns the grammar of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". Refuses files, line numbers and verdicts.

use std::borrow::Cow;

use data_encoding::BASE64;

use crate::ssh::known_hosts::hosts::HostField;
use crate::ssh::known_hosts::key;

/// Why a line cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A word with `@` that is no marker.
    #[error("unknown marker, expected @revoked or @cert-authority")]
    UnknownMarker,
    /// More than one marker.
    #[error("more than one marker")]
    TwoMarkers,
    /// Nothing after the host names, or no key after its type.
    #[error("no key")]
    NoKey,
    /// The type is not printable ASCII of at most 64 bytes.
    #[error("the key type is not a word of printable ASCII")]
    BadType,
    /// The key is not whole and canonical base64.
    #[error("the key is not valid base64, it may be cut off")]
    Base64,
    /// The key decodes, but to something too short, too long or of another form.
    #[error("the key is damaged or cut off")]
    Truncated,
    /// The line names one type, the key another.
    #[error("the line says {label}, but the key is {found}")]
    WrongType {
        /// What the line says.
        label: Box<str>,
        /// What the key says.
        found: Box<str>,
    },
    /// An RSA key that nobody should trust.
    #[error("RSA key of {bits} bits, too short to be trusted")]
    WeakRsa {
        /// Size of the modulus.
        bits: usize,
    },
    /// A hashed host name that is not `|1|salt|hash`.
    #[error("damaged hashed host name")]
    BadHash,
    /// A host pattern longer than OpenSSH reads.
    #[error("a host name of more than 1022 bytes")]
    LongName,
    /// A NUL byte, which ends a line for OpenSSH: UTF-16, or the mark of a crash.
    #[error("a NUL byte, the file is not plain text")]
    Nul,
    /// A UTF-8 byte order mark, which is part of the first host name for OpenSSH.
    #[error("a byte order mark before the host name, save the file without one")]
    ByteOrderMark,
}

/// A line that says something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Which hosts it is about.
    pub(super) hosts: HostField,
    /// What it says of them.
    pub(super) content: Content,
}

/// What a line says of its hosts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// This is their key.
    Key(Vec<u8>),
    /// This key must never be accepted. `flaw` is what else is wrong with the line: it must not
    /// weaken the revocation.
    Revoked {
        /// The key.
        blob: Vec<u8>,
        /// What to warn of.
        flaw: Option<Problem>,
    },
    /// This key signs their certificates; it is good for no plain key.
    Authority(Vec<u8>),
    /// Nothing that can be relied on.
    Garbage(Problem),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    Revoked,
    Authority,
}

/// Reads one line without its newline; nothing for blank lines and comments.
pub(super) fn parse(raw: &[u8]) -> Option<Line> {
    let mut flaw = None;
    let raw = match raw.strip_prefix(b"\xEF\xBB\xBF") {
        Some(rest) => {
            flaw = Some(Problem::ByteOrderMark);
            rest
        }
        None => raw,
    };
    // OpenSSH would stop at a NUL. Leaving the NULs out instead lets a damaged or UTF-16 line be blamed on the
    // host that it once named, so that this host is refused rather than called unknown.
    let text = if raw.contains(&0) {
        flaw = Some(Problem::Nul);
        Cow::Owned(raw.iter().copied().filter(|byte| *byte != 0).collect())
    } else {
        Cow::Borrowed(raw)
    };
    let mut rest = skip_blanks(without_carriage_returns(&text));
    if rest.is_empty() || rest.starts_with(b"#") {
        return None;
    }
    let mut marker = Ok(None);
    while rest.starts_with(b"@") {
        let (word, after) = split_word(rest);
        marker = match (marker, word) {
            (Ok(None), b"@revoked") => Ok(Some(Marker::Revoked)),
            (Ok(None), b"@cert-authority") => Ok(Some(Marker::Authority)),
            (Ok(None), _) => Err(Problem::UnknownMarker),
            (Ok(Some(_)), _) => Err(Problem::TwoMarkers),
            (Err(problem), _) => Err(problem),
        };
        rest = after;
    }
    let (field, rest) = split_word(rest);
    let (hosts, host_flaw) = HostField::parse(field);
    let flaw = flaw.or(host_flaw);
    let content = match (marker, read_key(rest)) {
        (Err(problem), _) | (Ok(_), Err(problem)) => Content::Garbage(problem),
        (Ok(Some(Marker::Revoked)), Ok(blob)) => Content::Revoked { blob, flaw },
        (Ok(Some(Marker::Authority)), Ok(blob)) => flaw.map_or(Content::Authority(blob), Content::Garbage),
        (Ok(None), Ok(blob)) => flaw.map_or(Content::Key(blob), Content::Garbage),
    };
    Some(Line { hosts, content })
}

/// Reads `type base64 [comment]`.
fn read_key(text: &[u8]) -> Result<Vec<u8>, Problem> {
    if text.is_empty() || text.starts_with(b"#") {
        return Err(Problem::NoKey);
    }
    let (label, rest) = split_word(text);
    let label = key::printable_type(label).ok_or(Problem::BadType)?;
    let (encoded, _comment) = split_word(rest);
    if encoded.is_empty() {
        return Err(Problem::NoKey);
    }
    let blob = BASE64.decode(encoded).map_err(|_| Problem::Base64)?;
    key::inspect(label, &blob)?;
    Ok(blob)
}

fn without_carriage_returns(mut text: &[u8]) -> &[u8] {
    while let Some(shorter) = text.strip_suffix(b"\r") {
        text = shorter;
    }
    text
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_blank(*byte)).unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}

/// The first word, and what follows the blanks after it.
fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| is_blank(*byte)).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
    (word, skip_blanks(rest))
}
