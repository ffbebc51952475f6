//! The file among other processes, killed ones too; files of others, of later versions, and broken ones; clocks that jump.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::*;
use crate::fleet::save::Saved;
use crate::model::facts::Facts;
use crate::model::facts::types::Mount;
use crate::model::fleet::{ArchiveKind, SeriesName};

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

/// Says to a process of these tests which file to write to, and for how many hosts.
const WRITER: &str = "FAN_TEST_FLEET_WRITER";

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/fan/fleet.db");
    (folder, path)
}

fn facts(release: &str, used: u64) -> Arc<Facts> {
    let mut facts = Facts {
        hostname: Some("h".to_owned()),
        uptime: Some(1000),
        load: Some([1.5, 1.0, 0.5]),
        mounts: vec![Mount {
            device: "/dev/sda1".to_owned(),
            path: "/srv/a b\nc".to_owned(),
            size: Some(1_000_000),
            used: Some(used),
            available: Some(1_000_000 - used),
            ..Mount::default()
        }],
        ..Facts::default()
    };
    facts.kernel.release = Some(release.to_owned());
    Arc::new(facts)
}

fn seen(host: &str, facts: &Arc<Facts>) -> Observed {
    Observed { host: host.to_owned(), answer: Ok(Arc::clone(facts)) }
}

fn integrity(path: &Path) -> String {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap()
}

#[test]
fn what_is_saved_is_read_back() {
    let (_folder, path) = place();
    let mut file = FleetFile::create(&path).unwrap();
    let odd = "h'; DROP TABLE hosts; --\u{1b}\n";
    let first = file.save(NOW, &[seen("web1", &facts("6.1", 100)), seen(odd, &facts("6.1", 5))]).unwrap();
    assert_eq!(first, Saved { hosts: 2, new: 2, changes: 0 });
    let gone = Observed { host: "web2".to_owned(), answer: Err("connect_timeout".to_owned()) };
    let second = file.save(NOW + 3600, &[seen("web1", &facts("6.2", 300)), gone.clone()]).unwrap();
    assert_eq!(second, Saved { hosts: 1, new: 0, changes: 1 });
    let file = FleetFile::open(&path).unwrap();
    let hosts = file.hosts().unwrap();
    let shown: Vec<_> = hosts.iter().map(|host| (&*host.name, host.first, host.seen, host.tried)).collect();
    let expected = [
        (odd, NOW, Some(NOW), NOW),
        ("web1", NOW, Some(NOW + 3600), NOW + 3600),
        ("web2", NOW + 3600, None, NOW + 3600),
    ];
    assert_eq!(shown, expected);
    assert_eq!(hosts[2].failure.as_deref(), Some("connect_timeout"));
    assert_eq!(hosts[1].facts.as_ref(), Some(&*facts("6.2", 300)));
    let changes = file.changes(NOW, None).unwrap();
    assert_eq!(changes.len(), 1);
    let change = &changes[0].change;
    assert_eq!(
        (change.fact.as_str(), change.before.as_deref(), change.after.as_deref()),
        ("kernel.release", Some("6.1"), Some("6.2"))
    );
    assert_eq!(
        (file.changes(NOW + 3601, None).unwrap(), file.changes(0, Some("web2")).unwrap()),
        (vec![], vec![])
    );
    let disk = "disk:/srv/a b\nc".parse::<SeriesName>().unwrap();
    let averages = |kind| -> Vec<f64> {
        file.numbers(kind, 0, Some("web1")).unwrap()["web1"][&disk].iter().map(|point| point.avg).collect()
    };
    assert_eq!(
        (averages(ArchiveKind::Raw), averages(ArchiveKind::Hourly)),
        (vec![100.0, 300.0], vec![100.0, 300.0])
    );
    assert_eq!(averages(ArchiveKind::Daily), [200.0]);
    // It was there, and does not answer any more: what it was stays.
    drop(file);
    let mut file = FleetFile::create(&path).unwrap();
    file.save(NOW + 7200, &[Observed { host: "web1".to_owned(), ..gone }]).unwrap();
    let web1 = file.hosts().unwrap().remove(1);
    assert!(web1.facts.is_some() && web1.failure.is_some() && web1.seen == Some(NOW + 3600));
    assert!(web1.is_stale(60, NOW + 7200) && !web1.is_stale(3600, NOW + 7200) && !web1.is_stale(60, NOW));
    assert_eq!((file.forget(odd).unwrap(), file.forget(odd).unwrap()), (true, false));
    assert_eq!(file.numbers(ArchiveKind::Daily, 0, None).unwrap().len(), 1);
    assert_eq!(integrity(&path), "ok");
}

