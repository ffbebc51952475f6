//! The SSH connector: dial, greeting, key exchange, host key, authentication. The only place that builds a
//! connection, so that no path can go around the host-key check.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use russh::client::{self, Handle};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tracing::{Instrument, debug};

use crate::event::Timings;
use crate::model::endpoint::{Agent, Endpoint, NamedBy};
use crate::model::settings::Transport;
use crate::ssh::acknowledging::Acknowledging;
use crate::ssh::agent::forward::Forward;
use crate::ssh::agent::{AgentPatience, Agents};
use crate::ssh::deadline::{
    PhaseLimit, bound_before_login, bound_with_login, connect_timeout, handshake_timeout, within,
};
use crate::ssh::dial::Dialled;
use crate::ssh::error::ConnectError;
use crate::ssh::gateway::Gateways;
use crate::ssh::handler::{ClientHandler, HandlerError, Story};
use crate::ssh::host_key::{HostKeys, WantedKeys};
use crate::ssh::keys::{Identity, Keyring};
use crate::ssh::login::Login;
use crate::ssh::notice::{Notice, Notices};
use crate::ssh::seam::{Connected, Connector};
use crate::ssh::session::SshSession;
use crate::ssh::starts::{Start, StartKey, Starts};
use crate::ssh::{algorithms, auth, dial, failure, gateway, lookup, proxy, stream, tunnel};

/// Bytes that a host may have in flight on a channel before it must wait for us: 300 MB/s on a line with a round trip of
/// 50 ms. They do not pile up here: what is not read is left to TCP after a few packets ([`algorithms`]).
const WINDOW: u32 = 16 * 1024 * 1024;

/// Opens SSH sessions. Cheap to share; one per run.
pub struct SshConnector {
    keyring: Keyring,
    agents: Agents,
    starts: Starts,
    host_keys: Arc<HostKeys>,
    gateways: Gateways,
    notices: Notices,
    noticed: tokio::sync::Mutex<mpsc::UnboundedReceiver<Notice>>,
    configs: Mutex<HashMap<ConfigKey, Arc<client::Config>>>,
}

/// What distinguishes the russh configurations of a run.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ConfigKey {
    wanted: WantedKeys,
    keepalive: Option<Duration>,
    window: u32,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConnectionRole {
    /// Commands run on it.
    Target,
    /// It carries other connections.
    Gateway,
}

impl SshConnector {
    /// A connector that proves itself with these keys, and tells hosts by what is known of theirs.
    pub fn new(keyring: Keyring, host_keys: Arc<HostKeys>) -> Self {
        let (notices, noticed) = Notices::channel();
        Self {
            keyring,
            agents: Agents::default(),
            starts: Starts::default(),
            host_keys,
            gateways: Gateways::default(),
            notices,
            noticed: tokio::sync::Mutex::new(noticed),
            configs: Mutex::default(),
        }
    }

    /// The same connector with other deadlines for agents.
    #[must_use]
    pub fn agent_patience(mut self, patience: AgentPatience) -> Self {
        self.agents.patience = patience;
        self
    }

    /// What is known of hosts' keys.
    pub fn host_keys(&self) -> &Arc<HostKeys> {
        &self.host_keys
    }

