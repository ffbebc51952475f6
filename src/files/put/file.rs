//! One file onto the host: nothing is sent when the host has it already; what is sent is beside the target until it is
//! known to be whole.

use std::sync::Arc;

use crate::files::content::{BLOCK, Content};
use crate::files::meta::{Meta, MetaKind};
use crate::files::progress::TransferProgress;
use crate::files::put::send::{Outgoing, send};
use crate::files::put::verify;
use crate::files::put::verify::Arrivals;
use crate::files::remote::{Remote, Replaced, WantedAttributes, attrs_of, child, is_temporary, shown, split};
use crate::model::outcome::{Failure, Kind};
use crate::model::template::FileCommand;
use crate::ssh::Session;

/// Smaller files are sent again from the start when their transfer broke off.
const RESUMED_FROM: u64 = 8 * 1024 * 1024;

/// What of a broken transfer may be missing before its end: blocks are written in no order.
const RAGGED: u64 = 16 * 1024 * 1024;

/// A temporary file that has not been written to for so many seconds is worth a look.
const SETTLED: i64 = 5;

/// A transfer that has been silent for so many seconds has been given up: twice what one may be silent for.
const ABANDONED: i64 = 60;

/// How new content takes the place of old.
#[derive(Clone, Debug, Default)]
pub struct Placing {
    /// The old content is kept beside the new; its name ends in this and a `~`.
    pub backup: Option<String>,
    /// A shell command that must succeed before; `%s` in it stands for the new file.
    pub validate: Option<FileCommand>,
    /// A link in the target's place is followed.
    pub follow: bool,
    /// The new content is written into the file that is there.
    pub in_place: bool,
    /// Nothing is changed.
    pub dry_run: bool,
}

/// What is at a target.
#[derive(Clone, Debug)]
pub struct TargetStanding {
    /// What is there, links not followed.
    pub meta: Option<Meta>,
    /// What earlier transfers to it left, with their sizes.
    pub left: Vec<LeftOver>,
}

/// What a transfer that broke off left.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOver {
    size: u64,
    /// When it was last written to, by the host's clock.
    mtime: i64,
    path: Vec<u8>,
}

/// Looks at a target that a content of some size is to go to.
///
/// # Errors
///
/// The host does not tell.
pub async fn look_at_target<S: Session>(
    remote: &Remote<S>,
    target: &[u8],
    size: u64,
) -> Result<TargetStanding, Failure> {
    let (meta, left) = futures::join!(remote.look(target, false), left_over(remote, target, size));
    Ok(TargetStanding { meta: meta?, left })
}

