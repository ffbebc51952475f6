//! Secrets end to end: canaries from every source, in everything that a run does with them, and nowhere in what it shows.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use fan::testing::event::{Fact, StepFact};
use fan::testing::model::outcome::Kind;
use rustix::process::Pid;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Ran, eventually, typed_on_terminal};

/// In each secret. In URLs, in JSON and in quotes it stands as it is.
const CANARY: &str = "c4n4ry-t";

/// From the environment: everything that shells, JSON and URLs treat specially.
const TOKEN: &str = "c4n4ry-t0ken'$x \"q\" \\b/+&<\u{e4}>%";

/// From a file: a key.
const KEY: &str = "-----BEGIN KEY-----\nc4n4ry-tkeyAAAAB3NzaC1yc2E\nc4n4ry-tlast==\n-----END KEY-----";

/// From a command.
const PIN: &str = "c4n4ry-tpin:word";

const SECRETS: &str = "
secrets:
  token: {env: TOKEN}
  key: {file: key}
  pin: {command: 'cat pin'}
  unused: {env: NOBODY_SETS_THIS}
  unasked: {prompt: nobody asks this}
";

/// All forms in which the canary would show.
fn forms() -> Vec<String> {
    let mut forms = vec![CANARY.to_owned()];
    for (before, cut) in [("", 0), ("x", 2), ("xx", 3)] {
        let text = format!("{before}{CANARY}");
        let whole = text.len() * 8 / 6;
        forms.push(BASE64_NOPAD.encode(text.as_bytes())[cut..whole].to_owned());
        forms.push(BASE64URL_NOPAD.encode(text.as_bytes())[cut..whole].to_owned());
    }
    forms
}

fn is_clean(what: &str, text: &str) {
    for form in forms() {
        assert!(!text.contains(&form), "{what} shows {form}:\n{text}");
    }
}

fn ran_clean(ran: &Ran) {
    is_clean("stdout", &ran.stdout);
    is_clean("stderr", &ran.stderr);
}

/// The binary with the secrets at hand, an sshd, and a tasks file.
fn fan(sshd: &Sshd, tasks: &str) -> Fan {
    let fan = Fan::at(sshd).file("key", KEY.to_owned() + "\n").file("pin", PIN.to_owned() + "\n");
    fs::set_permissions(fan.work().join("key"), fs::Permissions::from_mode(0o600)).unwrap();
    fan.file("tasks.yaml", format!("{SECRETS}{tasks}")).env("TOKEN", TOKEN)
}

const SHOWING: &str = r#"
vars:
  url: "db://{{ pin }}@h/{{ key }}"
