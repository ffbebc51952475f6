//! Comparing answers: who is the reference, which contents are needed, what is said; and the memory of many hosts.

use crate::model::inventory::HostName;
use crate::report::drift::compare::{
    ComparedBy, DriftContents, DriftReference, compare_outputs, compare_surveys,
};
use crate::report::drift::reader::{OutputsOfHosts, SurveysOfHosts};
use crate::report::drift::{drift_json, drift_page, drift_words};
use crate::report::style::Style;

/// A folder with files, as a host tells it.
fn answer(files: &[(&str, &str, u8)]) -> Vec<u8> {
    let mut answer = b"P\x000\0d\0".to_vec();
    let one = |word: &str, lines: &dyn Fn(&(&str, &str, u8)) -> String| {
        let names: String = files.iter().map(|(name, _, _)| format!("./{name}\0")).collect();
        let lines: String = files.iter().map(|file| lines(file) + "\n").collect();
        format!("{word}\0{}\0{names}{lines}\0", files.len())
    };
    answer.extend(one("m", &|(_, mode, _)| format!("8{mode}/sys/sys/4")).bytes());
    answer.extend(one("h", &|(_, _, hash)| format!("{hash:02x}").repeat(32)).bytes());
    answer.extend(b"E\0");
    answer
}

fn hosts(count: usize) -> Vec<HostName> {
    (1..=count).map(|number| HostName::from(format!("web{number}").as_str())).collect()
}

fn by(hosts: &[HostName], reference: DriftReference) -> ComparedBy<'_> {
    ComparedBy { title: "/etc".to_owned(), names: vec!["/etc".to_owned()], hosts, reference }
}

fn surveys() -> SurveysOfHosts {
    SurveysOfHosts::new(Box::new(|path, _| path != b"noise"), true)
}

const NORMAL: &[(&str, &str, u8)] = &[("a", "1a4", 1), ("b", "1a4", 2), ("noise", "1a4", 3)];

