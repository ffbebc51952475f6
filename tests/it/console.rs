//! `fan console` on a real pseudo-terminal: what its lines do, over how many connections, and what it leaves behind.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::thread;

use fan::testing::sandbox::{Behaviour, Sandbox};

use crate::fixtures::relay::Relay;
use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, inventory_defaults, sandbox};
use crate::fixtures::window::Window;

const BINARY: &str = env!("CARGO_BIN_EXE_fan");

async fn three() -> (Sandbox, Fan) {
    let sandbox = sandbox(["web1", "web2", "web3"].map(|name| (name, Behaviour::Normal))).await;
    let fan = Fan::of(&sandbox);
    (sandbox, fan)
}

/// A console in a window.
struct Session(Window);

impl Session {
    fn open(fan: &Fan, args: &[&str]) -> Self {
        Self(Window::open(fan, (100, 60), &[&[BINARY], args].concat()))
    }

    /// Types a line once the prompt is there.
    fn press(&mut self, prompt: &str, line: &str) {
        self.0.until(&format!("the prompt {prompt}"), |screen| {
            screen.lines().last().is_some_and(|last| last.trim_end() == prompt.trim_end())
        });
        self.0.press(&format!("{line}\r"));
    }

    /// The same, and waits for what comes of it.
    fn types(&mut self, prompt: &str, line: &str, shown: &str) -> String {
        let typed = format!("{prompt}{line}\n");
        let before = self.0.until("a screen", |_| true).matches(&typed).count();
        self.press(prompt, line);
        self.0.until(&format!("{shown:?} after {line:?}"), |screen| {
            let (_, after) = screen.rsplit_once(&typed).unwrap_or_default();
            screen.matches(&typed).count() > before && after.contains(shown)
        })
    }

