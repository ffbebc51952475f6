//! Files that variables of Ansible's inventories look up (`lookup('file', PATH)`): where they are looked for, and how much of
//! one is read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::source;
use crate::model::template::MAX_EXPANSION;

/// The folder that is looked in first.
const FILES: &str = "files";

/// Reads a file; `~/` is the folder `home`. A relative path begins in `files` below the current folder, or else in that
/// itself, as with `ansible`.
///
/// # Errors
/// Why there is no text of it, as a fragment.
pub fn read_looked_up(path: &str, home: Option<&Path>) -> Result<String, String> {
    let whole: PathBuf = match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    };
    let place = if whole.is_absolute() {
        whole
    } else {
        let beside = Path::new(FILES).join(&whole);
        let found = [beside, whole].into_iter().find(|place| place.exists());
        found.ok_or_else(|| format!("no such file in ./{FILES} or in the current folder"))?
    };
    let bytes = source::open(&place).and_then(|file| source::drain_up_to(file, MAX_EXPANSION))?;
    source::decode(&Arc::from(path), &bytes).map_err(|problem| problem.message)
}
