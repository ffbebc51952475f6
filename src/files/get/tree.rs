//! A folder off the host, within bounds: names are checked, nothing is followed, no more comes than there is room for.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt, TryStreamExt};

use crate::files::content::blocking;
use crate::files::digest::Digest;
use crate::files::get::file::{commit, local, local_digest, local_mode, same};
use crate::files::get::receive::{Expected, receive};
use crate::files::local::{Destination, MadeFolder, PendingFile};
use crate::files::meta::{Meta, MetaKind};
use crate::files::progress::TransferProgress;
use crate::files::remote::{Remote, child, is_folder, shown};
use crate::files::select::Selection;
use crate::model::files::Links;
use crate::model::outcome::{Failure, Kind};
use crate::model::tree::TreePath;
use crate::ssh::Session;

/// Files and folders that one host may have in a folder.
const MAX_ENTRIES: usize = 100_000;

/// Folders that are listed at a time.
const LISTED_AT_A_TIME: usize = 32;

/// Files that are received, verified and put in place together; each holds a file of this machine open.
const TOGETHER: usize = 128;

/// A folder that is wanted.
pub struct GetTreeJob<'a> {
    /// Where it is on the host.
    pub path: &'a [u8],
    /// The folder that nothing gets out of.
    pub folder: &'a Destination,
    /// Where it goes in there.
    pub at: &'a TreePath,
    /// What of it takes part.
    pub selection: &'a Selection,
    /// What becomes of links.
    pub links: Links,
    /// Files keep their times.
    pub times: bool,
    /// Nothing is changed.
    pub dry_run: bool,
    /// Bytes that may be on their way.
    pub in_flight: usize,
    /// Where it is counted.
    pub progress: &'a TransferProgress,
}

/// What became of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetTree {
    /// Files that came, or would.
    pub came: usize,
    /// Files that were here already.
    pub unchanged: usize,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// A file on its list.
struct ListedFile {
    path: TreePath,
    size: u64,
    meta: Meta,
}

/// All that is in a folder of the host.
#[derive(Default)]
struct Listing {
    folders: Vec<(TreePath, Meta)>,
    files: Vec<ListedFile>,
    links: Vec<TreePath>,
    notes: Vec<String>,
}

/// Gets a folder.
///
/// # Errors
///
/// Some of it may be in place: each file is either the old or the new one.
pub async fn get_tree<S: Session>(remote: &Remote<S>, job: &GetTreeJob<'_>) -> Result<GetTree, Failure> {
    let listing = list(remote, job).await?;
    let bytes = listing.files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
    job.progress.expect(bytes);
    let mut done = GetTree { notes: listing.notes, ..GetTree::default() };
    let mut made = Vec::new();
    if !job.dry_run {
        let folder = job.folder.clone();
        let paths = listing.folders.iter().map(|(path, meta)| Ok((join(job.at, path)?, *meta)));
        let paths = paths.collect::<Result<Vec<_>, Failure>>()?;
        made = blocking(move || {
            folder.has_room(bytes).map_err(|error| local(&error))?;
            let mut made = Vec::new();
            for (path, meta) in paths {
                match folder.folder(&path).map_err(|error| local(&error))? {
                    MadeFolder::Made => made.push((path, meta)),
                    // One that was here is the user's.
                    MadeFolder::Stood => {}
                }
            }
            Ok(made)
        })
        .await?;
    }
    for batch in listing.files.chunks(TOGETHER) {
        let (came, same) = files(remote, job, batch).await?;
        done.came += came;
        done.unchanged += same;
    }
    if job.dry_run {
        return Ok(done);
    }
    for path in &listing.links {
        let target = remote.link_target(&child(job.path, path.as_bytes())).await?;
        let (folder, at) = (job.folder.clone(), join(job.at, path)?);
        let made = blocking(move || Ok(folder.link(&at, &target).map_err(|error| local(&error)))).await?;
        if let Err(failure) = made {
            // A link that leads out is left out; all else is an error.
            if failure.kind != Kind::UnsafeName {
                return Err(failure);
            }
            done.notes.push(format!("left out: {}", failure.message()));
        }
    }
    let folder = job.folder.clone();
    let times = job.times;
    blocking(move || {
        for (path, meta) in made.into_iter().rev() {
            // A folder that its owner cannot enter would be in the way of the next time.
            let mode = local_mode(meta.mode.unwrap_or(0o755)) | 0o700;
            folder
                .set_folder(&path, Some(mode), meta.mtime.filter(|_| times))
                .map_err(|error| local(&error))?;
        }
        Ok(())
    })
    .await?;
    Ok(done)
}

