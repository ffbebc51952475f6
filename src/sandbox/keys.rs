//! One-time keys, and what `known_hosts` says of a host: the truth, or the lie that its behaviour asks for.

use std::io;
use std::net::SocketAddr;

use russh::keys::{Algorithm, EcdsaCurve, PrivateKey, PublicKey};

use crate::sandbox::behaviour::Behaviour;

/// Makes an Ed25519 key that no one has seen.
pub(super) fn one_time() -> io::Result<PrivateKey> {
    random(Algorithm::Ed25519)
}

/// The lines of `known_hosts` for a host, each with its newline; sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT".
pub(super) fn known_hosts(behaviour: &Behaviour, address: SocketAddr, key: &PublicKey) -> io::Result<String> {
    match behaviour {
        Behaviour::UnknownKey => Ok(String::new()),
        Behaviour::WrongKey => line("", address, one_time()?.public_key()),
        Behaviour::OtherKeyType => {
            let other = random(Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 })?;
            line("", address, other.public_key())
        }
        Behaviour::RevokedKey => Ok(line("", address, key)? + &line("@revoked ", address, key)?),
        Behaviour::Normal
        | Behaviour::Silent
        | Behaviour::NotSsh(_)
        | Behaviour::SlowBanner { .. }
        | Behaviour::Throttle { .. }
        | Behaviour::ResetDuringKex
        | Behaviour::RefuseAuth
        | Behaviour::Login(_)
        | Behaviour::RefuseChannels { .. }
        | Behaviour::OpensChannels(_)
        | Behaviour::RefuseExec
        | Behaviour::CutAfterExec
        | Behaviour::NoExitStatus
        | Behaviour::CutAfterStatus { .. }
        | Behaviour::TwoStatuses
        | Behaviour::StatusFirst { .. }
        | Behaviour::StatusAfterInput
        | Behaviour::StallChannels
        | Behaviour::StallAfterExec
        | Behaviour::Sftp(_) => line("", address, key),
    }
}

fn line(marker: &str, address: SocketAddr, key: &PublicKey) -> io::Result<String> {
    let key = key.to_openssh().map_err(io::Error::other)?;
    Ok(format!("{marker}[{}]:{} {}\n", address.ip(), address.port(), key.trim_end()))
}

fn random(algorithm: Algorithm) -> io::Result<PrivateKey> {
    PrivateKey::random(&mut rand::rng(), algorithm).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(behaviour: &Behaviour) -> (String, PublicKey) {
        let key = one_time().unwrap().public_key().clone();
        let address = SocketAddr::from(([127, 0, 0, 1], 2222));
        (known_hosts(behaviour, address, &key).unwrap(), key)
    }

    #[test]
    fn a_good_host_is_listed_with_its_port() {
        let (text, key) = written(&Behaviour::Normal);
        assert_eq!(text, format!("[127.0.0.1]:2222 {}\n", key.to_openssh().unwrap()));
    }

    #[test]
    fn a_revoked_key_is_listed_twice() {
        let (text, key) = written(&Behaviour::RevokedKey);
        let plain = format!("[127.0.0.1]:2222 {}\n", key.to_openssh().unwrap());
        assert_eq!(text, format!("{plain}@revoked {plain}"));
    }

    #[test]
    fn a_wrong_key_is_another_one_of_the_same_type() {
        let (text, key) = written(&Behaviour::WrongKey);
        assert!(text.starts_with("[127.0.0.1]:2222 ssh-ed25519 "));
        assert!(!text.contains(&key.to_openssh().unwrap()));
    }

    #[test]
    fn other_type_and_unknown() {
        assert!(written(&Behaviour::OtherKeyType).0.starts_with("[127.0.0.1]:2222 ecdsa-sha2-nistp256 "));
        assert_eq!(written(&Behaviour::UnknownKey).0, "");
    }
}
