//! Host keys, with the real sshd and the real ssh: every policy, certificates, and pins.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, inventory_defaults, output};
use crate::trust::fixture::{
    assert_no_login, fan, fingerprint, inventory, keygen, known_hosts, lines_of, on_terminal, other_key,
    ping, pool, real_ssh,
};

#[test]
fn strict_is_the_default_without_a_terminal() {
    let sshd = Sshd::start();
    let fan = fan(&sshd, "");
    let ran = ping(&fan, &[]);
    insta::assert_snapshot!(ran.snapshot(), @"
    exit code: 3
    --- stderr
    h1: the host's key is not known: ssh-ed25519 SHA256:<ed25519> (127.0.0.1:<port>) [host_key_unknown]
    exec echo reached · h1 · 1 unreachable  <time>
      h1  unreachable

    h1: the host's key is not known: ssh-ed25519 SHA256:<ed25519> (127.0.0.1:<port>) [host_key_unknown]
    hint: compare the fingerprint with one from a trusted source, then: fan trust -H h1
    ");
    assert_eq!(known_hosts(&fan), "");
    assert_no_login(&sshd);
}

#[test]
fn accept_new_records_and_then_strict_is_enough() {
    let sshd = Sshd::builder().hosts(3).start();
    let fan = fan(&sshd, "");
    let ran = ping(&fan, &["--host-keys", "accept-new"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(lines_of(&known_hosts(&fan)), lines_of(&fs::read_to_string(sshd.known_hosts()).unwrap()));
    for args in [&[][..], &["--host-keys", "strict"], &["--host-keys", "accept-new"]] {
        assert_eq!(ping(&fan, args).code, Some(0));
    }
    assert_eq!(known_hosts(&fan).lines().count(), 3);
    // The real ssh reads the same.
    for address in sshd.addresses() {
        assert_eq!(real_ssh(&sshd, address, &fan.work().join("known_hosts")).code, Some(0));
    }
}

#[test]
fn the_policy_can_come_from_inventory_environment_and_flag() {
    let sshd = Sshd::start();
    let fan = Fan::new();
    let file = fan.work().join("known_hosts");
    let yaml = inventory(&sshd, &file).replace("hosts:\n", "  host_keys: accept-new\nhosts:\n");
    let fan = fan.file("inventory.yaml", yaml);
    assert_eq!(ping(&fan, &["--host-keys", "strict"]).code, Some(3));
    assert_eq!(ping(&fan, &[]).code, Some(0));
    fs::remove_file(&file).unwrap();
    let strict = fan.env("FAN_HOST_KEYS", "strict");
    assert_eq!(ping(&strict, &[]).code, Some(3));
    let ran = ping(&strict, &["--host-keys", "ask"]);
    insta::assert_snapshot!(ran.snapshot(), @r"
    exit code: 2
    --- stderr
    error: --host-keys ask: there is no terminal to ask on, or CI is set (help: write --host-keys strict or accept-new, and see `fan trust`)
    ");
}

#[test]
fn changed_and_revoked_keys_are_refused_in_every_mode() {
    let sshd = Sshd::builder().host_keys(&["ed25519", "ecdsa"]).start();
    let folder = TempDir::new().unwrap();
    let name = format!("[127.0.0.1]:{}", sshd.port());
    let (other, rsa) = (other_key(folder.path(), "a", "ed25519"), other_key(folder.path(), "b", "rsa"));
    let real = sshd.host_key("ed25519");
    for (known, kind) in [
        (format!("{name} {other}\n"), "host_key_changed"),
        (format!("{name} {rsa}\n"), "host_key_changed"),
        (format!("{name} {real}\n@revoked * {real}\n"), "host_key_revoked"),
    ] {
        for policy in ["strict", "accept-new"] {
            let fan = fan(&sshd, &known);
            let ran = ping(&fan, &["--host-keys", policy]);
            assert_eq!(ran.code, Some(4), "{}", ran.snapshot());
            assert!(ran.stderr.contains(kind), "{}", ran.stderr);
            assert_eq!(known_hosts(&fan), known);
        }
        let fan = fan(&sshd, &known);
        let asked = on_terminal(&fan, "exec -H all --host-keys ask -- echo reached", "yes\n");
        assert_eq!(asked.code, Some(4), "{}", asked.text);
        assert!(!asked.text.contains("[yes/no"), "{}", asked.text);
        assert_eq!(known_hosts(&fan), known);
    }
    assert_no_login(&sshd);
}

#[test]
fn a_server_with_two_keys_is_known_by_either() {
    let sshd = Sshd::builder().host_keys(&["ed25519", "ecdsa", "rsa"]).start();
    for key_type in ["ed25519", "ecdsa", "rsa"] {
        let fan = fan(&sshd, &format!("[127.0.0.1]:{} {}\n", sshd.port(), sshd.host_key(key_type)));
        let ran = ping(&fan, &[]);
        assert_eq!(ran.code, Some(0), "{key_type}: {}", ran.snapshot());
    }
}

#[test]
fn pins_replace_the_file() {
    let sshd = Sshd::builder().host_keys(&["ed25519", "rsa"]).start();
    let folder = TempDir::new().unwrap();
    let wrong = other_key(folder.path(), "a", "ed25519");
    let print = fingerprint(&sshd.identity().with_file_name("host_ed25519.pub"));
    let trap = format!("[127.0.0.1]:{} {wrong}\n", sshd.port());
    for (pin, code) in [
        (format!("\"{print}\""), 0),
        (sshd.host_key("ed25519"), 0),
        (sshd.host_key("rsa"), 0),
        (format!("[{wrong}, \"{print}\"]"), 0),
        (wrong.clone(), 4),
        (format!("\"{}\"", fingerprint(&folder.path().join("a.pub"))), 4),
    ] {
        let fan = fan(&sshd, &trap);
        let yaml = inventory(&sshd, &fan.work().join("known_hosts"))
            .replace("hosts:\n", &format!("  host_key: {pin}\nhosts:\n"));
        let fan = fan.file("inventory.yaml", yaml);
        let ran = ping(&fan, &["--host-keys", "accept-new"]);
        assert_eq!(ran.code, Some(code), "{pin}: {}", ran.snapshot());
        assert_eq!(known_hosts(&fan), trap);
    }
}

#[test]
fn on_a_terminal_new_keys_are_asked_about_once_and_together() {
    let sshd = Sshd::builder().hosts(3).start();
    let known = format!("[127.0.0.2]:{} {}\n", sshd.port(), sshd.host_key("ed25519"));
    let fan = fan(&sshd, &known);
    let ran = on_terminal(&fan, "exec -H all -- echo reached", "y\nyes\n");
    assert_eq!(ran.code, Some(0), "{}", ran.text);
    assert_eq!(ran.text.matches("Trust these 2 new keys? [yes/no/host patterns]").count(), 2, "{}", ran.text);
    let print = fingerprint(&sshd.identity().with_file_name("host_ed25519.pub"));
    assert!(ran.text.contains(&format!("h[1,3] (2)  ssh-ed25519  {print}")), "{}", ran.text);
    assert_eq!(ran.text.matches("| reached").count(), 3, "{}", ran.text);
    assert_eq!(known_hosts(&fan).lines().count(), 3);
    let again = on_terminal(&fan, "exec -H all -- echo reached", "");
    assert_eq!(again.code, Some(0), "{}", again.text);
    assert!(!again.text.contains("yes/no"), "{}", again.text);
}

#[test]
fn hosts_that_the_user_does_not_trust_are_refused_and_the_others_run() {
    let sshd = Sshd::builder().hosts(3).start();
    let fan = fan(&sshd, "");
    let ran = on_terminal(&fan, "exec -H all -- echo reached", "h2\n");
    assert_eq!(ran.code, Some(3), "{}", ran.text);
    assert!(ran.text.contains("h2 | reached"), "{}", ran.text);
    assert_eq!(ran.text.matches("| reached").count(), 1, "{}", ran.text);
    assert_eq!(known_hosts(&fan).lines().count(), 1);
    let no = on_terminal(&fan, "exec -H h1,h3 -- echo reached", "no\n");
    assert_eq!(no.code, Some(3), "{}", no.text);
    assert_eq!(sshd.log().matches("Accepted publickey").count(), 1);
    assert_eq!(known_hosts(&fan).lines().count(), 1);
}

/// An sshd with a host certificate: which names, which validity.
struct Certified {
    sshd: Sshd,
    folder: TempDir,
    authority: String,
}

fn certified(sign: &[&str]) -> Certified {
    let folder = tempfile::Builder::new().prefix("fan-cert-").tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let authority = other_key(folder.path(), "ca", "ed25519");
    other_key(folder.path(), "key", "ed25519");
    let base = ["-s", &path("ca"), "-h", "-I", "test"].map(str::to_owned);
    let args: Vec<String> =
        base.into_iter().chain(sign.iter().map(ToString::to_string)).chain([path("key.pub")]).collect();
    keygen(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let sshd = Sshd::builder()
        .host_keys(&[])
        .line(&format!("HostKey {}", path("key")))
        .line(&format!("HostCertificate {}", path("key-cert.pub")))
        .start();
    Certified { sshd, folder, authority }
}

impl Certified {
    fn key(&self) -> String {
        fs::read_to_string(self.folder.path().join("key.pub")).unwrap().trim_end().to_owned()
    }
}

#[test]
fn a_host_certificate_is_enough_when_its_authority_may_speak_for_the_host() {
    let good = certified(&["-n", "127.0.0.1,other"]);
    let (ca, key) = (&good.authority, good.key());
    let stranger = other_key(good.folder.path(), "stranger", "ed25519");
    let port = good.sshd.port();
    for (known, code, message) in [
        (format!("@cert-authority 127.0.0.1 {ca}\n"), 0, ""),
        (format!("@cert-authority [127.0.0.*]:{port} {ca}\n"), 0, ""),
        (format!("@cert-authority * {ca}\n[127.0.0.1]:{port} {stranger}\n"), 0, ""),
        (format!("@cert-authority * {stranger}\n@cert-authority * {ca}\n"), 0, ""),
        (format!("@cert-authority * {stranger}\n"), 3, "which no @cert-authority line for this host has"),
        (format!("@cert-authority 127.0.0.2 {ca}\n"), 3, "the host's key is not known"),
        (format!("@cert-authority * {ca}\n@revoked * {ca}\n"), 4, "HOST KEY REVOKED: the authority"),
        (format!("@cert-authority * {ca}\n@revoked * {key}\n"), 4, "HOST KEY REVOKED"),
        (format!("[127.0.0.1]:{port} {key}\n"), 0, ""),
    ] {
        let fan = fan(&good.sshd, &known);
        let ran = ping(&fan, &["--host-keys", "strict"]);
        assert_eq!(ran.code, Some(code), "{known}{}", ran.snapshot());
        assert!(ran.stderr.contains(message), "{known}{}", ran.snapshot());
        let real = real_ssh(&good.sshd, good.sshd.addresses()[0], &fan.work().join("known_hosts"));
        assert_eq!(real.code == Some(0), code == 0, "{known}{}", real.stderr);
    }
}

#[test]
fn a_bad_host_certificate_is_refused_and_never_recorded() {
    for (sign, message) in [
        (&["-n", "127.0.0.9"][..], "it is for 127.0.0.9"),
        (&["-n", "127.0.0.*"], "it is for 127.0.0.*"),
        (&[], "it names no hosts"),
        (&["-n", "127.0.0.1", "-V", "20200101:20200102"], "by this machine's clock it expired"),
        (&["-n", "127.0.0.1", "-V", "+1d:+2d"], "by this machine's clock it is not valid until"),
    ] {
        let bad = certified(sign);
        let known = format!("@cert-authority * {}\n", bad.authority);
        let fan = fan(&bad.sshd, &known);
        let ran = ping(&fan, &["--host-keys", "accept-new"]);
        assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
        assert!(ran.stderr.contains(message), "{}", ran.snapshot());
        assert_eq!(known_hosts(&fan), known);
        assert_no_login(&bad.sshd);
        // OpenSSH before 10.3 takes a certificate without names for one that is good for all.
        if !sign.is_empty() {
            let real = real_ssh(&bad.sshd, bad.sshd.addresses()[0], &fan.work().join("known_hosts"));
            assert_eq!(real.code, Some(255), "{}", real.stderr);
        }
    }
}

#[test]
fn a_plain_key_is_not_taken_on_trust_where_an_authority_speaks() {
    let sshd = Sshd::start();
    let folder = TempDir::new().unwrap();
    let known = format!("@cert-authority * {}\n", other_key(folder.path(), "ca", "ed25519"));
    let fan = fan(&sshd, &known);
    let ran = ping(&fan, &["--host-keys", "accept-new"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert!(ran.stderr.contains("without a certificate"), "{}", ran.stderr);
    assert_eq!(known_hosts(&fan), known);
    assert_no_login(&sshd);
}

#[test]
fn twenty_processes_record_everything_once() {
    let sshd = Sshd::builder().hosts(5).max_startups("500").start();
    let fan = fan(&sshd, "");
    fs::remove_file(fan.work().join("known_hosts")).unwrap();
    let args = ["exec", "-H", "all", "--host-keys", "accept-new", "--format", "quiet", "--", "true"];
    let started: Vec<_> = (0..20).map(|_| fan.start(args)).collect();
    for process in started {
        let ran = process.finish();
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    }
    assert_eq!(lines_of(&known_hosts(&fan)), lines_of(&fs::read_to_string(sshd.known_hosts()).unwrap()));
    assert_eq!(fs::metadata(fan.work().join("known_hosts")).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_full_disk_leaves_the_file_as_it_was_and_the_host_alone() {
    let sshd = Sshd::start();
    // A file may grow to one block and no further, so a part of the line would fit.
    for (size, known) in [(0, String::new()), (1, format!("#{}\n", "x".repeat(490)))] {
        let fan = fan(&sshd, &known);
        let mut command = Command::new("sh");
        let line = format!(
            "trap '' XFSZ; ulimit -f {size}; exec {} exec -H all --host-keys accept-new -- true",
            env!("CARGO_BIN_EXE_fan")
        );
        command.arg("-c").arg(line).current_dir(fan.work()).env_clear().env("HOME", fan.home());
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        let ran = output(command, b"");
        assert_eq!(ran.code, Some(5), "{}", ran.stderr);
        assert!(ran.stderr.contains("could not be recorded: cannot write"), "{}", ran.stderr);
        assert_eq!(known_hosts(&fan), known);
    }
    for file in ["/dev/full", "/dev/null"] {
        let fan = Fan::new().file("inventory.yaml", inventory(&sshd, Path::new(file)));
        let ran = ping(&fan, &["--host-keys", "accept-new"]);
        assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
        assert!(ran.stderr.contains("host_key_store"), "{}", ran.stderr);
    }
    assert_no_login(&sshd);
}

#[test]
fn fan_accepts_what_ssh_accepts() {
    const CASES: usize = 36;
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let authority = other_key(folder.path(), "ca", "ed25519");
    let (key, second) =
        (other_key(folder.path(), "key", "ed25519"), other_key(folder.path(), "second", "ecdsa"));
    let other = other_key(folder.path(), "other", "ed25519");
    keygen(&["-s", &text(&path("ca")), "-h", "-I", "test", "-n", "127.0.0.1", &text(&path("key.pub"))]);
    let sshd = Sshd::builder()
        .host_keys(&[])
        .max_startups("500")
        .line(&format!("HostKey {}", text(&path("key"))))
        .line(&format!("HostKey {}", text(&path("second"))))
        .line(&format!("HostCertificate {}", text(&path("key-cert.pub"))))
        .start();
    let pool = pool(sshd.port(), &key, &second, &authority, &other);
    let mut yaml = inventory_defaults(sshd.user(), &sshd.identity(), Path::new("/dev/null"));
    writeln!(yaml, "  port: {}\nhosts:", sshd.port()).unwrap();
    // Every line alone, then two to four of them by a fixed generator.
    let mut state = 2_463_534_242_u32;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % below
    };
    for case in 0..CASES {
        let lines: Vec<&String> = if case < pool.len() {
            vec![&pool[case]]
        } else {
            (0..2 + draw(3)).map(|_| &pool[draw(pool.len())]).collect()
        };
        let file = path(&format!("known_{case}"));
        fs::write(&file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        writeln!(yaml, "  c{case}: {{address: 127.0.0.1, known_hosts: \"{}\"}}", text(&file)).unwrap();
    }
    let fan = Fan::new().file("inventory.yaml", yaml);
    let ran = ping(&fan, &["--host-keys", "strict"]);
    let mut accepted = 0;
    for case in 0..CASES {
        let file = path(&format!("known_{case}"));
        let name = format!("c{case} ");
        let ours = ran.stdout.lines().any(|line| line.starts_with(&name) && line.ends_with("| reached"));
        let theirs = real_ssh(&sshd, sshd.addresses()[0], &file);
        let lines = fs::read_to_string(&file).unwrap();
        let theirs_too = theirs.code == Some(0);
        // docs/design/host-keys.md: what is said of the plain name alone weighs more for ssh when the server has
        // a certificate. Never may we accept what ssh does not.
        let plain_name = [3, 4, 6, 9, 11].iter().any(|&line| lines.contains(&pool[line]));
        assert!(
            ours == theirs_too || (theirs_too && plain_name),
            "case {case}:\n{lines}ssh: {}\nfan: {}",
            theirs.stderr,
            ran.stderr
        );
        accepted += usize::from(ours);
    }
    assert!((8..CASES - 8).contains(&accepted), "{accepted} of {CASES} prove little");
}
