//! Many files over SFTP: hundreds of requests are under way at a time, so that neither the round trip nor the server's
//! wait for one file costs the others.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, TryStreamExt};

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::files::content::{BLOCK, Content, blocking};
use crate::files::digest::Digest;
use crate::files::put::send;
use crate::files::put::send::Outgoing;
use crate::files::put::tree::compare::size;
use crate::files::put::tree::job::{Remarks, SPECIAL, Sending, TreeJob};
use crate::files::put::verify::Arrivals;
use crate::files::remote::{
    Remote, Replaced, WantedAttributes, about, attrs_of, child, shown, split, temporary_name,
};
use crate::model::outcome::{Failure, Kind};
use crate::model::tree::Entry;
use crate::ssh::Session;
use crate::ssh::sftp::wire::{Attrs, SftpRequest};
use crate::ssh::sftp::{Pending, Sftp, SftpError};

/// Files that are open on the host at a time, at most: enough to fill a short line.
const OPEN: usize = 128;

/// The same on a long line. OpenSSH's server spends half as much time again on so many, which is less than the round trips.
const OPEN_FAR: usize = 1000;

/// Files that the host counts at a time.
const COUNTED: usize = 500;

/// Bytes of small files that are read at a time.
const BATCH: u64 = 1024 * 1024;

/// Files that are read at a time.
const BATCH_FILES: usize = 128;

/// Makes folders, outer ones first; all requests go out at once, as a server does them in order. What follows on the
/// same connection may count on them.
pub(super) async fn ask_folders(sftp: &Sftp, paths: &[(Vec<u8>, u32)]) -> Result<Vec<Pending>, Failure> {
    let mut asked = Vec::with_capacity(paths.len());
    for (path, mode) in paths {
        let attrs = Attrs { permissions: Some(*mode), ..Attrs::default() };
        let request = SftpRequest::Mkdir { path: Bytes::copy_from_slice(path), attrs };
        asked.push(sftp.ask(request).await.map_err(|error| error.about(&about("make the folder", path)))?);
    }
    Ok(asked)
}

/// Sets attributes; all requests go out at once.
pub(super) async fn set_all<S: Session>(
    remote: &Remote<S>,
    sftp: &Sftp,
    wanted: &[(Vec<u8>, Attrs)],
) -> Result<(), Failure> {
    let set = remote.set_all_by_path(sftp, wanted).await;
    set.map_err(|(path, error)| error.about(&about("set the mode of", &path)))
}

/// A file that was sent and is not in place yet.
struct SentFile {
    /// Where it is, below the root.
    at: Vec<u8>,
    /// Where it belongs.
    target: Vec<u8>,
    digest: Digest,
    /// Its permission bits.
    mode: Option<u32>,
    /// Owner and group of the file whose place it takes.
    owner: Option<(u32, u32)>,
}

impl SentFile {
    fn new(sending: Sending<'_>, job: &TreeJob<'_>, at: Vec<u8>, digest: Digest) -> Self {
        Self {
            at,
            target: sending.entry.path.as_bytes().to_vec(),
            digest,
            mode: sending.wanted(job).mode,
            owner: sending.before.and_then(|before| before.owner),
        }
    }
}

/// What is sent, and where to.
#[derive(Clone, Copy)]
pub(super) struct Load<'a> {
    /// A folder that is there.
    pub(super) root: &'a [u8],
    pub(super) files: &'a [Sending<'a>],
    /// Nobody sees the root yet: files go under their own names.
    pub(super) unseen: bool,
    /// What folders get once all files are in them.
    pub(super) folders: &'a [(Vec<u8>, Attrs)],
}

