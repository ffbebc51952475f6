//! A client of SFTP: requests on their way, and the answers to them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{OnceCell, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::{debug, trace};

use crate::model::outcome::{Failure, Kind};
use crate::ssh::command::ExecEvent;
use crate::ssh::pipe::{Pipe, PipeReader, PipeWriter};
use crate::ssh::sftp::error::SftpError;
use crate::ssh::sftp::wire;
use crate::ssh::sftp::wire::{
    Attrs, MAX_PACKET, Malformed, NameEntry, OpenFlags, Packets, Reply, SftpRequest, init, put_string,
    read_version, status, take_u64,
};

/// A request may wait so long for its turn and its reply while nothing else moves.
const STALL: Duration = Duration::from_secs(30);

/// Requests that may wait to be written.
const QUEUE: usize = 256;

/// Data that is copied behind its request; more is sent from where it is.
const SMALL: usize = 8 * 1024;

/// Small requests go together up to this size, which fits into one packet of SSH.
const TOGETHER: usize = 24 * 1024;

/// Data in one request that every server takes (section 3 of the draft speaks of 32768).
const SAFE_DATA: u32 = 32 * 1024;

/// Files open at a time that every server takes.
const SAFE_HANDLES: usize = 100;

/// Data in one request that OpenSSH takes: a packet less 1 KiB (sftp-client.c).
const MAX_DATA: u32 = 255 * 1024;

/// Text of a noisy login that is quoted, in bytes.
const MAX_NOISE: usize = 80;

/// What an SFTP server can do beyond version 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// `posix-rename@openssh.com`: rename in place of what is there.
    pub posix_rename: bool,
    /// `fsync@openssh.com`.
    pub fsync: bool,
    /// `lsetstat@openssh.com`: attributes of links.
    pub lsetstat: bool,
    /// `limits@openssh.com`.
    pub limits: bool,
}

/// How much a server takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SftpLimits {
    /// Bytes of one READ.
    pub read: u32,
    /// Bytes of one WRITE.
    pub write: u32,
    /// Files open at a time.
    pub handles: usize,
}

/// A client of one SFTP server. All methods take `&self`: many requests may be under way.
pub struct Sftp {
    queue: mpsc::Sender<[Bytes; 2]>,
    shared: Arc<SftpShared>,
    reading: AbortHandle,
    extensions: Extensions,
    /// The answer to the question for them, until it is needed.
    asked_limits: tokio::sync::Mutex<Option<Pending>>,
    limits: OnceCell<SftpLimits>,
}

/// A reply that is on its way.
pub struct Pending {
    id: u32,
    answer: oneshot::Receiver<Result<Reply, SftpError>>,
    shared: Arc<SftpShared>,
}

struct SftpShared {
    state: Mutex<SftpState>,
    started: Instant,
    /// Milliseconds from `started` to the last sign of life: a packet written, bytes that came.
    moved: AtomicU64,
}

struct SftpState {
    next: u32,
    waiting: HashMap<u32, oneshot::Sender<Result<Reply, SftpError>>>,
    /// Set when nothing more can be asked.
    end: Option<SftpError>,
}

impl SftpShared {
    fn lock(&self) -> std::sync::MutexGuard<'_, SftpState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moves(&self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(now, Ordering::Relaxed);
    }

    fn still(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.moved.load(Ordering::Relaxed)))
    }

    /// Tells everyone that nothing more will come.
    fn finish(&self, end: &SftpError) {
        let mut state = self.lock();
        state.end.get_or_insert_with(|| end.clone());
        for (_, waiting) in state.waiting.drain() {
            let _ = waiting.send(Err(end.clone()));
        }
    }
}

