//! The bytes of a file of the host on their way: exactly as many as it was said to have, each where it belongs.
//!
//! A server that sends less, more, nothing, or other bytes than were asked for is refused: a short file must never be
//! taken for a whole one.

use std::cmp::Ordering;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesOrdered;

use crate::files::content::blocking;
use crate::files::digest::{Digest, Hasher};
use crate::files::progress::TransferProgress;
use crate::files::remote::host::Remote;
use crate::files::remote::paths::about;
use crate::files::remote::search::Search;
use crate::model::outcome::{Exit, Failure, Kind};
use crate::ssh::pipe::{LAST_WORDS, Pipe};
use crate::ssh::sftp::wire::{OpenFlags, Reply, SftpRequest, status};
use crate::ssh::sftp::{Pending, Sftp, SftpError};
use crate::ssh::{ExecEvent, Session};

/// Bytes on their way, at most: more than a long line holds makes OpenSSH's server slow, which copies what waits in it.
const MOST: usize = 4 * 1024 * 1024;

/// How often a content is asked for whose command's end is not told; half of them with nothing else beside it.
const TIMES: usize = 6;

/// Contents up to this size come as the output of a job of the shell, without a command of their own; in bytes.
const SMALL: u64 = 256 * 1024;

/// Output of a login before the content, in bytes.
const MAX_NOISE: usize = 64 * 1024;

/// How long nothing may come of a content whose command has exited.
const ON_ITS_WAY: Duration = Duration::from_secs(60);

/// A file that is to come.
#[derive(Clone, Copy, Debug)]
pub(in crate::files) struct Expected<'a> {
    /// Where it is.
    pub(in crate::files) path: &'a [u8],
    /// Its size in bytes.
    pub(in crate::files) size: u64,
    /// Bytes that may be on their way.
    pub(in crate::files) in_flight: usize,
}

/// Receives a file; each piece is handed to `write` with its offset, in order. Gives the SHA-256 of what came.
///
/// # Errors
///
/// What came is not exactly as many bytes as expected, or cannot be written; nothing of it is to be used then.
pub(in crate::files) async fn receive<S, W>(
    remote: &Remote<S>,
    expected: &Expected<'_>,
    write: Arc<W>,
    progress: &TransferProgress,
) -> Result<Digest, Failure>
where
    S: Session,
    W: Fn(&[u8], u64) -> io::Result<()> + Send + Sync + 'static,
{
    let begin =
        || Intake { write: Arc::clone(&write), hasher: Hasher::default(), at: 0, busy: None, progress };
    let mut intake = begin();
    if let Some(sftp) = remote.sftp() {
        by_sftp(sftp, expected, &mut intake).await?;
        return intake.finish().await;
    }
    if expected.size <= SMALL {
        // Dropbear 2022 may end the connection when several commands end together: the shell is one that goes on.
        let data = remote.output_of_reading(expected.path).await?;
        let what = about("read", expected.path);
        let came = u64::try_from(data.len()).unwrap_or(u64::MAX);
        match came.cmp(&expected.size) {
            Ordering::Greater => return Err(ReceiveStop::Longer.into_failure(&what, expected)),
            Ordering::Less => return Err(ReceiveStop::Shorter(came).into_failure(&what, expected)),
            Ordering::Equal => {}
        }
        if !data.is_empty() {
            intake.take(data).await?;
        }
        return intake.finish().await;
    }
    // How a command ended is lost by some servers when many end at once. Nothing is changed by reading, so that it is
    // done again, and in the end with nothing else beside it.
    for time in 0..TIMES {
        let _turn = remote.turn(time >= TIMES / 2).await;
        if by_command(remote, expected, &mut intake).await? == ReceiveTold::Whole {
            return intake.finish().await;
        }
        intake.settle().await?;
        intake = begin();
    }
    let what = about("read", expected.path);
    let message = format!("{what}: the server did not report how its command ended, {TIMES} times");
    Err(Failure::new(Kind::VerifyFailed, message).hint("run it again: nothing was kept"))
}

/// Whether the server told how the command ended that sent a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReceiveTold {
    /// In good order, and all of the content came.
    Whole,
    Nothing,
}

/// What has come: hashed and written while more comes.
struct Intake<'a, W> {
    write: Arc<W>,
    hasher: Hasher,
    at: u64,
    busy: Option<tokio::task::JoinHandle<io::Result<Hasher>>>,
    progress: &'a TransferProgress,
}

