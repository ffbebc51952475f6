//! `fan check`: the files, and tasks with all their variables, without connecting to any host; with `--connect` then
//! also whether the hosts can be worked on.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::cli::args::{CheckArgs, Color};
use crate::cli::context::{self, Common};
use crate::cli::error::CliError;
use crate::cli::print::print;
use crate::cli::secrets::{Need, plan_tasks};
use crate::cli::{habits, one_step, ping, run, secrets, snippet};
use crate::engine::plan::{Body, Keeper, Plan, PlannedLock, PlannedStep, PlannedTask, Sizes, TaskHost};
use crate::model::action::DoneAt;
use crate::model::count::counted;
use crate::model::endpoint::Endpoint;
use crate::model::inventory::{HostName, Inventory};
use crate::model::outcome::ExitCode;
use crate::model::position::{Located, Position};
use crate::model::shell::durable::JobsDeed;
use crate::model::task::{Action, Become, Command, RunAs, Step, Strategy};
use crate::model::template::Layer;

/// What the first step of a preflight does, for the message of a host that it fails on.
const COMMAND: &str = "log in and run a command";

/// What the second step of a preflight does, for the message of a host that lacks its interpreter.
const INTERPRETER: &str = "start the interpreter of scripts (the setting `shell`)";

/// What the steps behind those do.
const BECOMING: &str = "run a command as another user, like steps with sudo";

/// What the last one does.
const FILES: &str = "examine a file, like steps on files (SFTP, or commands)";

pub(super) fn run(args: &CheckArgs, color: Color) -> Result<ExitCode, CliError> {
    let checked = check(args)?;
    print(&checked.summary)?;
    if !args.connect {
        return Ok(ExitCode::Ok);
    }
    if checked.hosts.is_empty() {
        return Err(context::no_hosts(&checked.inventory));
    }
    let plan = ping::plan(common(args)?, &checked.inventory, &checked.hosts)?;
    ping::carry_out(with_locks(with_preflight(plan, checked.becoming), checked.locks), false, color)
}

/// What the flags say of all its plans.
fn common(args: &CheckArgs) -> Result<Common, CliError> {
    let common = Common::over(&args.connection, "check".to_owned())?;
    Ok(common.pooled(&args.pool).limited(&args.limit).with_sudo_password(&args.sudo_password))
}

/// What was found to be right.
struct Checked {
    summary: String,
    inventory: Inventory,
    /// The hosts that are meant, as indices into the inventory's.
    hosts: Vec<usize>,
    /// Whom their steps become.
    becoming: Vec<BecomingChecked>,
    /// The locks of the tasks, each with the host that keeps it.
    locks: Vec<(Arc<str>, Endpoint)>,
}

/// A user whom steps become, and the hosts where they do.
struct BecomingChecked {
    other: Become,
    hosts: BTreeSet<HostName>,
}

fn check(args: &CheckArgs) -> Result<Checked, CliError> {
    let (mut inventory, file) = context::files(&args.selection, &args.tasks_file)?;
    let calls = run::calls(&args.tasks)?;
    let summary = format!(
        "ok: {}, {}, {}\n",
        counted(inventory.hosts.len(), "host"),
        counted(inventory.roles.len(), "role"),
        counted(file.tasks.len(), "task")
    );
    if calls.is_empty() {
        let hosts = match context::select(&mut inventory, &args.selection)? {
            Some(selected) => selected,
            None if args.connect => context::select_or_all(&mut inventory, &args.selection)?,
            None => Vec::new(),
        };
        // Whoever gives the password wants to know.
        let names = hosts.iter().filter_map(|&host| inventory.hosts.get(host));
        let everywhere = BecomingChecked {
            other: Become::default(),
            hosts: names.map(|host| host.name.clone()).collect(),
        };
        let becoming = if args.sudo_password.ask_sudo_pass { vec![everywhere] } else { Vec::new() };
        return Ok(Checked { summary, inventory, hosts, becoming, locks: Vec::new() });
    }
    let common = Common {
        extra_vars: context::extra_vars(&args.variables.set)?,
        bounds: args.selection.bounds(),
        shard: args.selection.shard,
        picking: args.picking.picking(),
        ..common(args)?
    };
    let selected = context::select_whole(&mut inventory, &args.selection)?;
    let unknown = habits::unknown_tasks(&calls, &file, &inventory, false);
    let plan = plan_tasks(&common, &mut inventory, selected.as_deref(), &file, &calls, Need::Check);
    let plan = plan.map_err(|error| error.explained(&unknown))?;
    secrets::check(&plan)?;
    plan.warnings.iter().for_each(snippet::tell);
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
    let becoming = becoming(&plan);
    let mut locks: Vec<(Arc<str>, Endpoint)> = Vec::new();
    for lock in plan.tasks.iter().filter_map(|task| task.lock.as_ref()) {
        let Some(keeper) = plan.keeper(lock) else { continue };
        if !locks.iter().any(|(name, known)| *name == lock.name && known.name == keeper.name) {
            locks.push((Arc::clone(&lock.name), keeper.clone()));
        }
    }
    Ok(Checked { summary, inventory, hosts, becoming, locks })
}

