//! Results that people read: folded output, CI logs, a file per host.

use fan::testing::sandbox::Behaviour;

use crate::fixtures::support::{Fan, Ran, peak_memory, sandbox};

const THREE: [(&str, Behaviour); 3] =
    [("web1", Behaviour::Normal), ("web2", Behaviour::Normal), ("web3", Behaviour::Normal)];

const TASKS: &str = "
tasks:
  look:
    steps:
      - run: echo same
      - run: |
          echo {{ host }}
          test {{ host }} != web3
      - run: echo end
";

/// A command that knows its host: throw-away hosts differ in their homes.
fn odd(sandbox: &fan::testing::sandbox::Sandbox, script: &str) -> String {
    let web3 = sandbox.hosts().iter().find(|host| host.name == "web3").unwrap();
    format!("if [ \"$HOME\" = '{}' ]; then {script}; else printf 'a\\nb\\n'; fi", web3.home.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_output_stands_together_also_in_a_pipe() {
    let sandbox = sandbox(THREE).await;
    let fan = Fan::of(&sandbox);
    let script = odd(&sandbox, "printf 'a\\nB\\n'; echo oops >&2; exit 3");
    let ran = fan.run(["exec", "-b", "-H", "web1,web2,web3", "--", &script]);
    assert_eq!(ran.code, Some(1));
    insta::assert_snapshot!(ran.stdout, @r"
    web[1-2] (2)
      | a
      | b
    web3: exit status 3
      | a
      | B
    ");
    assert!(ran.stderr.starts_with("web3 (stderr)\n  | oops\n"), "{}", ran.stderr);
    // The same by name, and with what sets the odd one apart.
    let ran = fan.run(["exec", "--format", "fold", "-H", "web1,web2,web3", "--", &script]);
    assert!(ran.stdout.starts_with("web[1-2] (2)\n"), "{}", ran.stdout);
    let ran = fan.run(["exec", "--diff", "-H", "web1,web2,web3", "--", &script]);
    insta::assert_snapshot!(ran.stdout, @r"
    web[1-2] (2)
      | a
      | b
    web3 (differs from web[1-2]): exit status 3
      | @@ -1,2 +1,2 @@
      |  a
      | -b
      | +B
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_a_task_folds_under_its_name() {
    let sandbox = sandbox(THREE).await;
    let ran = Fan::of(&sandbox).file("tasks.yaml", TASKS).run(["run", "-b", "-H", "web*", "look"]);
    insta::assert_snapshot!(ran.stdout, @r#"
    step 1 "echo same" (tasks.yaml:5)
    web[1-3] (3)
      | same
    step 2 "echo {{ host }} …" (tasks.yaml:6)
    web1
      | web1
    web2
      | web2
    web3: exit status 1
      | web3
    step 3 "echo end" (tasks.yaml:9)
    web[1-2] (2)
      | end
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_githubs_runner() {
    let sandbox = sandbox(THREE).await;
    let fan = Fan::of(&sandbox).file("tasks.yaml", TASKS).env("GITHUB_ACTIONS", "true").env("CI", "true");
    let ran = fan.run(["run", "-H", "web*", "look"]);
    let log: String = ran
        .stdout
        .lines()
        .take_while(|line| !line.starts_with("look · "))
        .map(|line| format!("{line}\n"))
        .collect();
    insta::assert_snapshot!(log, @r#"
    look: 3 hosts
    ::group::step 1 "echo same" (tasks.yaml:5) (3 hosts)
    web[1-3] (3)
      | same
    ::endgroup::
    ::group::step 2 "echo {{ host }} …" (tasks.yaml:6) (3 hosts, 1 failed)
    web1
      | web1
    web2
      | web2
    web3: exit status 1
      | web3
    ::endgroup::
    ::group::step 3 "echo end" (tasks.yaml:9) (2 hosts)
    web[1-2] (2)
      | end
    ::endgroup::
    ::error title=web3,file=tasks.yaml,line=6::web3: step 2 "echo {{ host }} …" (tasks.yaml:6) exit status 1%0Aweb3
    "#);
    assert_eq!(ran.stderr, "", "a runner reads one stream in order");
    assert!(!ran.stdout.contains("fan resume"), "the record goes with the runner: {}", ran.stdout);
    // Data stays data: a step may catch it.
    let ran = fan.run(["exec", "-N", "-H", "web1", "--", "echo '::set-output name=a::b'; exit 4"]);
    assert_eq!(ran.stdout, "\\x3a:set-output name=a::b\n");
    let annotation = "::error title=web1::web1: exit status 4%0A\\x3a:set-output name=a::b\n";
    assert!(ran.stderr.contains(annotation), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_gitlabs_runner() {
    let sandbox = sandbox(THREE).await;
    let fan = Fan::of(&sandbox).file("tasks.yaml", TASKS).env("GITLAB_CI", "true");
    let ran = fan.run(["run", "-H", "web*", "look"]);
    let starts = ran.stdout.matches("\x1b[0Ksection_start:").count();
    assert_eq!((starts, ran.stdout.matches("\x1b[0Ksection_end:").count()), (3, 3), "{}", ran.stdout);
    assert!(ran.stdout.contains(":fan_step_1\r\x1b[0Kstep 2 "), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_per_host() {
    let sandbox = sandbox(THREE).await;
    let fan = Fan::of(&sandbox);
    let script = odd(&sandbox, "printf '\\377\\033[2J'; echo oops >&2");
    let run = || -> Ran { fan.run(["exec", "-q", "--outdir", "kept/out", "-H", "web1,web3", "--", &script]) };
    // The second time over what the first has left.
    for _ in 0..2 {
        let ran = run();
        assert_eq!(ran.snapshot(), "exit code: 0\n");
    }
    let read = |name: &str| std::fs::read(fan.work().join("kept/out").join(name)).unwrap();
    assert_eq!(read("web1.out"), b"a\nb\n");
    assert_eq!(read("web1.err"), b"");
    assert_eq!(read("web3.out"), b"\xff\x1b[2J");
    assert_eq!(read("web3.err"), b"oops\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_is_told_before_contact() {
    let sandbox = sandbox(THREE).await;
    let fan = Fan::of(&sandbox).file("taken", "");
    let ran = fan.run(["exec", "--outdir", "taken/out", "-H", "web1", "--", "echo ran > ran"]);
    insta::assert_snapshot!(ran.snapshot(), @r"
    exit code: 2
    --- stderr
    error: cannot write into --outdir taken/out: Not a directory (os error 20)
    ");
    let ran = fan.run(["exec", "-b", "--format", "lines", "-H", "web1", "--", "echo ran > ran"]);
    insta::assert_snapshot!(ran.snapshot(), @r"
    exit code: 2
    --- stderr
    error: --fold and --format lines exclude each other
    ");
    assert!(!sandbox.hosts()[0].home.join("ran").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_runner_is_known() {
    let sandbox = sandbox([("web1", Behaviour::Normal)]).await;
    let script = "echo '##teamcity[x] ##vso[x] ##[x]'";
    for (name, value) in [("TEAMCITY_VERSION", "2026.1"), ("TF_BUILD", "True"), ("GITHUB_ACTIONS", "true")] {
        let ran = Fan::of(&sandbox).env(name, value).run(["exec", "-N", "-H", "web1", "--", script]);
        assert_eq!(ran.stdout, "\\x23#teamcity[x] \\x23#vso[x] \\x23#[x]\n", "{name}");
    }
}

/// Folding, a report and a file per host keep little of what is much.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_takes_little_memory() {
    let sandbox = sandbox(THREE).await;
    let fan = Fan::of(&sandbox);
    let script = odd(&sandbox, "echo first; head -c 100000000 /dev/zero | tr '\\0' '\\n'; echo last");
    let mut peak = 0;
    let ran = fan
        .start(["exec", "-b", "--report", "r.json", "--outdir", "out", "-H", "web*", "--", &script])
        .finish_watched(|pid| peak = peak.max(peak_memory(pid)));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(peak > 0 && peak < 32 << 20, "{} MiB", peak >> 20);
    assert!(ran.stdout.contains("\nweb3\n  | first\n"), "the beginning");
    assert!(ran.stdout.contains("\n  ... 94.4 MiB left out ...\n"), "what is missing");
    assert!(ran.stdout.ends_with("  | last\n"), "the end");
    assert_eq!(std::fs::metadata(fan.work().join("out/web3.out")).unwrap().len(), 100_000_011);
}

/// An output of nothing but line ends is the worst: each line is a value. Beside the output itself there is room for no list
/// of them, nor for a copy for each variable that is defined later.
#[tokio::test(flavor = "multi_thread")]
async fn a_registered_flood_takes_few_bytes_for_each_of_its_own() {
    const FLOOD: u64 = 8_000_000;
    let sandbox = sandbox([("web1", Behaviour::Normal)]).await;
    let peak = |bytes: u64| {
        let tasks = format!(
            r#"
tasks:
  t:
    - {{run: "head -c {bytes} /dev/zero | tr '\\0' '\\n'; echo x; echo y >&2", register: out, hide: true}}
    - set: {{a: 1, b: "{{{{ a + 1 }}}}"}}
    - {{set: {{c: "{{{{ b + 1 }}}}"}}, when: out.rc == 0}}
    - {{run: "true", register: other}}
    - echo: "{{{{ out.lines | length }}}} {{{{ out.lines | last }}}} {{{{ out.lines[0] | length }}}} {{{{ 'x' in out.lines }}}} {{{{ c }}}}"
    - {{echo: "{{{{ hostvars[host].out.rc }}}}"}}
    - {{echo: "{{{{ item }}}}", each: out.lines, warn_only: true}}
"#
        );
        let fan = Fan::of(&sandbox).file("tasks.yaml", tasks);
        let mut peak = 0;
        let started = fan.start(["run", "t", "-H", "web1", "-N", "--format", "lines"]);
        let ran = started.finish_watched(|pid| peak = peak.max(peak_memory(pid)));
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        assert!(ran.stdout.contains(&format!("{} x 0 true 3", bytes + 1)), "{}", ran.snapshot());
        (peak, ran)
    };
    let ((little, _), (much, ran)) = (peak(10), peak(FLOOD));
    let each = (much - little) as f64 / FLOOD as f64;
    assert!(little > 0 && each <= 5.0, "{each:.1} bytes for each byte of output");
    assert!(ran.stderr.contains("has more than 100000 items"), "{}", ran.snapshot());
}
