//! Scripts on real OpenSSH servers: with every login shell, after noise, and where there is no shell at all.

use fan::testing::event::Fact;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::Fan;

/// The path of a program of this machine.
fn found(name: &str) -> String {
    let path = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(|folder| format!("{folder}/{name}"));
    let path = path.into_iter().find(|path| std::path::Path::new(path).exists());
    path.unwrap_or_else(|| panic!("{name} is not installed: run tests/setup.sh"))
}

/// fan with a host for each login name of the server.
fn at(sshd: &Sshd, names: &[&str]) -> Fan {
    let mut inventory = sshd.inventory_yaml(0);
    for name in names {
        inventory += &format!("  {name}: {{address: 127.0.0.1, user: fan-{name}}}\n");
    }
    Fan::new().file("inventory.yaml", inventory)
}

const SHELLS: [&str; 6] = ["sh", "bash", "dash", "zsh", "fish", "tcsh"];

#[test]
fn every_login_shell_runs_scripts_short_and_long_after_whatever_its_profile_says() {
    let paths = SHELLS.map(found);
    let folder = tempfile::Builder::new().prefix("fan-shells-").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ash = folder.path().join("ash");
    std::os::unix::fs::symlink(found("busybox"), &ash).unwrap();
    let mut shells: Vec<(&str, &str)> = SHELLS.into_iter().zip(paths.iter().map(String::as_str)).collect();
    shells.push(("ash", ash.to_str().unwrap()));
    let names: Vec<&str> = shells.iter().map(|(name, _)| *name).collect();
    let sshd = Sshd::builder().stranger("x").login_shells(&shells).start();
    for (profile, noise) in [
        (".zshenv", "echo noise; echo noise >&2"),
        (".tcshrc", "echo noise"),
        (".config/fish/config.fish", "echo noise; echo noise >&2"),
    ] {
        let path = sshd.home().join(profile);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("{noise}\n")).unwrap();
    }
    let filler = "          : it's \"filler\" \\\\ $HOME `true` !x\n".repeat(4000);
    let value = r#"it's "a" \ $HOME `id` !! ~ * é {x}"#;
    let tasks = format!(
        r#"
vars:
  value: {}
tasks:
  t:
    steps:
      - run: |
          printf '%s\n' {{{{ value }}}}
          printf '%s\n' "$V" >&2
        env: {{V: "{{{{ value }}}}"}}
      - run: |
{filler}          printf '%s\n' {{{{ value }}}}
          exit 7
        ok_codes: 7
"#,
        serde_json::to_string(value).unwrap()
    );
    let ran = at(&sshd, &names).file("tasks.yaml", tasks).run(["run", "t", "-H", "all"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    for name in names {
        let said = format!("{name:<4} | {value}");
        assert_eq!(ran.stdout.lines().filter(|line| *line == said).count(), 2, "{}", ran.snapshot());
        assert_eq!(ran.stderr.lines().filter(|line| *line == said).count(), 1, "{}", ran.snapshot());
    }
    assert!(!ran.stdout.contains("noise"), "{}", ran.snapshot());
    // Told once for each of the three that have a profile.
    assert_eq!(ran.stderr.matches("that the login printed").count(), 3, "{}", ran.snapshot());
}

#[test]
fn an_account_without_a_shell_has_run_nothing() {
    let (nologin, no, rbash) = (found("nologin"), found("false"), found("rbash"));
    let shells = [("nologin", nologin.as_str()), ("false", no.as_str()), ("rbash", rbash.as_str())];
    let sshd = Sshd::builder().stranger("x").login_shells(&shells).start();
    let names = shells.map(|(name, _)| name);
    let ran = at(&sshd, &names)
        .file("tasks.yaml", "tasks: {t: [echo out]}")
        .run(["run", "t", "-H", "all", "--format", "jsonl"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    let mut seen = 0;
    for event in ran.events() {
        if let Fact::HostFinished { outcome, .. } = event.fact {
            let failure = outcome.failure.unwrap();
            assert_eq!((failure.kind.as_str(), outcome.started), ("exec_refused", false), "{failure:?}");
            assert!(
                failure.message().starts_with("the host's shell did not start the command"),
                "{failure:?}"
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 3);
    let sshd = Sshd::builder().line("ForceCommand internal-sftp").start();
    let ran = Fan::at(&sshd).file("tasks.yaml", "tasks: {t: [echo out]}").run(["run", "t", "-H", "h1"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    let said = "it said \"This service allows sftp connections only.\" (exit status 1)";
    assert!(ran.stderr.contains(said), "{}", ran.snapshot());
}

#[test]
fn what_a_forced_command_says_first_is_left_out() {
    let sshd = Sshd::builder().line("ForceCommand echo welcome; eval \"$SSH_ORIGINAL_COMMAND\"").start();
    let ran = Fan::at(&sshd)
        .file("tasks.yaml", "tasks: {t: ['echo out; echo err >&2; exit 4']}")
        .run(["run", "t", "-H", "h1"]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("h1 | out\n", Some(1)), "{}", ran.snapshot());
    assert!(!ran.stderr.contains("welcome"), "{}", ran.snapshot());
}

#[test]
fn the_line_that_failed_is_named_as_it_was_written() {
    let sshd = Sshd::start();
    let tasks = "
secrets: {token: {env: TOKEN}}
tasks:
  t:
    - run: |
        echo one
        test {{ token }} = x
        echo three
      shell: bash
";
    let ran =
        Fan::at(&sshd).file("tasks.yaml", tasks).env("TOKEN", "hunter2hunter2").run(["run", "t", "-H", "h1"]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("h1 | one\n", Some(1)), "{}", ran.snapshot());
    let said = "exit status 1 at line 2: test {{ token }} = x (tasks.yaml:7)";
    assert!(ran.stderr.contains(said), "{}", ran.snapshot());
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.snapshot());
}
