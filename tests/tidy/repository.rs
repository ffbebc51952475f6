//! The files of the repository, found without git: a source archive has none.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Folders with a dot that belong to the repository; others belong to editors and tools.
const DOTTED: &[&str] = &[".ci", ".github", ".config", ".cargo"];

/// All files of the repository, relative to it.
pub(crate) fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(Path::new(""), &mut found);
    found.sort();
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries =
        fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let entry = entry.expect("an entry of a folder of the repository");
        let path = folder.join(entry.file_name());
        let kind = entry.file_type().expect("the type of an entry");
        if kind.is_dir() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name != "target" && (!name.starts_with('.') || DOTTED.contains(&name.as_ref())) {
                walk(&path, found);
            }
        } else if kind.is_file() && path != Path::new(".git") && !is_pending_snapshot(&path) {
            found.push(path);
        }
    }
}

/// What a failed snapshot test leaves behind; git ignores it too.
fn is_pending_snapshot(path: &Path) -> bool {
    let path = path.to_string_lossy();
    path.ends_with(".pending-snap") || path.ends_with(".snap.new")
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// The path without `.` and `..`.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                parts.pop();
            }
            Component::CurDir => {}
            other => parts.push(other),
        }
    }
    parts
}
