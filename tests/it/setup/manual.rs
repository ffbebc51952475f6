//! Manual pages and explanations: the same texts as `--help` and the documentation, where one looks for them.

use std::fs;
use std::process::Command;

use crate::fixtures::support::Fan;
use crate::fixtures::trap::words;

#[test]
fn every_command_has_a_page_without_warnings() {
    let fan = Fan::new();
    let ran = fan.run(["man", "share/man1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let folder = fan.work().join("share/man1");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for page in ["fan.1", "fan-run.1", "fan-exec.1", "fan-report-merge.1"] {
        assert!(names.iter().any(|name| name == page), "{page}: {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("__")), "{names:?}");
    for name in &names {
        let output = Command::new("groff")
            .args(["-man", "-Tutf8", "-ww", "-Wbreak"])
            .arg(folder.join(name))
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
        assert!(!output.stdout.is_empty(), "{name}");
    }
}

#[test]
fn words_that_fan_prints_or_takes_have_an_entry() {
    let fan = Fan::new();
    let mut said = String::new();
    for call in words(
        "explain auth_failed\nexplain unknown\nexplain 3\nexplain --serial\nexplain register\nexplain retries\nexplain -b\nexplain ping",
    ) {
        let ran = fan.run(&call);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{call:?}");
        said += &format!("$ fan {}\n{}\n", call.join(" "), ran.stdout);
    }
    insta::assert_snapshot!(said, @"
    $ fan explain auth_failed
    auth_failed: a kind of failure
      Every credential was refused, or none was usable.
      Is the key in authorized_keys of that user? The message lists what was tried.
      Never repeated: it could lock the account.
      More: docs/exit-codes.md

    $ fan explain unknown
    unknown: a status of a host
      Something was started and its outcome is not known, for example because the
      connection broke.
      More: docs/exit-codes.md

    --unknown <WHAT>: an option
      What to do about a command that started but whose end was not seen; on a
      terminal fan asks.
      Of: fan resume.
      Environment: FAN_UNKNOWN.
      More: docs/command-line.md

    $ fan explain 3
    3: an exit code
      Hosts were not reached and nothing was started on them: safe to run again.
      Run again, now or later.
      More: docs/exit-codes.md

    $ fan explain --serial
    --serial <N>: an option
      Work in batches of N hosts or a share of them (2, 25%); in a list, 1,25%, the
      last size repeats.
      Of: fan run, exec, jobs, put, get, sync, ls.
      Environment: FAN_SERIAL.
      More: docs/command-line.md

    $ fan explain register
    register: a key of a step
      Variable that receives the result.
      More: docs/tasks.md

    $ fan explain retries
    retries: a setting of hosts
      Retries of a connection after a temporary error.
      More: docs/inventory.md

    retries: a key of a step
      Retries after a failure.
      More: docs/tasks.md

    $ fan explain -b
    -b, --fold: an option
      Group hosts with equal output, step by step: web[01-30] (30).
      Of: fan run, exec, jobs, put, get, sync, ls, retry, resume, demo.
      Environment: FAN_FOLD.
      More: docs/command-line.md

    -b, --fold: an option
      Show output with equal hosts grouped.
      Of: fan show.
      More: docs/command-line.md

    $ fan explain ping
    fan ping: a command
      Connect to every host, log in and run `true`; show how long each phase took
      `fan ping --help` lists its options.
      More: docs/command-line.md
    ");
    let ran = fan.run(["explain", "auth_faild"]);
    assert_eq!(ran.code, Some(2));
    insta::assert_snapshot!(ran.stderr, @r#"error: there is no entry for "auth_faild" (help: did you mean "auth_failed"?)"#);
    let all = fan.run(["explain"]).stdout;
    for topic in ["auth_failed", "unknown", "--serial", "register", "identity", "ping"] {
        assert!(all.contains(topic), "{topic}\n{all}");
    }
    // What would be help elsewhere.
    assert_eq!(fan.run(["help", "auth_failed"]).stdout, fan.run(["explain", "auth_failed"]).stdout);
}
