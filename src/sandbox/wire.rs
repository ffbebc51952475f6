//! A stream that can be cut from outside.
//!
//! russh runs a connection in a task of its own that nobody can abort; making its stream fail is what ends
//! it. The same switch plays a connection that is lost in the middle of a command.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream with a switch.
pub(super) struct Wire<S> {
    stream: S,
    switch: Switch,
}

/// Cuts a [`Wire`]: from then on, reads and writes on it fail.
#[derive(Clone, Default)]
pub(super) struct Switch(Arc<WireShared>);

/// Cuts the wire when it is dropped.
pub(super) struct CutOnDrop(Switch);

#[derive(Default)]
struct WireShared {
    state: Mutex<WireState>,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum WireState {
    #[default]
    Whole,
    /// Will be cut at the first read after this many more bytes were written.
    Ending(usize),
    Cut,
}

impl<S> Wire<S> {
    /// Puts a switch on a stream.
    pub(super) fn new(stream: S) -> Self {
        Self { stream, switch: Switch::default() }
    }

    /// The switch.
    pub(super) fn switch(&self) -> Switch {
        self.switch.clone()
    }
}

impl Switch {
    /// Cuts the wire now.
    pub(super) fn cut(&self) {
        self.set(WireState::Cut);
    }

    /// Cuts the wire once `bytes` more bytes went out.
    ///
    /// russh flushes whole packets before it reads again, so waiting for a read lets the packet that carries
    /// these bytes out to its last byte.
    pub(super) fn cut_after(&self, bytes: usize) {
        self.set(WireState::Ending(bytes));
    }

    /// Cuts the wire when the result is dropped.
    pub(super) fn cut_on_drop(self) -> CutOnDrop {
        CutOnDrop(self)
    }

    fn set(&self, state: WireState) {
        *self.0.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.0.reader.wake();
        self.0.writer.wake();
    }

    fn state(&self) -> WireState {
        *self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, written: usize) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let WireState::Ending(left) = *state {
            *state = WireState::Ending(left.saturating_sub(written));
        }
    }
}

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.cut();
    }
}

fn cut_error() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the sandbox cut the connection")
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Registered before the look at the state: a cut in between wakes this task again.
        self.switch.0.reader.register(cx.waker());
        match self.switch.state() {
            WireState::Cut | WireState::Ending(0) => Poll::Ready(Err(cut_error())),
            WireState::Whole | WireState::Ending(_) => Pin::new(&mut self.stream).poll_read(cx, buf),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.switch.0.writer.register(cx.waker());
        if self.switch.state() == WireState::Cut {
            return Poll::Ready(Err(cut_error()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = &written {
            self.switch.count(*bytes);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_cut_ends_a_read_that_is_waiting() {
        let (near, _far) = tokio::io::duplex(64);
        let mut wire = Wire::new(near);
        let switch = wire.switch();
        let reading = tokio::spawn(async move { wire.read_u8().await });
        tokio::task::yield_now().await;
        drop(switch.cut_on_drop());
        assert_eq!(reading.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn a_late_cut_lets_the_counted_bytes_out_first() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut wire = Wire::new(near);
        wire.switch().cut_after(4);
        wire.write_all(b"ab").await.unwrap();
        far.write_all(b"x").await.unwrap();
        assert_eq!(wire.read_u8().await.unwrap(), b'x');
        wire.write_all(b"cd").await.unwrap();
        wire.read_u8().await.unwrap_err();
        drop(wire);
        let mut seen = Vec::new();
        far.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen, b"abcd");
    }
}
