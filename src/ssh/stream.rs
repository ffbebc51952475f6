//! The byte stream under an SSH session: buffers reads, judges the server's greeting and passes on what SSH
//! begins with, and can be cut from outside.
//!
//! Cutting matters because russh's session task outlives a dropped handshake: it ignores its handle while a
//! key exchange is in flight, so a stalled server would keep task and socket for ever. [`CutGuard`] makes the
//! stream's next poll fail, which ends that task.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::ssh::banner::{self, Greeting};
use crate::ssh::error::ConnectError;
use crate::ssh::proxy;
use crate::ssh::software::Software;

/// Bytes read from the socket at a time. russh reads each packet in two small reads; one larger read saves
/// most of those system calls.
const READ_BUFFER: usize = 8 * 1024;

/// What the stream and its guard share.
#[derive(Default)]
struct StreamShared {
    cut: bool,
    refusal: Option<ConnectError>,
    software: Software,
    waker: Option<Waker>,
}

/// Cuts the stream when dropped, unless it was [released](CutGuard::release).
pub(super) struct CutGuard {
    shared: Arc<Mutex<StreamShared>>,
    armed: bool,
}

impl CutGuard {
    /// Lets the stream live on: the handshake is over and the session owns it.
    pub(super) fn release(mut self) {
        self.armed = false;
    }

    /// Which program the server is, once the greeting is over.
    pub(super) fn software(&self) -> Software {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).software
    }

    /// Why the greeting ended the connection, when it did.
    pub(super) fn refusal(&self) -> Option<ConnectError> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).refusal.clone()
    }
}

impl Drop for CutGuard {
    fn drop(&mut self) {
        if self.armed {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.cut = true;
            if let Some(waker) = shared.waker.take() {
                waker.wake();
            }
        }
    }
}

/// Where the stream is in its life.
enum Phase {
    /// The greeting is not over; what has come of it is kept.
    Greeting(Vec<u8>),
    /// SSH has begun; what came of it with the greeting is passed on first.
    Ssh(Vec<u8>),
}

/// See the module's documentation.
pub(super) struct Watched<S> {
    inner: S,
    shared: Arc<Mutex<StreamShared>>,
    phase: Phase,
    /// Bytes read and not yet handed on: `start..end` of it.
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

/// Wraps a connected stream.
pub(super) fn watch<S>(inner: S) -> (Watched<S>, CutGuard) {
    let shared = Arc::new(Mutex::new(StreamShared::default()));
    let guard = CutGuard { shared: Arc::clone(&shared), armed: true };
    let stream = Watched {
        inner,
        shared,
        phase: Phase::Greeting(Vec::new()),
        buffer: vec![0; READ_BUFFER].into_boxed_slice(),
        start: 0,
        end: 0,
    };
    (stream, guard)
}

impl<S> Watched<S> {
    /// Fails when the guard has cut the stream; otherwise leaves the waker for it.
    fn check_cut(&self, context: &Context<'_>) -> io::Result<()> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.cut {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        // Once the guard is gone nobody can cut any more.
        if Arc::strong_count(&self.shared) > 1 {
            match &mut shared.waker {
                Some(waker) => waker.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
        }
        Ok(())
    }

    /// Judges the greeting with the newly read bytes; an error ends the connection.
    ///
    /// Lines before the identification go no further (RFC 4253 section 4.2 lets a server send them): russh
    /// gives up after 20 of them, or at a long one.
    fn greet(&mut self) -> io::Result<()> {
        let Phase::Greeting(seen) = &mut self.phase else { return Ok(()) };
        let fresh = self.buffer.get(self.start..self.end).unwrap_or_default();
        if fresh.is_empty() {
            let refusal = banner::closed_early(seen);
            return self.refuse(refusal);
        }
        seen.extend_from_slice(fresh);
        self.start = self.end;
        match banner::judge(seen) {
            Greeting::Incomplete => Ok(()),
            Greeting::Ssh => {
                let begin = banner::identification(seen);
                let ssh = seen.split_off(begin);
                self.shared.lock().unwrap_or_else(PoisonError::into_inner).software = Software::of(&ssh);
                self.phase = Phase::Ssh(ssh);
                Ok(())
            }
            Greeting::Refused(refusal) => self.refuse(refusal),
        }
    }

    fn refuse(&mut self, refusal: ConnectError) -> io::Result<()> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).refusal = Some(refusal);
        Err(io::ErrorKind::ConnectionRefused.into())
    }

