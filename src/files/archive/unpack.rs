//! Makes a folder of a host have what is in an archive: compares, unpacks into a folder of its own inside that folder,
//! compares what came out, puts it in place by renames, and compares once more.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::files::archive::entry::{
    ArchiveList, Archived, ArchivedKind, ContentProof, PointsTo, crc32, path_of,
};
use crate::files::archive::list::list;
use crate::files::archive::tools::{ArchiveTools, PATIENCE};
use crate::files::content::Content;
use crate::files::meta::{Meta, MetaKind};
use crate::files::progress::TransferProgress;
use crate::files::put::{FileJob, Placing, make_parents, put_file};
use crate::files::remote::{Remote, Script, WantedAttributes, child, is_folder, is_temporary, shown};
use crate::model::outcome::{Failure, Kind};
use crate::model::tree::TreePath;
use crate::ssh::Session;

/// Bytes of paths in one job.
const JOB_PATHS: usize = 128 * 1024;

/// Folders that are listed at a time.
const AT_A_TIME: usize = 16;

/// The name of the folder for what is not in place, before its random part.
const STAGE: &[u8] = b"unarchive";

/// An archive that is to be unpacked.
pub struct UnpackJob<'a> {
    /// The archive.
    pub source: ArchiveSource<'a>,
    /// Its list, when that is known.
    pub list: Option<Arc<ArchiveList>>,
    /// The folder.
    pub to: &'a [u8],
    /// How many names at the beginning of each path are left out.
    pub strip: usize,
    /// What its files are to be like, and its folders as to whose they are.
    pub wanted: &'a WantedAttributes,
    /// What folders are to be like.
    pub folder_mode: Option<u32>,
    /// Nothing is changed.
    pub dry_run: bool,
    /// Bytes of one host that may be on their way.
    pub in_flight: usize,
    /// Where it is counted.
    pub progress: &'a TransferProgress,
}

/// Where an archive is.
pub enum ArchiveSource<'a> {
    /// On this machine.
    Here(&'a Arc<Content>),
    /// On the host.
    There(&'a [u8]),
}

/// What became of an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Something on the host was changed, or would be.
    pub changed: bool,
    /// Paths that were put in place, or would be.
    pub unpacked: usize,
    /// Paths that were as the archive has them.
    pub unchanged: usize,
    /// How many there are is not known: nothing could read the list, and nothing was to be sent.
    pub unlisted: bool,
}

/// Something that is to stand at a path of the host.
struct UnpackedItem<'a> {
    entry: &'a Archived,
    /// Its path among what comes out of the archive.
    from: &'a TreePath,
    /// Its path in the destination.
    to: TreePath,
}

/// How a folder of the host differs from what is to be there.
#[derive(Default)]
struct Comparison {
    /// Numbers of the items that are not there as they are to be.
    different: Vec<usize>,
    there: HashMap<TreePath, Meta>,
}

/// How much is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// All that tells contents apart.
    Content,
    /// Types and sizes.
    Size,
}

/// Unpacks an archive where the folder is not as it has it.
///
/// # Errors
///
/// What was there before is, unless some of it was being put in place. A failure of the kind [`Kind::ConnectionLost`] may
/// mean that it is in place.
pub async fn unpack<S: Session>(remote: &Remote<S>, job: &UnpackJob<'_>) -> Result<Unpacked, Failure> {
    job.run(remote).await
}