    /// Reads the files of known keys of these hosts, before any host is contacted; gives what their author
    /// should know. Without it they are read when a host first needs them.
    pub fn read_known_hosts<'a>(&self, endpoints: impl Iterator<Item = &'a Endpoint>) -> Vec<String> {
        let mut seen = HashSet::new();
        let over_ssh = endpoints.filter(|endpoint| endpoint.transport == Transport::Ssh);
        over_ssh
            .flat_map(Endpoint::hops)
            .filter(|endpoint| seen.insert(Arc::clone(&endpoint.known_hosts)))
            .flat_map(|endpoint| self.host_keys.warnings(&endpoint.known_hosts))
            .collect()
    }

    /// Connects to a host up to the point where SSH begins, through gateways where the endpoint has them.
    ///
    /// The start is the host's place among the unauthenticated connections of its server.
    ///
    /// # Errors
    ///
    /// As [`Connector::connect`], as far as it goes.
    pub async fn dial(&self, endpoint: &Endpoint) -> Result<(Dialled, Start), ConnectError> {
        self.dial_timed(endpoint, &mut Timings::default()).await
    }

    async fn dial_timed(
        &self,
        endpoint: &Endpoint,
        timings: &mut Timings,
    ) -> Result<(Dialled, Start), ConnectError> {
        let deadline = endpoint.deadlines.connect;
        if let Some(gateway) = &endpoint.gateway {
            let queued = Instant::now();
            let shared = self.gateways.get(gateway);
            let login = || {
                let span = tracing::error_span!("gateway", name = %gateway.name);
                self.login(gateway, ConnectionRole::Gateway).instrument(span)
            };
            let link = shared.handle(gateway, &self.notices, login).await?;
            let start = self.starts.acquire(StartKey::behind(gateway, endpoint)).await;
            timings.queued += queued.elapsed();

            let dialled = Instant::now();
            let opening = gateway::open(&link, &gateway.name, endpoint);
            let tunnel = within(deadline, opening, || connect_timeout(deadline)).await?;
            timings.connect = dialled.elapsed();
            debug!("connected through {}", gateway.name);
            return Ok((Dialled::Tunnel(tunnel), start));
        }
        if let Some(command) = &endpoint.proxy_command {
            let start = self.starts.acquire(StartKey::by_command(command)).await;
            let dialled = Instant::now();
            let stream = dial::by_command(command, &endpoint.name, &self.notices)?;
            timings.connect = dialled.elapsed();
            debug!("connected through its ProxyCommand");
            return Ok((stream, start));
        }
        let started = Instant::now();
        let resolving = lookup::resolve(&endpoint.address, endpoint.port);
        let addresses = within(deadline, resolving, || connect_timeout(deadline)).await?;
        let lookup = started.elapsed();

        let queued = Instant::now();
        let first = addresses.first().copied().ok_or_else(|| connect_timeout(deadline))?;
        let start = self.starts.acquire(StartKey::Address(first)).await;
        timings.queued += queued.elapsed();

        let dialled = Instant::now();
        let left = deadline.saturating_sub(lookup);
        let tcp = within(left, dial::connect(addresses), || connect_timeout(deadline)).await?;
        timings.connect = lookup + dialled.elapsed();
        Ok((Dialled::Tcp(Acknowledging::new(tcp)), start))
    }

    fn config(&self, wanted: WantedKeys, endpoint: &Endpoint) -> Arc<client::Config> {
        // What piles up behind a gateway is bounded by the window, for each host.
        let window = if endpoint.gateway.is_some() { tunnel::INNER_WINDOW } else { WINDOW };
        let key = ConfigKey { wanted, keepalive: endpoint.keepalive, window };
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        let config = configs.entry(key).or_insert_with_key(|key| {
            Arc::new(client::Config {
                keepalive_interval: key.keepalive,
                window_size: key.window,
                ..algorithms::config(&key.wanted)
            })
        });
        Arc::clone(config)
    }

    /// Key exchange and host key over an open stream.
    async fn handshake(
        &self,
        endpoint: &Endpoint,
        transport: Dialled,
        role: ConnectionRole,
        forward: Option<&Arc<Forward>>,
        limit: PhaseLimit,
    ) -> Result<(Handle<ClientHandler>, Arc<Story>), ConnectError> {
        let judge = self.host_keys.judge(endpoint);
        let config = self.config(judge.wanted(), endpoint);
        let story = Arc::new(Story::default());
        let handler = ClientHandler {
            judge,
            story: Arc::clone(&story),
            forward: forward.cloned(),
            gateway: match role {
                ConnectionRole::Target => None,
                ConnectionRole::Gateway => Some((endpoint.name.clone(), self.notices.clone())),
            },
            unasked: 0,
            windows: match &transport {
                Dialled::Tunnel(tunnel) => Some(Arc::clone(tunnel.windows())),
                Dialled::Tcp(_) | Dialled::Command(_) => None,
            },
        };
        let (watched, guard) = stream::watch(transport);
        match tokio::time::timeout(limit.left, client::connect_stream(config, watched, handler)).await {
            Ok(Ok(handle)) => {
                story.note_server(guard.software());
                debug!("the host key is accepted, and the connection encrypted");
                guard.release();
                if let Some(forward) = forward {
                    forward.bind(handle.agent_session_binding());
                }
                Ok((handle, story))
            }
            Ok(Err(HandlerError::Refused(failure))) => Err(ConnectError::fatal(failure)),
            Ok(Err(HandlerError::Russh(error))) => {
                Err(guard.refusal().unwrap_or_else(|| story.explain_break(failure::handshake(&error))))
            }
            Err(_) => Err(handshake_timeout(limit.said)),
        }
    }

    /// Opens an authenticated connection. Boxed because a gateway is logged in to in the same way.
    fn login<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        role: ConnectionRole,
    ) -> BoxFuture<'a, Result<Login, ConnectError>> {
        Box::pin(async move {
            let mut timings = Timings::default();
            let queued = Instant::now();
            let turn = self.agent_turn(endpoint).await;
            timings.queued = queued.elapsed();
            let (transport, start) = self.dial_timed(endpoint, &mut timings).await?;

            let greeted = Instant::now();
            let forward = match &endpoint.agent {
                Agent::Socket { path, .. } if endpoint.forward_agent && role == ConnectionRole::Target => {
                    Some(Forward::new(path.clone()))
                }
                Agent::Socket { .. } | Agent::Off => None,
            };
            let deadlines = &endpoint.deadlines;
            let limit =
                PhaseLimit::of(deadlines.handshake, bound_before_login(deadlines.whole), timings.connect);
            let shaken = self.handshake(endpoint, transport, role, forward.as_ref(), limit).await;
            let (mut handle, story) = shaken
                .inspect_err(|error| {
                    debug!("no connection: {}", error.failure.message());
                    start.ended(error);
                })
                .map_err(|error| proxy::named(endpoint.proxy_command.as_ref(), error))?;
            timings.handshake = greeted.elapsed();

            let proved = Instant::now();
            let used = timings.connect + timings.handshake;
            let limit = PhaseLimit::of(deadlines.auth, bound_with_login(deadlines.whole), used);
            let auth = auth::authenticate(&mut handle, endpoint, &self.keyring, &self.agents, limit).await;
            let auth = auth.map_err(|error| story.explain_login(error))?;
            timings.auth = proved.elapsed();
            debug!("logged in as {}: {auth}", endpoint.user);
            start.logged_in();
            story.establish();
            drop(turn);
            Ok(Login { handle, story, timings, auth, start, forward_agent: forward.is_some() })
        })
    }

    /// Waits before dialling when the agent is a person with a token, unless a key file will probably do.
    async fn agent_turn(&self, endpoint: &Endpoint) -> Option<OwnedSemaphorePermit> {
        let Agent::Socket { path, .. } = &endpoint.agent else { return None };
        let has_file = endpoint.identities_named != NamedBy::Nobody
            && endpoint
                .identities
                .iter()
                .any(|path| matches!(self.keyring.get(path), Some(Identity::Private(_))));
        if has_file { None } else { self.agents.turns.before_dial(path).await }
    }
}

impl Connector for SshConnector {
    type Session = SshSession;

    async fn connect(&self, endpoint: &Endpoint) -> Result<Connected<SshSession>, ConnectError> {
        let Login { handle, story, timings, auth, start, forward_agent } =
            self.login(endpoint, ConnectionRole::Target).await?;
        let channel_deadline = endpoint.deadlines.channel;
        let session = SshSession {
            handle: Arc::new(handle),
            story,
            channel_deadline,
            forward_agent,
            start: Mutex::new(Some(start)),
            channels: Arc::default(),
            takes_commands: AtomicBool::new(false),
        };
        Ok(Connected { session, timings, auth })
    }

    async fn reconnect(&self, endpoint: &Endpoint) -> Result<Connected<SshSession>, ConnectError> {
        endpoint.hops().skip(1).for_each(|gateway| self.gateways.get(gateway).forgive());
        self.connect(endpoint).await
    }

    async fn notice(&self) -> Notice {
        match self.noticed.lock().await.recv().await {
            Some(notice) => notice,
            None => std::future::pending().await,
        }
    }

    fn waiting_for_agent(&self) -> usize {
        self.agents.turns.waiting()
    }
}
