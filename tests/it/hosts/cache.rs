//! Answers of inventory programs that are kept, and what becomes of those that fail.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use crate::fixtures::support::{Fan, Ran};

/// A program that notes each call, prints what `answer` holds, and fails while there is a file `broken`.
const PROGRAM: &str = "#!/bin/sh\necho \"$*\" >>calls\nif [ -e broken ]; then echo no credentials >&2; exit 3; fi\n\
    case $1 in --host) echo \"{\\\"who\\\": \\\"$2\\\"}\" ;; *) cat answer ;; esac\n";
const ANSWER: &str = "{\"web\": {\"hosts\": [\"web1\"]}, \"_meta\": {\"hostvars\": {}}}";

fn fleet() -> Fan {
    let fan = Fan::new()
        .file("cloud", PROGRAM)
        .file("answer", ANSWER)
        .file("inventory.yaml", "sources: [{exec: cloud, cache: 10m}]\n");
    fs::set_permissions(fan.work().join("cloud"), fs::Permissions::from_mode(0o755)).unwrap();
    fan
}

fn calls(fan: &Fan) -> usize {
    fs::read_to_string(fan.work().join("calls")).unwrap_or_default().lines().count()
}

#[track_caller]
fn listed(fan: &Fan, flags: &[&str]) -> (String, String) {
    let Ran { code, stdout, stderr, .. } = fan.run([&["hosts", "--list"], flags].concat());
    assert_eq!(code, Some(0), "{stderr}");
    (stdout.lines().collect::<Vec<_>>().join(" "), stderr)
}

/// The files of the cache.
fn kept(fan: &Fan) -> Vec<PathBuf> {
    let folder = fan.home().join(".cache/fan/sources");
    fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

/// Makes the answer that is kept so much older.
fn age(fan: &Fan, seconds: u64) {
    let [file] = &kept(fan)[..] else { panic!("{:?}", kept(fan)) };
    let mut answer: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    answer["time"] = (answer["time"].as_u64().unwrap() - seconds).into();
    fs::write(file, answer.to_string()).unwrap();
}

#[test]
fn an_answer_is_kept_as_long_as_the_file_says() {
    let fan = fleet();
    assert_eq!(listed(&fan, &[]), ("web1".to_owned(), String::new()));
    fs::write(fan.work().join("answer"), ANSWER.replace("web1", "web2")).unwrap();
    age(&fan, 100);
    let (hosts, said) = listed(&fan, &[]);
    assert_eq!((&*hosts, calls(&fan)), ("web1", 1));
    assert!(said.starts_with("cloud: its answer of 1m 4"), "{said}");
    assert!(said.ends_with(" ago, from the cache\n"), "{said}");
    let meta = fs::metadata(&kept(&fan)[0]).unwrap();
    assert_eq!(meta.mode() & 0o7777, 0o600);
    for folder in [".cache/fan", ".cache/fan/sources"] {
        assert_eq!(fs::metadata(fan.home().join(folder)).unwrap().mode() & 0o7777, 0o700, "{folder}");
    }
    // Asked again when the user says so, when the time is over, and when the program is another one.
    assert_eq!(listed(&fan, &["--refresh"]), ("web2".to_owned(), String::new()));
    age(&fan, 601);
    assert_eq!((listed(&fan, &[]).1, calls(&fan)), (String::new(), 3));
    fs::write(fan.work().join("cloud"), format!("{PROGRAM}# edited\n")).unwrap();
    assert_eq!((listed(&fan, &[]).1, calls(&fan)), (String::new(), 4));
    // Another account has other hosts; what another program answered is none of its hosts.
    let fan = fan.env("AWS_PROFILE", "production");
    assert_eq!((listed(&fan, &[]).1, calls(&fan)), (String::new(), 5));
    // A file that is damaged is none.
    kept(&fan).iter().for_each(|file| fs::write(file, "{\"version\": 1, \"ti").unwrap());
    assert_eq!((listed(&fan, &[]).0, calls(&fan)), ("web2".to_owned(), 6));
}

#[test]
fn a_cache_that_others_may_write_to_is_not_used() {
    let fan = fleet();
    let folder = fan.home().join(".cache/fan/sources");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let (hosts, said) = listed(&fan, &[]);
    assert_eq!(hosts, "web1");
    assert!(
        said.contains(
            "inventory.yaml:1:18: warning: the answer of cloud cannot be kept: others may write to"
        ),
        "{said}"
    );
    assert!(kept(&fan).is_empty());
}

#[test]
fn a_source_that_fails_is_an_error_unless_its_last_answer_is_young_enough() {
    let fan = fleet();
    listed(&fan, &[]);
    age(&fan, 7200);
    fs::write(fan.work().join("broken"), "").unwrap();
    let said = fan.run(["hosts", "--list"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.stderr
            .starts_with("inventory.yaml:1:18: error: cloud --list failed (exit status: 3): no credentials"),
        "{}",
        said.stderr
    );
    let said = fan.run(["hosts", "--list", "--stale-ok", "1h"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.stderr.contains("(help: --stale-ok 1h 00m does not help: its last answer is 2h 00m old)"),
        "{}",
        said.stderr
    );
    // In every command alike, and said.
    let said = fan.run(["exec", "-n", "-H", "all", "--stale-ok", "3h", "--", "true"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.contains("web1"), "{}", said.stdout);
    assert!(
        said.stderr.contains(
            "inventory.yaml:1:18: warning: cloud --list failed (exit status: 3): no credentials (help: its hosts are those of 2h 00m ago (--stale-ok))"
        ),
        "{}",
        said.stderr
    );
    // What is no JSON is a failure too.
    fs::remove_file(fan.work().join("broken")).unwrap();
    fs::write(fan.work().join("answer"), "Traceback").unwrap();
    let (hosts, said) = listed(&fan, &["--stale-ok", "3h"]);
    assert_eq!(hosts, "web1");
    assert!(said.contains("cloud:1:1: warning: this is no JSON (help: its hosts are those of"), "{said}");
}

#[test]
fn programs_of_the_command_line_are_kept_for_stale_ok() {
    let fan = fleet().file("answer", "{\"web\": [\"web1\", \"web2\"]}");
    assert_eq!(listed(&fan, &["-i", "cloud"]).0, "web1 web2");
    assert!(kept(&fan).is_empty());
    assert_eq!(listed(&fan, &["-i", "cloud", "--stale-ok", "1h"]).0, "web1 web2");
    fs::write(fan.work().join("broken"), "").unwrap();
    let ran = fan.run(["hosts", "--json", "-i", "cloud", "--stale-ok", "1h"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let hosts: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    // With what it answered about each host.
    assert_eq!(hosts[1]["vars"]["who"], "web2");
}

#[test]
fn passwords_are_not_kept() {
    let plain =
        "{\"web\": [\"web1\"], \"_meta\": {\"hostvars\": {\"web1\": {\"ansible_password\": \"c4nary\"}}}}";
    let fan = fleet().file("answer", plain);
    let (hosts, said) = listed(&fan, &[]);
    assert_eq!(hosts, "web1");
    assert!(said.contains("warning: cloud prints passwords: its answer is not kept"), "{said}");
    assert!(kept(&fan).is_empty());
}
