//! What paths and globs of the host stand for.

use crate::files::meta::{Meta, MetaKind};
use crate::files::remote::{Remote, child, is_folder, shown, split};
use crate::files::select::{PathGlob, PathPart};
use crate::model::outcome::{Failure, Kind};
use crate::ssh::Session;

/// Something of the host that was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPath {
    /// Where it is.
    pub path: Vec<u8>,
    /// Its last name; none for a path like `.`.
    pub name: Option<Vec<u8>>,
    /// What it is, links followed.
    pub meta: Meta,
    /// The text ended in `/`: what is in the folder is meant, not the folder itself.
    pub contents_only: bool,
    /// The text is a glob: it may stand for more another time.
    pub by_glob: bool,
}

/// Finds what a text stands for: the path itself when it is there, else what matches it as a glob, in order.
///
/// # Errors
///
/// Nothing is there; or something that is neither file nor folder.
pub async fn find<S: Session>(remote: &Remote<S>, text: &[u8]) -> Result<Vec<FoundPath>, Failure> {
    let contents_only = text.len() > 1 && text.ends_with(b"/");
    if let Some(meta) = remote.look(text, true).await? {
        return Ok(vec![FoundPath { by_glob: false, ..found(text, meta, contents_only)? }]);
    }
    let glob = std::str::from_utf8(text).ok().filter(|text| PathGlob::is_glob(text));
    let Some(glob) = glob else { return Err(missing(text)) };
    let glob = PathGlob::new(glob).map_err(|error| Failure::new(Kind::RemotePath, error.to_string()))?;
    let start = if glob.is_absolute() { b"/".to_vec() } else { b".".to_vec() };
    let mut matching = vec![(start, None)];
    let parts = glob.parts();
    for (index, part) in parts.iter().enumerate() {
        let is_last = index + 1 == parts.len();
        let mut next = Vec::new();
        for (folder, _) in matching {
            next.extend(step(remote, &folder, part, is_last && !glob.folders_only()).await?);
        }
        matching = next;
    }
    let mut all = Vec::new();
    for (path, meta) in matching {
        let meta = match meta {
            Some(Meta { kind: MetaKind::File { .. } | MetaKind::Folder, .. }) => meta,
            // What a link points at, if anything.
            _ => remote.look(&path, true).await?,
        };
        if let Some(meta) = meta {
            all.push(found(&path, meta, contents_only)?);
        }
    }
    if all.is_empty() { Err(missing(text)) } else { Ok(all) }
}

/// What of a folder a part of a glob stands for; only folders lead on.
async fn step<S: Session>(
    remote: &Remote<S>,
    folder: &[u8],
    part: &PathPart,
    files_too: bool,
) -> Result<Vec<(Vec<u8>, Option<Meta>)>, Failure> {
    if let PathPart::Name(name) = part {
        let path = below(folder, name);
        let meta = remote.look(&path, true).await?;
        let fits = meta.is_some() && (files_too || is_folder(meta.as_ref()));
        return Ok(if fits { vec![(path, meta)] } else { Vec::new() });
    }
    let mut matching = Vec::new();
    for (name, meta) in remote.list(folder).await? {
        if !part.matches(&name) {
            continue;
        }
        let path = below(folder, &name);
        let leads_on = is_folder(Some(&meta))
            || (meta.kind == MetaKind::Link && is_folder(remote.look(&path, true).await?.as_ref()));
        if files_too || leads_on {
            matching.push((path, Some(meta)));
        }
    }
    matching.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(matching)
}

fn below(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder == b"." { name.to_vec() } else { child(folder, name) }
}

fn found(path: &[u8], meta: Meta, contents_only: bool) -> Result<FoundPath, Failure> {
    match meta.kind {
        MetaKind::File { .. } if contents_only => {
            Err(Failure::new(Kind::RemotePath, format!("{} ends in \"/\", but is a file", shown(path))))
        }
        MetaKind::File { .. } | MetaKind::Folder => {
            Ok(FoundPath { path: path.to_vec(), name: split(path).1, meta, contents_only, by_glob: true })
        }
        MetaKind::Link | MetaKind::Special => {
            let message =
                format!("{} is {}, and only files and folders can be moved", shown(path), meta.kind.word());
            Err(Failure::new(Kind::RemotePath, message))
        }
    }
}

fn missing(text: &[u8]) -> Failure {
    Failure::new(Kind::RemotePath, format!("no such file or folder on the host: {}", shown(text)))
}