/// The path in the destination of something in the folder.
fn join(at: &TreePath, path: &TreePath) -> Result<TreePath, Failure> {
    path.names()
        .try_fold(at.clone(), |path, name| path.join(name))
        .map_err(|why| Failure::new(Kind::UnsafeName, format!("a name in {path} {why}")))
}

/// Lists a folder with all that is below it.
async fn list<S: Session>(remote: &Remote<S>, job: &GetTreeJob<'_>) -> Result<Listing, Failure> {
    let mut listing = Listing::default();
    if let Some(meta) = remote.look(job.path, true).await? {
        listing.folders.push((TreePath::root(), meta));
    }
    let mut count = 0;
    let mut level = vec![TreePath::root()];
    while !level.is_empty() {
        let listed = level.drain(..).map(|folder| names(remote, job.path, folder).boxed());
        let listed = futures::stream::iter(listed.collect::<Vec<_>>()).buffer_unordered(LISTED_AT_A_TIME);
        let listed: Vec<_> = listed.try_collect().await?;
        for (folder, names) in listed {
            count += names.len();
            if count > MAX_ENTRIES {
                let message = format!("{} holds more than {MAX_ENTRIES} files and folders", shown(job.path));
                return Err(Failure::new(Kind::Limit, message));
            }
            for (name, meta) in names {
                let path = folder.join(&name).map_err(|why| {
                    let name = shown(&name);
                    Failure::new(Kind::UnsafeName, format!("a name in {} {why}: {name:?}", shown(job.path)))
                })?;
                if !job.selection.takes(&path, is_folder(Some(&meta))) {
                    continue;
                }
                let meta = match (meta.kind, job.links) {
                    (MetaKind::Link, Links::Follow) => {
                        // Only files: a folder behind a link may lead back to where it is.
                        let there = remote.look(&child(job.path, path.as_bytes()), true).await?;
                        match there {
                            Some(there) if there.size().is_some() => there,
                            _ => {
                                listing.notes.push(format!(
                                    "left out: {path} is a link to something other than a file"
                                ));
                                continue;
                            }
                        }
                    }
                    _ => meta,
                };
                match meta.kind {
                    MetaKind::Folder => {
                        level.push(path.clone());
                        listing.folders.push((path, meta));
                    }
                    MetaKind::File { size } => listing.files.push(ListedFile { path, size, meta }),
                    MetaKind::Link if job.links == Links::Keep => listing.links.push(path),
                    MetaKind::Link => {}
                    MetaKind::Special => {
                        listing.notes.push(format!("left out: {path} is {}", meta.kind.word()));
                    }
                }
            }
        }
    }
    listing.folders.sort_by(|(one, _), (other, _)| one.cmp(other));
    listing.files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(listing)
}

async fn names<S: Session>(
    remote: &Remote<S>,
    path: &[u8],
    folder: TreePath,
) -> Result<(TreePath, Vec<(Vec<u8>, Meta)>), Failure> {
    let path = if folder.is_root() { path.to_vec() } else { child(path, folder.as_bytes()) };
    let names = remote.list(&path).await?;
    Ok((folder, names))
}

