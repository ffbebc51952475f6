//! The fleet in Prometheus' text format (version 0.0.4), for node_exporter's textfile collector or a Pushgateway. All are
//! gauges of the last answer but what is named `_total`; without timestamps, which the collector refuses: how old an
//! answer is says `fan_host_seen_timestamp_seconds`.

use std::fmt::Write as _;

use crate::model::facts::Facts;
use crate::model::facts::types::Interface;
use crate::model::fleet::DiskForecast;
use crate::report::fleet::data::{FleetEntry, FleetView};

/// A line of a metric: labels beside the host, and the value.
type MetricLine = (Vec<(&'static str, String)>, f64);

/// A metric: its name, what it is, its type, and its lines of a host.
struct Metric {
    name: &'static str,
    help: &'static str,
    kind: &'static str,
    of: fn(&FleetEntry) -> Vec<MetricLine>,
}

const METRICS: &[Metric] = &[
    gauge("fan_host_info", "A host, with what it runs; always 1.", info),
    gauge("fan_host_seen_timestamp_seconds", "When the host last answered.", |entry| {
        one(entry.host.seen.map(float))
    }),
    gauge("fan_host_up", "Whether the host answered when it was last asked.", |entry| {
        one(Some(if entry.host.failure.is_none() { 1.0 } else { 0.0 }))
    }),
    gauge("fan_boot_uptime_seconds", "Time since the host was started.", |entry| {
        fact(entry, |facts| facts.uptime.map(float))
    }),
    gauge("fan_cpu_count", "Logical processors.", |entry| fact(entry, |facts| facts.cpu.logical.map(float))),
    gauge("fan_load1", "Load average over a minute.", |entry| {
        fact(entry, |facts| facts.load.map(|[one, ..]| one))
    }),
    gauge("fan_memory_size_bytes", "Memory.", |entry| fact(entry, |facts| facts.memory.total.map(float))),
    gauge("fan_memory_available_bytes", "Memory that programs could get.", |entry| {
        fact(entry, |facts| facts.memory.available.map(float))
    }),
    gauge("fan_swap_used_bytes", "Swap in use.", |entry| fact(entry, |facts| facts.swap.used.map(float))),
    gauge("fan_disk_size_bytes", "Size of a file system.", |entry| {
        disks(entry, |disk| Some(float(disk.size)))
    }),
    gauge("fan_disk_used_bytes", "Space in use on a file system.", |entry| {
        disks(entry, |disk| Some(float(disk.used)))
    }),
    gauge("fan_disk_available_bytes", "Space that users may still fill.", |entry| {
        disks(entry, |disk| Some(float(disk.available)))
    }),
    gauge("fan_disk_full_seconds", "Time until the file system is full, where that can be told.", |entry| {
        disks(entry, |disk| disk.days().map(|days| days * 86_400.0))
    }),
    counter("fan_network_receive_bytes_total", "Bytes that an interface received.", |entry| {
        traffic(entry, |interface| interface.received.as_ref()?.bytes)
    }),
    counter("fan_network_transmit_bytes_total", "Bytes that an interface sent.", |entry| {
        traffic(entry, |interface| interface.sent.as_ref()?.bytes)
    }),
];

const fn gauge(name: &'static str, help: &'static str, of: fn(&FleetEntry) -> Vec<MetricLine>) -> Metric {
    Metric { name, help, kind: "gauge", of }
}

const fn counter(name: &'static str, help: &'static str, of: fn(&FleetEntry) -> Vec<MetricLine>) -> Metric {
    Metric { name, help, kind: "counter", of }
}

pub(super) fn render(view: &FleetView) -> String {
    let mut out = String::new();
    for metric in METRICS {
        let mut lines = String::new();
        for entry in &view.hosts {
            for (labels, value) in (metric.of)(entry) {
                let _ = write!(lines, "{}{{host=\"{}\"", metric.name, escaped(&entry.host.name));
                for (label, text) in labels {
                    let _ = write!(lines, ",{label}=\"{}\"", escaped(&text));
                }
                let _ = writeln!(lines, "}} {value}");
            }
        }
        // One that nobody has is not announced.
        if !lines.is_empty() {
            let _ =
                write!(out, "# HELP {0} {1}\n# TYPE {0} {2}\n{lines}", metric.name, metric.help, metric.kind);
        }
    }
    out
}

/// A label's value: backslashes, quotes and line ends escaped, as the format has it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn one(value: Option<f64>) -> Vec<MetricLine> {
    value.map(|value| (Vec::new(), value)).into_iter().collect()
}

fn fact(entry: &FleetEntry, of: fn(&Facts) -> Option<f64>) -> Vec<MetricLine> {
    one(entry.host.facts.as_ref().and_then(of))
}

fn info(entry: &FleetEntry) -> Vec<MetricLine> {
    let Some(facts) = &entry.host.facts else { return Vec::new() };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let labels = vec![
        ("os", text(&facts.os.id)),
        ("version", text(&facts.os.version)),
        ("kernel", text(&facts.kernel.release)),
        ("arch", text(&facts.kernel.arch)),
    ];
    vec![(labels, 1.0)]
}

fn disks(entry: &FleetEntry, of: fn(&DiskForecast) -> Option<f64>) -> Vec<MetricLine> {
    let line = |disk: &DiskForecast| Some((vec![("mount", disk.path.clone())], of(disk)?));
    entry.disks.iter().filter_map(line).collect()
}

fn traffic(entry: &FleetEntry, of: fn(&Interface) -> Option<u64>) -> Vec<MetricLine> {
    let interfaces = entry.host.facts.iter().flat_map(|facts| &facts.interfaces);
    let line =
        |interface: &Interface| Some((vec![("interface", interface.name.clone())], float(of(interface)?)));
    interfaces.filter_map(line).collect()
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
fn float(number: u64) -> f64 {
    number as f64
}
