//! `fan demo`: throw-away SSH hosts inside the process, and a task run on them: the example, or your own.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::cli::args::{Color, DemoArgs};
use crate::cli::context::{self, Common};
use crate::cli::error::{CliError, talk};
use crate::cli::output::{OutputContent, Outputs};
use crate::cli::protected::Guard;
use crate::cli::questions::Answers;
use crate::cli::runtime::runtime;
use crate::cli::secrets::{Need, plan_tasks};
use crate::cli::tour::Tour;
use crate::cli::{ask, run, runner, signals};
use crate::config;
use crate::engine::plan::{Locking, Plan, PlannedTask, with_titles};
use crate::model::action::{DoneAt, Touches};
use crate::model::call::TaskCall;
use crate::model::count::counted;
use crate::model::endpoint::{Agent, NamedBy};
use crate::model::host_key::HostKeyRules;
use crate::model::inventory::{Host, HostName, Inventory};
use crate::model::outcome::ExitCode;
use crate::model::position::{Diagnostic, Located};
use crate::model::range::MAX_HOSTS;
use crate::model::settings::Transport;
use crate::model::target;
use crate::model::task::{Action, Step, TaskFile};
use crate::sandbox::{HostSpec, Sandbox};

/// The examples, as they stand at the root of the repository.
const INVENTORY: &str = include_str!("../../inventory.example.yaml");
const TASKS: &str = include_str!("../../tasks.example.yaml");

/// The task that runs unless another is named.
const TASK: &str = "deploy";

/// The role whose hosts `--hosts` counts.
const ROLE: &str = "web";

pub(super) fn run(args: &DemoArgs, color: Color) -> Result<ExitCode, CliError> {
    let mut inventory = inventory(args)?;
    if let Some(count) = args.hosts {
        resize(&mut inventory, usize::from(count))?;
    }
    let file = tasks(args.tasks_file.as_deref())?;
    let calls = if args.tasks.is_empty() { vec![TaskCall::bare(TASK)] } else { run::calls(&args.tasks)? };
    let selected = roles(&mut inventory, &args.roles)?;
    let names: Vec<&str> = calls.iter().map(|call| call.task.as_str()).collect();
    let common = Common {
        extra_vars: context::extra_vars(&args.variables.set)?,
        ..Common::bare(format!("demo of {}", names.join(", ")))
    };
    let plan =
        plan_tasks(&common, &mut inventory, selected.as_deref(), &file, &calls, Need::Values(Guard::Off))?;
    let plan = without_restarts(without_locks(plan));
    if let Some(path) = &args.tasks_file
        && !args.yes
    {
        agreed(&plan, path)?;
    }
    let plan = Plan { below_home: true, ..plan };
    let tour = Tour::of(args);
    let output = tour.as_ref().map(|tour| tour.output(&args.output));
    let output = output.as_ref().unwrap_or(&args.output);
    let outputs =
        Outputs::new(output, color, OutputContent { log: true, diff: false, shape: None, dry: None })?;
    let result = runtime()?.block_on_then_leave(async {
        // Before there is anything to clean up: a signal must not end the process any more.
        let stopping = signals::stops()?;
        // A host may also do the steps of others.
        let names: BTreeSet<&str> = plan.endpoints().map(|endpoint| endpoint.name.as_str()).collect();
        let specs = names.into_iter().map(HostSpec::new).collect();
        let sandbox = Sandbox::start(specs).await.map_err(|source| CliError::Local {
            doing: "cannot start the throw-away hosts".to_owned(),
            source,
        })?;
        let (plan, left) = without_sudo(moved_into(plan, &sandbox));
        let plan = with_titles(plan);
        if left {
            talk("demo: these hosts are this machine: steps run as you, without sudo");
        }
        talk(&format!(
            "demo: {} throw-away hosts on 127.0.0.1; they and their folders are removed at the end",
            sandbox.hosts().len()
        ));
        if let Some(tour) = &tour {
            tour.begin();
        }
        let result = runner::carry_out(plan, outputs, Answers::Person, stopping, None).await;
        sandbox.stop().await;
        result
    });
    if let (Some(tour), Ok(ExitCode::Ok)) = (&tour, &result) {
        tour.end();
    }
    result
}

fn inventory(args: &DemoArgs) -> Result<Inventory, CliError> {
    Ok(context::told(match &args.inventory {
        Some(path) => config::load_inventory(path, MAX_HOSTS)?,
        None => config::load_inventory_text("inventory.example.yaml", INVENTORY)?,
    }))
}

fn tasks(named: Option<&Path>) -> Result<TaskFile, CliError> {
    Ok(context::told(match named {
        Some(path) => config::load_tasks(path)?,
        None => config::load_tasks_text("tasks.example.yaml", TASKS)?,
    }))
}

fn roles(inventory: &mut Inventory, roles: &[String]) -> Result<Option<Vec<usize>>, CliError> {
    if roles.is_empty() {
        return Ok(None);
    }
    let expressions: Vec<String> = roles.iter().map(|role| format!("@{role}")).collect();
    let include: Vec<&str> = expressions.iter().map(String::as_str).collect();
    match target::select(inventory, &include, &[]) {
        Ok(selected) => Ok(Some(selected)),
        Err(errors) => Err(CliError::Input(errors.into_iter().map(Into::into).collect())),
    }
}

