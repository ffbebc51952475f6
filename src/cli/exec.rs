//! `fan exec`: one command on each host.

use std::sync::Arc;

use crate::cli::args::{Color, ExecArgs};
use crate::cli::context::{self, Common};
use crate::cli::error::CliError;
use crate::cli::journal::Invocation;
use crate::cli::print::print;
use crate::cli::protected::{self, Guard};
use crate::cli::{habits, plan_view, runner};
use crate::engine::plan::Changes;
use crate::engine::planner::{self};
use crate::model::outcome::ExitCode;
use crate::model::position::Diagnostic;
use crate::model::task::{Action, Command, Step};

pub(super) fn run(args: &ExecArgs, color: Color, invocation: &Invocation) -> Result<ExitCode, CliError> {
    let execution = &args.execution;
    let line = args.command.join(" ");
    if line.trim().is_empty() {
        return Err(CliError::input("the command is empty"));
    }
    let mut inventory = context::inventory(&args.selection.source)?;
    let selected = context::select(&mut inventory, &args.selection)?;
    let selected = selected.ok_or_else(|| match habits::instead_of_hosts(args, &inventory) {
        Some(meant) => Diagnostic::bare("no hosts selected").help(meant).into(),
        None => context::no_hosts(&inventory),
    })?;
    if args.execution.output.verbose {
        context::explain(&mut inventory, &args.selection);
    }
    let request = Common {
        changes: Changes { diff: args.diff, ..Changes::default() },
        condition: args.condition.get(),
        ..Common::executing(execution, format!("exec {line}"))?.with_sudo_password(&args.raising.password)
    }
    .request(&inventory);
    let action = Action::Run(Command::Raw(Arc::from(line.as_str())));
    let step = Step { run_as: args.raising.run_as()?, ..Step::bare(action) };
    let plan = planner::step(request, &inventory, &selected, step, &line)?;
    if args.plan {
        print(&(plan_view::render(&plan) + &invocation.preview(&plan)?))?;
        return Ok(ExitCode::Ok);
    }
    let guard = Guard::On { confirmed: &args.protection.confirm };
    protected::agreed(&inventory, &plan, guard)?;
    let plan = invocation.take_up(plan)?;
    let recording = invocation.recording(&args.journal, [&*inventory.file]);
    // Ten thousand hosts are worth their memory back: the plan holds all that is needed from here on.
    drop(inventory);
    runner::run(plan, &execution.output, color, false, recording)
}
