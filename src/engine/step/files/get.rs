//! `get`: contents of the host onto this machine.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::engine::step::files::context::{Context, FilesDone};
use crate::engine::step::files::put::off;
use crate::engine::step::files::texts::Texts;
use crate::event::Change;
use crate::files::get::{FoundPath, GetJob, GetTreeJob, Got, find, get_file, get_tree};
use crate::files::local::Destination;
use crate::files::meta::MetaKind;
use crate::files::remote::{Remote, shown};
use crate::files::select::Selection;
use crate::model::files;
use crate::model::files::Links;
use crate::model::outcome::{Failure, Kind};
use crate::model::tree::TreePath;
use crate::model::value::{Value, Vars};
use crate::ssh::Session;

/// `get`, filled in.
pub(super) struct FilledGet {
    from: Vec<Vec<u8>>,
    to: PathBuf,
    /// `to` ends in a slash.
    to_folder: bool,
    selection: Selection,
    links: Links,
    times: bool,
}

/// Where one thing goes.
struct GetPlace {
    folder: PathBuf,
    at: TreePath,
}

impl GetPlace {
    fn path(&self) -> PathBuf {
        self.folder.join(Path::new(OsStr::from_bytes(self.at.as_bytes())))
    }

    /// The same as seen from the nearest folder that is there. None for what cannot be said so: `..` on the way.
    fn seen_from_what_is_there(&self) -> Option<Self> {
        let mut folder = self.folder.as_path();
        let mut below = Vec::new();
        while !folder.is_dir()
            && let (Some(above), Some(name)) = (folder.parent(), folder.file_name())
        {
            below.push(name.as_bytes());
            folder = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        }
        let mut names = below.into_iter().rev().chain(self.at.names());
        let at = names.try_fold(TreePath::root(), |path, name| path.join(name)).ok()?;
        Some(Self { folder: folder.to_owned(), at })
    }
}

impl FilledGet {
    pub(super) fn prepare(texts: &Texts<'_>, get: &files::Get) -> Result<Self, Failure> {
        let to = texts.local(&get.to)?;
        Ok(Self {
            from: get.from.iter().map(|text| texts.remote(text)).collect::<Result<_, _>>()?,
            to: texts.folder().join(&to),
            to_folder: to.ends_with('/'),
            selection: texts.selection(&get.tree)?,
            links: get.tree.links,
            times: get.tree.times,
        })
    }

    pub(super) async fn run<S: Session>(
        &self,
        context: &Context<'_>,
        remote: &Remote<S>,
    ) -> Result<FilesDone, Failure> {
        let mut found = Vec::new();
        for text in &self.from {
            found.extend(find(remote, text).await?);
        }
        let is_folder = self.to_folder || self.to.is_dir();
        let several = found.len() > 1 || found.iter().any(|found| found.by_glob);
        if several && !is_folder && found.iter().any(|found| found.meta.kind != MetaKind::Folder) {
            // A glob, too, however many match it today.
            let (count, to) = (found.len(), self.to.display());
            let many = if count == 1 { "a glob".to_owned() } else { format!("{count} files") };
            return Err(Failure::new(Kind::LocalIo, format!("{many}, and {to} is not a folder"))
                .hint(format!("write \"{to}/\" to create a folder")));
        }
        let (mut came, mut unchanged, mut notes, mut paths) = (0, 0, Vec::new(), Vec::new());
        for found in &found {
            let place = self.place(found, is_folder)?;
            let path = place.path();
            context.shared.claim(&path, context.host)?;
            let (folder, at) = destination(place, context.dry_run).await?;
            match found.meta.kind {
                MetaKind::File { size } => {
                    let job = GetJob {
                        path: &found.path,
                        size,
                        mode: found.meta.mode,
                        mtime: found.meta.mtime.filter(|_| self.times),
                        folder: &folder,
                        at: &at,
                        dry_run: context.dry_run,
                        in_flight: context.in_flight,
                        progress: context.progress,
                    };
                    match get_file(remote, &job).await? {
                        Got::New => came += 1,
                        Got::Same => unchanged += 1,
                    }
                }
                MetaKind::Folder => {
                    let job = GetTreeJob {
                        path: &found.path,
                        folder: &folder,
                        at: &at,
                        selection: &self.selection,
                        links: self.links,
                        times: self.times,
                        dry_run: context.dry_run,
                        in_flight: context.in_flight,
                        progress: context.progress,
                    };
                    let tree = get_tree(remote, &job).await?;
                    came += tree.came;
                    unchanged += tree.unchanged;
                    notes.extend(tree.notes);
                }
                MetaKind::Link | MetaKind::Special => {
                    notes.push(format!("left out: {} is {}", shown(&found.path), found.meta.kind.word()));
                }
            }
            paths.push(Value::from(path.display().to_string()));
        }
        let (bytes, _) = context.progress.now();
        let would = if context.dry_run { " would be fetched" } else { " got" };
        let mut note = Vec::new();
        note.extend((came > 0).then(|| format!("{came}{would}")));
        note.extend((unchanged > 0).then(|| format!("{unchanged} unchanged")));
        note.extend(notes);
        let values = Vars::from_iter([
            ("got".to_owned(), Value::from(came)),
            ("unchanged".to_owned(), Value::from(unchanged)),
            ("bytes".to_owned(), Value::from(bytes)),
            ("paths".to_owned(), Value::Array(paths)),
        ]);
        // Nothing on the host was changed.
        let would_change = if context.dry_run && came > 0 { Change::Certain } else { Change::None };
        Ok(FilesDone { changed: false, would_change, values, note: note.join(", "), ..FilesDone::default() })
    }

    fn place(&self, found: &FoundPath, is_folder: bool) -> Result<GetPlace, Failure> {
        let inside = |folder: &Path, name: &[u8]| {
            let at = TreePath::root().join(name).map_err(|why| {
                Failure::new(Kind::UnsafeName, format!("the name of {} {why}", shown(&found.path)))
            })?;
            Ok(GetPlace { folder: folder.to_owned(), at })
        };
        match (&found.meta.kind, &found.name) {
            (MetaKind::Folder, Some(name)) if !found.contents_only => inside(&self.to, name),
            (MetaKind::Folder, _) => Ok(GetPlace { folder: self.to.clone(), at: TreePath::root() }),
            (_, Some(name)) if is_folder => inside(&self.to, name),
            _ => {
                let name = self.to.file_name().map(OsStr::as_bytes).unwrap_or_default();
                let folder = self.to.parent().filter(|folder| !folder.as_os_str().is_empty());
                inside(folder.unwrap_or(Path::new(".")), name)
            }
        }
    }
}

/// Opens a place's folder, made if need be. When nothing is to be made, the nearest one that is there stands for it.
async fn destination(place: GetPlace, dry_run: bool) -> Result<(Destination, TreePath), Failure> {
    off(move || {
        let (place, opened) = if dry_run {
            let place = place.seen_from_what_is_there().unwrap_or(place);
            let opened = Destination::open(&place.folder);
            (place, opened)
        } else {
            let opened = Destination::open_or_make(&place.folder);
            (place, opened)
        };
        let folder = opened.map_err(|error| {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Failure::new(Kind::LocalIo, format!("{error}{cause}"))
        })?;
        Ok((folder, place.at))
    })
    .await
}
