//! The ways to a server up to the point where SSH begins: TCP connect, tunnels, commands. For TCP: every address of a
//! name gets its chance within one deadline (RFC 8305).

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tracing::debug;

use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, Kind};
use crate::ssh::acknowledging::Acknowledging;
use crate::ssh::error::ConnectError;
use crate::ssh::failure::fragment;
use crate::ssh::lookup::local_limits;
use crate::ssh::notice::Notices;
use crate::ssh::proxy::Proxy;
use crate::ssh::tunnel::Tunnel;

/// Head start of each address over the next (RFC 8305 section 5 recommends 250 ms).
const STAGGER: Duration = Duration::from_millis(250);

/// A connected stream to a server, before SSH begins on it.
pub enum Dialled {
    /// Straight to it.
    Tcp(Acknowledging<TcpStream>),
    /// Through a gateway.
    Tunnel(Tunnel),
    /// Through a local command (`ProxyCommand`), which ends with the stream.
    Command(Box<Proxy>),
}

impl Dialled {
    fn stream(&mut self) -> Pin<&mut dyn Duplex> {
        Pin::new(match self {
            Self::Tcp(stream) => stream,
            Self::Tunnel(stream) => stream,
            Self::Command(proxy) => &mut **proxy,
        })
    }
}

/// Both directions of a stream.
trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

impl AsyncRead for Dialled {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().stream().poll_read(context, out)
    }
}

impl AsyncWrite for Dialled {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().stream().poll_write(context, data)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream().poll_shutdown(context)
    }
}

/// Starts a `ProxyCommand`.
pub(super) fn by_command(
    command: &Arc<str>,
    host: &HostName,
    notices: &Notices,
) -> Result<Dialled, ConnectError> {
    Proxy::start(command, host, notices).map(|proxy| Dialled::Command(Box::new(proxy)))
}

/// Connects to the first address that answers, families in turn. Later ones start a little later, or at once when an
/// earlier one fails.
pub(super) async fn connect(addresses: Vec<SocketAddr>) -> Result<TcpStream, ConnectError> {
    let mut attempts = FuturesUnordered::new();
    let mut waiting = interleave(addresses).into_iter();
    let mut last = None;
    if let Some(first) = waiting.next() {
        attempts.push(dial(first));
    }
    loop {
        let more = waiting.len() > 0;
        tokio::select! {
            result = attempts.next(), if !attempts.is_empty() => match result {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => {
                    last = Some(error);
                    attempts.extend(waiting.next().map(dial));
                }
                None => {}
            },
            () = tokio::time::sleep(STAGGER), if more => attempts.extend(waiting.next().map(dial)),
            else => break,
        }
        if attempts.is_empty() && waiting.len() == 0 {
            break;
        }
    }
    Err(last.unwrap_or_else(|| ConnectError::fatal(Failure::new(Kind::Dns, "no address to connect to"))))
}

/// Lets more be on its way than the kernel would by itself, on machines that allow it: Linux lets a buffer grow to the
/// last number of `tcp_wmem`, and gives twice `wmem_max` to whoever asks for that.
fn widen(tcp: &TcpStream) {
    if let Some(size) = *SEND_BUFFER {
        // A narrower line is no error.
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(tcp, size);
    }
}

/// The size to ask for, when it gives more than is had without asking.
static SEND_BUFFER: LazyLock<Option<usize>> = LazyLock::new(|| {
    let words = |file: &str| std::fs::read_to_string(format!("/proc/sys/net/{file}")).ok();
    let ours: usize = words("core/wmem_max")?.trim().parse().ok()?;
    let grown: usize = words("ipv4/tcp_wmem")?.split_ascii_whitespace().nth(2)?.parse().ok()?;
    (ours.saturating_mul(2) > grown).then_some(ours)
});

async fn dial(address: SocketAddr) -> Result<TcpStream, ConnectError> {
    debug!("connecting to {address}");
    let stream = TcpStream::connect(address).await.map_err(|error| {
        debug!("no connection to {address}: {error}");
        connect_failed(&error)
    })?;
    debug!("connected to {address}");
    widen(&stream);
    // Small packets back and forth: Nagle's algorithm would hold them back.
    stream.set_nodelay(true).map_err(|error| connect_failed(&error))?;
    Ok(stream)
}

