//! `fan facts`: what the hosts are, as a table, as a page for one host, or as one JSON object.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;

use serde_json::json;

use crate::event::{Event, Fact, HostOutcome, RunFact, StepAt, StepFact};
use crate::model::cells::{pad, shorten, width};
use crate::model::facts::activity::{Listening, LoggedIn, ProcessFacts, ProcessList, Protocol};
use crate::model::facts::types::Mount;
use crate::model::facts::{Facts, Family, VirtKind};
use crate::model::inventory::HostName;
use crate::model::value::{Value, Vars};
use crate::report::reporter::Reporter;
use crate::report::sink::Sink;
use crate::report::style::Style;
use crate::report::words::bytes;

/// Version of the JSON object; it grows when a field changes its meaning or goes away.
const SCHEMA: u32 = 1;

/// Between two columns.
const GAP: &str = "  ";

/// Characters of a cell.
const CELL_MAX: usize = 40;

/// How the facts are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// One JSON object (docs/facts.md).
    Json,
    /// A row for each host, for a screen of so many columns, where that is known.
    Table(Option<usize>),
    /// A page for a single host; a table for more.
    Page(Option<usize>),
}

/// Gathers facts and shows them when the run is over, in the order of the inventory.
pub struct FactSheets {
    out: Sink,
    sheet: Sheet,
    style: Style,
    hosts: Vec<Gathered>,
    index: HashMap<HostName, usize>,
}

/// What is known of a host.
struct Gathered {
    host: HostName,
    facts: Option<Arc<Facts>>,
    outcome: Option<HostOutcome>,
}

impl FactSheets {
    /// Writes to fan's stdout.
    pub fn new(out: Box<dyn Write + Send>, sheet: Sheet, style: Style) -> Self {
        Self { out: Sink::new(out), sheet, style, hosts: Vec::new(), index: HashMap::new() }
    }

    fn of(&mut self, host: &HostName) -> Option<&mut Gathered> {
        self.index.get(host).and_then(|&at| self.hosts.get_mut(at))
    }

    fn show(&mut self) -> io::Result<()> {
        let text = match (self.sheet, self.hosts.as_slice()) {
            (Sheet::Json, hosts) => format!("{:#}\n", object(hosts)),
            (Sheet::Page(_), [Gathered { host, facts: Some(facts), .. }]) => {
                page(host.as_str(), facts, self.style)
            }
            (Sheet::Table(columns) | Sheet::Page(columns), _) => {
                // Who was left out was not asked for; the JSON has everybody.
                self.hosts
                    .retain(|gathered| !gathered.outcome.as_ref().is_some_and(HostOutcome::is_left_out));
                table(&self.hosts, columns, self.style)
            }
        };
        self.out.buffer().extend_from_slice(text.as_bytes());
        self.out.spill()
    }
}

impl Reporter for FactSheets {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match &event.fact {
            Fact::Run(RunFact::Started { hosts, .. }) => {
                let gathered = |host: &HostName| Gathered { host: host.clone(), facts: None, outcome: None };
                self.hosts = hosts.iter().map(gathered).collect();
                self.index = hosts.iter().cloned().zip(0..).collect();
                Ok(())
            }
            Fact::Step(StepAt { host, .. }, StepFact::FactsGathered { facts, .. }) => {
                if let Some(gathered) = self.of(host) {
                    gathered.facts = Some(Arc::clone(facts));
                }
                Ok(())
            }
            Fact::HostFinished { host, outcome } => {
                if let Some(gathered) = self.of(host) {
                    gathered.outcome = Some(outcome.clone());
                }
                Ok(())
            }
            Fact::Run(RunFact::Finished { .. }) => self.show(),
            Fact::Run(
                RunFact::StragglersNoticed { .. }
                | RunFact::AgentAwaited { .. }
                | RunFact::StopRequested { .. },
            )
            | Fact::Task(..)
            | Fact::Lock(..)
            | Fact::Connection(..)
            | Fact::Gateway(..)
            | Fact::Step(
                _,
                StepFact::Started
                | StepFact::Finished { .. }
                | StepFact::JobStarted { .. }
                | StepFact::Waiting { .. }
                | StepFact::Detached { .. }
                | StepFact::Reattached { .. }
                | StepFact::Retried { .. }
                | StepFact::QuestionAsked { .. }
                | StepFact::QuestionAnswered
                | StepFact::Output { .. }
                | StepFact::TransferAdvanced { .. },
            )
            | Fact::Record(_)
            | Fact::Unknown(_) => Ok(()),
        }
    }

    fn idle(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.finish()
    }
}

