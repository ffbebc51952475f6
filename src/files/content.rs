//! A content that goes to hosts: a file of this machine, or bytes at hand. One for all hosts: it is read and hashed
//! once as far as it goes, and blocks that other hosts are about to need are kept for them.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::OnceCell;

use crate::files::digest::{Digest, Hasher};
use crate::model::outcome::{Failure, Kind};

/// Bytes of a block: what OpenSSH takes in one WRITE.
pub const BLOCK: usize = 255 * 1024;

/// Blocks of a piece: what is hashed together, so that the host can count one piece while the next is on its way.
const PIECE_BLOCKS: usize = 64;

/// Bytes of a piece.
pub const PIECE: u64 = (BLOCK * PIECE_BLOCKS) as u64;

/// Bytes kept of a file that does not say how many it has.
const SIZELESS_MAX: u64 = 16 << 20;

/// Blocks kept for hosts that come after.
const KEPT: usize = 32;

/// A content that goes to hosts.
pub struct Content {
    name: PathBuf,
    origin: ContentOrigin,
    size: u64,
    mode: u32,
    state: Mutex<ContentState>,
    whole: OnceCell<Digest>,
    buffers: Arc<Buffers>,
}

enum ContentOrigin {
    File { file: File, changed: (i64, i64) },
    Memory(Bytes),
}

#[derive(Default)]
struct ContentState {
    /// Of the piece that is being read.
    hasher: Hasher,
    /// Bytes that hashers have had.
    hashed: u64,
    /// Blocks that came before their turn.
    early: BTreeMap<u64, Bytes>,
    /// The digests of the pieces so far.
    pieces: Vec<Digest>,
    /// Blocks for hosts that come after; none when there is only one host.
    kept: VecDeque<(u64, Bytes)>,
    keeps: bool,
}

