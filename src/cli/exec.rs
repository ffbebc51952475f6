//! `fan exec`: one command on each host.

use crate::cli::args::{Color, ExecArgs};
use crate::cli::context::{self, Common};
use crate::cli::error::CliError;
use crate::cli::journal::Invocation;
use crate::cli::print::print;
use crate::cli::protected::{self, Guard};
use crate::cli::{plan_view, runner};
use crate::engine::plan::Changes;
use crate::engine::planner::{self};
use crate::model::outcome::ExitCode;
use crate::model::position::Diagnostic;

pub(super) fn run(args: &ExecArgs, color: Color, invocation: &Invocation) -> Result<ExitCode, CliError> {
    let execution = &args.execution;
    let line = args.command.join(" ");
    if line.trim().is_empty() {
        return Err(CliError::input("the command is empty"));
    }
    if !execution.variables.set.is_empty() {
        return Err(Diagnostic::bare("-e does not apply to exec: its command is passed on unchanged")
            .help("use a task (`fan run`) for templates")
            .into());
    }
    let mut inventory = context::inventory(args.selection.inventory.as_deref(), args.selection.max_hosts)?;
    let selected = context::select(&mut inventory, &args.selection)?.ok_or_else(context::no_hosts)?;
    if args.execution.output.verbose {
        context::explain(&mut inventory, &args.selection);
    }
    let request = Common {
        warn_only: execution.warn_only,
        changes: Changes { diff: args.diff, ..Changes::default() },
        serial: execution.serial.clone(),
        condition: args.condition.get(),
        ..Common::over(&execution.connection, format!("exec {line}"))?
    }
    .request(&inventory);
    let plan = planner::command(request, &inventory, &selected, &line)?;
    if args.plan {
        print(&(plan_view::render(&plan) + &invocation.preview(&plan)?))?;
        return Ok(ExitCode::Ok);
    }
    let guard = Guard::On { confirmed: &execution.protection.confirm };
    protected::agreed(&inventory, &plan, guard)?;
    let plan = invocation.take_up(plan)?;
    let recording = invocation.recording(execution, [&*inventory.file]);
    // Ten thousand hosts are worth their memory back: the plan holds all that is needed from here on.
    drop(inventory);
    runner::run(plan, &execution.output, color, false, recording)
}
