//! `fan get`: files and folders of hosts onto this machine.

use crate::cli::args::{Color, GetArgs};
use crate::cli::error::CliError;
use crate::cli::journal::Invocation;
use crate::cli::one_step::{self, OneStep, OneStepKind};
use crate::model::files;
use crate::model::outcome::ExitCode;
use crate::model::task::Action;

pub(super) fn run(args: &GetArgs, color: Color, invocation: &Invocation) -> Result<ExitCode, CliError> {
    let action = Action::Get(files::Get {
        from: args.remote.iter().map(|path| one_step::path(path)).collect(),
        to: one_step::path(&args.local),
        tree: args.tree.rules(args.times),
    });
    let subject = one_step::moved(&args.remote, &args.local);
    let kind = OneStepKind::moving(&args.common, &[]);
    let step = OneStep { verb: "get", subject, action, kind };
    one_step::run(step, &args.common.looking, color, invocation)
}
