//! `fan run`: tasks of the tasks file.

use crate::cli::args::{Color, RunArgs};
use crate::cli::context::{self, Common};
use crate::cli::error::{CliError, talk};
use crate::cli::fleet::{self, Saver};
use crate::cli::journal::Invocation;
use crate::cli::output::{OutputContent, Outputs};
use crate::cli::plan_file::{self, PlanFile, PlanOrigin};
use crate::cli::print::print;
use crate::cli::protected::Guard;
use crate::cli::questions::Answers;
use crate::cli::secrets::{Need, plan_tasks};
use crate::cli::{habits, journal, list, plan_view, runner, snippet};
use crate::config;
use crate::engine::plan::{Locking, Plan};
use crate::model::call::TaskCall;
use crate::model::inventory::Inventory;
use crate::model::outcome::ExitCode;
use crate::model::range;
use crate::model::task::TaskFile;

/// Runs tasks. `planned` is the plan that it has to be, when it is one of a file.
pub(super) fn run(
    args: &RunArgs,
    color: Color,
    invocation: &Invocation,
    planned: Option<&PlanFile>,
) -> Result<ExitCode, CliError> {
    if args.list {
        return list::run(&args.tasks_file, &args.selection.source, false);
    }
    let execution = &args.execution;
    let calls = calls(&args.tasks)?;
    let (mut inventory, file) = context::files(&args.selection, &args.tasks_file)?;
    let selected = context::select_whole(&mut inventory, &args.selection)?;
    let names: Vec<&str> = calls.iter().map(|call| call.task.as_str()).collect();
    let common = Common {
        extra_vars: context::extra_vars(&args.variables.set)?,
        changes: args.changes.changes(),
        bounds: args.selection.bounds(),
        shard: args.selection.shard,
        picking: args.picking.picking(),
        condition: args.condition.get(),
        known: fleet::known(&args.condition)?,
        stepwise: args.step,
        lock_wait: args.lock_wait.unwrap_or(Locking::default().wait),
        ..Common::executing(execution, names.join(", "))?.with_sudo_password(&args.sudo_password)
    };
    let files = files_read(args, &inventory, &file);
    let guard = Guard::of(!args.changes.dry_run, &args.protection.confirm);
    let need = if args.plan { Need::Nothing } else { Need::Values(guard) };
    let unknown = habits::unknown_tasks(&calls, &file, &inventory, execution.warn_only);
    let mut planning = |need| {
        let plan = plan_tasks(&common, &mut inventory, selected.as_deref(), &file, &calls, need);
        let plan = plan.map_err(|error| error.explained(&unknown))?;
        let called: Vec<String> =
            args.tasks.iter().map(|call| journal::call_without_secrets(call, &plan)).collect();
        Ok::<Plan, CliError>(plan.titled(called.join(", ")))
    };
    if let Some(planned) = planned {
        // Before anybody is asked for anything.
        let plan = planning(Need::Nothing)?;
        planned.check(&PlanOrigin { plan: &plan, invocation, files: &files })?;
    }
    let plan = planning(need)?;
    if args.sudo_password.ask_sudo_pass && !plan.password_sources().contains(&&context::sudo_prompt()) {
        talk("warning: -K: no step of this run uses sudo on these hosts, so its password is not asked for");
    }
    if execution.output.verbose {
        context::explain(&mut inventory, &args.selection);
        tell_targets(&plan);
    }
    if args.plan {
        plan.warnings.iter().for_each(snippet::tell);
        print(&(plan_view::render(&plan) + &invocation.preview(&plan)?))?;
        if let Some(out) = &args.out {
            let made =
                plan_file::of(&PlanOrigin { plan: &plan, invocation, files: &files }, plan_file::salt())?;
            made.write(out)?;
            made.not_held().iter().for_each(|step| {
                talk(&format!("warning: {step} reads local files that only the run will know: the plan does not hold them"));
            });
            talk(&format!("hint: `fan run --from-plan {}` runs exactly this", out.display()));
        }
        return Ok(ExitCode::Ok);
    }
    let plan = invocation.take_up(plan)?;
    let recording = (!args.changes.dry_run)
        .then(|| invocation.recording(&args.journal, files.iter().map(String::as_str)).of_tasks());
    // Ten thousand hosts are worth their memory back: the plan holds all that is needed from here on.
    drop(inventory);
    let answers = if args.yes { Answers::Yes } else { Answers::Person };
    let content = OutputContent { log: true, diff: plan.changes.diff, shape: None, dry: args.changes.dry() };
    let mut outputs = Outputs::new(&execution.output, color, content)?;
    if let Some(saver) = Saver::of_plan(&plan, args.condition.db())? {
        outputs = outputs.keeping(Box::new(saver));
    }
    runner::run_with(plan, outputs, answers, recording)
}

/// The files that hosts, tasks and variables come from.
fn files_read(args: &RunArgs, inventory: &Inventory, file: &TaskFile) -> Vec<String> {
    let lists = context::lists(&args.selection);
    let set = args.variables.set.iter().filter_map(|set| set.strip_prefix('@'));
    let files = [&*inventory.file, &*file.file]
        .into_iter()
        .chain(set)
        .chain(file.included.iter().map(|file| &**file))
        .chain(lists.iter().filter_map(|list| list.to_str()))
        .chain(context::piped_sources(&args.selection));
    files.filter(|file| !file.is_empty()).map(str::to_owned).collect()
}

/// Tells on which hosts each task is done (`-v`).
fn tell_targets(plan: &Plan) {
    for task in &plan.tasks {
        let hosts = task.hosts.iter().filter_map(|host| plan.hosts.get(host.host));
        let names: Vec<&str> = hosts.map(|host| host.endpoint.name.as_str()).collect();
        talk(&format!(
            "task {}: {}",
            task.name,
            if names.is_empty() { "no hosts".to_owned() } else { range::fold(&names) }
        ));
    }
}

/// Reads the calls; all that is wrong with them in one pass.
pub(super) fn calls(texts: &[String]) -> Result<Vec<TaskCall>, CliError> {
    config::parse_calls(texts).map_err(CliError::Input)
}
