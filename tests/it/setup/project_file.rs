//! `fan.yaml`: defaults, profiles and aliases, and what they are worth beside the environment and the command line.

use std::fs;

use crate::fixtures::support::{Fan, sandbox};
use crate::fixtures::trap::{Trap, words};
use fan::testing::sandbox::Behaviour;

const PROJECT: &str = "\
defaults:
  pool: 64
  fold: true
  report: [out/last.md]
  exec: {hosts: web1}
profiles:
  ci: {color: never, pool: 8, host-keys: strict, run: {yes: true}}
aliases:
  up: exec -H web1,db1 -- uptime
  both: [up]
  greet: -H db1 hello
";

fn call(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

#[test]
fn every_value_has_its_origin() {
    let trap = Trap::set();
    let fan = trap.fan().file("fan.yaml", PROJECT).file("sub/x", "");
    fs::create_dir_all(fan.home().join(".config/fan")).unwrap();
    fs::write(
        fan.home().join(".config/fan/fan.yaml"),
        "defaults: {user: ann, pool: 32}\naliases: {mine: list}\n",
    )
    .unwrap();
    let fan = fan.env("FAN_SERIAL", "2").env("FAN_SET", "token=hunter2");
    insta::assert_snapshot!(trap.transcript(&fan, 0, words("config\nconfig --profile ci\nconfig --profile none")), @"
    $ fan config
    files: <home>/.config/fan/fan.yaml, fan.yaml
    profile: none; there are ci

    fold        true            fan.yaml:3:3
    exec.hosts  web1            fan.yaml:5:10
    pool        64              fan.yaml:2:3
    report      out/last.md     fan.yaml:4:3
    serial      2               FAN_SERIAL
    set         token=********  FAN_SET
    user        ann             <home>/.config/fan/fan.yaml:1:12

    fan both = fan up
    fan greet = fan -H db1 hello
    fan mine = fan list
    fan up = fan exec -H web1,db1 -- uptime

    $ fan config --profile ci
    files: <home>/.config/fan/fan.yaml, fan.yaml
    profile: ci

    color       never           fan.yaml:7:8 (profile ci)
    fold        true            fan.yaml:3:3
    host-keys   strict          fan.yaml:7:31 (profile ci)
    exec.hosts  web1            fan.yaml:5:10
    pool        8               fan.yaml:7:22 (profile ci)
    report      out/last.md     fan.yaml:4:3
    serial      2               FAN_SERIAL
    set         token=********  FAN_SET
    user        ann             <home>/.config/fan/fan.yaml:1:12
    run.yes     true            fan.yaml:7:56 (profile ci)

    fan both = fan up
    fan greet = fan -H db1 hello
    fan mine = fan list
    fan up = fan exec -H web1,db1 -- uptime

    $ fan config --profile none
    files: <home>/.config/fan/fan.yaml, fan.yaml
    profile: none

    serial  2               FAN_SERIAL
    set     token=********  FAN_SET

    fan both = fan up
    fan greet = fan -H db1 hello
    fan mine = fan list
    fan up = fan exec -H web1,db1 -- uptime
    ");
    let json = fan.run(["config", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(value["aliases"]["up"][0], "exec");
    let all = fan.run(["config", "--all"]).stdout;
    assert!(all.contains("connect-timeout") && all.contains("built in"), "{all}");
}

#[test]
fn defaults_hold_until_something_more_important_is_said() {
    let trap = Trap::set();
    let fan = trap.fan().file("fan.yaml", PROJECT);
    // The hosts of the default, of the command line, of the environment.
    for (line, env, hosts) in [
        ("exec -n -- true", None, "web1 (1)"),
        ("exec -n -H db1 -- true", None, "db1 (1)"),
        ("exec -n -- true", Some(("FAN_HOSTS", "web2")), "web2 (1)"),
    ] {
        let ran = match env {
            Some((name, value)) => trap.fan().file("fan.yaml", PROJECT).env(name, value).run(call(line)),
            None => fan.run(call(line)),
        };
        assert!(ran.stdout.contains(hosts), "{line}\n{}", ran.snapshot());
    }
    // Without defaults there are no hosts.
    assert_eq!(fan.run(call("--profile none exec -n -- true")).code, Some(2));
    // Another command's default is not this one's.
    assert!(fan.run(call("run hello -n")).stdout.contains("web[1-3],db1 (4)"));
    trap.assert_untouched("plans");
}

#[test]
fn aliases_stand_for_words() {
    let trap = Trap::set();
    let fan = trap.fan().file("fan.yaml", PROJECT);
    for (alias, meant) in [
        ("up -p", "exec -H web1,db1 -- uptime -p"),
        ("--color never up", "--color never exec -H web1,db1 -- uptime"),
        ("both -s", "exec -H web1,db1 -- uptime -s"),
        ("greet", "run -H db1 hello"),
    ] {
        let with_plan = |line: &str| {
            let fan = trap.fan().file("fan.yaml", PROJECT).env("FAN_PLAN", "true");
            let ran = fan.run(call(line));
            assert_eq!(ran.code, Some(0), "{line}\n{}", ran.snapshot());
            ran.snapshot()
        };
        assert_eq!(with_plan(alias), with_plan(meant), "{alias}");
    }
    assert!(fan.run(["__complete", "zsh", "--", "1", "fan", "gr"]).stdout.contains("greet"));
    trap.assert_untouched("aliases");
}

#[test]
fn what_is_wrong_with_it_is_told_at_its_place() {
    let trap = Trap::set();
    let wrong = "\
defaults:
  pol: 3
  pool: many
  fold: sometimes
  serial: [1, 25%]
  format: [lines, fold]
  mode: \"0644\"
  exec: {yes: true, user: {a: 1}}
  exce: {pool: 3}
profiles: {ci: 3}
aliases:
  check: run check
  sh: \"!ls\"
  half: exec 'a
  nothing: \"\"
colours: true
";
    let fan = trap.fan().file("fan.yaml", wrong);
    insta::assert_snapshot!(trap.refuses(&fan, words("list")), @r#"
    $ fan list
    fan.yaml:8:27: error: expected a value, or a list of values, found a map
    fan.yaml:10:16: error: expected a map of options, found a number
    fan.yaml:13:7: error: alias "sh": a shell command (help: a program named fan-sh on the PATH is a command of its own)
    fan.yaml:14:9: error: alias "half": a quote is not closed
    fan.yaml:15:3: error: alias "nothing" stands for nothing (help: write a command: exec -b -- uptime)
    fan.yaml:16:1: error: unknown field "colours" (help: fields here: defaults, profiles, aliases, reports, smtp)
    "#);
    // Help is there all the same.
    assert_eq!(fan.run(["--help"]).code, Some(0));
    let fan = trap.fan().file("fan.yaml", "profiles: {ci: {pool: 3}}\naliases: {a: b, b: a}\n");
    insta::assert_snapshot!(trap.refuses(&fan, words("list --profile c\nlist --profile production\na")), @r#"
    $ fan list --profile c
    error: --profile c: there is no such profile (help: did you mean "ci"?)

    $ fan list --profile production
    error: --profile production: there is no such profile (help: profiles: ci)

    $ fan a
    error: the alias "a" stands for itself (help: `fan config` shows the aliases)
    "#);
}

/// A run is repeated with the defaults that it had.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_keeps_the_defaults_that_it_had() {
    let sandbox = sandbox([("web1", Behaviour::default()), ("web2", Behaviour::default())]).await;
    let fan = Fan::of(&sandbox)
        .file("fan.yaml", "defaults: {hosts: [web2], report: out/last.md}\n")
        .file("out/README", "")
        .file("tasks.yaml", "tasks: {t: {hosts: [all], steps: [{run: test -e ok}]}}\n");
    let ran = fan.run(["t"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(fan.work().join("out/last.md").exists());
    fs::write(fan.work().join("fan.yaml"), "defaults: {hosts: [web1]}\n").unwrap();
    let again = fan.run(["retry"]);
    assert_eq!(again.code, Some(1), "{}", again.snapshot());
    assert!(again.stderr.contains("web2") && !again.stderr.contains("web1"), "{}", again.snapshot());
}

#[test]
fn programs_of_the_path_are_commands_unless_something_else_is() {
    let trap = Trap::set();
    let script = "#!/bin/sh\necho \"plugin $# $1\"\nexit 7\n";
    let fan = trap
        .fan()
        .file("bin/fan-audit", script)
        .file("bin/fan-list", script)
        .file("bin/fan-hello", script)
        .file("bin/fan-up", script)
        .file("bin/fan-plain", script)
        .file("fan.yaml", PROJECT);
    for name in ["audit", "list", "hello", "up"] {
        let path = fan.work().join(format!("bin/fan-{name}"));
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = format!("{}/bin:{}", fan.work().display(), std::env::var("PATH").unwrap());
    let fan = fan.env("PATH", &path).env("FAN_PLAN", "true");
    let ran = fan.run(["audit", "--deep", "-x"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(7), "plugin 2 --deep\n"), "{}", ran.snapshot());
    for shadowed in ["list", "hello", "up"] {
        let ran = fan.run([shadowed]);
        assert!(ran.code == Some(0) && !ran.stdout.contains("plugin"), "{shadowed}\n{}", ran.snapshot());
    }
    // Not executable, and not by a relative folder.
    assert_eq!(fan.run(["plain"]).code, Some(2));
    let relative = trap.fan().env("PATH", "bin:/usr/bin:/bin");
    assert_eq!(relative.run(["audit"]).code, Some(2));
    trap.assert_untouched("programs");
}

/// The example of the manual is one.
#[test]
fn the_manuals_file_is_taken() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md")).unwrap();
    let block = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let trap = Trap::set();
    let fan = trap.fan().file("fan.yaml", block);
    let ran = fan.run(["--profile", "ci", "config"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.snapshot());
    assert!(ran.stdout.contains("fan release = fan run deploy -R web --serial 1,25%"), "{}", ran.stdout);
    assert_eq!(fan.run(["release:1", "-n"]).code, Some(2), "an alias takes no arguments behind a colon");
    assert_eq!(fan.run(["release", "-n", "-e", "version=1"]).code, Some(0));
}