    /// A connection that breaks before the server said anything was closed early, whatever noticed it first.
    fn broke(&mut self, error: io::Error) -> io::Error {
        let refusal = proxy::failure(&error).or_else(|| match &self.phase {
            Phase::Greeting(seen) if seen.is_empty() => Some(banner::closed_early(&[])),
            Phase::Greeting(_) | Phase::Ssh(_) => None,
        });
        if let Some(refusal) = refusal {
            let _ = self.refuse(refusal);
        }
        error
    }

    /// Hands on bytes that are here; false when there are none.
    fn hand_on(&mut self, out: &mut ReadBuf<'_>) -> bool {
        if let Phase::Ssh(head) = &mut self.phase
            && !head.is_empty()
        {
            let taken = head.len().min(out.remaining());
            out.put_slice(head.get(..taken).unwrap_or_default());
            head.drain(..taken);
            return true;
        }
        let ready = self.buffer.get(self.start..self.end).unwrap_or_default();
        let taken = ready.len().min(out.remaining());
        out.put_slice(ready.get(..taken).unwrap_or_default());
        self.start += taken;
        taken > 0
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if out.remaining() == 0 || this.hand_on(out) {
                return Poll::Ready(Ok(()));
            }
            this.check_cut(context)?;
            let mut fresh = ReadBuf::new(&mut this.buffer);
            match Pin::new(&mut this.inner).poll_read(context, &mut fresh) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(this.broke(error))),
            }
            this.start = 0;
            this.end = fresh.filled().len();
            let is_over = this.end == 0;
            this.greet()?;
            if is_over {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        Pin::new(&mut this.inner).poll_write(context, data).map_err(|error| this.broke(error))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A peer that is gone already is no news, and russh would keep the reason of the end to itself.
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context).map(|_| Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::model::outcome::Kind;

    #[tokio::test]
    async fn a_cut_stream_wakes_its_reader_with_an_error() {
        let (client, _server) = tokio::io::duplex(64);
        let (mut stream, guard) = watch(client);
        let reader = tokio::spawn(async move { stream.read_u8().await });
        tokio::task::yield_now().await;
        drop(guard);
        assert!(reader.await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_released_stream_passes_everything() {
        let (client, mut server) = tokio::io::duplex(64);
        let (mut stream, guard) = watch(client);
        guard.release();
        server.write_all(b"SSH-2.0-x\r\npayload").await.unwrap();
        drop(server);
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"SSH-2.0-x\r\npayload");
    }

    #[tokio::test]
    async fn lines_before_the_identification_go_no_further() {
        let (client, mut server) = tokio::io::duplex(64);
        let (mut stream, _guard) = watch(client);
        let preamble = format!("{}\r\n{}SSH-2.0-x\r\npay", "long ".repeat(300), "line\r\n".repeat(100));
        let sending = tokio::spawn(async move {
            server.write_all(preamble.as_bytes()).await.unwrap();
            server.write_all(b"load").await.unwrap();
        });
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        sending.await.unwrap();
        assert_eq!(all, b"SSH-2.0-x\r\npayload");
    }

    #[tokio::test]
    async fn a_refusal_is_told_through_the_guard() {
        let (client, mut server) = tokio::io::duplex(64);
        let (mut stream, guard) = watch(client);
        server.write_all(b"Exceeded MaxStartups\r\n").await.unwrap();
        assert!(stream.read_u8().await.is_err());
        assert_eq!(guard.refusal().unwrap().failure.kind, Kind::Throttled);
    }

    #[tokio::test]
    async fn a_close_without_a_word_is_a_reset() {
        let (client, server) = tokio::io::duplex(64);
        let (mut stream, guard) = watch(client);
        drop(server);
        assert!(stream.read_u8().await.is_err());
        assert_eq!(guard.refusal().unwrap().failure.kind, Kind::ConnectReset);
    }
}
