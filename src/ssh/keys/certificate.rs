//! User certificates (OpenSSH's PROTOCOL.certkeys): read, and judged before any host sees them.
//!
//! Whether the authority that signed one is trusted is the server's business.

use std::path::Path;

use data_encoding::BASE64;
use russh::keys::Certificate;
use russh::keys::ssh_key::certificate::CertType;

use crate::model::time::rfc3339;
use crate::ssh::keys::file::read_public;
use crate::ssh::keys::problem::KeyProblem;
use crate::ssh::wire::is_shallow_certificate;

/// A certificate file is never larger.
const MAX_FILE: u64 = 64 * 1024;

/// Reads a certificate file: one line, as `ssh-keygen -s` writes it.
///
/// # Errors
///
/// It is missing, or something else.
pub(super) fn read(path: &Path) -> Result<Certificate, KeyProblem> {
    let text = read_public(path, MAX_FILE).map_err(|refusal| {
        let (message, hint) = refusal.explain("a certificate");
        KeyProblem { message, hint }
    })?;
    parse(&text)
}

fn parse(text: &str) -> Result<Certificate, KeyProblem> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let mut words = line.unwrap_or_default().split_whitespace();
    let (Some(name), Some(encoded)) = (words.next(), words.next()) else {
        return Err(KeyProblem::hinted("not a certificate", "name a file that ssh-keygen -s wrote"));
    };
    if text.starts_with("-----BEGIN") {
        return Err(KeyProblem::hinted("not an SSH certificate", "name a file that ssh-keygen -s wrote"));
    }
    if !name.ends_with("-cert-v01@openssh.com") {
        return Err(KeyProblem::hinted(
            "this is a public key, not a certificate",
            "certificates end in -cert.pub",
        ));
    }
    let blob = BASE64.decode(encoded.as_bytes()).ok();
    blob.filter(|blob| is_shallow_certificate(blob))
        .and_then(|blob| Certificate::from_bytes(&blob).ok())
        .ok_or_else(|| KeyProblem::hinted("the certificate is damaged", "have it signed again"))
}

/// Says why a certificate is of no use at this moment, in seconds since 1970.
///
/// # Errors
///
/// It is a host's, or not yet or no longer valid by the local clock.
pub(super) fn judge(certificate: &Certificate, now: u64) -> Result<(), KeyProblem> {
    if certificate.cert_type() != CertType::User {
        let message = "this is a certificate for a host, not for a user";
        return Err(KeyProblem::hinted(message, "have it signed without -h"));
    }
    let (from, until) = (certificate.valid_after(), certificate.valid_before());
    let clock = format!("this machine's clock says {}", rfc3339(now));
    if now >= until {
        let message = format!("the certificate expired at {} ({clock})", rfc3339(until));
        return Err(KeyProblem::hinted(message, "get a new one"));
    }
    if now < from {
        let message = format!("the certificate is not valid until {} ({clock})", rfc3339(from));
        return Err(KeyProblem::hinted(message, "is the clock right?"));
    }
    Ok(())
}

/// Why this certificate may be what the host did not like about the login of `user`.
pub(super) fn doubt(certificate: &Certificate, user: &str) -> Option<String> {
    let principals = certificate.valid_principals();
    if principals.is_empty() {
        return Some("the certificate names no principals, and servers want one".to_owned());
    }
    if principals.iter().any(|principal| principal == user) {
        return None;
    }
    let shown: Vec<&str> = principals.iter().take(5).map(String::as_str).collect();
    Some(format!("the certificate is for {}, not for {user}", shown.join(", ")))
}