/// Gives the role [`ROLE`] this many hosts, all like its first one.
fn resize(inventory: &mut Inventory, count: usize) -> Result<(), CliError> {
    let role = inventory.role_index(ROLE);
    let members = role.and_then(|role| inventory.members.get(role)).cloned().unwrap_or_default();
    let Some(model) = members.first().and_then(|&host| inventory.hosts.get(host)).cloned() else {
        return Err(CliError::input(format!(
            "--hosts sets the size of role \"{ROLE}\", which the inventory lacks"
        )));
    };
    let width = count.to_string().len().max(2);
    let named = |number: usize| Host {
        name: HostName::from(format!("{ROLE}{number:0width$}").as_str()),
        ..model.clone()
    };
    // Other roles that held these hosts hold the new ones.
    let others: Vec<usize> = (0..inventory.hosts.len()).filter(|host| !members.contains(host)).collect();
    let mut hosts: Vec<Host> = (1..=count).map(named).collect();
    hosts.extend(others.iter().filter_map(|&host| inventory.hosts.get(host).cloned()));
    let moved = |host: &usize| others.iter().position(|other| other == host).map(|at| at + count);
    for old in &mut inventory.members {
        let mut fresh: Vec<usize> = old.iter().filter_map(moved).collect();
        if old.iter().any(|host| members.contains(host)) {
            fresh.extend(0..count);
        }
        fresh.sort_unstable();
        *old = fresh;
    }
    inventory.hosts = hosts;
    Ok(())
}

/// Commands that are shown before they are agreed to.
const SHOWN_COMMANDS: usize = 10;

/// Asks whether the commands of the user's own tasks may run: the hosts are this machine, and no folder holds a command.
fn agreed(plan: &Plan, path: &Path) -> Result<(), CliError> {
    let steps = plan.tasks.iter().flat_map(|task| &task.steps).map(|planned| &planned.step);
    let commands: Vec<&Step> =
        steps.filter(|step| step.action.properties().touches == Touches::Anything).collect();
    if commands.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the commands of {} run on this machine, as you; only files of steps stay in the folders of the hosts",
        path.display()
    );
    if !ask::can_ask() {
        return Err(Diagnostic::bare(message).help("--yes runs them without asking").into());
    }
    talk(&format!("demo: {message}"));
    for step in commands.iter().take(SHOWN_COMMANDS) {
        talk(&format!("  {}:{}  {}", step.position.file, step.position.line, step.title()));
    }
    if let Some(more) = commands.len().checked_sub(SHOWN_COMMANDS).filter(|&more| more > 0) {
        talk(&format!("  and {}", counted(more, "more command")));
    }
    if ask::line("run them here? [yes/no] ")? == "yes" { Ok(()) } else { Err(CliError::Interrupted) }
}

/// This machine is not restarted.
fn without_restarts(mut plan: Plan) -> Plan {
    let steps = plan.tasks.iter_mut().flat_map(|task| &mut task.steps).map(|planned| &mut planned.step);
    for step in steps.filter(|step| matches!(step.action, Action::Reboot(_))) {
        let said = Located::new(Arc::from("not restarted: this host is your machine"), step.position.clone());
        step.action = Action::Echo(said);
    }
    plan
}

/// Throw-away hosts are nobody else's, and hosts that only keep a lock would be the real ones.
fn without_locks(plan: Plan) -> Plan {
    let tasks = plan.tasks.into_iter().map(|task| PlannedTask { lock: None, ..task }).collect();
    Plan { tasks, locking: Locking::default(), ..plan }
}

/// The plan with all steps of the hosts done as the user who runs them; and whether any was to be done as another one.
fn without_sudo(mut plan: Plan) -> (Plan, bool) {
    let mut left = false;
    let steps = plan.tasks.iter_mut().flat_map(|task| &mut task.steps).map(|planned| &mut planned.step);
    for step in steps.filter(|step| step.action.properties().done != DoneAt::Here) {
        left |= step.becomes().is_some();
        step.run_as = None;
    }
    (plan, left)
}

/// The plan with its throw-away double in the place of every host.
fn moved_into(plan: Plan, sandbox: &Sandbox) -> Plan {
    let identities: Arc<[_]> = Arc::from([sandbox.identity().to_owned()]);
    let known_hosts: Arc<[_]> = Arc::from([sandbox.known_hosts().to_owned()]);
    plan.with_endpoints(|endpoint| {
        let double = sandbox.hosts().iter().find(|double| double.name == endpoint.name.as_str());
        let double = double.expect("each of them has one");
        endpoint.address = Arc::from(double.address.ip().to_string());
        endpoint.port = double.address.port();
        endpoint.user = Arc::from(sandbox.user());
        endpoint.identities = Arc::clone(&identities);
        endpoint.identities_named = NamedBy::User;
        endpoint.identities_only = true;
        endpoint.certificates = Arc::from([]);
        endpoint.agent = Agent::Off;
        endpoint.forward_agent = false;
        endpoint.password = None;
        endpoint.known_hosts = Arc::clone(&known_hosts);
        // Pins and policies are about the real host.
        endpoint.host_key = HostKeyRules::default();
        endpoint.transport = Transport::Ssh;
        endpoint.proxy_command = None;
        endpoint.gateway = None;
    })
}