fn object(hosts: &[Gathered]) -> Value {
    let mut all = Vars::new();
    for gathered in hosts {
        let mut entry = Vars::new();
        if let Some(outcome) = &gathered.outcome {
            entry.insert("status".to_owned(), json!(outcome.status));
            if let Some(failure) = &outcome.failure {
                entry.insert("failure".to_owned(), json!(failure));
            }
        }
        if let Some(facts) = &gathered.facts {
            entry.insert("facts".to_owned(), Value::Object(facts.to_vars()));
        }
        all.insert(gathered.host.to_string(), Value::Object(entry));
    }
    json!({"schema": SCHEMA, "hosts": all})
}

/// A column of the table: its heading, what it shows, and how soon it goes when there is no room.
struct Column {
    heading: &'static str,
    cell: fn(&Facts) -> String,
    /// The largest goes first; 0 stays.
    goes: u8,
}

const COLUMNS: &[Column] = &[
    Column { heading: "OS", cell: system, goes: 0 },
    Column { heading: "ARCH", cell: |facts| text(facts.kernel.arch.as_ref()), goes: 5 },
    Column { heading: "CPUS", cell: |facts| number(facts.cpu.logical), goes: 0 },
    Column { heading: "MEMORY", cell: |facts| size(facts.memory.total), goes: 0 },
    Column { heading: "AVAILABLE", cell: |facts| size(facts.memory.available), goes: 2 },
    Column { heading: "DISK /", cell: root_size, goes: 3 },
    Column { heading: "USED", cell: root_used, goes: 1 },
    Column { heading: "UP", cell: |facts| facts.uptime.map_or_else(none, up), goes: 4 },
    Column {
        heading: "LOAD",
        cell: |facts| facts.load.map_or_else(none, |[one, ..]| format!("{one:.2}")),
        goes: 6,
    },
    Column { heading: "ADDRESS", cell: address, goes: 7 },
    Column { heading: "RUNS ON", cell: runs_on, goes: 8 },
];

fn table(hosts: &[Gathered], columns: Option<usize>, style: Style) -> String {
    let clean = |text: &str| shorten(&style.text(text), CELL_MAX);
    let name_width = hosts.iter().map(|gathered| width(gathered.host.as_str())).max().unwrap_or(0).max(4);
    let rows: Vec<Option<Vec<String>>> = hosts
        .iter()
        .map(|gathered| {
            let facts = gathered.facts.as_ref()?;
            Some(COLUMNS.iter().map(|column| clean(&(column.cell)(facts))).collect())
        })
        .collect();
    let widths: Vec<usize> = COLUMNS
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = rows.iter().flatten().filter_map(|row| row.get(at));
            cells.map(|cell| width(cell)).max().unwrap_or(0).max(width(column.heading))
        })
        .collect();
    let shown = shown(&widths, name_width, columns);
    let mut lines = String::new();
    let mut line = |name: &str, cells: &dyn Fn(usize) -> String| {
        let mut row = pad(name, name_width);
        for &at in &shown {
            let width = widths.get(at).copied().unwrap_or(0);
            row += GAP;
            row += &pad(&cells(at), width);
        }
        let _ = writeln!(lines, "{}", row.trim_end());
    };
    line("HOST", &|at| COLUMNS.get(at).map(|column| column.heading.to_owned()).unwrap_or_default());
    for (gathered, row) in hosts.iter().zip(&rows) {
        let name = gathered.host.as_str();
        match row {
            Some(row) => line(name, &|at| row.get(at).cloned().unwrap_or_default()),
            None => {
                let first = shown.first().copied();
                let said = said(gathered);
                line(name, &|at| if Some(at) == first { said.clone() } else { String::new() });
            }
        }
    }
    lines
}

/// Why a host has no facts.
fn said(gathered: &Gathered) -> String {
    let Some(outcome) = &gathered.outcome else { return none() };
    let kind = outcome.failure.as_ref().map(|failure| failure.kind.as_str()).unwrap_or_default();
    format!("{} {kind}", outcome.status).trim_end().to_owned()
}

