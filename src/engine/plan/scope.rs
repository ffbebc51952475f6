//! The variables that a template of a host sees at a step: the same for the worker that runs it and for the
//! checks before anything is contacted.

use crate::engine::plan::whole::{Plan, PlannedHost, PlannedTask};
use crate::model::action::FACTS;
use crate::model::facts::Facts;
use crate::model::template::{Layer, Scope};
use crate::model::value::{Value, Vars};

/// The names that [`of`] always has, besides the user's.
pub(crate) const BUILT_IN_NAMES: [&str; 13] = [
    "host",
    "address",
    "port",
    "user",
    "roles",
    "run_id",
    "task",
    "hosts",
    "host_index",
    "host_count",
    "batch",
    HOST_VARS,
    GROUPS,
];

/// The names of a host that are there before any task, besides the user's.
pub(crate) const IDENTITY_NAMES: [&str; 7] = ["host", "address", "port", "user", "roles", "run_id", GROUPS];

/// The hosts of each role.
pub(crate) const GROUPS: &str = "groups";

/// Variables of other hosts.
pub(crate) const HOST_VARS: &str = "hostvars";

/// The layers of variables of a task's host, the lowest first (docs/templates.md).
///
/// `position` is the host's place in the task's list; `host_vars` has [`HOST_VARS`], `learned` is what `set` and `register` gave so far, and
/// `frames` what the called tasks around the step were called with, the outermost first.
pub(crate) fn of(
    plan: &Plan,
    task: &PlannedTask,
    position: usize,
    host_vars: Layer,
    learned: Layer,
    frames: impl IntoIterator<Item = Layer>,
) -> Scope {
    let member = task.hosts.get(position);
    let host = member.and_then(|member| plan.hosts.get(member.host));
    let scope = Scope::new()
        .with(plan.groups.clone())
        .with(host_vars)
        .with(host.map(|host| Layer::new(&built_in(plan, task, host, position))).unwrap_or_default())
        .with(task.host_names.clone())
        .with(plan.secrets.known().clone())
        .with(host.map(|host| host.vars.clone()).unwrap_or_default())
        .with(member.map(|member| member.vars.clone()).unwrap_or_default())
        .with(learned);
    frames.into_iter().fold(scope, Scope::with).with(plan.extra_vars.clone())
}

/// What `--where` sees of a host of this run: no task has begun.
pub(crate) fn before_tasks(
    run: &str,
    groups: &Layer,
    host: &PlannedHost,
    facts: Option<&Facts>,
    extra: &Layer,
) -> Scope {
    let facts = facts.map(|facts| (FACTS.to_owned(), Value::Object(facts.to_vars())));
    Scope::new()
        .with(groups.clone())
        .with(Layer::new(&identity(run, host)))
        .with(host.vars.clone())
        .with(Layer::new(&facts.into_iter().collect()))
        .with(extra.clone())
}

/// Variables that fan itself gives each template. The user's own of the same name win.
pub(super) fn built_in(plan: &Plan, task: &PlannedTask, host: &PlannedHost, position: usize) -> Vars {
    let mut vars = identity(&plan.run, host);
    let mut put = |name: &str, value: Value| vars.insert(name.to_owned(), value);
    put("task", Value::from(task.name.as_ref()));
    put("host_index", Value::from(position));
    put("host_count", Value::from(task.hosts.len()));
    let batch = task.batches.iter().position(|batch| batch.contains(&position));
    put("batch", batch.map_or(Value::Null, |batch| Value::from(batch + 1)));
    vars
}

/// Who a host is: [`IDENTITY_NAMES`] but [`GROUPS`], which all hosts share.
fn identity(run: &str, host: &PlannedHost) -> Vars {
    let endpoint = &host.endpoint;
    let roles = host.roles.iter().map(|role| Value::from(role.as_str())).collect();
    let mut vars = Vars::new();
    let mut put = |name: &str, value: Value| vars.insert(name.to_owned(), value);
    put("host", Value::from(endpoint.name.as_str()));
    put("address", Value::from(endpoint.address.as_ref()));
    put("port", Value::from(endpoint.port));
    put("user", Value::from(endpoint.user.as_ref()));
    put("roles", Value::Array(roles));
    put("run_id", Value::from(run));
    vars
}

/// Whether what one host defines for all is that of the others, too: what a host is says nothing about another one.
pub(crate) fn is_shared(name: &str) -> bool {
    name != FACTS
}
