//! `fan check`: the files, and tasks with all their variables, without contacting anybody; with `--connect` then
//! also whether the hosts can be worked on.

use std::collections::HashSet;
use std::sync::Arc;

use crate::cli::args::{Check, Color};
use crate::cli::context::{self, Common};
use crate::cli::error::CliError;
use crate::cli::secrets::{Need, plan_tasks};
use crate::cli::{ping, print, run, secrets};
use crate::engine::plan::{Body, Changes, Plan, PlannedStep};
use crate::model::inventory::Inventory;
use crate::model::outcome::ExitCode;
use crate::model::position::{Located, Position};
use crate::model::task::{Action, Command, Step};

/// What the first step of a preflight does, for the message of a host that it fails on.
const COMMAND: &str = "log in and run a command";

/// What the second step of a preflight does, for the message of a host that lacks its interpreter.
const INTERPRETER: &str = "start the interpreter of scripts (the setting `shell`)";
const FILES: &str = "look at a file, as steps on files do (SFTP, or commands)";

pub(super) fn run(args: &Check, color: Color) -> Result<ExitCode, CliError> {
    let checked = check(args)?;
    print(&checked.summary)?;
    if !args.connect {
        return Ok(ExitCode::Ok);
    }
    if checked.hosts.is_empty() {
        return Err(context::no_hosts());
    }
    let plan = ping::plan("check", &checked.inventory, &checked.hosts, &args.connection, None)?;
    ping::carry_out(with_interpreter(plan), false, color)
}

/// What was found to be right.
struct Checked {
    summary: String,
    inventory: Inventory,
    /// The hosts that are meant, as indices into the inventory's.
    hosts: Vec<usize>,
}

fn check(args: &Check) -> Result<Checked, CliError> {
    let (mut inventory, file) = context::files(&args.selection, &args.tasks_file)?;
    let calls = run::calls(&args.tasks)?;
    let selected = context::select(&mut inventory, &args.selection)?;
    let summary = format!(
        "ok: {}, {}, {}\n",
        counted(inventory.hosts.len(), "host"),
        counted(inventory.roles.len(), "role"),
        counted(file.tasks.len(), "task")
    );
    if calls.is_empty() {
        let hosts = match selected {
            Some(selected) => selected,
            None if args.connect => context::select_or_all(&mut inventory, &args.selection)?,
            None => Vec::new(),
        };
        return Ok(Checked { summary, inventory, hosts });
    }
    let common = Common {
        title: "check".to_owned(),
        settings: context::settings(&args.connection)?,
        extra_vars: context::extra_vars(&args.variables.set)?,
        pool: args.connection.pool,
        warn_only: false,
        changes: Changes::default(),
        exclude: args.selection.exclude.clone(),
        ssh_config: context::ssh_config(&args.connection)?,
        tags: args.tags.tags(),
        serial: Vec::new(),
        condition: None,
    };
    let plan = plan_tasks(&common, &mut inventory, selected.as_deref(), &file, &calls, Need::Check)?;
    secrets::check(&plan)?;
    let steps: usize = plan.tasks.iter().map(|task| task.steps.len()).sum();
    let summary = format!(
        "{summary}ok: {} with {} on {}\n",
        counted(plan.tasks.len(), "task"),
        counted(steps, "step"),
        counted(plan.hosts.len(), "host")
    );
    let planned: HashSet<_> = plan.hosts.iter().map(|host| &host.endpoint.name).collect();
    let hosts = inventory.hosts.iter().enumerate().filter(|(_, host)| planned.contains(&host.name));
    let hosts = hosts.map(|(index, _)| index).collect();
    Ok(Checked { summary, inventory, hosts })
}

/// `1 host`, `4 hosts`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Adds a script that does nothing, which is started as the scripts of tasks are, in any login shell; and a look at a
/// file, as steps on files see it.
fn with_interpreter(mut plan: Plan) -> Plan {
    let position = Position::new("", 0, 0);
    let text = |text: &str| Located { value: Arc::from(text), position: position.clone() };
    for task in &mut plan.tasks {
        let Some(command) = task.steps.first_mut() else { continue };
        command.step.name = Some(text(COMMAND));
        let like = |action: Action, name: &str| {
            PlannedStep::plain(Step { action, name: Some(text(name)), ..command.step.clone() })
        };
        let script = like(Action::Run(Command::Script(text(ping::COMMAND))), INTERPRETER);
        let files = like(Action::Stat(text(".")), FILES);
        task.steps.extend([script, files]);
        task.body = Body::sequence(task.steps.len());
    }
    plan
}