tasks:
  show:
    hosts: [all]
    steps:
      - name: plain and to both streams
        run: |
          printf '%s\n' {{ token }} {{ key }} {{ pin }} '{{ url }}'
          printf '%s\n' "{{ token }}" >&2
          cat <<EOF
          {{ pin }}
          EOF
      - name: traced
        run: |
          set -x
          : {{ token }} {{ pin }}
      - name: encoded
        run: |
          printf 'user:%s' {{ pin }} | base64
          printf 'x%s' {{ pin }} | base64 | tr +/ -_
          printf '%s' {{ token }} | base64 | tr -d '\n'
          printf '%s\n' {{ {"k": token, "l": [key]} | tojson }}
      - name: in pieces
        run: |
          rest={{ pin }}
          while [ -n "$rest" ]; do
            printf %s "${rest%"${rest#?}"}"
            rest=${rest#?}
          done
          echo
      - {echo: "{{ token }} {{ url }}"}
      - {set: {copied: "{{ pin }}!"}}
      - {run: "echo {{ copied }} >&2; exit 3", register: out, warn_only: true}
      - {echo: "{{ out.stderr }}", name: what it said}
      - {assert: {that: [pin == ""], message: "not {{ pin }}"}, warn_only: true}
      - {run: pwd, cd: "/no/{{ pin }}", warn_only: true}
      - {run: [printf, "%s\n", "{{ token }}"]}
      - {local: "printf '%s\n' \"$TOKEN\" {{ pin }}"}
      - {local: "printf '%s\n' \"$TOKEN\"; cat pin key"}
      - {template: shop.conf, to: "{{ folder }}/shop.conf", mode: "0600"}
      - {line: "again={{ token }}", in: "{{ folder }}/shop.conf"}
      - {stat: "{{ folder }}/{{ pin }}", warn_only: true}
      - {put: shop.conf, to: "/no/{{ pin }}/x", warn_only: true}
      - {echo: "{{ pin | int }}", warn_only: true}
      - {fail: "the end of {{ token }} and {{ key }}"}
"#;

/// A run of the task that does everything, with these flags.
fn shown(fan: &Fan, flags: &[&str]) -> (Ran, String) {
    let folder = tempfile::tempdir().unwrap();
    let folder_flag = format!("folder={}", folder.path().display());
    let ran = fan.run([&["run", "show", "--diff", "-e", &folder_flag], flags].concat());
    let written = fs::read_to_string(folder.path().join("shop.conf"));
    (ran, written.unwrap_or_default())
}

#[test]
fn no_reader_sees_a_secret_whatever_a_run_does_with_it() {
    let sshd = Sshd::start();
    let fan = fan(&sshd, SHOWING).file("shop.conf", "token={{ token }}\nkey={{ key }}\n# {{ pin }}\n");
    for flags in [&[][..], &["-v"], &["--format", "jsonl"], &["--format", "quiet"], &["--no-prefix"]] {
        let (ran, written) = shown(&fan, flags);
        assert_eq!(ran.code, Some(1), "{flags:?}\n{}\n{}", ran.stdout, ran.stderr);
        ran_clean(&ran);
        // It was there, and the host got it.
        assert!(ran.stderr.contains("the end of ********") || flags.contains(&"jsonl"), "{}", ran.stderr);
        assert_eq!(written, format!("token={TOKEN}\nkey={KEY}\n# {PIN}\nagain={TOKEN}\n"), "{flags:?}");
    }
    let (ran, _) = shown(&fan, &["--format", "jsonl"]);
    let events = ran.events();
    let said: Vec<u8> = events
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Step(_, StepFact::Output { data, .. }) => Some(data.to_vec()),
            _ => None,
        })
        .flatten()
        .collect();
    let said = String::from_utf8(said).unwrap();
    for line in [
        "********\n********\n********\ndb://********@h/********\n",
        "\n********!\n",
        "dXNlcjp********",
        "********{\"k\":\"********\",\"l\":[\"********\"]}\n",
    ] {
        assert!(said.contains(line), "{line:?} in\n{said}");
    }
    let differences: Vec<&String> = events
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Step(_, StepFact::Finished { outcome, .. }) => outcome.difference.as_ref(),
            _ => None,
        })
        .collect();
    assert!(differences[0].contains("+token=********\n+key="), "{}", differences[0]);
    let host_failed = events.iter().any(|event| {
        matches!(&event.fact, Fact::HostFinished { outcome, .. } if outcome.failure.as_ref().is_some_and(
            |failure| failure.kind == Kind::Fail && failure.message() == "the end of ******** and ********"))
    });
    assert!(host_failed, "{}", ran.stdout);
}

#[test]
fn a_step_has_its_secret_wherever_it_stands() {
    let sshd = Sshd::start();
    let tasks = r#"
tasks:
  callee: {private: true, params: {p: "{{ key }}", q: null}, steps: [{echo: "{{ p == k }} {{ q | length }}"}]}
  t:
    hosts: [all]
    steps:
      - block:
          - {run: "test {{ in_block | length }} = 15", when: in_block != ""}
          - {fail: no}
        when: in_when | length == 15
        rescue: [{echo: "{{ in_rescue | length }}"}]
        always: [{run: "true", notify: handler, env: {X: "{{ in_env }}"}}]
      - {task: callee, with: {q: "{{ in_call }}"}}
      - {echo: "{{ item | length }}", each: ["{{ in_each }}"]}
      - {run: "echo {{ in_until }}; false", retries: 1, delay: 10ms, until: result.stdout == in_until, warn_only: true, register: r}
      - {echo: "{{ r.stdout == in_until }}"}
      - {run: "echo {{ in_env }}", secret: true}
    handlers: {handler: [{echo: "{{ in_handler | length }}"}]}
"#;
    let names =
        ["in_block", "in_when", "in_rescue", "in_env", "in_call", "in_each", "in_until", "in_handler"];
    let sources: String =
        names.iter().map(|name| format!("  {name}: {{command: 'printf c4n4ry-t-secret'}}\n")).collect();
    let fan =
        fan(&sshd, "").file("tasks.yaml", format!("vars: {{k: \"{{{{ key }}}}\"}}{SECRETS}{sources}{tasks}"));
    let ran = fan.run(["run", "t", "--format", "jsonl"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    ran_clean(&ran);
    let events = ran.events();
    let notes: Vec<&str> = events
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Step(_, StepFact::Finished { outcome, .. }) => outcome.note.as_deref(),
            _ => None,
        })
        .collect();
    assert_eq!(notes, ["15", "true 15", "15", "true", "15"]);
}

