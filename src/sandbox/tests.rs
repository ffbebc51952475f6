//! The sandbox as a client sees it, through russh's client: what works, and each fault.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, AuthResult, Handle};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key};
use russh::{Channel, ChannelMsg, Sig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::sandbox::behaviour::{Behaviour, HostSpec};
use crate::sandbox::fleet::{Sandbox, SandboxHost};
use crate::sandbox::keys;

/// Trusts what `known_hosts` says, read in the one form that the sandbox writes.
pub(super) struct KnownKeys(Vec<String>);

impl client::Handler for KnownKeys {
    type Error = russh::Error;

    async fn check_server_key(&mut self, offered: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = offered else { return Ok(false) };
        Ok(self.0.contains(&key.to_openssh().unwrap()))
    }
}

pub(super) async fn sandbox(behaviour: Behaviour) -> Sandbox {
    Sandbox::start(vec![HostSpec::new("web1").behaving(behaviour)]).await.unwrap()
}

pub(super) fn only(sandbox: &Sandbox) -> &SandboxHost {
    &sandbox.hosts()[0]
}

async fn connect(sandbox: &Sandbox, host: &SandboxHost) -> Result<Handle<KnownKeys>, russh::Error> {
    let text = std::fs::read_to_string(sandbox.known_hosts()).unwrap();
    let prefix = format!("[127.0.0.1]:{} ", host.address.port());
    let keys = text.lines().filter_map(|line| line.strip_prefix(&prefix).map(str::to_owned)).collect();
    client::connect(Arc::new(client::Config::default()), host.address, KnownKeys(keys)).await
}

async fn log_in(handle: &mut Handle<KnownKeys>, key: PrivateKey) -> AuthResult {
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
    handle.authenticate_publickey("anyone", key).await.unwrap()
}

/// A session with a host that lets it in.
pub(super) async fn session(sandbox: &Sandbox, host: &SandboxHost) -> Handle<KnownKeys> {
    let mut handle = connect(sandbox, host).await.unwrap();
    let key = load_secret_key(sandbox.identity(), None).unwrap();
    assert!(log_in(&mut handle, key).await.success());
    handle
}

async fn exec(handle: &Handle<KnownKeys>, command: &str) -> Channel<client::Msg> {
    let channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, command).await.unwrap();
    channel
}

/// What a channel brought until it was over.
#[derive(Debug, Default, PartialEq)]
struct ChannelStory {
    started: Option<bool>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    status: Option<u32>,
    signal: Option<String>,
    closed: bool,
}

async fn hear(mut channel: Channel<client::Msg>) -> ChannelStory {
    let mut heard = ChannelStory::default();
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Success => heard.started = Some(true),
            ChannelMsg::Failure => heard.started = Some(false),
            ChannelMsg::Data { data } => heard.stdout.extend_from_slice(&data),
            ChannelMsg::ExtendedData { data, ext: 1 } => heard.stderr.extend_from_slice(&data),
            ChannelMsg::ExitStatus { exit_status } => heard.status = Some(exit_status),
            ChannelMsg::ExitSignal { signal_name, .. } => heard.signal = Some(format!("{signal_name:?}")),
            ChannelMsg::Close => heard.closed = true,
            _ => {}
        }
        if heard.started == Some(false) {
            break;
        }
    }
    heard
}

async fn run(handle: &Handle<KnownKeys>, command: &str) -> ChannelStory {
    let channel = exec(handle, command).await;
    channel.eof().await.unwrap();
    hear(channel).await
}

async fn first_line(channel: &mut Channel<client::Msg>) -> String {
    let mut line = String::new();
    while !line.ends_with('\n') {
        match channel.wait().await.expect("the channel is open") {
            ChannelMsg::Data { data } => line.push_str(std::str::from_utf8(&data).unwrap()),
            ChannelMsg::Success | ChannelMsg::WindowAdjusted { .. } => {}
            other => panic!("unexpected: {other:?}"),
        }
    }
    line.trim_end().to_owned()
}

