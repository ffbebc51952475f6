//! `fan sync`: a folder of hosts becomes like one of this machine.

use std::slice;

use crate::cli::args::{Color, SyncArgs};
use crate::cli::error::CliError;
use crate::cli::journal::Invocation;
use crate::cli::one_step::{self, OneStep};
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
    let step = OneStep { verb: "sync", subject, action, changes: args.common.changes.changes() };
    one_step::run(step, &args.common.looking, color, invocation)
}
