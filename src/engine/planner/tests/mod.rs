//! From hand-made inventories and tasks to plans, and to the messages of those that cannot be planned.

mod calls;
mod gateways;
mod handed;
mod hosts;
mod readable;
mod secrets;
mod targets;
mod variables;

use std::path::PathBuf;
use std::sync::Arc;

use crate::engine::plan::{Changes, Locking, Plan, PlannedTask};
use crate::engine::planner::Picking;
use crate::engine::planner::SshConfigSource;
use crate::engine::planner::{self, Operator, Request};
use crate::model::call::{NeededTask, TaskCall};
use crate::model::inventory::{Host, HostName, Inventory, Role, RoleName};
use crate::model::position::{Diagnostic, Located, Position};
use crate::model::secret::{SecretSources, Secrets};
use crate::model::settings::HostKeyPolicy;
use crate::model::settings::Settings;
use crate::model::target;
use crate::model::task::{Action, Command, Step, Task, TaskFile, TemplateText};
use crate::model::template::{Builtins, Scope, Templates};
use crate::model::value::{Value, Vars};

fn vars(value: Value) -> Vars {
    match value {
        Value::Object(vars) => vars,
        other => panic!("{other} is no map"),
    }
}

fn text(line: u32, text: &str) -> TemplateText {
    Located::new(Arc::from(text), Position::new("tasks.yaml", line, 9))
}

fn step(line: u32, action: Action) -> Step {
    Step { position: Position::new("tasks.yaml", line, 7), ..Step::bare(action) }
}

fn echo(line: u32, said: &str) -> Step {
    step(line, Action::Echo(text(line, said)))
}

fn script(line: u32, body: &str) -> Step {
    step(line, Action::Run(Command::Script(text(line, body))))
}

fn registered(name: &str, step: Step) -> Step {
    let register = Located::new(name.to_owned(), step.position.clone());
    Step { register: Some(register), ..step }
}

/// A task on the role `web` that says one line.
fn task(line: u32, name: &str) -> Task {
    let position = Position::new("tasks.yaml", line, 3);
    Task {
        roles: vec![Located::new(RoleName::from("web"), position.clone())],
        position,
        ..Task::bare(name, vec![echo(line + 1, "hello")])
    }
}

impl Task {
    fn steps(self, steps: Vec<Step>) -> Self {
        Self { steps, ..self }
    }

    fn vars(self, own: Value) -> Self {
        Self { vars: vars(own), ..self }
    }

    /// Parameters; null stands for one that is required.
    fn params(self, params: Value) -> Self {
        let params = vars(params).into_iter();
        let params = params.map(|(name, value)| (name, (!value.is_null()).then_some(value))).collect();
        Self { params, ..self }
    }

    fn before(self, calls: &[&str]) -> Self {
        let needed = |written: &&str| NeededTask {
            call: crate::config::parse_call(written).unwrap(),
            written: Arc::from(*written),
            position: self.position.clone(),
        };
        Self { before: calls.iter().map(needed).collect(), ..self }
    }
}

fn file(tasks: Vec<Task>) -> TaskFile {
    let tasks = tasks.into_iter().map(|task| (task.name.to_string(), task)).collect();
    TaskFile {
        file: Arc::from("tasks.yaml"),
        included: Vec::new(),
        vars: Vars::new(),
        secrets: SecretSources::new(),
        tasks,
    }
}

fn call(name: &str) -> TaskCall {
    TaskCall::bare(name)
}

/// `jump`, `web1` to `web3` (role `web`) and `db1` (role `db`).
fn inventory() -> Inventory {
    let at = |line: usize| Position::new("inventory.yaml", line as u32, 3);
    let names = ["jump", "web1", "web2", "web3", "db1"];
    let host = |(line, name): (usize, &&str)| Host::new(HostName::from(*name), at(line + 2));
    let hosts: Vec<Host> = names.iter().enumerate().map(host).collect();
    let role = |line: usize, name: &str, members: &str| Role {
        members: vec![Located::new(members.to_owned(), at(line))],
        ..Role::new(RoleName::from(name))
    };
    let roles = vec![role(9, "web", "web*"), role(10, "db", "db1")];
    let members = target::role_members(&hosts, &roles).unwrap();
    Inventory { file: Arc::from("inventory.yaml"), hosts, roles, members, ..Inventory::empty() }
}