    fn leaves(mut self, prompt: &str) -> String {
        self.0.until("the prompt", |screen| {
            screen.lines().last().is_some_and(|last| last.trim_end() == prompt.trim_end())
        });
        self.0.press("\x04");
        let (code, all) = self.0.end();
        assert_eq!(code, Some(0), "{all}");
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_serves_all_commands() {
    let (sandbox, fan) = three().await;
    std::fs::write(sandbox.hosts()[2].home.join("odd"), "").unwrap();
    let mut session = Session::open(&fan, &["console", "-H", "all"]);
    let prompt = "web[1-3]> ";
    session.types(prompt, "test -e odd && echo odd || echo even", "3 ok");
    session.types(prompt, "touch seen", "3 ok");
    session.types(prompt, "touch seen", "3 ok");
    let shown = session.types(prompt, "test -e odd", "1 ok, 2 failed");
    assert!(shown.contains("web[1-2] (2)") && shown.contains("even"), "{shown}");
    session.types(prompt, ":last", "failed: web[1-2]");
    session.types(prompt, ":last web1", "exit status 1");
    session.types(prompt, ":retry", "2 failed");
    session.types(prompt, ":last nobody", "nobody had no part");
    session.types(prompt, "!echo here $((1 + 1))", "here 2");
    session.types(prompt, ":hosts web3", "web3");
    session.types("web3> ", "echo alone", "1 ok");
    session.types("web3> ", ":hosts nobody", "nobody");
    session.types("web3> ", ":where facts.hostname == 'no such host'", "no hosts left");
    session.types("web3> ", ":where", "web3");
    session.types("web3> ", ":hosts all", "web[1-3] (3)");
    session.types(prompt, ":nonsense", "no command :nonsense");
    let all = session.leaves(prompt);
    assert!(!all.contains("warning"), "{all}");
    let connections: Vec<u64> = sandbox.hosts().iter().map(|host| host.connections()).collect();
    assert_eq!(connections, [1, 1, 1], "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_stops_the_command_and_not_the_console() {
    let (sandbox, fan) = three().await;
    let mut session = Session::open(&fan, &["exec", "-H", "all"]);
    let prompt = "web[1-3]> ";
    session.press(prompt, "touch up; sleep 1000");
    for host in sandbox.hosts() {
        crate::fixtures::support::eventually("the command", || host.home.join("up").exists().then_some(()));
    }
    session.0.press("\x03");
    session.0.until_shown("3 cancelled");
    session.types(prompt, "echo again", "3 ok");
    session
        .0
        .until("a new prompt", |screen| screen.lines().last().is_some_and(|last| last == prompt.trim_end()));
    session.0.press("half a line");
    session.0.until_shown("half a line");
    session.0.press("\x03");
    session.0.until_shown("half a line\nweb[1-3]>");
    session.types(prompt, "echo whole", "3 ok");
    session.leaves(prompt);
    assert_eq!(sandbox.hosts()[0].connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_facts_and_output_line_by_line() {
    let (sandbox, fan) = three().await;
    let fan = fan.file("note", "of mine\n");
    let mut session = Session::open(&fan, &["console", "-H", "all"]);
    let prompt = "web[1-3]> ";
    session.types(prompt, ":put note 'a copy'", "3 ok");
    assert_eq!(std::fs::read_to_string(sandbox.hosts()[1].home.join("a copy")).unwrap(), "of mine\n");
    session.types(prompt, ":get 'a copy' got/{host}", "3 ok");
    assert_eq!(std::fs::read_to_string(fan.work().join("got/web3")).unwrap(), "of mine\n");
    session.types(prompt, ":put missing x", "missing");
    session.types(prompt, ":facts", "web3");
    session.types(prompt, ":lines", "lines as they come");
    session.types(prompt, "echo hello", "web2 | hello");
    session.types(prompt, ":diff", "differences to the majority");
    session.types(prompt, ":help", "!COMMAND");
    // Completed.
    session.press(prompt, ":ho\tweb2");
    session.types("web2> ", ":hosts all", "web[1-3] (3)");
    session.leaves(prompt);
    assert_eq!(sandbox.hosts()[0].connections(), 1);
}

/// Which are runs like others, in a file for this user alone, without what nobody is to read.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_console_leaves_behind() {
    let (_sandbox, fan) = three().await;
    let mut session = Session::open(&fan, &["console", "-H", "web[1-2]"]);
    let prompt = "web[1-2]> ";
    session.types(prompt, "echo one", "2 ok");
    session.types(prompt, " echo unseen", "2 ok");
    session.types(prompt, "test -e nowhere", "2 failed");
    session.leaves(prompt);
    let file = fan.home().join(".local/state/fan/console_history");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "echo one\ntest -e nowhere\n");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let history = fan.run(["history"]);
    assert!(
        history.stdout.contains("exec echo one") && history.stdout.contains("exec test -e nowhere"),
        "{}",
        history.snapshot()
    );
    let again = fan.run(["retry"]);
    assert_eq!(again.code, Some(1), "{}", again.snapshot());
    assert!(again.stderr.contains("again on 2 of 2 hosts"), "{}", again.snapshot());
    // The next console knows them.
    let mut session = Session::open(&fan, &["console", "-H", "web[1-2]"]);
    session.0.until_shown(prompt.trim_end());
    session.0.press("\x1b[A");
    session.0.until_shown("test -e nowhere");
    session.0.press("\x1b[A");
    session.0.until_shown("echo one");
    session.0.press("\r");
    session.0.until_shown("2 ok");
    session.leaves(prompt);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_role_is_asked_about_once() {
    let (sandbox, _) = three().await;
    let yaml = crate::fixtures::support::sandbox_inventory(&sandbox)
        + "roles:\n  prod: {hosts: [web1, web2], protect: true}\n";
    let fan = Fan::of(&sandbox).file("inventory.yaml", yaml);
    let mut session = Session::open(&fan, &["console", "-H", "web3"]);
    session.types("web3> ", "echo free", "1 ok");
    session.types("web3> ", ":hosts web1", "type the name of the role");
    session.0.press("no\r");
    session.types("web3> ", ":hosts web1", "type the name of the role");
    session.0.press("prod\r");
    session.types("web1> ", "echo one", "1 ok");
    session.types("web1> ", ":hosts all", "web[1-3] (3)");
    session.types("web[1-3]> ", "echo all", "3 ok");
    let all = session.leaves("web[1-3]> ");
    assert_eq!(all.matches("type the name of the role").count(), 2, "{all}");
}

/// With the real sshd: a connection that is gone between two commands is named, and opened again by the next one.
#[test]
fn a_lost_host_is_named_and_connected_again() {
    let sshd = Sshd::start();
    let server = sshd.addresses()[0];
    // The first connection ends somewhere in the output of the second command.
    let relay = Relay::to(server, |number| (number == 1).then_some(200_000));
    let inventory = inventory_defaults(sshd.user(), &sshd.identity(), &sshd.known_hosts())
        + &format!(
            "hosts:\n  cut: {{address: 127.0.0.1, port: {}, host_key: \"{}\"}}\n",
            relay.port(),
            sshd.host_key("ed25519")
        );
    let fan = Fan::new().file("inventory.yaml", inventory);
    let mut session = Session::open(&fan, &["console", "-H", "cut"]);
    session.types("cut> ", "echo one", "1 ok");
    session.press("cut> ", "head -c 1000000 /dev/zero | tr '\\0' x; echo");
    session.0.until_shown("1 unknown");
    session.types("cut> ", "echo two", "1 ok");
    session.leaves("cut> ");
    assert_eq!(relay.connections(), 2);
}

#[test]
fn it_needs_a_terminal() {
    let fan = Fan::new();
    for args in [&["console", "-H", "127.0.0.1:1"][..], &["exec", "-H", "127.0.0.1:1"]] {
        let ran = fan.run(args);
        assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
        assert!(ran.stderr.contains("terminal"), "{}", ran.snapshot());
    }
}

/// Counts how often the server answers: each time, a round trip was waited for.
struct Turns {
    port: u16,
    turns: Arc<Mutex<(bool, usize)>>,
}

impl Turns {
    fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let turns = Self { port: listener.local_addr().unwrap().port(), turns: Arc::default() };
        let counted = Arc::clone(&turns.turns);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(server).unwrap());
                for (mut from, mut to, asks) in [
                    (client.try_clone().unwrap(), server.try_clone().unwrap(), true),
                    (server, client, false),
                ] {
                    let counted = Arc::clone(&counted);
                    thread::spawn(move || {
                        let mut buffer = [0; 4096];
                        while let Ok(count @ 1..) = from.read(&mut buffer) {
                            let mut turn = counted.lock().unwrap();
                            turn.1 += usize::from(turn.0 && !asks);
                            turn.0 = asks;
                            drop(turn);
                            to.write_all(&buffer[..count]).unwrap();
                        }
                    });
                }
            }
        });
        turns
    }

    fn count(&self) -> usize {
        self.turns.lock().unwrap().1
    }
}

/// A channel, and the command in it: with a round trip of 51 ms that is a tenth of a second.
#[test]
fn the_second_command_takes_two_round_trips() {
    let sshd = Sshd::start();
    let turns = Turns::before(sshd.addresses()[0]);
    let inventory = inventory_defaults(sshd.user(), &sshd.identity(), &sshd.known_hosts())
        + &format!(
            "hosts:\n  far: {{address: 127.0.0.1, port: {}, host_key: \"{}\"}}\n",
            turns.port,
            sshd.host_key("ed25519")
        );
    let fan = Fan::new().file("inventory.yaml", inventory);
    let mut session = Session::open(&fan, &["console", "-H", "far"]);
    session.types("far> ", "touch $HOME/x", "1 ok");
    let connected = turns.count();
    assert!(connected > 4, "{connected} to connect");
    for (number, line) in ["echo one", "touch $HOME/x", "echo three"].into_iter().enumerate() {
        session.types("far> ", line, "1 ok");
        session.0.until("the prompt", |screen| {
            screen.lines().last().is_some_and(|last| last.trim_end() == "far>")
        });
        assert_eq!(turns.count(), connected + 2 * (number + 1), "{line}");
    }
    session.leaves("far> ");
}
