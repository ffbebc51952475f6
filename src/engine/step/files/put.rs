//! `put`, `sync`, `template` and `unarchive`: contents onto the host.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::engine::step::files::context::{Context, FilesDone};
use crate::engine::step::files::difference;
use crate::engine::step::files::texts::Texts;
use crate::event::Change;
use crate::files::archive::{ArchiveList, ArchiveSource, UnpackJob, Unpacked, list_here, unpack};
use crate::files::content::Content;
use crate::files::local::{self, SourceKind, WalkRules};
use crate::files::meta::MetaKind;
use crate::files::put::{
    FileJob, Placing, PutTree, TargetStanding, TreeJob, look_at_target, make_parents, put_file, put_tree,
};
use crate::files::remote::{Remote, WantedAttributes, child, is_folder, shown};
use crate::files::select::Selection;
use crate::model::count::counted;
use crate::model::files;
use crate::model::files::Links;
use crate::model::outcome::{Failure, Kind};
use crate::model::task;
use crate::model::value::{Value, Vars};
use crate::ssh::Session;

/// `put`, filled in.
pub(super) struct FilledPut {
    from: Vec<String>,
    base: PathBuf,
    to: Vec<u8>,
    wanted: WantedAttributes,
    folder_mode: Option<u32>,
    placing: Placing,
    selection: Selection,
    links: Links,
    times: bool,
}

impl FilledPut {
    pub(super) fn prepare(texts: &Texts<'_>, put: &files::Put) -> Result<Self, Failure> {
        Ok(Self {
            from: put.from.iter().map(|text| texts.local(text)).collect::<Result<_, _>>()?,
            base: texts.folder().to_owned(),
            to: texts.remote(&put.to)?,
            wanted: texts.wanted(&put.attributes)?,
            folder_mode: put.attributes.dir_mode.map(|mode| mode.0),
            placing: texts.placing(&put.install)?,
            selection: texts.selection(&put.tree)?,
            links: put.tree.links,
            times: put.tree.times,
        })
    }

    pub(super) async fn run<S: Session>(
        &self,
        context: &Context<'_>,
        remote: &Remote<S>,
    ) -> Result<FilesDone, Failure> {
        let (from, base) = (self.from.clone(), self.base.clone());
        let sources = off(move || local::sources(&from, &base).map_err(|errors| all_of(&errors))).await?;
        let mut tally = Tally::default();
        let (folder, standing) = self.goes_into(remote, &sources).await?;
        if folder && sources.iter().any(|source| !is_tree(source)) {
            // A path that ends in a slash is to be a folder.
            ensure_folder(remote, &self.to, context.dry_run).await?;
        }
        for source in &sources {
            let target = match (&source.kind, folder) {
                (SourceKind::Folder, _) if source.contents_only => trimmed(&self.to),
                (SourceKind::Folder, _) | (SourceKind::File { .. }, true) => {
                    child(&self.to, source.name.as_bytes())
                }
                (SourceKind::File { .. }, false) => self.to.clone(),
            };
            match source.kind {
                SourceKind::File { mtime, .. } => {
                    let place = Spot { target: &target, standing: standing.clone() };
                    self.file(context, remote, &source.path, mtime, place, &mut tally).await?;
                }
                SourceKind::Folder => {
                    let done = self.tree(context, remote, &source.path, &target).await?;
                    tally.tree(&target, done);
                }
            }
        }
        Ok(tally.done(context))
    }

