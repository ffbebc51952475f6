//! A server with keys to be judged, and fan with a known_hosts file of its own.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Login, Output, Ran, inventory_defaults, output, ssh};

/// An inventory with the hosts `h1` to `hN` at the addresses of an sshd, and a file of known hosts of its own.
pub fn inventory(sshd: &Sshd, known_hosts: &Path) -> String {
    let mut yaml = inventory_defaults(sshd.user(), &sshd.identity(), known_hosts);
    writeln!(yaml, "  port: {}\nhosts:", sshd.port()).unwrap();
    for (index, address) in sshd.addresses().iter().enumerate() {
        writeln!(yaml, "  h{}: {{address: {}}}", index + 1, address.ip()).unwrap();
    }
    yaml
}

/// fan with such an inventory; the file is `known_hosts` in its working folder.
pub fn fan(sshd: &Sshd, known: &str) -> Fan {
    let fan = Fan::new();
    let yaml = inventory(sshd, &fan.work().join("known_hosts"));
    let fan = fan.file("inventory.yaml", yaml).file("known_hosts", known);
    hide(fan, sshd)
}

pub fn hide(fan: Fan, sshd: &Sshd) -> Fan {
    let fan = fan.hide(format!("]:{}", sshd.port()), "]:<port>");
    ["ed25519", "ecdsa", "rsa"].iter().fold(fan, |fan, key_type| {
        let key = Path::new(&sshd.identity()).with_file_name(format!("host_{key_type}.pub"));
        if key.exists() { fan.hide(fingerprint(&key), &format!("SHA256:<{key_type}>")) } else { fan }
    })
}

pub fn known_hosts(fan: &Fan) -> String {
    fs::read_to_string(fan.work().join("known_hosts")).unwrap_or_default()
}

pub fn fingerprint(key: &Path) -> String {
    let mut command = Command::new("ssh-keygen");
    command.arg("-lf").arg(key);
    let said = String::from_utf8(output(command, b"").stdout).unwrap();
    said.split(' ').nth(1).unwrap().to_owned()
}

pub fn keygen(args: &[&str]) {
    let mut command = Command::new("ssh-keygen");
    command.arg("-q").args(args);
    let made = output(command, b"");
    assert_eq!(made.code, Some(0), "{args:?}: {}", made.stderr);
}

/// A key that no server has: `TYPE BASE64`, and its file.
pub fn other_key(folder: &Path, name: &str, key_type: &str) -> String {
    let path = folder.join(name);
    keygen(&["-N", "", "-C", "", "-t", key_type, "-f", path.to_str().unwrap()]);
    fs::read_to_string(path.with_extension("pub")).unwrap().trim_end().to_owned()
}

pub fn ping(fan: &Fan, args: &[&str]) -> Ran {
    fan.run([&["exec", "-H", "all", "--format", "lines"][..], args, &["--", "echo reached"]].concat())
}

pub fn lines_of(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// No login was even begun: every connection ended before it.
pub fn assert_no_login(sshd: &Sshd) {
    let log = sshd.log();
    for sign in ["Accepted", "Failed", "Postponed", "authenticating user", "Invalid user"] {
        assert!(!log.contains(sign), "{sign}:\n{log}");
    }
}

pub fn real_ssh(sshd: &Sshd, address: SocketAddr, known_hosts: &Path) -> Output {
    let mut command = ssh(&Login { user: sshd.user(), address, identity: &sshd.identity(), known_hosts });
    command.arg("true");
    output(command, b"")
}

/// What a program on a terminal showed, and how it ended.
pub struct OnTerminal {
    pub text: String,
    pub code: Option<i32>,
}

/// Runs fan on a terminal of its own; what is typed waits until it is read.
pub fn on_terminal(fan: &Fan, args: &str, typed: &str) -> OnTerminal {
    let mut command = Command::new("script");
    let line = format!("exec {} {args}", env!("CARGO_BIN_EXE_fan"));
    command.args(["-q", "-e", "-c", &line, "/dev/null"]);
    command
        .current_dir(fan.work())
        .env_clear()
        .env("HOME", fan.home())
        .env("SHELL", "/bin/sh")
        .env("TERM", "dumb");
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    let ran = output(command, typed.as_bytes());
    let text = String::from_utf8_lossy(&ran.stdout).replace('\r', "");
    OnTerminal { text: text + &ran.stderr, code: ran.code }
}

/// Lines about one host at a port, each as likely as the others to stand in a file.
pub fn pool(port: u16, key: &str, second: &str, authority: &str, other: &str) -> Vec<String> {
    let name = format!("[127.0.0.1]:{port}");
    vec![
        format!("{name} {key}"),
        format!("{name} {second}"),
        format!("{name} {other}"),
        format!("127.0.0.1 {key}"),
        format!("127.0.0.1 {other}"),
        format!("[127.0.0.*]:{port},x {second}"),
        format!("*,!{name} {key}"),
        format!("[127.0.0.1]:22 {key}"),
        format!("@cert-authority * {authority}"),
        format!("@cert-authority 127.0.0.1 {authority}"),
        format!("@cert-authority {name} {other}"),
        format!("@cert-authority *,!{name} {authority}"),
        format!("@revoked * {other}"),
        format!("@revoked {name} {second}"),
        format!("@revoked {name} {key}"),
        format!("@revoked * {authority}"),
        format!("# {name} {key}"),
    ]
}
