//! The front door of a throw-away host: accepts TCP connections and plays the faults that show before SSH
//! is spoken; what gets past them is handed to `connection`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use russh::server;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::sandbox::behaviour::Behaviour;
use crate::sandbox::connection::Connection;
use crate::sandbox::host::SandboxedHost;
use crate::sandbox::wire::Wire;

/// The pause after a failed accept, which happens when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What sshd 8.2 to 9.7 says before it drops a connection beyond `MaxStartups`.
const THROTTLED: &str = "Exceeded MaxStartups\r\n";

/// The longest version line of a client, in bytes: RFC 4253, section 4.2.
const VERSION_LINE: u64 = 255;

/// Serves a host, for as long as it is polled. Dropping it ends its connections.
pub(super) async fn listen(listener: TcpListener, host: Arc<SandboxedHost>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let number = host.counters.count_connection();
                    let host = host.clone();
                    connections.spawn(async move {
                        // It ends in an error when the client or a fault ends it: nobody wants to know.
                        let _ = receive(stream, number, host).await;
                    });
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn receive(mut stream: TcpStream, number: u64, host: Arc<SandboxedHost>) -> io::Result<()> {
    match &host.behaviour {
        Behaviour::Silent => outlast(stream).await,
        Behaviour::NotSsh(text) => dismiss(stream, text).await,
        Behaviour::Throttle { first } if number <= *first => dismiss(stream, THROTTLED).await,
        Behaviour::ResetDuringKex => reset(stream).await,
        Behaviour::SlowBanner { lines, pause } => {
            for line in 1..=*lines {
                tokio::time::sleep(*pause).await;
                stream.write_all(format!("banner line {line} of {lines}\r\n").as_bytes()).await?;
            }
            speak_ssh(stream, host).await
        }
        Behaviour::Normal
        | Behaviour::Throttle { .. }
        | Behaviour::WrongKey
        | Behaviour::UnknownKey
        | Behaviour::RevokedKey
        | Behaviour::OtherKeyType
        | Behaviour::RefuseAuth
        | Behaviour::Login(_)
        | Behaviour::RefuseChannels { .. }
        | Behaviour::OpensChannels(_)
        | Behaviour::RefuseExec
        | Behaviour::CutAfterExec
        | Behaviour::NoExitStatus
        | Behaviour::CutAfterStatus { .. }
        | Behaviour::TwoStatuses
        | Behaviour::StatusFirst { .. }
        | Behaviour::StatusAfterInput
        | Behaviour::StallChannels
        | Behaviour::StallAfterExec
        | Behaviour::Sftp(_) => speak_ssh(stream, host).await,
    }
}

async fn speak_ssh(stream: TcpStream, host: Arc<SandboxedHost>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let wire = Wire::new(stream);
    let switch = wire.switch();
    // russh serves the connection in a task of its own: when this one is aborted, the cut ends that one.
    let _cut = switch.clone().cut_on_drop();
    let config = host.config.clone();
    let session =
        server::run_stream(config, wire, Connection::new(host, switch)).await.map_err(io::Error::other)?;
    session.await.map_err(io::Error::other)
}

/// Says something and hangs up.
///
/// Closing with unread bytes in the socket sends a reset, which may overtake the text: so the client goes first.
async fn dismiss(mut stream: TcpStream, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    outlast(stream).await
}

/// Throws away what comes until the client hangs up.
async fn outlast(mut stream: TcpStream) -> io::Result<()> {
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop)
}

/// Exchanges version lines, waits for the key exchange to begin, and resets the connection.
async fn reset(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(b"SSH-2.0-fan_sandbox\r\n").await?;
    let mut reader = BufReader::new(&mut stream);
    (&mut reader).take(VERSION_LINE).read_until(b'\n', &mut Vec::new()).await?;
    reader.read_u8().await?;
    stream.set_zero_linger()
}