/// Sends files, sees that they arrived, and puts them in place. Gives what the user should know.
pub(super) async fn send<S: Session>(
    remote: &Remote<S>,
    job: &TreeJob<'_>,
    load: Load<'_>,
) -> Result<Remarks, Failure> {
    let Some(sftp) = remote.sftp() else { return Ok(Remarks::default()) };
    let Load { root, files, unseen, folders } = load;
    let room = Semaphore::new(job.in_flight.max(BLOCK));
    let most = if remote.round_trip() < send::LONG_LINE { OPEN } else { OPEN_FAR };
    let open = most.min(sftp.limits().await.handles.saturating_sub(8)).max(1);
    let bulk = Bulk { remote, sftp, job, root, unseen, room: &room };
    let (sent, arrived) = mpsc::unbounded_channel();
    let sending = async move {
        bulk.all(files, open, &sent).await?;
        drop(sent);
        set_all(remote, sftp, folders).await
    };
    let ((), sent) = futures::try_join!(sending, verify(remote, root, arrived))?;
    remote.has_modes(job.says_modes())?;
    if unseen {
        return Ok(Remarks::default());
    }
    let notes = if job.owned() {
        let paths: Vec<Vec<u8>> = sent.iter().map(|sent| child(root, &sent.at)).collect();
        remote.give_each(&paths, job.files).await?;
        restore_modes(remote, root, &sent).await?;
        Vec::new()
    } else {
        keep_owners(remote, root, &sent).await?
    };
    let in_two_steps = put_in_place(remote, root, &sent).await? == Replaced::InTwoSteps;
    Ok(Remarks { notes, in_two_steps })
}

/// Gives files the owners of those whose places they take. Gives a word about those that could not be given.
async fn keep_owners<S: Session>(
    remote: &Remote<S>,
    root: &[u8],
    sent: &[SentFile],
) -> Result<Vec<String>, Failure> {
    let keeping = sent.iter().filter_map(|sent| Some((sent, sent.owner?))).map(|(sent, owner)| {
        async move {
            let path = child(root, &sent.at);
            let now = remote.look(&path, false).await?.and_then(|meta| meta.owner);
            if now == Some(owner) {
                return Ok(true);
            }
            let given = remote.give_to(&path, owner).await.is_ok();
            if given {
                restore_modes(remote, root, std::slice::from_ref(sent)).await?;
            }
            Ok::<_, Failure>(given)
        }
        .boxed()
    });
    let kept = futures::stream::iter(keeping.collect::<Vec<_>>()).buffer_unordered(OPEN_FAR);
    let lost = kept.try_fold(0, async |lost, given| Ok(lost + usize::from(!given))).await?;
    Ok((lost > 0).then(|| format!("the owner of {lost} could not be kept")).into_iter().collect())
}

/// A new owner takes setuid and setgid bits away: they are set again.
async fn restore_modes<S: Session>(
    remote: &Remote<S>,
    root: &[u8],
    sent: &[SentFile],
) -> Result<(), Failure> {
    for sent in sent {
        if let Some(mode) = sent.mode.filter(|mode| mode & SPECIAL != 0) {
            remote
                .set(
                    &child(root, &sent.at),
                    &WantedAttributes { mode: Some(mode), ..WantedAttributes::default() },
                )
                .await?;
        }
    }
    Ok(())
}

/// Cuts files into batches that are read at a time.
fn batches<'a>(files: &[Sending<'a>]) -> Vec<Vec<Sending<'a>>> {
    let mut batches: Vec<Vec<Sending<'_>>> = Vec::new();
    let mut bytes = 0;
    for &file in files {
        let fits = bytes + size(file.entry) <= BATCH;
        match batches.last_mut() {
            Some(batch) if fits && batch.len() < BATCH_FILES => batch.push(file),
            _ => {
                bytes = 0;
                batches.push(vec![file]);
            }
        }
        bytes += size(file.entry);
    }
    batches
}

/// A small file's content.
struct Small {
    data: Bytes,
    digest: Digest,
}

/// A batch of files that is being read.
struct BulkReading<'a> {
    batch: Vec<Sending<'a>>,
    task: JoinHandle<Result<Vec<Small>, Failure>>,
}

impl<'a> BulkReading<'a> {
    /// Begins at once. Each file must be as long as it was when it was listed.
    fn begin(job: &TreeJob<'_>, batch: Vec<Sending<'a>>) -> Self {
        let wanted: Vec<(PathBuf, u64)> =
            batch.iter().map(|file| (job.local(&file.entry.path), size(file.entry))).collect();
        let task = tokio::task::spawn_blocking(move || {
            wanted.iter().map(|(path, size)| read(path, *size)).collect::<Result<Vec<_>, _>>()
        });
        Self { batch, task }
    }