impl UnpackJob<'_> {
    async fn run<S: Session>(&self, remote: &Remote<S>) -> Result<Unpacked, Failure> {
        let standing = remote.look(self.to, true).await?;
        if let Some(meta) = standing.filter(|meta| meta.kind != MetaKind::Folder) {
            let message = format!("{} is {}, not a folder", shown(self.to), meta.kind.word());
            return Err(Failure::new(Kind::RemotePath, message));
        }
        let known = match (&self.list, &self.source) {
            (None, ArchiveSource::There(path)) => Some(Arc::new(list(remote.shell().await?, path).await?)),
            (list, _) => list.clone(),
        };
        if let Some(list) = &known {
            let items = self.items(list)?;
            let found = compare(remote, self.to, &items, Depth::Content).await?;
            if found.different.is_empty() && standing.is_some() {
                let changed = self.settle(remote, &items, &found, self.dry_run).await?;
                return Ok(told(changed, &items, 0));
            }
            if self.dry_run {
                // What it takes is asked for now as well.
                ArchiveTools::of(remote.shell().await?).await?.reader(list.format)?;
                return Ok(told(true, &items, found.different.len()));
            }
        } else if self.dry_run {
            return Ok(Unpacked { changed: true, unlisted: true, ..Unpacked::default() });
        }
        self.unpack(remote, known, standing.is_none()).await
    }

    /// Sends the archive, unpacks it beside what is there, and puts in place what differs.
    async fn unpack<S: Session>(
        &self,
        remote: &Remote<S>,
        known: Option<Arc<ArchiveList>>,
        new: bool,
    ) -> Result<Unpacked, Failure> {
        let shell = remote.shell().await?;
        let tools = ArchiveTools::of(shell).await?;
        if let Some(list) = &known {
            tools.reader(list.format)?;
        }
        if new {
            make_parents(remote, self.to).await?;
            remote.ensure_folder(self.to, 0o755).await?;
        }
        // What an earlier run left when it was interrupted.
        for (name, _) in remote.list(self.to).await? {
            if is_temporary(&name, STAGE) {
                // What it started may still be unpacking there, and lets the folder not be emptied: the next run does.
                match remote.remove_all(&child(self.to, &name)).await {
                    Err(failure) if failure.kind.is_loss() => return Err(failure),
                    Ok(()) | Err(_) => {}
                }
            }
        }
        let stage = remote.temporary(&child(self.to, STAGE))?;
        remote.make_folder(&stage, 0o700).await?;
        let archive = match self.source {
            ArchiveSource::There(path) => path.to_vec(),
            ArchiveSource::Here(content) => {
                let target = child(&stage, b"archive");
                let job = FileJob {
                    content,
                    target: &target,
                    standing: None,
                    wanted: &WantedAttributes { mode: Some(0o600), ..WantedAttributes::default() },
                    placing: &Placing::default(),
                    in_flight: self.in_flight,
                    progress: self.progress,
                };
                put_file(remote, &job).await?;
                target
            }
        };
        let list = match (known, &self.source) {
            (None, _) => Arc::new(list(shell, &archive).await?),
            (Some(known), ArchiveSource::Here(_)) if tools.reader(known.format)?.trusts_archives() => {
                // Headers may say one thing to the program that listed it here, and another to this one.
                list(shell, &archive).await?;
                known
            }
            (Some(known), _) => known,
        };
        let items = self.items(&list)?;
        let tree = child(&stage, b"tree");
        remote.make_folder(&tree, 0o700).await?;
        let reader = tools.reader(list.format)?;
        let unpacking = reader.script(list.format, &archive, Some(&tree));
        remote.work("cannot unpack the archive", &unpacking, PATIENCE).await?;
        let out: Vec<UnpackedItem<'_>> = list
            .entries
            .iter()
            .map(|(path, entry)| UnpackedItem { entry, from: path, to: path.clone() })
            .collect();
        let came = compare(remote, &tree, &out, Depth::Content).await?;
        if let Some(item) = came.different.first().and_then(|&number| out.get(number)) {
            let message =
                format!("{} did not come out of the archive as it lists it", shown(item.from.as_bytes()));
            let hint = "the archive is broken, or its reader there keeps not all names (unzip): bsdtar does";
            return Err(Failure::new(Kind::VerifyFailed, message).hint(hint));
        }
        let found = compare(remote, self.to, &items, Depth::Content).await?;
        self.place(remote, &tree, &items, &found).await?;
        let mut placed = compare(remote, self.to, &items, Depth::Size).await?;
        if let Some(item) = placed.different.first().and_then(|&number| items.get(number)) {
            let message = format!("{} is not there as the archive has it", shown(&self.at(&item.to)));
            return Err(Failure::new(Kind::VerifyFailed, message));
        }
        if new {
            placed.there.entry(TreePath::root()).or_insert(Meta {
                kind: MetaKind::Folder,
                mode: Some(0o755),
                owner: None,
                mtime: None,
            });
        }
        self.settle(remote, &items, &placed, false).await?;
        remote.work("cannot remove what was unpacked", &Script::new("rm -rf").path(&stage), PATIENCE).await?;
        remote.settled(&stage);
        Ok(told(true, &items, found.different.len()))
    }

    fn at(&self, path: &TreePath) -> Vec<u8> {
        if path.is_root() { self.to.to_vec() } else { child(self.to, path.as_bytes()) }
    }

    /// What is to stand where, each folder before what is in it.
    fn items<'a>(&self, list: &'a ArchiveList) -> Result<Vec<UnpackedItem<'a>>, Failure> {
        let mut items: BTreeMap<TreePath, UnpackedItem<'a>> = BTreeMap::new();
        for (from, entry) in &list.entries {
            let names: Vec<&[u8]> = from.names().collect();
            let Some(kept) = names.get(self.strip..).filter(|kept| !kept.is_empty()) else { continue };
            let to = path_of(kept)?;
            let is_folder = entry.kind == ArchivedKind::Folder;
            if let Some(other) =
                items.get(&to).filter(|other| !is_folder || other.entry.kind != ArchivedKind::Folder)
            {
                let (one, two) = (shown(other.from.as_bytes()), shown(from.as_bytes()));
                let message =
                    format!("{one} and {two} are the same path without their first {} names", self.strip);
                return Err(Failure::new(Kind::UnsafeName, message));
            }
            items.insert(to.clone(), UnpackedItem { entry, from, to });
        }
        Ok(items.into_values().collect())
    }

    /// Puts in place what differs, by renames: nobody sees half a file.
    async fn place<S: Session>(
        &self,
        remote: &Remote<S>,
        tree: &[u8],
        items: &[UnpackedItem<'_>],
        found: &Comparison,
    ) -> Result<(), Failure> {
        let begin = || Script::new(PLACE);
        let (mut script, mut size) = (begin(), 0);
        for item in found.different.iter().filter_map(|&number| items.get(number)) {
            let to = self.at(&item.to);
            size += 2 * (to.len() + item.from.as_bytes().len()) + 32;
            script = match &item.entry.kind {
                ArchivedKind::Folder => {
                    let mode = self.folder_mode.unwrap_or(item.entry.mode & 0o755 | 0o700);
                    script.text(&format!("folder {mode:o}")).path(&to).text("\n")
                }
                ArchivedKind::File { .. } => {
                    let mode = self.wanted.mode.map_or_else(|| "-".to_owned(), |mode| format!("{mode:o}"));
                    let from = child(tree, item.from.as_bytes());
                    script.text(&format!("place {mode}")).path(&from).path(&to).text("\n")
                }
                ArchivedKind::Link(_) => {
                    script.text("place -").path(&child(tree, item.from.as_bytes())).path(&to).text("\n")
                }
            };
            if size > JOB_PATHS {
                remote.work_in_place("cannot put in place", &script, PATIENCE).await?;
                (script, size) = (begin(), 0);
            }
        }
        if size > 0 {
            remote.work_in_place("cannot put in place", &script, PATIENCE).await?;
        }
        Ok(())
    }

    /// Sees to modes and owners of what stands; tells whether anything was changed, or would be.
    async fn settle<S: Session>(
        &self,
        remote: &Remote<S>,
        items: &[UnpackedItem<'_>],
        found: &Comparison,
        dry_run: bool,
    ) -> Result<bool, Failure> {
        let mut changed = false;
        for (mode, folders) in [(self.wanted.mode, false), (self.folder_mode, true)] {
            let Some(mode) = mode else { continue };
            let other = items.iter().filter(|item| {
                let meta = found.there.get(&item.to);
                let fits = matches!(
                    (&item.entry.kind, folders),
                    (ArchivedKind::Folder, true) | (ArchivedKind::File { .. }, false)
                );
                fits && meta.is_some_and(|meta| meta.mode != Some(mode))
            });
            let paths: Vec<Vec<u8>> = other.map(|item| self.at(&item.to)).collect();
            changed |= !paths.is_empty();
            if !dry_run {
                for_each(remote, "cannot set modes", &format!("chmod {mode:o}"), &paths, "|| exit 1\n")
                    .await?;
            }
        }
        let WantedAttributes { mode: _, owner, group, mtime: _ } = self.wanted;
        if owner.is_none() && group.is_none() {
            return Ok(changed);
        }
        let ours: BTreeSet<&TreePath> = items.iter().map(|item| &item.to).collect();
        let there = found.there.keys().filter(|path| path.is_root() || ours.contains(path));
        let paths: Vec<Vec<u8>> = there.map(|path| self.at(path)).collect();
        let test = |flag: &str, who: &Option<String>| {
            who.as_ref().map(|who| Script::new(&format!("! {flag}")).word(who.as_bytes()))
        };
        let tests: Vec<Script> =
            [test("-user", owner), test("-group", group)].into_iter().flatten().collect();
        let tests = tests.iter().map(|test| String::from_utf8_lossy(test.bytes()).into_owned());
        let tests = tests.collect::<Vec<_>>().join(" -o ");
        let behind = format!("-prune \\( {tests} \\) -exec echo x \\; || exit 1\n");
        let others = for_each(remote, "cannot look at owners", "find", &paths, &behind).await?;
        if others.is_empty() {
            return Ok(changed);
        }
        if !dry_run {
            let whose = format!(
                "{}{}",
                owner.as_deref().unwrap_or_default(),
                group.as_ref().map(|group| format!(":{group}")).unwrap_or_default()
            );
            let chown = Script::new("chown -h").word(whose.as_bytes());
            let chown = String::from_utf8_lossy(chown.bytes()).into_owned();
            for_each(remote, "cannot change owners", &chown, &paths, "|| exit 1\n").await?;
        }
        Ok(true)
    }
}

/// `place MODE FROM TO`, `folder MODE PATH`. A link in the way is replaced and never gone through: mv would.
const PLACE: &str = r#"place() {
  if [ -L "$3" ]; then rm -f "$3" || exit 1
  elif [ -d "$3" ]; then printf '%s\n' "$3 is a folder"; exit 1; fi
  [ "$1" = - ] || chmod "$1" "$2" || exit 1
  mv -f "$2" "$3" || exit 1
}
folder() {
  if [ -L "$2" ]; then printf '%s\n' "$2 is a link"; exit 1; fi
  [ -d "$2" ] || mkdir -m "$1" "$2" || exit 1
}
"#;

