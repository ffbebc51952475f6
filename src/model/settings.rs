//! Connection settings of hosts: one layer as written, the layers merged, and where each value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::host_name::RoleName;
use crate::model::position::{Diagnostic, Position};
use crate::model::privilege::Method;
use crate::model::secret::SecretSource;

/// Where a setting's value came from, lowest precedence first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of an OpenSSH client configuration.
    SshConfig(Position),
    /// The inventory's `defaults:`.
    Defaults(Position),
    /// A role of the host.
    Role(RoleName, Position),
    /// The host's own entry.
    Host(Position),
    /// A connection variable of an inventory of Ansible's (`ansible_user`).
    Variable(&'static str, Position),
    /// A flag or its environment variable, by the flag's name (`--user`).
    CommandLine(&'static str),
}

impl Origin {
    /// Its place in a file.
    pub fn position(&self) -> Option<&Position> {
        match self {
            Self::SshConfig(at)
            | Self::Defaults(at)
            | Self::Role(_, at)
            | Self::Host(at)
            | Self::Variable(_, at) => Some(at),
            Self::CommandLine(_) => None,
        }
    }

    /// A message about the value, at its place or with the flag.
    pub fn says(&self, message: impl Into<String>) -> Diagnostic {
        match self {
            Self::SshConfig(at)
            | Self::Defaults(at)
            | Self::Role(_, at)
            | Self::Host(at)
            | Self::Variable(_, at) => Diagnostic::at(at, message),
            Self::CommandLine(flag) => Diagnostic::bare(format!("{flag}: {}", message.into())),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SshConfig(at) => write!(f, "ssh_config ({at})"),
            Self::Defaults(at) => write!(f, "defaults ({at})"),
            Self::Role(name, at) => write!(f, "role {name} ({at})"),
            Self::Host(at) => write!(f, "host ({at})"),
            Self::Variable(name, at) => write!(f, "{name} ({at})"),
            Self::CommandLine(flag) => f.write_str(flag),
        }
    }
}

/// A setting's value with its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Who said so. Shared: a hundred thousand hosts have settings of their own.
    pub origin: Arc<Origin>,
}

impl<T> Sourced<T> {
    /// Pairs a value with its origin.
    pub fn new(value: T, origin: impl Into<Arc<Origin>>) -> Self {
        Self { value, origin: origin.into() }
    }
}

/// A limit on time: a duration, or explicitly none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLimit {
    /// Never expires (`none`).
    None,
    /// Expires after this long.
    After(Duration),
}

impl TimeLimit {
    /// The duration, if there is a limit.
    pub fn duration(self) -> Option<Duration> {
        match self {
            Self::None => None,
            Self::After(limit) => Some(limit),
        }
    }
}

/// Which SSH agent a host's keys may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentSetting {
    /// No agent.
    Off,
    /// The one that `SSH_AUTH_SOCK` names, when it is set.
    Environment,
    /// The one at this socket.
    Socket(String),
}

/// The way to a host: one setting, so that a higher layer's way takes the place of any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewaySetting {
    /// Straight to the host, whatever lower layers say.
    Direct,
    /// Through these, the first one nearest to the operator: inventory names or `[user@]address[:port]`.
    Hops(Vec<String>),
    /// Over a local command whose stdin and stdout are the connection (`proxy_command`).
    Command(String),
}

/// What to do about a host whose key is not recorded. A changed or revoked key is refused in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostKeyPolicy {
    /// Refuse the host.
    #[default]
    Strict,
    /// Ask the user once, about all new keys of the run together.
    Ask,
    /// Record the key and go on.
    AcceptNew,
}

impl HostKeyPolicy {
    /// All of them, the most careful first.
    pub const ALL: [Self; 3] = [Self::Strict, Self::Ask, Self::AcceptNew];

    /// Its word in the inventory and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Ask => "ask",
            Self::AcceptNew => "accept-new",
        }
    }
}

/// What becomes of a running command when the connection goes away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDisconnect {
    /// It goes on, as with ssh.
    #[default]
    Leave,
    /// It is killed by a watchdog beside it.
    Kill,
}

/// How commands reach a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Over SSH.
    Ssh,
    /// On the operator's own machine.
    Local,
}

