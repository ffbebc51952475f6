//! Where the files of a project are: those that the user names, or the nearest upward.

use std::env;
use std::path::{Path, PathBuf};

use crate::config;
use crate::model::position::Diagnostic;

/// The inventory's name where none is given.
pub(super) const INVENTORY: &str = "inventory.yaml";

/// The tasks file's.
pub(super) const TASKS: &str = "tasks.yaml";

/// The inventory that the user named, or the nearest one.
pub(super) fn inventory_path(named: Option<&Path>) -> Result<Option<PathBuf>, Diagnostic> {
    find(named, INVENTORY)
}

/// The tasks file that the user named, or the nearest one.
pub(super) fn tasks_path(named: Option<&Path>) -> Result<Option<PathBuf>, Diagnostic> {
    find(named, TASKS)
}

fn find(named: Option<&Path>, file_name: &str) -> Result<Option<PathBuf>, Diagnostic> {
    match named {
        Some(path) => Ok(Some(path.to_owned())),
        None => nearest(file_name),
    }
}

/// The nearest file of a name from the current folder upward.
pub(super) fn nearest(file_name: &str) -> Result<Option<PathBuf>, Diagnostic> {
    // A current folder that was deleted has no files in it either.
    let Ok(here) = env::current_dir() else { return Ok(None) };
    let found = config::find_upwards(&here, file_name)?;
    // Shown as the user would type it.
    Ok(found.map(|path| path.strip_prefix(&here).map(Path::to_owned).unwrap_or(path)))
}

/// The error of a command that needs tasks where there are none.
pub(super) fn no_tasks() -> Diagnostic {
    Diagnostic::bare("no tasks.yaml here or in a folder above").help(
        foreign_tasks().unwrap_or_else(|| "name one with -f FILE, or begin one with `fan init`".to_owned()),
    )
}

/// What another tool's tasks are that lie here.
pub(super) fn foreign_tasks() -> Option<String> {
    const OTHERS: [&str; 5] = ["fabfile.py", "Capfile", "site.yml", "site.yaml", "playbook.yml"];
    OTHERS.iter().find_map(|name| Some(format!("there is {name}; {}", config::foreign_file(name.as_ref())?)))
}
