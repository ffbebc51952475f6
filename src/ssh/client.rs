//! The SSH connector: dial, greeting, key exchange, host key, authentication. The only place that builds a
//! connection, so that no path can go around the host-key check.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use russh::client::{self, DisconnectReason, Handle};
use russh::keys::PublicKeyOrCertificate;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Disconnect, Preferred, cipher, compression, kex, mac};
use tokio::net::TcpStream;

use crate::event::Timings;
use crate::model::endpoint::{Endpoint, KEEPALIVE_MAX};
use crate::model::outcome::{Failure, Kind};
use crate::model::settings::Transport;
use crate::ssh::exec::SshExec;
use crate::ssh::host_key::{Certificates, HostKeys, Judge, Wanted};
use crate::ssh::keys::Keyring;
use crate::ssh::starts::Starts;
use crate::ssh::{ConnectError, Connected, Connector, ExecError, Session, auth, dial, failure, stream};

/// Messages that russh may hold for a channel that is not being read. Each is at most 32 KiB, so a stalled
/// reader costs half a megabyte and not three.
const CHANNEL_BUFFER: usize = 16;

/// Text of login banners kept for the message of a refused login, in bytes.
const MAX_LOGIN_BANNER: usize = 4 * 1024;

/// Opens SSH sessions. Cheap to share; one per run.
pub struct SshConnector {
    keyring: Keyring,
    starts: Starts,
    host_keys: Arc<HostKeys>,
    configs: Mutex<HashMap<ConfigKey, Arc<client::Config>>>,
}

/// What distinguishes the russh configurations of a run.
type ConfigKey = (Wanted, Option<Duration>);

impl SshConnector {
    /// A connector that proves itself with these keys, and tells hosts by what is known of theirs.
    pub fn new(keyring: Keyring, host_keys: Arc<HostKeys>) -> Self {
        Self { keyring, starts: Starts::default(), host_keys, configs: Mutex::default() }
    }

    /// Reads the files of known keys of these hosts, before anybody is contacted; gives what their author
    /// should know. Without it they are read when a host first needs them.
    pub fn read_known_hosts<'a>(&self, endpoints: impl Iterator<Item = &'a Endpoint>) -> Vec<String> {
        let mut seen = HashSet::new();
        let over_ssh = endpoints.filter(|endpoint| endpoint.transport == Transport::Ssh);
        over_ssh
            .filter(|endpoint| seen.insert(Arc::clone(&endpoint.known_hosts)))
            .flat_map(|endpoint| self.host_keys.warnings(&endpoint.known_hosts))
            .collect()
    }

    fn config(&self, wanted: Wanted, keepalive: Option<Duration>) -> Arc<client::Config> {
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        let config = configs.entry((wanted, keepalive)).or_insert_with_key(|(wanted, keepalive)| {
            Arc::new(client::Config { keepalive_interval: *keepalive, ..plain_config(wanted) })
        });
        Arc::clone(config)
    }

    async fn handshake(
        &self,
        endpoint: &Endpoint,
        tcp: TcpStream,
    ) -> Result<(Handle<ClientHandler>, Arc<Story>), ConnectError> {
        let judge = self.host_keys.judge(endpoint);
        let config = self.config(judge.wanted(), endpoint.keepalive);
        let story = Arc::new(Story::default());
        let handler = ClientHandler { judge, story: Arc::clone(&story) };
        let (watched, guard) = stream::watch(tcp);
        let deadline = endpoint.deadlines.handshake;
        match tokio::time::timeout(deadline, client::connect_stream(config, watched, handler)).await {
            Ok(Ok(handle)) => {
                guard.release();
                Ok((handle, story))
            }
            Ok(Err(HandlerError::Refused(failure))) => Err(ConnectError::fatal(failure)),
            Ok(Err(HandlerError::Russh(error))) => {
                Err(guard.refusal().unwrap_or_else(|| failure::handshake(&error)))
            }
            Err(_) => Err(handshake_timeout(deadline)),
        }
    }
}

impl Connector for SshConnector {
    type Session = SshSession;

    async fn connect(&self, endpoint: &Endpoint) -> Result<Connected<SshSession>, ConnectError> {
        let mut timings = Timings::default();
        let deadline = endpoint.deadlines.connect;

        let started = Instant::now();
        let addresses =
            within(deadline, dial::resolve(&endpoint.address, endpoint.port), || connect_timeout(deadline))
                .await?;
        let lookup = started.elapsed();

        let queued = Instant::now();
        let first = addresses.first().copied().ok_or_else(|| connect_timeout(deadline))?;
        let start = self.starts.acquire(first).await;
        timings.queued = queued.elapsed();

        let dialled = Instant::now();
        let left = deadline.saturating_sub(lookup);
        let tcp = within(left, dial::connect(&addresses), || connect_timeout(deadline)).await?;
        timings.connect = lookup + dialled.elapsed();

        let greeted = Instant::now();
        let (mut handle, story) = self.handshake(endpoint, tcp).await?;
        timings.handshake = greeted.elapsed();

        let proved = Instant::now();
        let deadline = endpoint.deadlines.auth;
        let auth = auth::authenticate(&mut handle, endpoint, &self.keyring);
        let auth = match tokio::time::timeout(deadline, auth).await {
            Ok(Ok(auth)) => auth,
            Ok(Err(failure)) => return Err(ConnectError::fatal(story.explain_refusal(failure))),
            Err(_) => {
                return Err(ConnectError::fatal(Failure::new(
                    Kind::AuthFailed,
                    format!("authentication did not end within {} s", deadline.as_secs_f64()),
                )));
            }
        };
        timings.auth = proved.elapsed();
        drop(start);

        let session = SshSession { handle, story, channel_deadline: endpoint.deadlines.channel };
        Ok(Connected { session, timings, auth })
    }
}

