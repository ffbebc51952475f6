//! Bytes on their way to a temporary file of the host.
//!
//! OpenSSH lets a channel have 2 MiB on the way, so that on a long line one channel carries 2 MiB per round trip. A
//! large file goes over several there, each to an SFTP server of its own that writes to the same file; they take the
//! next block as they come to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::FuturesOrdered;
use futures::{FutureExt, StreamExt};

use crate::files::content::{BLOCK, Content};
use crate::files::progress::TransferProgress;
use crate::files::put::verify::Arrivals;
use crate::files::remote::{Created, Remote, about};
use crate::model::outcome::Failure;
use crate::ssh::pipe::{LAST_WORDS, Pipe, Program};
use crate::ssh::sftp::wire::{Attrs, OpenFlags, SftpRequest};
use crate::ssh::sftp::{Sftp, SftpError};
use crate::ssh::{ChannelClaim, ExecEvent, Session};

/// Round trips shorter than this fill a channel's window with ease.
pub(super) const LONG_LINE: Duration = Duration::from_millis(8);

/// Bytes that make another channel worth its opening.
const PER_LANE: u64 = 8 * 1024 * 1024;

/// Channels that one file goes over, at most: sshd allows ten sessions on a connection (`MaxSessions`).
const MAX_LANES: u64 = 5;

/// A content that goes to a temporary file.
pub(super) struct Outgoing<'a> {
    pub(super) content: &'a Arc<Content>,
    /// The file, which is there.
    pub(super) path: &'a [u8],
    pub(super) created: Created,
    /// Offset of what is sent: a multiple of [`BLOCK`], or the end.
    pub(super) from: u64,
    /// What the file gets in the end.
    pub(super) attrs: Attrs,
    /// Bytes of one host that may be on their way.
    pub(super) in_flight: usize,
    pub(super) progress: &'a TransferProgress,
}

/// Sends a content, and tells of what has arrived.
pub(super) async fn send<S: Session>(
    remote: &Remote<S>,
    outgoing: Outgoing<'_>,
    arrivals: &Arrivals,
) -> Result<(), Failure> {
    let Outgoing { content, path, created, from, attrs, in_flight, progress } = outgoing;
    let (Some(sftp), Created::Open(handle)) = (remote.sftp(), created) else {
        return send_by_command(remote, content, path, from, progress).await;
    };
    let what = about("write", path);
    let next = AtomicU64::new(from);
    let lane = Lane { content, next: &next, in_flight, arrivals, progress };
    let lanes = if remote.round_trip() < LONG_LINE {
        1
    } else {
        (content.size().saturating_sub(from) / PER_LANE).clamp(1, MAX_LANES)
    };
    let others: Vec<_> =
        (1..lanes).map(|_| lane.over_new_channel(remote.session().as_ref(), path).boxed()).collect();
    let own = async { lane.run(sftp, &handle).await.map_err(Stuck::into_failure(&what)) };
    futures::try_join!(own, futures::future::try_join_all(others))?;
    // With the data of all channels: it is one file.
    remote.seal(sftp, path, handle, attrs, Vec::new()).await.map_err(|error| error.about(&what))
}

/// One channel's part of a transfer.
struct Lane<'a> {
    content: &'a Arc<Content>,
    /// Offset of the next block that nobody has taken.
    next: &'a AtomicU64,
    in_flight: usize,
    arrivals: &'a Arrivals,
    progress: &'a TransferProgress,
}

/// Why a lane ended early.
enum Stuck {
    Local(Failure),
    Host(SftpError),
}

impl Stuck {
    fn into_failure(what: &str) -> impl FnOnce(Self) -> Failure {
        move |stuck| match stuck {
            Self::Local(failure) => failure,
            Self::Host(error) => error.about(what),
        }
    }
}

