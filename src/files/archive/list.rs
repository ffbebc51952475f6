//! Reads the list of an archive, and refuses one that would write elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::files::archive::entry::{
    ArchiveFormat, ArchiveList, Archived, ArchivedKind, ListedEntry, bare, path_of,
};
use crate::files::archive::tar::tar_entries;
use crate::files::archive::tools::{ArchiveTools, PATIENCE};
use crate::files::archive::zip::zip_entries;
use crate::files::remote::{RemotePrivilege, Script, Shell, shown};
use crate::model::outcome::{Failure, Kind};
use crate::model::tree::TreePath;
use crate::ssh::ChannelClaim;
use crate::ssh::local::LocalSession;

/// Reads the list of an archive of this machine; none when no program here does.
///
/// # Errors
///
/// As [`list`], with [`Kind::LocalIo`] for an archive that cannot be read.
pub async fn list_here(path: &Path) -> Result<Option<Arc<ArchiveList>>, Failure> {
    let path = std::path::absolute(path)
        .map_err(|error| Failure::new(Kind::LocalIo, format!("cannot read {}: {error}", path.display())))?;
    let shell = Shell::start(&LocalSession, &RemotePrivilege::Login, ChannelClaim::Alone).await?;
    let listed = list(&shell, path.as_os_str().as_encoded_bytes()).await;
    shell.end().await;
    match listed {
        Ok(list) => Ok(Some(Arc::new(list))),
        Err(failure) if failure.kind == Kind::ExecRefused => Ok(None),
        Err(failure) if failure.kind == Kind::RemotePath => Err(failure.seen_as(Kind::LocalIo)),
        Err(failure) => Err(failure),
    }
}

/// Reads the list of an archive with what the shell's machine has.
///
/// # Errors
///
/// It cannot be read, is none, or something in it would leave the folder it is unpacked into. [`Kind::ExecRefused`] when
/// no program is there that reads it.
pub(super) async fn list(shell: &Shell, path: &[u8]) -> Result<ArchiveList, Failure> {
    let name = shown(path);
    let begin = Script::new("[ -f")
        .path(path)
        .text("] || { echo 'no such file'; exit 1; }\nhead -c 512 <")
        .path(path);
    let end = shell.run(begin.bytes(), PATIENCE).await?;
    if end.status != 0 {
        let message = format!("cannot read the archive {name}: {}", end.said());
        return Err(Failure::new(Kind::RemotePath, message));
    }
    let format = ArchiveFormat::of(&end.output).ok_or_else(|| {
        let message = format!("{name} is not an archive that fan knows");
        Failure::new(Kind::RemotePath, message)
            .hint("fan unpacks tar (plain or compressed with gzip, bzip2, xz or zstd) and zip")
    })?;
    let reader = ArchiveTools::of(shell).await?.reader(format)?;
    let entries = if format == ArchiveFormat::Zip {
        zip_entries(shell, path).await?
    } else {
        let end = shell.run(reader.script(format, path, None).bytes(), PATIENCE).await?;
        tar_entries(&reader, &end)
            .map_err(|why| Failure::new(Kind::RemotePath, format!("cannot read the archive {name}: {why}")))?
    };
    let entries = safe(entries).map_err(|why| {
        Failure::new(Kind::UnsafeName, format!("{name} is not unpacked: {why}"))
            .hint("nothing was written; unpack it with a command of your own if you trust it")
    })?;
    Ok(ArchiveList { format, entries })
}

/// The entries by path, once none of them leads out of the folder that they are unpacked into.
fn safe(listed: Vec<ListedEntry>) -> Result<BTreeMap<TreePath, Archived>, String> {
    let path = |name: &[u8]| {
        if name.starts_with(b"/") {
            return Err(format!("{} is absolute", shown(name)));
        }
        if name.split(|&byte| byte == b'/').any(|part| part == b"..") {
            return Err(format!("{} leads out of it", shown(name)));
        }
        let bare = bare(name);
        let names = bare.split(|&byte| byte == b'/').filter(|name| !name.is_empty());
        path_of(&names.collect::<Vec<_>>()).map_err(|failure| failure.message())
    };
    let mut entries: BTreeMap<TreePath, Archived> = BTreeMap::new();
    // What is a link anywhere in it is one all the time: a later entry may stand in its place.
    let mut no_folders: BTreeSet<TreePath> = BTreeSet::new();
    for ListedEntry { name, kind, same_as, mode } in listed {
        let at = path(&name)?;
        let Some(kind) = kind else {
            return Err(format!("{} is a device, a pipe or a socket", shown(&name)));
        };
        let kind = match same_as {
            None => kind,
            Some(other) => {
                let first = entries.get(&path(&other)?).map(|entry| entry.kind.clone());
                first.ok_or_else(|| {
                    format!(
                        "{} is the same file as {}, which is not in it before",
                        shown(&name),
                        shown(&other)
                    )
                })?
            }
        };
        if at.is_root() {
            continue;
        }
        if kind != ArchivedKind::Folder {
            no_folders.insert(at.clone());
        }
        entries.insert(at, Archived { kind, mode });
    }
    let mut implied = BTreeSet::new();
    for at in entries.keys() {
        let mut above = at.parent();
        while let Some(folder) = above.filter(|folder| !folder.is_root()) {
            if no_folders.contains(&folder) {
                return Err(format!("{at} would be written through {folder}, which is no folder in it"));
            }
            above = folder.parent();
            implied.insert(folder);
        }
    }
    for folder in implied {
        entries.entry(folder).or_insert(Archived { kind: ArchivedKind::Folder, mode: 0o755 });
    }
    Ok(entries)
}