/// Runs a phase within its deadline.
pub(super) async fn within<T>(
    deadline: Duration,
    phase: impl Future<Output = Result<T, ConnectError>>,
    expired: impl FnOnce() -> ConnectError,
) -> Result<T, ConnectError> {
    tokio::time::timeout(deadline, phase).await.unwrap_or_else(|_| Err(expired()))
}

pub(super) fn connect_timeout(deadline: Duration) -> ConnectError {
    ConnectError::temporary(
        Failure::new(Kind::ConnectTimeout, format!("connect timed out after {:.1}s", deadline.as_secs_f64()))
            .hint("is the host up, and does a firewall drop the packets? -t sets the deadline"),
    )
}

pub(super) fn handshake_timeout(deadline: Duration) -> ConnectError {
    ConnectError::fatal(
        Failure::new(Kind::Banner, format!("no complete SSH handshake within {} s", deadline.as_secs_f64()))
            .hint("something accepts connections there and does not (or no longer) speak SSH"),
    )
}

/// russh's configuration for a server that is asked for these host keys, without keepalive.
pub(super) fn plain_config(wanted: &Wanted) -> client::Config {
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
fn preferred(wanted: &Wanted) -> Preferred {
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

/// What the connection's callbacks learnt, for messages later on.
#[derive(Default)]
pub(super) struct Story {
    banner: Mutex<String>,
    end: Mutex<Option<Failure>>,
}

impl Story {
    /// Why the connection ended, if it told.
    pub(super) fn end(&self) -> Failure {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner).clone();
        end.unwrap_or_else(|| Failure::new(Kind::ConnectionLost, "the connection was lost"))
    }

    /// Adds to a refused login what the server said about it.
    fn explain_refusal(&self, mut failure: Failure) -> Failure {
        if let Some(end) = &*self.end.lock().unwrap_or_else(PoisonError::into_inner) {
            if end.message.contains("Too many authentication failures") {
                failure.kind = Kind::AuthExhausted;
                failure.hint =
                    Some("name the right key with `identity:` and set `identities_only: true`".to_owned());
            }
            failure.message = format!("{}; {}", failure.message, end.message);
        }
        let banner = self.banner.lock().unwrap_or_else(PoisonError::into_inner);
        if !banner.trim().is_empty() {
            failure.message = format!("{}; the server says: {}", failure.message, banner.trim());
        }
        failure
    }
}

/// Why russh's session task ended: its own error, or our verdict.
#[derive(Debug)]
pub(super) enum HandlerError {
    /// russh's.
    Russh(russh::Error),
    /// The host key, or what was negotiated, is not acceptable.
    Refused(Failure),
}

impl From<russh::Error> for HandlerError {
    fn from(error: russh::Error) -> Self {
        Self::Russh(error)
    }
}

/// The callbacks of one connection.
pub(super) struct ClientHandler {
    judge: Judge,
    story: Arc<Story>,
}

impl client::Handler for ClientHandler {
    type Error = HandlerError;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, HandlerError> {
        match self.judge.admit(shown).await {
            Ok(()) => Ok(true),
            Err(failure) => Err(HandlerError::Refused(failure)),
        }
    }

    /// Refuses ciphers that need strict key exchange without it (Terrapin, CVE-2023-48795).
    async fn kex_done(
        &mut self,
        _secret: Option<&[u8]>,
        names: &russh::Names,
        _session: &mut client::Session,
    ) -> Result<(), HandlerError> {
        let etm = names.client_mac.as_ref().contains("-etm@") || names.server_mac.as_ref().contains("-etm@");
        let cipher: &str = names.cipher.as_ref();
        let exposed = cipher.starts_with("chacha20") || (cipher.contains("-cbc") && etm);
        if exposed && !names.strict_kex() {
            return Err(HandlerError::Refused(
                Failure::new(
                    Kind::Kex,
                    format!("the server offers {cipher} without strict key exchange (CVE-2023-48795)"),
                )
                .hint("update the server (OpenSSH 9.6 or later), or offer AES-GCM there"),
            ));
        }
        Ok(())
    }

    async fn auth_banner(
        &mut self,
        banner: &str,
        _session: &mut client::Session,
    ) -> Result<(), HandlerError> {
        let mut kept = self.story.banner.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_LOGIN_BANNER.saturating_sub(kept.len());
        kept.extend(banner.chars().take(room));
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<HandlerError>) -> Result<(), HandlerError> {
        let end = match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                failure::disconnected(info.reason_code, &info.message)
            }
            DisconnectReason::Error(HandlerError::Russh(error)) => failure::lost(&error),
            DisconnectReason::Error(HandlerError::Refused(failure)) => failure,
        };
        *self.story.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        Ok(())
    }
}

/// An authenticated SSH connection.
pub struct SshSession {
    handle: Handle<ClientHandler>,
    story: Arc<Story>,
    channel_deadline: Duration,
}

impl Session for SshSession {
    type Exec = SshExec;

    async fn exec(&mut self, command: Bytes) -> Result<SshExec, ExecError> {
        SshExec::start(&self.handle, &self.story, self.channel_deadline, command).await
    }

    async fn close(self) {
        // The reply, and even the sending, do not matter: the connection ends when the handle goes.
        let _ = self.handle.disconnect(Disconnect::ByApplication, "", "").await;
    }
}