impl<W: Fn(&[u8], u64) -> io::Result<()> + Send + Sync + 'static> Intake<'_, W> {
    async fn take(&mut self, data: Bytes) -> Result<(), Failure> {
        self.settle().await?;
        let (write, at) = (Arc::clone(&self.write), self.at);
        let mut hasher = std::mem::take(&mut self.hasher);
        let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.at += size;
        self.progress.moved(size);
        self.busy = Some(tokio::task::spawn_blocking(move || {
            write(&data, at)?;
            hasher.update(&data);
            Ok(hasher)
        }));
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        let Some(busy) = self.busy.take() else { return Ok(()) };
        let written = busy.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        self.hasher = written.map_err(|error| {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Failure::new(Kind::LocalIo, format!("{error}{cause}"))
        })?;
        Ok(())
    }

    async fn finish(mut self) -> Result<Digest, Failure> {
        self.settle().await?;
        let hasher = self.hasher;
        blocking(move || Ok(hasher.finish())).await
    }
}

async fn by_sftp<W>(sftp: &Sftp, expected: &Expected<'_>, intake: &mut Intake<'_, W>) -> Result<(), Failure>
where
    W: Fn(&[u8], u64) -> io::Result<()> + Send + Sync + 'static,
{
    let what = about("read", expected.path);
    let failed = |error: SftpError| error.about(&what);
    let handle = sftp.open(expected.path, OpenFlags::READ, None).await.map_err(failed)?;
    let step = sftp.limits().await.read;
    let mut coming = FuturesOrdered::new();
    let most = expected.in_flight.min(MOST);
    let (mut asked, mut in_flight) = (0, 0);
    let mut last = None;
    loop {
        while asked < expected.size && (in_flight == 0 || in_flight + step as usize <= most) {
            let length = u32::try_from(expected.size - asked).unwrap_or(u32::MAX).min(step);
            let piece = ReceivedPiece { handle: &handle, offset: asked, length };
            let first = piece.ask(sftp, 0).await.map_err(failed)?;
            coming.push_back(piece.collect(sftp, first));
            asked += u64::from(length);
            in_flight += length as usize;
        }
        if asked == expected.size && last.is_none() {
            // Whether it ends where it was said to end is asked in the same breath.
            let behind = ReceivedPiece { handle: &handle, offset: expected.size, length: 1 };
            last = Some(behind.ask(sftp, 0).await.map_err(failed)?);
        }
        let Some(piece) = coming.next().await else { break };
        let piece = piece.map_err(|stop| stop.into_failure(&what, expected))?;
        in_flight -= piece.len();
        intake.take(piece).await?;
    }
    drop(coming);
    let closing = sftp.ask(SftpRequest::Close { handle: handle.clone() }).await.map_err(failed)?;
    if let Some(last) = last {
        match last.reply().await {
            Err(SftpError::Status { code: status::EOF, .. }) => {}
            Ok(Reply::Data(_)) => return Err(ReceiveStop::Longer.into_failure(&what, expected)),
            Ok(_) => {
                return Err(Failure::new(Kind::Protocol, format!("{what}: the server answers with no data")));
            }
            Err(error) => return Err(failed(error)),
        }
    }
    closing.done().await.map_err(failed)
}

/// A part of the file that was asked for in one request.
#[derive(Clone, Copy)]
struct ReceivedPiece<'a> {
    handle: &'a Bytes,
    offset: u64,
    length: u32,
}

/// Why a file is not what it was said to be.
enum ReceiveStop {
    Host(SftpError),
    Shorter(u64),
    Longer,
    Nothing(u64),
}

impl ReceiveStop {
    fn into_failure(self, what: &str, expected: &Expected<'_>) -> Failure {
        let size = expected.size;
        let why = match self {
            Self::Host(error) => return error.about(what),
            Self::Shorter(at) => format!("it ends after {at} of {size} bytes"),
            Self::Longer => format!("it continues after {size} bytes"),
            Self::Nothing(at) => format!("the server sends nothing after {at} of {size} bytes"),
        };
        let failure = Failure::new(Kind::VerifyFailed, format!("{what}: {why}"));
        failure.hint("it changed while it was being read, or the server lies; nothing was kept")
    }
}