    /// Whether the sources go into a folder at `to`, or one of them becomes it; and what is there, when that was asked.
    async fn goes_into<S: Session>(
        &self,
        remote: &Remote<S>,
        sources: &[local::UploadSource],
    ) -> Result<(bool, Option<TargetStanding>), Failure> {
        if self.to.ends_with(b"/") || sources.iter().all(is_tree) {
            return Ok((true, None));
        }
        let size = match sources {
            [local::UploadSource { kind: SourceKind::File { size, .. }, .. }] => *size,
            _ => 0,
        };
        let (there, standing) =
            futures::try_join!(remote.look(&self.to, true), look_at_target(remote, &self.to, size))?;
        if is_folder(there.as_ref()) {
            return Ok((true, None));
        }
        if sources.len() > 1 || sources.iter().any(|source| source.by_glob) {
            // A glob, too, however many match it today.
            let (count, to) = (sources.len(), shown(&self.to));
            let many = if count == 1 { "a glob".to_owned() } else { format!("{count} sources") };
            return Err(Failure::new(Kind::RemotePath, format!("{many}, and {to} is not a folder"))
                .hint(format!("write \"{to}/\" to create a folder")));
        }
        Ok((false, Some(standing)))
    }

    async fn file<S: Session>(
        &self,
        context: &Context<'_>,
        remote: &Remote<S>,
        path: &Path,
        mtime: i64,
        at: Spot<'_>,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let (shared, local, many) = (Arc::clone(context.shared), path.to_owned(), context.many);
        let content = off(move || {
            shared.content(&local, many).map_err(|error| {
                Failure::new(Kind::LocalIo, format!("cannot read {}: {error}", local.display()))
            })
        })
        .await?;
        let wanted = WantedAttributes { mtime: self.times.then_some(mtime), ..self.wanted.clone() };
        place(context, remote, &content, at, &wanted, &self.placing, tally).await
    }

    async fn tree<S: Session>(
        &self,
        context: &Context<'_>,
        remote: &Remote<S>,
        root: &Path,
        target: &[u8],
    ) -> Result<PutTree, Failure> {
        let walked = walk(root, &self.selection, self.links).await?;
        let job = TreeJob {
            root,
            walked: &walked,
            target,
            files: &self.wanted,
            folder_mode: self.folder_mode,
            times: self.times,
            delete: false,
            mirror: false,
            dry_run: context.dry_run,
            in_flight: context.in_flight,
            progress: context.progress,
        };
        put_tree(remote, &job).await
    }
}

/// `sync`, filled in.
pub(super) struct FilledSync {
    from: PathBuf,
    to: Vec<u8>,
    wanted: WantedAttributes,
    folder_mode: Option<u32>,
    selection: Selection,
    links: Links,
    times: bool,
    delete: bool,
}

impl FilledSync {
    pub(super) fn prepare(texts: &Texts<'_>, sync: &files::Sync) -> Result<Self, Failure> {
        Ok(Self {
            from: texts.folder().join(texts.local(&sync.from)?),
            to: trimmed(&texts.remote(&sync.to)?),
            wanted: texts.wanted(&sync.attributes)?,
            folder_mode: sync.attributes.dir_mode.map(|mode| mode.0),
            selection: texts.selection(&sync.tree)?,
            links: sync.tree.links,
            times: sync.tree.times,
            delete: sync.delete,
        })
    }

    pub(super) async fn run<S: Session>(
        &self,
        context: &Context<'_>,
        remote: &Remote<S>,
    ) -> Result<FilesDone, Failure> {
        if !self.from.is_dir() {
            return Err(Failure::new(Kind::LocalIo, format!("{} is not a folder", self.from.display())));
        }
        let walked = walk(&self.from, &self.selection, self.links).await?;
        let job = TreeJob {
            root: &self.from,
            walked: &walked,
            target: &self.to,
            files: &self.wanted,
            folder_mode: self.folder_mode,
            times: self.times,
            delete: self.delete,
            mirror: true,
            dry_run: context.dry_run,
            in_flight: context.in_flight,
            progress: context.progress,
        };
        let done = put_tree(remote, &job).await?;
        let mut tally = Tally::default();
        tally.tree(&self.to, done);
        Ok(tally.done(context))
    }
}

/// `template`, filled in.
pub(super) struct FilledTemplate {
    content: Arc<Content>,
    name: PathBuf,
    to: Vec<u8>,
    wanted: WantedAttributes,
    placing: Placing,
}

