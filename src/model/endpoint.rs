//! All that the transport must know to reach one host: resolved, with fan's defaults filled in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::host_key::HostKeyRules;
use crate::model::inventory::HostName;
use crate::model::secret::{Secret, SecretSource};
use crate::model::settings::Transport;

/// Deadlines of the phases before a command runs. Each has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Name lookup and TCP connect, together.
    pub connect: Duration,
    /// Server's banner and key exchange, together.
    pub handshake: Duration,
    /// Authentication.
    pub auth: Duration,
    /// Opening a channel, and the reply to an exec request: each.
    pub channel: Duration,
    /// What the user gave for several of them together.
    pub whole: Whole,
}

/// How far a limit goes that the user gave for opening a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Whole {
    /// None was given.
    #[default]
    Unset,
    /// Over name lookup, TCP connect, greeting and keys; the login has a limit of its own.
    UpToLogin(Duration),
    /// Over the login as well.
    UpToReady(Duration),
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(15),
            auth: Duration::from_secs(30),
            channel: Duration::from_secs(10),
            whole: Whole::Unset,
        }
    }
}

/// Keepalive requests that go unanswered this often end the connection.
pub const KEEPALIVE_MAX: usize = 3;

/// The default interval of keepalive requests.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Which agent to ask, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agent {
    /// None.
    Off,
    /// The one behind this socket. `required` says that the user named it, so its absence is an error.
    Socket {
        /// Path of the socket.
        path: PathBuf,
        /// Named by the user rather than found in the environment.
        required: bool,
    },
}

/// Who named the files of keys: that decides what becomes of those that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// Nobody: they are OpenSSH's default files, passed over in silence.
    Nobody,
    /// ssh_config, which may be shared by machines that have other keys: a warning, as long as there is another way in.
    SshConfig,
    /// The inventory or the command line: an error.
    User,
}

/// A password on its way from where it is kept to where it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// Not fetched yet: whoever carries a plan out does so before any host is contacted.
    At(SecretSource),
    /// Fetched.
    Known(Secret),
}

impl Password {
    /// The password itself, once fetched.
    pub fn known(&self) -> Option<&Secret> {
        match self {
            Self::At(_) => None,
            Self::Known(secret) => Some(secret),
        }
    }
}

/// Everything needed to open a session on one host.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The host's name in reports.
    pub name: HostName,
    /// Host name or IP address to dial; also what host keys are looked up under, without an alias.
    pub address: Arc<str>,
    /// TCP port.
    pub port: u16,
    /// Login name.
    pub user: Arc<str>,
    /// Key files, in the order in which they are offered. Missing default ones were left out.
    pub identities: Arc<[PathBuf]>,
    /// Who named `identities`.
    pub identities_named: NamedBy,
    /// Offer only `identities`, whatever the agent holds.
    pub identities_only: bool,
    /// Certificates for the keys, beside those that stand next to their key files.
    pub certificates: Arc<[PathBuf]>,
    /// Who named `certificates`.
    pub certificates_named: NamedBy,
    /// The agent.
    pub agent: Agent,
    /// Give the host access to the agent.
    pub forward_agent: bool,
    /// Password of the login, for servers that take no key.
    pub password: Option<Password>,
    /// Files of known host keys; the ones that do not exist count as empty.
    pub known_hosts: Arc<[PathBuf]>,
    /// New keys may be written to the first of them: it is the user's or the project's, and a real file.
    pub records_keys: bool,
    /// What else decides about its host key.
    pub host_key: HostKeyRules,
    /// Deadlines of the phases.
    pub deadlines: Deadlines,
    /// Interval of keepalive requests, if any.
    pub keepalive: Option<Duration>,
    /// Repeats of a connection attempt after a temporary error.
    pub retries: u32,
    /// SSH or local.
    pub transport: Transport,
    /// A local command that connects to it, by its standard input and output.
    pub proxy_command: Option<Arc<str>>,
    /// The gateway that leads to it, with a gateway of its own perhaps. All hosts behind it share this.
    pub gateway: Option<Arc<Endpoint>>,
}

impl Endpoint {
    /// An endpoint straight at an address, that nothing else is said about: no keys, no agent, no retries.
    pub fn new(name: &str, address: &str, port: u16, user: &str) -> Self {
        Self {
            name: HostName::from(name),
            address: Arc::from(address),
            port,
            user: Arc::from(user),
            identities: Arc::from([]),
            identities_named: NamedBy::User,
            identities_only: false,
            certificates: Arc::from([]),
            certificates_named: NamedBy::User,
            agent: Agent::Off,
            forward_agent: false,
            password: None,
            known_hosts: Arc::from([]),
            records_keys: true,
            host_key: HostKeyRules::default(),
            deadlines: Deadlines::default(),
            keepalive: None,
            retries: 0,
            transport: Transport::Ssh,
            proxy_command: None,
            gateway: None,
        }
    }

    /// This endpoint and the gateways on the way to it, the nearest to the operator last.
    pub fn hops(&self) -> impl Iterator<Item = &Endpoint> {
        std::iter::successors(Some(self), |endpoint| endpoint.gateway.as_deref())
    }

    /// The whole way as a text, `bastion>inner`: what tells two ways to one gateway apart.
    pub fn route(&self) -> String {
        let mut names: Vec<&str> = self.hops().map(|hop| hop.name.as_str()).collect();
        names.reverse();
        names.join(">")
    }
}
