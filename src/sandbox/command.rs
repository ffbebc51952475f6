//! One command of a throw-away host: what it is started with, and the channel that carries its streams.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};
use tokio::sync::Notify;

use crate::sandbox::process::{Ending, ProcessGroup, Running, Signal};
use crate::sandbox::spool::Spool;
use crate::sandbox::wire::Switch;

/// What a stream is read in, in bytes: one SSH packet of the usual size.
const CHUNK: usize = 32 * 1024;

/// The number of standard error among the extended streams: RFC 4254, section 5.2.
const STDERR: u32 = 1;

/// The fault of a command.
pub(super) enum Fault {
    /// None.
    None,
    /// It never says how it ended.
    NoExitStatus,
    /// The connection is cut at its first output, or at its end.
    Cut(Switch),
    /// Its end is told before its output, of which so many bytes are sent until the connection is cut.
    CutAfterStatus(Switch, usize),
    /// Its end is told, and then another one.
    TwoStatuses,
    /// Its end is told, and its output is sent so much later.
    StatusFirst(Duration),
    /// Its end is told when nothing takes its input any more.
    StatusAfterInput,
}

/// Describes a command as a login gives it to the login shell: `sh -c`, in the home folder, with an
/// environment made for it.
pub(super) fn describe(line: &[u8], home: &Path, user: &str, env: &[(String, String)]) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(OsStr::from_bytes(line)).current_dir(home).env_clear();
    command.env("HOME", home).env("SHELL", "/bin/sh").env("USER", user).env("LOGNAME", user);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.envs(env.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Carries a running command's streams over its channel, until both are through or the client closes the
/// channel; then ends what is left of it.
///
/// As OpenSSH does, the exit status goes out when the command ends, and the channel closes when its output
/// does: a background child that holds the output keeps the channel open.
pub(super) async fn serve(
    mut running: Running,
    channel: Channel<Msg>,
    client: Handle,
    home: &Path,
    fault: Fault,
) {
    let (requests, replies) = channel.split();
    let (stdin, stdout, stderr) =
        (running.child.stdin.take(), running.child.stdout.take(), running.child.stderr.take());
    let spool = Spool::new(home.to_owned());
    let Running { group, watch, child } = &mut running;
    let (told, input_over) = (Notify::new(), Notify::new());

    let report = async {
        // An end that was not seen is not made up.
        let Ok(ending) = watch.ended().await else { return };
        match &fault {
            Fault::None | Fault::StatusFirst(_) => tell(&client, replies.id(), ending).await,
            Fault::TwoStatuses => {
                tell(&client, replies.id(), ending).await;
                tell(&client, replies.id(), Ending::Exited(3)).await;
            }
            Fault::CutAfterStatus(..) => {
                tell(&client, replies.id(), ending).await;
                told.notify_one();
            }
            Fault::StatusAfterInput => {
                // It is reaped, so that what it left behind sees that it is gone.
                let _ = child.wait().await;
                input_over.notified().await;
                tell(&client, replies.id(), ending).await;
            }
            Fault::NoExitStatus | Fault::Cut(_) => {}
        }
    };
    let output = async {
        if let Fault::CutAfterStatus(switch, sent) = &fault {
            let half = async {
                told.notified().await;
                send_and_cut(stdout, &replies, switch, *sent).await;
            };
            futures::join!(half, report);
            return;
        }
        if let Fault::StatusFirst(pause) = &fault {
            report.await;
            tokio::time::sleep(*pause).await;
            futures::join!(
                pump(stdout, &replies, None, &fault),
                pump(stderr, &replies, Some(STDERR), &fault)
            );
            let _ = client.eof(replies.id()).await;
            let _ = client.close(replies.id()).await;
            return;
        }
        if matches!(fault, Fault::StatusAfterInput) {
            futures::join!(
                pump(stdout, &replies, None, &fault),
                pump(stderr, &replies, Some(STDERR), &fault)
            );
            let _ = client.eof(replies.id()).await;
            report.await;
            let _ = client.close(replies.id()).await;
            return;
        }
        futures::join!(
            pump(stdout, &replies, None, &fault),
            pump(stderr, &replies, Some(STDERR), &fault),
            report
        );
        match &fault {
            Fault::None | Fault::NoExitStatus | Fault::TwoStatuses => {
                // These fail when the connection is gone: then there is nobody to tell.
                let _ = client.eof(replies.id()).await;
                let _ = client.close(replies.id()).await;
            }
            Fault::Cut(switch) => switch.cut(),
            // They were seen to above.
            Fault::CutAfterStatus(..) | Fault::StatusFirst(_) | Fault::StatusAfterInput => {}
        }
    };
    let input = async {
        feed(&spool, stdin).await;
        input_over.notify_one();
        std::future::pending().await
    };
    tokio::select! {
        () = output => {}
        () = obey(requests, group, &spool) => {}
        () = input => {}
    }
    running.end().await;
}

/// Takes everything that comes on a channel and does nothing, until it is closed.
pub(super) async fn ignore(mut channel: Channel<Msg>) {
    while let Some(message) = channel.wait().await {
        if matches!(message, ChannelMsg::Close) {
            return;
        }
    }
}

/// Does what the client sends, until it closes the channel or is gone.
async fn obey(mut requests: ChannelReadHalf, group: &ProcessGroup, spool: &Spool) {
    while let Some(message) = requests.wait().await {
        match message {
            ChannelMsg::Data { data } => match spool.push(data) {
                Ok(()) => {}
                Err(_) => return, // the disk is full: a command without its input is better ended
            },
            ChannelMsg::Eof => spool.finish(),
            ChannelMsg::Signal { signal } => number(&signal).into_iter().for_each(|it| group.signal(it)),
            ChannelMsg::Close => return,
            _ => {} // requests that the connection answered, window changes
        }
    }
}

async fn feed(spool: &Spool, stdin: Option<ChildStdin>) {
    if let Some(mut stdin) = stdin {
        while let Ok(Some(bytes)) = spool.next().await {
            if stdin.write_all(&bytes).await.is_err() {
                break; // it closed its standard input
            }
        }
    }
    spool.discard();
}

/// Sends a stream of the command, no faster than the window of the channel lets it.
async fn pump<R: AsyncRead + Unpin>(
    stream: Option<R>,
    replies: &ChannelWriteHalf<Msg>,
    extended: Option<u32>,
    fault: &Fault,
) {
    let Some(mut stream) = stream else { return };
    while let Ok(Some(bytes)) = read(&mut stream).await {
        if let Fault::Cut(switch) = fault {
            switch.cut_after(bytes.len());
        }
        let sent = match extended {
            None => replies.data_bytes(bytes).await,
            Some(number) => replies.extended_data_bytes(number, bytes).await,
        };
        if sent.is_err() {
            return;
        }
        if matches!(fault, Fault::Cut(_)) {
            // The wire cuts itself once these bytes are out; the end of the command must not hurry it.
            std::future::pending::<()>().await;
        }
    }
}

/// Sends the first bytes of a stream, and cuts the connection behind them.
async fn send_and_cut<R: AsyncRead + Unpin>(
    stream: Option<R>,
    replies: &ChannelWriteHalf<Msg>,
    switch: &Switch,
    bytes: usize,
) {
    let Some(stream) = stream else { return };
    let mut beginning = Vec::new();
    let limit = u64::try_from(bytes).unwrap_or(u64::MAX);
    if stream.take(limit).read_to_end(&mut beginning).await.is_ok() {
        switch.cut_after(beginning.len());
        let _ = replies.data_bytes(beginning).await;
    }
    // The wire cuts itself.
    std::future::pending::<()>().await;
}

async fn read<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<Option<Bytes>> {
    let mut chunk = BytesMut::with_capacity(CHUNK);
    let size = stream.read_buf(&mut chunk).await?;
    Ok((size > 0).then(|| chunk.freeze()))
}

/// Tells the client how the command ended: RFC 4254, section 6.10. Fails only when nobody is there to tell.
async fn tell(client: &Handle, channel: ChannelId, ending: Ending) {
    let _ = match ending {
        Ending::Exited(status) => client.exit_status_request(channel, status).await,
        Ending::Killed { signal, core_dumped } => {
            client.exit_signal_request(channel, name(signal), core_dumped, String::new(), String::new()).await
        }
    };
}

/// The signals that have a name in SSH: RFC 4254, section 6.9.
fn number(signal: &Sig) -> Option<Signal> {
    Some(match signal {
        Sig::ABRT => Signal::ABORT,
        Sig::ALRM => Signal::ALARM,
        Sig::FPE => Signal::FPE,
        Sig::HUP => Signal::HUP,
        Sig::ILL => Signal::ILL,
        Sig::INT => Signal::INT,
        Sig::KILL => Signal::KILL,
        Sig::PIPE => Signal::PIPE,
        Sig::QUIT => Signal::QUIT,
        Sig::SEGV => Signal::SEGV,
        Sig::TERM => Signal::TERM,
        Sig::USR1 => Signal::USR1,
        Sig::Custom(name) if name == "USR2" => Signal::USR2,
        Sig::Custom(_) => return None,
    })
}

fn name(signal: i32) -> Sig {
    match Signal::from_named_raw(signal) {
        Some(Signal::ABORT) => Sig::ABRT,
        Some(Signal::ALARM) => Sig::ALRM,
        Some(Signal::FPE) => Sig::FPE,
        Some(Signal::HUP) => Sig::HUP,
        Some(Signal::ILL) => Sig::ILL,
        Some(Signal::INT) => Sig::INT,
        Some(Signal::KILL) => Sig::KILL,
        Some(Signal::PIPE) => Sig::PIPE,
        Some(Signal::QUIT) => Sig::QUIT,
        Some(Signal::SEGV) => Sig::SEGV,
        Some(Signal::TERM) => Sig::TERM,
        Some(Signal::USR1) => Sig::USR1,
        Some(Signal::USR2) => Sig::Custom("USR2".to_owned()),
        _ => Sig::Custom(format!("{signal}@fan")), // a private name carries an at sign
    }
}