impl Content {
    /// Opens a regular file. `shared` when more than one host gets it.
    ///
    /// # Errors
    ///
    /// It cannot be opened, is no regular file, or has more than it says and can be kept.
    pub fn open(path: &Path, shared: bool) -> io::Result<Self> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let changed = (meta.mtime(), meta.mtime_nsec());
        let state = ContentState { keeps: shared, ..ContentState::default() };
        let mode = meta.mode() & 0o777;
        if let Some(data) = beyond_its_size(&file, meta.len())? {
            let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
            return Ok(Self::of(path, ContentOrigin::Memory(data), size, mode, state));
        }
        Ok(Self::of(path, ContentOrigin::File { file, changed }, meta.len(), mode, state))
    }

    /// Bytes at hand; `name` stands for them in messages.
    pub fn of_bytes(name: &Path, data: impl Into<Bytes>, mode: u32) -> Self {
        let data = data.into();
        let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
        Self::of(name, ContentOrigin::Memory(data), size, mode, ContentState::default())
    }

    fn of(name: &Path, origin: ContentOrigin, size: u64, mode: u32, state: ContentState) -> Self {
        Self {
            name: name.to_owned(),
            origin,
            size,
            mode,
            state: Mutex::new(state),
            whole: OnceCell::new(),
            buffers: Arc::default(),
        }
    }

    /// What it is called in messages.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its permission bits, at most `0o777`.
    pub fn mode(&self) -> u32 {
        self.mode
    }

    /// How many pieces it has; an empty one has one, too.
    pub fn pieces(&self) -> usize {
        usize::try_from(self.size.div_ceil(PIECE)).unwrap_or(usize::MAX).max(1)
    }

    /// The bytes from an offset on that is a multiple of [`BLOCK`]: a block, or less at the end.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is no longer what it was.
    pub async fn block(self: &Arc<Self>, offset: u64) -> Result<Bytes, Failure> {
        let kept = self.lock().kept.iter().find(|(at, _)| *at == offset).map(|(_, block)| block.clone());
        if let Some(block) = kept {
            return Ok(block);
        }
        // What is in memory is read at once: handing it to another thread would cost more.
        if let Some(block) = self.load_at_once(offset)? {
            self.note(offset, &block);
            return Ok(block);
        }
        let this = Arc::clone(self);
        blocking(move || this.read(offset)).await
    }

    /// The SHA-256 of it all.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is no longer what it was.
    pub async fn digest(self: &Arc<Self>) -> Result<Digest, Failure> {
        if self.pieces() == 1 {
            return self.piece(0).await;
        }
        self.whole.get_or_try_init(|| self.digest_of_first(self.size)).await.copied()
    }

    /// The SHA-256 of a piece, by number; what was not read yet is read now.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is no longer what it was.
    pub async fn piece(self: &Arc<Self>, number: usize) -> Result<Digest, Failure> {
        if let Some(digest) = self.lock().pieces.get(number) {
            return Ok(*digest);
        }
        let this = Arc::clone(self);
        blocking(move || {
            loop {
                let next = {
                    let mut state = this.lock();
                    state.turn_pages(this.size);
                    if let Some(digest) = state.pieces.get(number) {
                        return Ok(*digest);
                    }
                    state.hashed
                };
                this.read(next)?;
            }
        })
        .await
    }

    /// The SHA-256 of its first bytes.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is no longer what it was.
    pub async fn digest_of_first(self: &Arc<Self>, length: u64) -> Result<Digest, Failure> {
        let this = Arc::clone(self);
        blocking(move || {
            let mut hasher = Hasher::default();
            let mut at = 0;
            while at < length {
                let block = this.load(at)?;
                let wanted = usize::try_from(length - at).unwrap_or(usize::MAX).min(block.len());
                hasher.update(block.get(..wanted).unwrap_or_default());
                at += u64::try_from(wanted).unwrap_or(u64::MAX);
            }
            Ok(hasher.finish())
        })
        .await
    }

    /// Sees that it did not change while it was read.
    ///
    /// # Errors
    ///
    /// It did, or cannot be looked at any more.
    pub fn unchanged(&self) -> Result<(), Failure> {
        let ContentOrigin::File { file, changed } = &self.origin else { return Ok(()) };
        let meta = file.metadata().map_err(|error| self.unreadable(&error))?;
        let same = meta.len() == self.size && (meta.mtime(), meta.mtime_nsec()) == *changed;
        let more = file.read_at(&mut [0], self.size).map_err(|error| self.unreadable(&error))?;
        if same && more == 0 { Ok(()) } else { Err(self.changed()) }
    }

    /// Reads a block and hashes it in its turn.
    fn read(&self, offset: u64) -> Result<Bytes, Failure> {
        let block = self.load(offset)?;
        self.note(offset, &block);
        Ok(block)
    }

    /// Keeps a block that was read as long as it is needed: for its turn at the hasher, and for other hosts.
    fn note(&self, offset: u64, block: &Bytes) {
        let mut state = self.lock();
        if state.keeps {
            if state.kept.len() >= KEPT {
                state.kept.pop_front();
            }
            state.kept.push_back((offset, block.clone()));
        }
        if offset >= state.hashed {
            state.early.insert(offset, block.clone());
            state.turn_pages(self.size);
        }
    }

    /// A block that waits for no disk; none when it would.
    fn load_at_once(&self, offset: u64) -> Result<Option<Bytes>, Failure> {
        let ContentOrigin::File { file, .. } = &self.origin else { return self.load(offset).map(Some) };
        let mut buffer = self.buffers.lend(self.length_at(offset));
        match read_at_once(file, buffer.space(), offset) {
            Ok(true) => Ok(Some(Bytes::from_owner(buffer))),
            Ok(false) => Ok(None),
            Err(error) => Err(self.unreadable(&error)),
        }
    }

    fn load(&self, offset: u64) -> Result<Bytes, Failure> {
        let length = self.length_at(offset);
        match &self.origin {
            ContentOrigin::Memory(data) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
                Ok(data.slice(from..from + length))
            }
            ContentOrigin::File { file, .. } => {
                let mut buffer = self.buffers.lend(length);
                match file.read_exact_at(buffer.space(), offset) {
                    Ok(()) => Ok(Bytes::from_owner(buffer)),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.changed()),
                    Err(error) => Err(self.unreadable(&error)),
                }
            }
        }
    }

    fn length_at(&self, offset: u64) -> usize {
        usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX).min(BLOCK)
    }

    fn lock(&self) -> MutexGuard<'_, ContentState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) -> Failure {
        let name = self.name.display();
        Failure::new(Kind::LocalIo, format!("{name} changed while it was being read"))
            .hint("send it again when nothing is writing to it")
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        Failure::new(Kind::LocalIo, format!("cannot read {}: {error}", self.name.display()))
    }
}

