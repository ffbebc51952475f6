//! Puts a folder: a new one whole, and into one that is there what differs.

use std::sync::Arc;

use futures::{FutureExt, StreamExt, TryStreamExt};

use crate::files::content::Content;
use crate::files::put::file::{FileJob, Placing, put_file, settle};
use crate::files::put::tree::bulk;
use crate::files::put::tree::compare::{Difference, compare};
use crate::files::put::tree::job::{PutTree, Remarks, SPECIAL, Sending, TreeJob, below};
use crate::files::remote::{Remote, Replaced, WantedAttributes, about, attrs_of, is_folder, shown, split};
use crate::model::outcome::{Failure, Kind};
use crate::ssh::Session;

/// Links that are made at a time.
const LINKS: usize = 32;

/// Puts a folder.
///
/// # Errors
///
/// Some of it may be in place: each file is either the old or the new one.
pub async fn put_tree<S: Session>(remote: &Remote<S>, job: &TreeJob<'_>) -> Result<PutTree, Failure> {
    // Asked together: a new folder needs to know both.
    let above = split(job.target).0;
    let (there, above) = futures::try_join!(remote.look(job.target, true), remote.look(&above, true))?;
    if let Some(meta) = there
        && !is_folder(Some(&meta))
    {
        let message = format!("{} is {}", shown(job.target), meta.kind.word());
        return Err(Failure::new(Kind::RemotePath, message)
            .hint("a folder cannot replace it: remove it first, or use another path"));
    }
    let difference = compare(remote, job, there.is_some()).await?;
    let mut done = difference.summary(job);
    done.notes.extend(job.walked.skipped.iter().map(|skipped| {
        format!(
            "{} was left out: it is {}",
            shown(job.local(&skipped.path).as_os_str().as_encoded_bytes()),
            skipped.what
        )
    }));
    if job.dry_run || (difference.is_empty() && done.other == 0) {
        return Ok(done);
    }
    let Remarks { notes, in_two_steps } = match there {
        None => {
            if above.is_none() {
                make_parents(remote, job.target).await?;
            }
            new_folder(remote, job, &difference).await?
        }
        Some(_) => into_folder(remote, job, &difference).await?,
    };
    remote.has_modes(job.says_modes())?;
    done.notes.extend(notes);
    done.in_two_steps = in_two_steps;
    Ok(done)
}

/// A folder that is not there yet is made beside its place and put there whole. Gives what the user should know.
async fn new_folder<S: Session>(
    remote: &Remote<S>,
    job: &TreeJob<'_>,
    difference: &Difference<'_>,
) -> Result<Remarks, Failure> {
    let stage = remote.temporary(job.target)?;
    let remarks = make_and_fill(remote, job, &stage, difference, true).await?;
    if job.owned() {
        remote.give_all(&stage, job.files).await?;
        // A new owner takes setuid bits away.
        if let Some(mode) = job.files.mode.filter(|mode| mode & SPECIAL != 0) {
            for file in &difference.files {
                let wanted = WantedAttributes { mode: Some(mode), ..WantedAttributes::default() };
                remote.set(&below(&stage, &file.entry.path), &wanted).await?;
            }
        }
    }
    if !finishes_early(remote, job, difference, true) {
        finish_folders(remote, job, &stage, difference).await?;
    }
    remote.settle_new(&stage, job.target).await?;
    Ok(remarks)
}

/// Into a folder that is there. Gives what the user should know.
async fn into_folder<S: Session>(
    remote: &Remote<S>,
    job: &TreeJob<'_>,
    difference: &Difference<'_>,
) -> Result<Remarks, Failure> {
    if let Some(path) = &difference.over_link {
        remote.learn_renaming(&below(job.target, path)).await?;
    }
    for (path, meta) in &difference.in_the_way {
        let path = below(job.target, path);
        if is_folder(Some(meta)) { remote.remove_all(&path).await? } else { remote.remove(&path).await? }
    }
    let remarks = make_and_fill(remote, job, job.target, difference, false).await?;
    for (entry, meta) in &difference.unlike {
        settle(remote, &job.wanted(entry, Some(meta)), &below(job.target, &entry.path), meta, false).await?;
    }
    if job.owned() {
        for folder in &difference.folders {
            let owner = WantedAttributes { mode: None, mtime: None, ..job.files.clone() };
            remote.set(&below(job.target, &folder.path), &owner).await?;
        }
    }
    finish_folders(remote, job, job.target, difference).await?;
    // What goes away goes last: until here everything that was needed is there.
    for (path, meta) in difference.extra.iter().rev() {
        let path = below(job.target, path);
        if is_folder(Some(meta)) { remote.remove_folder(&path).await? } else { remote.remove(&path).await? }
    }
    Ok(remarks)
}

/// Makes the folders above a path that are missing.
pub async fn make_parents<S: Session>(remote: &Remote<S>, path: &[u8]) -> Result<(), Failure> {
    let mut missing = Vec::new();
    let mut folder = split(path).0;
    while remote.look(&folder, true).await?.is_none() {
        let (above, name) = split(&folder);
        missing.push(folder);
        if name.is_none() {
            break;
        }
        folder = above;
    }
    for folder in missing.iter().rev() {
        remote.ensure_folder(folder, 0o755).await?;
    }
    Ok(())
}

