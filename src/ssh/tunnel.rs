//! The byte stream to a host behind a gateway: a `direct-tcpip` channel (RFC 4254 section 7.2) that is always
//! drained.
//!
//! russh hands messages to a channel inside the loop that serves the whole connection, so one unread channel
//! would stop every host behind the gateway. A task of its own therefore takes everything in at once. What
//! piles up is bounded by the inner session's own flow control: on each of its channels a host may send one
//! window before it must wait for us. A host that sends more than all its channels allow breaks the protocol and
//! loses its tunnel. The same task closes the channel when either side is done.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use russh::client::Msg;
use russh::{Channel, ChannelMsg};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

/// The window of sessions behind a gateway: what one of them may have in flight.
pub(super) const INNER_WINDOW: u32 = 512 * 1024;

/// Bytes that may pile up beside what channels carry: answers, and what a key exchange adds.
const MAX_BESIDE: usize = 2 * INNER_WINDOW as usize;

/// Bytes on the way for a byte of a window, at most: a packet that carries one, its frame and padding.
const MAX_OVERHEAD: usize = 64;

/// The windows of a session that goes through a tunnel: what may be on its way.
#[derive(Debug, Default)]
pub(super) struct Windows {
    open: AtomicUsize,
    /// The most that were open at a time: what a closed one was sent may still be on its way.
    most: AtomicUsize,
}

impl Windows {
    /// One more channel is open.
    pub(super) fn opened(&self) {
        let open = self.open.fetch_add(1, Ordering::AcqRel) + 1;
        self.most.fetch_max(open, Ordering::AcqRel);
    }

    /// A channel was closed.
    pub(super) fn closed(&self) {
        // The server says what is closed: it may say so of what is not open.
        let _ = self.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, |open| open.checked_sub(1));
    }

    fn room(&self) -> usize {
        let carried = self.most.load(Ordering::Acquire).saturating_mul(INNER_WINDOW as usize);
        carried.saturating_mul(MAX_OVERHEAD).saturating_add(MAX_BESIDE)
    }
}

/// See the module's documentation.
pub struct Tunnel {
    arrived: mpsc::UnboundedReceiver<Bytes>,
    current: Bytes,
    queued: Arc<AtomicUsize>,
    windows: Arc<Windows>,
    writer: Pin<Box<dyn AsyncWrite + Send>>,
}

/// Makes a stream of an open channel.
pub(super) fn over(channel: Channel<Msg>) -> Tunnel {
    let (mut reader, write_half) = channel.split();
    let (sender, arrived) = mpsc::unbounded_channel();
    let queued = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&queued);
    let windows = Arc::<Windows>::default();
    let allowed = Arc::clone(&windows);
    let writer = Box::pin(write_half.make_writer());
    tokio::spawn(async move {
        loop {
            let message = tokio::select! {
                message = reader.wait() => message,
                () = sender.closed() => None,
            };
            match message {
                Some(ChannelMsg::Data { data }) => {
                    let before = counter.fetch_add(data.len(), Ordering::AcqRel);
                    if before + data.len() > allowed.room() || sender.send(data).is_err() {
                        break;
                    }
                }
                Some(ChannelMsg::Eof | ChannelMsg::Close) | None => break,
                Some(_) => {}
            }
        }
        drop(sender);
        // Without it the gateway would keep its connection to a host that we turned away from, and the host
        // would count it as a login that never comes.
        let _ = write_half.close().await;
    });
    Tunnel { arrived, current: Bytes::new(), queued, windows, writer }
}

impl Tunnel {
    /// The windows of the session that goes through it.
    pub(super) fn windows(&self) -> &Arc<Windows> {
        &self.windows
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.current.is_empty() {
            match ready!(this.arrived.poll_recv(context)) {
                Some(data) => this.current = data,
                None => return Poll::Ready(Ok(())),
            }
        }
        let taken = this.current.len().min(out.remaining());
        out.put_slice(this.current.get(..taken).unwrap_or_default());
        this.current.advance(taken);
        this.queued.fetch_sub(taken, Ordering::AcqRel);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().writer.as_mut().poll_write(context, data)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().writer.as_mut().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().writer.as_mut().poll_shutdown(context)
    }
}
