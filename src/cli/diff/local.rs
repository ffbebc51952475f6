//! A file or folder of this machine, looked at by the script that hosts are asked with.

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::error::CliError;
use crate::model::position::Diagnostic;
use crate::model::survey;

/// What a script says of a local path.
///
/// # Errors
///
/// Nothing is there, or it cannot be told in a script.
pub(super) fn surveyed(path: &Path) -> Result<Vec<u8>, CliError> {
    let shown = path.display();
    let refused = |why: &str| CliError::from(Diagnostic::bare(format!("--against {shown}: {why}")));
    fs::metadata(path).map_err(|error| refused(&error.to_string()))?;
    let text = path.to_str().ok_or_else(|| refused("its name is not UTF-8"))?;
    // `{host}` stands for no host here.
    let text = fs::canonicalize(text).map_err(|error| refused(&error.to_string()))?;
    let text = text.to_str().ok_or_else(|| refused("its name is not UTF-8"))?;
    let mut command = Command::new("sh");
    command.arg("-c").arg(survey::survey(&[text])).env("FAN_HOST", "{host}").stdin(Stdio::null());
    let ran = command.stderr(Stdio::null()).output();
    let ran = ran.map_err(|source| CliError::Local { doing: "cannot start sh".to_owned(), source })?;
    Ok(ran.stdout)
}

/// A local content, when it is no longer than `most`.
pub(super) fn content(root: &Path, below: &[u8], most: usize) -> Option<Vec<u8>> {
    let path = if below.is_empty() { root.to_owned() } else { root.join(std::ffi::OsStr::from_bytes(below)) };
    let mut data = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    fs::File::open(path).ok()?.take(most).read_to_end(&mut data).ok()?;
    Some(data)
}

/// The whole of a local file that is compared with what a command prints.
pub(super) fn text(path: &Path) -> Result<Vec<u8>, CliError> {
    fs::read(path).map_err(|error| Diagnostic::bare(format!("--against {}: {error}", path.display())).into())
}