/// The columns for which there is room.
fn shown(widths: &[usize], name_width: usize, columns: Option<usize>) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..widths.len()).collect();
    let goes = |at: usize| COLUMNS.get(at).map_or(0, |column| column.goes);
    loop {
        let taken: usize = shown.iter().filter_map(|&at| widths.get(at)).map(|width| width + GAP.len()).sum();
        let next = shown.iter().copied().max_by_key(|&at| goes(at)).filter(|&at| goes(at) > 0);
        match (columns, next) {
            (Some(columns), Some(next)) if name_width + taken > columns => shown.retain(|&at| at != next),
            _ => return shown,
        }
    }
}

fn none() -> String {
    "-".to_owned()
}

fn text(value: Option<&String>) -> String {
    value.cloned().unwrap_or_else(none)
}

fn number(value: Option<u64>) -> String {
    value.map_or_else(none, |value| value.to_string())
}

/// Bytes for people.
fn size(value: Option<u64>) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    value.map_or_else(none, |value| bytes(value as f64))
}

/// `12d3h`, `5h36m`, `41m`.
fn up(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}m"),
        (0, hours) => format!("{hours}h{minutes:02}m"),
        (days, hours) => format!("{days}d{hours}h"),
    }
}

fn system(facts: &Facts) -> String {
    let words = [facts.os.name.as_deref(), facts.os.version.as_deref()];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    if words.is_empty() { none() } else { words.join(" ") }
}

fn root(facts: &Facts) -> Option<&Mount> {
    facts.mounts.iter().rfind(|mount| mount.path == "/")
}

fn root_size(facts: &Facts) -> String {
    size(root(facts).and_then(|root| root.size))
}

/// How full a file system is, as `df` counts: without what is kept for root or beyond a quota.
fn filled(mount: &Mount) -> Option<u128> {
    let used = mount.used?;
    let all = mount.available.map_or(mount.size?, |available| available.saturating_add(used));
    Some((u128::from(used) * 100).div_ceil(u128::from(all.max(1))))
}

fn root_used(facts: &Facts) -> String {
    root(facts).and_then(filled).map_or_else(none, |percent| format!("{percent}%"))
}

fn address(facts: &Facts) -> String {
    let routes = facts.default_ipv4.iter().chain(&facts.default_ipv6);
    routes.filter_map(|route| route.address).next().map_or_else(none, |address| address.to_string())
}

fn runs_on(facts: &Facts) -> String {
    match (facts.virt.kind, &facts.virt.name) {
        (Some(VirtKind::None), _) => "hardware".to_owned(),
        (Some(VirtKind::Vm | VirtKind::Container), Some(name)) => name.clone(),
        (Some(VirtKind::Vm | VirtKind::Container) | None, _) => none(),
    }
}

/// The processes with the most memory.
fn top(processes: &ProcessList) -> Option<String> {
    let shown = |process: &ProcessFacts| format!("{} {}", process.command, size(process.memory));
    let top: Vec<String> = processes.by_memory.iter().take(3).map(shown).collect();
    (!top.is_empty()).then(|| format!("most memory: {}", top.join(", ")))
}

/// Ports by protocol, each once: `tcp 22 80  udp 53`.
fn listened(ports: &[Listening]) -> String {
    let of = |protocol: Protocol| {
        let mut numbers: Vec<u16> =
            ports.iter().filter(|port| port.protocol == protocol).map(|port| port.port).collect();
        numbers.dedup();
        let numbers: Vec<String> = numbers.iter().map(u16::to_string).collect();
        (!numbers.is_empty()).then(|| format!("{} {}", protocol.as_str(), numbers.join(" ")))
    };
    [Protocol::Tcp, Protocol::Udp].into_iter().filter_map(of).collect::<Vec<_>>().join("  ")
}