/// All of a file that says that it is empty and is not, as those of `/proc` are.
///
/// Other files are what their size says: a file that is written to is noticed once it was sent.
fn beyond_its_size(file: &File, size: u64) -> io::Result<Option<Bytes>> {
    if size > 0 {
        return Ok(None);
    }
    let mut data = Vec::new();
    file.take(SIZELESS_MAX + 1).read_to_end(&mut data)?;
    if u64::try_from(data.len()).unwrap_or(u64::MAX) > SIZELESS_MAX {
        let message = format!("it says that it is empty, and has more than {} MiB", SIZELESS_MAX >> 20);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok((!data.is_empty()).then(|| Bytes::from(data)))
}

impl ContentState {
    /// Hashes what has come in its turn, and closes pieces that are whole.
    fn turn_pages(&mut self, size: u64) {
        loop {
            let whole = self.hashed == size || (self.hashed > 0 && self.hashed.is_multiple_of(PIECE));
            let closed = u64::try_from(self.pieces.len()).unwrap_or(u64::MAX).saturating_mul(PIECE);
            if whole && (self.hashed > closed || self.pieces.is_empty()) {
                self.pieces.push(std::mem::take(&mut self.hasher).finish());
            }
            let Some(next) = self.early.remove(&self.hashed) else { return };
            if next.is_empty() {
                return;
            }
            self.hasher.update(&next);
            self.hashed += u64::try_from(next.len()).unwrap_or(u64::MAX);
        }
    }
}

/// Fills a buffer from a file when that waits for no disk; false when it would, and for a file that has become
/// shorter.
#[cfg(target_os = "linux")]
fn read_at_once(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    use rustix::io::{Errno, ReadWriteFlags};
    let wanted = buffer.len();
    match rustix::io::preadv2(file, &mut [io::IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT) {
        Ok(read) => Ok(read == wanted),
        // Not in memory, or a file system that cannot tell.
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Elsewhere nobody tells whether a disk is waited for.
#[cfg(not(target_os = "linux"))]
fn read_at_once(_: &File, _: &mut [u8], _: u64) -> io::Result<bool> {
    Ok(false)
}

/// Buffers that are used again and again: new memory for each block would cost as much as its encryption.
#[derive(Default)]
struct Buffers(Mutex<Vec<Vec<u8>>>);

/// A buffer on loan; it goes back when nobody needs it any more.
struct Lent {
    data: Vec<u8>,
    home: Arc<Buffers>,
}

impl Buffers {
    fn lend(self: &Arc<Self>, length: usize) -> Lent {
        let mut data = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        data.resize(length, 0);
        Lent { data, home: Arc::clone(self) }
    }
}

impl Lent {
    fn space(&mut self) -> &mut [u8] {
        &mut self.data
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut buffers = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.len() < KEPT {
            buffers.push(std::mem::take(&mut self.data));
        }
    }
}

/// Runs work that may wait for a disk, away from the threads that serve connections.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Failure::new(Kind::Internal, format!("work on a local file failed: {error}")))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn pattern(size: usize) -> Vec<u8> {
        (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    fn file(data: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(data).unwrap();
        file
    }

    /// Files of `/proc` say that they are empty.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_says_that_it_is_empty_is_read_all_the_same() {
        let there = std::fs::read("/proc/version").unwrap();
        assert_eq!(std::fs::metadata("/proc/version").unwrap().len(), 0);
        let content = Arc::new(Content::open(Path::new("/proc/version"), true).unwrap());
        assert_eq!(content.size(), u64::try_from(there.len()).unwrap());
        assert_eq!(content.block(0).await.unwrap(), there);
        let mut hasher = Hasher::default();
        hasher.update(&there);
        assert_eq!(content.digest().await.unwrap(), hasher.finish());
        content.unchanged().unwrap();
        let empty = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(Content::open(empty.path(), false).unwrap().size(), 0);
    }

    #[tokio::test]
    async fn blocks_in_any_order_make_one_digest() {
        let data = pattern(3 * BLOCK + 17);
        let file = file(&data);
        let block = u64::try_from(BLOCK).unwrap();
        for (shared, order) in [(false, [2, 0, 3, 1]), (true, [0, 1, 2, 3]), (true, [3, 3, 0, 0])] {
            let content = Arc::new(Content::open(file.path(), shared).unwrap());
            for index in order {
                let at = index * BLOCK;
                let got = content.block(index as u64 * block).await.unwrap();
                assert_eq!(got, data[at..(at + BLOCK).min(data.len())]);
            }
            assert_eq!(content.digest().await.unwrap(), Digest::of(&data));
            assert_eq!(content.digest_of_first(block + 5).await.unwrap(), Digest::of(&data[..BLOCK + 5]));
            content.unchanged().unwrap();
        }
    }

    #[tokio::test]
    async fn pieces_are_hashed_on_their_own() {
        let piece = usize::try_from(PIECE).unwrap();
        let data = pattern(2 * piece + 5);
        let file = file(&data);
        let content = Arc::new(Content::open(file.path(), false).unwrap());
        assert_eq!(content.pieces(), 3);
        // The first two in no order, the rest when it is asked for.
        for offset in [1, 0, 3, 2] {
            content.block(offset * BLOCK as u64).await.unwrap();
        }
        for (number, part) in data.chunks(piece).enumerate() {
            assert_eq!(content.piece(number).await.unwrap(), Digest::of(part));
        }
        assert_eq!(content.digest().await.unwrap(), Digest::of(&data));
    }

    #[tokio::test]
    async fn empty_and_small_contents() {
        for data in [&b""[..], b"x"] {
            let file = file(data);
            let content = Arc::new(Content::open(file.path(), false).unwrap());
            assert_eq!(content.digest().await.unwrap(), Digest::of(data));
            let memory = Arc::new(Content::of_bytes(Path::new("m"), Bytes::copy_from_slice(data), 0o644));
            assert_eq!(memory.digest().await.unwrap(), Digest::of(data));
            assert_eq!(memory.block(0).await.unwrap(), data);
        }
    }

    #[tokio::test]
    async fn a_file_that_shrinks_or_grows_is_noticed() {
        let shrinks = file(&pattern(BLOCK + 1));
        let content = Arc::new(Content::open(shrinks.path(), false).unwrap());
        shrinks.as_file().set_len(10).unwrap();
        assert_eq!(content.digest().await.unwrap_err().kind, Kind::LocalIo);

        let mut grows = file(b"abc");
        let content = Arc::new(Content::open(grows.path(), false).unwrap());
        content.digest().await.unwrap();
        grows.write_all(b"d").unwrap();
        assert!(content.unchanged().unwrap_err().message().contains("changed while it was being read"));
    }

    #[test]
    fn folders_are_no_content() {
        assert!(Content::open(Path::new("/"), false).is_err());
    }
}
