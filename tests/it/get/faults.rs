//! Downloads from servers that misbehave and over connections that break: what is in place is whole, old or new.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use fan::testing::sandbox::SftpFault;
use rustix::process::Signal;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Ran, Since, Started, eventually};
use crate::fixtures::transfers::{OLD, below, ends, faults, hosts, is_in, numbers, task};

/// How gets ended, and what is on this side: below `got/HOST` files with the old or the new content, and nothing
/// anywhere else.
fn got(fan: &Fan, ran: &Ran, new: &[u8]) -> String {
    let ends = ends(&ran.events());
    let mut here = below(&fan.work());
    let mut text = String::new();
    for (host, end) in &ends {
        let folder = format!("got/{host}");
        let mine: Vec<String> = here.keys().filter(|path| is_in(path, &folder)).cloned().collect();
        let mut files = Vec::new();
        for path in mine {
            let content = here.remove(&path).unwrap();
            assert!(content == OLD || content == new, "{path}: {} bytes: {}", content.len(), end.said);
            let what = if content == new { "new" } else { "old" };
            files.push(format!("{what}{}", &path[folder.len()..]));
        }
        writeln!(text, "{} [{}]", end.line(host), files.join(", ")).unwrap();
    }
    assert_eq!(here.into_keys().collect::<Vec<_>>(), ["inventory.yaml", "tasks.yaml"]);
    text
}

