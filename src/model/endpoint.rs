//! All that the transport must know to reach one host: resolved, with fan's defaults filled in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::host_key::HostKeyRules;
use crate::model::inventory::HostName;
use crate::model::settings::Transport;

/// Deadlines of the phases before a command runs. SPEC: every phase has one.
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
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(15),
            auth: Duration::from_secs(30),
            channel: Duration::from_secs(10),
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

/// Everything needed to open a session on one host.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The host's name in reports.
    pub name: HostName,
    /// Host name or IP address to dial; also the name that host keys are looked up under, without an alias.
    pub address: Arc<str>,
    /// TCP port.
    pub port: u16,
    /// Login name.
    pub user: Arc<str>,
    /// Key files, in the order in which they are offered. Missing default ones were left out.
    pub identities: Arc<[PathBuf]>,
    /// Offer only `identities`, whatever the agent holds.
    pub identities_only: bool,
    /// The agent.
    pub agent: Agent,
    /// Files of known host keys; the ones that do not exist count as empty. New keys go to the first one.
    pub known_hosts: Arc<[PathBuf]>,
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
    /// The gateway that leads to it, with a gateway of its own perhaps. All hosts behind it share this.
    pub gateway: Option<Arc<Endpoint>>,
}

impl Endpoint {
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
