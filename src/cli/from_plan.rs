//! `fan run --from-plan FILE`: a plan's command line again, and nothing of it before all is seen to be as it was.

use std::path::Path;
use std::sync::Arc;

use crate::cli::again;
use crate::cli::args::{CliCommand, Color, RunArgs};
use crate::cli::error::CliError;
use crate::cli::journal::Invocation;
use crate::cli::plan_file::{MAKE, PlanFile};
use crate::cli::run as tasks;
use crate::model::outcome::ExitCode;
use crate::model::position::Diagnostic;
use crate::store::Recipe;

/// Carries out what is in a file.
pub(super) fn run(path: &Path, now: &RunArgs, color: Color) -> Result<ExitCode, CliError> {
    let file = PlanFile::read(path)?;
    let recipe =
        Recipe { arguments: file.arguments().to_vec(), masked: file.masked().to_vec(), ..Recipe::default() };
    let words = again::unmasked(&recipe, &now.variables.set)?;
    let understood = again::parsed(&words).map(|cli| cli.command);
    let Ok(CliCommand::Run(mut args)) = understood else {
        let message = format!("this version does not understand the command line of {}", path.display());
        return Err(Diagnostic::bare(message).help(MAKE).into());
    };
    // Who reads a plan agrees to it; who runs it answers for that.
    (args.plan, args.yes, args.out, args.from_plan) = (now.plan, now.yes, None, None);
    args.protection.confirm.clone_from(&now.protection.confirm);
    args.execution.connection.ask_pass |= now.execution.connection.ask_pass;
    args.sudo_password.ask_sudo_pass |= now.sudo_password.ask_sudo_pass;
    args.journal.no_journal |= now.journal.no_journal;
    args.execution.output.renewed(&now.execution.output);
    if args.selection.pick.is_some() {
        // Picked at random once.
        let names = file.host_names().map(Into::into);
        args.selection.only = Some(Arc::new(names.collect()));
    }
    tasks::run(&args, color, &Invocation::of_words(words), Some(&file))
}