impl Lane<'_> {
    /// The same over a channel of its own. A host that allows no more channels is no failure: the others carry it.
    async fn over_new_channel<S: Session>(&self, session: &S, path: &[u8]) -> Result<(), Failure> {
        let Ok(pipe) = session.pipe_for(Program::Subsystem("sftp"), ChannelClaim::Extra).await else {
            return Ok(());
        };
        let Ok(sftp) = Sftp::start(pipe).await else { return Ok(()) };
        let Ok(handle) = sftp.open(path, OpenFlags::WRITE, None).await else { return Ok(()) };
        let what = about("write", path);
        self.run(&sftp, &handle).await.map_err(Stuck::into_failure(&what))?;
        // All that was written has been answered for: whether it is closed in time does not matter.
        sftp.ask(SftpRequest::Close { handle }).await.map(drop).map_err(|error| error.about(&what))
    }

    async fn run(&self, sftp: &Sftp, handle: &Bytes) -> Result<(), Stuck> {
        let most = usize::try_from(sftp.limits().await.write).unwrap_or(BLOCK);
        let mut waiting = FuturesOrdered::new();
        let mut in_flight = 0;
        while let Some((mut offset, mut block)) = self.take().await.map_err(Stuck::Local)? {
            while !block.is_empty() {
                let data = block.split_to(most.min(block.len()));
                let size = data.len();
                while in_flight > 0 && in_flight + size > self.in_flight {
                    let Some(written) = waiting.next().await else { break };
                    in_flight -= self.written(written).map_err(Stuck::Host)?;
                }
                let request = SftpRequest::Write { handle: handle.clone(), offset, data };
                let pending = sftp.ask(request).await.map_err(Stuck::Host)?;
                waiting.push_back(async move { pending.done().await.map(|()| (offset, size)) });
                in_flight += size;
                offset += u64::try_from(size).unwrap_or(u64::MAX);
            }
        }
        while let Some(written) = waiting.next().await {
            self.written(written).map_err(Stuck::Host)?;
        }
        Ok(())
    }

    fn written(&self, written: Result<(u64, usize), SftpError>) -> Result<usize, SftpError> {
        let (offset, size) = written?;
        let length = u64::try_from(size).unwrap_or(u64::MAX);
        self.arrivals.note(offset, length);
        self.progress.moved(length);
        Ok(size)
    }

    /// The next block that nobody has taken.
    async fn take(&self) -> Result<Option<(u64, Bytes)>, Failure> {
        let step = u64::try_from(BLOCK).unwrap_or(u64::MAX);
        let offset = self.next.fetch_add(step, Ordering::Relaxed);
        if offset >= self.content.size() {
            return Ok(None);
        }
        Ok(Some((offset, self.content.block(offset).await?)))
    }
}

/// Without SFTP, a content of so many bytes is part of a job in the shell: a command of its own would be a login each.
const AT_ONCE: u64 = 16 * 1024;

/// Without SFTP: as the input of a command that writes it.
async fn send_by_command<S: Session>(
    remote: &Remote<S>,
    content: &Arc<Content>,
    path: &[u8],
    from: u64,
    progress: &TransferProgress,
) -> Result<(), Failure> {
    if from == 0 && content.size() <= AT_ONCE {
        let data = content.block(0).await?;
        remote.write_small(path, &data).await?;
        progress.moved(u64::try_from(data.len()).unwrap_or(u64::MAX));
        return Ok(());
    }
    let what = about("write", path);
    let Pipe { mut reader, writer } =
        remote.writing(path, from).await.map_err(|failure| failure.about(&*what))?;
    let feeding = async {
        let mut offset = from;
        while offset < content.size() {
            let block = content.block(offset).await?;
            let size = u64::try_from(block.len()).unwrap_or(u64::MAX);
            if writer.send(block).await.is_err() {
                break; // how it ended says why
            }
            progress.moved(size);
            offset += size;
        }
        writer.end().await;
        Ok(())
    };
    let ending = async {
        let mut said = Vec::new();
        let mut status = None;
        loop {
            match reader.next_within(status.is_some().then_some(LAST_WORDS)).await {
                ExecEvent::Stdout(data) | ExecEvent::Stderr(data) => {
                    said.extend_from_slice(
                        data.get(..data.len().min(1000 - said.len().min(1000))).unwrap_or_default(),
                    );
                }
                ExecEvent::Exit(exit) => status = Some(exit),
                ExecEvent::Closed => {
                    writer.close().await;
                    return Ok((status, said));
                }
                ExecEvent::Lost(failure) => return Err(failure),
            }
        }
    };
    tokio::pin!(feeding, ending);
    // A command that has ended takes no more, and one that was refused never takes any: it is not waited for.
    let ended: Result<_, Failure> = tokio::select! {
        biased;
        ended = &mut ending => ended,
        fed = &mut feeding => match fed {
            Ok(()) => ending.await,
            Err(failure) => {
                let failure: Failure = failure;
                writer.close().await;
                return Err(failure);
            }
        },
    };
    match ended? {
        // Some servers lose it. What arrived is counted in any case, and that decides.
        (None, _) => Ok(()),
        (status, said) => remote.ended(&what, status, &said),
    }
}
