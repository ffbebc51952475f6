//! `fan demo`: throw-away hosts that work, and that are gone afterwards.

use std::path::Path;

use rustix::process::Signal;

use crate::fixtures::stable::stable;
use crate::fixtures::support::{Fan, eventually, output};

/// The binary with a folder of its own for temporary files.
fn fan() -> Fan {
    let fan = Fan::new().file("tmp/.keep", "");
    let tmp = fan.work().join("tmp");
    fan.env("TMPDIR", tmp.to_str().unwrap())
}

/// Nothing is left: no file, and no process that works in the folder.
fn assert_clean(fan: &Fan) {
    let tmp = fan.work().join("tmp");
    let left: Vec<_> = std::fs::read_dir(&tmp).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".keep"]);
    eventually("no process is left", || processes_in(&tmp).is_empty().then_some(()));
}

fn processes_in(folder: &Path) -> Vec<String> {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let cwd = |entry: &std::fs::DirEntry| std::fs::read_link(entry.path().join("cwd")).ok();
    all.filter(|entry| cwd(entry).is_some_and(|cwd| cwd.starts_with(folder)))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn the_example() {
    let fan = fan();
    let ran = fan.run(["demo"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    // Hosts take turns as they like; what each does is the same.
    let of = |host: &str| -> Vec<String> {
        ran.stdout.lines().filter_map(|line| line.strip_prefix(host)).map(str::to_owned).collect()
    };
    assert_eq!(calm(&of("web01")), calm(&of("web03")), "{}", ran.snapshot());
    insta::assert_snapshot!(calm(&of("web01")), @"
    | <clock>
    | version 1.0
    | deployed to <machine>
    | Release 1.0 is live (begun at <clock>
    ");
    let (run, told) = ran.stderr.split_once("\nreport: ").unwrap();
    insta::assert_snapshot!(stable(&sorted(run), &[]), @r#"
      the recap             every host once, with one status
      warned                "See what is live now" fails the first time, and is allowed to
      web01  ok  11/11 steps  5 changed  1 warned
      web01 | ...           output as it comes, each line with its host
      web02  ok  11/11 steps  5 changed  1 warned
      web03  ok  11/11 steps  5 changed  1 warned
      web04  ok  11/11 steps  5 changed  1 warned
    check: 4 hosts
    demo of deploy · web[01-04] · 4 ok  <time>
    demo: 4 throw-away hosts on 127.0.0.1; they and their folders are removed at the end
    demo: a release is deployed, as the comments of tasks.example.yaml describe. Watch for
    deploy: 4 hosts
    web01: deploy step 4 "See what is live now" (tasks.example.yaml:78) warned: exit status 1
    web02: deploy step 4 "See what is live now" (tasks.example.yaml:78) warned: exit status 1
    web03: deploy step 4 "See what is live now" (tasks.example.yaml:78) warned: exit status 1
    web04: deploy step 4 "See what is live now" (tasks.example.yaml:78) warned: exit status 1
    "#);
    for line in told
        .split_once("\nnext:\n")
        .unwrap()
        .1
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("fan "))
    {
        let words = line.split("  ").next().unwrap().split(' ');
        assert_ne!(fan.run(words.chain(["--help"])).code, Some(2), "fan {line}");
    }
    let report = fan.home().join(".local/state/fan/demo.html");
    assert!(told.starts_with(&format!("{} (hosts", report.display())), "{}", ran.snapshot());
    let page = std::fs::read_to_string(&report).unwrap();
    assert!(page.contains("web04") && page.contains("Switch to it"));
    // The next one replaces it, and a report of one's own is the only one.
    assert_eq!(fan.run(["demo", "--hosts", "2", "--report", "mine.html"]).code, Some(0));
    assert_eq!(std::fs::read_to_string(&report).unwrap(), page);
    assert_clean(&fan);
}

/// Programs that read what a demo prints, and people who run something of theirs, are not guided.
#[test]
fn only_the_example_is_a_tour() {
    let fan = fan();
    for words in [&["demo", "-q"][..], &["demo", "--format", "jsonl"], &["demo", "hello"]] {
        let ran = fan.run(words);
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        assert!(!ran.stderr.contains("next:") && !ran.stderr.contains("report:"), "{}", ran.snapshot());
    }
    assert!(!fan.home().join(".local/state/fan/demo.html").exists());
    // Without a place for it there is no report, and all the rest.
    let nowhere = fan.env("XDG_STATE_HOME", "/proc/none");
    let ran = nowhere.run(["demo"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(ran.stderr.contains("next:") && !ran.stderr.contains("report:"), "{}", ran.snapshot());
}

fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Hides the time of day and the name of the machine.
fn calm(lines: &[String]) -> String {
    let mut command = std::process::Command::new("uname");
    command.arg("-n");
    let machine = String::from_utf8(output(command, b"").stdout).unwrap();
    let text = lines.join("\n").replace(machine.trim(), "<machine>");
    let is_clock =
        |word: &str| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    let calm = |word: &str| {
        if is_clock(word.trim_end_matches(')')) { "<clock>".to_owned() } else { word.to_owned() }
    };
    let line = |line: &str| line.split(' ').map(calm).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn another_task_with_arguments() {
    let fan = fan();
    let ran = fan.run(["demo", "hello:name=Jeff"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    insta::assert_snapshot!(ran.sorted_stdout().join("\n"), @"
    db1   | Hello Jeff, this is db1
    web01 | Hello Jeff, this is web01
    web02 | Hello Jeff, this is web02
    web03 | Hello Jeff, this is web03
    web04 | Hello Jeff, this is web04
    ");
    let ran = fan.run(["demo", "uptime", "-R", "db", "--format", "jsonl"]);
    ran.events();
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_clean(&fan);
}

#[test]
fn thirty_hosts() {
    let fan = fan();
    let ran = fan.run(["demo", "--hosts", "30"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(ran.stderr.contains("web[01-30]"), "{}", ran.snapshot());
    assert!(ran.stderr.contains("30 ok"), "{}", ran.snapshot());
    assert_clean(&fan);
}

#[test]
fn a_rehearsal_of_ones_own_files() {
    let inventory = "defaults: {user: deploy, identity: /nonexistent/key}\n\
                     hosts:\n  a[1-3]: {address: 192.0.2.1, port: 2222}\n  b: {vars: {code: 7}}\n";
    let tasks =
        "tasks: {all: {hosts: [all], steps: [{run: 'echo $FAN_HOST; exit {{ code | default(0) }}'}]}}\n";
    let fan = fan().file("mine.yaml", inventory).file("my-tasks.yaml", tasks);
    let ran = fan.run(["demo", "--yes", "-i", "mine.yaml", "-f", "my-tasks.yaml", "all"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert_eq!(ran.sorted_stdout(), ["a1 | a1", "a2 | a2", "a3 | a3", "b  | b"], "{}", ran.snapshot());
    assert!(ran.stderr.contains("b: step 1"), "{}", ran.snapshot());
    assert_clean(&fan);
    let ran = fan.run(["demo", "-i", "mine.yaml", "-f", "my-tasks.yaml"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains("no task \"deploy\" in my-tasks.yaml"), "{}", ran.snapshot());
    assert_clean(&fan);
}

/// Commands of one's own tasks run on this machine: someone has to agree, and files stay in the hosts' folders.
#[test]
fn a_rehearsal_touches_this_machine_only_when_that_is_agreed_to() {
    let outside = tempfile::tempdir().unwrap();
    let outside = outside.path().display().to_string();
    let tasks = format!(
        "tasks:\n  files:\n    hosts: [all]\n    steps:\n\
         \x20     - {{file: {outside}/made, state: directory}}\n\
         \x20     - {{put: note, to: {outside}/made/../../../..{outside}/made/note}}\n\
         \x20     - {{stat: {outside}/made/note, register: there}}\n\
         \x20     - assert: there.exists\n\
         \x20 commands:\n    hosts: [all]\n    before: [files]\n    steps:\n\
         \x20     - {{run: 'cat made/note', cd: {outside}}}\n\
         \x20     - {{run: 'touch {outside}/done', creates: '{outside}/mad[e]*'}}\n\
         \x20     - reboot: true\n"
    );
    let fan =
        fan().file("mine.yaml", "hosts: [h1, h2]\n").file("my-tasks.yaml", &tasks).file("note", "here\n");
    let demo =
        |words: &[&str]| fan.run([&["demo", "-i", "mine.yaml", "-f", "my-tasks.yaml"], words].concat());
    let ran = demo(&["files"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let ran = demo(&["commands"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(
        ran.stderr.contains("the commands of my-tasks.yaml run on this machine, as you"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("--yes runs them without asking"), "{}", ran.stderr);
    let ran = demo(&["--yes", "commands"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let said = ran.sorted_stdout();
    assert!(said.contains(&"h1 | here"), "{said:?}");
    assert!(said.iter().any(|line| line.contains("not restarted")), "{said:?}");
    let left = std::fs::read_dir(&outside).unwrap().count();
    assert_eq!(left, 0, "nothing was written outside of the hosts' folders");
    assert_clean(&fan);
}

/// At whatever moment it is stopped.
#[test]
fn a_demo_that_is_stopped_cleans_up() {
    let fan = fan();
    let endless = fan.work().join("endless.yaml");
    std::fs::write(&endless, "tasks: {wait: {hosts: [all], steps: [{run: 'touch up; sleep 600'}]}}\n")
        .unwrap();
    let tmp = fan.work().join("tmp");
    let folders = || std::fs::read_dir(&tmp).unwrap().count() - 1;
    let call = ["demo", "-y", "-f", "endless.yaml", "wait", "--format", "jsonl"];
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let started = fan.start(call);
        eventually("its commands run", || (processes_in(&tmp).len() >= 5).then_some(()));
        started.signal(signal);
        let ran = started.finish();
        assert_eq!(ran.code, Some(code), "{}", ran.snapshot());
        ran.events();
        assert_clean(&fan);
        // As soon as there is something to clean up.
        let started = fan.start(call);
        eventually("its folder is there", || (folders() > 0).then_some(()));
        started.signal(signal);
        let ran = started.finish();
        assert_eq!(ran.code, Some(code), "{}", ran.snapshot());
        assert_clean(&fan);
    }
}