/// Faults that show in a get.
fn reading() -> Vec<(&'static str, SftpFault)> {
    let odd = |name: &[u8]| SftpFault::Names(vec![b"fine".to_vec(), name.to_vec()]);
    let mut all: Vec<_> = faults()
        .into_iter()
        .filter(|(_, fault)| !matches!(fault, SftpFault::DiskFull { .. } | SftpFault::FlipByte { .. }))
        .collect();
    all.retain(|(name, _)| *name != "cut" && *name != "names");
    all.extend([
        ("cut-60", SftpFault::Cut { after_bytes: 60 }),
        ("cut-100", SftpFault::Cut { after_bytes: 100 }),
        ("cut-140", SftpFault::Cut { after_bytes: 140 }),
        ("hang", SftpFault::Hang { after: 4 }),
        ("empty-names", SftpFault::EmptyNames),
        ("dots", odd(b"../../x")),
        ("absolute", odd(b"/tmp/fan-was-here")),
        ("deep", odd(b"a/b")),
        ("nameless", odd(b"")),
        ("nul", odd(b"a\0b")),
        ("only-dots", SftpFault::Names(vec![b".".to_vec(), b"..".to_vec()])),
    ]);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_gets_all_or_nothing() {
    let sandbox = hosts(reading()).await;
    let new = numbers(75_000);
    let mut fan = Fan::of(&sandbox)
        .file("tasks.yaml", format!("tasks:\n{}", task("get", "get: d/file, to: 'got/{{ host }}'")));
    for host in sandbox.hosts() {
        fs::create_dir(host.home.join("d")).unwrap();
        fs::write(host.home.join("d/file"), &new).unwrap();
        fan = fan.file(&format!("got/{}", host.name), OLD);
    }
    let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "get"]);
    insta::assert_snapshot!(got(&fan, &ran, &new), @r#"
    absolute: ok: 1 got [new]
    cut-100: failed connection_lost: lost [old]
    cut-140: failed connection_lost: lost [old]
    cut-60: failed connection_lost: lost [old]
    deep: ok: 1 got [new]
    dots: ok: 1 got [new]
    empty-names: ok: 1 got [new]
    endless-names: ok: 1 got [new]
    ghosts: ok: 1 got [new]
    hang: failed timeout: not done after 2.0s [old]
    huge-length: failed protocol: cannot look at d/file: the SFTP server broke the protocol: a packet of 2147483647 bytes, and 262144 are the most [old]
    larger: failed verify_failed: cannot read d/file: it ends after 300000 of 300007 bytes [old]
    long-reply: failed protocol: cannot read d/file: the SFTP server broke the protocol: 261121 bytes where 261120 were asked for [old]
    missing: ok: 1 got, by commands: the server has no SFTP [new]
    more-data: failed verify_failed: cannot read d/file: it continues after 300000 bytes [old]
    nameless: ok: 1 got [new]
    no-extensions: ok: 1 got [new]
    no-rename: ok: 1 got [new]
    noise: unreachable sftp_unavailable: cannot open SFTP: the login prints text where SFTP begins: "Welcome to this host!" [old]
    nul: ok: 1 got [new]
    only-dots: ok: 1 got [new]
    rename-fails: ok: 1 got [new]
    rename-lies: ok: 1 got [new]
    reorder: ok: 1 got [new]
    short-file: failed verify_failed: cannot read d/file: it ends after 3 of 300000 bytes [old]
    smaller: failed verify_failed: cannot read d/file: it continues after 299993 bytes [old]
    wrong-ids: failed protocol: cannot look at d/file: the SFTP server broke the protocol: an answer to request 4294967295, which was never sent [old]
    zero-data: failed verify_failed: cannot read d/file: the server sends nothing after 261120 of 300000 bytes [old]
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_got_within_its_place() {
    let sandbox = hosts(reading()).await;
    let new = numbers(75_000);
    let mut fan = Fan::of(&sandbox)
        .file("tasks.yaml", format!("tasks:\n{}", task("get", "get: d/, to: 'got/{{ host }}/'")));
    for host in sandbox.hosts() {
        fs::create_dir(host.home.join("d")).unwrap();
        fs::write(host.home.join("d/file"), &new).unwrap();
        fan = fan.file(&format!("got/{}/file", host.name), OLD);
    }
    let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "get"]);
    insta::assert_snapshot!(got(&fan, &ran, &new), @r#"
    absolute: failed unsafe_name: a name in d/ holds a "/": "/tmp/fan-was-here" [old/file]
    cut-100: failed connection_lost: lost [old/file]
    cut-140: failed connection_lost: lost [old/file]
    cut-60: failed connection_lost: lost [old/file]
    deep: failed unsafe_name: a name in d/ holds a "/": "a/b" [old/file]
    dots: failed unsafe_name: a name in d/ holds a "/": "../../x" [old/file]
    empty-names: failed timeout: not done after 2.0s [old/file]
    endless-names: failed limit: d/ has more than 100000 names [old/file]
    ghosts: failed limit: d/ has more than 100000 names [old/file]
    hang: failed timeout: not done after 2.0s [old/file]
    huge-length: failed protocol: cannot look at d/: the SFTP server broke the protocol: a packet of 2147483647 bytes, and 262144 are the most [old/file]
    larger: ok: 1 got [new/file]
    long-reply: failed protocol: cannot read d/file: the SFTP server broke the protocol: 261121 bytes where 261120 were asked for [old/file]
    missing: ok: 1 got, by commands: the server has no SFTP [new/file]
    more-data: failed verify_failed: cannot read d/file: it continues after 300000 bytes [old/file]
    nameless: failed unsafe_name: a name in d/ is empty: "" [old/file]
    no-extensions: ok: 1 got [new/file]
    no-rename: ok: 1 got [new/file]
    noise: unreachable sftp_unavailable: cannot open SFTP: the login prints text where SFTP begins: "Welcome to this host!" [old/file]
    nul: failed unsafe_name: a name in d/ holds a NUL: "a\0b" [old/file]
    only-dots: ok:  [old/file]
    rename-fails: ok: 1 got [new/file]
    rename-lies: ok: 1 got [new/file]
    reorder: ok: 1 got [new/file]
    short-file: failed verify_failed: cannot read d/file: it ends after 3 of 300000 bytes [old/file]
    smaller: ok: 1 got [new/file]
    wrong-ids: failed protocol: cannot look at d/: the SFTP server broke the protocol: an answer to request 4294967295, which was never sent [old/file]
    zero-data: failed verify_failed: cannot read d/file: the server sends nothing after 261120 of 300000 bytes [old/file]
    "#);
}

