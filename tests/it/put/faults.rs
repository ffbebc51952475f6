//! Transfers with servers that misbehave and connections that break: what is in place is whole, old or new, and what
//! is not in place is gone or named.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, SystemTime};

use fan::testing::event::{Fact, RunFact};
use fan::testing::model::outcome::{CancelReason, Kind, Status};
use fan::testing::sandbox::{Sandbox, SftpFault};
use fan::testing::ssh::sftp::wire::SftpRequest;
use rustix::process::Signal;

use crate::fixtures::support::{Fan, Since, eventually};
use crate::fixtures::transfers::{
    OLD, arrived, below, ends, faults, hosts, is_temporary, numbers, old_everywhere, stuck, there, told,
};

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

/// `-T` bounds what a command line does with files, too. A server that makes no progress is given up by itself after
/// another time, and with other words.
#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_holds_for_every_command_on_files() {
    let sandbox = hosts([("hung", SftpFault::Hang { after: 1 })]).await;
    let fan = Fan::of(&sandbox).file("new", b"new").file("site/a", b"a");
    let commands: [&[&str]; 4] =
        [&["put", "new", "target"], &["get", "target", "got"], &["sync", "site/", "www"], &["ls", "www"]];
    for command in commands {
        let args = [&command[..1], &["-T", "1", "-H", "all", "--format", "jsonl"], &command[1..]].concat();
        let ran = fan.run(&args);
        let outcome = ends(&ran.events()).remove("hung").unwrap().outcome;
        let failure = outcome.failure.unwrap();
        assert_eq!(
            (outcome.status, failure.kind, failure.message(), failure.hint.as_deref(), ran.code),
            (
                Status::Failed,
                Kind::Timeout,
                "not done after 1.0s".to_owned(),
                Some("raise the step's `timeout`, or -T"),
                Some(1)
            ),
            "{args:?}"
        );
    }
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
            Status::Unknown => assert!(end.said.contains("is unknown"), "{}", end.line(&host.name)),
            _ => assert_eq!(there, "old", "{}", end.line(&host.name)),
        }
        if status != Status::Ok {
            assert_eq!(end.kind(), Some(Kind::ConnectionLost), "{}", end.line(&host.name));
        }
        let after = host.name.strip_prefix("cut-").unwrap().parse().unwrap();
        seen.push((after, status, there));
    }
    seen
}

/// From some host on, all was done before the cut.
fn one_after_the_other(seen: &[(u64, Status, &str)]) {
    let done = seen.iter().position(|(_, status, _)| *status == Status::Ok).unwrap();
    assert!(done > 0 && seen[done..].iter().all(|(_, status, _)| *status == Status::Ok), "{seen:?}");
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
    one_after_the_other(&seen);

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
    one_after_the_other(&sweep(&fan, &sandbox, ["new", "target"], &targets).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_in_a_folder() {
    let new = [numbers(10), numbers(30), numbers(20)];
    let sandbox = hosts(cuts((100..1_700).step_by(31).chain([3_000]))).await;
    let fan = Fan::of(&sandbox).file("d/a", &new[0]).file("d/b", &new[1]).file("d/c", &new[2]);
    let targets = [("d/a", &new[0][..]), ("d/b", &new[1][..]), ("d/c", &new[2][..])];
    old_everywhere(&sandbox, &targets);
    let seen = sweep(&fan, &sandbox, ["d/", "d"], &targets).await;
    // Files go side by side: by how many bytes one is done is another number on each host, but for the ends.
    let (first, last) = (seen[0], seen[seen.len() - 1]);
    assert_eq!((first.1, last.1), (Status::Failed, Status::Ok), "{seen:?}");
}

const PUT: [&str; 7] = ["put", "-H", "all", "--format", "jsonl", "new", "target"];

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
