//! Completion in real shells: what a user of bash, zsh and fish sees and gets behind a Tab.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::fixtures::support::{Fan, typed_on_terminal};
use crate::fixtures::trap::Trap;

const TASKS: &str = "\
vars: {app: shop}
secrets: {db_password: {env: DB}}
tasks:
  deploy:
    desc: Release the app
    params: {version: null, force: false, channel: stable}
    roles: [web]
    steps:
      - {run: uptime, tags: [config]}
      - block:
          - {run: uptime, tags: [slow]}
  disk-usage: {hosts: [all], steps: [{run: df}]}
  secret-task: {private: true, hosts: [all], steps: [{run: df}]}
";

/// A folder with files, and `fan` on the path of its shells.
fn fan(trap: &Trap) -> Fan {
    let fan = trap.fan().file("tasks.yaml", TASKS).file("bin/README", "");
    symlink(env!("CARGO_BIN_EXE_fan"), fan.work().join("bin/fan")).unwrap();
    fan
}

/// What bash would write for a line that ends at the cursor, in place of its end.
fn bash(fan: &Fan, line: &str, replaced: &str) -> Vec<String> {
    asked(fan, &["bash", "--", line, &line.len().to_string(), replaced])
}

/// Values that zsh gets for words, the last of which is completed.
fn zsh(fan: &Fan, words: &[&str]) -> Vec<String> {
    let index = (words.len() - 1).to_string();
    let arguments = [&["zsh", "--", &index][..], words].concat();
    let values = asked(fan, &arguments).into_iter();
    values.map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

fn asked(fan: &Fan, arguments: &[&str]) -> Vec<String> {
    let ran = fan.run([&["__complete"][..], arguments].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{arguments:?}\n{}", ran.snapshot());
    ran.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn words_have_candidates_by_what_they_are() {
    let trap = Trap::set();
    let fan = fan(&trap);
    let zsh = |line: &str| zsh(&fan, &line.split(' ').collect::<Vec<_>>());
    assert_eq!(zsh("fan exec -H w"), ["web1", "web2", "web3"]);
    assert_eq!(zsh("fan exec -H @"), ["@web", "@db"]);
    assert_eq!(zsh("fan exec -H @web!web"), ["@web!web1", "@web!web2", "@web!web3"]);
    assert_eq!(zsh("fan exec --hosts=db"), ["--hosts=db1"]);
    assert_eq!(zsh("fan exec -x a"), ["all"]);
    assert_eq!(zsh("fan exec -R "), ["web", "db"]);
    assert_eq!(zsh("fan exec -R web,d"), ["web,db"]);
    assert_eq!(zsh("fan run d"), ["deploy:", "disk-usage"]);
    assert_eq!(zsh("fan run deploy:"), ["deploy:version=", "deploy:force=", "deploy:channel="]);
    assert_eq!(zsh("fan run deploy:version=1,f"), ["deploy:version=1,force="]);
    assert_eq!(zsh("fan run deploy:force="), ["deploy:force=true", "deploy:force=false"]);
    assert_eq!(zsh("fan run deploy -e "), ["app=", "channel=", "db_password=", "force=", "version="]);
    assert_eq!(zsh("fan run deploy --tags "), ["config", "slow"]);
    assert_eq!(zsh("fan run deploy --serial "), [""; 0]);
    assert_eq!(zsh("fan exec --host-keys s"), ["strict"]);
    assert_eq!(zsh("fan shell db"), ["db1"]);
    assert_eq!(zsh("fan check disk"), ["disk-usage"]);
    assert_eq!(zsh("fan run --plan --lo"), ["--lock-wait", "--log", "--log-filter"]);
    assert_eq!(zsh("fan exec -H web1 -- "), [""; 0], "nobody knows what is on the host");
    // Where a command stands: commands and tasks.
    assert_eq!(zsh("fan de"), ["demo", "deploy:"]);
    assert_eq!(zsh("fan deploy:v"), ["deploy:version="]);
    assert_eq!(zsh("fan -H web1 dis"), ["disk-usage"]);
    assert_eq!(zsh("fan --color never exec -H db"), ["db1"]);
    assert!(zsh("fan ").iter().all(|word| !word.starts_with('-') && word != "__complete"));
    // Files that the line names.
    let other =
        fan.file("other/hosts.yaml", "hosts: [mail1]\n").file("other/tasks.yaml", "tasks: {sweep: [df]}\n");
    let words = ["fan", "exec", "-i", "other/hosts.yaml", "-H", "m"];
    assert_eq!(super::completions::zsh(&other, &words), ["mail1"]);
    assert_eq!(super::completions::zsh(&other, &["fan", "run", "-f", "other/tasks.yaml", ""]), ["sweep"]);
    assert_eq!(super::completions::zsh(&other, &["fan", "exec", "-i", "other/h"]), ["other/hosts.yaml"]);
    trap.assert_untouched("completion");
}

#[test]
fn a_broken_file_has_no_candidates_and_no_messages() {
    let fan = Fan::new().file("inventory.yaml", "hosts: [").file("tasks.yaml", "tasks: 3");
    assert_eq!(zsh(&fan, &["fan", "exec", "-H", "w"]), [""; 0]);
    assert_eq!(zsh(&fan, &["fan", "run", ""]), [""; 0]);
}

/// Ten thousand names are nothing that a terminal should show: names that begin alike are offered by what they begin with.
#[test]
fn many_hosts_are_offered_by_their_beginnings() {
    let fan =
        Fan::new().file("inventory.yaml", "hosts:\n  web[00001-10000]: {}\n  db[1-600]: {}\n  jump: {}\n");
    assert_eq!(zsh(&fan, &["fan", "exec", "-H", ""]), ["all", "db", "jump", "web"]);
    assert_eq!(zsh(&fan, &["fan", "exec", "-H", "web"]), ["web0", "web1"]);
    assert_eq!(zsh(&fan, &["fan", "exec", "-H", "w"]), ["web0", "web1"], "a single one would end the word");
    assert_eq!(zsh(&fan, &["fan", "exec", "-H", "web0123"]).len(), 10);
}

/// Types a line with Tabs into a shell, and runs what came of it.
fn typed(fan: &Fan, shell: &str, dialogue: &[(&str, &str)]) -> String {
    let (code, shown) = typed_on_terminal(fan, shell, dialogue);
    assert_eq!(code, Some(0), "{shown}");
    shown
}

#[test]
fn bash_completes_what_is_typed() {
    let trap = Trap::set();
    let fan = fan(&trap)
        .file("rc", "PATH=$PWD/bin:$PATH\nPS1='ready> '\nset +o history\nbind 'set show-all-if-ambiguous on'\nsource <(fan completions bash)\n");
    assert_eq!(bash(&fan, "fan run deploy:v", "v"), ["version="]);
    let shown = typed(
        &fan,
        "bash --noprofile --rcfile rc -i",
        &[
            ("ready> ", "fan ru\tdep\tver\t1.2 -nR w\t\r"),
            // Typed at the prompt: before it, the keys are not bash's.
            ("deploy on web[1-3] (3)", ""),
            ("ready> ", "fan exec -nH @d\t up\r"),
            ("up on db1 (1)", ""),
            ("ready> ", "fan exec --hosts=db\t -n -- 'a  b'\r"),
            ("a  b on db1 (1)", ""),
            ("ready> ", "fan disk\t-n -x w\t"),
            ("web3", "db1 \x15exit\r"),
        ],
    );
    assert!(!shown.contains("error"), "{shown}");
    trap.assert_untouched("bash");
}

#[test]
fn zsh_completes_what_is_typed() {
    let trap = Trap::set();
    let rc = "PATH=$PWD/bin:$PATH\nPS1='ready> '\nautoload -Uz compinit\ncompinit -u -d $PWD/dump\nsource <(fan completions zsh)\n";
    let fan = fan(&trap).file("z/.zshrc", rc);
    let shown = typed(
        &fan,
        "env TERM=xterm ZDOTDIR=$PWD/z zsh -i",
        &[
            ("ready> ", "fan ru\tdep\tver\t1.2 -nR w\t\r"),
            ("deploy on web[1-3] (3)", "fan exec -nH @d\tup\r"),
            ("up on db1 (1)", "fan exec --host-keys \t"),
            ("Refuse hosts whose key is unknown", "\x15exit\r"),
        ],
    );
    assert!(!shown.contains("error"), "{shown}");
    trap.assert_untouched("zsh");
}

#[test]
fn fish_has_candidates_with_descriptions() {
    let trap = Trap::set();
    let fan = fan(&trap);
    let script = "set -x PATH $PWD/bin $PATH; fan completions fish | source; for line in $argv; echo \"> $line\"; complete -C $line; end";
    let mut command = Command::new("fish");
    command.args(["--no-config", "-c", script]).current_dir(fan.work()).env_clear().env("HOME", fan.home());
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.args(["fan run d", "fan run deploy:f", "fan exec -H @w", "fan exec -R d", "fan exec --host-k"]);
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap(), @"
    > fan run d
    deploy:	Release the app
    disk-usage
    > fan run deploy:f
    deploy:force=	default: false
    > fan exec -H @w
    @web	role
    > fan exec -R d
    db
    > fan exec --host-k
    --host-keys	What to do about unknown host keys: ask once on a terminal, otherwise refuse. Changed and revoked keys are always refused
    ");
}

/// The scripts are what the shells themselves take for one.
#[test]
fn scripts_are_sound() {
    let fan = Fan::new();
    for (shell, check) in [("bash", "bash -n"), ("zsh", "zsh -fn"), ("fish", "fish --no-config -n")] {
        let script = fan.run(["completions", shell]);
        assert_eq!((script.code, script.stderr.as_str()), (Some(0), ""), "{shell}");
        fs::write(fan.work().join(shell), &script.stdout).unwrap();
        let mut words = check.split(' ');
        let mut command = Command::new(words.next().unwrap());
        let output = command.args(words).arg(fan.work().join(shell)).output().unwrap();
        assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