#[test]
fn the_odd_ones_differ_from_the_majority() {
    let names = hosts(5);
    let mut all = surveys();
    for host in &names[..3] {
        all.whole(host, &answer(NORMAL));
    }
    all.whole(&names[3], &answer(&[("a", "180", 1), ("b", "1a4", 9), ("noise", "1a4", 77)]));
    all.whole(&names[4], &answer(&[("b", "1a4", 2), ("new", "1a4", 5)]));
    let (_, needs) = compare_surveys(&by(&names, DriftReference::Majority), &all, None);
    // Where contents are the same none is read, and of the others each once, of one host.
    let read: Vec<(&[u8], usize)> = needs.iter().map(|need| (&need.path[..], need.hosts.len())).collect();
    assert_eq!(read, [(&b"b"[..], 4), (b"b", 1)]);
    let mut contents = DriftContents::new();
    contents.insert(needs[0].hash, b"one\ntwo\n".to_vec());
    contents.insert(needs[1].hash, b"one\n2\n\x1b[31m\n".to_vec());
    let (drift, _) = compare_surveys(&by(&names, DriftReference::Majority), &all, Some(&contents));
    insta::assert_snapshot!(drift_words(&drift, Style::default()), @r"
    /etc: 0 the same, 1 differ, 1 added, 1 missing (paths on 5 hosts, compared with the majority)
    /etc/a: missing
      web[1-3] (3): 0644 sys:sys, 4 B, sha256 01010101
      web4: 0600 sys:sys, 4 B, sha256 01010101
      web5: missing
    /etc/b: differs
      web[1-3,5] (4): 0644 sys:sys, 4 B, sha256 02020202
      web4: 0644 sys:sys, 4 B, sha256 09090909
      | --- web[1-3,5] (4)
      | +++ web4
      | @@ -1,2 +1,3 @@
      |  one
      | -two
      | +2
      | +\x1b[31m
    /etc/new: added
      web[1-4] (4): missing
      web5: 0644 sys:sys, 4 B, sha256 05050505
    ");
    let page = drift_page(&drift);
    assert!(page.contains("\"path\":\"/etc/b\"") && !page.contains("{data}"), "{page}");
    let json: serde_json::Value = serde_json::from_str(&drift_json(&drift)).unwrap();
    assert_eq!(json["differences"][2]["how"], "added");

    let from = DriftReference::Host(names[4].clone());
    let (drift, _) = compare_surveys(&by(&names, from), &all, Some(&contents));
    let ways: Vec<(&str, &str)> =
        drift.items.iter().map(|item| (item.path.as_str(), item.way.word())).collect();
    assert_eq!(ways, [("/etc/a", "added"), ("/etc/b", "differs"), ("/etc/new", "missing")]);
}

#[test]
fn what_many_hosts_have_is_held_once() {
    let names = hosts(1000);
    let files: Vec<(String, u8)> = (0..200).map(|file| (format!("file{file}"), 7)).collect();
    let files: Vec<(&str, &str, u8)> =
        files.iter().map(|(name, hash)| (name.as_str(), "1a4", *hash)).collect();
    let same = answer(&files);
    let mut all = surveys();
    for host in &names {
        all.whole(host, &same);
    }
    assert_eq!((all.paths.len(), all.listings.len()), (200, 1));
    let (drift, needs) = compare_surveys(&by(&names, DriftReference::Majority), &all, None);
    assert!(!drift.differs() && needs.is_empty());
    assert_eq!((drift.hosts, drift.roots[0].same), (1000, 200));
}

#[test]
fn what_cannot_be_seen_is_not_the_same() {
    let names = hosts(3);
    let mut all = surveys();
    all.whole(&names[0], b"P\x000\0d\0m\x002\0./s\0./s/x\x0041ed/r/r/0\n81a4/r/r/4\n\0E\0");
    all.whole(&names[1], b"P\x000\0d\0m\x001\0./s\x0041ed/r/r/0\n\0u\0./s\0E\0");
    all.whole(&names[2], b"P\x000\0c\0cd: Permission denied\0E\0");
    let (drift, _) = compare_surveys(&by(&names, DriftReference::Majority), &all, None);
    assert_eq!(
        drift.uncompared,
        ["/etc on web3: cd: Permission denied", "/etc/s on web2: may not be listed"]
    );
    let shown = drift_words(&drift, Style::default());
    assert!(!shown.contains("missing"), "{shown}");
    let mut all = surveys();
    for host in &names {
        all.whole(host, b"P\x000\0n\0E\0");
    }
    let (drift, _) = compare_surveys(&by(&names, DriftReference::Majority), &all, None);
    assert_eq!(drift.uncompared, ["/etc: it is on none of the hosts"]);
}

#[test]
fn outputs_are_compared_by_all_that_was_said() {
    let names = hosts(4);
    let mut all = OutputsOfHosts::default();
    let long = vec![b'x'; 5 * 1024 * 1024];
    let mut other = long.clone();
    other[3 * 1024 * 1024] = b'y';
    for (host, data) in names.iter().zip([&long[..], &long, &other, b"\xff\0"]) {
        all.whole(host, data);
    }
    let drift = compare_outputs(&by(&names, DriftReference::Majority), &all);
    let groups: Vec<usize> = drift.items[0].groups.iter().map(|group| group.hosts.len()).collect();
    assert_eq!(groups, [2, 1, 1], "one byte in the middle");
    insta::assert_snapshot!(drift_words(&drift, Style::default()), @"
    /etc: differs on 4 hosts, compared with the majority
      web[1-2] (2): 5.0 MiB
        (too long to show)
      web3: 5.0 MiB
        (too long to show)
      web4: 1 line
        (binary)
    ");
}

/// The reference is what can be compared: neither what is missing nor what nobody could read stands in the way of the rest.
#[test]
fn contents_are_shown_against_the_first_that_can_be_read() {
    let names = hosts(5);
    let mut all = surveys();
    let shut = [answer(&[("a", "1a4", 1)]).strip_suffix(b"E\0").unwrap(), b"u\0./a\0E\0"].concat();
    all.whole(&names[0], &shut);
    all.whole(&names[1], &shut);
    all.whole(&names[2], &answer(&[("a", "1a4", 2)]));
    all.whole(&names[3], &answer(&[("a", "1a4", 3)]));
    all.whole(&names[4], &answer(&[("b", "1a4", 1)]));
    let (_, needs) = compare_surveys(&by(&names, DriftReference::Majority), &all, None);
    let contents: DriftContents =
        needs.iter().map(|need| (need.hash, format!("{:?}\n", need.hash).into_bytes())).collect();
    let (drift, _) = compare_surveys(&by(&names, DriftReference::Majority), &all, Some(&contents));
    let shown = drift_words(&drift, Style::default());
    assert!(shown.contains("| --- web3\n  | +++ web4\n"), "{shown}");
    assert!(drift_page(&drift).contains("\"left\":\"web3\""));
}
