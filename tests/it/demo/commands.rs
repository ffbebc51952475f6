//! The throw-away hosts as OpenSSH's client sees them: what russh's own client would not notice.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fan::testing::sandbox::{Behaviour, HostSpec, Sandbox};
use rustix::process::{Pid, Signal, kill_process};

use crate::fixtures::support::{DEADLINE, Login, Output, eventually, output, ssh};

async fn start(behaviour: Behaviour) -> (Sandbox, SocketAddr) {
    let sandbox = Sandbox::start(vec![HostSpec::new("web1").behaving(behaviour)]).await.unwrap();
    let address = sandbox.hosts()[0].address;
    (sandbox, address)
}

fn login(sandbox: &Sandbox, address: SocketAddr) -> Command {
    let (user, identity, known_hosts) = (sandbox.user(), sandbox.identity(), sandbox.known_hosts());
    ssh(&Login { user, address, identity, known_hosts })
}

fn run(sandbox: &Sandbox, address: SocketAddr, line: &str, input: &[u8]) -> Output {
    let mut command = login(sandbox, address);
    command.arg(line);
    output(command, input)
}

/// Starts a command that never ends, and waits until it runs; its process id there and the client.
fn endless(sandbox: &Sandbox, address: SocketAddr, home: &std::path::Path) -> (String, Child) {
    let mut command = login(sandbox, address);
    command.arg("echo $$ > pid.new; mv pid.new pid; exec sleep 600");
    let client = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = eventually("the command runs", || std::fs::read_to_string(home.join("pid")).ok());
    std::fs::remove_file(home.join("pid")).unwrap();
    (pid.trim().to_owned(), client)
}