/// What is known of a file before the host has counted.
enum Came {
    /// It came, and is not in place yet.
    Pending(Digest, Arc<PendingFile>),
    /// What is here has the right size.
    Here(Digest),
    /// It is not here, and is not to come.
    Wanted,
}

/// Gets files that are not here; gives how many came and how many were here.
async fn files<S: Session>(
    remote: &Remote<S>,
    job: &GetTreeJob<'_>,
    batch: &[ListedFile],
) -> Result<(usize, usize), Failure> {
    let names: Vec<Vec<u8>> = batch.iter().map(|file| file.path.as_bytes().to_vec()).collect();
    let patience = Duration::from_secs(600);
    let room = tokio::sync::Semaphore::new(job.in_flight);
    let receiving: Vec<_> = batch.iter().map(|file| one(remote, job, file, &room).boxed()).collect();
    let receiving = futures::stream::iter(receiving).buffered(TOGETHER).try_collect::<Vec<_>>();
    let (came, theirs) = futures::try_join!(receiving, remote.digests_in(job.path, &names, patience))?;
    let (mut new, mut old) = (0, 0);
    for (index, (came, file)) in came.into_iter().zip(batch).enumerate() {
        let theirs = theirs.as_ref().and_then(|theirs| theirs.get(index).copied());
        let (digest, pending) = match came {
            Came::Here(digest) if theirs == Some(digest) => {
                old += 1;
                continue;
            }
            Came::Here(_) if job.dry_run => {
                new += 1;
                continue;
            }
            Came::Wanted => {
                new += 1;
                continue;
            }
            Came::Here(here) => {
                let (digest, pending) = fetch(remote, job, file).await?;
                if theirs.is_none() && digest == here {
                    // Nobody counts there: it had to come to be compared.
                    old += 1;
                    continue;
                }
                (digest, pending)
            }
            Came::Pending(digest, pending) => (digest, pending),
        };
        same(&child(job.path, file.path.as_bytes()), digest, theirs)?;
        commit(pending, file.meta.mode, file.meta.mtime.filter(|_| job.times)).await?;
        new += 1;
    }
    Ok((new, old))
}

/// A file as it is here, when it has the right size; else as it came.
async fn one<S: Session>(
    remote: &Remote<S>,
    job: &GetTreeJob<'_>,
    file: &ListedFile,
    room: &tokio::sync::Semaphore,
) -> Result<Came, Failure> {
    let (folder, at, size) = (job.folder.clone(), join(job.at, &file.path)?, file.size);
    let here = blocking(move || local_digest(&folder, &at, size).map_err(|error| local(&error))).await;
    if let Ok(Some(digest)) = here {
        return Ok(Came::Here(digest));
    }
    if job.dry_run {
        return Ok(Came::Wanted);
    }
    let share =
        u32::try_from(file.size.min(u64::try_from(job.in_flight).unwrap_or(u64::MAX))).unwrap_or(u32::MAX);
    let _room = room.acquire_many(share).await;
    let (digest, pending) = fetch(remote, job, file).await?;
    Ok(Came::Pending(digest, pending))
}

async fn fetch<S: Session>(
    remote: &Remote<S>,
    job: &GetTreeJob<'_>,
    file: &ListedFile,
) -> Result<(Digest, Arc<PendingFile>), Failure> {
    let (folder, at) = (job.folder.clone(), join(job.at, &file.path)?);
    let pending = Arc::new(blocking(move || folder.create(&at).map_err(|error| local(&error))).await?);
    let sink = Arc::clone(&pending);
    let write = Arc::new(move |data: &[u8], at: u64| sink.write_at(data, at).map_err(io::Error::other));
    let path = child(job.path, file.path.as_bytes());
    let expected = Expected { path: &path, size: file.size, in_flight: job.in_flight };
    let digest = receive(remote, &expected, write, job.progress).await?;
    Ok((digest, pending))
}
