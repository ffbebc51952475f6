//! TLS over an open connection, and why there is none.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::web::certificate::Certificate;
use crate::web::trust::{self, SeenChain, WebTrust};

/// Why there is no answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebSilence {
    /// Why, as a lowercase fragment.
    pub why: String,
    /// The certificates that it showed.
    pub certificates: Vec<Certificate>,
}

impl WebSilence {
    /// One that is for no certificate's sake.
    pub(super) fn of(why: String) -> Self {
        Self { why, certificates: Vec::new() }
    }
}

/// Begins TLS with who has to be `host`. The chain is what it showed, for whoever takes it.
///
/// # Errors
///
/// It is not spoken there, or the server is not who it should be.
pub(super) async fn secured<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    host: &str,
    trust: &WebTrust,
) -> Result<(TlsStream<S>, Arc<SeenChain>), WebSilence> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| WebSilence::of(format!("{host:?} is not a host name")))?;
    let (config, seen) = trust.config().map_err(WebSilence::of)?;
    match TlsConnector::from(config).connect(name, stream).await {
        Ok(stream) => Ok((stream, seen)),
        Err(error) => {
            let certificates = seen.take();
            let why = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(inner) => trust::why(inner, host, &certificates),
                None if error.kind() == io::ErrorKind::UnexpectedEof => {
                    "it closed the connection while TLS began".to_owned()
                }
                None => error.to_string(),
            };
            Err(WebSilence { why, certificates })
        }
    }
}
