//! The SSH connector: dial, greeting, key exchange, host key, authentication. The only place that builds a
//! connection, so that no path can go around the host-key check.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use russh::client::{self, DisconnectReason, Handle};
use russh::keys::PublicKeyOrCertificate;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKey};
use russh::{Disconnect, Preferred, cipher, compression, kex, mac};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::event::Timings;
use crate::model::endpoint::{Endpoint, KEEPALIVE_MAX};
use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, Kind};
use crate::model::settings::Transport;
use crate::ssh::exec::SshExec;
use crate::ssh::gateway::{Gateways, Notices};
use crate::ssh::keys::{Keyring, describe};
use crate::ssh::known_hosts::{KnownHosts, Verdict};
use crate::ssh::starts::{StartKey, Starts};
use crate::ssh::{
    ConnectError, Connected, Connector, ExecError, Notice, Session, auth, dial, failure, gateway, stream,
    tunnel,
};

/// Bytes that a host may have in flight on a channel before it must wait for us.
const WINDOW: u32 = 2 * 1024 * 1024;

/// Messages that russh may hold for a channel that is not being read. Each is at most 32 KiB, so a stalled
/// reader costs half a megabyte and not three.
const CHANNEL_BUFFER: usize = 16;

/// Text of login banners kept for the message of a refused login, in bytes.
const MAX_LOGIN_BANNER: usize = 4 * 1024;

/// Opens SSH sessions. Cheap to share; one per run.
pub struct SshConnector {
    keyring: Keyring,
    starts: Starts,
    gateways: Gateways,
    notices: Notices,
    noticed: tokio::sync::Mutex<mpsc::UnboundedReceiver<Notice>>,
    known_hosts: Mutex<HashMap<Arc<[PathBuf]>, Arc<KnownHosts>>>,
    configs: Mutex<HashMap<ConfigKey, Arc<client::Config>>>,
}

/// What distinguishes the russh configurations of a run.
type ConfigKey = (Vec<String>, Option<Duration>, bool);

impl SshConnector {
    /// A connector that proves itself with these keys.
    pub fn new(keyring: Keyring) -> Self {
        let (notices, noticed) = Notices::channel();
        Self {
            keyring,
            starts: Starts::default(),
            gateways: Gateways::default(),
            notices,
            noticed: tokio::sync::Mutex::new(noticed),
            known_hosts: Mutex::default(),
            configs: Mutex::default(),
        }
    }