/// One layer of settings: only what this layer says.
///
/// Fields are as in the inventory; see docs/inventory.md.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Host name or IP address to connect to.
    pub address: Option<Sourced<String>>,
    /// TCP port.
    pub port: Option<Sourced<u16>>,
    /// Login name.
    pub user: Option<Sourced<String>>,
    /// Private key files, tried in order.
    pub identity: Option<Sourced<Vec<String>>>,
    /// Offer only the key files named by `identity`, also when the agent holds more.
    pub identities_only: Option<Sourced<bool>>,
    /// The agent to ask for signatures.
    pub agent: Option<Sourced<AgentSetting>>,
    /// Certificates for the keys of `identity`, beside the `KEY-cert.pub` files that are found by themselves.
    pub certificates: Option<Sourced<Vec<String>>>,
    /// The way to the host.
    pub gateway: Option<Sourced<GatewaySetting>>,
    /// Give the host access to the agent.
    pub forward_agent: Option<Sourced<bool>>,
    /// Password for the login.
    pub password: Option<Sourced<SecretSource>>,
    /// Whom steps with `sudo` become.
    pub sudo_user: Option<Sourced<String>>,
    /// How they do that.
    pub sudo_method: Option<Sourced<Method>>,
    /// Password for it.
    pub sudo_password: Option<Sourced<SecretSource>>,
    /// Keys that the host must have one of: `SHA256:...` fingerprints or `ssh-ed25519 AAAA...`. When set,
    /// no file of known keys is asked.
    pub host_key: Option<Sourced<Vec<String>>>,
    /// What to do about an unrecorded key.
    pub host_keys: Option<Sourced<HostKeyPolicy>>,
    /// The name that keys are looked up under instead of the address.
    pub host_key_alias: Option<Sourced<String>>,
    /// Files of keys that are revoked whatever the files of known keys say.
    pub revoked_host_keys: Option<Sourced<Vec<String>>>,
    /// What becomes of running commands when the connection goes away.
    pub on_disconnect: Option<Sourced<OnDisconnect>>,
    /// Whether commands outlive the connection.
    pub durable: Option<Sourced<bool>>,
    /// How long it is tried to come back to them.
    pub reattach: Option<Sourced<Duration>>,
    /// Files of known host keys, in OpenSSH's format.
    pub known_hosts: Option<Sourced<Vec<String>>>,
    /// Files of known host keys that are read after them and never written to (only from ssh_config).
    pub shared_known_hosts: Option<Sourced<Vec<String>>>,
    /// Deadline of all that leads up to a ready connection.
    pub connect_timeout: Option<Sourced<Duration>>,
    /// Deadline of the login alone.
    pub auth_timeout: Option<Sourced<Duration>>,
    /// Deadline of opening a channel, and of the answer to the start of a command: each.
    pub session_timeout: Option<Sourced<Duration>>,
    /// Deadline of each command.
    pub command_timeout: Option<Sourced<TimeLimit>>,
    /// Longest silence of a command.
    pub idle_timeout: Option<Sourced<TimeLimit>>,
    /// Interval of keepalive requests; `none` turns them off. Three unanswered ones end the connection.
    pub keepalive: Option<Sourced<TimeLimit>>,
    /// How often a connection attempt is repeated after a temporary error, before anything was started.
    pub retries: Option<Sourced<u32>>,
    /// Interpreter of `run` scripts, found on the host's `PATH`.
    pub shell: Option<Sourced<String>>,
    /// Environment of every command.
    pub env: BTreeMap<String, Sourced<String>>,
    /// How commands reach the host.
    pub transport: Option<Sourced<Transport>>,
}

impl Settings {
    /// Lays `higher` over this layer: what `higher` says wins, key by key for `env`.
    pub fn overlay(&mut self, higher: &Self) {
        // Taken apart as a whole: a setting that is forgotten here does not compile.
        macro_rules! overlay {
            ($($field:ident)*) => {
                let Self { env, $($field),* } = higher.clone();
                $(self.$field = $field.or_else(|| self.$field.take());)*
                self.env.extend(env);
            };
        }
        overlay!(address port user identity identities_only agent certificates gateway forward_agent password sudo_user sudo_method sudo_password host_key host_keys host_key_alias revoked_host_keys on_disconnect durable reattach known_hosts shared_known_hosts connect_timeout auth_timeout session_timeout command_timeout idle_timeout keepalive retries shell transport);
    }
}