/// Waits until a process is gone; a zombie is gone as well.
async fn gone(pid: &str) {
    let stat = format!("/proc/{pid}/stat");
    let running = || std::fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z "));
    tokio::time::timeout(Duration::from_secs(10), async {
        while running() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("the process ends");
}

#[tokio::test]
async fn a_command_runs_at_home_with_an_environment_made_for_it() {
    let sandbox = sandbox(Behaviour::Normal).await;
    let host = only(&sandbox);
    let handle = session(&sandbox, host).await;
    let heard = run(
        &handle,
        "pwd; echo $HOME $USER $LOGNAME $SHELL; env | cut -d= -f1 | grep -vx -e _ -e SHLVL -e OLDPWD | sort; echo oops >&2; exit 7",
    )
    .await;
    let home = host.home.display();
    let expected = format!("{home}\n{home} anyone anyone /bin/sh\nHOME\nLOGNAME\nPATH\nPWD\nSHELL\nUSER\n");
    assert_eq!(String::from_utf8(heard.stdout).unwrap(), expected);
    assert_eq!(heard.stderr, b"oops\n");
    assert_eq!((heard.started, heard.status, heard.closed), (Some(true), Some(7), true));
    assert_eq!((host.connections(), host.auth_attempts(), host.execs()), (1, 1, 1));
}

#[tokio::test]
async fn only_fan_variables_are_accepted_and_other_requests_are_refused() {
    let sandbox = sandbox(Behaviour::Normal).await;
    let handle = session(&sandbox, only(&sandbox)).await;
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.set_env(true, "FAN_HOST", "web1").await.unwrap();
    assert!(matches!(channel.wait().await, Some(ChannelMsg::Success)));
    channel.set_env(true, "LD_PRELOAD", "evil.so").await.unwrap();
    assert!(matches!(channel.wait().await, Some(ChannelMsg::Failure)));
    channel.request_pty(true, "xterm", 80, 24, 0, 0, &[]).await.unwrap();
    assert!(matches!(channel.wait().await, Some(ChannelMsg::Failure)));
    channel.request_shell(true).await.unwrap();
    assert!(matches!(channel.wait().await, Some(ChannelMsg::Failure)));
    channel.request_subsystem(true, "netconf").await.unwrap();
    assert!(matches!(channel.wait().await, Some(ChannelMsg::Failure)));
    channel.exec(true, "echo $FAN_HOST$LD_PRELOAD").await.unwrap();
    assert_eq!(hear(channel).await.stdout, b"web1\n");
    handle.channel_open_direct_tcpip("127.0.0.1", 22, "127.0.0.1", 1).await.unwrap_err();
}

#[tokio::test]
async fn hosts_have_homes_of_their_own() {
    let specs = ["web1", "web2"].map(HostSpec::new).to_vec();
    let sandbox = Sandbox::start(specs).await.unwrap();
    for host in sandbox.hosts() {
        let handle = session(&sandbox, host).await;
        assert_eq!(run(&handle, &format!("echo {} > me", host.name)).await.status, Some(0));
    }
    for host in sandbox.hosts() {
        assert_eq!(std::fs::read_to_string(host.home.join("me")).unwrap().trim(), host.name);
    }
}

#[tokio::test]
async fn input_comes_back_while_it_is_still_being_sent() {
    // More than every window, buffer and pipe on the way together: a queue that holds back deadlocks here.
    const SIZE: usize = 24 * 1024 * 1024;
    let sandbox = sandbox(Behaviour::Normal).await;
    let handle = session(&sandbox, only(&sandbox)).await;
    let (reader, writer) = exec(&handle, "cat").await.split();
    let mut reader = reader;
    let sending = async {
        let block = bytes::Bytes::from(vec![b'x'; 1024 * 1024]);
        for _ in 0..SIZE / block.len() {
            writer.data_bytes(block.clone()).await.unwrap();
        }
        writer.eof().await.unwrap();
    };
    let receiving = async {
        let mut size = 0;
        while let Some(message) = reader.wait().await {
            if let ChannelMsg::Data { data } = message {
                size += data.len();
            }
        }
        size
    };
    let ((), size) = futures::join!(sending, receiving);
    assert_eq!(size, SIZE);
}

#[tokio::test]
async fn a_command_that_reads_nothing_does_not_hold_back_its_connection() {
    let sandbox = sandbox(Behaviour::Normal).await;
    let handle = session(&sandbox, only(&sandbox)).await;
    let deaf = exec(&handle, "exec sleep 600").await;
    let block = bytes::Bytes::from(vec![b'x'; 1024 * 1024]);
    for _ in 0..8 {
        deaf.data_bytes(block.clone()).await.unwrap();
    }
    assert_eq!(run(&handle, "echo other").await.stdout, b"other\n");
    deaf.signal(Sig::TERM).await.unwrap();
    assert_eq!(hear(deaf).await.signal.as_deref(), Some("TERM"));
}

#[tokio::test]
async fn a_client_that_reads_nothing_stops_only_its_command() {
    let sandbox = sandbox(Behaviour::Normal).await;
    let host = only(&sandbox);
    let handle = session(&sandbox, host).await;
    // A window that is never opened again: the client's end of the channel is dropped, the session is not.
    let mut flood = exec(&handle, "echo $$; exec yes").await;
    let pid = first_line(&mut flood).await;
    assert_eq!(run(&session(&sandbox, host).await, "echo other").await.stdout, b"other\n");
    flood.close().await.unwrap();
    drop(flood);
    gone(&pid).await;
}

#[tokio::test]
async fn signals_end_commands_and_are_named() {
    let sandbox = sandbox(Behaviour::Normal).await;
    let handle = session(&sandbox, only(&sandbox)).await;
    for (signal, name) in [(Sig::TERM, "TERM"), (Sig::KILL, "KILL"), (Sig::INT, "INT"), (Sig::HUP, "HUP")] {
        let mut channel = exec(&handle, "echo ready; exec sleep 600").await;
        first_line(&mut channel).await;
        channel.signal(signal).await.unwrap();
        let heard = hear(channel).await;
        assert_eq!((heard.signal.as_deref(), heard.status, heard.closed), (Some(name), None, true));
    }
}

#[tokio::test]
async fn signals_reach_the_whole_process_group() {
    let sandbox = sandbox(Behaviour::Normal).await;
    let handle = session(&sandbox, only(&sandbox)).await;
    let script = "(trap 'echo child heard; exit' TERM; sleep 600 >/dev/null 2>&1 & echo ready; wait) & wait";
    let mut channel = exec(&handle, script).await;
    first_line(&mut channel).await;
    channel.signal(Sig::TERM).await.unwrap();
    let heard = hear(channel).await;
    assert_eq!((heard.stdout.as_slice(), heard.signal.as_deref()), (&b"child heard\n"[..], Some("TERM")));
}

#[tokio::test]
async fn a_background_child_that_holds_the_output_keeps_the_channel_open() {
    let sandbox = sandbox(Behaviour::Normal).await;
    let handle = session(&sandbox, only(&sandbox)).await;
    let mut channel = exec(&handle, "sleep 600 & echo $!").await;
    let (mut child, mut status) = (String::new(), None);
    // The status may overtake the output, as it may on a real host.
    while status.is_none() || child.is_empty() {
        match channel.wait().await.expect("the channel is open") {
            ChannelMsg::Data { data } => child.push_str(std::str::from_utf8(&data).unwrap().trim_end()),
            ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
            ChannelMsg::Success | ChannelMsg::WindowAdjusted { .. } => {}
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert_eq!(status, Some(0));
    assert!(std::path::Path::new(&format!("/proc/{child}")).exists());
    channel.close().await.unwrap();
    gone(&child).await;
}

#[tokio::test]
async fn commands_die_with_their_channel_their_connection_and_the_sandbox() {
    let sandbox = sandbox(Behaviour::Normal).await;
    let host = only(&sandbox);
    let handle = session(&sandbox, host).await;
    let mut channel = exec(&handle, "echo $$; exec sleep 600").await;
    let pid = first_line(&mut channel).await;
    channel.close().await.unwrap();
    gone(&pid).await;

    let mut channel = exec(&handle, "echo $$; exec sleep 600").await;
    let pid = first_line(&mut channel).await;
    handle.disconnect(russh::Disconnect::ByApplication, "", "").await.unwrap();
    gone(&pid).await;

    let mut first = exec(&session(&sandbox, host).await, "echo $$; exec sleep 600").await;
    let first_pid = first_line(&mut first).await;
    let home = host.home.clone();
    drop(sandbox);
    gone(&first_pid).await;
    assert!(!home.exists());
    let heard = hear(first).await;
    assert_eq!((heard.status, heard.signal), (None, None));
}

#[tokio::test]
async fn stop_leaves_nothing_behind() {
    let sandbox = sandbox(Behaviour::Normal).await;
    let (address, home) = (only(&sandbox).address, only(&sandbox).home.clone());
    let handle = session(&sandbox, only(&sandbox)).await;
    let mut channel = exec(&handle, "echo $$; exec sleep 600").await;
    let pid = first_line(&mut channel).await;
    sandbox.stop().await;
    gone(&pid).await;
    assert!(!home.exists());
    TcpStream::connect(address).await.unwrap_err();
    handle.await.unwrap_err();
}

#[tokio::test]
async fn no_other_key_logs_in() {
    let sandbox = sandbox(Behaviour::Normal).await;
    let mut handle = connect(&sandbox, only(&sandbox)).await.unwrap();
    assert!(!log_in(&mut handle, keys::one_time().unwrap()).await.success());
    assert!(!handle.authenticate_password("anyone", "secret").await.unwrap().success());
    assert!(!handle.authenticate_none("anyone").await.unwrap().success());
    assert_eq!(only(&sandbox).auth_attempts(), 3);
}

#[tokio::test]
async fn refused_logins() {
    let sandbox = sandbox(Behaviour::RefuseAuth).await;
    let mut handle = connect(&sandbox, only(&sandbox)).await.unwrap();
    let key = load_secret_key(sandbox.identity(), None).unwrap();
    assert!(!log_in(&mut handle, key).await.success());
    assert_eq!(only(&sandbox).auth_attempts(), 1);
}

#[tokio::test]
async fn lies_about_host_keys_end_before_any_login() {
    for behaviour in [Behaviour::WrongKey, Behaviour::UnknownKey, Behaviour::OtherKeyType] {
        let sandbox = sandbox(behaviour).await;
        let refused = connect(&sandbox, only(&sandbox)).await;
        assert!(matches!(refused, Err(russh::Error::UnknownKey)));
        assert_eq!((only(&sandbox).connections(), only(&sandbox).auth_attempts()), (1, 0));
    }
}

#[tokio::test]
async fn refused_channels_and_commands() {
    let no_channel = sandbox(Behaviour::RefuseChannels { after: 0, count: u32::MAX }).await;
    let handle = session(&no_channel, only(&no_channel)).await;
    let refused = handle.channel_open_session().await.unwrap_err();
    assert!(matches!(refused, russh::Error::ChannelOpenFailure(russh::ChannelOpenFailure::ConnectFailed)));

    let no_exec = sandbox(Behaviour::RefuseExec).await;
    let handle = session(&no_exec, only(&no_exec)).await;
    let heard = run(&handle, "touch ran").await;
    assert_eq!(heard, ChannelStory { started: Some(false), ..ChannelStory::default() });
    assert_eq!(only(&no_exec).execs(), 1);
    assert!(!only(&no_exec).home.join("ran").exists());
}

#[tokio::test]
async fn a_cut_delivers_the_first_output_and_no_end() {
    let sandbox = sandbox(Behaviour::CutAfterExec).await;
    let host = only(&sandbox);
    let handle = session(&sandbox, host).await;
    let heard = run(&handle, "touch ran; echo $$; exec sleep 600").await;
    assert_eq!((heard.started, heard.status, heard.closed), (Some(true), None, false));
    gone(String::from_utf8(heard.stdout).unwrap().trim()).await;
    assert!(host.home.join("ran").exists());

    let handle = session(&sandbox, host).await;
    let heard = run(&handle, "exit 0").await;
    assert_eq!((heard.stdout.as_slice(), heard.status, heard.closed), (&b""[..], None, false));
}

#[tokio::test]
async fn a_channel_that_closes_without_an_exit_status() {
    let sandbox = sandbox(Behaviour::NoExitStatus).await;
    let handle = session(&sandbox, only(&sandbox)).await;
    let heard = run(&handle, "echo done").await;
    assert_eq!(
        heard,
        ChannelStory {
            started: Some(true),
            stdout: b"done\n".to_vec(),
            closed: true,
            ..ChannelStory::default()
        }
    );
}

#[tokio::test]
async fn a_stalled_command_says_nothing_and_starts_nothing() {
    let sandbox = sandbox(Behaviour::StallAfterExec).await;
    let handle = session(&sandbox, only(&sandbox)).await;
    let mut channel = exec(&handle, "touch ran").await;
    assert!(matches!(channel.wait().await, Some(ChannelMsg::Success)));
    channel.signal(Sig::KILL).await.unwrap();
    // The connection is alive: another channel is answered, and the stalled one has still nothing to say.
    let _other = exec(&handle, "true").await;
    assert!(futures::FutureExt::now_or_never(channel.wait()).is_none());
    assert!(!only(&sandbox).home.join("ran").exists());
}

/// What a host says to a client that introduces itself and then waits.
async fn greeting(host: &SandboxHost) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(host.address).await?;
    stream.write_all(b"SSH-2.0-test\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

#[tokio::test]
async fn something_else_on_the_port() {
    let text = "HTTP/1.1 400 Bad Request\r\n";
    let sandbox = sandbox(Behaviour::NotSsh(text.to_owned())).await;
    assert_eq!(greeting(only(&sandbox)).await.unwrap(), text);
}

#[tokio::test]
async fn a_silent_host_takes_what_it_gets() {
    let sandbox = sandbox(Behaviour::Silent).await;
    let host = only(&sandbox);
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    stream.write_all(b"SSH-2.0-test\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    assert_eq!(host.connections(), 1);
}

#[tokio::test]
async fn a_busy_host_turns_the_first_ones_away() {
    let sandbox = sandbox(Behaviour::Throttle { first: 2 }).await;
    for _ in 0..2 {
        assert_eq!(greeting(only(&sandbox)).await.unwrap(), "Exceeded MaxStartups\r\n");
    }
    assert_eq!(run(&session(&sandbox, only(&sandbox)).await, "echo in").await.stdout, b"in\n");
    assert_eq!(only(&sandbox).connections(), 3);
}

#[tokio::test]
async fn a_slow_banner_comes_before_a_working_host() {
    let behaviour = Behaviour::SlowBanner { lines: 3, pause: Duration::from_millis(1) };
    let sandbox = sandbox(behaviour).await;
    assert_eq!(run(&session(&sandbox, only(&sandbox)).await, "echo in").await.stdout, b"in\n");
}

#[tokio::test]
async fn a_reset_during_the_key_exchange() {
    let sandbox = sandbox(Behaviour::ResetDuringKex).await;
    let Err(russh::Error::IO(error)) = connect(&sandbox, only(&sandbox)).await else { panic!("no reset") };
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn names_that_are_no_folder_names_and_names_given_twice() {
    for name in ["", ".", "..", "a/b", "/etc", "a/"] {
        let refused = Sandbox::start(vec![HostSpec::new(name)]).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("host name {name:?} cannot be the name of a folder"));
    }
    let twice = ["web1", "web1"].map(HostSpec::new).to_vec();
    insta::assert_snapshot!(
        Sandbox::start(twice).await.unwrap_err(),
        @r#"host name "web1" is given twice"#
    );
}