impl FilledTemplate {
    pub(super) fn prepare(texts: &Texts<'_>, file: &files::TemplateFile) -> Result<Self, Failure> {
        let path = texts.folder().join(texts.local(&file.from)?);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::new(Kind::LocalIo, format!("cannot read {}: {error}", path.display()))
        })?;
        let rendered = texts.file(&path, &text, file.tag_lines)?;
        let mode = std::fs::metadata(&path).map_or(0o644, |meta| {
            use std::os::unix::fs::PermissionsExt;
            meta.permissions().mode() & 0o777
        });
        Ok(Self {
            content: Arc::new(Content::of_bytes(&path, rendered, mode)),
            name: path,
            to: texts.remote(&file.to)?,
            wanted: texts.wanted(&file.attributes)?,
            placing: texts.placing(&file.install)?,
        })
    }

    pub(super) async fn run<S: Session>(
        &self,
        context: &Context<'_>,
        remote: &Remote<S>,
    ) -> Result<FilesDone, Failure> {
        let there = if self.to.ends_with(b"/") { None } else { remote.look(&self.to, true).await? };
        let into = self.to.ends_with(b"/") || is_folder(there.as_ref());
        let target =
            if into { child(&self.to, template_name(&self.name).as_bytes()) } else { self.to.clone() };
        if self.to.ends_with(b"/") {
            ensure_folder(remote, &self.to, context.dry_run).await?;
        }
        let mut tally = Tally::default();
        let at = Spot { target: &target, standing: None };
        place(context, remote, &self.content, at, &self.wanted, &self.placing, &mut tally).await?;
        Ok(tally.done(context))
    }
}

/// `unarchive`, filled in.
pub(super) struct FilledUnarchive {
    source: FilledSource,
    to: Vec<u8>,
    strip: usize,
    wanted: WantedAttributes,
    folder_mode: Option<u32>,
}

/// Where an archive is.
enum FilledSource {
    Here(PathBuf),
    There(Vec<u8>),
}

impl FilledUnarchive {
    pub(super) fn prepare(texts: &Texts<'_>, step: &task::Unarchive) -> Result<Self, Failure> {
        let task::Unarchive { from, to, remote, strip, attributes } = step;
        let source = if *remote {
            FilledSource::There(texts.remote(from)?)
        } else {
            FilledSource::Here(texts.folder().join(texts.local(from)?))
        };
        Ok(Self {
            source,
            to: trimmed(&texts.remote(to)?),
            strip: usize::try_from(*strip).unwrap_or(usize::MAX),
            wanted: texts.wanted(attributes)?,
            folder_mode: attributes.dir_mode.map(|mode| mode.0),
        })
    }

    pub(super) async fn run<S: Session>(
        &self,
        context: &Context<'_>,
        remote: &Remote<S>,
    ) -> Result<FilesDone, Failure> {
        let (content, list) = match &self.source {
            FilledSource::Here(path) => {
                let (shared, local, many) = (Arc::clone(context.shared), path.clone(), context.many);
                let content =
                    off(move || shared.content(&local, many).map_err(|error| unreadable(&local, &error)));
                (Some(content.await?), listed_here(context, path).await?)
            }
            FilledSource::There(_) => (None, None),
        };
        let source = match (&self.source, &content) {
            (FilledSource::There(path), _) => ArchiveSource::There(path),
            (FilledSource::Here(_), Some(content)) => ArchiveSource::Here(content),
            (FilledSource::Here(_), None) => return Err(Failure::new(Kind::Internal, "no archive")),
        };
        let job = UnpackJob {
            source,
            list,
            to: &self.to,
            strip: self.strip,
            wanted: &self.wanted,
            folder_mode: self.folder_mode,
            dry_run: context.dry_run,
            in_flight: context.in_flight,
            progress: context.progress,
        };
        let Unpacked { changed, unpacked, unchanged, unlisted } = unpack(remote, &job).await?;
        let would = if context.dry_run { "would be " } else { "" };
        let mut note = Vec::new();
        note.extend(unlisted.then(|| "would be sent and unpacked: nothing here reads its list".to_owned()));
        note.extend((unpacked > 0).then(|| format!("{unpacked} {would}unpacked")));
        note.extend((unchanged > 0).then(|| format!("{unchanged} unchanged")));
        let (bytes, _) = context.progress.now();
        let values = Vars::from_iter([
            ("unpacked".to_owned(), Value::from(unpacked)),
            ("unchanged".to_owned(), Value::from(unchanged)),
            ("bytes".to_owned(), Value::from(bytes)),
        ]);
        Ok(FilesDone { changed, values, note: note.join(", "), ..FilesDone::default() })
    }
}

