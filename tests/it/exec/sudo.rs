//! `-S` and `--as`: the command of a command line as another user, with the real sudo and su.

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, typed_on_terminal};

const PASSWORD: &str = "pw-hunter2-pw";

const SUDOERS: &str = "\
Defaults env_reset, lecture=never, timestamp_timeout=0, passwd_tries=1
root ALL=(ALL:ALL) ALL
fan-free ALL=(ALL:ALL) NOPASSWD: ALL
fan-pass ALL=(ALL:ALL) ALL
";

const LOGINS: [(&str, &str); 3] = [("free", "/usr/bin/fish"), ("pass", "/bin/sh"), ("none", "/usr/bin/tcsh")];

fn sshd() -> Sshd {
    Sshd::builder().stranger(PASSWORD).login_shells(&LOGINS).etc("/etc/sudoers", SUDOERS).start()
}

/// fan with a host for each login, and sudo's settings for all of them.
fn fan(sshd: &Sshd, sudo: &str) -> Fan {
    let mut inventory = sshd.inventory_yaml(0);
    if !sudo.is_empty() {
        inventory = inventory.replace("hosts:\n", &format!("  sudo: {sudo}\nhosts:\n"));
    }
    for (login, _) in LOGINS {
        inventory += &format!("  {login}: {{address: 127.0.0.1, user: fan-{login}}}\n");
    }
    Fan::new().file("inventory.yaml", inventory).env("PW", PASSWORD)
}

/// All of the line, not only its first command; whatever the login shell; untouched, with its own exit status.
#[test]
fn the_whole_line_is_another_user_s() {
    let sshd = sshd();
    let line = "false; cd / && echo \"$(id -un) $PWD $HOME {{ host }}\" | cat; id -un >&2; exit 3";
    for (host, sudo, flags, user, home) in [
        ("free", "", &["-S"][..], "root", "/root"),
        ("free", "", &["--as", "root"], "root", "/root"),
        ("pass", "{password: {env: PW}}", &["--sudo"], "root", "/root"),
        ("pass", "{password: {env: PW}, user: fan-none}", &["-S"], "fan-none", ""),
        ("pass", "{password: {env: PW}, user: fan-none}", &["-S", "--as", "fan-free"], "fan-free", ""),
        ("none", "{method: su, password: {env: PW}}", &["-S"], "root", "/root"),
        // Who is that user already needs no sudo.
        ("none", "", &["--as", "fan-none"], "fan-none", ""),
    ] {
        let fan = fan(&sshd, sudo);
        let ran = fan.run([&["exec", "-N", "-H", host], flags, &["--", line]].concat());
        assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
        assert!(ran.stdout.starts_with(&format!("{user} / {home}")), "{flags:?}: {}", ran.snapshot());
        assert!(ran.stdout.ends_with(" {{ host }}\n"), "{flags:?}: {}", ran.snapshot());
        assert!(ran.stderr.contains(user) && ran.stderr.contains("exit status 3"), "{}", ran.snapshot());
        assert!(!ran.stderr.contains(PASSWORD), "{}", ran.snapshot());
    }
}

#[test]
fn a_host_that_says_no_has_run_nothing() {
    let sshd = sshd();
    let ran = fan(&sshd, "").run(["exec", "-S", "-H", "pass,free", "--", "touch /tmp/never-$(id -un)"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert!(ran.stderr.contains("[sudo_password_missing]"), "{}", ran.snapshot());
    let _ = std::fs::remove_file("/tmp/never-root");
    let ran = fan(&sshd, "").run(["exec", "--as", "ro;ot", "-H", "free", "--", "id"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains("--as: "), "{}", ran.snapshot());
}

/// The password that is typed, for a command and for steps on files.
#[test]
fn the_password_is_asked_once() {
    let sshd = sshd();
    let fan = fan(&sshd, "").file("note", "of mine\n");
    let folder = tempfile::Builder::new().prefix("fan-as-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let to = folder.path().join("note");
    let dialogue = [("sudo password", "pw-hunter2-pw\n")];
    for call in [
        "exec -S -K -N -H pass -- id -un".to_owned(),
        format!("put -K --as fan-none -H pass note {}", to.display()),
        format!("exec --as fan-free -K -N -H pass -- stat -c %U {}", to.display()),
    ] {
        let (code, shown) = typed_on_terminal(&fan, &format!("\"$BINARY\" {call}"), &dialogue);
        assert_eq!(code, Some(0), "{shown}");
        assert_eq!(shown.matches("sudo password").count(), 1, "{shown}");
        assert!(!shown.contains(PASSWORD), "{shown}");
        let said = if call.starts_with("exec -S") { "root" } else { "fan-none" };
        assert!(call.starts_with("put") || shown.contains(said), "{shown}");
    }
}

/// Its own watchdog stops it, as nobody else may.
#[test]
fn its_time_limit_ends_it() {
    let sshd = sshd();
    let fan = fan(&sshd, "{password: {env: PW}}");
    let ran = fan.run(["exec", "-S", "-N", "-T", "1", "-H", "pass", "--", "echo $$; exec sleep 1000"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(ran.stderr.contains("; ended [timeout]"), "{}", ran.snapshot());
    let pid = ran.stdout.trim();
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "{pid} is alive");
}

/// The password goes to sudo, and the input to the command, whichever reads first.
#[test]
fn its_input_comes_after_the_password() {
    let sshd = sshd();
    let input = "line of mine\n".repeat(20_000);
    for (host, sudo) in
        [("pass", "{password: {env: PW}}"), ("free", ""), ("none", "{method: su, password: {env: PW}}")]
    {
        let fan = fan(&sshd, sudo).stdin(input.clone());
        let ran = fan.run(["exec", "-S", "-N", "-H", host, "--stdin", "-", "--", "id -un; cat"]);
        assert_eq!(ran.code, Some(0), "{host}: {}", ran.stderr);
        assert!(ran.stdout == format!("root\n{input}"), "{host}: {} bytes", ran.stdout.len());
    }
}
