//! What of a folder the host has already, what it lacks, and what it has too much.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{FutureExt, StreamExt, TryStreamExt};

use crate::files::content::blocking;
use crate::files::digest::{Digest, Hasher};
use crate::files::meta::{Meta, MetaKind};
use crate::files::put::tree::job::{PutTree, Sending, TreeJob, below, same_kind};
use crate::files::put::verify::digest_there;
use crate::files::remote::{Remote, is_folder, shown};
use crate::files::select::Selection;
use crate::model::outcome::{Failure, Kind};
use crate::model::tree::{Entry, EntryKind, TreePath};
use crate::ssh::Session;

/// Folders of the host that are listed at a time.
const LISTED_AT_A_TIME: usize = 32;

/// Files of the host that are read at a time.
const READ_AT_A_TIME: usize = 8;

/// What has to be done about a folder.
#[derive(Default)]
pub(super) struct Difference<'a> {
    /// Folders that are missing, outer ones first.
    pub(super) folders: Vec<&'a Entry>,
    /// Files that are missing or differ.
    pub(super) files: Vec<Sending<'a>>,
    /// Links that are missing or differ, with their targets.
    pub(super) links: Vec<(&'a Entry, &'a [u8])>,
    /// Files whose content is right.
    pub(super) same: usize,
    /// Files whose content is right, and whose mode, owner or time may not be.
    pub(super) unlike: Vec<(&'a Entry, Meta)>,
    /// Folders that are there.
    pub(super) unlike_folders: Vec<(&'a Entry, Meta)>,
    /// A link that is there gives way to a file.
    pub(super) over_link: Option<TreePath>,
    /// Of another kind than what is to be there: removed before.
    pub(super) in_the_way: Vec<(TreePath, Meta)>,
    /// There and not here, outer ones first: removed last.
    pub(super) extra: Vec<(TreePath, Meta)>,
}

impl Difference<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.folders.is_empty()
            && self.files.is_empty()
            && self.links.is_empty()
            && self.extra.is_empty()
            && self.unlike.is_empty()
            && self.unlike_folders.is_empty()
    }

    pub(super) fn summary(&self, job: &TreeJob<'_>) -> PutTree {
        let mut done = PutTree {
            sent: self.files.len(),
            unchanged: self.same,
            removed: self.extra.len() + self.in_the_way.len(),
            other: self.folders.len() + self.links.len() + self.unlike.len() + self.unlike_folders.len(),
            settled: self.unlike.len(),
            settled_folders: self.unlike_folders.len(),
            ..PutTree::default()
        };
        let gone = self.in_the_way.iter().chain(&self.extra).map(|(path, _)| ('-', path));
        let files = self.files.iter().map(|file| &file.entry);
        let new = self.folders.iter().chain(files).map(|entry| ('+', &entry.path));
        let links = self.links.iter().map(|(entry, _)| ('+', &entry.path));
        let unlike = self.unlike.iter().chain(&self.unlike_folders).map(|(entry, _)| ('~', &entry.path));
        let mut all: Vec<(&TreePath, char)> =
            gone.chain(new).chain(links).chain(unlike).map(|(sign, path)| (path, sign)).collect();
        all.sort();
        for (path, sign) in all {
            done.name(sign, path);
        }
        job.progress.expect(self.files.iter().map(|file| size(file.entry)).sum());
        done
    }
}

pub(super) fn size(entry: &Entry) -> u64 {
    match entry.kind {
        EntryKind::File { size } => size,
        EntryKind::Folder | EntryKind::Link { .. } | EntryKind::Special => 0,
    }
}

