//! Changes, rates, archives and forecasts on answers that mislead: clocks that jump, counters that go back, disks that jump.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::facts::activity::{CpuTimes, DiskIo, Listening, Protocol, Traffic};
use crate::model::facts::types::{Cpu, DiskFacts, Facts, Interface, Mount};
use crate::model::fleet::archive::DamagedChunk;
use crate::model::fleet::forecast::{NoForecast, forecast};
use crate::model::time::rfc3339;

const DAY: u64 = 86_400;
const NOW: u64 = 1_800_000_000;
const GIB: u64 = 1 << 30;

fn mount(path: &str, used: u64) -> Mount {
    Mount {
        device: format!("/dev/{path}"),
        path: path.to_owned(),
        kind: Some("ext4".to_owned()),
        size: Some(100 * GIB),
        used: Some(used),
        available: Some(95 * GIB - used),
        inodes: Some(1000),
        inodes_used: Some(10),
        ..Mount::default()
    }
}

/// A host that has been up for so long, with these counts.
fn up(seconds: u64, count: u64) -> Facts {
    let traffic = Some(Traffic { bytes: Some(count), ..Traffic::default() });
    Facts {
        hostname: Some("web1".to_owned()),
        uptime: Some(seconds),
        boot_time: Some(rfc3339(NOW)),
        load: Some([0.5, 0.4, 0.3]),
        mounts: vec![mount("/", 10 * GIB), mount("/mnt/a b\nc", GIB)],
        interfaces: vec![
            Interface {
                name: "eth0".to_owned(),
                received: traffic.clone(),
                sent: traffic.clone(),
                ..Interface::default()
            },
            Interface { name: "veth12ab".to_owned(), received: traffic.clone(), ..Interface::default() },
        ],
        disks: vec![DiskFacts {
            name: "sda".to_owned(),
            io: Some(DiskIo { read_bytes: Some(count), ..DiskIo::default() }),
            ..DiskFacts::default()
        }],
        ..Facts::default()
    }
}

fn shown(facts: &Facts, before: Option<(&Facts, u64)>) -> BTreeMap<String, f64> {
    numbers(facts, before).into_iter().map(|(name, number)| (name.to_string(), number)).collect()
}

#[test]
fn rates_are_what_grew_in_one_boot() {
    let (before, after) = (up(1000, 5000), up(1100, 15_000));
    let told = shown(&after, Some((&before, 100)));
    assert_eq!((told["received:eth0"], told["read:sda"]), (100.0, 100.0));
    assert_eq!(told["disk:/mnt/a b\nc"], 1_073_741_824.0);
    assert!(!told.contains_key("received:veth12ab"), "names that are made up are not followed");
    let rates = |after: &Facts, elapsed| {
        let told = shown(after, Some((&before, elapsed)));
        told.keys().filter(|name| name.starts_with("received") || name.starts_with("read")).count()
    };
    assert_eq!(rates(&up(1100, 4000), 100), 0, "a counter that went around");
    assert_eq!(rates(&up(50, 15_000), 100), 0, "a host that was started again");
    assert_eq!(rates(&up(3000, 15_000), 90_000), 0, "started again, and up for longer than it was before");
    assert_eq!(rates(&up(1000, 15_000), 0), 0, "no time has passed");
    assert_eq!(rates(&up(1100, 15_000), 40_000), 0, "the clock here jumped");
    assert_eq!(shown(&after, None).len(), 6, "a first answer has no rates: load, uptime, disks and inodes");
}

#[test]
fn processors_between_two_answers() {
    let with = |idle: f64, user: f64, uptime| Facts {
        cpu: Cpu {
            used: Some(99.0),
            times: CpuTimes { idle: Some(idle), user: Some(user), ..CpuTimes::default() },
            ..Cpu::default()
        },
        uptime: Some(uptime),
        ..Facts::default()
    };
    let before = with(100.0, 50.0, 1000);
    assert_eq!(shown(&with(175.0, 75.0, 1100), Some((&before, 100)))["cpu"], 25.0);
    assert_eq!(shown(&with(90.0, 75.0, 1100), Some((&before, 100)))["cpu"], 99.0, "what it measured itself");
}

