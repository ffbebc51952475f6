//! What hosts print: unbounded, hostile, cut short by its reader; and what fan makes of it.

use std::path::Path;

use fan::testing::event::{Fact, TaskFact};
use fan::testing::sandbox::Behaviour;

use crate::fixtures::support::{Fan, eventually, peak_memory, sandbox};

/// What fan may take at most, whatever hosts send: well below what the output would fill.
const MEMORY: u64 = 20 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_gigabyte_takes_little_memory() {
    let sandbox = sandbox([("flood", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox).stdout_to("/dev/null");
    let mut peak = 0;
    let command = "head -c 1000000000 /dev/zero | tr '\\0' '\\n'";
    let ran = fan
        .start(["exec", "-N", "-H", "flood", "--", command])
        .finish_watched(|pid| peak = peak.max(peak_memory(pid)));
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(peak > 0 && peak < MEMORY, "{} MiB", peak >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_arrives_once() {
    let sandbox = sandbox([("host", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox);
    let script = "head -c 5000000 /dev/urandom > data; sha256sum < data | cut -c1-64 > sum; cat data";
    let out = fan.work().join("out");
    std::fs::write(&out, "").unwrap();
    let fan = fan.stdout_to(&out);
    let ran = fan.run(["exec", "-N", "-H", "host", "--", script]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(sandbox.hosts()[0].home.join("data")).unwrap());
}

/// 100 MB without a line end: in pieces, in bounds and in time that grows with the size.
#[tokio::test(flavor = "multi_thread")]
async fn an_endless_line() {
    let sandbox = sandbox([("host", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox);
    let (out, mut peak) = (fan.work().join("out"), 0);
    std::fs::write(&out, "").unwrap();
    let fan = fan.stdout_to(&out);
    let started = fan.start(["exec", "-H", "host", "--", "head -c 100000000 /dev/zero | tr '\\0' x"]);
    let ran = started.finish_watched(|pid| peak = peak.max(peak_memory(pid)));
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(peak < MEMORY, "{} MiB", peak >> 20);
    let text = std::fs::read_to_string(&out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (last, pieces) = lines.split_last().unwrap();
    assert!(pieces.iter().all(|line| line.starts_with("host | x") && line.ends_with('…')), "{last}");
    let data = |line: &&str| line.trim_end_matches('…').len() - "host | ".len();
    assert_eq!(lines.iter().map(data).sum::<usize>(), 100_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_output_is_shown_and_not_obeyed() {
    let sandbox = sandbox([("web1", Behaviour::Normal)]).await;
    let script = r#"
printf 'clear \033[2J\033[H title \033]0;owned\007 colour \033[31mred\033[0m bell \007\n'
printf 'c1 \302\233 2J, bad utf-8 \377\376, bidi \342\200\256 evil, del \177, nul \000 end\n'
printf 'one\rtwo\r\nthree\n'
printf 'web2 | all is lost\n'
printf '\nweb2 | still\n'
printf '::error::boom ##[command]x ##vso[task.complete]x ##teamcity[x]\n'
printf 'stderr \033[8m too\n' >&2
printf 'no newline'
"#;
    let fan = Fan::of(&sandbox);
    let ran = fan.run(["exec", "-H", "web1", "--", script]);
    let shown = ran.snapshot().replace(script, "<script>");
    assert!(!shown.contains(['\x1b', '\x07', '\u{9b}', '\u{202e}', '\x7f', '\0', '\r']), "{shown:?}");
    assert!(ran.stdout.lines().all(|line| line.starts_with("web1 | ")), "{shown}");
    insta::assert_snapshot!(ran.stdout, @r"
    web1 | clear \x1b[2J\x1b[H title \x1b]0;owned\x07 colour \x1b[31mred\x1b[0m bell \x07
    web1 | c1 \u{9b} 2J, bad utf-8 \xff\xfe, bidi \u{202e} evil, del \x7f, nul \x00 end
    web1 | one\rtwo
    web1 | three
    web1 | web2 | all is lost
    web1 | 
    web1 | web2 | still
    web1 | ::error::boom ##[command]x ##vso[task.complete]x ##teamcity[x]
    web1 | no newline
    ");
    // A CI runner obeys what is on its log, with or without a prefix.
    let ci = Fan::of(&sandbox).env("CI", "true").run(["exec", "-N", "-H", "web1", "--", script]);
    for dangerous in ["\x1b", "\n::", "##[", "##vso[", "##teamcity["] {
        assert!(
            !ci.stdout.contains(dangerous) && !ci.stderr.contains(dangerous),
            "{dangerous:?}: {}",
            ci.stdout
        );
    }
    let jsonl = fan.run(["exec", "--format", "jsonl", "-H", "web1", "--", script]);
    for dangerous in ["\x1b", "##[", "\u{9b}", "\u{202e}"] {
        assert!(!jsonl.stdout.contains(dangerous), "{dangerous:?}: {}", jsonl.stdout);
    }
    assert_eq!(jsonl.code, Some(0));
}

/// Text of a host gets into messages and recaps too.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_in_a_recap() {
    let greeting = "HTTP/1.1 \x1b[2J\u{202e}oops\r\n".to_owned();
    let sandbox = sandbox([("fails", Behaviour::Normal), ("http", Behaviour::NotSsh(greeting))]).await;
    let script = "printf 'why \\033[2J\\n##[x]\\n' >&2; exit 9";
    for format in ["auto", "lines", "quiet", "jsonl"] {
        let ran = Fan::of(&sandbox).run(["exec", "--format", format, "-H", "all", "--", script]);
        assert_eq!(ran.code, Some(1), "{format}: {}", ran.snapshot());
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.contains(['\x1b', '\u{202e}']), "{format}: {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_stay_apart() {
    let sandbox = sandbox([("a", Behaviour::Normal), ("b", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox);
    let call = |command: &str, flags: &[&str]| {
        fan.run(["exec", "-z", "1", "-H", "all"].iter().chain(flags).chain(&["--", command])).snapshot()
    };
    insta::assert_snapshot!(call("echo out; echo err >&2", &["-N"]), @"
    exit code: 0
    --- stdout
    out
    out
    --- stderr
    err
    err
    exec echo out; echo err >&2 · a,b · 2 ok  <time>
      a  ok
      b  ok
    ");
    insta::assert_snapshot!(call("echo err >&2; exit 2", &["--format", "quiet"]), @"
    exit code: 1
    --- stderr
    a,b (2 hosts): exit status 2
      | err
    ");
    insta::assert_snapshot!(call("echo out; exit 2", &["-v", "-w"]), @"
    exit code: 0
    --- stdout
    a | out
    b | out
    --- stderr
    selected by -H all: a,b
    run <run>, 1 host at a time
    a: connecting to 127.0.0.1:<port>
    a: connected (queued <time>, connect <time>, handshake <time>, auth <time>) by ED25519 SHA256:<fingerprint>
    a: warned: exit status 2
    b: connecting to 127.0.0.1:<port>
    b: connected (queued <time>, connect <time>, handshake <time>, auth <time>) by ED25519 SHA256:<fingerprint>
    b: warned: exit status 2
    exec echo out; exit 2 · a,b · 2 ok  <time>
      a  ok  1 warned
      b  ok  1 warned
    ");
    insta::assert_snapshot!(call("echo err >&2; exit 2", &["--format", "lines", "--color", "always"]).replace('\x1b', "ESC"), @"
    exit code: 1
    --- stderr
    ESC[36ma |ESC[0m err
    ESC[31ma: exit status 2ESC[0m
    ESC[92mb |ESC[0m err
    ESC[31mb: exit status 2ESC[0m
    exec echo err >&2; exit 2 · a,b · 2 failed  <time>
      a  ESC[31mfailedESC[0m
      b  ESC[31mfailedESC[0m

    a,b (2 hosts): exit status 2
      | err
    ");
}

/// The reader of a pipe that has seen enough: the hosts finish, and they decide the exit code.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away() {
    let sandbox = sandbox([("host", Behaviour::Normal)]).await;
    let command = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i + 1)); done; touch finished; exit ";
    for (code, flags) in
        [("0", ["--format", "auto"]), ("3", ["--format", "auto"]), ("0", ["--format", "jsonl"])]
    {
        let fan = Fan::of(&sandbox).in_script("{ \"$@\"; echo $? > code; } | head -n 1");
        let finished = sandbox.hosts()[0].home.join("finished");
        let _ = std::fs::remove_file(&finished);
        let ran =
            fan.run(["exec", "-H", "host"].iter().chain(&flags).chain(&["--", &format!("{command}{code}")]));
        assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.snapshot());
        let ended = std::fs::read_to_string(fan.work().join("code")).unwrap();
        assert_eq!(ended.trim(), if code == "0" { "0" } else { "1" }, "{}", ran.snapshot());
        assert!(finished.exists());
    }
    // Also of what only prints.
    let fan = Fan::of(&sandbox).in_script("{ \"$@\"; echo $? > code; } | true");
    fan.run(["hosts"]);
    assert_eq!(std::fs::read_to_string(fan.work().join("code")).unwrap().trim(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk() {
    let sandbox = sandbox([("host", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox).stdout_to("/dev/full");
    for format in ["auto", "jsonl"] {
        let finished = sandbox.hosts()[0].home.join(format);
        let command = format!("echo text; touch {format}");
        let ran = fan.run(["exec", "--format", format, "-H", "host", "--", &command]);
        assert_eq!(ran.code, Some(5), "{}", ran.snapshot());
        assert!(ran.stderr.contains("No space left on device"), "{}", ran.snapshot());
        assert!(finished.exists());
    }
    // A host that failed is the worse news.
    let ran = fan.run(["exec", "-H", "host", "--", "echo text; exit 1"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert_eq!(fan.run(["hosts"]).code, Some(5));
}

/// A pipe that nobody reads holds back the host that floods it, and no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_sleeps() {
    let names: Vec<String> = (1..=9).map(|number| format!("quiet{number}")).collect();
    let quiet = names.iter().map(|name| (name.as_str(), Behaviour::Normal));
    let sandbox = sandbox(quiet.chain([("flood", Behaviour::Normal)])).await;
    let fan = Fan::of(&sandbox).in_script("\"$@\" | { until test -e awake; do sleep 0.05; done; wc -c; }");
    let command =
        "case $(basename $PWD) in flood) head -c 20000000 /dev/zero | tr '\\0' '\\n';; esac; touch done";
    let started = fan.start(["exec", "-N", "-H", "all", "--", command]);
    let is_done = |name: &Path| name.join("done").exists();
    eventually("the quiet hosts are done", || {
        sandbox.hosts()[..9].iter().all(|host| is_done(&host.home)).then_some(())
    });
    assert!(!is_done(&sandbox.hosts()[9].home), "20 MB went nowhere");
    std::fs::write(fan.work().join("awake"), "").unwrap();
    let ran = started.finish();
    assert_eq!(ran.stdout.trim(), "20000000", "{}", ran.snapshot());
    assert!(is_done(&sandbox.hosts()[9].home));
}

#[tokio::test(flavor = "multi_thread")]
async fn output_of_many_hosts_is_never_torn() {
    let names: Vec<String> = (10..30).map(|number| format!("h{number}")).collect();
    let sandbox = sandbox(names.iter().map(|name| (name.as_str(), Behaviour::Normal))).await;
    let command = "i=0; while [ $i -lt 300 ]; do echo $n $i; i=$((i + 1)); done";
    let fan = Fan::of(&sandbox);
    let ran = fan.run(["exec", "-H", "all", "--", "n=$(basename $PWD);", command]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 6_000), "{}", ran.stderr);
    let mut next = std::collections::HashMap::new();
    for line in ran.stdout.lines() {
        let (prefix, text) = line.split_once(" | ").unwrap();
        let (name, number) = text.split_once(' ').unwrap();
        let expected = next.entry(name).or_insert(0);
        assert_eq!((prefix, number.parse()), (name, Ok(*expected)), "{line}");
        *expected += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ping_tells_each_phase() {
    let sandbox = sandbox([("good", Behaviour::Normal), ("shut", Behaviour::RefuseAuth)]).await;
    let fan = Fan::of(&sandbox);
    let ran = fan.run(["ping", "-z", "1", "-H", "all"]);
    insta::assert_snapshot!(ran.snapshot(), @"
    exit code: 3
    --- stdout
    good  ok  connect <time>  handshake <time>  auth <time>  exec <time>  ED25519 SHA256:<fingerprint>
    shut  unreachable  auth_failed
    --- stderr
    shut: login as fan was refused: tried ED25519 SHA256:<fingerprint>; the server allows publickey (127.0.0.1:<port>) [auth_failed]
    hint: is one of these keys in ~fan/.ssh/authorized_keys there?
    ");
    let json = fan.run(["ping", "--json", "-z", "1"]);
    assert_eq!(json.code, Some(3), "{}", json.snapshot());
    for line in json.stdout.lines() {
        assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
    }
    assert_eq!(json.stdout.lines().count(), 2, "{}", json.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_of_events_is_whole() {
    let sandbox =
        sandbox([("a", Behaviour::Normal), ("b", Behaviour::RefuseAuth), ("c", Behaviour::Normal)]).await;
    let tasks = "tasks:
  one: {hosts: [all], steps: [{echo: 'x'}, {run: 'test $FAN_HOST != c', warn_only: true}]}
  two: {hosts: [a], steps: [{local: 'true'}]}
";
    let fan = Fan::of(&sandbox).file("tasks.yaml", tasks);
    for (args, code) in
        [(&["one", "two"][..], 1), (&["two"], 0), (&["one", "-H", "c"], 0), (&["one", "-H", "a,c"], 0)]
    {
        let ran = fan.run(["run", "--format", "jsonl"].iter().chain(args));
        assert_eq!(ran.code, Some(code), "{args:?}: {}", ran.stdout);
        let events = ran.events();
        let begun = |fact: &Fact| matches!(fact, Fact::Task(_, TaskFact::Started { .. }));
        let ended = |fact: &Fact| matches!(fact, Fact::Task(_, TaskFact::Finished));
        let count =
            |wanted: &dyn Fn(&Fact) -> bool| events.iter().filter(|event| wanted(&event.fact)).count();
        assert_eq!(count(&begun), count(&ended), "{}", ran.stdout);
        assert!(events.is_sorted_by_key(|event| event.at), "{}", ran.stdout);
    }
}
