//! Host certificates: whether an authority that the operator trusts vouches for this host, now.
//!
//! Pure: certificate, names and clock in, verdict out. russh proves only that the server holds the certified key.
//! The rules are those of PROTOCOL.certkeys and `sshkey_cert_check_host` in OpenSSH; an empty list of principals
//! matches no host, as from OpenSSH 10.3 on (CVE-2024-7594 is about the older meaning).

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use russh::keys::ssh_key::Certificate;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, HashAlg, PublicKey};

use crate::model::duration;

/// Principals that a message lists.
const PRINCIPALS_SHOWN: usize = 5;

/// Why a certificate proves nothing about the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Its authority is not one that speaks for the host.
    ForeignAuthority {
        /// Fingerprint of the authority's key.
        fingerprint: String,
    },
    /// The authority did not sign it, or with an algorithm that is broken.
    BadSignature,
    /// It is a user's.
    NotAHost,
    /// It lists no names.
    NoPrincipals,
    /// It lists other names.
    OtherPrincipals(Vec<String>),
    /// It begins to hold later, by our clock.
    NotYetValid(Duration),
    /// It has ceased to hold, by our clock.
    Expired(Duration),
    /// It demands what we do not know.
    CriticalOptions(Vec<String>),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForeignAuthority { fingerprint } => {
                write!(f, "it is signed by {fingerprint}, which no @cert-authority line for this host has")
            }
            Self::BadSignature => f.write_str("its signature is not valid"),
            Self::NotAHost => f.write_str("it is a user certificate, not one for hosts"),
            Self::NoPrincipals => f.write_str("it names no hosts, so it is good for none"),
            Self::OtherPrincipals(names) => {
                let shown = names.iter().take(PRINCIPALS_SHOWN).map(String::as_str).collect::<Vec<_>>();
                write!(f, "it is for {}", shown.join(", "))?;
                match names.len().saturating_sub(PRINCIPALS_SHOWN) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::NotYetValid(wait) => {
                write!(f, "by this machine's clock it is not valid until {} from now", duration::show(*wait))
            }
            Self::Expired(ago) => {
                write!(f, "by this machine's clock it expired {} ago", duration::show(*ago))
            }
            Self::CriticalOptions(names) => {
                write!(f, "it has critical options fan does not support: {}", names.join(", "))
            }
        }
    }
}

impl Flaw {
    /// What to do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::ForeignAuthority { .. } => {
                "add the authority's key to a file of known hosts: @cert-authority HOSTS KEY"
            }
            Self::BadSignature | Self::NotAHost | Self::CriticalOptions(_) => {
                "sign the host's key again: ssh-keygen -s CA -h -I ID -n NAMES KEY.pub"
            }
            Self::NoPrincipals | Self::OtherPrincipals(_) => {
                "sign it for the name that fan looks up: ssh-keygen -s CA -h -I ID -n NAMES KEY.pub"
            }
            Self::NotYetValid(_) | Self::Expired(_) => "compare the clocks; renew the certificate if need be",
        }
    }
}

/// Checks that one of the authorities certified this host, now.
///
/// `host` is the name that keys are looked up under, `authorities` are the keys that may speak for it, in the
/// wire encoding.
pub(super) fn verify(
    certificate: &Certificate,
    host: &str,
    authorities: &[&[u8]],
    now: SystemTime,
) -> Result<(), Flaw> {
    let signer = certificate.signature_key();
    let fingerprint = signer.fingerprint(HashAlg::Sha256);
    let foreign = || Flaw::ForeignAuthority { fingerprint: fingerprint.to_string() };
    let signer_blob = blob(signer).ok_or_else(foreign)?;
    if signer.is_certificate() || !authorities.contains(&signer_blob.as_slice()) {
        return Err(foreign());
    }
    // Whatever the certificate says counts only when its signature is right. The library checks signature and
    // time together; a moment of the certificate's own leaves the signature.
    let sound = is_sound(&certificate.signature().algorithm())
        && certificate.validate_at(certificate.valid_after(), [&fingerprint]).is_ok();
    if !sound {
        return Err(Flaw::BadSignature);
    }
    if !certificate.cert_type().is_host() {
        return Err(Flaw::NotAHost);
    }
    let host = host.to_ascii_lowercase();
    match certificate.valid_principals() {
        [] => return Err(Flaw::NoPrincipals),
        names if !names.contains(&host) => return Err(Flaw::OtherPrincipals(names.to_vec())),
        _ => {}
    }
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if let Some(wait) = certificate.valid_after().checked_sub(now).filter(|wait| *wait > 0) {
        return Err(Flaw::NotYetValid(Duration::from_secs(wait)));
    }
    if let Some(ago) = now.checked_sub(certificate.valid_before()) {
        return Err(Flaw::Expired(Duration::from_secs(ago)));
    }
    let options = certificate.critical_options();
    if !options.is_empty() {
        return Err(Flaw::CriticalOptions(options.keys().cloned().collect()));
    }
    Ok(())
}