/// All that matters of one host, a line for each thing.
pub(super) fn page(host: &str, facts: &Facts, style: Style) -> String {
    let mut page = format!("{}\n", style.text(host));
    let mut line = |name: &str, words: Vec<Option<String>>| {
        let words: Vec<String> = words.into_iter().flatten().filter(|word| !word.is_empty()).collect();
        if !words.is_empty() {
            let _ = writeln!(page, "  {name:10} {}", style.text(&words.join("  ")));
        }
    };
    let known = |value: Option<u64>| value.map(|value| size(Some(value)));
    let Facts { os, kernel, cpu, memory, swap, hardware, user, .. } = facts;
    let counted = |count: Option<u64>, what: &str| count.map(|count| format!("{count} {what}"));
    line("name", vec![facts.fqdn.clone().or_else(|| facts.hostname.clone())]);
    let codename = os.codename.as_ref().map(|name| format!("({name})"));
    line("os", vec![Some(system(facts)), codename]);
    line("kernel", vec![kernel.name.clone(), kernel.release.clone(), kernel.arch.clone()]);
    let sockets = counted(cpu.sockets.filter(|&count| count > 1), "sockets");
    let busy = cpu.used.map(|share| format!("{share:.0}% busy"));
    line(
        "cpu",
        vec![counted(cpu.logical, "×"), cpu.model.clone(), counted(cpu.cores, "cores"), sockets, busy],
    );
    let available = known(memory.available).map(|size| format!("{size} available"));
    line("memory", vec![known(memory.total), available]);
    let free = known(swap.free.filter(|_| swap.total != Some(0))).map(|size| format!("{size} free"));
    line("swap", vec![known(swap.total), free]);
    line("hardware", vec![hardware.vendor.clone(), hardware.product.clone()]);
    line("runs on", vec![facts.virt.kind.map(|_| runs_on(facts))]);
    let load = facts.load.map(|load| load.map(|number| format!("{number:.2}")).join(" "));
    line("up", vec![facts.uptime.map(up), load.map(|load| format!("load {load}"))]);
    line("processes", vec![facts.processes.count.map(|count| count.to_string()), top(&facts.processes)]);
    let at = |user: &LoggedIn| match &user.from {
        Some(from) => format!("{} from {from}", user.name),
        None => user.name.clone(),
    };
    line(
        "users",
        vec![facts.users.as_ref().map(|users| users.iter().map(at).collect::<Vec<_>>().join(", "))],
    );
    line("listens on", vec![facts.listening.as_ref().map(|ports| listened(ports))]);
    line("user", vec![user.name.clone(), user.home.clone(), user.shell.clone()]);
    line("services", vec![facts.init.clone()]);
    line("packages", vec![facts.package_manager.clone()]);
    line("python", vec![facts.python.clone()]);
    line("selinux", vec![facts.selinux.clone()]);
    for disk in &facts.disks {
        let spins = disk.rotational.map(|spins| if spins { "spins" } else { "does not spin" }.to_owned());
        line("disk", vec![Some(disk.name.clone()), known(disk.size), disk.model.clone(), spins]);
    }
    for mount in &facts.mounts {
        let filled = (mount.used.zip(mount.size).zip(filled(mount))).map(|((used, all), percent)| {
            let free = mount.available.map(|free| format!(", {} free", size(Some(free)))).unwrap_or_default();
            format!("{} of {} used{free} ({percent}%)", size(Some(used)), size(Some(all)))
        });
        line("mount", vec![Some(mount.path.clone()), mount.kind.clone(), Some(mount.device.clone()), filled]);
    }
    for interface in &facts.interfaces {
        let addresses = interface.addresses.iter().map(|known| match known.prefix {
            Some(prefix) => format!("{}/{prefix}", known.address),
            None => known.address.to_string(),
        });
        let addresses: Vec<String> = addresses.collect();
        let words = vec![
            Some(interface.name.clone()),
            interface.state.clone(),
            interface.mac.clone(),
            Some(addresses.join(" ")),
        ];
        line("interface", words);
    }
    for (route, family) in [(&facts.default_ipv4, Family::Ipv4), (&facts.default_ipv6, Family::Ipv6)] {
        let Some(route) = route else { continue };
        let family = match family {
            Family::Ipv4 => "IPv4",
            Family::Ipv6 => "IPv6",
        };
        let gateway = route.gateway.map(|gateway| gateway.to_string());
        line("route", vec![Some(family.to_owned()), gateway, route.interface.clone()]);
    }
    line("dns", facts.dns.nameservers.iter().cloned().map(Some).collect());
    page
}

