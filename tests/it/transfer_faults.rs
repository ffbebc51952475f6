//! Transfers with servers that misbehave and connections that break: what is in place is whole, old or new, and what
//! is not in place is gone or named.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fan::testing::event::{Event, Fact, HostOutcome, RunFact, StepAt, StepFact, StepOutcome};
use fan::testing::model::outcome::{CancelReason, Kind, Status};
use fan::testing::sandbox::{Behaviour, HostSpec, Sandbox, SftpFault};
use fan::testing::ssh::sftp::wire::SftpRequest;
use rustix::process::Signal;

use crate::sshd::Sshd;
use crate::support::{Fan, Ran, Since, Started, eventually};

const OLD: &[u8] = b"what was there before\n";

/// Hosts that have one fault each.
async fn hosts<N: Into<String>>(faults: impl IntoIterator<Item = (N, SftpFault)>) -> Sandbox {
    let spec = |(name, fault): (N, SftpFault)| HostSpec::new(name).behaving(Behaviour::Sftp(fault));
    Sandbox::start(faults.into_iter().map(spec).collect()).await.unwrap()
}

fn numbers(count: u32) -> Vec<u8> {
    (0..count).flat_map(u32::to_be_bytes).collect()
}

/// How a host ended, and what its last step said.
struct End {
    outcome: HostOutcome,
    said: String,
}

impl End {
    fn kind(&self) -> Option<Kind> {
        self.outcome.failure.as_ref().map(|failure| failure.kind)
    }

    /// The line of a table; random parts of names are hidden.
    fn line(&self, host: &str) -> String {
        let kind = self.kind().map(|kind| format!(" {kind}")).unwrap_or_default();
        let mut said = self.said.clone();
        // Who notices first that the connection is lost, and how, differs.
        if let Some((_, rest)) = said.split_once("the connection was lost") {
            said = format!("lost{}", rest.find(';').map_or("", |at| &rest[at..]));
        }
        while let Some(at) = random_part(&said) {
            said.replace_range(at..at + 32, "<random>");
        }
        format!("{host}: {}{kind}: {said}", self.outcome.status)
    }
}

/// Where 32 hexadecimal digits begin.
fn random_part(text: &str) -> Option<usize> {
    let is_hex = |window: &[u8]| window.iter().all(u8::is_ascii_hexdigit);
    text.as_bytes().windows(32).position(is_hex)
}

/// How each host ended.
fn ends(events: &[Event]) -> BTreeMap<String, End> {
    let (mut notes, mut ends) = (BTreeMap::new(), BTreeMap::new());
    for event in events {
        match &event.fact {
            Fact::Step(
                StepAt { host, .. },
                StepFact::Finished { outcome: StepOutcome { note: Some(note), .. }, .. },
            ) => {
                notes.insert(host.to_string(), note.clone());
            }
            Fact::HostFinished { host, outcome } => {
                let said = match &outcome.failure {
                    Some(failure) => failure.message(),
                    None => notes.remove(&host.to_string()).unwrap_or_default(),
                };
                ends.insert(host.to_string(), End { outcome: outcome.clone(), said });
            }
            _ => {}
        }
    }
    ends
}

/// All files below a folder, by their paths in it.
fn below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

fn is_temporary(path: &str) -> bool {
    path.contains(".fan-")
}

/// What is at the targets of a host: `old`, `new`, or both of them in different files. Nothing else may be there,
/// but for files that are not in place yet and that the host's end names.
fn there(home: &Path, end: &End, targets: &[(&str, &[u8])]) -> &'static str {
    let files = below(home);
    for (path, _) in files.iter().filter(|(path, _)| targets.iter().all(|(target, _)| target != path)) {
        assert!(is_temporary(path), "{path}: {}", end.said);
        assert!(end.said.contains(path.as_str()), "{path} is not named: {}", end.said);
    }
    let (mut old, mut new) = (0, 0);
    for &(target, content) in targets {
        match files.get(target) {
            Some(there) if there == content => new += 1,
            Some(there) if there == OLD => old += 1,
            other => panic!("{target} is neither old nor new: {:?}: {}", other.map(Vec::len), end.said),
        }
    }
    match (old, new) {
        (0, _) => "new",
        (_, 0) => "old",
        (_, _) => "old and new",
    }
}

