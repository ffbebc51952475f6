//! Files of host keys: a key is trusted only when a second, plainer reading finds it on a line for the host.
#![no_main]

use std::cell::LazyCell;
use std::fs;

use fan::fuzzing::ssh::known_hosts::{KnownHosts, Verdict};
use fan_fuzz::words;
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

const TYPE: &str = "ssh-ed25519";
const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIG5LFg5NlbEoeV5e0AXyWfh8LLDmjRbWaj6RiSWAC28P";

const WORDS: &[&str] = &[
    "\n",
    "\n",
    "\n",
    " ",
    " ",
    "\t",
    ",",
    "!",
    "*",
    "?",
    "web1",
    "web",
    "db",
    "[web1]:2222",
    "[",
    "]",
    ":22",
    "10.0.0.1",
    "::1",
    "#",
    "@revoked ",
    "@cert-authority ",
    "@",
    "|1|",
    "|",
    "=",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG5LFg5NlbEoeV5e0AXyWfh8LLDmjRbWaj6RiSWAC28P",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINvN43mxQ3UFWluGlS/cilr+NKYeuYxyVOSXwoUMuxYw",
    "ssh-ed25519",
    "ssh-rsa",
    "AAAA",
    "a comment",
    "\r",
    "\"",
    "é",
    "WEB1",
    "\\",
    "1024 35 1234",
];

thread_local! {
    static FOLDER: LazyCell<TempDir> = LazyCell::new(|| tempfile::tempdir().expect("a folder"));
}

fuzz_target!(|bytes: &[u8]| {
    let text = match bytes {
        [b'.', raw @ ..] => raw.to_vec(),
        made => words(made, WORDS).into_bytes(),
    };
    let path = FOLDER.with(|folder| folder.path().join("known_hosts"));
    fs::write(&path, &text).expect("the folder is ours");
    let known = KnownHosts::load(&[path]);
    let mut blob = Vec::new();
    for part in [TYPE.as_bytes(), &KEY_BYTES] {
        blob.extend(u32::try_from(part.len()).expect("short").to_be_bytes());
        blob.extend(part);
    }
    for (host, port) in [("web1", 22), ("web1", 2222), ("::1", 22), ("10.0.0.1", 22), ("", 0)] {
        known.recorded_types(host, port);
        known.authorities(host, port);
        let verdict = known.check(host, port, &blob);
        let text = String::from_utf8_lossy(&text);
        let lines = || text.split('\n').filter(|line| line.contains(KEY));
        match verdict {
            Verdict::Trusted(_) => {
                assert!(lines().any(|line| names(line, host, port)), "{host}:{port} is trusted by {text:?}");
                let revokes = |line: &str| {
                    line.trim_start().starts_with("@revoked") && line.contains(&format!(" {host} "))
                };
                assert!(!lines().any(revokes), "{host}:{port} is revoked in {text:?}");
            }
            Verdict::Unknown => {
                let plain = if port == 22 {
                    format!("{host} {TYPE} {KEY}")
                } else {
                    format!("[{host}]:{port} {TYPE} {KEY}")
                };
                assert!(
                    host.is_empty() || !text.split('\n').any(|line| line == plain),
                    "{host}:{port} is not found in {text:?}"
                );
            }
            _ => {}
        }
    }
});

/// The 32 bytes of the key: the end of its base64.
static KEY_BYTES: [u8; 32] = [
    0x6e, 0x4b, 0x16, 0x0e, 0x4d, 0x95, 0xb1, 0x28, 0x79, 0x5e, 0x5e, 0xd0, 0x05, 0xf2, 0x59, 0xf8, 0x7c,
    0x2c, 0xb0, 0xe6, 0x8d, 0x16, 0xd6, 0x6a, 0x3e, 0x91, 0x89, 0x25, 0x80, 0x0b, 0x6f, 0x0f,
];

/// Whether a line could be for the host at all: hashed, or with a name or pattern that fits without regard to `!`.
fn names(line: &str, host: &str, port: u16) -> bool {
    let first = line.trim_start().split([' ', '\t']).next().unwrap_or_default();
    let wanted = [host.to_owned(), format!("[{host}]:{port}")];
    first.starts_with('|')
        || first.split(',').any(|pattern| {
            let pattern = pattern.trim_matches(['"', '\0']).to_ascii_lowercase();
            wanted.iter().any(|name| *name == pattern) || pattern.contains(['*', '?'])
        })
}