#[cfg(test)]
mod tests {
    use crate::model::facts::types::{Cpu, MemoryFacts, Os, Route, Virt};
    use crate::model::outcome::{Failure, Kind, Status};
    use crate::report::tests::samples::{Captured, event, failed, host, run_finished, run_started};

    use super::*;

    fn debian() -> Facts {
        let words = |text: &str| Some(text.to_owned());
        Facts {
            hostname: words("web1"),
            os: Os {
                name: words("Debian GNU/Linux"),
                version: words("12"),
                major: Some(12),
                ..Os::default()
            },
            cpu: Cpu { logical: Some(8), model: words("Xeon\u{1b}[2J"), ..Cpu::default() },
            memory: MemoryFacts {
                total: Some(33_554_432_000),
                available: Some(21_000_000_000),
                ..MemoryFacts::default()
            },
            mounts: vec![Mount {
                path: "/".to_owned(),
                device: "/dev/vda1".to_owned(),
                kind: words("ext4"),
                size: Some(100_000_000_000),
                used: Some(25_000_000_000),
                ..Mount::default()
            }],
            default_ipv4: Some(Route {
                interface: words("eth0"),
                gateway: "10.0.0.1".parse().ok(),
                address: "10.0.0.7".parse().ok(),
            }),
            virt: Virt { kind: Some(VirtKind::Vm), name: words("kvm") },
            uptime: Some(1_050_000),
            load: Some([0.5, 0.25, 0.125]),
            ..Facts::default()
        }
    }

    fn told(sheet: Sheet, hosts: &[&str]) -> String {
        let captured = Captured::default();
        let mut sheets = FactSheets::new(Box::new(captured.clone()), sheet, Style::default());
        let timeout = Failure::new(Kind::ConnectTimeout, "no answer");
        let facts = Arc::new(debian());
        let mut events = vec![run_started(hosts)];
        events.push(event(
            1,
            Fact::Step(StepAt { host: host("web1"), task: 0, step: 0 }, StepFact::FactsGathered { facts }),
        ));
        events.extend(
            hosts.iter().skip(1).map(|name| failed(2, name, Status::Unreachable, timeout.clone(), None)),
        );
        events.push(run_finished(3));
        for event in &events {
            sheets.event(event).unwrap();
        }
        sheets.finish().unwrap();
        captured.text()
    }

    #[test]
    fn a_table_as_wide_as_it_likes() {
        insta::assert_snapshot!(told(Sheet::Page(None), &["web1", "database"]), @r#"
        HOST      OS                   ARCH  CPUS  MEMORY    AVAILABLE  DISK /    USED  UP     LOAD  ADDRESS   RUNS ON
        web1      Debian GNU/Linux 12  -     8     31.2 GiB  19.6 GiB   93.1 GiB  25%   12d3h  0.50  10.0.0.7  kvm
        database  unreachable connect_timeout
        "#);
    }

    #[test]
    fn a_narrow_screen_gets_fewer_columns() {
        for columns in [30, 60, 80, 100, 120] {
            let table = told(Sheet::Table(Some(columns)), &["web1", "database"]);
            let widest = table.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= columns.max(50), "{columns}:\n{table}");
            assert!(table.contains("Debian GNU/Linux 12") && table.contains("unreachable connect_timeout"));
        }
    }

    #[test]
    fn one_host_has_a_page() {
        insta::assert_snapshot!(told(Sheet::Page(None), &["web1"]), @r#"
        web1
          name       web1
          os         Debian GNU/Linux 12
          cpu        8 ×  Xeon\x1b[2J
          memory     31.2 GiB  19.6 GiB available
          runs on    kvm
          up         12d3h  load 0.50 0.25 0.12
          mount      /  ext4  /dev/vda1  23.3 GiB of 93.1 GiB used (25%)
          route      IPv4  10.0.0.1  eth0
        "#);
    }

    #[test]
    fn json_has_all_hosts() {
        let text = told(Sheet::Json, &["web1", "database"]);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["schema"], 1);
        assert_eq!(value["hosts"]["web1"]["facts"]["os"]["major"], 12);
        assert_eq!(value["hosts"]["database"]["status"], "unreachable");
        assert_eq!(value["hosts"]["database"]["failure"]["kind"], "connect_timeout");
        assert_eq!(
            value["hosts"]["web1"]["facts"]["memory"].get("free"),
            None,
            "what is not known is left out"
        );
    }
}