/// Compares the local folder with what is at the target.
pub(super) async fn compare<'a, S: Session>(
    remote: &Remote<S>,
    job: &TreeJob<'a>,
    is_there: bool,
) -> Result<Difference<'a>, Failure> {
    let there = if is_there { listed(remote, job).await? } else { BTreeMap::new() };
    let mut difference = Difference::default();
    let mut alike: Vec<(&Entry, Meta)> = Vec::new();
    let kept = if job.delete { KeptPaths::of(&job.walked.selection, &there) } else { KeptPaths::default() };
    for entry in &job.walked.entries {
        let mut meta = there.get(&entry.path).copied();
        if matches!(
            (&entry.kind, meta),
            (EntryKind::Link { .. }, Some(Meta { kind: MetaKind::File { .. }, .. }))
        ) {
            // Some servers list what links point at.
            meta = remote.look(&below(job.target, &entry.path), false).await?;
        }
        let fits = meta.is_some_and(|meta| same_kind(entry, &meta));
        if let (Some(meta), false) = (meta, fits) {
            in_the_way(job, &kept, &mut difference, entry, meta)?;
        }
        match &entry.kind {
            EntryKind::Folder => match meta.filter(|_| fits) {
                None => difference.folders.push(entry),
                Some(meta) => {
                    // The folder itself is as it was, unless it is to be ours in all.
                    let set = job.mirror || job.folder_mode.is_some();
                    let due = job.folder_mode(entry, Some(&meta));
                    // One that is not known is set where the step says it.
                    if set && meta.mode.map_or(job.folder_mode.is_some(), |mode| mode != due) {
                        difference.unlike_folders.push((entry, meta));
                    }
                }
            },
            EntryKind::File { size } => match meta.filter(|_| fits) {
                Some(meta) if meta.size() == Some(*size) => alike.push((entry, meta)),
                before => {
                    if meta.is_some_and(|meta| meta.kind == MetaKind::Link) {
                        difference.over_link = Some(entry.path.clone());
                    }
                    difference.files.push(Sending { entry, before });
                }
            },
            EntryKind::Link { target } => {
                let path = below(job.target, &entry.path);
                if !fits || !remote.points_to(&path, target).await? {
                    difference.links.push((entry, target));
                }
            }
            EntryKind::Special => {}
        }
    }
    same_content(remote, job, alike, &mut difference).await?;
    if job.delete {
        let ours: BTreeSet<&TreePath> = job.walked.entries.iter().map(|entry| &entry.path).collect();
        let going: BTreeSet<&TreePath> = difference.in_the_way.iter().map(|(path, _)| path).collect();
        difference.extra = there
            .iter()
            .filter(|(path, _)| !ours.contains(path) && !kept.has(path))
            // What is below something in the way goes with it.
            .filter(|(path, _)| !ancestors(path).any(|above| going.contains(&above)))
            .map(|(path, meta)| (path.clone(), *meta))
            .collect();
    }
    Ok(difference)
}

fn ancestors(path: &TreePath) -> impl Iterator<Item = TreePath> {
    std::iter::successors(path.parent(), TreePath::parent)
}

/// What of the host is left out, and so never removed.
#[derive(Default)]
struct KeptPaths {
    left_out: BTreeSet<TreePath>,
    /// The folders that it is in, each with some of it.
    above: BTreeMap<TreePath, TreePath>,
}

impl KeptPaths {
    fn of(selection: &Selection, there: &BTreeMap<TreePath, Meta>) -> Self {
        let left_out: BTreeSet<TreePath> = there
            .iter()
            .filter(|(path, meta)| !selection.takes(path, is_folder(Some(meta))))
            .map(|(path, _)| path.clone())
            .collect();
        let above = left_out.iter().flat_map(|path| ancestors(path).map(|above| (above, path.clone())));
        Self { above: above.collect(), left_out }
    }

    fn has(&self, path: &TreePath) -> bool {
        self.left_out.contains(path) || self.above.contains_key(path)
    }

    /// What is left out of all that is at a path.
    fn at(&self, path: &TreePath) -> Option<&TreePath> {
        self.left_out.get(path).or_else(|| self.above.get(path))
    }
}

/// Something of another kind: files and links give way to each other; a folder gives way only where all is to be ours.
fn in_the_way(
    job: &TreeJob<'_>,
    kept: &KeptPaths,
    difference: &mut Difference<'_>,
    entry: &Entry,
    meta: Meta,
) -> Result<(), Failure> {
    let replaced_by_rename = !is_folder(Some(&meta)) && entry.kind != EntryKind::Folder;
    if replaced_by_rename {
        return Ok(());
    }
    let path = shown(&below(job.target, &entry.path));
    let here = if entry.kind == EntryKind::Folder { "a folder" } else { "a file" };
    let message = format!("{path} is {}, where {here} is to go", meta.kind.word());
    let failure = Failure::new(Kind::RemotePath, message);
    if !job.delete {
        return Err(failure.hint("remove it first, or use `sync` with `delete: true`"));
    }
    if let Some(kept) = kept.at(&entry.path) {
        let kept = shown(&below(job.target, kept));
        return Err(failure.hint(format!("{kept} is excluded, and so not removed: remove it first")));
    }
    difference.in_the_way.push((entry.path.clone(), meta));
    Ok(())
}