/// What became of a file of each host that was to be replaced.
fn told(sandbox: &Sandbox, ran: &Ran, targets: &[(&str, &[u8])]) -> String {
    let ends = ends(&ran.events());
    let mut text = String::new();
    for host in sandbox.hosts() {
        let end = &ends[&host.name];
        let there = there(&host.home, end, targets);
        let left = below(&host.home).into_keys().any(|path| is_temporary(&path));
        writeln!(text, "{} [{there}{}]", end.line(&host.name), if left { ", left" } else { "" }).unwrap();
    }
    text
}

fn old_everywhere(sandbox: &Sandbox, targets: &[(&str, &[u8])]) {
    for host in sandbox.hosts() {
        for (target, _) in targets {
            let path = host.home.join(target);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, OLD).unwrap();
        }
    }
}

fn faults() -> Vec<(&'static str, SftpFault)> {
    vec![
        ("missing", SftpFault::Missing),
        ("noise", SftpFault::Noise("Welcome to this host!\n".to_owned())),
        ("huge-length", SftpFault::HugeLength),
        ("wrong-ids", SftpFault::WrongIds),
        ("reorder", SftpFault::Reorder),
        ("no-extensions", SftpFault::NoExtensions),
        ("names", SftpFault::Names(vec![b"../../x".to_vec()])),
        ("endless-names", SftpFault::EndlessNames),
        ("zero-data", SftpFault::ZeroData),
        ("more-data", SftpFault::MoreData),
        ("short-file", SftpFault::ShortFile { size: 3 }),
        ("long-reply", SftpFault::LongReply),
        ("larger", SftpFault::SizeLies { by: 7 }),
        ("smaller", SftpFault::SizeLies { by: -7 }),
        ("disk-full", SftpFault::DiskFull { after: 100_000 }),
        ("flip-byte", SftpFault::FlipByte { at: 200_000 }),
        ("rename-fails", SftpFault::RenameFails),
        ("no-rename", SftpFault::NoRename),
        ("rename-lies", SftpFault::RenameLies),
        ("ghosts", SftpFault::EndlessGhosts),
        ("cut", SftpFault::Cut { after_bytes: 100_000 }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_puts_all_or_nothing() {
    let sandbox = hosts(faults()).await;
    let new = numbers(75_000);
    let fan = Fan::of(&sandbox).file("new", &new);
    let targets = [("target", &new[..])];
    old_everywhere(&sandbox, &targets);
    let ran = fan.run(["put", "-H", "all", "--format", "jsonl", "new", "target"]);
    insta::assert_snapshot!(told(&sandbox, &ran, &targets), @r#"
    missing: ok: 1 sent, by commands: the server has no SFTP [new]
    noise: unreachable sftp_unavailable: cannot open SFTP: the login prints text where SFTP begins: "Welcome to this host!" [old]
    huge-length: failed protocol: cannot look at target: the SFTP server broke the protocol: a packet of 2147483647 bytes, and 262144 are the most [old]
    wrong-ids: failed protocol: cannot look at target: the SFTP server broke the protocol: an answer to request 4294967295, which was never sent [old]
    reorder: ok: 1 sent [new]
    no-extensions: ok: 1 sent, not atomic: the server does not rename over an existing file [new]
    names: ok: 1 sent [new]
    endless-names: ok: 1 sent [new]
    zero-data: ok: 1 sent [new]
    more-data: ok: 1 sent [new]
    short-file: ok: 1 sent [new]
    long-reply: ok: 1 sent [new]
    larger: ok: 1 sent [new]
    smaller: ok: 1 sent [new]
    disk-full: failed remote_disk_full: cannot write ./.target.fan-<random>: the server says "No space left on device" [old]
    flip-byte: failed verify_failed: what arrived of new differs from what was sent (SHA-256 <random><random>, not <random><random>) [old]
    rename-fails: failed remote_path: cannot put a new file in place of target: the server says "Failure" [old]
    no-rename: failed remote_path: cannot put a new file in place of target: the server says "Failure" [old]
    rename-lies: failed verify_failed: cannot put a new file in place of target: the server says that it did, and did not [old]
    ghosts: ok: 1 sent [new]
    cut: failed connection_lost: lost; left behind: ./.target.fan-<random> [old, left]
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_s_files_are_put_each_all_or_nothing() {
    let sandbox = hosts(faults()).await;
    let new = [numbers(10), numbers(75_000), numbers(20)];
    let fan = Fan::of(&sandbox).file("site/a", &new[0]).file("site/in/b", &new[1]).file("site/in/c", &new[2]);
    let targets = [("www/a", &new[0][..]), ("www/in/b", &new[1][..]), ("www/in/c", &new[2][..])];
    old_everywhere(&sandbox, &targets);
    let ran = fan.run(["put", "-H", "all", "--format", "jsonl", "site/", "www"]);
    insta::assert_snapshot!(told(&sandbox, &ran, &targets), @r#"
    missing: ok: 3 sent, by commands: the server has no SFTP [new]
    noise: unreachable sftp_unavailable: cannot open SFTP: the login prints text where SFTP begins: "Welcome to this host!" [old]
    huge-length: failed protocol: cannot look at www: the SFTP server broke the protocol: a packet of 2147483647 bytes, and 262144 are the most [old]
    wrong-ids: failed protocol: cannot look at www: the SFTP server broke the protocol: an answer to request 4294967295, which was never sent [old]
    reorder: ok: 3 sent [new]
    no-extensions: ok: 3 sent, not atomic: the server does not rename over an existing file [new]
    names: failed unsafe_name: a name in www holds a "/": "../../x" [old]
    endless-names: failed limit: www has more than 100000 names [old]
    zero-data: ok: 3 sent [new]
    more-data: ok: 3 sent [new]
    short-file: ok: 3 sent [new]
    long-reply: ok: 3 sent [new]
    larger: ok: 3 sent [new]
    smaller: ok: 3 sent [new]
    disk-full: failed remote_disk_full: cannot write www/in/.b.fan-<random>: the server says "No space left on device" [old]
    flip-byte: failed verify_failed: what arrived for www/in/b differs from what was sent [old]
    rename-fails: failed remote_path: cannot put a new file in place of www/a: the server says "Failure" [old]
    no-rename: failed remote_path: cannot put a new file in place of www/a: the server says "Failure" [old]
    rename-lies: failed verify_failed: cannot put a new file in place of www/a: the server says that it did, and did not [old]
    ghosts: failed limit: www has more than 100000 names [old]
    cut: failed connection_lost: lost; left behind: www/.a.fan-<random>, www/in/.c.fan-<random>, www/in/.b.fan-<random> [old, left]
    "#);
}

/// A server that hangs at any request: the step's deadline holds, and what can be removed is.
#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_hangs_ends_at_its_deadline() {
    let sandbox = hosts((0..18).map(|after| (format!("hang-{after}"), SftpFault::Hang { after }))).await;
    let new = numbers(10);
    let fan = Fan::of(&sandbox)
        .file("new", &new)
        .file("tasks.yaml", "tasks: {put: [{put: new, to: target, timeout: 3s}]}\n");
    let targets = [("target", &new[..])];
    old_everywhere(&sandbox, &targets);
    let begun = Since::now();
    let ran = fan.run(["run", "-H", "all", "--format", "jsonl", "put"]);
    begun.assert_ended_by(Duration::from_secs(3), Duration::from_secs(30));
    insta::assert_snapshot!(told(&sandbox, &ran, &targets), @r#"
    hang-0: failed timeout: not done after 3.0s [old]
    hang-1: failed timeout: not done after 3.0s [old]
    hang-2: failed timeout: not done after 3.0s [old]
    hang-3: failed timeout: not done after 3.0s [old]
    hang-4: failed timeout: not done after 3.0s [old]
    hang-5: failed timeout: not done after 3.0s; left behind: ./.target.fan-<random> [old]
    hang-6: failed timeout: not done after 3.0s [old]
    hang-7: failed timeout: not done after 3.0s [old]
    hang-8: failed timeout: not done after 3.0s [old]
    hang-9: failed timeout: not done after 3.0s [old]
    hang-10: failed timeout: not done after 3.0s [old]
    hang-11: failed timeout: not done after 3.0s [old]
    hang-12: failed timeout: not done after 3.0s [old]
    hang-13: failed timeout: not done after 3.0s [old]
    hang-14: unknown timeout: not done after 3.0s; whether the new content is in place is unknown [old]
    hang-15: unknown timeout: not done after 3.0s; whether the new content is in place is unknown; left behind: ./.target.fan-<random> [new]
    hang-16: ok: 1 sent [new]
    hang-17: ok: 1 sent [new]
    "#);
}

/// A server that says yes to everything: what is not in place was not put there, and what is still there was not removed.
#[tokio::test(flavor = "multi_thread")]
async fn a_yes_is_no_proof() {
    let sandbox = hosts([("removes", SftpFault::RemoveLies), ("renames", SftpFault::RenameLies)]).await;
    let steps = [
        ("new", "put: site, to: new"),
        ("gone", "file: old, state: absent"),
        ("emptied", "file: full, state: absent, recurse: true"),
        ("synced", "sync: site/, to: kept, delete: true"),
    ];
    let tasks: String = steps.iter().map(|(name, step)| format!("  {name}: [{{{step}}}]\n")).collect();
    let fan = Fan::of(&sandbox).file("site/a", "a").file("tasks.yaml", format!("tasks:\n{tasks}"));
    let mut told = String::new();
    for (name, _) in steps {
        for host in sandbox.hosts() {
            for file in ["old", "full/in/x", "kept/a", "kept/extra"] {
                fs::create_dir_all(host.home.join(file).parent().unwrap()).unwrap();
                fs::write(host.home.join(file), "old").unwrap();
            }
        }
        let ran = fan.run(["run", "-H", "all", "--format", "jsonl", name]);
        for (host, end) in ends(&ran.events()) {
            writeln!(told, "{name} on {}", end.line(&host)).unwrap();
        }
    }
    insta::assert_snapshot!(told, @"
    new on removes: ok: 1 sent
    new on renames: failed verify_failed: cannot put the new folder in place: new/site: the server says that it did, and did not
    gone on removes: failed verify_failed: cannot remove old: the server says that it did, and did not
    gone on renames: ok: 
    emptied on removes: failed verify_failed: cannot remove full/in/x: the server says that it did, and did not
    emptied on renames: ok: 
    synced on removes: failed verify_failed: cannot remove kept/extra: the server says that it did, and did not
    synced on renames: failed verify_failed: cannot put a new file in place of kept/a: the server says that it did, and did not
    ");
    for host in sandbox.hosts() {
        let left: Vec<String> = below(&host.home).into_keys().filter(|path| is_temporary(path)).collect();
        assert!(left.is_empty(), "{}: {left:?}", host.name);
    }
}

/// To find out how a server makes links, some are made: none of them stays, also where SFTP removes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_tried_out_does_not_stay() {
    let sandbox = hosts([("fails", SftpFault::RemoveFails), ("lies", SftpFault::RemoveLies)]).await;
    let fan = Fan::of(&sandbox).file("site/a", "a");
    std::os::unix::fs::symlink("a", fan.work().join("site/l")).unwrap();
    let ran = fan.run(["put", "-H", "all", "site", "www"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for host in sandbox.hosts() {
        let names: Vec<String> = below(&host.home).into_keys().collect();
        assert_eq!(names, ["www/site/a", "www/site/l"], "{}", host.name);
    }
}

/// Puts to hosts whose connections are cut after ever more bytes, up to where none is.
async fn sweep(
    fan: &Fan,
    sandbox: &Sandbox,
    args: [&str; 2],
    targets: &[(&str, &[u8])],
) -> Vec<(u64, Status, &'static str)> {
    let ran = fan.run(["put", "-H", "all", "--format", "jsonl", args[0], args[1]]);
    let ends = ends(&ran.events());
    let mut seen = Vec::new();
    for host in sandbox.hosts() {
        let end = &ends[&host.name];
        let there = there(&host.home, end, targets);
        let status = end.outcome.status;
        match status {
            Status::Ok => assert_eq!(there, "new", "{}", end.line(&host.name)),
            Status::Unknown => assert!(end.said.contains("is not known"), "{}", end.line(&host.name)),
            _ => assert_eq!(there, "old", "{}", end.line(&host.name)),
        }
        if status != Status::Ok {
            assert_eq!(end.kind(), Some(Kind::ConnectionLost), "{}", end.line(&host.name));
        }
        let after = host.name.strip_prefix("cut-").unwrap().parse().unwrap();
        seen.push((after, status, there));
    }
    // From some host on, all was done before the cut.
    let done = seen.iter().position(|(_, status, _)| *status == Status::Ok).unwrap();
    assert!(done > 0 && seen[done..].iter().all(|(_, status, _)| *status == Status::Ok), "{seen:?}");
    seen
}

fn cuts(after: impl Iterator<Item = u64>) -> impl Iterator<Item = (String, SftpFault)> {
    after.map(|after_bytes| (format!("cut-{after_bytes}"), SftpFault::Cut { after_bytes }))
}

/// At every byte; at every other one while the new content is on its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_at_any_byte_of_a_put() {
    let sandbox = hosts(cuts((0..100).chain((100..380).step_by(2)).chain(380..650))).await;
    let new = numbers(10);
    let fan = Fan::of(&sandbox).file("n", &new);
    let targets = [("t", &new[..])];
    old_everywhere(&sandbox, &targets);
    let seen = sweep(&fan, &sandbox, ["n", "t"], &targets).await;

    // It is not known exactly while the request to rename is on its way; its last byte makes it so.
    let fields = [4 + "./.t.fan-".len() + 32, 4 + "t".len()].iter().sum();
    let name = bytes::Bytes::from_static(b"posix-rename@openssh.com");
    let rename = SftpRequest::Extended { name, fields: vec![0; fields].into() }.head(0).len();
    let rename = u64::try_from(rename).unwrap();
    let ok = seen.iter().find(|(_, status, _)| *status == Status::Ok).unwrap().0;
    for &(after, status, there) in seen.iter().take_while(|(after, ..)| *after < ok) {
        assert_eq!(status == Status::Unknown, after >= ok - rename, "{after} of {ok}: {status}");
        assert_eq!(there == "new", after == ok - 1, "{after} of {ok}: {there}");
    }

    // The next run finds out.
    let unknown = format!("cut-{}", ok - 1);
    let ran = fan.run(["put", "-H", &unknown, "--format", "jsonl", "n", "t"]);
    assert_eq!(ends(&ran.events())[&unknown].line("it"), "it: ok: 1 unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_in_a_large_file() {
    let new = numbers(75_000);
    let sandbox = hosts(cuts((400..300_900).step_by(7_003).chain([301_000]))).await;
    let fan = Fan::of(&sandbox).file("new", &new);
    let targets = [("target", &new[..])];
    old_everywhere(&sandbox, &targets);
    sweep(&fan, &sandbox, ["new", "target"], &targets).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_in_a_folder() {
    let new = [numbers(10), numbers(30), numbers(20)];
    let sandbox = hosts(cuts((100..1_700).step_by(31).chain([3_000]))).await;
    let fan = Fan::of(&sandbox).file("d/a", &new[0]).file("d/b", &new[1]).file("d/c", &new[2]);
    let targets = [("d/a", &new[0][..]), ("d/b", &new[1][..]), ("d/c", &new[2][..])];
    old_everywhere(&sandbox, &targets);
    sweep(&fan, &sandbox, ["d/", "d"], &targets).await;
}

/// A task with one step; hosts that never come to an end have a short deadline.
fn task(name: &str, step: &str) -> String {
    let endless = "host in ['hang', 'empty-names', 'emptyname']";
    format!(
        "  {name}:\n  - {{{step}, when: \"not ({endless})\"}}\n  - {{{step}, when: \"{endless}\", timeout: 2s}}\n"
    )
}

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

fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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

/// A put that hangs with most of it on the host.
async fn stuck() -> (Sandbox, Fan, Vec<u8>) {
    // 77 pieces: the host answers no more before the last ones, and has room for the rest of 10 MB in one more session.
    let sandbox = hosts([("web1", SftpFault::Hang { after: 70 })]).await;
    let new = numbers(5_000_000);
    let fan = Fan::of(&sandbox).file("new", &new);
    fs::write(sandbox.hosts()[0].home.join("target"), OLD).unwrap();
    (sandbox, fan, new)
}

const PUT: [&str; 7] = ["put", "-H", "all", "--format", "jsonl", "new", "target"];

/// Waits until so many bytes are on the host, in a file that is not in place.
fn arrived(home: &Path) -> PathBuf {
    eventually("most of the file is there", || {
        let entries = fs::read_dir(home).unwrap().map(|entry| entry.unwrap());
        let large = |entry: &fs::DirEntry| entry.metadata().is_ok_and(|meta| meta.len() >= 10_000_000);
        entries.filter(large).map(|entry| entry.path()).next()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_put_leaves_nothing() {
    let (sandbox, fan, new) = stuck().await;
    let started = fan.start(PUT);
    arrived(&sandbox.hosts()[0].home);
    let asked = Since::now();
    started.signal(Signal::INT);
    let ran = started.finish();
    assert_eq!(ran.code, Some(130), "{}", ran.snapshot());
    // Nobody waited for the request that hangs, which has 30 s.
    asked.assert_ended_by(Duration::from_secs(6), Duration::from_secs(30));
    let end = &ends(&ran.events())["web1"];
    assert_eq!((end.outcome.status, end.kind()), (Status::Cancelled, Some(Kind::Interrupted)));
    assert_eq!(there(&sandbox.hosts()[0].home, end, &[("target", &new)]), "old");
    assert_eq!(below(&sandbox.hosts()[0].home).len(), 1, "{}", end.said);
}

/// Whether the rename was done is not known then: the host is `unknown`, and the run was ended by the user all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_a_rename_hangs_is_the_user_s_end_of_the_run() {
    for (signal, code, reason) in [
        (Signal::INT, 130, CancelReason::Interrupt),
        (Signal::TERM, 143, CancelReason::Terminate),
        (Signal::HUP, 129, CancelReason::Hangup),
    ] {
        let sandbox = hosts([("web1", SftpFault::HangRename)]).await;
        let home = sandbox.hosts()[0].home.clone();
        let fan = Fan::of(&sandbox).file("new", "new");
        fs::write(home.join("target"), OLD).unwrap();
        let started = fan.start(PUT);
        eventually("the rename is done and not answered", || {
            fs::read(home.join("target")).is_ok_and(|text| text == b"new").then_some(())
        });
        started.signal(signal);
        let ran = started.finish();
        assert_eq!(ran.code, Some(code), "{}", ran.snapshot());
        let events = ran.events();
        let cancelled = events.iter().find_map(|event| match event.fact {
            Fact::Run(RunFact::Finished { cancelled }) => cancelled,
            _ => None,
        });
        assert_eq!(cancelled, Some(reason), "{}", ran.snapshot());
        let end = &ends(&events)["web1"];
        assert_eq!((end.outcome.status, end.kind()), (Status::Unknown, Some(Kind::Interrupted)));
        assert!(end.said.contains("whether the new content is in place is unknown"), "{}", end.said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_interrupt_does_not_wait() {
    let (sandbox, fan, new) = stuck().await;
    let started = fan.start(PUT);
    arrived(&sandbox.hosts()[0].home);
    started.signal(Signal::INT);
    eventually("it stops", || started.stdout_so_far().contains("stop_requested").then_some(()));
    let asked = Since::now();
    started.signal(Signal::INT);
    let ran = started.finish();
    // Nobody waited for the host's answer, which takes the first interrupt its 5 s.
    asked.assert_ended_by(Duration::from_secs(1), Duration::from_secs(5));
    assert_eq!(ran.code, Some(130), "{}", ran.snapshot());
    let end = &ends(&ran.events())["web1"];
    assert_eq!(there(&sandbox.hosts()[0].home, end, &[("target", &new)]), "old");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_put_goes_on_where_a_killed_one_was() {
    let (sandbox, fan, new) = stuck().await;
    let home = &sandbox.hosts()[0].home;
    let started = fan.start(PUT);
    let left = arrived(home);
    started.signal(Signal::KILL);
    assert_eq!(started.finish().signal, Some(9));
    assert_eq!(fs::read(home.join("target")).unwrap(), OLD);

    // Somebody may still be at what was written to not long ago: it is copied from, and stays.
    for (age, stays) in [(20, true), (120, false)] {
        let then = SystemTime::now() - Duration::from_secs(age);
        fs::File::options().append(true).open(&left).unwrap().set_modified(then).unwrap();
        fs::write(home.join("target"), OLD).unwrap();
        let ran = fan.run(PUT);
        let end = &ends(&ran.events())["web1"];
        assert_eq!(end.outcome.status, Status::Ok, "{}", end.said);
        let resumed = end.said.split_once("resumed after ").and_then(|(_, rest)| rest.split_once(" bytes "));
        let resumed: u64 = resumed.unwrap_or_else(|| panic!("{}", end.said)).0.parse().unwrap();
        assert!(resumed >= 9_000_000, "{}", end.said);
        assert_eq!(left.exists(), stays);
        assert_eq!(end.said.contains("is left from an interrupted transfer"), stays, "{}", end.said);
        assert_eq!(fs::read(home.join("target")).unwrap(), new);
    }
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
