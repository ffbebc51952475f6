//! Facts as data: what is known of a host, and under which names.

use serde::{Deserialize, Serialize};

use crate::model::facts::activity::{CpuTimes, DiskIo, Listening, LoggedIn, ProcessList, Traffic};
use crate::model::value::{Value, Vars};
use crate::model::words::or_none;

/// What a host is. Sizes are bytes, times are seconds; what the host did not tell is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Its name, as the host itself has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Its name with its domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<String>,
    /// The operating system.
    pub os: Os,
    /// The kernel.
    pub kernel: Kernel,
    /// The processors.
    pub cpu: Cpu,
    /// Main memory.
    pub memory: MemoryFacts,
    /// Swap space.
    pub swap: Swap,
    /// Disks, by name: no partitions, no optical drives, nothing that is made of other disks.
    pub disks: Vec<DiskFacts>,
    /// Mounted file systems, in the order of mounting: none of the kernel's own (`proc`, `sysfs`).
    pub mounts: Vec<Mount>,
    /// Network interfaces, by name.
    pub interfaces: Vec<Interface>,
    /// The way to everywhere else over IPv4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_ipv4: Option<Route>,
    /// The way to everywhere else over IPv6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_ipv6: Option<Route>,
    /// How names are looked up.
    pub dns: Dns,
    /// Seconds since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime: Option<u64>,
    /// The moment of the start, RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_time: Option<String>,
    /// ProcessList that wanted to run, on average: over 1, 5 and 15 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<[f64; 3]>,
    /// Who is at a terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<LoggedIn>>,
    /// ProcessList: how many, and those that use the most.
    pub processes: ProcessList,
    /// Ports that are listened on, by protocol and number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listening: Option<Vec<Listening>>,
    /// What the host runs on, where that is no hardware.
    pub virt: Virt,
    /// What it runs on, as its maker calls it.
    pub hardware: Hardware,
    /// The login user.
    pub user: User,
    /// Path of a Python interpreter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// What installs packages: `apt`, `dnf`, `apk`, `pkg`, `brew` and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_manager: Option<String>,
    /// What starts services: `systemd`, `openrc`, `launchd`, `rc`, or the name of process 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// SELinux: `enforcing`, `permissive` or `disabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selinux: Option<String>,
}

/// An operating system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Os {
    /// The family: `debian redhat suse arch alpine gentoo darwin freebsd openbsd netbsd`, or the `id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// The distribution: `debian`, `ubuntu`, `rocky`, `macos`, `freebsd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version: `12`, `22.04`, `14.1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The first number of the version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub major: Option<u64>,
    /// The release's nickname: `bookworm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codename: Option<String>,
    /// The distributions that it is made from, the closest first.
    pub like: Vec<String>,
}

/// A kernel, as `uname` tells it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kernel {
    /// `Linux`, `Darwin`, `FreeBSD`: `uname -s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `uname -r`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// `uname -v`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `x86_64`, `aarch64`, `arm64`, `amd64`: `uname -m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
}

/// Processors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cpu {
    /// The model of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Processors that the system schedules on: threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logical: Option<u64>,
    /// Cores, in all sockets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<u64>,
    /// Sockets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sockets: Option<u64>,
    /// Percent of all of them that were busy for the moment of the look.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub used: Option<f64>,
    /// What their time went to since boot.
    pub times: CpuTimes,
}

/// Main memory, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryFacts {
    /// All that the system has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What programs could get without swapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<u64>,
    /// What is used for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free: Option<u64>,
    /// What programs could not get: the total without what is available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// What the kernel keeps of devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffers: Option<u64>,
    /// What it keeps of files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
}

/// Swap space, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Swap {
    /// All of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What is not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free: Option<u64>,
    /// What is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
}

/// A disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DiskFacts {
    /// Its device, without `/dev/`.
    pub name: String,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Whether it spins, as the kernel believes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotational: Option<bool>,
    /// What its maker calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What went from and to it since boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io: Option<DiskIo>,
}

/// A mounted file system. Sizes are bytes; a file server's are not asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// What is mounted.
    pub device: String,
    /// Where.
    pub path: String,
    /// The kind of file system: `ext4`, `xfs`, `nfs4`, `apfs`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// How it is mounted.
    pub options: Vec<String>,
    /// All that fits in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// What users other than root may still put in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<u64>,
    /// Files that fit in, where the file system has a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inodes: Option<u64>,
    /// Of these, those that are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inodes_used: Option<u64>,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its hardware address: `02:fc:00:00:00:01`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Bytes of the largest packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u64>,
    /// `up`, `down`, or another word of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// What it received since it came up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<Traffic>,
    /// What it sent since it came up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<Traffic>,
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address, without a zone.
    pub address: std::net::IpAddr,
    /// Bits of the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<u8>,
    /// Which kind of address.
    pub family: Family,
    /// How far it reaches.
    pub scope: AddressScope,
}

/// A kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// 32 bits.
    Ipv4,
    /// 128 bits.
    Ipv6,
}

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressScope {
    /// This host: loopback.
    Host,
    /// This network: 169.254.0.0/16, fe80::/10.
    Link,
    /// Further, private networks included.
    #[serde(other)]
    Global,
}

/// The way to everywhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Route {
    /// The interface that leads there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The router.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<std::net::IpAddr>,
    /// The first address of the interface that reaches further than its own network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<std::net::IpAddr>,
}

/// How names are looked up: `/etc/resolv.conf`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dns {
    /// Name servers.
    pub nameservers: Vec<String>,
    /// Domains that short names are looked up in.
    pub search: Vec<String>,
}

/// What a host runs on that is no hardware.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Virt {
    /// `vm`, `container`, or `none` where a host says that it is neither.
    #[serde(deserialize_with = "or_none", skip_serializing_if = "Option::is_none")]
    pub kind: Option<VirtKind>,
    /// Which: `kvm vmware virtualbox xen microsoft docker podman lxc jail wsl` and others; a container's wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The kinds of what is no hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VirtKind {
    /// It runs on hardware, as far as can be seen.
    None,
    /// A virtual machine.
    Vm,
    /// A container: it shares the kernel of another host.
    Container,
}

/// What a host is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hardware {
    /// Its maker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Its model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
}

/// A user of the host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u64>,
    /// The home folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// The login shell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
}

impl Facts {
    /// The facts as templates see them.
    pub fn to_vars(&self) -> Vars {
        match serde_json::to_value(self) {
            Ok(Value::Object(vars)) => vars,
            // Every field is text, a number or a list of these.
            Ok(_) | Err(_) => Vars::new(),
        }
    }
}
