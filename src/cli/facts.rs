//! `fan facts`: what the hosts are.

use std::io::{self, IsTerminal};

use crate::cli::args::{Color, FactsArgs};
use crate::cli::context::{self, Common};
use crate::cli::error::CliError;
use crate::cli::fleet::{self, Saver};
use crate::cli::output::{OutputScreen, Outputs};
use crate::cli::questions::Answers;
use crate::cli::runner;
use crate::engine::planner::{self};
use crate::model::outcome::ExitCode;
use crate::model::task::{Action, FactsStep, Step};
use crate::report::{Composite, FactSheets, Sheet};

pub(super) fn run(args: &FactsArgs, color: Color) -> Result<ExitCode, CliError> {
    let mut inventory = context::inventory(&args.selection.source)?;
    let selected = context::select_or_all(&mut inventory, &args.selection)?;
    let common = Common::over(&args.connection, "facts".to_owned())?.pooled(&args.pool).limited(&args.limit);
    let request = Common { condition: args.condition.get(), known: fleet::known(&args.condition)?, ..common }
        .request(&inventory);
    let plan = planner::step(
        request,
        &inventory,
        &selected,
        Step::bare(Action::Facts(FactsStep { save: args.save })),
        "facts",
    )?;
    drop(inventory);
    let screen = OutputScreen::find(color)?;
    let sheet = match (args.json, args.table) {
        (true, _) => Sheet::Json,
        (false, true) => Sheet::Table(columns()),
        (false, false) => Sheet::Page(columns()),
    };
    let sheets = FactSheets::new(screen.out(), sheet, screen.style);
    let mut outputs = Outputs::with(Composite::new(vec![Box::new(sheets)]), screen, true);
    if args.save {
        outputs = outputs.keeping(Box::new(Saver::open(args.condition.db(), None)?));
    }
    runner::run_with(plan, outputs, Answers::Person, None)
}

/// The width of the screen that stdout is, if it is one.
fn columns() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}
