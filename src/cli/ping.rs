//! `fan ping`: reach, host key, login and a command on each host, with the time of each phase. `fan check
//! --connect` does the same and a little more.

use std::sync::Arc;

use crate::cli::args::{Color, PingArgs};
use crate::cli::context::{self, Common};
use crate::cli::error::CliError;
use crate::cli::fleet;
use crate::cli::output::{OutputScreen, Outputs};
use crate::cli::questions::Answers;
use crate::cli::runner;
use crate::engine::plan::Plan;
use crate::engine::planner;
use crate::model::inventory::Inventory;
use crate::model::outcome::ExitCode;
use crate::model::task::{Action, Command, Step};
use crate::report::{Composite, Phases};

/// What is run: nothing, by every shell.
pub(super) const COMMAND: &str = "true";

pub(super) fn run(args: &PingArgs, color: Color) -> Result<ExitCode, CliError> {
    let mut inventory = context::inventory(&args.selection.source)?;
    let selected = context::select_or_all(&mut inventory, &args.selection)?;
    let condition = args.condition.get();
    let plan = plan(
        Common {
            condition,
            known: fleet::known(&args.condition)?,
            ..Common::over(&args.connection, "ping".to_owned())?
        }
        .pooled(&args.pool)
        .limited(&args.limit),
        &inventory,
        &selected,
    )?;
    carry_out(plan, args.json, color)
}

/// One task with one step on each of these hosts: the command [`COMMAND`].
pub(super) fn plan(common: Common, inventory: &Inventory, selected: &[usize]) -> Result<Plan, CliError> {
    let title = common.title.clone();
    let step = Step::bare(Action::Run(Command::Raw(Arc::from(COMMAND))));
    Ok(planner::step(common.request(inventory), inventory, selected, step, &title)?)
}

/// Carries such a plan out, with a line for each host.
pub(super) fn carry_out(plan: Plan, as_json: bool, color: Color) -> Result<ExitCode, CliError> {
    let screen = OutputScreen::find(color)?;
    let phases = Phases::new(screen.out(), as_json);
    let reporters = Composite::new(vec![Box::new(phases)]);
    let outputs = if as_json { Outputs::only(reporters) } else { Outputs::with(reporters, screen, true) };
    runner::run_with(plan, outputs, Answers::Person, None)
}