#[test]
fn only_what_lasts_is_a_change() {
    let before = up(1000, 5000);
    let mut after = up(2000, 9000);
    after.boot_time = Some(rfc3339(NOW + 3));
    after.load = None;
    after.mounts[0].used = Some(20 * GIB);
    assert_eq!(changes(&before, &after), [], "a clock that was set, and measurements");
    after.boot_time = Some(rfc3339(NOW + 7200));
    after.kernel.release = Some("6.1".to_owned());
    after.mounts.remove(1);
    let port =
        |address: &str| Listening { protocol: Protocol::Tcp, port: 22, address: address.parse().unwrap() };
    after.listening = Some(vec![port("0.0.0.0"), port("::")]);
    let shown: Vec<_> = changes(&before, &after)
        .into_iter()
        .map(|change| (change.fact, change.before, change.after))
        .collect();
    let text = |text: &str| Some(text.to_owned());
    let expected = [
        ("boot_time".to_owned(), text(&rfc3339(NOW)), text(&rfc3339(NOW + 7200))),
        ("kernel.release".to_owned(), None, text("6.1")),
        ("listening[tcp/22]".to_owned(), None, text("0.0.0.0, ::")),
        ("mounts[/mnt/a b\nc].device".to_owned(), text("/dev//mnt/a b\nc"), None),
        ("mounts[/mnt/a b\nc].size".to_owned(), text("107374182400"), None),
        ("mounts[/mnt/a b\nc].type".to_owned(), text("ext4"), None),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn names_of_series_come_back() {
    for name in ["load", "disk:/mnt/a:b\nc", "received:eth0", "disk:"] {
        assert_eq!(name.parse::<SeriesName>().unwrap().to_string(), name);
    }
    assert_eq!("later:x".parse::<SeriesName>(), Err(()));
}

#[test]
fn a_span_keeps_smallest_average_and_largest() {
    let kind = ArchiveKind::Hourly;
    let mut chunk = ArchiveChunk::default();
    let (begin, place) = kind.place(NOW);
    for number in [1.0, 2.0, 6.0, f64::NAN, f64::INFINITY] {
        chunk.add(7, place, number);
    }
    let points: Vec<_> = chunk.points(kind, begin).collect();
    let point = SeriesPoint { at: NOW / 3600 * 3600, count: 3, min: 1.0, avg: 3.0, max: 6.0 };
    assert_eq!(points, [(7, vec![point])]);
    for bytes in [
        &b""[..],
        b"\x02",
        b"\x01\x01",
        b"\x01\x01\x01\x00\x01\x00\x00\xc0\x7f",
        b"\x01\xff\xff\xff\xff\xff\x0f",
    ] {
        assert_eq!(ArchiveChunk::from_bytes(bytes), Err(DamagedChunk), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn chunks_come_back(
        numbers in prop::collection::vec((0_u32..300, 0_u32..90_000, -1e12_f64..1e12), 0..200),
        junk in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut chunk = ArchiveChunk::default();
        for (series, place, number) in numbers {
            chunk.add(series, place, number);
        }
        prop_assert_eq!(ArchiveChunk::from_bytes(&chunk.to_bytes()), Ok(chunk));
        if let Ok(chunk) = ArchiveChunk::from_bytes(&junk) {
            prop_assert_eq!(ArchiveChunk::from_bytes(&chunk.to_bytes()), Ok(chunk));
        }
    }
}

/// Days up to now with these averages in GiB, the oldest first.
fn days(averages: &[f64]) -> Vec<SeriesPoint> {
    let first = NOW / DAY + 1 - u64::try_from(averages.len()).unwrap();
    let point = |(day, gib): (u64, &f64)| {
        let number = gib * 1_073_741_824.0;
        SeriesPoint { at: (first + day) * DAY, count: 24, min: number, avg: number, max: number }
    };
    (0..).zip(averages).map(point).collect()
}

#[test]
fn a_forecast_needs_a_line_that_means_something() {
    let told = |averages: &[f64], available| forecast(&days(averages), available, NOW);
    let rising: Vec<f64> = (0..20).map(|day| 10.0 + f64::from(day)).collect();
    match told(&rising, 30 * GIB) {
        Forecast::FullIn { days, per_day } => {
            assert!((days - 30.0).abs() < 0.01 && (per_day / 1_073_741_824.0 - 1.0).abs() < 0.01);
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(told(&rising, 500 * GIB), Forecast::Beyond { .. }));
    assert_eq!(told(&rising[..2], GIB), Forecast::None(NoForecast::TooFewDays), "two points are no line");
    assert_eq!(told(&rising[..6], GIB), Forecast::None(NoForecast::TooFewDays));
    let falling: Vec<f64> = rising.iter().rev().copied().collect();
    assert_eq!(told(&falling, GIB), Forecast::None(NoForecast::NotGrowing));
    assert_eq!(told(&[7.0; 20], GIB), Forecast::None(NoForecast::NotGrowing));
    let saw: Vec<f64> = (0..20).map(|day| f64::from(day % 7) * 5.0 + f64::from(day) * 0.1).collect();
    assert_eq!(told(&saw, GIB), Forecast::None(NoForecast::Unsteady), "logs that are rotated");
    let jump: Vec<f64> = (0..20).map(|day| if day < 10 { 10.0 } else { 60.0 }).collect();
    assert_eq!(told(&jump, GIB), Forecast::None(NoForecast::Unsteady), "one large copy");
    let stopped: Vec<f64> = (0..20).map(|day| 10.0 + f64::from(day.min(10)) * 5.0).collect();
    assert_eq!(told(&stopped, GIB), Forecast::None(NoForecast::Unsteady), "it does not grow any more");
    let old: Vec<SeriesPoint> =
        days(&rising).into_iter().map(|point| SeriesPoint { at: point.at - 60 * DAY, ..point }).collect();
    assert_eq!(forecast(&old, GIB, NOW), Forecast::None(NoForecast::TooFewDays));
    let ahead: Vec<SeriesPoint> =
        days(&rising).into_iter().map(|point| SeriesPoint { at: point.at + 600 * DAY, ..point }).collect();
    assert_eq!(forecast(&ahead, GIB, NOW), Forecast::None(NoForecast::TooFewDays), "a clock that was wrong");
}

#[test]
fn each_device_is_followed_once_and_none_that_is_always_full() {
    let mut facts = up(1000, 0);
    facts.mounts.push(Mount { device: "/dev//".to_owned(), ..mount("/bind", GIB) });
    facts.mounts.push(Mount { kind: Some("squashfs".to_owned()), ..mount("/snap/x", GIB) });
    facts.mounts.push(Mount { size: None, ..mount("/net", GIB) });
    let told = disks(&facts, &Numbers::new(), NOW);
    let paths: Vec<&str> = told.iter().map(|disk| disk.path.as_str()).collect();
    assert_eq!(paths, ["/", "/mnt/a b\nc"]);
    assert!((told[0].percent() - 10.0 / 95.0 * 100.0).abs() < 0.01, "as df counts");
}