/// The same with servers that are programs behind a real sshd.
#[test]
fn hostile_servers_behind_a_real_sshd() {
    let modes = ["dots", "endless", "emptyname", "zero", "more", "hang", "huge", "noise"];
    let servers: Vec<Sshd> = modes.iter().map(|mode| Sshd::builder().subsystem(mode).start()).collect();
    let mut inventory = "hosts:\n".to_owned();
    for (mode, sshd) in modes.iter().zip(&servers) {
        let (identity, known_hosts) = (sshd.identity(), sshd.known_hosts());
        writeln!(
            inventory,
            "  {mode}: {{address: 127.0.0.1, port: {}, user: {}, identity: {}, known_hosts: {}}}",
            sshd.port(),
            sshd.user(),
            identity.display(),
            known_hosts.display()
        )
        .unwrap();
    }
    let world = |step: &str| {
        let fan = Fan::new().file("inventory.yaml", &inventory);
        let fan = fan.file("tasks.yaml", format!("tasks:\n{}", task("get", step)));
        modes.iter().fold(fan, |fan, mode| fan.file(&format!("got/{mode}/f"), OLD))
    };
    let worlds = ["get: f, to: 'got/{{ host }}/'", "get: d/, to: 'got/{{ host }}/'"].map(world);
    let started = worlds.each_ref().map(|fan| fan.start(["run", "-H", "all", "--format", "jsonl", "get"]));
    let [file, folder] = started.map(Started::finish);
    let new = b"0123456789";
    insta::assert_snapshot!(got(&worlds[0], &file, new), @r#"
    dots: ok: 1 got [new/f]
    emptyname: ok: 1 got [new/f]
    endless: ok: 1 got [new/f]
    hang: failed timeout: not done after 2.0s [old/f]
    huge: failed protocol: cannot look at f: the SFTP server broke the protocol: a packet of 2147483647 bytes, and 262144 are the most [old/f]
    more: failed verify_failed: cannot read f: it continues after 10 bytes [old/f]
    noise: unreachable sftp_unavailable: cannot open SFTP: the login prints text where SFTP begins: "Welcome to this host!" [old/f]
    zero: failed verify_failed: cannot read f: the server sends nothing after 4 of 10 bytes [old/f]
    "#);
    insta::assert_snapshot!(got(&worlds[1], &folder, new), @r#"
    dots: failed unsafe_name: a name in d/ holds a "/": "../../x" [old/f]
    emptyname: failed timeout: not done after 2.0s [old/f]
    endless: failed limit: d/ has more than 100000 names [old/f]
    hang: failed timeout: not done after 2.0s [old/f]
    huge: failed protocol: cannot look at d/: the SFTP server broke the protocol: a packet of 2147483647 bytes, and 262144 are the most [old/f]
    more: failed verify_failed: cannot read d/f: it continues after 10 bytes [old/f]
    noise: unreachable sftp_unavailable: cannot open SFTP: the login prints text where SFTP begins: "Welcome to this host!" [old/f]
    zero: failed verify_failed: cannot read d/f: the server sends nothing after 4 of 10 bytes [old/f]
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_get_leaves_nothing() {
    let sandbox = hosts([("web1", SftpFault::Hang { after: 40 })]).await;
    fs::write(sandbox.hosts()[0].home.join("file"), numbers(5_000_000)).unwrap();
    let fan = Fan::of(&sandbox).file("got/file", OLD);
    let before = below(&fan.work());
    let started = fan.start(["get", "-H", "all", "--format", "jsonl", "file", "got/"]);
    eventually("some of it is here", || {
        let files = below(&fan.work());
        files
            .iter()
            .any(|(path, content)| !before.contains_key(path) && content.len() > 1_000_000)
            .then_some(())
    });
    let asked = Since::now();
    started.signal(Signal::INT);
    let ran = started.finish();
    // Nobody waited for the request that hangs, which has 30 s.
    asked.assert_ended_by(Duration::from_secs(6), Duration::from_secs(30));
    assert_eq!(ran.code, Some(130), "{}", ran.snapshot());
    assert!(below(&fan.work()) == before);
}

/// No file may grow beyond a size here: as a disk that is full.
#[tokio::test(flavor = "multi_thread")]
async fn a_get_that_this_machine_cannot_write() {
    let sandbox = hosts([("web1", SftpFault::Reorder)]).await;
    fs::write(sandbox.hosts()[0].home.join("file"), numbers(500_000)).unwrap();
    let fan = Fan::of(&sandbox).file("got", OLD).in_script("trap '' XFSZ; ulimit -f 1000; exec \"$@\"");
    let before = below(&fan.work());
    let ran = fan.run(["get", "-H", "all", "--format", "jsonl", "file", "got"]);
    assert_eq!(ran.code, Some(5), "{}", ran.snapshot());
    assert_eq!(below(&fan.work()), before);
    insta::assert_snapshot!(ends(&ran.events())["web1"].line("web1"), @"web1: failed local_io: cannot write ./got: File too large (os error 27)");
}