    async fn done(&mut self) -> Result<Vec<(Sending<'a>, Small)>, Failure> {
        let contents = (&mut self.task).await.unwrap_or_else(|error| {
            Err(Failure::new(Kind::Internal, format!("reading local files failed: {error}")))
        })?;
        Ok(self.batch.drain(..).zip(contents).collect())
    }
}

/// What is being read, once it is there. Cancel-safe.
async fn next<'a>(
    reading: &mut Option<BulkReading<'a>>,
) -> Option<Result<Vec<(Sending<'a>, Small)>, Failure>> {
    match reading {
        Some(reading) => Some(reading.done().await),
        None => None,
    }
}

fn read(path: &Path, size: u64) -> Result<Small, Failure> {
    let data = std::fs::read(path)
        .map_err(|error| Failure::new(Kind::LocalIo, format!("cannot read {}: {error}", path.display())))?;
    if u64::try_from(data.len()).ok() != Some(size) {
        let failure =
            Failure::new(Kind::LocalIo, format!("{} changed while it was being read", path.display()));
        return Err(failure.hint("send it again when nothing is writing to it"));
    }
    let digest = Digest::of(&data);
    Ok(Small { data: Bytes::from(data), digest })
}

/// Files on their way to below one root.
struct Bulk<'a, S> {
    remote: &'a Remote<S>,
    sftp: &'a Sftp,
    job: &'a TreeJob<'a>,
    root: &'a [u8],
    /// Nobody sees the root yet: files go under their own names.
    unseen: bool,
    /// Bytes that may be on their way.
    room: &'a Semaphore,
}

impl<S: Session> Bulk<'_, S> {
    /// Sends all files; each is told of once it has arrived.
    async fn all(
        &self,
        files: &[Sending<'_>],
        open: usize,
        sent: &mpsc::UnboundedSender<SentFile>,
    ) -> Result<(), Failure> {
        let block = u64::try_from(BLOCK).unwrap_or(u64::MAX);
        let (small, large): (Vec<Sending<'_>>, Vec<Sending<'_>>) =
            files.iter().partition(|file| size(file.entry) <= block);
        // Nobody listens once something else has failed.
        let tell = |one: SentFile| drop(sent.send(one));
        let mut under_way = FuturesUnordered::new();
        let mut batches = batches(&small).into_iter();
        let mut reading = batches.next().map(|batch| BulkReading::begin(self.job, batch));
        let mut ready = VecDeque::new();
        loop {
            while under_way.len() < open
                && let Some((sending, small)) = ready.pop_front()
            {
                under_way.push(self.small(sending, small).boxed());
            }
            // What is under way goes on while more is read.
            tokio::select! {
                biased;
                Some(one) = under_way.next() => tell(one?),
                Some(contents) = next(&mut reading), if ready.len() < BATCH_FILES => {
                    ready.extend(contents?);
                    reading = batches.next().map(|batch| BulkReading::begin(self.job, batch));
                }
                else => break,
            }
        }
        for sending in large {
            tell(self.large(sending).await?);
        }
        Ok(())
    }

    /// The path, below the root, that a file is sent to.
    fn arrival(&self, entry: &Entry) -> Vec<u8> {
        if self.unseen {
            return entry.path.as_bytes().to_vec();
        }
        let (folder, name) = split(entry.path.as_bytes());
        let temporary = temporary_name(&name.unwrap_or_default());
        let at = if folder == b"." { temporary } else { child(&folder, &temporary) };
        self.remote.adopt(child(self.root, &at));
        at
    }

    /// Sends a small file: one round trip for its opening, and one for all the rest.
    async fn small(&self, sending: Sending<'_>, small: Small) -> Result<SentFile, Failure> {
        let at = self.arrival(sending.entry);
        let path = child(self.root, &at);
        let size = u64::try_from(small.data.len()).unwrap_or(u64::MAX);
        let _room = self.room.acquire_many(u32::try_from(size).unwrap_or(u32::MAX)).await;
        if let Err(error) = self.write(&path, small.data, &sending.wanted(self.job)).await {
            let failure = error.about(&about("write", &path));
            return Err(self.remote.explained(&path, failure).await);
        }
        self.job.progress.moved(size);
        Ok(SentFile::new(sending, self.job, at, small.digest))
    }

    async fn write(&self, path: &[u8], mut rest: Bytes, wanted: &WantedAttributes) -> Result<(), SftpError> {
        let sftp = self.sftp;
        let handle = self.remote.open_new(sftp, path).await?;
        let most = usize::try_from(sftp.limits().await.write).unwrap_or(BLOCK);
        let mut asked = Vec::with_capacity(1);
        let mut offset = 0;
        while !rest.is_empty() {
            let data = rest.split_to(most.min(rest.len()));
            let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
            asked.push(sftp.ask(SftpRequest::Write { handle: handle.clone(), offset, data }).await?);
            offset += length;
        }
        self.remote.seal(sftp, path, handle, attrs_of(wanted), asked).await
    }

    /// Sends a file that is more than a block.
    async fn large(&self, sending: Sending<'_>) -> Result<SentFile, Failure> {
        let (remote, job) = (self.remote, self.job);
        let at = self.arrival(sending.entry);
        let path = child(self.root, &at);
        let local = job.local(&sending.entry.path);
        let content = blocking(move || {
            Content::open(&local, false).map_err(|error| {
                Failure::new(Kind::LocalIo, format!("cannot read {}: {error}", local.display()))
            })
        });
        let content = Arc::new(content.await?);
        let wanted = WantedAttributes { owner: None, group: None, ..sending.wanted(job) };
        let outgoing = Outgoing {
            content: &content,
            path: &path,
            created: remote.create(&path).await?,
            from: 0,
            attrs: attrs_of(&wanted),
            in_flight: job.in_flight,
            progress: job.progress,
        };
        // All files of the folder are counted together at the end.
        let (arrivals, _) = Arrivals::of(&content);
        let sent = send::send(remote, outgoing, &arrivals).await;
        if let Err(failure) = sent {
            return Err(remote.explained(&path, failure).await);
        }
        content.unchanged()?;
        Ok(SentFile::new(sending, job, at, content.digest().await?))
    }
}