impl Sftp {
    /// Greets the server at the other end of a pipe.
    ///
    /// # Errors
    ///
    /// It does not greet back as an SFTP server.
    pub async fn start(pipe: Pipe) -> Result<Self, SftpError> {
        let Pipe { mut reader, writer } = pipe;
        let mut packets = Packets::default();
        // A server lets nothing be sent before it has started its program, and never does when it refuses to.
        let greeting = async {
            let gone = |_| gone(Failure::new(Kind::ConnectionLost, "the SFTP server is gone"));
            let hello = async { writer.send(init()).await.map_err(gone) };
            futures::try_join!(hello, greeted(&mut reader, &mut packets)).map(|((), extensions)| extensions)
        };
        let extensions = tokio::time::timeout(STALL, greeting)
            .await
            .unwrap_or(Err(SftpError::Stalled(STALL.as_secs())))?;

        let shared = Arc::new(SftpShared {
            state: Mutex::new(SftpState { next: 0, waiting: HashMap::new(), end: None }),
            started: Instant::now(),
            moved: AtomicU64::new(0),
        });
        let (queue, requests) = mpsc::channel(QUEUE);
        tokio::spawn(write(writer, requests, Arc::clone(&shared)));
        let reading = tokio::spawn(read(reader, packets, Arc::clone(&shared))).abort_handle();
        let sftp = Self {
            queue,
            shared,
            reading,
            extensions,
            asked_limits: tokio::sync::Mutex::default(),
            limits: OnceCell::new(),
        };
        debug!("SFTP has begun: {extensions:?}");
        if extensions.limits {
            // Not waited for: only large files need to know.
            *sftp.asked_limits.lock().await = Some(sftp.ask(extended("limits@openssh.com", &[])).await?);
        }
        Ok(sftp)
    }

    /// What the server can do beyond version 3.
    pub fn extensions(&self) -> Extensions {
        self.extensions
    }

    /// How much the server takes at a time. A server that does not tell takes what all do.
    pub async fn limits(&self) -> SftpLimits {
        let safe = SftpLimits { read: SAFE_DATA, write: SAFE_DATA, handles: SAFE_HANDLES };
        let told = self.limits.get_or_init(|| async {
            let Some(pending) = self.asked_limits.lock().await.take() else { return safe };
            match pending.reply().await {
                Ok(Reply::Extended(fields)) => read_limits(fields).unwrap_or(safe),
                // A connection that is gone shows in the next request.
                Ok(_) | Err(_) => safe,
            }
        });
        *told.await
    }

    /// Sends a request; its reply is waited for apart, so that many can be under way.
    ///
    /// # Errors
    ///
    /// The server is gone.
    pub async fn ask(&self, request: SftpRequest) -> Result<Pending, SftpError> {
        // Room first: what is registered is sent.
        let room = tokio::select! {
            biased;
            room = self.queue.reserve() => room,
            () = stalled(&self.shared) => return Err(SftpError::Stalled(STALL.as_secs())),
        };
        let (sender, answer) = oneshot::channel();
        let id = {
            let mut state = self.shared.lock();
            if let Some(end) = &state.end {
                return Err(end.clone());
            }
            let id = state.next;
            state.next = state.next.wrapping_add(1);
            state.waiting.insert(id, sender);
            id
        };
        // A file is thousands of these.
        if matches!(
            request,
            SftpRequest::Read { .. } | SftpRequest::Write { .. } | SftpRequest::Readdir { .. }
        ) {
            trace!("SFTP {id}: {request}");
        } else {
            debug!("SFTP {id}: {request}");
        }
        match room {
            Ok(room) => room.send([request.head(id), request.tail()]),
            Err(_) => {
                return Err(self
                    .shared
                    .lock()
                    .end
                    .clone()
                    .unwrap_or_else(|| gone(Failure::new(Kind::ConnectionLost, "the SFTP server is gone"))));
            }
        }
        Ok(Pending { id, answer, shared: Arc::clone(&self.shared) })
    }

    /// Opens a file.
    ///
    /// # Errors
    ///
    /// As all requests: the server says no, breaks the protocol, or is gone.
    pub async fn open(&self, path: &[u8], flags: OpenFlags, mode: Option<u32>) -> Result<Bytes, SftpError> {
        let attrs = Attrs { permissions: mode, ..Attrs::default() };
        self.ask(SftpRequest::Open { path: copy(path), flags, attrs }).await?.handle().await
    }

