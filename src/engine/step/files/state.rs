//! `file`, `stat` and `ls`: what is at a path of the host.

use serde_json::json;

use crate::engine::step::files::context::{Context, FilesDone};
use crate::engine::step::files::put::{ensure_folder, trimmed};
use crate::engine::step::files::texts::Texts;
use crate::files::meta::{Meta, MetaKind};
use crate::files::put::settle;
use crate::files::remote::{LONGEST_TOLD, Remote, WantedAttributes, child, is_folder, shown, split};
use crate::model::files;
use crate::model::outcome::{Failure, Kind};
use crate::model::text::beginning;
use crate::model::time::rfc3339;
use crate::model::value::{Value, Vars};
use crate::ssh::Session;

/// `file`, filled in.
pub(super) struct File {
    path: Vec<u8>,
    state: PathState,
    wanted: WantedAttributes,
}

enum PathState {
    Present,
    Absent { recurse: bool },
    Directory,
    Link { target: Vec<u8> },
}

impl File {
    pub(super) fn prepare(texts: &Texts<'_>, file: &files::FileStep) -> Result<Self, Failure> {
        let state = match &file.state {
            files::FileState::Present => PathState::Present,
            files::FileState::Absent { recurse } => PathState::Absent { recurse: *recurse },
            files::FileState::Directory => PathState::Directory,
            files::FileState::Link { target } => PathState::Link { target: texts.text(target)?.into_bytes() },
        };
        let mut wanted = texts.wanted(&file.attributes)?;
        if let (PathState::Directory, Some(mode)) = (&state, file.attributes.dir_mode) {
            wanted.mode = Some(mode.0);
        }
        Ok(Self { path: trimmed(&texts.remote(&file.path)?), state, wanted })
    }

    pub(super) async fn run<S: Session>(
        &self,
        context: &Context<'_>,
        remote: &Remote<S>,
    ) -> Result<FilesDone, Failure> {
        let changed = self.work(context, remote).await?;
        remote.has_modes(self.wanted.mode.is_some())?;
        Ok(FilesDone { changed, ..FilesDone::default() })
    }

    /// Sees to it, and tells whether anything was changed, or would be.
    async fn work<S: Session>(&self, context: &Context<'_>, remote: &Remote<S>) -> Result<bool, Failure> {
        match &self.state {
            PathState::Present => self.present(context, remote).await,
            PathState::Absent { recurse } => self.absent(context, remote, *recurse).await,
            PathState::Directory => self.directory(context, remote).await,
            PathState::Link { target } => self.link(context, remote, target).await,
        }
    }

    async fn present<S: Session>(&self, context: &Context<'_>, remote: &Remote<S>) -> Result<bool, Failure> {
        let (path, there) = self.followed(remote).await?;
        match there {
            Some(meta) if meta.size().is_some() => {
                settle(remote, &self.wanted, &path, &meta, context.dry_run).await
            }
            Some(meta) => Err(self.other(&meta, "a file")),
            None if context.dry_run => Ok(true),
            None => {
                remote.make_file(&self.path).await?;
                let mode = self.wanted.mode.or(Some(0o644));
                remote.set(&self.path, &WantedAttributes { mode, ..self.wanted.clone() }).await?;
                Ok(true)
            }
        }
    }

    async fn absent<S: Session>(
        &self,
        context: &Context<'_>,
        remote: &Remote<S>,
        recurse: bool,
    ) -> Result<bool, Failure> {
        if split(&self.path).1.is_none() {
            let message = format!("{} is never removed", shown(&self.path));
            return Err(Failure::new(Kind::RemotePath, message));
        }
        let Some(meta) = remote.look(&self.path, false).await? else { return Ok(false) };
        if context.dry_run {
            return Ok(true);
        }
        match meta.kind {
            MetaKind::Folder if recurse => remote.remove_all(&self.path).await?,
            MetaKind::Folder => {
                if !remote.list(&self.path).await?.is_empty() {
                    let message = format!("the folder {} is not empty", shown(&self.path));
                    let failure = Failure::new(Kind::RemotePath, message);
                    return Err(failure.hint("`recurse: true` removes its contents too"));
                }
                remote.remove_folder(&self.path).await?;
            }
            MetaKind::File { .. } | MetaKind::Link | MetaKind::Special => remote.remove(&self.path).await?,
        }
        Ok(true)
    }