    /// Reads the files of known keys of these hosts, before anybody is contacted; gives what their author
    /// should know. Without it they are read when a host first needs them.
    pub fn read_known_hosts<'a>(&self, endpoints: impl Iterator<Item = &'a Endpoint>) -> Vec<String> {
        let mut seen = HashSet::new();
        let over_ssh = endpoints.filter(|endpoint| endpoint.transport == Transport::Ssh);
        over_ssh
            .flat_map(Endpoint::hops)
            .filter(|endpoint| seen.insert(Arc::clone(&endpoint.known_hosts)))
            .flat_map(|endpoint| self.known_hosts(&endpoint.known_hosts).warnings().to_vec())
            .collect()
    }

    /// The store of known keys for these files, read once.
    fn known_hosts(&self, files: &Arc<[PathBuf]>) -> Arc<KnownHosts> {
        // Held while reading on purpose: a thousand hosts share one read.
        let mut stores = self.known_hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let store = stores.entry(Arc::clone(files)).or_insert_with(|| Arc::new(KnownHosts::load(files)));
        Arc::clone(store)
    }

    fn config(&self, recorded: Vec<String>, endpoint: &Endpoint) -> Arc<client::Config> {
        let behind = endpoint.gateway.is_some();
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (recorded, endpoint.keepalive, behind);
        let config = configs.entry(key).or_insert_with_key(|(recorded, keepalive, behind)| {
            Arc::new(client::Config {
                client_id: russh::SshId::Standard(Cow::Borrowed(concat!(
                    "SSH-2.0-fan_",
                    env!("CARGO_PKG_VERSION")
                ))),
                preferred: preferred(recorded),
                window_size: if *behind { tunnel::INNER_WINDOW } else { WINDOW },
                channel_buffer_size: CHANNEL_BUFFER,
                keepalive_interval: *keepalive,
                keepalive_max: KEEPALIVE_MAX,
                nodelay: true,
                ..client::Config::default()
            })
        });
        Arc::clone(config)
    }

    /// Key exchange and host key over an open stream.
    async fn handshake<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        endpoint: &Endpoint,
        transport: S,
        role: Role,
    ) -> Result<(Handle<ClientHandler>, Arc<Story>), ConnectError> {
        let store = self.known_hosts(&endpoint.known_hosts);
        let recorded = store.recorded_types(&endpoint.address, endpoint.port);
        let config = self.config(recorded, endpoint);
        let story = Arc::new(Story::default());
        let handler = ClientHandler {
            address: Arc::clone(&endpoint.address),
            port: endpoint.port,
            known_hosts: store,
            story: Arc::clone(&story),
            gateway: match role {
                Role::Target => None,
                Role::Gateway => Some((endpoint.name.clone(), self.notices.clone())),
            },
        };
        let (watched, guard) = stream::watch(transport);
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
            Err(_) => Err(ConnectError::fatal(
                Failure::new(
                    Kind::Banner,
                    format!("no complete SSH handshake within {} s", deadline.as_secs_f64()),
                )
                .hint("something accepts connections there and does not (or no longer) speak SSH"),
            )),
        }
    }

    /// Opens an authenticated connection, through gateways where the endpoint has them.
    ///
    /// Boxed because a gateway is logged in to in the same way.
    fn login<'a>(&'a self, endpoint: &'a Endpoint, role: Role) -> BoxFuture<'a, Result<Login, ConnectError>> {
        Box::pin(async move {
            let mut timings = Timings::default();
            let (start, (mut handle, story)) = match &endpoint.gateway {
                None => self.direct(endpoint, role, &mut timings).await?,
                Some(gateway) => self.through(gateway, endpoint, role, &mut timings).await?,
            };
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
            story.established.store(true, Ordering::Release);
            Ok(Login { handle, story, timings, auth, start })
        })
    }

    /// Dials and shakes hands.
    async fn direct(
        &self,
        endpoint: &Endpoint,
        role: Role,
        timings: &mut Timings,
    ) -> Result<Greeted, ConnectError> {
        let deadline = endpoint.deadlines.connect;
        let started = Instant::now();
        let resolving = dial::resolve(&endpoint.address, endpoint.port);
        let addresses = within(deadline, resolving, || connect_timeout(deadline)).await?;
        let lookup = started.elapsed();

        let queued = Instant::now();
        let first = addresses.first().copied().ok_or_else(|| connect_timeout(deadline))?;
        let start = self.starts.acquire(StartKey::Address(first)).await;
        timings.queued = queued.elapsed();

        let dialled = Instant::now();
        let left = deadline.saturating_sub(lookup);
        let tcp = within(left, dial::connect(&addresses), || connect_timeout(deadline)).await?;
        timings.connect = lookup + dialled.elapsed();

        let greeted = Instant::now();
        let connection = self.handshake(endpoint, tcp, role).await?;
        timings.handshake = greeted.elapsed();
        Ok((start, connection))
    }

    /// Opens a channel through a gateway and shakes hands in it, end to end: the gateway sees ciphertext.
    async fn through(
        &self,
        gateway: &Endpoint,
        endpoint: &Endpoint,
        role: Role,
        timings: &mut Timings,
    ) -> Result<Greeted, ConnectError> {
        let queued = Instant::now();
        let shared = self.gateways.get(gateway);
        let link = shared.handle(gateway, &self.notices, || self.login(gateway, Role::Gateway)).await?;
        let start = self.starts.acquire(StartKey::behind(gateway, endpoint)).await;
        timings.queued = queued.elapsed();

        let dialled = Instant::now();
        let deadline = endpoint.deadlines.connect;
        let opening = gateway::open(&link, &gateway.name, endpoint);
        let tunnel = within(deadline, opening, || connect_timeout(deadline)).await?;
        timings.connect = dialled.elapsed();

        let greeted = Instant::now();
        let connection = self.handshake(endpoint, tunnel, role).await?;
        timings.handshake = greeted.elapsed();
        Ok((start, connection))
    }
}

/// A finished key exchange, and the start that it takes up until the login is done.
type Greeted = (OwnedSemaphorePermit, (Handle<ClientHandler>, Arc<Story>));

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Commands run on it.
    Target,
    /// It carries other connections.
    Gateway,
}

/// An authenticated connection.
pub(super) struct Login {
    pub(super) handle: Handle<ClientHandler>,
    story: Arc<Story>,
    pub(super) timings: Timings,
    pub(super) auth: String,
    start: OwnedSemaphorePermit,
}

impl Connector for SshConnector {
    type Session = SshSession;

    async fn connect(&self, endpoint: &Endpoint) -> Result<Connected<SshSession>, ConnectError> {
        let Login { handle, story, timings, auth, start } = self.login(endpoint, Role::Target).await?;
        let channel_deadline = endpoint.deadlines.channel;
        let session = SshSession { handle, story, channel_deadline, start: Some(start) };
        Ok(Connected { session, timings, auth })
    }

    async fn notice(&self) -> Notice {
        match self.noticed.lock().await.recv().await {
            Some(notice) => notice,
            None => std::future::pending().await,
        }
    }
}

