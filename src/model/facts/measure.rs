//! The reading of what a host is doing: /proc on Linux, `sysctl`, `netstat`, `ps` and `who` elsewhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::facts::activity::{
    CpuTimes, DiskIo, Listening, LoggedIn, ProcessFacts, ProcessList, Protocol, Traffic,
};
use crate::model::facts::sections::{Sections, is_big_endian, text};
use crate::model::facts::types::{DiskFacts, Interface};

/// Ticks of a second in /proc/stat, where the host does not tell: what Linux has shown to programs since ever.
const TICKS: u64 = 100;

/// Bytes of a sector in /sys/block/*/stat, whatever the disk's own are.
const SECTOR: u64 = 512;

/// ProcessList in each of the lists.
const TOP: usize = 10;

/// Ports that are kept.
const PORTS_MAX: usize = 1000;

/// Processor time since boot.
pub(super) fn cpu_times(sections: &Sections<'_>) -> CpuTimes {
    let Some(ticks) = ticks(sections, "cpu-times") else { return CpuTimes::default() };
    let rate = match sections.value("sysctl", "kern.clockrate", '=') {
        Some(rates) => behind(&rates, "stathz =").or_else(|| behind(&rates, "hz =")),
        None => Some(sections.number("clock-ticks").filter(|&rate| rate > 0).unwrap_or(TICKS)),
    };
    let Some(rate) = rate.filter(|&rate| rate > 0) else { return CpuTimes::default() };
    #[expect(clippy::cast_precision_loss, reason = "hundredths of seconds of centuries fit")]
    ticks.map(|ticks| (ticks as f64 * 100.0 / rate as f64).round() / 100.0)
}

/// Percent of all processors that were busy in the moment between two looks.
pub(super) fn cpu_use(sections: &Sections<'_>) -> Option<f64> {
    let (before, after) = (ticks(sections, "cpu-times")?, ticks(sections, "cpu-times-later")?);
    let passed = before.until(&after)?;
    #[expect(clippy::cast_precision_loss, reason = "of a moment")]
    let (busy, all) = passed.map(|ticks| ticks as f64).busy_of_all()?;
    (all > 0.0).then(|| (busy / all * 1000.0).round() / 10.0)
}

/// Ticks by what they were spent on, in the order of [`CpuTimes`].
struct Ticks([Option<u64>; 8]);

impl Ticks {
    /// What has passed since; none when a count went back.
    fn until(&self, later: &Self) -> Option<Self> {
        let mut passed = [None; 8];
        for (slot, (before, after)) in passed.iter_mut().zip(self.0.iter().zip(later.0)) {
            *slot = match (before, after) {
                (Some(before), Some(after)) => Some(after.checked_sub(*before)?),
                (None, _) | (_, None) => None,
            };
        }
        Some(Self(passed))
    }

    fn map(&self, seconds: impl Fn(u64) -> f64) -> CpuTimes {
        let [user, nice, system, idle, iowait, irq, softirq, steal] = self.0.map(|ticks| ticks.map(&seconds));
        CpuTimes { user, nice, system, idle, iowait, irq, softirq, steal }
    }
}

/// Linux: `cpu  8040 3 3411 90210 ...`; FreeBSD: `8040 3 3411 12 90210`; OpenBSD: the same with commas, and spinning
/// before interrupts; NetBSD: `user = 8040, nice = 3, ...`.
fn ticks(sections: &Sections<'_>, name: &str) -> Option<Ticks> {
    let line = sections.lines(name).find(|line| {
        let word = line.split_whitespace().next();
        word == Some("cpu")
            || word.is_some_and(|word| word == "user" || word.starts_with(|c: char| c.is_ascii_digit()))
    })?;
    let numbers = line.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let numbers: Vec<u64> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
    if line.starts_with("cpu") {
        let mut all = numbers.into_iter();
        let slots = [(); 8].map(|()| all.next());
        return slots[3].is_some().then_some(Ticks(slots));
    }
    match *numbers.as_slice() {
        [user, nice, system, irq, idle] => {
            Some(Ticks([Some(user), Some(nice), Some(system), Some(idle), None, Some(irq), None, None]))
        }
        [user, nice, system, spin, irq, idle] => {
            let system = system.checked_add(spin);
            Some(Ticks([Some(user), Some(nice), system, Some(idle), None, Some(irq), None, None]))
        }
        _ => None,
    }
}

/// The number behind a word: `{ hz = 100, stathz = 127 }`.
fn behind(line: &str, word: &str) -> Option<u64> {
    let rest = line.split([',', '{', '}']).find_map(|part| part.trim().strip_prefix(word))?;
    rest.trim().parse().ok()
}