#[test]
fn a_short_secret_of_the_command_line_is_warned_about() {
    let fan = Fan::new().file("inventory.yaml", "hosts: {h1: {transport: local}}\n");
    let fan =
        fan.file("tasks.yaml", "secrets: {pin: {env: PIN}}\ntasks: {t: {hosts: [h1], steps: [run: true]}}\n");
    let ran = fan.run(["run", "t", "-e", "pin=1234"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(ran.stderr.starts_with("warning: secret \"pin\" has fewer than 6 bytes: "), "{}", ran.snapshot());
}

/// What the files call a secret is one, wherever its value comes from.
#[test]
fn a_secret_that_the_command_line_gives_is_hidden_too() {
    const TASKS: &str = "
secrets: {token: {env: TOKEN}, keys: {env: KEYS}, word: {env: WORD}}
tasks:
  tell:
    params: {word: null, plain: null}
    steps:
      - prompt: {ask: 'PIN?', set: pin, secret: true}
      - run: echo {{ token }} {{ keys.one }} {{ pin }} {{ word }} {{ plain }}; echo {{ keys.two[0] }} >&2; false
        register: out
";
    let canaries = ["c4nary-token", "c4nary-one", "c4nary-two", "c4nary-pin", "c4nary-word"];
    let fan = Fan::new()
        .file("inventory.yaml", "hosts: {h1: {transport: local}}\n")
        .file("tasks.yaml", TASKS)
        .file("keys.yaml", "keys: {one: c4nary-one, two: [c4nary-two]}\n")
        .env("WORD", "c4nary-of-the-environment");
    let given = ["-e", "token=c4nary-token", "-e", "@keys.yaml", "-e", "pin=c4nary-pin", "-H", "h1"];
    for (call, format) in [
        ("tell:word=c4nary-word,plain=shown", "lines"),
        ("tell:c4nary-word,shown", "jsonl"),
        ("tell:word=c4nary-word,plain=shown", "fold"),
    ] {
        let mut args = vec!["run", "--report", "r.html", "--outdir", "out", "--format", format, call];
        args.extend(given);
        let ran = fan.run(&args);
        assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
        assert!(ran.stdout.contains("******** ******** ******** ******** shown"), "{}", ran.snapshot());
        let mut told = vec![ran.stdout, ran.stderr];
        let mut folders = vec![fan.home(), fan.work().join("out")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry)
                } else {
                    told.push(fs::read_to_string(entry).unwrap())
                }
            }
        }
        told.push(fs::read_to_string(fan.work().join("r.html")).unwrap());
        for text in &told {
            assert!(canaries.iter().all(|canary| !text.contains(canary)), "{text}");
        }
    }
}

#[test]
fn looking_at_a_plan_reads_no_secret() {
    let sshd = Sshd::start();
    let fan = fan(&sshd, SHOWING).file("shop.conf", "{{ token }}\n");
    let traced = |line: &str| line.replace("{command: 'cat pin'}", "{command: 'touch ran; cat pin'}");
    let fan = fan.file("tasks.yaml", traced(&format!("{SECRETS}{SHOWING}")));
    for args in [
        &["run", "show", "--plan", "-e", "folder=/tmp"][..],
        &["check", "show", "-e", "folder=/tmp"],
        &["list"],
        &["list", "--json"],
        &["hosts", "-H", "all", "--json"],
    ] {
        let ran = fan.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}\n{}", ran.snapshot());
        ran_clean(&ran);
        assert!(!fan.work().join("ran").exists(), "{args:?}");
    }
}