    async fn directory<S: Session>(
        &self,
        context: &Context<'_>,
        remote: &Remote<S>,
    ) -> Result<bool, Failure> {
        let (path, there) = self.followed(remote).await?;
        match there {
            Some(meta) if is_folder(Some(&meta)) => {
                settle(remote, &self.wanted, &path, &meta, context.dry_run).await
            }
            Some(meta) => Err(self.other(&meta, "a folder")),
            None if context.dry_run => Ok(true),
            None => {
                ensure_folder(remote, &self.path, false).await?;
                remote.set(&self.path, &self.wanted).await?;
                Ok(true)
            }
        }
    }

    async fn link<S: Session>(
        &self,
        context: &Context<'_>,
        remote: &Remote<S>,
        target: &[u8],
    ) -> Result<bool, Failure> {
        let there = remote.look(&self.path, false).await?;
        match there {
            // A file's content would be lost.
            Some(meta) if meta.kind != MetaKind::Link => return Err(self.other(&meta, "a link")),
            Some(_) if remote.points_to(&self.path, target).await? => return Ok(false),
            Some(_) | None => {}
        }
        if !context.dry_run {
            remote.place_link(target, &self.path).await?;
        }
        Ok(true)
    }

    /// What is at the path, and where it really is: owner, mode and times are those of what a link leads to, and a change
    /// of the link itself would not be one of it.
    async fn followed<S: Session>(&self, remote: &Remote<S>) -> Result<(Vec<u8>, Option<Meta>), Failure> {
        let there = remote.look(&self.path, false).await?;
        if there.is_none_or(|meta| meta.kind != MetaKind::Link) {
            return Ok((self.path.clone(), there));
        }
        match remote.look(&self.path, true).await? {
            Some(meta) => Ok((remote.resolve(&self.path).await?, Some(meta))),
            None => {
                let target = beginning(&remote.link_target(&self.path).await?, LONGEST_TOLD);
                let message = format!("{} is a link to {target}, which does not exist", shown(&self.path));
                Err(Failure::new(Kind::RemotePath, message).hint("remove it first: `state: absent`"))
            }
        }
    }

    fn other(&self, meta: &Meta, wanted: &str) -> Failure {
        let message = format!("{} is {}, not {wanted}", shown(&self.path), meta.kind.word());
        Failure::new(Kind::RemotePath, message).hint("remove it first: `state: absent`")
    }
}

/// `stat`: what is at a path, as values.
pub(super) async fn stat<S: Session>(remote: &Remote<S>, path: &[u8]) -> Result<FilesDone, Failure> {
    let there = remote.look(path, false).await?;
    let mut values = Vars::new();
    values.insert("exists".to_owned(), Value::from(there.is_some()));
    values.insert("path".to_owned(), Value::from(shown(path)));
    if let Some(meta) = there {
        values.extend(described(&meta));
        let followed = if meta.kind == MetaKind::Link { remote.look(path, true).await? } else { Some(meta) };
        if meta.kind == MetaKind::Link {
            values.insert("target".to_owned(), Value::from(shown(&remote.link_target(path).await?)));
        }
        values.insert("is_file".to_owned(), Value::from(followed.is_some_and(|meta| meta.size().is_some())));
        values.insert("is_folder".to_owned(), Value::from(is_folder(followed.as_ref())));
    }
    let note = match there {
        None => format!("{} is not there", shown(path)),
        Some(meta) => format!("{} is {}", shown(path), meta.kind.word()),
    };
    Ok(FilesDone { values, note, ..FilesDone::default() })
}

