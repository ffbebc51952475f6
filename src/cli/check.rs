//! `fan check`: the files, and tasks with all their variables, without contacting anybody.

use crate::cli::args::Check;
use crate::cli::context::{self, Common};
use crate::cli::error::CliError;
use crate::cli::{print, run, secrets};
use crate::engine::planner;
use crate::model::outcome::ExitCode;

pub(super) fn check(args: &Check) -> Result<String, CliError> {
    let (mut inventory, file) = context::files(&args.selection, &args.tasks_file)?;
    let calls = run::calls(&args.tasks)?;
    let selected = context::select(&mut inventory, &args.selection)?;
    let summary = format!(
        "ok: {} hosts, {} roles, {} tasks\n",
        inventory.hosts.len(),
        inventory.roles.len(),
        file.tasks.len()
    );
    if calls.is_empty() {
        return Ok(summary);
    }
    let request = Common {
        title: "check".to_owned(),
        settings: context::settings(&args.connection)?,
        extra_vars: context::extra_vars(&args.variables.set)?,
        pool: args.connection.pool,
        warn_only: false,
        exclude: args.selection.exclude.clone(),
        ssh_config: context::ssh_config(&args.connection)?,
    }
    .request(&inventory);
    let plan = planner::tasks(request, &mut inventory, selected.as_deref(), &file, &calls)?;
    secrets::check(&plan)?;
    let steps: usize = plan.tasks.iter().map(|task| task.steps.len()).sum();
    Ok(format!("{summary}ok: {} tasks with {steps} steps on {} hosts\n", plan.tasks.len(), plan.hosts.len()))
}

pub(super) fn run(args: &Check) -> Result<ExitCode, CliError> {
    print(&check(args)?)?;
    Ok(ExitCode::Ok)
}