/// Makes the folders that are missing, so that they can be written to, and fills them; their own modes come last. Tells
/// whether all files got into their places at once.
async fn make_and_fill<S: Session>(
    remote: &Remote<S>,
    job: &TreeJob<'_>,
    root: &[u8],
    difference: &Difference<'_>,
    unseen: bool,
) -> Result<Remarks, Failure> {
    let paths: Vec<(Vec<u8>, u32)> = difference
        .folders
        .iter()
        .map(|entry| (below(root, &entry.path), (job.folder_mode(entry, None) & 0o777) | 0o700))
        .collect();
    let Some(sftp) = remote.sftp() else {
        for (path, mode) in &paths {
            remote.make_folder(path, *mode).await?;
        }
        return fill(remote, job, root, difference, unseen).await;
    };
    let asked = bulk::ask_folders(sftp, &paths).await?;
    let made = async {
        for ((path, _), pending) in paths.iter().zip(asked) {
            pending.done().await.map_err(|error| error.about(&about("make the folder", path)))?;
        }
        Ok::<_, Failure>(())
    };
    // A folder that could not be made is told of before the files that miss it.
    let (made, filled) = futures::join!(made, fill(remote, job, root, difference, unseen));
    made.and(filled)
}

/// Sends files and links. Into a folder that nobody sees yet they go under their own names. Tells whether all files got
/// into their places at once.
async fn fill<S: Session>(
    remote: &Remote<S>,
    job: &TreeJob<'_>,
    root: &[u8],
    difference: &Difference<'_>,
    unseen: bool,
) -> Result<Remarks, Failure> {
    let remarks = match remote.sftp() {
        Some(_) => {
            let folders = match finishes_early(remote, job, difference, unseen) {
                true => made_folders(job, root, difference),
                false => Vec::new(),
            };
            let folders: Vec<_> =
                folders.iter().map(|(path, wanted)| (path.clone(), attrs_of(wanted))).collect();
            let load = bulk::Load { root, files: &difference.files, unseen, folders: &folders };
            bulk::send(remote, job, load).await?
        }
        None => one_by_one(remote, job, root, &difference.files).await?,
    };
    let links = difference.links.iter().map(|(entry, target)| {
        async move {
            let path = below(root, &entry.path);
            if unseen {
                return remote.make_link(target, &path).await.map(|()| Replaced::Atomically);
            }
            remote.place_link(target, &path).await
        }
        .boxed()
    });
    let links = futures::stream::iter(links.collect::<Vec<_>>()).buffer_unordered(LINKS);
    let links = links.try_fold(Replaced::Atomically, async |all, one| Ok(all.max(one))).await?;
    Ok(Remarks { in_two_steps: remarks.in_two_steps || links == Replaced::InTwoSteps, ..remarks })
}

async fn one_by_one<S: Session>(
    remote: &Remote<S>,
    job: &TreeJob<'_>,
    root: &[u8],
    files: &[Sending<'_>],
) -> Result<Remarks, Failure> {
    let mut remarks = Remarks::default();
    for sending in files {
        let entry = sending.entry;
        let local = job.local(&entry.path);
        let content = Content::open(&local, false).map_err(|error| {
            Failure::new(Kind::LocalIo, format!("cannot read {}: {error}", local.display()))
        })?;
        let file = FileJob {
            content: &Arc::new(content),
            target: &below(root, &entry.path),
            standing: None,
            wanted: &sending.wanted(job),
            placing: &Placing::default(),
            in_flight: job.in_flight,
            progress: job.progress,
        };
        let put = Box::pin(put_file(remote, &file)).await?;
        remarks.notes.extend(put.notes.into_iter().map(|note| format!("{}: {note}", entry.path)));
        remarks.in_two_steps |= put.in_two_steps;
    }
    Ok(remarks)
}

/// The folders that were made, the innermost first, with the modes and times that they are to have.
fn made_folders(
    job: &TreeJob<'_>,
    root: &[u8],
    difference: &Difference<'_>,
) -> Vec<(Vec<u8>, WantedAttributes)> {
    difference
        .folders
        .iter()
        .rev()
        .map(|entry| {
            // The host's umask may have taken something away.
            let mode = Some(job.folder_mode(entry, None));
            let mtime = job.times.then_some(entry.mtime);
            (below(root, &entry.path), WantedAttributes { mode, mtime, ..WantedAttributes::default() })
        })
        .collect()
}

/// Whether folders get their modes and times right behind the files: nothing else will be made in them, and they do not
/// get another owner.
fn finishes_early<S>(remote: &Remote<S>, job: &TreeJob<'_>, difference: &Difference<'_>, unseen: bool) -> bool
where
    S: Session,
{
    unseen && remote.sftp().is_some() && !job.owned() && difference.links.is_empty()
}

/// Modes and times of the folders that were made, and of those that differ: the innermost first, as what is done in a
/// folder changes its time.
async fn finish_folders<S: Session>(
    remote: &Remote<S>,
    job: &TreeJob<'_>,
    root: &[u8],
    difference: &Difference<'_>,
) -> Result<(), Failure> {
    let made = made_folders(job, root, difference);
    match remote.sftp() {
        Some(sftp) => {
            let wanted: Vec<_> = made.into_iter().map(|(path, wanted)| (path, attrs_of(&wanted))).collect();
            bulk::set_all(remote, sftp, &wanted).await?;
        }
        None => {
            for (path, wanted) in &made {
                remote.set(path, wanted).await?;
            }
        }
    }
    for (entry, meta) in difference.unlike_folders.iter().rev() {
        let wanted = WantedAttributes {
            mode: Some(job.folder_mode(entry, Some(meta))),
            ..WantedAttributes::default()
        };
        settle(remote, &wanted, &below(root, &entry.path), meta, false).await?;
    }
    Ok(())
}
