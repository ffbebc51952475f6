//! The numbers of a host that are followed over time, and how they come out of its answers. A rate is what a counter
//! grew by between two answers of one boot; where that cannot be told, there is none.

use std::fmt;
use std::str::FromStr;

use crate::model::facts::Facts;
use crate::model::facts::types::Mount;
use crate::model::fleet::lasting::is_of_a_container;

/// Series of one host at most: a name that a host makes up anew each time must not fill the file.
const SERIES_MAX: usize = 200;

/// Seconds by which two clocks may disagree on how much time has passed.
const CLOCKS_DISAGREE: u64 = 120;

/// What is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SeriesKind {
    /// The load over a minute.
    Load,
    /// Percent of all processors.
    Cpu,
    /// Bytes of memory in use.
    Memory,
    /// Bytes of swap in use.
    Swap,
    /// Bytes in use on a mount.
    Disk,
    /// Inodes in use on a mount.
    Inodes,
    /// Bytes a second that an interface receives.
    Received,
    /// Bytes a second that an interface sends.
    Sent,
    /// Bytes a second read from a disk.
    Read,
    /// Bytes a second written to a disk.
    Written,
    /// Seconds since boot.
    Uptime,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberUnit {
    /// Nothing in particular.
    Plain,
    /// Of a hundred.
    Percent,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    Rate,
    /// Seconds.
    Seconds,
}

impl SeriesKind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Load,
        Self::Cpu,
        Self::Memory,
        Self::Swap,
        Self::Disk,
        Self::Inodes,
        Self::Received,
        Self::Sent,
        Self::Read,
        Self::Written,
        Self::Uptime,
    ];

    /// Its name in files and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Swap => "swap",
            Self::Disk => "disk",
            Self::Inodes => "inodes",
            Self::Received => "received",
            Self::Sent => "sent",
            Self::Read => "read",
            Self::Written => "written",
            Self::Uptime => "uptime",
        }
    }

    /// What it counts.
    pub fn unit(self) -> NumberUnit {
        match self {
            Self::Load | Self::Inodes => NumberUnit::Plain,
            Self::Cpu => NumberUnit::Percent,
            Self::Memory | Self::Swap | Self::Disk => NumberUnit::Bytes,
            Self::Received | Self::Sent | Self::Read | Self::Written => NumberUnit::Rate,
            Self::Uptime => NumberUnit::Seconds,
        }
    }
}

/// One series of a host: what is followed, and of which mount, interface or disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesName {
    /// What.
    pub kind: SeriesKind,
    /// Of what, where a host has several.
    pub of: Option<String>,
}

impl SeriesName {
    /// That of the whole host.
    pub fn whole(kind: SeriesKind) -> Self {
        Self { kind, of: None }
    }

    /// That of a mount, interface or disk.
    pub fn part(kind: SeriesKind, of: &str) -> Self {
        Self { kind, of: Some(of.to_owned()) }
    }
}

impl fmt::Display for SeriesName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.of {
            Some(of) => write!(f, "{}:{of}", self.kind.as_str()),
            None => f.write_str(self.kind.as_str()),
        }
    }
}

impl FromStr for SeriesName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, of) = match text.split_once(':') {
            Some((name, of)) => (name, Some(of.to_owned())),
            None => (text, None),
        };
        let kind = SeriesKind::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or(())?;
        Ok(Self { kind, of })
    }
}

