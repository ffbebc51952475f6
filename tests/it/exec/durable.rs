//! Commands that outlive their connection, on the real sshd: links that are cut anywhere, spools that cannot be, logins of all
//! kinds. What was begun is counted on the host: each command adds a line to a file.

use std::fs;
use std::path::{Path, PathBuf};

use fan::testing::event::{Event, Fact, StepFact, Stream};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

use crate::fixtures::relay::Relay;
use crate::fixtures::spools::spools;
use crate::fixtures::sshd::{Sshd, SshdBuilder};
use crate::fixtures::support::{Fan, eventually, inventory_defaults};

/// A server whose spools are in a folder of the test's.
struct Spooling {
    sshd: Sshd,
    folder: TempDir,
}

impl Spooling {
    fn new() -> Self {
        Self::with(Sshd::builder())
    }

    fn with(builder: SshdBuilder) -> Self {
        let folder = tempfile::Builder::new().prefix("fan-spool-").tempdir().unwrap();
        let line = format!("SetEnv XDG_STATE_HOME={}", folder.path().join("state").display());
        Self { sshd: builder.line(&line).start(), folder }
    }

    /// Commands that were begun, by what counts them.
    fn counter(&self) -> PathBuf {
        self.folder.path().join("counter")
    }

    fn begun(&self) -> usize {
        fs::read_to_string(self.counter()).unwrap_or_default().lines().count()
    }

    /// A command line that counts itself.
    fn counting(&self, rest: &str) -> String {
        format!("echo begun >> {}; {rest}", self.counter().display())
    }

    fn jobs(&self) -> PathBuf {
        self.folder.path().join("state/fan/jobs")
    }