/// The wire encoding of a key.
pub(super) fn blob(key: &KeyData) -> Option<Vec<u8>> {
    PublicKey::from(key.clone()).to_bytes().ok()
}

/// OpenSSH's default `CASignatureAlgorithms`: no SHA-1, no DSA.
fn is_sound(algorithm: &Algorithm) -> bool {
    match algorithm {
        Algorithm::Ed25519
        | Algorithm::SkEd25519
        | Algorithm::Ecdsa { .. }
        | Algorithm::SkEcdsaSha2NistP256
        | Algorithm::Rsa { hash: Some(_) } => true,
        // Not ours, and open-ended.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use russh::keys::PrivateKey;
    use russh::keys::ssh_key::certificate::{Builder, CertType};

    use super::*;

    const FROM: u64 = 1_700_000_000;
    const UNTIL: u64 = 1_800_000_000;

    fn key() -> PrivateKey {
        PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap()
    }

    struct Draft {
        kind: CertType,
        principals: Vec<&'static str>,
        option: Option<&'static str>,
    }

    impl Draft {
        fn host(principals: &[&'static str]) -> Self {
            Self { kind: CertType::Host, principals: principals.to_vec(), option: None }
        }

        fn sign(self, authority: &PrivateKey) -> Certificate {
            let subject = key().public_key().key_data().clone();
            let mut builder = Builder::new([7; 16], subject, FROM, UNTIL).unwrap();
            builder.cert_type(self.kind).unwrap().key_id("test").unwrap();
            for name in &self.principals {
                builder.valid_principal(*name).unwrap();
            }
            if self.principals.is_empty() {
                builder.all_principals_valid().unwrap();
            }
            if let Some(option) = self.option {
                builder.critical_option(option, "").unwrap();
            }
            builder.sign(authority).unwrap()
        }
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn judge(certificate: &Certificate, authority: &PrivateKey, host: &str, now: u64) -> String {
        let blob = blob(authority.public_key().key_data()).unwrap();
        match verify(certificate, host, &[&blob], at(now)) {
            Ok(()) => "good".to_owned(),
            Err(flaw) => flaw.to_string(),
        }
    }

    #[test]
    fn good_ones_are_good_and_each_flaw_is_named() {
        let authority = key();
        let good = Draft::host(&["web1", "web1.example.com"]).sign(&authority);
        assert_eq!(judge(&good, &authority, "WEB1", FROM), "good");
        assert_eq!(judge(&good, &authority, "web1.example.com", UNTIL - 1), "good");
        let user = Draft { kind: CertType::User, ..Draft::host(&["web1"]) }.sign(&authority);
        let option = Draft { option: Some("force-command"), ..Draft::host(&["web1"]) }.sign(&authority);
        let many = Draft::host(&["a", "b", "c", "d", "e", "f", "g"]).sign(&authority);
        let told = [
            judge(&good, &authority, "web2", FROM),
            judge(&many, &authority, "web1", FROM),
            judge(&Draft::host(&["*"]).sign(&authority), &authority, "web1", FROM),
            judge(&Draft::host(&[]).sign(&authority), &authority, "web1", FROM),
            judge(&user, &authority, "web1", FROM),
            judge(&option, &authority, "web1", FROM),
            judge(&good, &authority, "web1", FROM - 90),
            judge(&good, &authority, "web1", UNTIL),
            judge(&good, &authority, "web1", UNTIL + 7200),
        ];
        insta::assert_snapshot!(told.join("\n"), @r"
        it is for web1, web1.example.com
        it is for a, b, c, d, e and 2 more
        it is for *
        it names no hosts, so it is good for none
        it is a user certificate, not one for hosts
        it has critical options fan does not support: force-command
        by this machine's clock it is not valid until 1m 30s from now
        by this machine's clock it expired 0ms ago
        by this machine's clock it expired 2h 00m ago
        ");
        assert!(judge(&good, &key(), "web1", FROM).contains("no @cert-authority line for this host"));
    }

    #[test]
    fn a_certificate_that_was_changed_is_not_signed() {
        let authority = key();
        let good = Draft::host(&["web1"]).sign(&authority);
        let bytes = good.to_bytes().unwrap();
        let forged = bytes.windows(4).position(|window| window == b"web1").unwrap();
        let mut changed = bytes.clone();
        changed[forged + 3] = b'2';
        let changed = Certificate::from_bytes(&changed).unwrap();
        assert_eq!(judge(&changed, &authority, "web2", FROM), "its signature is not valid");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// No single change of a byte makes another host's certificate ours.
        #[test]
        fn no_byte_can_be_changed(at in any::<prop::sample::Index>(), value in any::<u8>()) {
            let authority = key();
            let good = Draft::host(&["web1"]).sign(&authority);
            let mut bytes = good.to_bytes().unwrap();
            let index = at.index(bytes.len());
            let before = std::mem::replace(&mut bytes[index], value);
            if let Ok(changed) = Certificate::from_bytes(&bytes) && before != value {
                prop_assert_ne!(judge(&changed, &authority, "web1", FROM), "good");
            }
        }
    }
}