#[test]
fn the_file_is_its_owners() {
    let (folder, path) = place();
    let mut file = FleetFile::create(&path).unwrap();
    file.save(NOW, &[seen("web1", &facts("6.1", 1))]).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for name in ["fleet.db", "fleet.db-wal", "fleet.db-shm"] {
        assert_eq!(mode(&path.with_file_name(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&folder.path().join("state/fan")), 0o700);
}

#[test]
fn archives_are_bounded_and_a_clock_that_jumps_costs_one_chunk() {
    let (_folder, path) = place();
    let mut file = FleetFile::create(&path).unwrap();
    for day in 0..20 {
        file.save(NOW + day * DAY, &[seen("web1", &facts("6.1", day))]).unwrap();
    }
    let begins = |file: &FleetFile| {
        let points = file.numbers(ArchiveKind::Raw, 0, Some("web1")).unwrap().remove("web1").unwrap();
        points[&"load".parse::<SeriesName>().unwrap()].iter().map(|point| point.at).collect::<Vec<_>>()
    };
    let week: Vec<u64> = (12..20).map(|day| NOW + day * DAY).collect();
    assert_eq!(begins(&file), week);
    // Ten years ahead, and back again: the host goes on, and what was kept is there but for the oldest.
    let ahead = NOW + 3650 * DAY;
    file.save(ahead, &[seen("web1", &facts("6.1", 1))]).unwrap();
    let saved = file.save(NOW + 20 * DAY, &[seen("web1", &facts("6.3", 1))]).unwrap();
    assert_eq!(saved.changes, 1);
    let expected: Vec<u64> = (14..21).map(|day| NOW + day * DAY).chain([ahead]).collect();
    assert_eq!(begins(&file), expected);
    assert_eq!(file.hosts().unwrap()[0].seen, Some(NOW + 20 * DAY));
    // A run that took longer than another does not undo it.
    file.save(NOW + 20 * DAY - 30, &[seen("web1", &facts("6.2", 1))]).unwrap();
    assert_eq!(file.hosts().unwrap()[0].facts.as_ref().unwrap().kernel.release.as_deref(), Some("6.3"));
}

#[test]
fn files_that_cannot_be_used_say_why() {
    let (folder, path) = place();
    let said = |error: FleetError| (error.to_string(), error.hint().unwrap_or_default());
    let missing = said(FleetFile::open(&path).unwrap_err());
    assert!(missing.0.starts_with("there is no fleet file") && missing.1.contains("--save"), "{missing:?}");
    drop(FleetFile::create(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for error in [FleetFile::open(&path).unwrap_err(), FleetFile::create(&path).unwrap_err()] {
        assert!(matches!(error, FleetError::Newer { version: 99, .. }), "{error}");
    }
    let other = folder.path().join("other.db");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let text = folder.path().join("notes.txt");
    fs::write(&text, "these are no tables, but notes of somebody\n".repeat(50)).unwrap();
    for path in [&other, &text] {
        let before = fs::read(path).unwrap();
        for error in [FleetFile::open(path).unwrap_err(), FleetFile::create(path).unwrap_err()] {
            assert!(matches!(error, FleetError::NotOurs(_)), "{error}");
        }
        assert_eq!(fs::read(path).unwrap(), before, "it is left as it was");
    }
    // Pages in the middle are overwritten.
    let broken = folder.path().join("broken.db");
    let mut file = FleetFile::create(&broken).unwrap();
    let many: Vec<Observed> = (0..200).map(|number| seen(&format!("h{number}"), &facts("6.1", 1))).collect();
    file.save(NOW, &many).unwrap();
    drop(file);
    let mut bytes = fs::read(&broken).unwrap();
    let length = bytes.len();
    bytes[16_384..length].fill(0x5a);
    fs::write(&broken, bytes).unwrap();
    let error = FleetFile::open(&broken).and_then(|file| file.hosts()).unwrap_err();
    assert!(matches!(error, FleetError::Damaged(_)), "{error}");
    assert!(said(error).1.contains(".recover"));
    let pipe = folder.path().join("pipe.db");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    for error in [FleetFile::open(&pipe).unwrap_err(), FleetFile::create(&pipe).unwrap_err()] {
        assert!(matches!(error, FleetError::NotOurs(_)), "{error}");
    }
    let folder = folder.path().join("folder.db");
    fs::create_dir(&folder).unwrap();
    let error = FleetFile::create(&folder).unwrap_err();
    assert!(error.is_local(), "{error}");
}

#[test]
fn a_disk_that_is_full_changes_nothing() {
    let (_folder, path) = place();
    let mut file = FleetFile::create(&path).unwrap();
    file.save(NOW, &[seen("web1", &facts("6.1", 1))]).unwrap();
    // SQLite's own word for a disk without room: so many pages and no more.
    let pages: i64 = file.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    file.connection.pragma_update(None, "max_page_count", pages + 1).unwrap();
    let many: Vec<Observed> = (0..500).map(|number| seen(&format!("h{number}"), &facts("6.2", 1))).collect();
    let error = file.save(NOW + 60, &many).unwrap_err();
    assert!(matches!(error, FleetError::Full(_)) && error.hint().is_some(), "{error}");
    let names: Vec<String> = file.hosts().unwrap().into_iter().map(|host| host.name).collect();
    assert_eq!(names, ["web1"]);
    file.connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
    file.save(NOW + 60, &many).unwrap();
    assert_eq!(integrity(&path), "ok");
}

/// What a process that is started again by these tests does: it saves until it is ended, and says each time that it did.
#[test]
fn writer() {
    let Some(path) = std::env::var_os(WRITER).map(PathBuf::from) else { return };
    let many = |release: &str| -> Vec<Observed> {
        (0..100).map(|number| seen(&format!("h{number}"), &facts(release, 1))).collect()
    };
    for round in 1..=1000 {
        let mut file = FleetFile::create(&path).unwrap();
        file.save(NOW + round * 1000, &many(&round.to_string())).unwrap();
        use std::io::Write;
        let mut out = std::io::stderr();
        writeln!(out, "saved {round}").unwrap();
    }
}

#[test]
fn writers_that_are_killed_leave_all_or_nothing() {
    let (_folder, path) = place();
    drop(FleetFile::create(&path).unwrap());
    for round in 0..6 {
        let mut children: Vec<_> = (0..2)
            .map(|_| {
                Command::new(std::env::current_exe().unwrap())
                    .args(["--exact", "fleet::tests::writer", "--nocapture"])
                    .env(WRITER, &path)
                    .stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        // Each is ended somewhere behind so many of its rounds, in the midst of the next.
        for child in &mut children {
            let lines = BufReader::new(child.stderr.take().unwrap()).lines();
            let said: Vec<String> = lines.take(1 + round % 3).collect::<Result<_, _>>().unwrap();
            assert!(said.iter().all(|line| line.starts_with("saved ")), "{said:?}");
        }
        for mut child in children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(integrity(&path), "ok");
        let hosts = FleetFile::open(&path).unwrap().hosts().unwrap();
        assert_eq!(hosts.len(), 100);
        let first = (hosts[0].seen, hosts[0].facts.clone());
        assert!(hosts.iter().all(|host| (host.seen, host.facts.clone()) == first), "one transaction for all");
    }
}

#[test]
fn many_may_make_the_file_at_once() {
    let (folder, _path) = place();
    for round in 0..40 {
        let path = folder.path().join(format!("{round}.db"));
        let start = std::sync::Barrier::new(6);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    FleetFile::create(&path).unwrap();
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    start.wait();
                    match FleetFile::open(&path) {
                        Ok(file) => assert!(file.hosts().unwrap().is_empty()),
                        Err(error) => assert!(matches!(error, FleetError::Missing(_)), "{error:?}"),
                    }
                });
            }
        });
    }
}

#[test]
fn writers_take_turns() {
    let (_folder, path) = place();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let path = path.clone();
            std::thread::spawn(move || {
                for round in 0..10_u64 {
                    let mut file = FleetFile::create(&path).unwrap();
                    let host = format!("h{thread}-{round}");
                    file.save(
                        NOW + round,
                        &[seen(&host, &facts("6.1", 1)), seen("all", &facts("6.1", round))],
                    )
                    .unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let file = FleetFile::open(&path).unwrap();
    assert_eq!(file.hosts().unwrap().len(), 41);
    let points = file.numbers(ArchiveKind::Daily, 0, Some("all")).unwrap();
    let load = &points["all"][&"load".parse::<SeriesName>().unwrap()];
    assert_eq!(integrity(&path), "ok");
    assert!(load.len() == 1 && load[0].count >= 10, "{load:?}");
}