/// Runs a phase within its deadline.
async fn within<T>(
    deadline: Duration,
    phase: impl Future<Output = Result<T, ConnectError>>,
    expired: impl FnOnce() -> ConnectError,
) -> Result<T, ConnectError> {
    tokio::time::timeout(deadline, phase).await.unwrap_or_else(|_| Err(expired()))
}

fn connect_timeout(deadline: Duration) -> ConnectError {
    ConnectError::temporary(
        Failure::new(Kind::ConnectTimeout, format!("connect timed out after {:.1}s", deadline.as_secs_f64()))
            .hint("is the host up, and does a firewall drop the packets? -t sets the deadline"),
    )
}

/// Algorithms, best first. Those recorded for the host come first among the host key types, so that a server
/// with several keys shows the one that we can check (as OpenSSH's `order_hostkeyalgs` does).
fn preferred(recorded: &[String]) -> Preferred {
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
        recorded.iter().any(|recorded| recorded == name)
    };
    host_keys.sort_by_key(|algorithm| !is_recorded(algorithm));
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
        host_key_certificates: Cow::Borrowed(&[]),
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
    /// The login is done: an end from now on is a loss, and before it a failed attempt.
    established: AtomicBool,
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
    address: Arc<str>,
    port: u16,
    known_hosts: Arc<KnownHosts>,
    story: Arc<Story>,
    /// Set on a gateway's connection: its end is told to all.
    gateway: Option<(HostName, Notices)>,
}

impl client::Handler for ClientHandler {
    type Error = HandlerError;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, HandlerError> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else {
            // Certificates are not offered, so a server that shows one breaks the negotiation.
            let failure = Failure::new(Kind::HostKeyUnknown, "the server showed a certificate unasked");
            return Err(HandlerError::Refused(failure));
        };
        let blob = key.to_bytes().map_err(|error| {
            HandlerError::Refused(Failure::new(Kind::Protocol, format!("unreadable host key: {error}")))
        })?;
        match self.known_hosts.check(&self.address, self.port, &blob) {
            Verdict::Trusted(_) => Ok(true),
            verdict => Err(HandlerError::Refused(refuse_key(&verdict, key, &self.address, self.port))),
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
        if let Some((gateway, notices)) = &self.gateway
            && self.story.established.load(Ordering::Acquire)
        {
            notices.tell(Notice::Failed { gateway: gateway.clone(), failure: end.clone() });
        }
        *self.story.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        Ok(())
    }
}

/// The message for a key that was not trusted.
fn refuse_key(verdict: &Verdict, key: &PublicKey, address: &str, port: u16) -> Failure {
    let shown = describe(key);
    match verdict {
        Verdict::Trusted(_) => Failure::new(Kind::Internal, "a trusted key was refused"),
        Verdict::Unknown => Failure::new(
            Kind::HostKeyUnknown,
            format!("the host's key is not known: {shown}"),
        )
        .hint(format!(
            "compare the fingerprint with one from a trusted source, then: ssh-keyscan -p {port} {address} >> ~/.ssh/known_hosts"
        )),
        Verdict::Changed { recorded } => {
            let lines: Vec<String> = recorded
                .iter()
                .map(|known| format!("{} {} at {}", known.key_type, known.fingerprint, known.place))
                .collect();
            Failure::new(
                Kind::HostKeyChanged,
                format!("HOST KEY CHANGED: the host shows {shown}; recorded: {}", lines.join(", ")),
            )
            .hint("someone may be in the middle. If the host was reinstalled, remove the recorded line first")
        }
        Verdict::Revoked(place) => {
            Failure::new(Kind::HostKeyRevoked, format!("HOST KEY REVOKED: {shown} is marked @revoked at {place}"))
                .hint("do not connect: the key is known to be stolen or retired")
        }
        Verdict::Store(error) => Failure::new(Kind::HostKeyStore, format!("cannot check the host's key: {error}"))
            .hint(error.hint()),
    }
}

/// An authenticated SSH connection.
pub struct SshSession {
    handle: Handle<ClientHandler>,
    story: Arc<Story>,
    channel_deadline: Duration,
    /// The place among the starts at the address; given back at the first answer of the session.
    ///
    /// sshd tells us of the login before it tells its own listener, which goes on counting the connection
    /// against `MaxStartups` for some milliseconds (sshd.c, `startup_pipe`). It answers requests only after.
    start: Option<OwnedSemaphorePermit>,
}

impl Session for SshSession {
    type Exec = SshExec;

    async fn exec(&mut self, command: Bytes) -> Result<SshExec, ExecError> {
        let started = SshExec::start(&self.handle, &self.story, self.channel_deadline, command).await;
        self.start = None;
        started
    }

    async fn close(self) {
        // The reply, and even the sending, do not matter: the connection ends when the handle goes.
        let _ = self.handle.disconnect(Disconnect::ByApplication, "", "").await;
    }
}