/// Everything in the folders of the host that are ours, too; with `delete` in all folders.
async fn listed<S: Session>(
    remote: &Remote<S>,
    job: &TreeJob<'_>,
) -> Result<BTreeMap<TreePath, Meta>, Failure> {
    let ours: BTreeSet<&TreePath> = job
        .walked
        .entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Folder)
        .map(|entry| &entry.path)
        .collect();
    let mut there = BTreeMap::new();
    if let Some(meta) = remote.look(job.target, true).await? {
        there.insert(TreePath::root(), meta);
    }
    let mut level = vec![TreePath::root()];
    while !level.is_empty() {
        let listing = level.drain(..).map(|folder| list(remote, job.target, folder).boxed());
        let listing = futures::stream::iter(listing.collect::<Vec<_>>()).buffer_unordered(LISTED_AT_A_TIME);
        let listing: Vec<_> = listing.try_collect().await?;
        for (folder, names) in listing {
            for (name, meta) in names {
                let path = folder
                    .join(&name)
                    .map_err(|why| Failure::new(Kind::UnsafeName, format!("a name in {folder} {why}")))?;
                let wanted =
                    || ours.contains(&path) || (job.delete && job.walked.selection.takes(&path, true));
                if is_folder(Some(&meta)) && wanted() {
                    level.push(path.clone());
                }
                there.insert(path, meta);
            }
        }
    }
    Ok(there)
}

async fn list<S: Session>(
    remote: &Remote<S>,
    target: &[u8],
    folder: TreePath,
) -> Result<(TreePath, Vec<(Vec<u8>, Meta)>), Failure> {
    let names = remote.list(&below(target, &folder)).await?;
    Ok((folder, names))
}

/// Of files that have the same size, those whose content is the same.
async fn same_content<'a, S: Session>(
    remote: &Remote<S>,
    job: &TreeJob<'a>,
    alike: Vec<(&'a Entry, Meta)>,
    difference: &mut Difference<'a>,
) -> Result<(), Failure> {
    if alike.is_empty() {
        return Ok(());
    }
    let paths: Vec<Vec<u8>> = alike.iter().map(|(entry, _)| entry.path.as_bytes().to_vec()).collect();
    let bytes: u64 = alike.iter().map(|(entry, _)| size(entry)).sum();
    let patience = Duration::from_secs(bytes / (5 * 1024 * 1024));
    let locals: Vec<std::path::PathBuf> = alike.iter().map(|(entry, _)| job.local(&entry.path)).collect();
    let ours = blocking(move || locals.iter().map(|path| local_digest(path)).collect::<Result<Vec<_>, _>>());
    let (theirs, ours) = futures::try_join!(remote.digests_in(job.target, &paths, patience), ours)?;
    let theirs = match theirs {
        Some(theirs) => theirs.into_iter().map(Some).collect(),
        None => read_back(remote, job, &alike).await?,
    };
    for (((entry, meta), theirs), ours) in alike.into_iter().zip(theirs).zip(ours) {
        if theirs != Some(ours) {
            difference.files.push(Sending { entry, before: Some(meta) });
            continue;
        }
        difference.same += 1;
        let wanted = job.wanted(entry, Some(&meta));
        let mode = meta.mode.map_or(job.files.mode.is_some(), |mode| wanted.mode != Some(mode));
        let time = wanted.mtime.is_some_and(|mtime| meta.mtime != Some(mtime));
        let owned = job.owned() && !remote.is_owned(&below(job.target, &entry.path), job.files).await?;
        if mode || time || owned {
            difference.unlike.push((entry, meta));
        }
    }
    difference.files.sort_by(|one, other| one.entry.path.cmp(&other.entry.path));
    Ok(())
}

/// The SHA-256 of files of a host that nobody counts there: they are read. None of those that cannot be.
async fn read_back<S: Session>(
    remote: &Remote<S>,
    job: &TreeJob<'_>,
    alike: &[(&Entry, Meta)],
) -> Result<Vec<Option<Digest>>, Failure> {
    let reading = alike.iter().map(|(entry, _)| {
        let path = below(job.target, &entry.path);
        async move { digest_there(remote, &path, size(entry)).await }.boxed()
    });
    let reading = futures::stream::iter(reading.collect::<Vec<_>>()).buffered(READ_AT_A_TIME);
    reading.try_collect().await
}

/// The SHA-256 of a local file.
fn local_digest(path: &std::path::Path) -> Result<Digest, Failure> {
    use std::io::Read;
    let unreadable = |error: std::io::Error| {
        Failure::new(Kind::LocalIo, format!("cannot read {}: {error}", path.display()))
    };
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer).map_err(unreadable)?;
        let Some(data) = buffer.get(..read).filter(|data| !data.is_empty()) else {
            return Ok(hasher.finish());
        };
        hasher.update(data);
    }
}
