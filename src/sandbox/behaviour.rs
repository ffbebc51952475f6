//! What a throw-away host is asked to be: its name, and the one way in which it misbehaves.
//!
//! Each fault is one that a real host or network shows. The parts that play them are in `listener` (before
//! SSH is spoken), `connection` (authentication, channels, requests), `command` (a running command) and `sftp`.

use std::time::Duration;

use crate::sandbox::login::SandboxLogin;
use crate::sandbox::sftp::SftpFault;

/// A host to start.
#[derive(Clone, Debug)]
pub struct HostSpec {
    /// Its name, also the name of its home folder; unique in a sandbox.
    pub name: String,
    /// How it behaves.
    pub behaviour: Behaviour,
}

impl HostSpec {
    /// Describes a host that works as it should.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), behaviour: Behaviour::Normal }
    }

    /// Describes the same host with another behaviour.
    pub fn behaving(self, behaviour: Behaviour) -> Self {
        Self { behaviour, ..self }
    }
}

/// How a host behaves: well, or with exactly one fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// Works.
    #[default]
    Normal,

    /// Accepts the TCP connection and never says a word.
    Silent,
    /// Is something else on that port: sends this text and closes.
    NotSsh(String),
    /// Sends `lines` lines before its version line (RFC 4253, section 4.2), one after each `pause`; then works.
    SlowBanner {
        /// How many lines.
        lines: u32,
        /// How long it waits before each of them.
        pause: Duration,
    },
    /// Turns the first connections away as a busy sshd does, with `Exceeded MaxStartups`; later ones work.
    Throttle {
        /// How many are turned away.
        first: u64,
    },
    /// Resets the TCP connection after the version lines, during the key exchange.
    ResetDuringKex,

    /// `known_hosts` lists another key of the same type for it.
    WrongKey,
    /// `known_hosts` does not list it.
    UnknownKey,
    /// `known_hosts` lists its key, and lists it as `@revoked` too.
    RevokedKey,
    /// `known_hosts` lists only a key of another type for it: ECDSA, where it has Ed25519.
    OtherKeyType,

    /// Accepts no login.
    RefuseAuth,
    /// Works, and wants more or something else than the key.
    Login(SandboxLogin),
    /// Refuses session channels, as sshd does beyond `MaxSessions`; others work.
    RefuseChannels {
        /// How many of a connection are opened before.
        after: u32,
        /// How many are refused.
        count: u32,
    },
    /// Runs commands, and before each of them tries to open channels of every type, so many of each.
    OpensChannels(u32),
    /// Opens the channel, and answers `exec` with a failure; nothing is started.
    RefuseExec,

    /// Starts the command and loses the TCP connection at its first output, which is still delivered, or at
    /// its end when it says nothing. The command dies with the connection, as always here.
    CutAfterExec,
    /// Runs the command and closes the channel in good order, without saying how it ended.
    NoExitStatus,
    /// Says that a command has ended before its output, sends this much of that, and loses the TCP connection.
    CutAfterStatus {
        /// Bytes of its standard output that are still sent.
        sent: usize,
    },
    /// Says how a command ended, and then that it ended with status 3.
    TwoStatuses,
    /// Says how a command ended, and sends its output so much later; it answers questions meanwhile.
    StatusFirst {
        /// How much later.
        pause: Duration,
    },
    /// Says how a command ended once nothing takes its input any more, and not before; as Twisted Conch does.
    StatusAfterInput,
    /// Never answers a request for a channel.
    StallChannels,
    /// Says that the command was started, does not start it, and ignores everything from then on.
    StallAfterExec,

    /// Works, but for its SFTP.
    Sftp(SftpFault),
}