/// Adds to the disks what went through them: `sda 8040 3 341100 90210 ...` of Documentation/block/stat.rst.
pub(super) fn disk_io(disks: &mut [DiskFacts], sections: &Sections<'_>) {
    for line in sections.lines("disk-io") {
        let mut words = line.split_whitespace();
        let Some(disk) = words.next().and_then(|name| disks.iter_mut().find(|disk| disk.name == name)) else {
            continue;
        };
        let numbers: Vec<Option<u64>> = words.map(|word| word.parse().ok()).collect();
        let number = |at: usize| numbers.get(at).copied().flatten();
        let bytes = |at: usize| number(at)?.checked_mul(SECTOR);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of centuries fit")]
        let busy = number(9).map(|milliseconds| milliseconds as f64 / 1000.0);
        let io =
            DiskIo { reads: number(0), writes: number(4), read_bytes: bytes(2), write_bytes: bytes(6), busy };
        disk.io = (io != DiskIo::default()).then_some(io);
    }
}

/// Adds to the interfaces what went through them.
pub(super) fn traffic(interfaces: &mut [Interface], sections: &Sections<'_>) {
    let mut set = |name: &str, received: Traffic, sent: Traffic| {
        let Some(interface) = interfaces.iter_mut().find(|interface| interface.name == name) else { return };
        if interface.received.is_none() && interface.sent.is_none() {
            interface.received = (received != Traffic::default()).then_some(received);
            interface.sent = (sent != Traffic::default()).then_some(sent);
        }
    };
    for line in sections.lines("net-dev") {
        let Some((name, counts)) = line.rsplit_once(':') else { continue };
        let counts: Vec<Option<u64>> = counts.split_whitespace().map(|word| word.parse().ok()).collect();
        let traffic = |at: usize| {
            let number = |more: usize| counts.get(at + more).copied().flatten();
            Traffic { bytes: number(0), packets: number(1), errors: number(2), dropped: number(3) }
        };
        set(name.trim(), traffic(0), traffic(8));
    }
    // `Name Mtu Network Address Ipkts Ierrs Idrop Ibytes Opkts Oerrs Obytes Coll`; some leave out columns, and what has no
    // hardware address has no word for it: the numbers are counted from the end.
    let mut heading: Vec<String> = Vec::new();
    for line in sections.lines("if-counters") {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.first() == Some(&"Name") {
            heading = words.iter().map(|&word| word.to_owned()).collect();
            continue;
        }
        let (Some(&name), true) = (words.first(), line.contains("<Link")) else { continue };
        let number = |column: &str| {
            let from_end = heading.len().checked_sub(heading.iter().position(|word| word == column)?)?;
            words.get(words.len().checked_sub(from_end)?)?.parse::<u64>().ok()
        };
        let traffic = |way: char| {
            let number = |what: &str| number(&format!("{way}{what}"));
            Traffic {
                bytes: number("bytes"),
                packets: number("pkts"),
                errors: number("errs"),
                dropped: number("drop"),
            }
        };
        // A `*` marks what is down.
        set(name.trim_end_matches('*'), traffic('I'), traffic('O'));
    }
}

/// Who is logged in: `root  pts/0  Nov 30 20:55 (10.0.0.1)`; busybox puts a heading above, and the host without brackets.
pub(super) fn users(sections: &Sections<'_>) -> Option<Vec<LoggedIn>> {
    if !sections.has("who") {
        return None;
    }
    let user = |line: String| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (&name, &terminal, last) = (words.first()?, words.get(1)?, *words.last()?);
        if (name, terminal) == ("USER", "TTY") {
            return None;
        }
        let bracketed = last.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
        let bare = || words.get(6).copied().filter(|_| words.len() == 7);
        let from = bracketed.or_else(bare).and_then(text);
        Some(LoggedIn { name: text(name)?, terminal: text(terminal), from })
    };
    Some(sections.lines("who").filter_map(user).collect())
}

