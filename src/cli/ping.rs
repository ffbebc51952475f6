//! `fan ping`: reach, host key, login and a command on each host, with the time of each phase.

use std::sync::Arc;

use crate::cli::args::{Color, Ping};
use crate::cli::context::{self, Common};
use crate::cli::error::CliError;
use crate::cli::output::{Outputs, Screen};
use crate::cli::runner;
use crate::engine::planner;
use crate::model::outcome::ExitCode;
use crate::report::{Composite, Phases};

/// What is run: nothing, by every shell.
const COMMAND: &str = "true";

pub(super) fn run(args: &Ping, color: Color) -> Result<ExitCode, CliError> {
    let mut inventory = context::inventory(args.selection.inventory.as_deref(), args.selection.max_hosts)?;
    let selected = context::select_or_all(&mut inventory, &args.selection)?;
    let request = Common {
        title: "ping".to_owned(),
        settings: context::settings(&args.connection)?,
        extra_vars: Default::default(),
        pool: args.connection.pool,
        warn_only: false,
        exclude: Vec::new(),
        ssh_config: context::ssh_config(&args.connection)?,
    }
    .request(&inventory);
    let mut plan = planner::command(request, &inventory, &selected, COMMAND)?;
    for task in &mut plan.tasks {
        task.name = Arc::from("ping");
    }
    let screen = Screen::find(color)?;
    let phases = Phases::new(screen.out(), args.json);
    let reporters = Composite::new(vec![Box::new(phases)]);
    let outputs = if args.json { Outputs::only(reporters) } else { Outputs::with(reporters, screen, true) };
    runner::run_with(plan, outputs)
}
