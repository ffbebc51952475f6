//! What a host is doing, as data: processor time, input and output, processes, who is logged in, what is listened on.

use serde::{Deserialize, Serialize};

/// Seconds of processor time since boot, of all processors together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuTimes {
    /// Programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<f64>,
    /// Programs that give way to others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nice: Option<f64>,
    /// The kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<f64>,
    /// Nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<f64>,
    /// Nothing, while a disk is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iowait: Option<f64>,
    /// Interrupts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub irq: Option<f64>,
    /// The later half of interrupts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub softirq: Option<f64>,
    /// What other virtual machines took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steal: Option<f64>,
}

impl CpuTimes {
    /// Seconds that were worked and seconds in all; none where idle time is not known.
    pub fn busy_of_all(&self) -> Option<(f64, f64)> {
        let Self { user, nice, system, idle, iowait, irq, softirq, steal } = self;
        let busy: f64 = [user, nice, system, irq, softirq, steal].into_iter().flatten().sum();
        Some((busy, busy + (*idle)? + iowait.unwrap_or(0.0)))
    }
}

/// What went from and to a disk since boot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DiskIo {
    /// Reads that were completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads: Option<u64>,
    /// Writes that were completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writes: Option<u64>,
    /// Bytes that were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_bytes: Option<u64>,
    /// Bytes that were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_bytes: Option<u64>,
    /// Seconds in which it worked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy: Option<f64>,
}

/// What an interface received or sent since it came up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Packets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// Packets that were broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<u64>,
    /// Packets that there was no room for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u64>,
}

/// A user at a terminal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoggedIn {
    /// The name.
    pub name: String,
    /// The terminal, without `/dev/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal: Option<String>,
    /// Where from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// The processes of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessList {
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Those with the most memory, the largest first.
    pub by_memory: Vec<ProcessFacts>,
    /// Those with the most processor time, the largest first.
    pub by_cpu: Vec<ProcessFacts>,
}

/// A process. Its arguments are left out: passwords are given that way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessFacts {
    /// Its number.
    pub pid: u64,
    /// Whose it is, as far as `ps` shows the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Bytes of memory that it occupies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Percent of one processor, as `ps` counts: over its life on Linux, of late elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// The program's name.
    pub command: String,
}

/// A port that is listened on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listening {
    /// `tcp` or `udp`.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// The address; `0.0.0.0` and `::` for all of a kind.
    pub address: std::net::IpAddr,
}

/// How a port is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Packets.
    Udp,
}

impl Protocol {
    /// As facts name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}
