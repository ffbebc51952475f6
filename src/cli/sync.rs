//! `fan sync`: a folder of hosts becomes like one of this machine.

use std::slice;

use crate::cli::args::{Color, SyncArgs};
use crate::cli::error::CliError;
use crate::cli::journal::Invocation;
use crate::cli::one_step::{self, OneStep, OneStepKind};
use crate::model::files;
use crate::model::outcome::ExitCode;
use crate::model::task::Action;

pub(super) fn run(args: &SyncArgs, color: Color, invocation: &Invocation) -> Result<ExitCode, CliError> {
    let action = Action::Sync(files::Sync {
        from: one_step::path(&args.local),
        to: one_step::path(&args.remote),
        delete: args.delete,
        tree: args.tree.rules(!args.no_times),
        attributes: args.ownership.attributes(),
    });
    let subject = one_step::moved(slice::from_ref(&args.local), &args.remote);
    let kind = OneStepKind::moving(&args.common, &args.protection.confirm);
    let step = OneStep { verb: "sync", subject, action, kind };
    one_step::run(step, &args.common.looking, color, invocation)
}