/// The list of an archive of this machine, read once for all hosts.
async fn listed_here(context: &Context<'_>, path: &Path) -> Result<Option<Arc<ArchiveList>>, Failure> {
    type Listed = OnceCell<Result<Option<Arc<ArchiveList>>, Failure>>;
    let (shared, local) = (Arc::clone(context.shared), path.to_owned());
    let known =
        off(move || shared.known::<Listed>(&local).map_err(|error| unreadable(&local, &error))).await?;
    known.get_or_init(|| list_here(path)).await.clone()
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::LocalIo, format!("cannot read {}: {error}", path.display()))
}

/// The name that a template's file has when it is filled in: without `.j2`.
fn template_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.strip_suffix(".j2").or_else(|| name.strip_suffix(".tmpl")).map(str::to_owned).unwrap_or(name)
}

/// Where a content goes.
pub(super) struct Spot<'a> {
    pub(super) target: &'a [u8],
    /// What is there, when that is known.
    pub(super) standing: Option<TargetStanding>,
}

/// Puts one content in place, and notes what changed in it.
pub(super) async fn place<S: Session>(
    context: &Context<'_>,
    remote: &Remote<S>,
    content: &Arc<Content>,
    Spot { target, standing }: Spot<'_>,
    wanted: &WantedAttributes,
    placing: &Placing,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let before = if context.diff { difference::text_there(remote, target).await? } else { None };
    let job = FileJob {
        content,
        target,
        standing,
        wanted,
        placing,
        in_flight: context.in_flight,
        progress: context.progress,
    };
    let done = Box::pin(put_file(remote, &job)).await?;
    if context.diff && done.sent {
        tally.difference(&difference::of(target, before.as_deref(), content).await?);
    } else if context.diff && done.changed {
        tally.difference(&format!("~ {}\n", shown(target)));
    }
    tally.file(target, &done);
    Ok(())
}

/// What a step has done so far.
#[derive(Default)]
pub(super) struct Tally {
    sent: usize,
    unchanged: usize,
    removed: usize,
    other: usize,
    /// Of the unchanged ones, those whose mode, owner or time was not what it should be.
    settled: usize,
    settled_folders: usize,
    changes: Vec<String>,
    notes: Vec<String>,
    difference: String,
    backup: Option<String>,
    resumed: u64,
    in_two_steps: bool,
}

impl Tally {
    fn file(&mut self, target: &[u8], done: &crate::files::put::FilePut) {
        if done.sent {
            self.sent += 1;
        } else {
            self.unchanged += 1;
            self.other += usize::from(done.changed);
            self.settled += usize::from(done.changed);
        }
        if done.changed {
            self.changes.push(shown(target));
        }
        self.notes.extend(done.notes.iter().cloned());
        self.backup = done.backup.clone().or(self.backup.take());
        self.resumed += done.resumed;
        self.in_two_steps |= done.in_two_steps;
    }

    fn tree(&mut self, target: &[u8], done: PutTree) {
        self.sent += done.sent;
        self.unchanged += done.unchanged;
        self.removed += done.removed;
        self.other += done.other;
        self.settled += done.settled;
        self.settled_folders += done.settled_folders;
        self.in_two_steps |= done.in_two_steps;
        for (sign, path) in done.changes {
            let path = if path.is_root() { target.to_vec() } else { child(target, path.as_bytes()) };
            let change = format!("{sign} {}", shown(&path));
            self.difference += &format!("{change}\n");
            self.changes.push(change);
        }
        self.notes.extend(done.notes);
    }

