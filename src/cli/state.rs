//! Where runs are kept, and whether they are; where caches are.

use std::env;
use std::path::PathBuf;

use crate::cli::error::CliError;
use crate::model::position::Diagnostic;
use crate::store::Runs;

/// Whether the environment wants no journal.
pub(super) fn is_off() -> bool {
    env::var("FAN_JOURNAL").is_ok_and(|value| {
        ["off", "0", "no", "false", "n", "f"].contains(&value.to_ascii_lowercase().as_str())
    })
}

/// `$XDG_STATE_HOME`, or the usual place in the home folder. A relative path does not count, as the standard has it.
pub(super) fn state_folder() -> Option<PathBuf> {
    folder("XDG_STATE_HOME", ".local/state")
}

/// `$XDG_CACHE_HOME`, likewise.
pub(super) fn cache_folder() -> Option<PathBuf> {
    folder("XDG_CACHE_HOME", ".cache")
}

fn folder(variable: &str, usual: &str) -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(variable).or_else(|| Some(absolute("HOME")?.join(usual)))
}

/// The folder of all runs.
///
/// # Errors
///
/// There is none, or it cannot be read.
pub(super) fn runs() -> Result<Runs, CliError> {
    let none = || -> CliError {
        Diagnostic::bare("no run is kept")
            .help("runs are recorded once one changes something: docs/history.md")
            .into()
    };
    Runs::open(&state_folder().ok_or_else(none)?)?.ok_or_else(none)
}