    /// The names of the jobs that are kept.
    fn kept(&self) -> Vec<String> {
        let spools = spools(&self.folder.path().join("state"));
        spools.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    /// The binary with a host `h` behind a relay.
    fn behind(&self, relay: &Relay) -> Fan {
        let inventory = inventory_defaults(self.sshd.user(), &self.sshd.identity(), &self.sshd.known_hosts())
            + &format!(
                "hosts:\n  h: {{address: 127.0.0.1, port: {}, host_key: \"{}\"}}\n",
                relay.port(),
                self.sshd.host_key("ed25519")
            );
        Fan::new().file("inventory.yaml", inventory)
    }

    fn fan(&self) -> Fan {
        Fan::at(&self.sshd)
    }
}

/// All bytes of a stream.
fn said(events: &[Event], of: Stream) -> Vec<u8> {
    let output = events.iter().filter_map(|event| match &event.fact {
        Fact::Step(_, StepFact::Output { stream, data }) if *stream == of => Some(data.to_vec()),
        _ => None,
    });
    output.flatten().collect()
}

fn reattached(events: &[Event]) -> usize {
    let is = |event: &&Event| matches!(event.fact, Fact::Step(_, StepFact::Reattached { .. }));
    events.iter().filter(is).count()
}

#[test]
fn it_ends_as_any_command_and_leaves_nothing() {
    let spooling = Spooling::new();
    let fan = spooling.fan();
    // One stream each: which of two comes first is not said.
    for command in [
        "echo out; exit 3",
        "echo err >&2; exit 4",
        "true",
        "printf 'no end of line'",
        "cat; pwd",
        "kill -TERM $$",
        "kill -KILL $$",
        "exit 143",
    ] {
        let plain = fan.run(["exec", "-H", "h1", "--", command]).snapshot();
        let durable = fan.run(["exec", "-H", "h1", "--durable", "--", command]).snapshot();
        assert_eq!(durable, plain);
    }
    assert_eq!(spooling.kept(), [""; 0]);
}

/// Wherever the first connection ends: before the login, at the start, in the output, between the end and its report, while
/// the spool is removed.
#[test]
fn wherever_the_link_is_cut_the_command_runs_once_and_its_end_is_known() {
    let spooling = Spooling::new();
    let server = spooling.sshd.addresses()[0];
    let mut came_back = 0;
    let cuts: Vec<usize> = (1_600..7_000).step_by(180).collect();
    for (number, &cut) in cuts.iter().enumerate() {
        let relay = Relay::to(server, move |number| (number == 1).then_some(cut));
        let fan = spooling.behind(&relay);
        let command = spooling.counting("seq 300; echo err >&2; exit 7");
        let ran = fan.run(["exec", "-H", "h", "--durable", "--format", "jsonl", "--", &command]);
        let events = ran.events();
        assert_eq!(ran.code, Some(1), "{cut}: {}", ran.stderr);
        let seq: String = (1..=300).map(|number| format!("{number}\n")).collect();
        assert_eq!(String::from_utf8(said(&events, Stream::Stdout)).unwrap(), seq, "cut at {cut}");
        // The login shell's start-up file, which is read again for the command, may have its say before it.
        assert!(said(&events, Stream::Stderr).ends_with(b"err\n"), "cut at {cut}");
        assert!(
            ran.stdout.contains(r#""exit":{"status":7}"#) || ran.stdout.contains(r#""exit":7"#),
            "{}",
            ran.stdout
        );
        assert_eq!(spooling.begun(), number + 1, "cut at {cut}");
        came_back += reattached(&events);
    }
    assert!(came_back > 5, "{came_back}");
}

#[test]
fn much_output_over_a_link_that_breaks_again_and_again_is_whole() {
    let spooling = Spooling::new();
    let server = spooling.sshd.addresses()[0];
    let relay = Relay::to(server, |number| (number <= 4).then_some(number * 4_000_000));
    let fan = spooling.behind(&relay);
    let file = fan.work().join("out");
    fs::write(&file, "").unwrap();
    let fan = fan.stdout_to(&file);
    let command = spooling.counting("seq 6000000");
    let ran = fan.run(["exec", "-H", "h", "-N", "--durable", "--", &command]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("reattached after"), "{}", ran.stderr);
    assert_eq!((spooling.begun(), relay.connections()), (1, 5));
    let out = fs::read(&file).unwrap();
    let mut lines = out.split(|byte| *byte == b'\n');
    for number in 1..=6_000_000u32 {
        assert_eq!(lines.next(), Some(number.to_string().as_bytes()));
    }
    assert_eq!((lines.next(), lines.next()), (Some(&b""[..]), None));
    assert_eq!(spooling.kept(), [""; 0]);
}

#[test]
fn everything_that_goes_in_goes_in_once() {
    let spooling = Spooling::new();
    let server = spooling.sshd.addresses()[0];
    for cut in [2_600, 3_000, 3_400, 3_800, 4_200, 5_000, 7_000] {
        let relay = Relay::to(server, move |number| (number == 1).then_some(cut));
        let input: String = (0..2_000).map(|number| format!("line {number} \\ 'x' ä  \n")).collect();
        let tasks = format!(
            "
secrets: {{pin: {{env: PIN}}}}
tasks:
  go:
    hosts: [all]
    durable: true
    steps:
      - run: |
          cat > {0}/in
          echo \"$WHO {{{{ pin }}}}\" > {0}/env
          pwd > {0}/pwd
        stdin: \"{{{{ lookup }}}}\"
        env: {{WHO: \"it's me\"}}
        cd: /usr
      - run: printf 'Name? '; read name; printf 'Pin? '; read pin; echo \"$name/$pin\" > {0}/answers
        respond:
          - {{prompt: 'Name\\? $', answer: jeff}}
          - {{prompt: 'Pin\\? $', answer: \"{{{{ pin }}}}\"}}
",
            spooling.folder.path().display()
        );
        let fan = spooling.behind(&relay).file("tasks.yaml", tasks).env("PIN", "s3cret-pin");
        let fan = fan.file("vars.yaml", serde_json::json!({ "lookup": input }).to_string());
        let ran = fan.run(["run", "go", "-e", "@vars.yaml"]);
        assert_eq!(ran.code, Some(0), "cut at {cut}: {}", ran.snapshot());
        let read = |name: &str| fs::read_to_string(spooling.folder.path().join(name)).unwrap();
        assert_eq!(read("in"), input, "cut at {cut}");
        assert_eq!((read("env"), read("pwd")), ("it's me s3cret-pin\n".to_owned(), "/usr\n".to_owned()));
        assert_eq!(read("answers"), "jeff/s3cret-pin\n");
    }
}

#[test]
fn a_secret_is_never_in_the_spool_nor_on_a_command_line() {
    let spooling = Spooling::new();
    let tasks = format!(
        "
secrets: {{pin: {{env: PIN}}}}
tasks:
  go:
    hosts: [all]
    steps:
      - run: |
          echo {{{{ pin }}}} > /dev/null
          touch {0}/runs; while [ ! -e {0}/go ]; do sleep 0.05; done
        stdin: \"{{{{ pin }}}}\"
        durable: true
",
        spooling.folder.path().display()
    );
    let fan = spooling.fan().file("tasks.yaml", tasks).env("PIN", "s3cret-pin");
    let started = fan.start(["run", "go"]);
    eventually("the command", || spooling.folder.path().join("runs").exists().then_some(()));
    let mut looked = 0;
    for job in spooling.kept() {
        for entry in fs::read_dir(spooling.jobs().join(job)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                let content = fs::read(entry.path()).unwrap();
                assert!(!String::from_utf8_lossy(&content).contains("s3cret"), "{:?}", entry.path());
                looked += 1;
            }
        }
    }
    assert!(looked > 4);
    let mut lines = 0;
    for process in fs::read_dir("/proc").unwrap() {
        let line = fs::read(process.unwrap().path().join("cmdline")).unwrap_or_default();
        lines += usize::from(!line.is_empty());
        assert!(!String::from_utf8_lossy(&line).contains("s3cret-pin"));
    }
    assert!(lines > 4);
    fs::write(spooling.folder.path().join("go"), "").unwrap();
    assert_eq!(started.finish().code, Some(0));
}

/// Of a file with a process id, that process.
fn process(path: &Path) -> Pid {
    eventually("its process id", || Pid::from_raw(fs::read_to_string(path).ok()?.trim().parse().ok()?))
}

fn is_gone(process: Pid) -> bool {
    let state = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
    test_kill_process(process).is_err() || state.contains(") Z ")
}

#[test]
fn a_deadline_and_an_interrupt_end_the_whole_group() {
    let spooling = Spooling::new();
    let file = spooling.folder.path().join("pid");
    let command = format!("sleep 1000 & echo $! > {}; wait", file.display());
    let fan = spooling.fan();
    let ran = fan.run(["exec", "-H", "h1", "--durable", "-T", "5", "--", &command]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("ended [timeout]"), "{}", ran.stderr);
    assert!(is_gone(process(&file)));
    fs::remove_file(&file).unwrap();
    let started = fan.start(["exec", "-H", "h1", "--durable", "--", &command]);
    let child = process(&file);
    started.signal(Signal::INT);
    let ran = started.finish();
    assert_eq!(ran.code, Some(130), "{}", ran.snapshot());
    assert!(!ran.stderr.contains("may still be running"), "{}", ran.stderr);
    assert!(is_gone(child));
    assert_eq!(spooling.kept(), [""; 0]);
}

#[test]
fn a_session_that_is_killed_and_a_follower_that_is_killed_are_replaced() {
    let spooling = Spooling::new();
    let go = spooling.folder.path().join("go");
    let command = spooling
        .counting(&format!("echo one; while [ ! -e {} ]; do sleep 0.05; done; echo two", go.display()));
    let fan = spooling.fan();
    let started = fan.start(["exec", "-H", "h1", "--durable", "--format", "jsonl", "--", &command]);
    eventually("its output", || started.stdout_so_far().contains("\"event\":\"output\"").then_some(()));
    for process in spooling.sshd.connection_processes() {
        kill_process(process, Signal::KILL).unwrap();
    }
    eventually("the new connection", || {
        started.stdout_so_far().contains("\"event\":\"reattached\"").then_some(())
    });
    fs::write(&go, "").unwrap();
    let events = started.finish().events();
    assert_eq!(said(&events, Stream::Stdout), b"one\ntwo\n");
    assert_eq!(spooling.begun(), 1);
}

#[test]
fn what_becomes_of_a_job_whose_keeper_is_killed_is_unknown() {
    let spooling = Spooling::new();
    let fan = spooling.fan();
    let started = fan.start(["exec", "-H", "h1", "--durable", "--", "echo one; sleep 1000"]);
    let job = eventually("the job", || spooling.kept().pop());
    let folder = spooling.jobs().join(job);
    let leader = process(&folder.join("job"));
    let keeper = fs::read_to_string(folder.join("keeper")).unwrap();
    let keeper = Pid::from_raw(keeper.split(' ').next().unwrap().parse().unwrap()).unwrap();
    eventually("its output", || started.stdout_so_far().contains("one").then_some(()));
    kill_process(keeper, Signal::KILL).unwrap();
    kill_process(leader, Signal::KILL).unwrap();
    let ran = started.finish();
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(ran.stderr.contains("[job_lost]") && ran.stderr.contains("1 unknown"), "{}", ran.stderr);
    for process in fs::read_dir("/proc").unwrap() {
        // The sleep of the shell that was killed.
        let path = process.unwrap().path();
        if fs::read(path.join("cmdline")).is_ok_and(|line| line == b"sleep\x001000\x00") {
            let pid = Pid::from_raw(path.file_name().unwrap().to_str().unwrap().parse().unwrap()).unwrap();
            let environment = fs::read(path.join("environ")).unwrap_or_default();
            let ours = spooling.folder.path().to_str().unwrap();
            if String::from_utf8_lossy(&environment).contains(ours) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

#[test]
fn a_place_that_cannot_be_written_is_an_error_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let sshd = Sshd::builder().line(&format!("SetEnv XDG_STATE_HOME={}/x", file.display())).start();
    let counter = folder.path().join("counter");
    let command = format!("touch {}", counter.display());
    let ran = Fan::at(&sshd).run(["exec", "-H", "h1", "--durable", "--", &command]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert!(
        ran.stderr.contains("the folder for the output of durable commands cannot be made there"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("[spool]"), "{}", ran.stderr);
    assert!(!counter.exists());
}

#[test]
fn what_cannot_be_durable_is_refused_at_its_place() {
    let spooling = Spooling::new();
    let fan = spooling.fan().file(
        "tasks.yaml",
        "
tasks:
  a:
    hosts: [all]
    steps:
      - run: top -b
        pty: true
        durable: true
  b:
    hosts: [all]
    durable: true
    steps:
      - run: top -b
        pty: true
      - run: top -b
        pty: true
        durable: false
      - echo: hello
",
    );
    let ran = fan.run(["run", "a", "b"]);
    insta::assert_snapshot!(ran.snapshot());
    let yaml = spooling
        .sshd
        .inventory_yaml(1)
        .replace("defaults:\n", "defaults:\n  durable: true\n  on_disconnect: kill\n");
    let fan = Fan::new().file("inventory.yaml", yaml);
    let ran = fan.run(["exec", "-H", "h1", "--", "true"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains("a durable command cannot have `on_disconnect: kill`"), "{}", ran.stderr);
}

#[test]
fn each_and_retries_have_jobs_of_their_own() {
    let spooling = Spooling::new();
    let log = spooling.folder.path().join("log").display().to_string();
    let tasks = format!(
        "
tasks:
  go:
    hosts: [all]
    steps:
      - run: echo {{{{ item }}}} >> {log}
        each: [a, b, c]
        durable: true
      - run: |
          echo try >> {log}
          [ $(grep -c try {log}) = 3 ]
        retries: 5
        delay: none
        durable: true
"
    );
    let fan = spooling.fan().file("tasks.yaml", tasks);
    let ran = fan.run(["run", "go"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(fs::read_to_string(&log).unwrap(), "a\nb\nc\ntry\ntry\ntry\n");
    assert_eq!(spooling.kept(), [""; 0]);
}

#[test]
fn a_setting_makes_all_commands_durable_and_a_step_says_no() {
    let spooling = Spooling::new();
    let command = format!("ls {} 2>/dev/null | wc -l", spooling.jobs().display());
    let inventory = spooling.sshd.inventory_yaml(1).replace("defaults:\n", "defaults:\n  durable: true\n");
    let tasks = format!("tasks: {{go: [{{run: '{command}'}}, {{run: '{command}', durable: false}}]}}\n");
    let fan = Fan::new().file("inventory.yaml", inventory).file("tasks.yaml", tasks);
    let ran = fan.run(["run", "go", "-H", "h1", "-N"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "1\n0\n"), "{}", ran.snapshot());
    let ran = fan.run(["exec", "-H", "h1", "-N", "--", &command]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "1\n"), "{}", ran.snapshot());
}
