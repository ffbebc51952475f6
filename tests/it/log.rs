//! `--log FILE`: what stands in it, what never does, and whose file it is.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use fan::testing::sandbox::{Behaviour, SandboxLogin};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, not_run, output, sandbox, sandbox_inventory};
use crate::fixtures::trap::Trap;

const SECRET: &str = "c4n4ry-l0g'\"\\ \u{e4}";

const TASKS: &str = r"
secrets: {token: {env: TOKEN}}
tasks:
  t:
    hosts: [all]
    steps:
      - {name: 'show {{ token }}', run: 'echo seen-by-nobody {{ token }}; exit 3', warn_only: true}
      - {put: conf, to: '{{ dir }}/{{ token }}'}
      - {name: hidden, run: 'echo {{ token }}', secret: true}
      - {run: 'exit 1', retries: 1, delay: 1ms, warn_only: true}
";

#[test]
fn a_run_is_told_without_contents_and_secrets() {
    let sshd = Sshd::start();
    let fan = Fan::at(&sshd)
        .file("tasks.yaml", TASKS)
        .file("conf", "what-the-file-holds\n")
        .env("TOKEN", SECRET)
        .env("FAN_LOG_FILTER", "trace");
    let target = fan.work().display().to_string();
    let run = ["run", "-H", "h1", "--log", "log", "-e"];
    let ran = fan.run(run.into_iter().chain([format!("dir={target}").as_str(), "t"]));
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let path = fan.work().join("log");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let log = fs::read_to_string(&path).unwrap();
    for told in [
        concat!("fan ", env!("CARGO_PKG_VERSION"), " run ("),
        "connecting to 127.",
        "russh::client",
        "the host key is accepted",
        "auth::attempts: ED25519 SHA256:",
        "logged in as ",
        "a command is sent bytes=",
        "the subsystem sftp is asked for",
        ": OPEN ",
        "fan::ssh::sftp::client: SFTP ",
        "WRITE ",
        "(20 bytes from 0)",
        "\"event\":\"step_started\"",
        "\"event\":\"step_retried\"",
        "\"event\":\"host_connected\"",
        "host{name=\"h1\"}",
        "exit code 0",
    ] {
        assert!(log.contains(told), "no {told:?} in the log:\n{log}");
    }
    for hidden in
        ["c4n4ry", "seen-by-nobody", "what-the-file-holds", "sshbuffer", "packet_length", "TRACE russh"]
    {
        // The text of a command stands in its step's name, where that is not given.
        assert!(!log.contains(hidden), "{hidden:?} is in the log:\n{log}");
    }

    // The next one is appended.
    let ran = fan.run(["ping", "-H", "h1", "--log", "log", "--log-filter", "fan::ssh=debug"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let both = fs::read_to_string(&path).unwrap();
    let more = both.strip_prefix(&log).unwrap();
    assert!(
        more.starts_with(concat!("fan ", env!("CARGO_PKG_VERSION"), " ping ("))
            && more.contains("logged in as "),
        "{more}"
    );
    assert!(!more.contains("russh") && !more.contains("host_connected"), "{more}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_not_told() {
    let password = "c4n4ry-pass-w0rd";
    let behaviour = Behaviour::Login(SandboxLogin::Password(password.into()));
    let sandbox = sandbox([("h1", behaviour)]).await;
    let inventory =
        sandbox_inventory(&sandbox).replace("defaults:", "defaults:\n  password: {env: PW}\n  agent: false");
    let fan =
        Fan::new().file("inventory.yaml", inventory).env("FAN_LOG", "log").env("FAN_LOG_FILTER", "trace");
    let mut fan = fan;
    for (given, code) in [(password, 0), ("c4n4ry-of-another", 3)] {
        fan = fan.env("PW", given);
        let ran = fan.run(["ping"]);
        assert_eq!(ran.code, Some(code), "{}", ran.snapshot());
        let log = fs::read_to_string(fan.work().join("log")).unwrap();
        assert!(log.contains("the password is sent") && log.contains("password: "), "{log}");
        assert!(!log.contains("c4n4ry"), "{log}");
        // Nor how long it is.
        for length in ["padding", "packet_length", "buf.len()"] {
            assert!(!log.contains(length), "{length:?} is in the log:\n{log}");
        }
    }
}

#[test]
fn a_file_that_is_not_ours_to_write_is_an_error_before_contact() {
    let trap = Trap::set();
    let fan = trap.fan();
    let path = |name: &str| fan.work().join(name);
    fs::write(path("precious"), "precious\n").unwrap();
    symlink("precious", path("link")).unwrap();
    symlink("nowhere", path("dangling")).unwrap();
    fs::write(path("one"), "").unwrap();
    fs::hard_link(path("one"), path("other")).unwrap();
    mknodat(CWD, path("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    for (log, why) in [
        ("link", "it is a link"),
        ("dangling", "it is a link"),
        ("other", "it has a second hard link"),
        ("fifo", ""),
        (".", ""),
        ("missing/log", "No such file or directory"),
        ("/dev/full", "it is not a regular file"),
        ("/proc/self/status", ""),
    ] {
        let ran = fan.run(["ping", "--log", log]);
        assert_eq!(ran.code, Some(5), "{log}: {}", ran.snapshot());
        let told = format!("error: cannot write the log {log}\n  caused by: {why}");
        assert!(ran.stderr.contains(&told), "{log}: {}", ran.snapshot());
    }
    assert_eq!(fs::read_to_string(path("precious")).unwrap(), "precious\n");
    assert!(!path("nowhere").exists());
    let ran = fan.run(["ping", "--log", "log", "--log-filter", "loud=yes=no"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    trap.assert_untouched("ping");

    // One that others may read is the user's alone from then on.
    fs::write(path("wide"), "before\n").unwrap();
    fs::set_permissions(path("wide"), fs::Permissions::from_mode(0o644)).unwrap();
    let ran = fan.run(["list", "--log", "wide"]);
    assert!(ran.code.is_some(), "{}", ran.snapshot());
    assert_eq!(fs::metadata(path("wide")).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(path("wide")).unwrap().starts_with(concat!(
        "before\nfan ",
        env!("CARGO_PKG_VERSION"),
        " list ("
    )));
}

#[test]
fn a_full_disk_is_an_error_before_contact() {
    let script = "mount -t tmpfs -o size=4k none \"$0\" && cat /dev/zero >\"$0/fill\"; exec \"$@\"";
    let trap = Trap::set();
    let fan = trap.fan();
    let disk = fan.work().join("disk");
    fs::create_dir(&disk).unwrap();
    let namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"];
    let mut probe = Command::new(namespace[0]);
    probe.args(&namespace[1..]).args(["mount -t tmpfs none \"$0\""]).arg(&disk);
    if output(probe, b"").code != Some(0) {
        not_run("a full disk", "no mount namespace can be made here");
        return;
    }
    let disk = disk.display().to_string();
    let wrapper: Vec<&str> = namespace.into_iter().chain([script, disk.as_str()]).collect();
    let ran = fan.under(&wrapper).run(["ping", "--log", "disk/log"]);
    assert_eq!(ran.code, Some(5), "{}", ran.snapshot());
    assert!(
        ran.stderr.contains("cannot write the log disk/log\n  caused by: No space left"),
        "{}",
        ran.snapshot()
    );
    trap.assert_untouched("ping");
}