/// Runs a command with paths behind it, as many at a time as a job holds; gives all that it printed.
async fn for_each<S: Session>(
    remote: &Remote<S>,
    what: &str,
    command: &str,
    paths: &[Vec<u8>],
    behind: &str,
) -> Result<Vec<u8>, Failure> {
    let mut output = Vec::new();
    // Short enough for one command line of any system.
    for paths in paths.chunks(64) {
        let script = paths.iter().fold(Script::new(command), |script, path| script.path(path));
        output.extend_from_slice(&remote.work(what, &script.text(behind), PATIENCE).await?);
    }
    Ok(output)
}

fn told(changed: bool, items: &[UnpackedItem<'_>], unpacked: usize) -> Unpacked {
    Unpacked { changed, unpacked, unchanged: items.len() - unpacked, unlisted: false }
}

/// Compares a folder of the host with what is to be in it.
///
/// # Errors
///
/// Something of another type is in the way, or the host does not tell.
async fn compare<S: Session>(
    remote: &Remote<S>,
    root: &[u8],
    items: &[UnpackedItem<'_>],
    depth: Depth,
) -> Result<Comparison, Failure> {
    let at = |path: &TreePath| if path.is_root() { root.to_vec() } else { child(root, path.as_bytes()) };
    let folders: BTreeSet<&TreePath> =
        items.iter().filter(|item| item.entry.kind == ArchivedKind::Folder).map(|item| &item.to).collect();
    let mut there = HashMap::new();
    let begins = is_folder(remote.look(root, true).await?.as_ref());
    let mut level: Vec<TreePath> = begins.then(TreePath::root).into_iter().collect();
    while !level.is_empty() {
        let lists = level.iter().map(|folder| {
            let path = at(folder);
            async move { Ok::<_, Failure>((folder, remote.list(&path).await?)) }.boxed()
        });
        let lists = stream::iter(lists.collect::<Vec<_>>()).buffered(AT_A_TIME);
        let lists: Vec<_> = lists.try_collect().await?;
        let mut next = Vec::new();
        for (folder, names) in lists {
            for (name, meta) in names {
                let Ok(path) = folder.join(&name) else { continue };
                if meta.kind == MetaKind::Folder && folders.contains(&path) {
                    next.push(path.clone());
                }
                there.insert(path, meta);
            }
        }
        level = next;
    }
    let mut different = Vec::new();
    let (mut summed, mut linked) = (Vec::new(), Vec::new());
    for (number, item) in items.iter().enumerate() {
        let Some(meta) = there.get(&item.to) else {
            different.push(number);
            continue;
        };
        let in_the_way = |what: &str| {
            let message =
                format!("{} is {}, and the archive has {what} there", shown(&at(&item.to)), meta.kind.word());
            Err(Failure::new(Kind::RemotePath, message).hint("remove it first: `file` with `state: absent`"))
        };
        match (&item.entry.kind, meta.kind) {
            (ArchivedKind::Folder, MetaKind::Folder) => {}
            (ArchivedKind::Folder, _) => return in_the_way("a folder"),
            (_, MetaKind::Folder | MetaKind::Special) => return in_the_way("a file or a link"),
            (ArchivedKind::File { size, proof }, MetaKind::File { size: now }) if *size == now => {
                match (depth, proof) {
                    (Depth::Size, _) => {}
                    (Depth::Content, ContentProof::Time(due)) if meta.mtime == Some(*due) => {}
                    (Depth::Content, ContentProof::Time(_)) => different.push(number),
                    (Depth::Content, ContentProof::Sum(sum)) => summed.push((number, *sum)),
                }
            }
            (ArchivedKind::Link(target), MetaKind::Link) => linked.push((number, target)),
            (ArchivedKind::File { .. } | ArchivedKind::Link(_), _) => different.push(number),
        }
    }
    for (number, target) in linked {
        let Some(item) = items.get(number) else { continue };
        let same = match target {
            PointsTo::Said(target) => remote.points_to(&at(&item.to), target).await?,
            PointsTo::Sum(sum) => crc32(&remote.link_target(&at(&item.to)).await?) == *sum,
        };
        if !same {
            different.push(number);
        }
    }
    for batch in summed.chunks(64) {
        let paths: Vec<Vec<u8>> =
            batch.iter().filter_map(|(number, _)| items.get(*number)).map(|item| at(&item.to)).collect();
        let sums = sums(remote, &paths).await?;
        let others = batch.iter().zip(sums).filter(|((_, due), now)| due != now);
        different.extend(others.map(|((number, _), _)| *number));
    }
    different.sort_unstable();
    Ok(Comparison { different, there })
}

/// CRC-32 of files: gzip keeps it behind what it writes (RFC 1952, 2.3.1).
async fn sums<S: Session>(remote: &Remote<S>, paths: &[Vec<u8>]) -> Result<Vec<u32>, Failure> {
    let begin = "sum() { gzip -1c <\"$1\" | tail -c 8 | head -c 4; }\n\
                 command -v gzip >/dev/null || { echo 'no gzip there: install the package gzip'; exit 1; }\n";
    let script = paths
        .iter()
        .fold(Script::new(begin), |script, path| script.text("sum").path(path).text("|| exit 1\n"));
    let output = remote.work("cannot sum up files", &script, PATIENCE).await?;
    let (sums, rest) = output.as_chunks::<4>();
    if sums.len() != paths.len() || !rest.is_empty() {
        return Err(Failure::new(Kind::VerifyFailed, "the host summed up other files than it was asked to"));
    }
    Ok(sums.iter().map(|sum| u32::from_le_bytes(*sum)).collect())
}
