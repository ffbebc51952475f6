//! What the commands of a run read, the same for every host: a file of this machine, or what comes down a pipe.
//!
//! A pipe can be read once, and hosts are not equally fast. So a thread keeps what comes in a private file without a
//! name, and each host reads that at its own pace: memory stays bounded, and nobody waits for a slow host. The thread
//! is at most [`AHEAD`] further than the furthest host, so that what no command reads is not taken in for ever.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use bytes::{Bytes, BytesMut};
use tokio::sync::watch;

use crate::model::outcome::{Failure, Kind};

/// How much more of a pipe is kept than any host has asked for.
const AHEAD: u64 = 8 * 1024 * 1024;

/// Bytes that are read at a time.
const PIECE: usize = 128 * 1024;

/// What the commands of a run read.
pub struct RunInput {
    file: Arc<File>,
    /// Where in the file it begins.
    start: u64,
    /// How it gets into the file, when it is not there from the beginning.
    spool: Option<Arc<InputSpool>>,
}

impl fmt::Debug for RunInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunInput").finish_non_exhaustive()
    }
}

/// A pipe on its way into a file.
struct InputSpool {
    /// Where it comes from, until someone wants it.
    source: Mutex<Option<Box<dyn Read + Send>>>,
    /// Where the file is, for messages.
    folder: PathBuf,
    arrived: watch::Sender<Arrived>,
    /// Up to where someone wants to have it; none when nobody wants any more of it.
    wanted: Mutex<Option<u64>>,
    wants: Condvar,
}

/// How much of it is in the file.
#[derive(Clone, Debug)]
enum Arrived {
    Some(u64),
    All(u64),
    /// So much, and there will be no more, for this reason.
    Broken(u64, Arc<str>),
}

impl Arrived {
    fn end(&self) -> u64 {
        match self {
            Self::Some(end) | Self::All(end) | Self::Broken(end, _) => *end,
        }
    }
}

impl RunInput {
    /// A plain file, from this position to its end.
    pub fn of_file(file: File, start: u64) -> Self {
        Self { file: Arc::new(file), start, spool: None }
    }

    /// What comes from a source that can be read once. Nothing of it is read before the first command wants it.
    ///
    /// # Errors
    ///
    /// There can be no file in the folder.
    pub fn spooled(source: impl Read + Send + 'static, folder: &Path) -> io::Result<Self> {
        let spool = InputSpool {
            source: Mutex::new(Some(Box::new(source))),
            folder: folder.to_owned(),
            arrived: watch::Sender::new(Arrived::Some(0)),
            wanted: Mutex::new(Some(0)),
            wants: Condvar::new(),
        };
        let file = Arc::new(tempfile::tempfile_in(folder)?);
        Ok(Self { file, start: 0, spool: Some(Arc::new(spool)) })
    }

    /// What follows these many bytes: some of it, and nothing at its end.
    ///
    /// # Errors
    ///
    /// It cannot be read, or not be kept.
    pub async fn after(&self, offset: u64) -> Result<Bytes, Failure> {
        let most = match &self.spool {
            None => PIECE,
            Some(spool) => {
                let there = spool.beyond(&self.file, offset).await?.saturating_sub(offset);
                usize::try_from(there).unwrap_or(PIECE).min(PIECE)
            }
        };
        if most == 0 {
            return Ok(Bytes::new());
        }
        let (file, at) = (Arc::clone(&self.file), self.start + offset);
        let read = tokio::task::spawn_blocking(move || {
            let mut data = BytesMut::zeroed(most);
            let read = file.read_at(&mut data, at)?;
            data.truncate(read);
            Ok::<_, io::Error>(data.freeze())
        });
        let read = read.await.unwrap_or_else(|_| Err(io::Error::other("the reading was given up")));
        read.map_err(|error| broken(&format!("cannot read the input: {error}")))
    }

    /// Whether there is more behind these many bytes, as far as that is known.
    pub fn goes_beyond(&self, offset: u64) -> bool {
        match &self.spool {
            None => self.file.metadata().is_ok_and(|file| file.len() > self.start + offset),
            Some(spool) => spool.arrived.borrow().end() > offset,
        }
    }
}

impl Drop for RunInput {
    fn drop(&mut self) {
        if let Some(spool) = &self.spool {
            *spool.wanted() = None;
            spool.wants.notify_all();
        }
    }
}

impl InputSpool {
    /// How far it goes, once that is further than this, or it is all.
    async fn beyond(self: &Arc<Self>, file: &Arc<File>, offset: u64) -> Result<u64, Failure> {
        if let Some(wanted) = &mut *self.wanted() {
            *wanted = (*wanted).max(offset + AHEAD);
        }
        self.wants.notify_all();
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(source) = source {
            let (spool, file) = (Arc::clone(self), Arc::clone(file));
            let thread = thread::Builder::new().name("input".to_owned());
            let started = thread.spawn(move || spool.fill(source, &file));
            started.map_err(|error| broken(&format!("cannot start a thread: {error}")))?;
        }
        let mut arrived = self.arrived.subscribe();
        let arrived = arrived
            .wait_for(|arrived| arrived.end() > offset || !matches!(arrived, Arrived::Some(_)))
            .await
            .expect("the sender is in self");
        match &*arrived {
            Arrived::Broken(end, why) if *end <= offset => Err(broken(why)),
            other => Ok(other.end()),
        }
    }

