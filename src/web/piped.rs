//! A stream through the connection to a host: what its SSH server connects to for us.

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::model::outcome::Failure;
use crate::ssh::ExecEvent;
use crate::ssh::pipe::Pipe;

/// Bytes on their way in each direction.
const BUFFER: usize = 64 * 1024;

/// A pipe as a stream, for some work on it. What the far end sends is taken as it comes for as long as the work goes on.
///
/// # Errors
///
/// The connection to the host went away, which says nothing about what was connected to.
pub async fn piped<T, W: Future<Output = T>>(
    pipe: Pipe,
    work: impl FnOnce(DuplexStream) -> W,
) -> Result<T, Failure> {
    let (near, far) = tokio::io::duplex(BUFFER);
    let Pipe { mut reader, writer } = pipe;
    let (mut from_near, mut to_near) = tokio::io::split(far);
    let sending = async {
        let mut buffer = BytesMut::with_capacity(BUFFER);
        while from_near.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
            if writer.send(buffer.split().freeze()).await.is_err() {
                break;
            }
        }
        // Why nothing more is taken is told by the reader.
        std::future::pending().await
    };
    let receiving = async {
        loop {
            match reader.next().await {
                ExecEvent::Stdout(data) => {
                    let _ = to_near.write_all(&data).await;
                }
                ExecEvent::Stderr(_) | ExecEvent::Exit(_) => {}
                ExecEvent::Lost(failure) => return failure,
                ExecEvent::Closed => break,
            }
        }
        let _ = to_near.shutdown().await;
        std::future::pending().await
    };
    let done = tokio::select! {
        biased;
        done = work(near) => Ok(done),
        failure = receiving => Err(failure),
        never = sending => never,
    };
    writer.close().await;
    done
}
