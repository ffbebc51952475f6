//! `fan man`: a manual page of each command, made from its help.

use std::fs;

use clap::CommandFactory;

use crate::cli::args::{Cli, ManArgs};
use crate::cli::error::CliError;
use crate::cli::print::print;
use crate::model::outcome::ExitCode;

pub(super) fn run(args: &ManArgs) -> Result<ExitCode, CliError> {
    let folder = &args.folder;
    let failed = |source| CliError::Local {
        doing: format!("cannot write manual pages to {}", folder.display()),
        source,
    };
    fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
    print(&format!("manual pages are in {}: man {}\n", folder.display(), folder.join("fan.1").display()))?;
    Ok(ExitCode::Ok)
}

#[cfg(test)]
mod tests;
