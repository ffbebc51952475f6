//! `fan ls`: what is in a folder of hosts.

use crate::cli::args::{Color, LsArgs};
use crate::cli::error::CliError;
use crate::cli::journal::Invocation;
use crate::cli::one_step::{self, OneStep, OneStepKind};
use crate::model::outcome::ExitCode;
use crate::model::task::Action;

pub(super) fn run(args: &LsArgs, color: Color, invocation: &Invocation) -> Result<ExitCode, CliError> {
    let action = Action::Ls(one_step::path(&args.path));
    let step = OneStep { verb: "ls", subject: args.path.clone(), action, kind: OneStepKind::Look };
    one_step::run(step, &args.looking, color, invocation)
}