fn assert_gone(pid: &str) {
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    eventually("the command is gone", || rustix::process::test_kill_process(pid).is_err().then_some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn status_streams_and_input() {
    let (sandbox, address) = start(Behaviour::Normal).await;
    let ran = run(&sandbox, address, "cat; echo oops >&2; pwd > where; exit 42", b"input");
    assert_eq!((ran.code, ran.stdout.as_slice(), ran.stderr.as_str()), (Some(42), &b"input"[..], "oops\n"));
    let home = &sandbox.hosts()[0].home;
    let wrote = std::fs::read_to_string(home.join("where")).unwrap();
    assert_eq!(std::path::Path::new(wrote.trim()), home);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_arrive_whole() {
    let (sandbox, address) = start(Behaviour::Normal).await;
    let ran = run(&sandbox, address, "head -c 100000000 /dev/zero", b"");
    assert_eq!((ran.code, ran.stdout.len(), ran.stderr.as_str()), (Some(0), 100_000_000, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn big_input_comes_back_whole() {
    let (sandbox, address) = start(Behaviour::Normal).await;
    let input: Vec<u8> = (0..20_000_000_u32).map(|number| (number % 251) as u8).collect();
    let ran = run(&sandbox, address, "cat", &input);
    assert_eq!((ran.code, ran.stdout == input), (Some(0), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_is_no_exit_status() {
    let (sandbox, address) = start(Behaviour::Normal).await;
    assert_eq!(run(&sandbox, address, "exit 137", b"").code, Some(137));
    assert_eq!(run(&sandbox, address, "kill -KILL $$", b"").code, Some(255)); // ssh's own word for it
    let (silent, address) = start(Behaviour::NoExitStatus).await;
    assert_eq!(run(&silent, address, "exit 0", b"").code, Some(255));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_client_is_the_end_of_its_command() {
    let (sandbox, address) = start(Behaviour::Normal).await;
    let (pid, mut client) = endless(&sandbox, address, &sandbox.hosts()[0].home);
    kill_process(Pid::from_raw(i32::try_from(client.id()).unwrap()).unwrap(), Signal::KILL).unwrap();
    client.wait().unwrap();
    assert_gone(&pid);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_sandbox_is_the_end_of_everything() {
    let (sandbox, address) = start(Behaviour::Normal).await;
    let home = sandbox.hosts()[0].home.clone();
    let (pid, mut client) = endless(&sandbox, address, &home);
    sandbox.stop().await;
    assert_gone(&pid);
    let status = eventually("the client ends", || client.try_wait().unwrap());
    assert_eq!(status.code(), Some(255));
    assert!(!home.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_not_served_are_refused_in_words() {
    let (sandbox, address) = start(Behaviour::Normal).await;
    let shell = output(login(&sandbox, address), b"");
    assert_eq!(shell.code, Some(255));
    assert!(shell.stderr.contains("shell request failed"), "{}", shell.stderr);
    let mut terminal = login(&sandbox, address);
    terminal.arg("-tt").arg("true");
    let terminal = output(terminal, b"");
    assert!(terminal.stderr.contains("PTY allocation request failed"), "{}", terminal.stderr);
    let mut env = login(&sandbox, address);
    env.env("FAN_HOST", "web1").env("OTHER", "x").args(["-o", "SendEnv=FAN_* OTHER", "echo $FAN_HOST$OTHER"]);
    assert_eq!(output(env, b"").stdout, b"web1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_reads_our_known_hosts_as_they_are_meant() {
    let cases = [
        (Behaviour::WrongKey, "REMOTE HOST IDENTIFICATION HAS CHANGED"),
        (Behaviour::UnknownKey, "No ED25519 host key is known"),
        (Behaviour::RevokedKey, "REVOKED HOST KEY DETECTED"),
        (Behaviour::OtherKeyType, "REMOTE HOST IDENTIFICATION HAS CHANGED"),
    ];
    for (behaviour, words) in cases {
        let (sandbox, address) = start(behaviour.clone()).await;
        let ran = run(&sandbox, address, "true", b"");
        assert_eq!(ran.code, Some(255), "{behaviour:?}");
        assert!(ran.stderr.contains(words), "{behaviour:?}: {}", ran.stderr);
        assert_eq!(sandbox.hosts()[0].auth_attempts(), 0, "{behaviour:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_names_our_faults() {
    // Which of its words a client has for a lost connection depends on whether it was reading or writing.
    let lost = ["closed by remote host", "Connection reset by", "Broken pipe"];
    let cases: [(Behaviour, &[&str]); 7] = [
        (Behaviour::NotSsh("HTTP/1.1 400 Bad Request\r\n".to_owned()), &["kex_exchange_identification"]),
        (Behaviour::Throttle { first: 1 }, &["kex_exchange_identification"]),
        (Behaviour::ResetDuringKex, &lost),
        (Behaviour::RefuseAuth, &["Permission denied (publickey)"]),
        (Behaviour::RefuseChannels { after: 0, count: u32::MAX }, &["open failed: connect failed"]),
        (Behaviour::RefuseExec, &["exec request failed on channel 0"]),
        (Behaviour::CutAfterExec, &lost),
    ];
    for (behaviour, words) in cases {
        let (sandbox, address) = start(behaviour.clone()).await;
        let ran = run(&sandbox, address, "echo here; exec sleep 600", b"");
        assert_eq!(ran.code, Some(255), "{behaviour:?}: {}", ran.stderr);
        assert!(words.iter().any(|words| ran.stderr.contains(words)), "{behaviour:?}: {}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_only_take_time() {
    let pause = Duration::from_millis(1);
    let (slow, address) = start(Behaviour::SlowBanner { lines: 5, pause }).await;
    assert_eq!(run(&slow, address, "echo in", b"").stdout, b"in\n");
    for behaviour in [Behaviour::Silent, Behaviour::StallAfterExec] {
        let (sandbox, address) = start(behaviour.clone()).await;
        let mut command = login(&sandbox, address);
        let mut client = command.arg("true").spawn().unwrap();
        let host = &sandbox.hosts()[0];
        eventually("it is as far as it gets", || {
            (host.connections() > 0 && (behaviour == Behaviour::Silent || host.execs() > 0)).then_some(())
        });
        assert!(client.try_wait().unwrap().is_none(), "{behaviour:?}");
        tokio::time::timeout(DEADLINE, sandbox.stop()).await.unwrap();
        eventually("the client ends", || client.try_wait().unwrap());
    }
}