/// Whom the steps of a plan become on their hosts, as far as that is known before the run.
fn becoming(plan: &Plan) -> Vec<BecomingChecked> {
    let mut found: Vec<BecomingChecked> = Vec::new();
    let user = |other: &Become| other.user.as_ref().map(|user| Arc::clone(&user.value));
    let same =
        |a: &Become, b: &Become| user(a) == user(b) && a.method == b.method && a.password == b.password;
    for task in &plan.tasks {
        for planned in task.steps.iter().filter(|planned| planned.step.on.is_none()) {
            let by_program = matches!(planned.step.action, Action::Run(Command::Program(_)));
            if planned.step.action.properties().done == DoneAt::Here || by_program {
                continue;
            }
            let known = |other: &&Become| !user(other).is_some_and(|user| user.contains("{{"));
            let Some(other) = planned.step.becomes().filter(known) else { continue };
            let members = task.hosts.iter().filter_map(|member| plan.hosts.get(member.host));
            let names = members.map(|host| host.endpoint.name.clone());
            match found.iter_mut().find(|before| same(&before.other, other)) {
                Some(before) => before.hosts.extend(names),
                None => found.push(BecomingChecked { other: other.clone(), hosts: names.collect() }),
            }
        }
    }
    found
}

/// Adds a task for each lock in which nothing is done, to see whether it can be had; also after hosts that failed.
fn with_locks(mut plan: Plan, locks: Vec<(Arc<str>, Endpoint)>) -> Plan {
    plan.locking.look_only = true;
    for (name, keeper) in locks {
        let member = plan.hosts.iter().position(|host| host.endpoint.name == keeper.name);
        let keeper = member.map_or_else(
            || {
                plan.locking.keepers.push(keeper);
                Keeper::Aside(plan.locking.keepers.len() - 1)
            },
            Keeper::Member,
        );
        // The host that keeps it takes part, so that its connection is still open.
        let hosts = member.map(|host| TaskHost { host, vars: Layer::default() });
        plan.tasks.push(PlannedTask {
            name: Arc::from(format!("lock {name}")),
            steps: Vec::new(),
            body: Body::default(),
            handlers: Vec::new(),
            batches: hosts.iter().map(|_| 0..1).collect(),
            max_fail: Some(usize::MAX),
            sizes: Sizes::default(),
            strategy: Strategy::Free,
            run_once: false,
            lock: Some(PlannedLock { name, keeper }),
            hosts: hosts.into_iter().collect(),
            host_names: Layer::default(),
            timeout: None,
        });
    }
    plan
}

/// Adds a script that does nothing, which is started as the scripts of tasks are, in any login shell; a look at a
/// file, as steps on files see it; and the script once more as those whom steps become.
fn with_preflight(mut plan: Plan, becoming: Vec<BecomingChecked>) -> Plan {
    let position = Position::new("", 0, 0);
    let text = |text: &str| Located { value: Arc::from(text), position: position.clone() };
    for task in &mut plan.tasks {
        let Some(command) = task.steps.first_mut() else { continue };
        command.step.name = Some(text(COMMAND));
        let like = |action: Action, name: &str| {
            PlannedStep::plain(Step { action, name: Some(text(name)), ..command.step.clone() })
        };
        // It is to do nothing; then it may as well count what durable commands have left.
        let words = ["sh", "-c", &JobsDeed::Count.script("")].map(one_step::literal);
        let script = like(Action::Run(Command::Argv(words.into())), INTERPRETER);
        let nothing = Action::Run(Command::Script(text(ping::COMMAND)));
        let files = like(Action::Stat(text(".")), FILES);
        let raised = becoming.iter().map(|BecomingChecked { other, hosts }| {
            let hosts: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
            let mut raised = like(nothing.clone(), BECOMING);
            raised.step.run_as = Some(RunAs::Other(Box::new(other.clone())));
            raised.step.when = Some(text(&format!("host in {}", serde_json::json!(hosts))));
            raised
        });
        let raised: Vec<PlannedStep> = raised.collect();
        task.steps.extend([script, files]);
        task.steps.extend(raised);
        task.body = Body::sequence(task.steps.len());
    }
    plan
}