impl ReceivedPiece<'_> {
    async fn ask(&self, sftp: &Sftp, have: u32) -> Result<Pending, SftpError> {
        let (handle, offset) = (self.handle.clone(), self.offset + u64::from(have));
        sftp.ask(SftpRequest::Read { handle, offset, length: self.length - have }).await
    }

    /// All bytes of it, asked for again where the server sent less.
    async fn collect(self, sftp: &Sftp, first: Pending) -> Result<Bytes, ReceiveStop> {
        let mut pending = first;
        let mut parts: Vec<Bytes> = Vec::new();
        let mut have = 0;
        loop {
            let data = match pending.reply().await {
                Ok(Reply::Data(data)) => data,
                Err(SftpError::Status { code: status::EOF, .. }) => {
                    return Err(ReceiveStop::Shorter(self.offset + u64::from(have)));
                }
                Ok(_) => {
                    return Err(ReceiveStop::Host(SftpError::Protocol("it answers with no data".to_owned())));
                }
                Err(error) => return Err(ReceiveStop::Host(error)),
            };
            let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
            if size == 0 {
                return Err(ReceiveStop::Nothing(self.offset + u64::from(have)));
            }
            if size > self.length - have {
                let answer = format!("{size} bytes where {} were asked for", self.length - have);
                return Err(ReceiveStop::Host(SftpError::Protocol(answer)));
            }
            have += size;
            if have == self.length && parts.is_empty() {
                return Ok(data);
            }
            parts.push(data);
            if have == self.length {
                return Ok(Bytes::from(parts.concat()));
            }
            pending = self.ask(sftp, have).await.map_err(ReceiveStop::Host)?;
        }
    }
}

/// Without SFTP: the output of `cat`, behind a line that nobody can guess.
async fn by_command<S, W>(
    remote: &Remote<S>,
    expected: &Expected<'_>,
    intake: &mut Intake<'_, W>,
) -> Result<ReceiveTold, Failure>
where
    S: Session,
    W: Fn(&[u8], u64) -> io::Result<()> + Send + Sync + 'static,
{
    let what = about("read", expected.path);
    let mark = format!("fan-{:032x}\n", rand::random::<u128>());
    let pipe = remote.reading(expected.path, mark.trim_end()).await;
    let Pipe { mut reader, writer } = pipe.map_err(|failure| failure.about(&*what))?;
    writer.end().await;
    let (mut begun, mut before, mut said, mut status) = (false, Vec::new(), Vec::new(), None);
    let mut search = Search::new(mark);
    loop {
        // Every byte of the file comes from a command that has exited; only what is still on its way is waited for.
        let patience = match &status {
            None => None,
            Some(Exit::Status(0)) if intake.at < expected.size => Some(ON_ITS_WAY),
            Some(_) => Some(LAST_WORDS),
        };
        let data = match reader.next_within(patience).await {
            ExecEvent::Stdout(data) => data,
            ExecEvent::Stderr(data) => {
                said.extend_from_slice(
                    data.get(..data.len().min(1000usize.saturating_sub(said.len()))).unwrap_or_default(),
                );
                continue;
            }
            ExecEvent::Exit(exit) => {
                status = Some(exit);
                continue;
            }
            ExecEvent::Closed => {
                writer.close().await;
                break;
            }
            ExecEvent::Lost(failure) => return Err(failure),
        };
        let data = if begun {
            data
        } else {
            before.extend_from_slice(&data);
            let Some((_, behind)) = search.find(&before) else {
                if before.len() > MAX_NOISE {
                    let message = format!("{what}: the login prints endlessly");
                    return Err(Failure::new(Kind::ExecRefused, message));
                }
                continue;
            };
            begun = true;
            Bytes::from(before.split_off(behind))
        };
        if intake.at + u64::try_from(data.len()).unwrap_or(u64::MAX) > expected.size {
            writer.close().await;
            return Err(ReceiveStop::Longer.into_failure(&what, expected));
        }
        if !data.is_empty() {
            intake.take(data).await?;
        }
    }
    if status.is_none() {
        return Ok(ReceiveTold::Nothing);
    }
    remote.ended(&what, status, &said)?;
    if intake.at == expected.size {
        Ok(ReceiveTold::Whole)
    } else {
        Err(ReceiveStop::Shorter(intake.at).into_failure(&what, expected))
    }
}
