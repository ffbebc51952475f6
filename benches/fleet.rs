//! Makes fleet files to look at: `year FILE` has 1000 hosts that were asked each hour of a year, and says how long a save
//! takes; `demo FILE` has two dozen hosts as pictures show them.
//!
//! `cargo bench --bench fleet -- year FILE`
#![allow(missing_docs, clippy::print_stdout, reason = "a program that prints numbers")]

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use fan::testing::fleet::{FleetFile, Observed};
use fan::testing::model::facts::Facts;
use rusqlite::Connection;
use serde_json::json;

const GIB: u64 = 1 << 30;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["year", path] => year(Path::new(path), now),
        ["demo", path] => demo(Path::new(path), now),
        _ => Err("usage: fleet year FILE | fleet demo FILE".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

type Done = Result<(), Box<dyn std::error::Error>>;

/// A number that goes up and down, other than another one's; between 0 and 1.
fn wave(seed: u64, at: u64) -> f64 {
    let mut bits = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (at / HOUR).wrapping_mul(0xD1B5_4A32_D192_ED03);
    bits ^= bits >> 29;
    let noise =
        f64::from(u32::try_from(bits.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40).unwrap_or(0)) / 16_777_216.0;
    let hour = f64::from(u32::try_from(at / 60 % 1440).unwrap_or(0)) / 1440.0;
    let day = 0.5 - 0.5 * (hour * std::f64::consts::TAU).cos();
    (0.6 * day + 0.4 * noise).clamp(0.0, 1.0)
}

/// A host as it is at a moment, so many seconds after it was started.
fn facts(host: u64, at: u64, up: u64, files: f64) -> Facts {
    let busy = wave(host, at);
    let (system, version, kernel) = match host % 5 {
        0 | 1 => ("Debian GNU/Linux", "12", "6.1.0-28-amd64"),
        2 => ("Debian GNU/Linux", "13", "6.12.9-amd64"),
        3 => ("Ubuntu", "24.04", "6.8.0-51-generic"),
        _ => ("Rocky Linux", "9.5", "5.14.0-503.el9"),
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bytes of a host that is made up"
    )]
    let of = |all: u64, share: f64| (all as f64 * share.clamp(0.0, 1.0)) as u64;
    let mount = |path: &str, device: &str, size: u64, share: f64| {
        let used = of(size, share);
        json!({"device": device, "path": path, "type": "ext4", "options": ["rw"], "size": size, "used": used,
            "available": (size - used) / 100 * 95, "inodes": size / 16_384, "inodes_used": used / 40_000})
    };
    let traffic = |rate: u64| json!({"bytes": up * rate / 2 + of(up * rate / 2, 0.9 + busy / 10.0), "packets": up * 10});
    let ticks = |share: f64| of(up, share) as f64;
    let told = json!({
        "hostname": format!("host{host}"),
        "os": {"family": "debian", "id": "debian", "name": system, "version": version, "major": 12, "like": []},
        "kernel": {"name": "Linux", "release": kernel, "version": "#1 SMP", "arch": "x86_64"},
        "cpu": {"model": "AMD EPYC", "logical": 8, "cores": 4, "sockets": 1, "use": (busy * 900.0).round() / 10.0,
            "times": {"user": ticks(0.2), "system": ticks(0.05), "idle": ticks(0.75)}},
        "memory": {"total": 32 * GIB, "available": of(32 * GIB, 0.9 - busy * 0.6), "free": 2 * GIB,
            "used": of(32 * GIB, 0.1 + busy * 0.6)},
        "swap": {"total": 4 * GIB, "free": 3 * GIB, "used": GIB},
        "disks": [{"name": "vda", "size": 200 * GIB, "rotational": false,
            "io": {"reads": up, "writes": up * 3, "read_bytes": up * 40_000, "write_bytes": up * 90_000, "busy": ticks(0.1)}}],
        "mounts": [mount("/", "/dev/vda1", 40 * GIB, 0.35 + busy / 50.0), mount("/srv/data", "/dev/vdb1", 200 * GIB, files)],
        "interfaces": [{"name": "eth0", "mac": "02:00:00:00:00:01", "mtu": 1500, "state": "up",
            "addresses": [{"address": format!("10.0.{}.{}", host / 250, host % 250 + 1), "prefix": 24, "family": "ipv4",
                "scope": "global"}],
            "received": traffic(120_000), "sent": traffic(400_000)}],
        "dns": {"nameservers": ["10.0.0.53"], "search": ["example.org"]},
        "uptime": up,
        "load": [busy * 6.0, busy * 5.0, busy * 4.0],
        "processes": {"count": 180, "by_memory": [], "by_cpu": []},
        "users": [],
        "listening": [{"protocol": "tcp", "port": 22, "address": "0.0.0.0"}, {"protocol": "tcp", "port": 443, "address": "::"}],
        "virt": {"kind": "vm", "name": "kvm"}, "hardware": {}, "user": {"name": "ops", "uid": 1000}
    });
    serde_json::from_value(told).unwrap_or_default()
}