    /// Closes a file or folder.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]; what was written may not have been kept.
    pub async fn close(&self, handle: Bytes) -> Result<(), SftpError> {
        self.ask(SftpRequest::Close { handle }).await?.done().await
    }

    /// Attributes of what is at a path; links are followed when asked to. `None` when nothing is there.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub async fn look(&self, path: &[u8], follow: bool) -> Result<Option<Attrs>, SftpError> {
        let path = copy(path);
        let request = if follow { SftpRequest::Stat { path } } else { SftpRequest::Lstat { path } };
        match self.ask(request).await?.attrs().await {
            Ok(attrs) => Ok(Some(attrs)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The absolute form of a path.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub async fn realpath(&self, path: &[u8]) -> Result<Bytes, SftpError> {
        self.ask(SftpRequest::Realpath { path: copy(path) }).await?.path().await
    }

    /// Where a link points.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub async fn readlink(&self, path: &[u8]) -> Result<Bytes, SftpError> {
        self.ask(SftpRequest::Readlink { path: copy(path) }).await?.path().await
    }

    /// Asks for the next names of an open folder.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub async fn ask_readdir(&self, handle: &Bytes) -> Result<Pending, SftpError> {
        self.ask(SftpRequest::Readdir { handle: handle.clone() }).await
    }

    /// Makes data of an open file durable, where the server can; nothing is asked where it cannot.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub async fn ask_fsync(&self, handle: &Bytes) -> Result<Option<Pending>, SftpError> {
        if !self.extensions.fsync {
            return Ok(None);
        }
        self.ask(extended("fsync@openssh.com", &[handle])).await.map(Some)
    }

    /// Renames in place of what is there, as rename(2) does. Only with [`Extensions::posix_rename`].
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub async fn ask_posix_rename(&self, from: &[u8], to: &[u8]) -> Result<Pending, SftpError> {
        self.ask(extended("posix-rename@openssh.com", &[from, to])).await
    }
}

impl Drop for Sftp {
    fn drop(&mut self) {
        // The writer sees the end of its queue, and closes the channel.
        self.reading.abort();
    }
}

impl Pending {
    /// The reply; a status other than OK is an error.
    ///
    /// # Errors
    ///
    /// The server says no, breaks the protocol, or is gone.
    pub async fn reply(self) -> Result<Reply, SftpError> {
        let Self { id, answer, shared } = self;
        let answer = tokio::select! {
            biased;
            answer = answer => answer,
            () = stalled(&shared) => return Err(SftpError::Stalled(STALL.as_secs())),
        };
        let reply = answer.unwrap_or_else(|_| {
            let end = shared.lock().end.clone();
            Err(end.unwrap_or_else(|| gone(Failure::new(Kind::ConnectionLost, "the SFTP server is gone"))))
        })?;
        match reply {
            Reply::Status { code, message } if code != status::OK => {
                debug!("SFTP {id}: refused with status {code}: {}", String::from_utf8_lossy(&message));
                Err(SftpError::Status { code, message: String::from_utf8_lossy(&message).into_owned() })
            }
            reply => Ok(reply),
        }
    }