    fn difference(&mut self, text: &str) {
        self.difference += text;
    }

    pub(super) fn done(self, context: &Context<'_>) -> FilesDone {
        let changed = self.sent + self.removed + self.other > 0;
        let (bytes, _) = context.progress.now();
        let mut note = Vec::new();
        let would = if context.dry_run { "would be " } else { "" };
        let count = |number: usize, what: &str| (number > 0).then(|| format!("{number} {would}{what}"));
        note.extend(count(self.sent, "sent"));
        note.extend(count(self.removed, "removed"));
        note.extend(count(self.settled + self.settled_folders, "given a new mode, owner or time"));
        let untouched = self.unchanged.saturating_sub(self.settled);
        note.extend((untouched > 0).then(|| format!("{untouched} unchanged")));
        if self.resumed > 0 {
            note.push(format!("resumed after {} of an interrupted transfer", counted(self.resumed, "byte")));
        }
        note.extend(self.backup.as_ref().map(|backup| format!("the old one is {backup}")));
        note.extend(
            self.in_two_steps
                .then(|| "not atomic: the server does not rename over an existing file".to_owned()),
        );
        note.extend(self.notes);
        let mut values = Vars::new();
        values.insert("sent".to_owned(), Value::from(self.sent));
        values.insert("unchanged".to_owned(), Value::from(self.unchanged));
        values.insert("removed".to_owned(), Value::from(self.removed));
        values.insert("bytes".to_owned(), Value::from(bytes));
        values.insert("changes".to_owned(), Value::from(self.changes));
        values.insert("atomic".to_owned(), Value::from(!self.in_two_steps));
        values.insert("resumed".to_owned(), Value::from(self.resumed));
        values.insert("backup".to_owned(), self.backup.map_or(Value::Null, Value::from));
        FilesDone {
            changed,
            would_change: Change::None,
            values,
            note: note.join(", "),
            difference: Some(self.difference).filter(|text| context.diff && !text.is_empty()),
            output: Vec::new(),
        }
    }
}

fn is_tree(source: &local::UploadSource) -> bool {
    matches!(source.kind, SourceKind::Folder)
}

/// A path without the slashes at its end.
pub(super) fn trimmed(path: &[u8]) -> Vec<u8> {
    let end = path.iter().rposition(|&byte| byte != b'/').map_or(1, |at| at + 1);
    path.get(..end.min(path.len())).unwrap_or_default().to_vec()
}

/// Makes a folder and those above it, unless they are there or nothing is to be made.
pub(super) async fn ensure_folder<S: Session>(
    remote: &Remote<S>,
    path: &[u8],
    dry_run: bool,
) -> Result<(), Failure> {
    let path = trimmed(path);
    match remote.look(&path, true).await? {
        Some(meta) if meta.kind == MetaKind::Folder => Ok(()),
        Some(meta) => Err(Failure::new(
            Kind::RemotePath,
            format!("{} is {}, not a folder", shown(&path), meta.kind.word()),
        )),
        None if dry_run => Ok(()),
        None => {
            make_parents(remote, &path).await?;
            remote.ensure_folder(&path, 0o755).await
        }
    }
}

async fn walk(root: &Path, selection: &Selection, links: Links) -> Result<local::Walked, Failure> {
    let (root, selection) = (root.to_owned(), selection.clone());
    off(move || {
        local::walk(&root, WalkRules { selection: &selection, links }).map_err(|error| {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Failure::new(Kind::LocalIo, format!("{error}{cause}"))
        })
    })
    .await
}

fn all_of(errors: &[local::SourceError]) -> Failure {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Failure::new(Kind::LocalIo, texts.join("; "))
}

/// Runs work that may wait for a disk, away from the threads that serve connections.
pub(super) async fn off<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Failure::new(Kind::Internal, format!("work on a local file failed: {error}")))
    })
}
