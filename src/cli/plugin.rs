//! `fan NAME` for a program `fan-NAME`: the way to commands of one's own. It takes this process's place.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Access, access};

use crate::cli::error::CliError;

/// The program of a name, in the first folder of the path that has it. Relative folders do not count: what lies in the
/// current one was put there by whoever made it.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(is_name) {
        return None;
    }
    let path = env::var_os("PATH")?;
    let folders = env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(format!("fan-{name}"))).find(|program| is_program(program))
}

fn is_program(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

/// Becomes the program; comes back only when it cannot be started.
pub(super) fn run(program: &Path, words: &[OsString]) -> CliError {
    let source = Command::new(program).args(words).exec();
    CliError::Local { doing: format!("cannot start {}", program.display()), source }
}