#[test]
fn messages_of_a_run_that_does_not_begin_show_no_secret() {
    let sshd = Sshd::start();
    let tasks = "
tasks:
  put: {hosts: [all], steps: [{put: 'no/{{ pin }}/{{ token }}', to: /tmp/x}]}
";
    let ran = fan(&sshd, tasks).run(["run", "put"]);
    assert_eq!(ran.code, Some(2));
    ran_clean(&ran);
    assert!(ran.stderr.contains("no/********/********"), "{}", ran.stderr);
    // A command that fails may complain about what another gave.
    let tasks = "
tasks:
  t: {hosts: [all], steps: [{echo: '{{ token }} {{ bad }}'}]}
";
    let fan = fan(&sshd, tasks);
    let secrets = SECRETS.to_owned() + "  bad: {command: 'printf \"no %s\" \"$TOKEN\" >&2; exit 1'}\n";
    let ran = fan.file("tasks.yaml", secrets + tasks).run(["run", "t"]);
    assert_eq!(ran.code, Some(2));
    ran_clean(&ran);
    assert!(ran.stderr.contains("its command failed (exit status: 1): no ********"), "{}", ran.stderr);
}

#[test]
fn what_is_wrong_with_secrets_is_told_before_contact_and_all_at_once() {
    // No server at all: nothing may be contacted.
    let fan = Fan::new()
        .file(
            "inventory.yaml",
            "secrets: {far: {file: far.key}}\nhosts: {h1: {address: 127.0.0.1, port: 1}}\n",
        )
        .file("far.key", "hunter2")
        .file(
            "tasks.yaml",
            "secrets:
  unset: {env: NOT_SET}
  failing: {command: 'echo hunter2; exit 3'}
  asked: {prompt: Q}
  idle: {env: NOT_SET_EITHER}
tasks:
  t: {hosts: [all], steps: [{echo: '{{ unset }} {{ failing }} {{ asked }} {{ far }}'}]}
  asks: {hosts: [all], steps: [{run: 'echo {{ asked }}'}]}
",
        );
    fs::set_permissions(fan.work().join("far.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let ran = fan.run(["run", "t"]);
    assert_eq!(
        ran.snapshot(),
        "exit code: 2
--- stderr
inventory.yaml:1:11: error: secret \"far\": far.key: the file is readable by others (mode 0644) (help: chmod 600 the file)
tasks.yaml:2:3: error: secret \"unset\": its environment variable NOT_SET is not set (help: export NOT_SET first, or use another source)
tasks.yaml:3:3: error: secret \"failing\": its command failed (exit status: 3) (help: try it in a shell: what it prints is the secret)
"
    );
    let ran = fan.run(["check", "t"]);
    assert_eq!((ran.code, ran.stderr.lines().count()), (Some(2), 2), "{}", ran.snapshot());
    let ran = fan.run(["run", "asks"]);
    assert_eq!(
        ran.snapshot(),
        "exit code: 2
--- stderr
tasks.yaml:4:3: error: secret \"asked\" must be typed in, and there is no terminal to ask on (help: say where it comes from: asked: {env: NAME}, {file: PATH} or {command: LINE})
"
    );
}

#[test]
fn a_question_is_asked_once_for_all_hosts_after_all_else_was_found_right() {
    let sshd = Sshd::builder().hosts(3).start();
    let tasks = "
tasks:
  ask: {hosts: [all], steps: [{run: 'printf \"%s\\n\" {{ unasked }}'}, {echo: '<{{ unasked }}>'}]}
  wrong: {hosts: [all], steps: [{echo: '{{ unasked }} {{ nobody }}'}]}
";
    let fan = fan(&sshd, tasks);
    let question = "nobody asks this: ";
    let (code, shown) = typed_on_terminal(&fan, "exec \"$BINARY\" run ask", &[(question, "c4n4ry-typed\r")]);
    assert_eq!((code, shown.matches(question).count()), (Some(0), 1), "{shown}");
    is_clean("the terminal", &shown);
    assert_eq!(shown.matches("<********>").count(), 3, "{shown}");
    let (code, shown) = typed_on_terminal(&fan, "exec \"$BINARY\" run wrong", &[]);
    assert_eq!(code, Some(2));
    assert!(shown.contains("undefined variable \"nobody\"") && !shown.contains(question), "{shown}");
}

#[test]
fn short_secrets_are_warned_about_and_passwords_are_hidden_like_secrets() {
    let sshd = Sshd::start();
    let tasks = "tasks: {t: {hosts: [all], steps: [{run: 'echo {{ short }}; echo c4n4ry-tpassword'}]}}\n";
    let inventory =
        sshd.inventory_yaml(1).replacen("defaults:\n", "defaults:\n  password: {env: PASSWORD}\n", 1);
    let ran = Fan::new()
        .file("inventory.yaml", inventory)
        .file("tasks.yaml", format!("secrets: {{short: {{env: SHORT}}}}\n{tasks}"))
        .env("SHORT", "12345")
        .env("PASSWORD", "c4n4ry-tpassword")
        .run(["run", "t"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    ran_clean(&ran);
    assert!(ran.stdout.contains("12345\n") && ran.stdout.contains("********\n"), "{}", ran.stdout);
    let warning = "warning: secret \"short\" has fewer than 6 bytes: too short to be hidden in output\n";
    assert!(ran.stderr.contains(warning), "{}", ran.stderr);
}

/// A process and all that it started: command lines, and the environments of those that it started.
fn family(of: Pid) -> (Vec<String>, Vec<String>) {
    let stat = |pid: &str| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let parents: Vec<(String, String)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|pid| {
            let stat = stat(&pid);
            let (_, behind_name) = stat.rsplit_once(") ")?;
            Some((behind_name.split(' ').nth(1)?.to_owned(), pid))
        })
        .collect();
    let mut members = BTreeSet::from([of.as_raw_nonzero().to_string()]);
    loop {
        let before = members.len();
        members.extend(
            parents
                .iter()
                .filter(|(parent, _)| members.contains(parent))
                .map(|(_, pid)| pid.clone())
                .collect::<Vec<_>>(),
        );
        if members.len() == before {
            break;
        }
    }
    let read = |pid: &String, name: &str| {
        String::from_utf8_lossy(&fs::read(Path::new("/proc").join(pid).join(name)).unwrap_or_default())
            .into_owned()
    };
    let lines = members.iter().map(|pid| read(pid, "cmdline")).collect();
    let own = of.as_raw_nonzero().to_string();
    let environments = members.iter().filter(|pid| **pid != own).map(|pid| read(pid, "environ")).collect();
    (lines, environments)
}

#[test]
fn processes_that_fan_starts_are_not_given_secrets_and_it_leaves_no_dump() {
    let sshd = Sshd::start();
    let tasks = "
tasks:
  t:
    hosts: [all]
    steps:
      - run: 'test -n {{ token }}{{ key }}{{ pin }}'
      - local: 'touch waiting; while [ ! -e looked ]; do sleep 0.02; done; echo done'
";
    let fan = fan(&sshd, tasks);
    let work = fan.work();
    let mut looked = false;
    let ran = fan.start(["run", "t"]).finish_watched(|pid| {
        if looked || !work.join("waiting").exists() {
            return;
        }
        let (lines, environments) = family(pid);
        assert!(lines.iter().any(|line| line.contains("waiting")), "{lines:?}");
        is_clean("a command line", &lines.join("\n"));
        // What fan itself was given is passed on, and nothing of what it read.
        let environments = environments.join("\n").replace(&format!("TOKEN={TOKEN}"), "");
        assert!(environments.contains("PATH="));
        is_clean("an environment", &environments);
        let limits = fs::read_to_string(format!("/proc/{}/limits", pid.as_raw_nonzero())).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
        fs::write(work.join("looked"), "").unwrap();
        looked = true;
    });
    assert!(looked && ran.code == Some(0), "{}", ran.snapshot());
    eventually("the server has seen the end", || sshd.log().contains("Disconnected").then_some(()));
    ran_clean(&ran);
}

/// Writes the command lines of all processes to a file beside it.
const LOOK: &str = "#!/bin/sh\nfor f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f; echo; done >> \"${0%/*}/seen\" 2>/dev/null\n";

/// Whatever runs and however it is started: fan puts no secret where all on the machine can read it.
#[test]
fn no_list_of_processes_shows_a_secret_here_or_there() {
    let sshd = Sshd::start();
    let tasks = r#"
tasks:
  t:
    hosts: [all]
    steps:
      - {name: direct, run: "X={{ token }}{{ key }}; sh {{ look }}; test -n \"$X\""}
      - {name: many lines, run: "cat >/dev/null <<E\n{{ pin }}\nE\nsh {{ look }}\n"}
      - {name: environment, run: "sh {{ look }}; test \"$T\" = {{ token }}", env: {T: "{{ token }}"}}
      - {name: shell, run: "sh {{ look }}; test -n \"$T\"", shell: bash, env: {T: "{{ pin }}"}}
      - {name: as oneself, run: "sh {{ look }}; test -n \"$T\"", sudo: {user: "{{ me }}"}, env: {T: "{{ pin }}"}}
      - {name: input, run: "sh {{ look }}; cat; test -n {{ pin }}", stdin: "{{ token }}"}
      - {name: terminal, run: "sh {{ look }}; test -n {{ token }}", pty: true}
      - {name: file, script: show.sh, env: {T: "{{ token }}"}}
      - {name: guards, run: "true", onlyif: "sh {{ look }}; test -n {{ pin }}", unless: "sh {{ look }}; test -z {{ pin }}"}
      - {name: waiting, wait_for: {command: "sh {{ look }}; test -n {{ pin }}"}}
      - {name: here, local: "sh {{ look }}; test \"$T\" = {{ token }}", env: {T: "{{ token }}"}}
      - {name: short, run: "sh {{ look }}; test -n {{ short }}"}
      - {name: of a secret step, run: "sh {{ look }}; test -n not-f0r-all", secret: true}
      - {name: by hand, run: "sh {{ look }} seen-by-all"}
"#;
    for kill in [false, true] {
        let fan = fan(&sshd, tasks);
        let inventory = sshd.inventory_yaml(1);
        let inventory = match kill {
            true => inventory.replacen("defaults:\n", "defaults:\n  on_disconnect: kill\n", 1),
            false => inventory,
        };
        let secrets = SECRETS.to_owned() + "  short: {env: SHORT}\n";
        let fan = fan
            .file("inventory.yaml", inventory)
            .file("tasks.yaml", secrets + tasks)
            .file("look", LOOK)
            .env("SHORT", "~5%~");
        let look = fan.work().join("look");
        let fan = fan.file("show.sh", format!("sh {}\ntest -n \"$T\"\n", look.display()));
        let (look, me) = (format!("look={}", look.display()), format!("me={}", sshd.user()));
        let ran = fan.run(["run", "t", "-e", &look, "-e", &me]);
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        let seen = fs::read_to_string(fan.work().join("seen")).unwrap();
        assert!(seen.matches("look").count() > 10 && seen.contains("seen-by-all"), "{seen}");
        is_clean("a command line", &seen);
        assert!(!seen.contains("not-f0r-all") && !seen.contains("~5%~"), "{seen}");
    }
}

/// A server whose forced command prints the line back that it was to run, in the ways of several shells.
#[test]
fn a_host_that_prints_its_command_line_back_shows_no_secret() {
    let tasks = r#"
tasks:
  t: {hosts: [all], steps: [{run: "true {{ token }} '{{ pin }}' \"{{ token }}\""}]}
  env: {hosts: [all], steps: [{run: "true", env: {T: "{{ token }}{{ key }}"}}]}
  sudo: {hosts: [all], steps: [{sudo: "true {{ token }}"}]}
  file: {hosts: [all], steps: [{script: x.sh, env: {T: "{{ token }}"}}]}
  wait: {hosts: [all], steps: [{wait_for: {command: "test {{ token }}", timeout: 1s}}]}
  put: {hosts: [all], steps: [{put: x.sh, to: "/no/{{ pin }}/x"}]}
"#;
    for forced in [
        "echo $SSH_ORIGINAL_COMMAND",
        "printf %s\\\\n \"$SSH_ORIGINAL_COMMAND\"; exit 3",
        "set -x; eval \"$SSH_ORIGINAL_COMMAND\"",
    ] {
        let sshd = Sshd::builder().line(&format!("ForceCommand {forced}")).start();
        let fan = fan(&sshd, tasks).file("x.sh", "echo $T\n");
        for task in ["t", "env", "sudo", "file", "wait", "put"] {
            for format in ["lines", "jsonl"] {
                let ran = fan.run(["run", task, "--format", format, "-v"]);
                ran_clean(&ran);
            }
        }
        ran_clean(&fan.run(["show"]));
        for entry in walk(&fan.home()) {
            is_clean(&entry.display().to_string(), &String::from_utf8_lossy(&fs::read(&entry).unwrap()));
        }
    }
}

/// All files below a folder.
fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// Also where it is too short to be looked for: the command line tells by its place that it is one.
#[test]
fn a_short_secret_that_has_no_name_on_the_command_line_is_not_recorded() {
    let fan = Fan::new().file("inventory.yaml", "hosts: {h1: {transport: local}}\n").file(
        "tasks.yaml",
        "secrets: {pin: {env: PIN}}\ntasks: {t: {params: {version: null, pin: null}, hosts: [h1], steps: [run: true]}}\n",
    );
    for (word, shown) in
        [("t:v1,77q", "t:********"), ("t:77q,78w", "t:********"), ("t:version=v1,pin=77q", "t:********")]
    {
        let ran = fan.run(["run", word]);
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        let said = [fan.run(["history"]), fan.run(["show"])].map(|ran| ran.stdout + &ran.stderr).concat();
        assert!(!said.contains("77q") && !said.contains("78w"), "{said}");
        let all: String = walk(&fan.home()).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        assert!(!all.contains("77q") && !all.contains("78w") && all.contains(shown), "{all}");
    }
}

#[test]
fn a_command_that_is_asked_for_a_secret_ends_with_fan() {
    for signal in [
        rustix::process::Signal::TERM,
        rustix::process::Signal::INT,
        rustix::process::Signal::HUP,
        rustix::process::Signal::QUIT,
    ] {
        let fan = Fan::new().file("inventory.yaml", "hosts: {h1: {transport: local}}\n").file(
            "tasks.yaml",
            "secrets: {pin: {command: 'echo $$ >> pids; (sleep 600 & echo $! >> pids; wait) | cat'}}\n\
             tasks: {t: {hosts: [h1], steps: [run: 'echo {{ pin }}']}}\n",
        );
        let started = fan.start(["run", "t"]);
        let pids = eventually("the command runs", || {
            let pids = fs::read_to_string(fan.work().join("pids")).ok()?;
            (pids.lines().count() == 2 && pids.ends_with('\n')).then_some(pids)
        });
        started.signal(signal);
        let ran = started.finish();
        assert_eq!(ran.code, Some(128 + signal.as_raw()), "{}", ran.snapshot());
        for pid in pids.lines() {
            let gone = || {
                let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
                (status.is_empty() || status.contains("State:\tZ")).then_some(())
            };
            eventually("all of it has ended", gone);
        }
    }
}

#[test]
fn a_sudo_password_that_no_step_needs_is_not_asked_for_and_that_is_said() {
    let tasks = "tasks:\n  plain:\n    steps: [{run: 'true'}]\n  raised:\n    steps: [{sudo: id}]\n";
    let fan =
        Fan::new().file("inventory.yaml", "hosts: {h1: {transport: local}}\n").file("tasks.yaml", tasks);
    let plan = |task| fan.run(["run", "-H", "h1", "-K", "-n", task]);
    let (plain, raised) = (plan("plain"), plan("raised"));
    let said = "warning: -K: no step of this run uses sudo on these hosts";
    assert!(plain.stderr.contains(said), "{}", plain.snapshot());
    assert!(!raised.stderr.contains("-K"), "{}", raised.snapshot());
    assert_eq!((plain.code, raised.code), (Some(0), Some(0)), "{}{}", plain.snapshot(), raised.snapshot());
}