/// IPv6 and IPv4 in turn, each in the resolver's order, so that one broken family costs one stagger.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (leading, trailing): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut mixed = Vec::with_capacity(leading.len() + trailing.len());
    let (mut leading, mut trailing) = (leading.into_iter(), trailing.into_iter());
    loop {
        match (leading.next(), trailing.next()) {
            (None, None) => return mixed,
            (first, second) => mixed.extend(first.into_iter().chain(second)),
        }
    }
}

fn connect_failed(error: &io::Error) -> ConnectError {
    if let Some(limits) = local_limits(error) {
        return limits;
    }
    let errno = Errno::from_io_error(error);
    match errno {
        Some(Errno::CONNREFUSED) => ConnectError::fatal(
            Failure::new(Kind::ConnectRefused, "connection refused")
                .hint("is sshd running, and on this port?"),
        ),
        Some(Errno::TIMEDOUT) => {
            ConnectError::temporary(Failure::new(Kind::ConnectTimeout, "connect timed out"))
        }
        Some(Errno::CONNRESET | Errno::PIPE | Errno::CONNABORTED) => {
            ConnectError::temporary(Failure::new(Kind::ConnectReset, "connection reset"))
        }
        // Routes answer with these: unreachable, blackhole (EINVAL) and prohibit (EACCES), which must not
        // read like a refused key.
        Some(Errno::ACCESS | Errno::PERM) => ConnectError::fatal(Failure::new(
            Kind::ConnectUnreachable,
            "a firewall or route on the way prohibits the connection",
        )),
        Some(Errno::INVAL) => ConnectError::fatal(Failure::new(
            Kind::ConnectUnreachable,
            "the route to the host leads nowhere (blackhole)",
        )),
        _ => ConnectError::fatal(Failure::new(Kind::ConnectUnreachable, fragment(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A port that is taken and on which nobody listens, so that it is nobody else's.
    fn closed_port(address: &str) -> (tokio::net::TcpSocket, SocketAddr) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(address.parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    #[test]
    fn families_take_turns() {
        let parse = |text: &str| text.parse::<SocketAddr>().unwrap();
        let mixed = interleave(vec![
            parse("[::1]:1"),
            parse("[::2]:1"),
            parse("1.1.1.1:1"),
            parse("2.2.2.2:1"),
            parse("3.3.3.3:1"),
        ]);
        let shown: Vec<_> = mixed.iter().map(|address| address.ip().to_string()).collect();
        assert_eq!(shown, ["::1", "1.1.1.1", "::2", "2.2.2.2", "3.3.3.3"]);
    }

    #[tokio::test]
    async fn a_later_address_is_used_when_the_first_refuses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (_held, closed) = closed_port("127.0.0.2:0");
        let good = listener.local_addr().unwrap();
        let stream = connect(vec![closed, good]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
    }

    #[tokio::test]
    async fn a_closed_port_is_refused_and_not_retried() {
        let (_held, closed) = closed_port("127.0.0.1:0");
        let error = connect(vec![closed]).await.unwrap_err();
        assert_eq!(error.failure.kind, Kind::ConnectRefused);
        assert_eq!(error.retry, crate::ssh::error::Retry::Never);
    }

    #[test]
    fn errno_texts_map_to_one_kind_each() {
        let kind = |errno: Errno| connect_failed(&io::Error::from(errno)).failure.kind;
        assert_eq!(kind(Errno::HOSTUNREACH), Kind::ConnectUnreachable);
        assert_eq!(kind(Errno::NETUNREACH), Kind::ConnectUnreachable);
        assert_eq!(kind(Errno::ACCESS), Kind::ConnectUnreachable);
        assert_eq!(kind(Errno::INVAL), Kind::ConnectUnreachable);
        assert_eq!(kind(Errno::TIMEDOUT), Kind::ConnectTimeout);
        assert_eq!(kind(Errno::MFILE), Kind::LocalLimits);
    }
}
