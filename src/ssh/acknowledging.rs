//! A TCP stream whose peer waits for none of our acknowledgements. Owns when the kernel is asked for one.
//!
//! sshd turns Nagle's algorithm off only for a terminal. With a delayed acknowledgement of ours it sits on its second small
//! packet for 40 ms: after the login (`hostkeys-00@openssh.com`, then our channel) that would cost every host. What we write
//! carries the acknowledgement of what we have read, so one is asked for only when there is nothing to write and the next
//! read has to wait. Asking at each read cost a run of a thousand hosts 4 % of its CPU time, most of it for packets that
//! said nothing else.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What can be asked not to wait with an acknowledgement. The kernel forgets the wish, so it is said again each time.
pub trait Acknowledge {
    /// Acknowledges what was read, now.
    fn acknowledge(&self);
}

impl Acknowledge for TcpStream {
    fn acknowledge(&self) {
        // Without it all works, only later.
        #[cfg(target_os = "linux")]
        let _ = rustix::net::sockopt::set_tcp_quickack(self, true);
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Acknowledging<S> {
    inner: S,
    /// Something was read since anything was written.
    owes: bool,
}

impl<S> Acknowledging<S> {
    /// A stream of which nothing was read yet.
    pub fn new(inner: S) -> Self {
        Self { inner, owes: false }
    }
}

impl<S: AsyncRead + Acknowledge + Unpin> AsyncRead for Acknowledging<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = Pin::new(&mut this.inner).poll_read(context, out);
        match read {
            Poll::Ready(_) => this.owes = true,
            Poll::Pending if std::mem::take(&mut this.owes) => this.inner.acknowledge(),
            Poll::Pending => {}
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Acknowledging<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write(context, data);
        if written.is_ready() {
            this.owes = false;
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures::poll;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    /// A stream that counts how often it is asked.
    struct Counted {
        stream: DuplexStream,
        asked: Cell<usize>,
    }

    impl Acknowledge for Counted {
        fn acknowledge(&self) {
            self.asked.set(self.asked.get() + 1);
        }
    }

    impl AsyncRead for Counted {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            out: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_read(context, out)
        }
    }

    impl AsyncWrite for Counted {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            data: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.stream).poll_write(context, data)
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_flush(context)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(context)
        }
    }

    #[tokio::test]
    async fn what_is_answered_at_once_is_acknowledged_by_the_answer() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut stream = Acknowledging::new(Counted { stream: ours, asked: Cell::default() });
        let asked = |stream: &Acknowledging<Counted>| stream.inner.asked.get();
        let mut buffer = [0; 8];
        assert!(poll!(Box::pin(stream.read(&mut buffer))).is_pending());
        assert_eq!(asked(&stream), 0, "there is nothing to acknowledge");

        theirs.write_all(b"ask").await.unwrap();
        stream.read_exact(&mut buffer[..3]).await.unwrap();
        stream.write_all(b"answer").await.unwrap();
        assert!(poll!(Box::pin(stream.read(&mut buffer))).is_pending());
        assert_eq!(asked(&stream), 0);

        for _ in 0..2 {
            theirs.write_all(b"tell").await.unwrap();
            // In pieces: there is more to read after the first.
            stream.read_exact(&mut buffer[..2]).await.unwrap();
            stream.read_exact(&mut buffer[..2]).await.unwrap();
        }
        assert_eq!(asked(&stream), 0);
        for _ in 0..2 {
            assert!(poll!(Box::pin(stream.read(&mut buffer))).is_pending());
            assert_eq!(asked(&stream), 1, "once for all that was read");
        }
    }
}