/// Sees that the host has what was sent, while more is on its way. Gives all of it in the end.
async fn verify<S: Session>(
    remote: &Remote<S>,
    root: &[u8],
    mut arrived: mpsc::UnboundedReceiver<SentFile>,
) -> Result<Vec<SentFile>, Failure> {
    // Started while the first files are on their way; why there is none is told when it is needed.
    let _ = remote.shell().await;
    let (mut verified, mut ready) = (Vec::new(), Vec::new());
    loop {
        let more = arrived.recv_many(&mut ready, COUNTED).await > 0;
        if more && ready.len() < COUNTED {
            continue;
        }
        count(remote, root, &ready).await?;
        verified.append(&mut ready);
        if !more {
            return Ok(verified);
        }
    }
}

async fn count<S: Session>(remote: &Remote<S>, root: &[u8], sent: &[SentFile]) -> Result<(), Failure> {
    let paths: Vec<Vec<u8>> = sent.iter().map(|sent| sent.at.clone()).collect();
    let theirs = match remote.digests_in(root, &paths, Duration::from_secs(600)).await? {
        Some(digests) => digests,
        None => {
            let mut digests = Vec::with_capacity(sent.len());
            for sent in sent {
                digests.push(remote.read_back(&child(root, &sent.at)).await?);
            }
            digests
        }
    };
    for (sent, theirs) in sent.iter().zip(theirs) {
        if sent.digest != theirs {
            let message =
                format!("what arrived for {} differs from what was sent", shown(&child(root, &sent.target)));
            return Err(Failure::new(Kind::VerifyFailed, message).hint("the old content is unchanged"));
        }
    }
    Ok(())
}

/// Puts files in place, by requests that are all under way at once. Tells whether each of them got there in one step.
async fn put_in_place<S: Session>(
    remote: &Remote<S>,
    root: &[u8],
    sent: &[SentFile],
) -> Result<Replaced, Failure> {
    let replacing = sent.iter().map(|sent| {
        let (from, to) = (child(root, &sent.at), child(root, &sent.target));
        async move { remote.replace(&from, &to).await }.boxed()
    });
    let replacing = futures::stream::iter(replacing.collect::<Vec<_>>()).buffer_unordered(OPEN_FAR);
    replacing.try_fold(Replaced::Atomically, async |all, one| Ok(all.max(one))).await
}