fn seen(name: String, facts: Facts) -> Observed {
    Observed { host: name, answer: Ok(Arc::new(facts)) }
}

/// One host is asked each hour of a year, and stands for a thousand: they are copied, with all that was kept.
fn year(path: &Path, now: u64) -> Done {
    let begin = now - 365 * DAY;
    let mut file = FleetFile::create(path)?;
    for hour in 0..=365 * 24 {
        let (at, files) = (begin + hour * HOUR, 0.2 + f64::from(u32::try_from(hour)?) / 20_000.0);
        file.save(at, &[seen("host0000".to_owned(), facts(0, at, DAY + hour * HOUR, files))])?;
    }
    drop(file);
    let mut connection = Connection::open(path)?;
    let transaction = connection.transaction()?;
    for number in 1..1000 {
        let name = format!("host{number:04}");
        transaction.execute(
            "INSERT INTO hosts (name, first, seen, tried, failure, facts) SELECT ?1, first, seen, tried, failure, facts \
             FROM hosts WHERE name = 'host0000'",
            [name],
        )?;
        let host = transaction.last_insert_rowid();
        transaction.execute(
            "INSERT INTO archives (host, kind, begin, points) SELECT ?1, kind, begin, points FROM archives WHERE host = 1",
            [host],
        )?;
        // A change a week.
        for week in 0..52 {
            transaction.execute(
                "INSERT INTO changes (host, at, fact, before, after) VALUES (?1, ?2, 'kernel.release', '6.1.0-27', '6.1.0-28')",
                (host, i64::try_from(begin + week * 7 * DAY)?),
            )?;
        }
    }
    transaction.commit()?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    drop(connection);
    println!("{}: {} MB", path.display(), path.metadata()?.len() / 1_000_000);
    let mut file = FleetFile::create(path)?;
    for more in 1..=3 {
        let at = now + more * HOUR;
        let all: Vec<Observed> = (0..1000)
            .map(|host| seen(format!("host{host:04}"), facts(host, at, 366 * DAY + more * HOUR, 0.6)))
            .collect();
        let begun = Instant::now();
        let saved = file.save(at, &all)?;
        println!(
            "saved {} hosts, {} changes: {:.3} s",
            saved.hosts,
            saved.changes,
            begun.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

/// Hosts with a bit of everything: disks that fill up, a gap, a restart, one that is gone.
fn demo(path: &Path, now: u64) -> Done {
    let mut file = FleetFile::create(path)?;
    let names: Vec<String> = (1..=14)
        .map(|n| format!("web{n:02}"))
        .chain((1..=6).map(|n| format!("db{n}")))
        .chain((1..=4).map(|n| format!("mail{n}")))
        .collect();
    for hour in (0..40 * 24).step_by(2) {
        let at = now - 40 * DAY + hour * HOUR;
        let mut all = Vec::new();
        for (host, name) in (0_u64..).zip(&names) {
            let days = f64::from(u32::try_from(hour)?) / 24.0;
            let files = match host {
                3 => 0.35 + days * 0.014,
                15 => 0.5 + days * 0.009,
                16 => 0.91 + wave(host, at) / 100.0,
                17 => 0.3 + days % 7.0 * 0.08,
                _ => 0.3 + f64::from(u32::try_from(host)?) / 80.0,
            };
            let started = if host % 6 == 1 && hour > 20 * 24 { 20 * 24 } else { 0 };
            let mut facts = facts(host, at, (hour - started + 1) * HOUR, files);
            facts.boot_time =
                Some(if started > 0 { "2026-02-11T03:12:08Z" } else { "2026-01-22T21:40:51Z" }.to_owned());
            if host % 3 == 0 && hour > 30 * 24 {
                facts.kernel.release = Some("6.1.0-29-amd64".to_owned());
            }
            let gap = host == 5 && (15 * 24..18 * 24).contains(&hour);
            let gone = host == 9 && hour > 33 * 24;
            match (gap, gone) {
                (true, _) => {}
                (false, true) => all.push(Observed {
                    host: name.clone(),
                    answer: Err("connect_timeout: no answer within 10 s".to_owned()),
                }),
                (false, false) => all.push(seen(name.clone(), facts)),
            }
        }
        file.save(at, &all)?;
    }
    Ok(())
}