fn request() -> Request {
    Request {
        known: Default::default(),
        run: Arc::from("01J"),
        title: "run".to_owned(),
        started_at: "2026-01-01T00:00:00Z".to_owned(),
        operator: Operator {
            user: Some("me".to_owned()),
            home: Some(PathBuf::from("/h/me")),
            agent_socket: Some(PathBuf::from("/run/agent")),
            default_identities: vec![PathBuf::from("/h/me/.ssh/id_ed25519")],
            default_known_hosts: vec![PathBuf::from("/h/me/.ssh/known_hosts")],
            system_known_hosts: vec![PathBuf::from("/etc/ssh/ssh_known_hosts")],
            project_known_hosts: None,
            default_host_keys: HostKeyPolicy::Strict,
        },
        settings: Settings::default(),
        extra_vars: Vars::new(),
        extra_given: Default::default(),
        secrets: Secrets::default(),
        templates: Arc::new(Templates::new(&Builtins::default())),
        groups: Default::default(),
        others: Default::default(),
        pool: 8,
        warn_only: false,
        changes: Changes::default(),
        bounds: Default::default(),
        shard: None,
        ssh_config: SshConfigSource::none(),
        picking: Picking::default(),
        serial: Vec::new(),
        stepwise: false,
        lock_wait: Locking::default().wait,
        who: "me@here".to_owned(),
        condition: None,
    }
}

/// Plans the calls; the messages when they cannot be planned.
fn plan_with(
    request: Request,
    inventory: &mut Inventory,
    file: &TaskFile,
    calls: &[TaskCall],
) -> Result<Plan, String> {
    planner::tasks(request, inventory, None, file, calls).map_err(|problems| shown(&problems))
}

fn plan(file: &TaskFile, calls: &[TaskCall]) -> Result<Plan, String> {
    plan_with(request(), &mut inventory(), file, calls)
}

fn shown(problems: &[Diagnostic]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Each task of a plan with its hosts.
fn outline(plan: &Plan) -> String {
    let name = |host: usize| plan.hosts[host].endpoint.name.as_str();
    let line = |task: &PlannedTask| {
        let hosts: Vec<&str> = task.hosts.iter().map(|host| name(host.host)).collect();
        format!("{}: {}", task.name, hosts.join(" "))
    };
    plan.tasks.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What a template says in a task on the host of this name, before any of its steps ran.
fn says(plan: &Plan, task: usize, host: &str, template: &str) -> String {
    let task = &plan.tasks[task];
    let of = task.hosts.iter().find(|of| plan.hosts[of.host].endpoint.name.as_str() == host).unwrap();
    let scope = Scope::new()
        .with(plan.hosts[of.host].vars.clone())
        .with(of.vars.clone())
        .with(plan.extra_vars.clone());
    plan.templates.render_text(template, &scope).unwrap()
}

#[test]
fn a_command_is_planned_for_the_login_shell_as_it_is() {
    let plan = planner::command(request(), &inventory(), &[1, 4], "echo {{ nope }}; true").unwrap();
    assert_eq!(outline(&plan), "echo {{ nope }}; true: web1 db1");
    let step = &plan.tasks[0].steps[0].step;
    assert!(matches!(&step.action, Action::Run(Command::Raw(line)) if &**line == "echo {{ nope }}; true"));
    let summary = &plan.summaries()[0];
    assert_eq!((summary.steps[0].action.as_str(), &summary.hosts[..]), ("run", &[0, 1][..]));
    assert_eq!(summary.steps[0].position, None, "it stands in no file");
    assert_eq!((plan.pool, plan.title.as_str()), (8, "run"));
}