    fn wanted(&self) -> std::sync::MutexGuard<'_, Option<u64>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until more than this is wanted; false when nothing is any more.
    fn is_wanted(&self, arrived: u64) -> bool {
        let wait = self.wants.wait_while(self.wanted(), |wanted| wanted.is_some_and(|to| to <= arrived));
        wait.unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Keeps what comes, to its end.
    fn fill(&self, mut source: Box<dyn Read + Send>, file: &File) {
        let mut buffer = vec![0; PIECE];
        let mut end = 0;
        while self.is_wanted(end) {
            let data = match source.read(&mut buffer) {
                Ok(read) => buffer.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    let why = format!("cannot read the input: {error}");
                    self.arrived.send_replace(Arrived::Broken(end, why.into()));
                    return;
                }
            };
            if data.is_empty() {
                self.arrived.send_replace(Arrived::All(end));
                return;
            }
            if let Err(error) = file.write_all_at(data, end) {
                let folder = self.folder.display();
                let why = format!("cannot keep the input in {folder}: {error}");
                self.arrived.send_replace(Arrived::Broken(end, why.into()));
                return;
            }
            end += data.len() as u64;
            self.arrived.send_replace(Arrived::Some(end));
        }
    }
}

fn broken(why: &str) -> Failure {
    Failure::new(Kind::LocalIo, why)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    async fn whole(input: &RunInput) -> Result<Vec<u8>, Failure> {
        let mut all = Vec::new();
        loop {
            let data = input.after(all.len() as u64).await?;
            if data.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(&data);
        }
    }

    fn spooled(source: impl Read + Send + 'static) -> (RunInput, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (RunInput::spooled(source, folder.path()).unwrap(), folder)
    }

    #[tokio::test]
    async fn a_file_is_read_from_where_it_stands() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"read before\nthe rest\n").unwrap();
        let input = RunInput::of_file(file, 12);
        assert_eq!(whole(&input).await.unwrap(), b"the rest\n");
        assert!(input.goes_beyond(8) && !input.goes_beyond(9));
    }

    #[tokio::test]
    async fn a_pipe_is_there_for_everybody_from_its_beginning() {
        let data: Vec<u8> = (0..5 * PIECE + 17).map(|at| (at % 251) as u8).collect();
        let (input, folder) = spooled(io::Cursor::new(data.clone()));
        assert!(!input.goes_beyond(0), "nobody asked yet");
        for _ in 0..3 {
            assert_eq!(whole(&input).await.unwrap(), data);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
        assert!(!input.goes_beyond(data.len() as u64));
    }

    /// Counts what was read of an endless source.
    struct Endless(Arc<Mutex<u64>>);

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            *self.0.lock().unwrap() += buffer.len() as u64;
            Ok(buffer.len())
        }
    }

    #[tokio::test]
    async fn what_nobody_reads_is_not_taken_in() {
        let read = Arc::new(Mutex::new(0));
        let (input, _folder) = spooled(Endless(Arc::clone(&read)));
        let mut at = 0;
        while at < 3 * AHEAD {
            at += input.after(at).await.unwrap().len() as u64;
            let most = at + AHEAD + 2 * PIECE as u64;
            assert!(*read.lock().unwrap() <= most, "{} of {most}", read.lock().unwrap());
        }
    }

    #[tokio::test]
    async fn a_host_waits_for_what_is_still_to_come() {
        let (mut writer, reader) = UnixStream::pair().unwrap();
        let (input, _folder) = spooled(reader);
        let input = Arc::new(input);
        let reading = tokio::spawn({
            let input = Arc::clone(&input);
            async move { whole(&input).await }
        });
        writer.write_all(b"one ").unwrap();
        assert_eq!(input.after(0).await.unwrap().first(), Some(&b'o'));
        writer.write_all(b"two").unwrap();
        drop(writer);
        assert_eq!(reading.await.unwrap().unwrap(), b"one two");
    }

    /// Fails after some bytes.
    struct Breaks(bool);

    impl Read for Breaks {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(io::Error::other("the disk is on fire"));
            }
            buffer[..3].copy_from_slice(b"abc");
            Ok(3)
        }
    }

    #[tokio::test]
    async fn an_input_that_breaks_off_has_no_end() {
        let (input, _folder) = spooled(Breaks(false));
        assert_eq!(input.after(0).await.unwrap(), "abc");
        let failure = input.after(3).await.unwrap_err();
        assert_eq!(failure.message(), "cannot read the input: the disk is on fire");
    }
}