/// The numbers in an answer, with rates since the answer before, which came so many seconds earlier.
pub fn numbers(facts: &Facts, before: Option<(&Facts, u64)>) -> Vec<(SeriesName, f64)> {
    let mut all = Vec::new();
    let mut add = |name: SeriesName, number: Option<f64>| {
        all.extend(number.filter(|number| number.is_finite()).map(|number| (name, number)));
    };
    let before = before.and_then(|(before, elapsed)| Some((before, passed(before, facts, elapsed)?)));
    add(SeriesName::whole(SeriesKind::Load), facts.load.map(|[one, ..]| one));
    let busy = before.and_then(|(before, _)| busy(before, facts)).or(facts.cpu.used);
    add(SeriesName::whole(SeriesKind::Cpu), busy);
    add(SeriesName::whole(SeriesKind::Memory), facts.memory.used.map(float));
    add(
        SeriesName::whole(SeriesKind::Swap),
        facts.swap.used.filter(|_| facts.swap.total != Some(0)).map(float),
    );
    add(SeriesName::whole(SeriesKind::Uptime), facts.uptime.map(float));
    for mount in followed(facts) {
        add(SeriesName::part(SeriesKind::Disk, &mount.path), mount.used.map(float));
        add(SeriesName::part(SeriesKind::Inodes, &mount.path), mount.inodes_used.map(float));
    }
    if let Some((before, seconds)) = before {
        for interface in &facts.interfaces {
            let was = before.interfaces.iter().find(|was| was.name == interface.name);
            let Some(was) = was.filter(|_| interface.name != "lo" && !is_of_a_container(interface)) else {
                continue;
            };
            for (kind, now, was) in [
                (SeriesKind::Received, &interface.received, &was.received),
                (SeriesKind::Sent, &interface.sent, &was.sent),
            ] {
                let counts = now.as_ref().zip(was.as_ref()).and_then(|(now, was)| now.bytes.zip(was.bytes));
                add(SeriesName::part(kind, &interface.name), counts.and_then(|counts| rate(counts, seconds)));
            }
        }
        for disk in &facts.disks {
            let was = before.disks.iter().find(|was| was.name == disk.name).and_then(|was| was.io.as_ref());
            let Some((now, was)) = disk.io.as_ref().zip(was) else { continue };
            for (kind, counts) in [
                (SeriesKind::Read, now.read_bytes.zip(was.read_bytes)),
                (SeriesKind::Written, now.write_bytes.zip(was.write_bytes)),
            ] {
                add(SeriesName::part(kind, &disk.name), counts.and_then(|counts| rate(counts, seconds)));
            }
        }
    }
    all.truncate(SERIES_MAX);
    all
}

/// Mounts that fill up: each device once, none that is always full or gone with the boot.
pub(super) fn followed(facts: &Facts) -> impl Iterator<Item = &Mount> {
    let passes = |kind: &str| {
        ["squashfs", "iso9660", "udf", "erofs", "cd9660", "tmpfs", "ramfs", "overlay"].contains(&kind)
    };
    let mut devices: Vec<&str> = Vec::new();
    facts.mounts.iter().filter(move |mount| {
        let counts = mount.path == "/" || !mount.kind.as_deref().is_some_and(passes);
        if !counts || mount.size.is_none_or(|size| size == 0) || devices.contains(&mount.device.as_str()) {
            return false;
        }
        devices.push(&mount.device);
        true
    })
}

/// Seconds between two answers by the host's own uptime, which no clock that is set can shorten; none when it was started
/// in between, or the clock here tells another time.
fn passed(before: &Facts, now: &Facts, elapsed: u64) -> Option<u64> {
    let passed = now.uptime?.checked_sub(before.uptime?).filter(|&seconds| seconds > 0)?;
    (passed.abs_diff(elapsed) <= CLOCKS_DISAGREE.max(elapsed / 20)).then_some(passed)
}

/// What a counter grew by, a second; none when it went back, or around.
fn rate((now, was): (u64, u64), seconds: u64) -> Option<f64> {
    Some(float(now.checked_sub(was)?) / float(seconds))
}

/// Percent of the processors between two answers.
fn busy(before: &Facts, now: &Facts) -> Option<f64> {
    let ((was_busy, was_all), (busy, all)) = (before.cpu.times.busy_of_all()?, now.cpu.times.busy_of_all()?);
    let (busy, all) = (busy - was_busy, all - was_all);
    (all > 0.0 && (0.0..=all).contains(&busy)).then(|| busy / all * 100.0)
}

#[expect(clippy::cast_precision_loss, reason = "numbers to look at, not to count with")]
fn float(number: u64) -> f64 {
    number as f64
}