/// `ls`: what is in a folder, or the one file that is named.
pub(super) async fn ls<S: Session>(remote: &Remote<S>, path: &[u8]) -> Result<FilesDone, Failure> {
    let there = remote.look(path, true).await?;
    let Some(meta) = there else {
        return Err(Failure::new(Kind::RemotePath, format!("no such file or folder: {}", shown(path))));
    };
    let mut entries = if is_folder(Some(&meta)) {
        remote.list(path).await?
    } else {
        vec![(split(path).1.unwrap_or_default(), meta)]
    };
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut output = Vec::new();
    let mut values = Vec::new();
    for (name, meta) in entries {
        let mut target = None;
        if meta.kind == MetaKind::Link {
            target = Some(shown(&remote.link_target(&child(path, &name)).await?));
        }
        output.extend_from_slice(line(&name, &meta, target.as_deref()).as_bytes());
        let mut value = described(&meta);
        value.insert("name".to_owned(), Value::from(shown(&name)));
        value.insert("target".to_owned(), target.map_or(Value::Null, Value::from));
        values.push(Value::Object(value));
    }
    let values = Vars::from_iter([("entries".to_owned(), Value::Array(values))]);
    Ok(FilesDone { values, output, ..FilesDone::default() })
}

fn described(meta: &Meta) -> Vars {
    let kind = match meta.kind {
        MetaKind::File { .. } => "file",
        MetaKind::Folder => "directory",
        MetaKind::Link => "link",
        MetaKind::Special => "special",
    };
    let mut values = Vars::new();
    values.insert("kind".to_owned(), Value::from(kind));
    values.insert("size".to_owned(), json!(meta.size()));
    values.insert("mode".to_owned(), json!(meta.mode.map(|mode| format!("{mode:04o}"))));
    values.insert("uid".to_owned(), json!(meta.owner.map(|(user, _)| user)));
    values.insert("gid".to_owned(), json!(meta.owner.map(|(_, group)| group)));
    values.insert("mtime".to_owned(), json!(meta.mtime));
    values
}

/// A line as `ls -l` prints it, with numbers for names and the time as everybody reads it.
fn line(name: &[u8], meta: &Meta, target: Option<&str>) -> String {
    let kind = match meta.kind {
        MetaKind::File { .. } => '-',
        MetaKind::Folder => 'd',
        MetaKind::Link => 'l',
        MetaKind::Special => '?',
    };
    let (user, group) = meta.owner.unwrap_or_default();
    let size = meta.size().map_or_else(|| "-".to_owned(), |size| size.to_string());
    let time = meta.mtime.map_or_else(|| "-".to_owned(), |mtime| rfc3339(mtime.max(0).unsigned_abs()));
    let target = target.map(|target| format!(" -> {}", on_one_line(target))).unwrap_or_default();
    let name = on_one_line(&shown(name));
    let letters = meta.mode.map_or_else(|| "?".repeat(9), letters);
    format!("{kind}{letters} {user:>5} {group:>5} {size:>12} {time} {name}{target}\n")
}

/// A name with its control characters written out: no name makes a line of its own.
fn on_one_line(name: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    name.chars().map(shown).collect()
}

/// `rwxr-sr-t`.
fn letters(mode: u32) -> String {
    let mut letters = String::with_capacity(9);
    for place in 0..3 {
        let bits = mode >> (6 - 3 * place);
        letters.push(if bits & 4 != 0 { 'r' } else { '-' });
        letters.push(if bits & 2 != 0 { 'w' } else { '-' });
        let special = mode & (0o4000 >> place) != 0;
        letters.push(match (bits & 1 != 0, special, place) {
            (true, false, _) => 'x',
            (false, false, _) => '-',
            (true, true, 2) => 't',
            (false, true, 2) => 'T',
            (true, true, _) => 's',
            (false, true, _) => 'S',
        });
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_in_letters() {
        for (mode, text) in
            [(0o755, "rwxr-xr-x"), (0o4711, "rws--x--x"), (0o1777, "rwxrwxrwt"), (0o2640, "rw-r-S---")]
        {
            assert_eq!(letters(mode), text);
        }
    }
}
