//! Where the fleet's file is, and its errors in words.

use std::path::{Path, PathBuf};

use crate::cli::error::CliError;
use crate::cli::state::state_folder;
use crate::fleet::FleetError;
use crate::model::position::Diagnostic;

/// The file that is named, or the usual one.
pub(super) fn path(named: Option<&Path>) -> Result<PathBuf, CliError> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let state = state_folder().ok_or_else(|| {
        Diagnostic::bare("there is no place for the fleet file: neither XDG_STATE_HOME nor HOME is set")
            .help("name a file: --db FILE")
    })?;
    Ok(state.join("fan/fleet.db"))
}

/// An error of the file in words.
pub(super) fn told(error: FleetError) -> CliError {
    let hint = error.hint();
    if error.is_local() {
        return CliError::Local {
            doing: "the fleet file cannot be used".to_owned(),
            source: spoken(&error, hint),
        };
    }
    let problem = Diagnostic::bare(error.to_string());
    match hint {
        Some(hint) => problem.help(hint).into(),
        None => problem.into(),
    }
}

/// The same with its hint, as one text.
pub(super) fn spoken(error: &FleetError, hint: Option<String>) -> std::io::Error {
    std::io::Error::other(match hint {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })
}
