//! What fan negotiates: algorithms, best first, and russh's configuration for them.

use std::borrow::Cow;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Preferred, cipher, client, compression, kex, mac};

use crate::model::endpoint::KEEPALIVE_MAX;
use crate::ssh::host_key::{Certificates, WantedKeys};

/// Messages that russh may hold for a channel that is not being read. Each is at most 32 KiB, so a stalled
/// reader costs a quarter of a megabyte and not three.
const CHANNEL_BUFFER: usize = 8;

/// russh's configuration for a server that is asked for these host keys, without keepalive.
pub(super) fn config(wanted: &WantedKeys) -> client::Config {
    client::Config {
        client_id: russh::SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-fan_", env!("CARGO_PKG_VERSION")))),
        preferred: preferred(wanted),
        channel_buffer_size: CHANNEL_BUFFER,
        keepalive_max: KEEPALIVE_MAX,
        nodelay: true,
        ..client::Config::default()
    }
}

/// Algorithms, best first. Those recorded for the host come first among the host key types, so that a server
/// with several keys shows the one that we can check (as OpenSSH's `order_hostkeyalgs` does).
fn preferred(wanted: &WantedKeys) -> Preferred {
    let mut host_keys = vec![
        Algorithm::Ed25519,
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
        Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
        Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
    ];
    let is_recorded = |algorithm: &Algorithm| {
        let name = if algorithm.clone().is_rsa() { "ssh-rsa" } else { algorithm.as_str() };
        wanted.first.iter().any(|wanted| wanted == name)
    };
    host_keys.sort_by_key(|algorithm| !is_recorded(algorithm));
    let certificates = match wanted.certificates {
        Certificates::Unwanted => Vec::new(),
        Certificates::OfFirst => {
            host_keys.iter().filter(|algorithm| is_recorded(algorithm)).cloned().collect()
        }
        Certificates::OfAll => host_keys.clone(),
    };
    let ciphers: &[cipher::Name] = if has_aes_instructions() {
        &[
            cipher::AES_256_GCM,
            cipher::AES_128_GCM,
            cipher::CHACHA20_POLY1305,
            cipher::AES_256_CTR,
            cipher::AES_192_CTR,
            cipher::AES_128_CTR,
        ]
    } else {
        &[
            cipher::CHACHA20_POLY1305,
            cipher::AES_256_GCM,
            cipher::AES_128_GCM,
            cipher::AES_256_CTR,
            cipher::AES_192_CTR,
            cipher::AES_128_CTR,
        ]
    };
    Preferred {
        kex: Cow::Borrowed(&[
            kex::MLKEM768X25519_SHA256,
            kex::CURVE25519,
            kex::CURVE25519_PRE_RFC_8731,
            kex::ECDH_SHA2_NISTP256,
            kex::ECDH_SHA2_NISTP384,
            kex::ECDH_SHA2_NISTP521,
            kex::DH_GEX_SHA256,
            kex::DH_G16_SHA512,
            kex::DH_G18_SHA512,
            kex::DH_G14_SHA256,
            kex::EXTENSION_SUPPORT_AS_CLIENT,
            kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
        ]),
        key: Cow::Owned(host_keys),
        host_key_certificates: Cow::Owned(certificates),
        cipher: Cow::Owned(ciphers.to_vec()),
        mac: Cow::Borrowed(&[mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM, mac::HMAC_SHA256, mac::HMAC_SHA512]),
        compression: Cow::Borrowed(&[compression::NONE]),
    }
}

/// AES-GCM in hardware beats ChaCha20 by far; without it, ChaCha20 wins and is constant-time.
fn has_aes_instructions() -> bool {
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    return std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
    return false;
}
