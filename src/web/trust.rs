//! Which certificates are believed: those that the machine's own store vouches for, or a file of the user's.
//!
//! The store is read from where the system has it, or from `SSL_CERT_FILE` and `SSL_CERT_DIR`. fan brings no list of its own: it
//! would go stale in a binary, and know nothing of a company's own authority.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::web::certificate::Certificate;

/// Which certificates are believed.
#[derive(Clone, Debug)]
pub struct WebTrust {
    provider: Arc<CryptoProvider>,
    /// None where every certificate will do.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

impl WebTrust {
    /// Those that the machine's store vouches for; with a file, those that one of its certificates does. Blocks.
    ///
    /// # Errors
    ///
    /// There is no store, or the file has no certificates: why, as a lowercase fragment.
    pub fn load(ca: Option<&Path>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        match ca {
            Some(path) => {
                let pem = read_regular(path).map_err(|error| format!("{}: {error}", path.display()))?;
                add(&mut roots, &pem).map_err(|why| format!("{}: {why}", path.display()))?;
            }
            None => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
                if roots.is_empty() {
                    let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
                    return Err(format!("this machine has no certificates of authorities{why}"));
                }
            }
        }
        Self::of(roots)
    }

    /// Those that the machine's store vouches for; it is read once.
    ///
    /// # Errors
    ///
    /// There is no store: why, as a lowercase fragment.
    pub fn of_machine() -> Result<Self, String> {
        static MACHINE: OnceLock<Result<WebTrust, String>> = OnceLock::new();
        MACHINE.get_or_init(|| Self::load(None)).clone()
    }

    /// Every certificate: what is said may be said by anybody.
    pub fn anyone() -> Self {
        Self { provider: Arc::new(aws_lc_rs::default_provider()), verifier: None }
    }

    fn of(roots: RootCertStore) -> Result<Self, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { provider, verifier: Some(verifier) })
    }

    /// What a connection is made with, and what will be seen of the certificates on it.
    pub(super) fn config(&self) -> Result<(Arc<ClientConfig>, Arc<SeenChain>), String> {
        let seen = Arc::new(SeenChain::default());
        let verifier = Watching { trust: self.clone(), seen: Arc::clone(&seen) };
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok((Arc::new(config), seen))
    }
}

fn add(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), String> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| format!("it is not PEM: {error}"))?;
    let (added, _) = roots.add_parsable_certificates(found);
    if added == 0 { Err("it has no certificates (PEM)".to_owned()) } else { Ok(()) }
}

/// The certificates that a server showed, the one for itself first. Also those that were not believed.
#[derive(Debug, Default)]
pub(super) struct SeenChain(Mutex<Vec<Certificate>>);

impl SeenChain {
    pub(super) fn take(&self) -> Vec<Certificate> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Certificates of a chain that are kept.
const CHAIN_MAX: usize = 10;

/// Believes what the verifier below does, and notes what it was shown.
#[derive(Debug)]
struct Watching {
    trust: WebTrust,
    seen: Arc<SeenChain>,
}

impl ServerCertVerifier for Watching {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).take(CHAIN_MAX);
        *self.seen.0.lock().unwrap_or_else(PoisonError::into_inner) =
            chain.filter_map(|der| Certificate::read(der)).collect();
        match &self.trust.verifier {
            Some(verifier) => {
                verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.trust.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.trust.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A file's bytes; anything but a regular file, which might never end or never begin, is refused.
fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    std::fs::read(path)
}

/// Why a handshake failed, as a lowercase fragment.
pub(super) fn why(error: &Error, host: &str, chain: &[Certificate]) -> String {
    let first = chain.first();
    match error {
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            let end = first.map(|first| format!(" on {}", first.end_day())).unwrap_or_default();
            format!("the certificate ended{end}")
        }
        Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => "the certificate is not valid yet".to_owned(),
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => {
            let names = first.map(|first| first.names.join(", ")).filter(|names| !names.is_empty());
            let names = names.unwrap_or_else(|| "other names".to_owned());
            format!("the certificate is for {names}, not for {host}")
        }
        // Also one that says of itself that it is an authority, as those that openssl makes by default.
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::Other(_))
            if first.is_some_and(|first| first.subject == first.issuer) =>
        {
            format!("the certificate is self-signed ({})", first.map_or("", |first| first.subject.as_str()))
        }
        // An authority of the same name with another key is another one.
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            match first {
                Some(first) => format!("the certificate's issuer is not trusted ({})", first.issuer),
                None => "the certificate's issuer is not trusted".to_owned(),
            }
        }
        Error::InvalidMessage(_) => "it does not speak TLS".to_owned(),
        Error::AlertReceived(alert) => format!("it refused TLS: {alert:?}"),
        other => format!("TLS failed: {other}"),
    }
}
