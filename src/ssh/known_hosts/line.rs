//! One line of a known_hosts file: bytes in, meaning out.
//!
//! Owns the grammar of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". Refuses files, line numbers and verdicts.

use std::borrow::Cow;

use data_encoding::BASE64;

use crate::ssh::known_hosts::flaw::LineFlaw;
use crate::ssh::known_hosts::hosts::HostField;
use crate::ssh::known_hosts::key;

/// A line that says something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KnownHostsLine {
    /// Which hosts it is about.
    pub(super) hosts: HostField,
    /// What it says of them.
    pub(super) content: LineContent,
}

/// What a line says of its hosts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LineContent {
    /// This is their key.
    Key(Vec<u8>),
    /// This key must never be accepted. `flaw` is what else is wrong with the line: it must not
    /// weaken the revocation.
    Revoked {
        /// The key.
        blob: Vec<u8>,
        /// What to warn of.
        flaw: Option<LineFlaw>,
    },
    /// This key signs their certificates; it is good for no plain key.
    Authority(Vec<u8>),
    /// Nothing that can be relied on.
    Garbage(LineFlaw),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    Revoked,
    Authority,
}

/// Reads one line without its newline; nothing for blank lines and comments.
pub(super) fn parse(raw: &[u8]) -> Option<KnownHostsLine> {
    let mut flaw = None;
    let raw = match raw.strip_prefix(b"\xEF\xBB\xBF") {
        Some(rest) => {
            flaw = Some(LineFlaw::ByteOrderMark);
            rest
        }
        None => raw,
    };
    // OpenSSH would stop at a NUL. Leaving the NULs out instead lets a damaged or UTF-16 line be blamed on the
    // host that it once named, so that this host is refused rather than called unknown.
    let text = if raw.contains(&0) {
        flaw = Some(LineFlaw::Nul);
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
            (Ok(None), _) => Err(LineFlaw::UnknownMarker),
            (Ok(Some(_)), _) => Err(LineFlaw::TwoMarkers),
            (Err(problem), _) => Err(problem),
        };
        rest = after;
    }
    let (field, rest) = split_word(rest);
    let (hosts, host_flaw) = HostField::parse(field);
    let flaw = flaw.or(host_flaw);
    let content = match (marker, read_key(rest)) {
        (Err(problem), _) | (Ok(_), Err(problem)) => LineContent::Garbage(problem),
        (Ok(Some(Marker::Revoked)), Ok(blob)) => LineContent::Revoked { blob, flaw },
        (Ok(Some(Marker::Authority)), Ok(blob)) => {
            flaw.map_or(LineContent::Authority(blob), LineContent::Garbage)
        }
        (Ok(None), Ok(blob)) => flaw.map_or(LineContent::Key(blob), LineContent::Garbage),
    };
    Some(KnownHostsLine { hosts, content })
}

/// Reads `type base64 [comment]`.
fn read_key(text: &[u8]) -> Result<Vec<u8>, LineFlaw> {
    if text.is_empty() || text.starts_with(b"#") {
        return Err(LineFlaw::NoKey);
    }
    let (label, rest) = split_word(text);
    let label = key::printable_type(label).ok_or(LineFlaw::BadType)?;
    let (encoded, _comment) = split_word(rest);
    if encoded.is_empty() {
        return Err(LineFlaw::NoKey);
    }
    let blob = BASE64.decode(encoded).map_err(|_| LineFlaw::Base64)?;
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
