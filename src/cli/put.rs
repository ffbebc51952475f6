//! `fan put`: files and folders of this machine onto hosts.

use crate::cli::args::{Color, PutArgs};
use crate::cli::error::CliError;
use crate::cli::journal::Invocation;
use crate::cli::one_step::{self, OneStep, OneStepKind};
use crate::model::files;
use crate::model::outcome::ExitCode;
use crate::model::task::Action;

pub(super) fn run(args: &PutArgs, color: Color, invocation: &Invocation) -> Result<ExitCode, CliError> {
    let install = files::Install {
        backup: args.install.backup,
        validate: args.install.validate.as_deref().map(one_step::command),
        follow: args.install.follow,
        in_place: args.install.in_place,
    };
    let action = Action::Put(files::Put {
        from: args.local.iter().map(|path| one_step::path(path)).collect(),
        to: one_step::path(&args.remote),
        tree: args.tree.rules(args.times),
        attributes: args.ownership.attributes(),
        install,
    });
    let subject = one_step::moved(&args.local, &args.remote);
    let kind = OneStepKind::moving(&args.common, &args.protection.confirm);
    let step = OneStep { verb: "put", subject, action, kind };
    one_step::run(step, &args.common.looking, color, invocation)
}
