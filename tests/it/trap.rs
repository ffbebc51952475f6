//! A host that nobody may contact: it listens, answers nobody, and can prove that nobody knocked.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

use crate::support::{Fan, eventually};

/// Tasks that are right; `version` must be given.
pub const TASKS: &str = "\
vars: {app: shop}
tasks:
  deploy:
    desc: Release the app
    params: {version: null, force: false}
    roles: [web]
    steps:
      - run: echo {{ app }} {{ version }} {{ force }}
  hello: {params: {name: World}, hosts: [all], steps: [{echo: 'Hello {{ name }}'}]}
  look: [uptime]
";

/// The listener behind every host of an inventory.
pub struct Trap {
    listener: TcpListener,
}

impl Trap {
    pub fn set() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener }
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// `web1` to `web3` and `db1`, with the roles `web` and `db`: all of them are the trap.
    pub fn inventory(&self) -> String {
        format!(
            "defaults: {{port: {}, user: nobody, retries: 0}}\n\
             hosts:\n  web[1-3]: {{address: 127.0.0.1}}\n  db1: {{address: 127.0.0.1}}\n\
             roles:\n  web: [\"web*\"]\n  db: [db1]\n",
            self.port()
        )
    }

    /// The binary, with the trap's inventory and [`TASKS`] in its folder.
    pub fn fan(&self) -> Fan {
        Fan::new()
            .hide(self.port(), "<port>")
            .file("inventory.yaml", self.inventory())
            .file("tasks.yaml", TASKS)
    }

    /// Fails when anybody knocked.
    pub fn assert_untouched(&self, after: &str) {
        match self.listener.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(_) => panic!("a host was contacted by {after}"),
            Err(error) => panic!("{error}"),
        }
    }

    /// What calls said, one after the other; each must have been refused as bad input, with nobody contacted.
    pub fn refuses<A: AsRef<OsStr>>(&self, fan: &Fan, calls: impl IntoIterator<Item = Vec<A>>) -> String {
        self.transcript(fan, 2, calls)
    }

    /// What calls said that contact nobody and end with this exit code.
    pub fn transcript<A: AsRef<OsStr>>(
        &self,
        fan: &Fan,
        code: i32,
        calls: impl IntoIterator<Item = Vec<A>>,
    ) -> String {
        let mut transcript = String::new();
        for words in calls {
            let call: Vec<_> = words.iter().map(|word| word.as_ref().to_string_lossy()).collect();
            let call = call.join(" ");
            let ran = fan.run(&words);
            assert_eq!((ran.code, ran.signal), (Some(code), None), "fan {call}\n{}", ran.snapshot());
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!said.contains("panicked"), "fan {call}\n{said}");
            assert!(!said.contains("hunter2"), "fan {call} shows a password\n{said}");
            self.assert_untouched(&call);
            let shown = ran.snapshot();
            let shown = shown.strip_prefix(&format!("exit code: {code}\n")).unwrap();
            let shown = shown.replace("--- stderr\n", "").replace("--- stdout\n", "");
            let call: String = call.chars().take(100).collect();
            writeln!(transcript, "$ fan {call}\n{shown}").unwrap();
        }
        transcript
    }
}

/// Splits lines into words, as a shell would do with these; `''` is an empty word.
pub fn words(lines: &'static str) -> Vec<Vec<&'static str>> {
    let word = |word: &'static str| if word == "''" { "" } else { word };
    lines.lines().map(|line| line.split_whitespace().map(word).collect()).collect()
}

/// The counter-proof: the trap sees who does knock.
#[test]
fn the_trap_notices_a_visitor() {
    let trap = Trap::set();
    let fan = trap.fan();
    let started = fan.start(["exec", "-H", "db1", "--", "true"]);
    drop(eventually("somebody knocks", || trap.listener.accept().ok()));
    let ran = started.finish();
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert!(ran.stderr.contains("[connect_reset]"), "{}", ran.snapshot());
}