/// The processes that use the most.
pub(super) fn processes(sections: &Sections<'_>) -> ProcessList {
    let of = |name: &str| sections.lines(name).filter_map(|line| process(&line)).collect::<Vec<_>>();
    let mut all = of("processes");
    let (mut by_memory, mut by_cpu) = (of("processes-memory"), of("processes-cpu"));
    let mut count = sections.number("processes-count");
    if !all.is_empty() {
        // A ps that tells no shares of processors.
        count = u64::try_from(all.len()).ok();
        by_memory.append(&mut all);
    }
    by_memory.retain(|process| process.memory.is_some());
    by_cpu.retain(|process| process.cpu.is_some());
    by_memory.sort_by(|one, other| other.memory.cmp(&one.memory).then(one.pid.cmp(&other.pid)));
    by_cpu.sort_by(|one, other| {
        let share = |process: &ProcessFacts| process.cpu.unwrap_or_default();
        share(other).total_cmp(&share(one)).then(one.pid.cmp(&other.pid))
    });
    by_memory.truncate(TOP);
    by_cpu.truncate(TOP);
    ProcessList { count, by_memory, by_cpu }
}

/// `  812 15360  0.3 www-data nginx: worker`: number, kB, percent or `-`, user, name.
fn process(line: &str) -> Option<ProcessFacts> {
    let mut rest = line;
    let mut word = || {
        let trimmed = rest.trim_start();
        let (word, behind) = trimmed.split_once(char::is_whitespace).unwrap_or((trimmed, ""));
        rest = behind;
        word
    };
    let pid = word().parse().ok()?;
    let memory = kilobytes(word());
    let cpu = word().parse::<f64>().ok().filter(|share| share.is_finite() && *share >= 0.0);
    let user = text(word());
    Some(ProcessFacts { pid, user, memory, cpu, command: text(rest)? })
}

/// `15360`, and `15m` as busybox has it.
fn kilobytes(word: &str) -> Option<u64> {
    let (digits, factor) = match word.as_bytes().last()? {
        b'k' => (word.strip_suffix('k')?, 1024),
        b'm' => (word.strip_suffix('m')?, 1024 * 1024),
        b'g' => (word.strip_suffix('g')?, 1024 * 1024 * 1024),
        _ => (word, 1024),
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// The ports that are listened on, by protocol and number.
pub(super) fn listening(sections: &Sections<'_>) -> Option<Vec<Listening>> {
    let tables = [
        ("listening-tcp", Protocol::Tcp),
        ("listening-tcp6", Protocol::Tcp),
        ("listening-udp", Protocol::Udp),
        ("listening-udp6", Protocol::Udp),
    ];
    let big_endian = is_big_endian(sections);
    let mut asked = sections.has("ports");
    let mut found: Vec<Listening> = sections.lines("ports").filter_map(|line| netstat_port(&line)).collect();
    for (name, protocol) in tables {
        asked |= sections.has(name);
        found.extend(sections.lines(name).filter_map(|line| kernel_port(&line, protocol, big_endian)));
    }
    found.sort();
    found.dedup();
    found.truncate(PORTS_MAX);
    asked.then_some(found)
}

/// `  0: 0100007F:0016 00000000:0000 0A ...`: words of 32 bits in the order of the machine.
fn kernel_port(line: &str, protocol: Protocol, big_endian: bool) -> Option<Listening> {
    let mut words = line.split_whitespace().skip(1);
    let (local, remote, state) = (words.next()?, words.next()?, words.next()?);
    let listens = match protocol {
        Protocol::Tcp => state == "0A",
        Protocol::Udp => state == "07",
    };
    if !listens || !remote.ends_with(":0000") {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok().filter(|&port| port > 0)?;
    let word = |at: usize| {
        let word = u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok()?;
        Some(if big_endian { word } else { word.swap_bytes() })
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let bits = (0..4).try_fold(0_u128, |bits, at| Some(bits << 32 | u128::from(word(at)?)))?;
            IpAddr::V6(Ipv6Addr::from(bits))
        }
        _ => return None,
    };
    Some(Listening { protocol, port, address })
}

/// macOS and the BSDs: `tcp4  0  0  127.0.0.1.631  *.*  LISTEN`, `udp46  0  0  *.514  *.*`.
fn netstat_port(line: &str) -> Option<Listening> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (&kind, &local, &remote) = (words.first()?, words.get(3)?, words.get(4)?);
    let protocol = match (kind.get(..3)?, words.get(5)) {
        ("tcp", Some(&"LISTEN")) => Protocol::Tcp,
        ("udp", _) if remote == "*.*" => Protocol::Udp,
        _ => return None,
    };
    let (address, port) = local.rsplit_once('.')?;
    let port = port.parse().ok().filter(|&port| port > 0)?;
    let address = match address.split('%').next()? {
        "*" if kind.contains('6') && !kind.contains('4') => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        "*" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        address => address.parse().ok()?,
    };
    Some(Listening { protocol, port, address })
}