/// A file to be put.
pub struct FileJob<'a> {
    /// The content.
    pub content: &'a Arc<Content>,
    /// Where it goes.
    pub target: &'a [u8],
    /// What is there, when that is known.
    pub standing: Option<TargetStanding>,
    /// What it is to be like.
    pub wanted: &'a WantedAttributes,
    /// How it gets there.
    pub placing: &'a Placing,
    /// Bytes of one host that may be on their way.
    pub in_flight: usize,
    /// Where it is counted.
    pub progress: &'a TransferProgress,
}

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilePut {
    /// Something on the host was changed, or would be.
    pub changed: bool,
    /// The content was sent, or would be.
    pub sent: bool,
    /// Bytes of it that an earlier transfer had left there.
    pub resumed: u64,
    /// The server renames only where nothing is: the old content was taken away before the new one was put there.
    pub in_two_steps: bool,
    /// The old content's new name.
    pub backup: Option<String>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Puts a file.
///
/// # Errors
///
/// It is not in place, and what was there before is; but for servers that rename in two steps only. A failure of the
/// kind [`Kind::ConnectionLost`] whose message speaks of the end may mean that it is in place.
pub async fn put_file<S: Session>(remote: &Remote<S>, job: &FileJob<'_>) -> Result<FilePut, Failure> {
    let Placed { target, before, over_link, left } = standing(remote, job).await?;
    let size = job.content.size();

    if before.is_some_and(|meta| meta.size() == Some(size))
        && let Some(there) = verify::digest_there(remote, &target, size).await?
        && there == job.content.digest().await?
    {
        return unchanged(remote, job, &target, before).await;
    }
    job.progress.expect(size);
    if job.placing.dry_run {
        return Ok(FilePut { changed: true, sent: true, ..FilePut::default() });
    }

    let mut done = FilePut { changed: true, sent: true, ..FilePut::default() };
    let temporary = remote.temporary(&target)?;
    let counted = {
        let arrived = async {
            let created = remote.create(&temporary).await?;
            let resumed = resume(remote, job, left, &temporary).await?;
            done.resumed = resumed.bytes;
            done.notes.extend(resumed.note);
            job.progress.moved(done.resumed);
            let outgoing = Outgoing {
                content: job.content,
                path: &temporary,
                created,
                from: done.resumed,
                attrs: attrs_of(&final_wanted(job, before)),
                in_flight: job.in_flight,
                progress: job.progress,
            };
            arrive(remote, outgoing).await
        };
        match arrived.await {
            Ok(counted) => counted,
            Err(failure) => return Err(remote.explained(&temporary, failure).await),
        }
    };
    job.content.unchanged()?;
    if !counted {
        verify::whole(remote, job.content, &temporary).await?;
    }
    let note = dress(remote, job, before, &temporary).await?;
    done.notes.extend(note);
    remote.has_modes(job.wanted.mode.is_some())?;
    if let Some(command) = &job.placing.validate {
        remote.validate(command, &temporary).await?;
    }
    if let (Some(ending), Some(_)) = (&job.placing.backup, before) {
        done.backup = Some(shown(&remote.back_up(&target, ending).await?));
    }
    if job.placing.in_place
        && let Some(before) = before
    {
        // In boxes of their own: what is rarely done should not make every put larger.
        Box::pin(remote.overwrite(&temporary, &target)).await?;
        Box::pin(verify::whole(remote, job.content, &target)).await?;
        // The file is the old one, and has its owner and mode.
        settle(remote, job.wanted, &target, &before, false).await?;
        return Ok(done);
    }
    if over_link {
        remote.learn_renaming(&target).await?;
    }
    if remote.replace(&temporary, &target).await? == Replaced::InTwoSteps {
        done.in_two_steps = true;
    }
    Ok(done)
}

/// The path that is to be replaced.
struct Placed {
    target: Vec<u8>,
    /// What is there.
    before: Option<Meta>,
    /// A link is there, which goes.
    over_link: bool,
    /// What earlier transfers to it left.
    left: Vec<LeftOver>,
}

async fn standing<S: Session>(remote: &Remote<S>, job: &FileJob<'_>) -> Result<Placed, Failure> {
    let size = job.content.size();
    let TargetStanding { meta, left } = match &job.standing {
        Some(known) => known.clone(),
        None => look_at_target(remote, job.target, size).await?,
    };
    let target = job.target.to_vec();
    match meta.map(|meta| meta.kind) {
        None | Some(MetaKind::File { .. }) => Ok(Placed { target, before: meta, over_link: false, left }),
        Some(MetaKind::Link) if job.placing.follow => {
            let target = remote.resolve(&target).await?;
            let TargetStanding { meta, left } = look_at_target(remote, &target, size).await?;
            match meta.map(|meta| meta.kind) {
                None | Some(MetaKind::File { .. }) => {
                    Ok(Placed { target, before: meta, over_link: false, left })
                }
                Some(other) => Err(in_the_way(&target, other)),
            }
        }
        // The link goes, what it points at stays.
        Some(MetaKind::Link) => Ok(Placed { target, before: None, over_link: true, left }),
        Some(other) => Err(in_the_way(&target, other)),
    }
}

fn in_the_way(path: &[u8], what: MetaKind) -> Failure {
    Failure::new(Kind::RemotePath, format!("{} is {}", shown(path), what.word()))
        .hint("a file cannot replace it: remove it first, or use another path")
}

/// Sends the content; tells whether the host has counted all of it meanwhile.
async fn arrive<S: Session>(remote: &Remote<S>, outgoing: Outgoing<'_>) -> Result<bool, Failure> {
    let (content, path) = (outgoing.content, outgoing.path);
    let (arrivals, told) = Arrivals::of(content);
    arrivals.note(0, outgoing.from);
    let sending = async move {
        // Owned here: its end tells that nothing more will arrive.
        let arrivals = arrivals;
        send(remote, outgoing, &arrivals).await
    };
    if content.pieces() > 1 && remote.sftp().is_some() {
        let counting = verify::pieces(remote, content, path, told);
        return futures::try_join!(sending, counting).map(|((), counted)| counted);
    }
    // The shell that will count what arrived is started meanwhile.
    let (sent, _shell) = futures::join!(sending, remote.shell());
    sent.map(|()| false)
}

/// The content is there; modes, owners and times may not be.
async fn unchanged<S: Session>(
    remote: &Remote<S>,
    job: &FileJob<'_>,
    target: &[u8],
    before: Option<Meta>,
) -> Result<FilePut, Failure> {
    let changed = match before {
        Some(before) => settle(remote, job.wanted, target, &before, job.placing.dry_run).await?,
        None => false,
    };
    remote.has_modes(job.wanted.mode.is_some())?;
    Ok(FilePut { changed, ..FilePut::default() })
}

/// Sets what is wanted of something and is not so; tells whether anything was, or would be.
pub async fn settle<S: Session>(
    remote: &Remote<S>,
    wanted: &WantedAttributes,
    path: &[u8],
    before: &Meta,
    dry_run: bool,
) -> Result<bool, Failure> {
    let mut missing = wanted.clone();
    missing.mode = wanted.mode.filter(|&mode| before.mode != Some(mode));
    missing.mtime = wanted.mtime.filter(|&mtime| before.mtime != Some(mtime));
    if (wanted.owner.is_some() || wanted.group.is_some()) && remote.is_owned(path, wanted).await? {
        (missing.owner, missing.group) = (None, None);
    }
    if missing.is_nothing() {
        return Ok(false);
    }
    if !dry_run {
        // A new owner takes setuid bits away.
        if missing.owner.is_some() || missing.group.is_some() {
            missing.mode = wanted.mode.or(before.mode);
        }
        remote.set(path, &missing).await?;
    }
    Ok(true)
}

/// What earlier transfers to a target left that a content of this size may begin with.
async fn left_over<S: Session>(remote: &Remote<S>, target: &[u8], size: u64) -> Vec<LeftOver> {
    let (folder, Some(name)) = split(target) else { return Vec::new() };
    if size < RESUMED_FROM {
        return Vec::new();
    }
    // A folder that may be written to and not be listed has nothing for us.
    let Ok(there) = remote.list(&folder).await else { return Vec::new() };
    let mut left: Vec<LeftOver> = there
        .into_iter()
        .filter(|(other, _)| is_temporary(other, &name))
        .filter_map(|(other, meta)| {
            Some(LeftOver { size: meta.size()?, mtime: meta.mtime?, path: child(&folder, &other) })
        })
        .filter(|left| (RESUMED_FROM / 2..=size).contains(&left.size))
        .collect();
    left.sort();
    left
}

/// What was taken over of an earlier transfer.
#[derive(Default)]
struct Resumed {
    bytes: u64,
    note: Option<String>,
}

/// Takes over what an earlier transfer left, as far as it is proven to be the beginning of this content.
///
/// It is copied on the host, and removed only when nobody can still be at it: it may be another run's, or another host's
/// where hosts share a disk.
async fn resume<S: Session>(
    remote: &Remote<S>,
    job: &FileJob<'_>,
    left: Vec<LeftOver>,
    temporary: &[u8],
) -> Result<Resumed, Failure> {
    let size = job.content.size();
    if left.is_empty() || remote.shell().await.is_err() {
        return Ok(Resumed::default());
    }
    // The host's clock, as it is now.
    let now = remote.look(temporary, false).await?.and_then(|meta| meta.mtime).unwrap_or_default();
    let block = u64::try_from(BLOCK).unwrap_or(u64::MAX);
    for LeftOver { size: length, mtime, path } in left.iter().rev().filter(|left| now - left.mtime >= SETTLED)
    {
        for proven in [*length, length.saturating_sub(RAGGED)] {
            let proven = if proven == size { proven } else { proven / block * block };
            if proven == 0 {
                continue;
            }
            let there = remote.digest_of_first(path, proven).await?;
            if there.is_none() || there != Some(job.content.digest_of_first(proven).await?) {
                continue;
            }
            if remote.copy_first(path, temporary, proven).await.is_err() {
                // It has gone meanwhile.
                break;
            }
            let mut note = None;
            if now - mtime >= ABANDONED {
                remote.adopt(path.clone());
                remote.discard(path).await;
            } else {
                note = Some(format!("{} is left from an interrupted transfer", shown(path)));
            }
            return Ok(Resumed { bytes: proven, note });
        }
    }
    Ok(Resumed::default())
}

/// Gives the new file the mode, owner and time that it is to have. Gives a word about what could not be kept.
async fn dress<S: Session>(
    remote: &Remote<S>,
    job: &FileJob<'_>,
    before: Option<Meta>,
    temporary: &[u8],
) -> Result<Option<String>, Failure> {
    let (mut note, mut moved) = (None, false);
    let wanted = job.wanted;
    let says_owner = wanted.owner.is_some() || wanted.group.is_some();
    if let (Some(Meta { owner: Some(old), .. }), false) = (before, says_owner) {
        let new = remote.look(temporary, false).await?.and_then(|meta| meta.owner);
        moved = new != Some(old);
        if moved && remote.give_to(temporary, old).await.is_err() {
            note = Some(format!("the owner {}:{} could not be kept", old.0, old.1));
        }
    }
    // Over SFTP it has the rest already; a new owner may have taken bits of it away.
    let was_given = says_owner || moved;
    if remote.sftp().is_none() || was_given {
        remote.set(temporary, &final_wanted(job, before)).await?;
    }
    Ok(note)
}

/// What the new file is to be like in the end.
fn final_wanted(job: &FileJob<'_>, before: Option<Meta>) -> WantedAttributes {
    let mode = job.wanted.mode.or(before.and_then(|meta| meta.mode)).unwrap_or(job.content.mode());
    WantedAttributes { mode: Some(mode), ..job.wanted.clone() }
}