    /// The reply of a request that answers with success alone.
    ///
    /// # Errors
    ///
    /// As [`Self::reply`].
    pub async fn done(self) -> Result<(), SftpError> {
        match self.reply().await? {
            Reply::Status { .. } => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// The reply of a request that opens something.
    ///
    /// # Errors
    ///
    /// As [`Self::reply`].
    pub async fn handle(self) -> Result<Bytes, SftpError> {
        match self.reply().await? {
            // sftp-server(8) takes 256 bytes (draft section 4).
            Reply::Handle(handle) if handle.len() <= 256 => Ok(handle),
            other => Err(unexpected(&other)),
        }
    }

    /// The reply of a request for attributes.
    ///
    /// # Errors
    ///
    /// As [`Self::reply`].
    pub async fn attrs(self) -> Result<Attrs, SftpError> {
        match self.reply().await? {
            Reply::Attrs(attrs) => Ok(attrs),
            other => Err(unexpected(&other)),
        }
    }

    /// The reply of a request for names; `None` at the end of the folder.
    ///
    /// # Errors
    ///
    /// As [`Self::reply`].
    pub async fn names(self) -> Result<Option<Vec<NameEntry>>, SftpError> {
        match self.reply().await {
            Ok(Reply::Names(names)) => Ok(Some(names)),
            Ok(other) => Err(unexpected(&other)),
            Err(SftpError::Status { code: status::EOF, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The reply of a request for a path.
    ///
    /// # Errors
    ///
    /// As [`Self::reply`].
    pub async fn path(self) -> Result<Bytes, SftpError> {
        match self.reply().await? {
            Reply::Names(names) if names.len() == 1 => {
                Ok(names.into_iter().next().map(|entry| entry.name).unwrap_or_default())
            }
            other => Err(unexpected(&other)),
        }
    }
}

/// Waits for the server's first packet.
async fn greeted(reader: &mut PipeReader, packets: &mut Packets) -> Result<Extensions, SftpError> {
    let mut stderr = BytesMut::new();
    loop {
        match reader.next().await {
            ExecEvent::Stdout(data) => packets.push(&data),
            ExecEvent::Stderr(data) => {
                stderr.extend_from_slice(data.get(..MAX_NOISE.min(data.len())).unwrap_or_default());
            }
            ExecEvent::Exit(_) => {}
            ExecEvent::Closed => {
                // What a login shell says when its `Subsystem` is no program it can start.
                let said = String::from_utf8_lossy(&stderr).trim().to_owned();
                let why =
                    if said.is_empty() { "without a word".to_owned() } else { format!("with {said:?}") };
                let failure = Failure::new(Kind::SftpUnavailable, format!("the SFTP server ended {why}"));
                return Err(gone(failure));
            }
            ExecEvent::Lost(failure) => return Err(gone(failure)),
        }
        match packets.next() {
            Ok(None) => {}
            Ok(Some(packet)) => {
                let (version, names) = read_version(packet)?;
                if version < wire::VERSION {
                    return Err(SftpError::Protocol(format!("it speaks version {version}, not 3")));
                }
                let has = |name: &str| names.iter().any(|known| known.as_ref() == name.as_bytes());
                return Ok(Extensions {
                    posix_rename: has("posix-rename@openssh.com"),
                    fsync: has("fsync@openssh.com"),
                    lsetstat: has("lsetstat@openssh.com"),
                    limits: has("limits@openssh.com"),
                });
            }
            Err(first) => return Err(noisy(first, packets.rest())),
        }
    }
}

/// A length that is letters: the login shell printed something before the server began.
fn noisy(length: [u8; 4], rest: &[u8]) -> SftpError {
    let printable = length.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n' | 0x1b));
    if !printable {
        let length = u32::from_be_bytes(length);
        return SftpError::Protocol(format!("a packet of {length} bytes, and {MAX_PACKET} are the most"));
    }
    let line = rest.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line =
        String::from_utf8_lossy(line.get(..MAX_NOISE.min(line.len())).unwrap_or_default()).into_owned();
    gone(
        Failure::new(
            Kind::SftpUnavailable,
            format!("the login prints text where SFTP begins: {:?}", line.trim()),
        )
        .hint("let the shell's start-up files print only when it is interactive"),
    )
}

fn gone(failure: Failure) -> SftpError {
    SftpError::Ended(failure)
}

/// Writes requests whole, one after the other, until nobody can ask any more.
async fn write(writer: PipeWriter, mut requests: mpsc::Receiver<[Bytes; 2]>, shared: Arc<SftpShared>) {
    let mut small = BytesMut::new();
    while let Some(mut packet) = requests.recv().await {
        // Thousands of small requests would each cost both sides a packet of their own.
        loop {
            let [head, tail] = packet;
            small.extend_from_slice(&head);
            let large = tail.len() > SMALL;
            if !large {
                small.extend_from_slice(&tail);
            }
            if large || small.len() > TOGETHER {
                if writer.send(small.split().freeze()).await.is_err() {
                    return; // the reader tells why
                }
                if large && writer.send(tail).await.is_err() {
                    return;
                }
                shared.moves();
            }
            match requests.try_recv() {
                Ok(next) => packet = next,
                Err(_) => break,
            }
        }
        if !small.is_empty() && writer.send(small.split().freeze()).await.is_err() {
            return;
        }
        shared.moves();
    }
    writer.end().await;
    writer.close().await;
}

/// Hands each reply to whoever asked, until the server is gone.
async fn read(mut reader: PipeReader, mut packets: Packets, shared: Arc<SftpShared>) {
    let end = loop {
        match packets.next() {
            Ok(Some(packet)) => match deliver(packet, &shared) {
                Ok(()) => continue,
                Err(error) => break error,
            },
            Ok(None) => {}
            Err(length) => break noisy(length, packets.rest()),
        }
        match reader.next().await {
            ExecEvent::Stdout(data) => {
                shared.moves();
                packets.push(&data);
            }
            ExecEvent::Stderr(_) | ExecEvent::Exit(_) => {}
            ExecEvent::Closed => {
                break gone(Failure::new(Kind::ConnectionLost, "the SFTP server ended"));
            }
            ExecEvent::Lost(failure) => break gone(failure),
        }
    };
    debug!("SFTP has ended: {end}");
    shared.finish(&end);
    // Not to be left unread, whatever the server still has to say.
    while !matches!(reader.next().await, ExecEvent::Closed | ExecEvent::Lost(_)) {}
}

fn deliver(packet: Bytes, shared: &SftpShared) -> Result<(), SftpError> {
    let (id, reply) = Reply::read(packet)?;
    let waiting = shared.lock().waiting.remove(&id);
    match waiting {
        Some(waiting) => {
            // Whoever asked may have given up.
            let _ = waiting.send(Ok(reply));
            Ok(())
        }
        None => Err(SftpError::Protocol(format!("an answer to request {id}, which was never sent"))),
    }
}

/// Resolves when nothing has moved for [`STALL`].
async fn stalled(shared: &SftpShared) {
    // A request that begins after a long pause has all the time, too.
    let begun = Instant::now();
    loop {
        let still = shared.still().min(begun.elapsed());
        if still >= STALL {
            return;
        }
        tokio::time::sleep(STALL.saturating_sub(still)).await;
    }
}

/// `limits@openssh.com` (PROTOCOL section 4.8): 0 stands for no word about it.
fn read_limits(mut fields: Bytes) -> Result<SftpLimits, Malformed> {
    let _packet = take_u64(&mut fields)?;
    let mut data = || -> Result<u32, Malformed> {
        let most = take_u64(&mut fields)?;
        let said = if most == 0 { SAFE_DATA } else { u32::try_from(most).unwrap_or(MAX_DATA) };
        Ok(said.clamp(1024, MAX_DATA))
    };
    let (read, write) = (data()?, data()?);
    let handles = usize::try_from(take_u64(&mut fields)?).unwrap_or(usize::MAX);
    Ok(SftpLimits { read, write, handles: if handles == 0 { SAFE_HANDLES } else { handles } })
}

fn unexpected(reply: &Reply) -> SftpError {
    let what = match reply {
        Reply::Status { .. } => "a status",
        Reply::Handle(_) => "a handle",
        Reply::Data(_) => "data",
        Reply::Names(_) => "names",
        Reply::Attrs(_) => "attributes",
        Reply::Extended(_) => "an extension's fields",
    };
    SftpError::Protocol(format!("it answered with an unexpected {what}"))
}

fn copy(path: &[u8]) -> Bytes {
    Bytes::copy_from_slice(path)
}

fn extended(name: &'static str, strings: &[&[u8]]) -> SftpRequest {
    let mut fields = BytesMut::new();
    for text in strings {
        put_string(&mut fields, text);
    }
    SftpRequest::Extended { name: Bytes::from_static(name.as_bytes()), fields: fields.freeze() }
}
