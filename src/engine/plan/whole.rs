//! What a run will do, complete before anything is contacted: hosts, tasks, steps, values. Plain data.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use crate::engine::plan::memory::Memory;
use crate::engine::plan::places::Places;
use crate::event::{Section, StepSummary, TaskSummary};
use crate::model::action::{DoneAt, first_line};
use crate::model::endpoint::Endpoint;
use crate::model::facts::Facts;
use crate::model::given::WantedType;
use crate::model::inventory::{HostName, RoleName};
use crate::model::position::{Diagnostic, Position};
use crate::model::privilege::Method;
use crate::model::secret::{Secret, SecretSource, Secrets};
use crate::model::settings::{OnDisconnect, Sourced, TimeLimit};
use crate::model::task::{Become, Share, Step, Strategy, Template, TemplateText};
use crate::model::template::{Layer, Scope, Templates};
use crate::model::value::Vars;

/// Facts of hosts by their names, from another time.
pub type KnownFacts = Arc<HashMap<String, Arc<Facts>>>;

/// A run, decided.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Unique name of the run.
    pub run: Arc<str>,
    /// What runs, for headings.
    pub title: String,
    /// Wall clock at planning, RFC 3339, UTC.
    pub started_at: String,
    /// Hosts in inventory order.
    pub hosts: Vec<PlannedHost>,
    /// Hosts that steps of others are done on (`on`).
    pub delegates: Vec<PlannedHost>,
    /// Hosts for which this expression is false take no part (`--where`); they are asked before the first task.
    pub condition: Option<Arc<str>>,
    /// Facts of hosts by name that are known well enough for the condition.
    pub known: KnownFacts,
    /// Tasks in order. A task is a barrier: the next starts when no host is at work in it.
    pub tasks: Vec<PlannedTask>,
    /// Hosts at work at a time, at most.
    pub pool: usize,
    /// Every failed step is a warning (`-w`).
    pub warn_only: bool,
    /// The user is asked before each step (`--step`).
    pub stepwise: bool,
    /// What becomes of changes to files.
    pub changes: Changes,
    /// The operator's home, for `~/` in local paths.
    pub home: Option<PathBuf>,
    /// Renders templates.
    pub templates: Arc<Templates>,
    /// The hosts of each role, for templates.
    pub groups: Layer,
    /// Secrets that its templates need.
    pub secrets: Secrets,
    /// Where it is said from where passwords come.
    pub password_places: HashMap<SecretSource, Position>,
    /// Passwords of steps that run as another user, once they are fetched.
    pub passwords: HashMap<SecretSource, Secret>,
    /// What it goes on from, when it resumes another run.
    pub memory: Memory,
    /// Variables of the command line (`-e`): they win over everything.
    pub extra_vars: Layer,
    /// The variables of each host of the inventory, when a step may look at those of others.
    pub host_vars: Arc<HashMap<String, Scope>>,
    /// What taking locks needs.
    pub locking: Locking,
    /// What the user should know before it begins.
    pub warnings: Vec<Diagnostic>,
    /// The hosts are folders of this machine: their root is their user's home (`fan demo`).
    pub below_home: bool,
}

/// An absolute path as one that begins at a home, which `..` does not lead out of.
fn below(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    let end = if path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    format!("./{}{end}", parts.join("/"))
}

/// What taking locks needs.
#[derive(Clone, Debug)]
pub struct Locking {
    /// Hosts that keep a lock and take no other part in the run.
    pub keepers: Vec<Endpoint>,
    /// How long to wait for a lock held by another run.
    pub wait: TimeLimit,
    /// Who wants it, for those who find it held: `ann@laptop`.
    pub who: String,
    /// Locks are looked at, not kept, and one that cannot be had is no hindrance (`fan check --connect`).
    pub look_only: bool,
}

impl Default for Locking {
    fn default() -> Self {
        let wait = TimeLimit::After(Duration::ZERO);
        Self { keepers: Vec::new(), wait, who: "an unknown user".to_owned(), look_only: false }
    }
}

/// The lock of a task.
#[derive(Clone, Debug)]
pub struct PlannedLock {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is.
    pub keeper: Keeper,
}

/// The host that keeps a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// A host of the run: its index in [`Plan::hosts`].
    Member(usize),
    /// Another one: its index in [`Locking::keepers`].
    Aside(usize),
}

/// What becomes of changes to files of the hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// They are found, and not made (`--dry-run`).
    pub dry_run: bool,
    /// Changes to text are shown (`--diff`).
    pub diff: bool,
}

/// A host of the run.
#[derive(Clone, Debug)]
pub struct PlannedHost {
    /// How to reach it.
    pub endpoint: Endpoint,
    /// Its roles, in file order.
    pub roles: Vec<RoleName>,
    /// Variables that hold for it in every task, templates in them expanded.
    pub vars: Layer,
    /// Interpreter of scripts.
    pub shell: Arc<str>,
    /// Environment of every command.
    pub env: Vec<(String, String)>,
    /// Deadline of commands whose step and task have none.
    pub command_timeout: Option<Duration>,
    /// Longest silence of a command.
    pub idle_timeout: Option<Duration>,
    /// What becomes of a running command when the connection goes away.
    pub on_disconnect: OnDisconnect,
    /// Commands outlive the connection, unless their step says otherwise; and where that was said.
    pub durable: Option<Sourced<bool>>,
    /// How long it is tried to come back to one.
    pub reattach: Duration,
    /// How steps become another user there, unless they say otherwise.
    pub becoming: Becoming,
}

impl PlannedHost {
    /// Whether a step's command outlives the connection when it runs here.
    pub fn makes_durable(&self, step: &Step) -> bool {
        let own = step.durable.as_ref().map(|durable| durable.value);
        own.unwrap_or_else(|| self.durable.as_ref().is_some_and(|durable| durable.value))
    }
}

/// How steps become another user on a host.
#[derive(Clone, Debug, Default)]
pub struct Becoming {
    /// Who; root without one.
    pub user: Option<Arc<str>>,
    /// How.
    pub method: Method,
    /// Where the password for it is kept.
    pub password: Option<SecretSource>,
}

impl Becoming {
    /// Where a step's password is kept, when it may need one.
    pub fn password_of<'a>(&'a self, step: &'a Become) -> Option<&'a SecretSource> {
        let takes = step.method.unwrap_or(self.method).takes_password();
        step.password.as_ref().or(self.password.as_ref()).filter(|_| takes)
    }
}

/// A task of the run.
#[derive(Clone, Debug)]
pub struct PlannedTask {
    /// Its name; for `fan exec` the command.
    pub name: Arc<str>,
    /// Its steps, also those of its blocks and of the tasks that it calls, in the order in which they stand.
    pub steps: Vec<PlannedStep>,
    /// How a host goes through them.
    pub body: Body,
    /// Steps that run at the end of a host that notified them, in this order.
    pub handlers: Vec<Handler>,
    /// The groups that its hosts go through it in, one after the other, as ranges of `hosts`.
    pub batches: Vec<Range<usize>>,
    /// How many hosts of the run may fail before no further host starts; see [`Rollout::max_fail`].
    ///
    /// [`Rollout::max_fail`]: crate::model::task::Rollout::max_fail
    pub max_fail: Option<usize>,
    /// What `batches` and `max_fail` were made from.
    pub sizes: Sizes,
    /// Whether a host waits for the others before each step.
    pub strategy: Strategy,
    /// What its host learns is known to all hosts of the run.
    pub run_once: bool,
    /// What keeps two runs from being in it at a time.
    pub lock: Option<PlannedLock>,
    /// Its hosts, as ascending indices into [`Plan::hosts`], each with its variables for this task.
    pub hosts: Vec<TaskHost>,
    /// Names of its hosts: the template variable `hosts`.
    pub host_names: Layer,
    /// Deadline of steps that have none; `Some(None)` is an explicit `none`.
    pub timeout: Option<Option<Duration>>,
}

/// A step of a task, with the keys of the blocks around it.
#[derive(Clone, Debug)]
pub struct PlannedStep {
    /// The step; never a block or a call of another task.
    pub step: Step,
    /// When it runs.
    pub section: Section,
    /// Names that only steps in the same place see: arguments of a called task, the item of a loop.
    pub locals: Arc<[String]>,
    /// Where it is done.
    pub places: Places,
    /// Its title with values in the place of templates, where that says more than what is written.
    pub readable: Option<Arc<str>>,
}

/// Steps in the order in which a host goes through them, and what to do when that fails.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// What is done.
    pub main: Vec<Item>,
    /// What is done when that fails.
    pub rescue: Vec<Item>,
    /// What is done at the end in any case.
    pub always: Vec<Item>,
}

/// A part of a body.
#[derive(Clone, Debug)]
pub enum Item {
    /// One step: its index in [`PlannedTask::steps`].
    Step(usize),
    /// A block, or the steps of a called task.
    Block(PlannedBlock),
}

/// A block in a body.
#[derive(Clone, Debug)]
pub struct PlannedBlock {
    /// Expression: its steps are skipped when it is false.
    pub when: Option<TemplateText>,
    /// Variables that its steps see, when it is a called task.
    pub call: Option<Arc<Call>>,
    /// Names that only what stands in the same place sees, `when` and arguments of a call too.
    pub locals: Arc<[String]>,
    /// Its steps.
    pub body: Body,
}

/// The variables of a called task.
#[derive(Clone, Debug)]
pub struct Call {
    /// Where the call stands.
    pub position: Position,
    /// Arguments as the caller wrote them, in the caller's words.
    pub args: IndexMap<String, Template>,
    /// What the task's parameters need to be.
    pub wanted: IndexMap<String, WantedType>,
    /// Defaults of parameters and variables of the task: text in them may be templates over all that it sees.
    pub vars: Vars,
}

/// Steps that run at the end when they were notified.
#[derive(Clone, Debug)]
pub struct Handler {
    /// The name that `notify` calls it by.
    pub name: String,
    /// What it does.
    pub items: Vec<Item>,
}

impl Body {
    /// So many steps, one after the other.
    pub fn sequence(steps: usize) -> Self {
        Self { main: (0..steps).map(Item::Step).collect(), ..Self::default() }
    }

    /// All its parts, not those within blocks.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.main.iter().chain(&self.rescue).chain(&self.always)
    }
}

impl PlannedStep {
    /// A step by itself.
    pub fn plain(step: Step) -> Self {
        Self { step, section: Section::Steps, locals: Arc::default(), places: Places::Here, readable: None }
    }

    /// Its title as it is written.
    pub fn title(&self) -> String {
        self.step.name.as_ref().map_or_else(|| self.step.title(), |name| first_line(&name.value))
    }
}

/// Sizes of a task's batches, and how many hosts may fail, before it is known how many hosts there are.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    /// Sizes of the batches, the last one repeated; empty for one batch of all hosts.
    pub serial: Vec<Share>,
    /// How many hosts of the run may fail.
    pub max_fail: Option<Share>,
}

/// A host in a task.
#[derive(Clone, Debug)]
pub struct TaskHost {
    /// Index into [`Plan::hosts`].
    pub host: usize,
    /// The task's variables and arguments, templates in them expanded for this host.
    pub vars: Layer,
}

impl Plan {
    /// Whether the files call a variable a secret, or ask for it unseen.
    pub fn is_secret(&self, name: &str) -> bool {
        is_secret(&self.secrets, &self.tasks, name)
    }

    /// All that is logged in to by itself: hosts, those that steps of others are done on, those that only keep a lock.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        let hosts = self.hosts.iter().chain(&self.delegates).map(|host| &host.endpoint);
        hosts.chain(&self.locking.keepers)
    }

    /// The same with other endpoints.
    #[must_use]
    pub fn with_endpoints(mut self, mut change: impl FnMut(&mut Endpoint)) -> Self {
        let hosts = self.hosts.iter_mut().chain(&mut self.delegates).map(|host| &mut host.endpoint);
        hosts.chain(&mut self.locking.keepers).for_each(&mut change);
        self
    }

    /// The same, going on from an earlier run.
    #[must_use]
    pub fn resuming(self, memory: Memory) -> Self {
        Self { memory, ..self }
    }

    /// The same under another title.
    #[must_use]
    pub fn titled(self, title: String) -> Self {
        Self { title, ..self }
    }

    /// The same with the passwords of steps that run as somebody else.
    #[must_use]
    pub fn with_passwords(self, passwords: HashMap<SecretSource, Secret>) -> Self {
        Self { passwords, ..self }
    }

    /// The same with at most so many hosts at work at a time.
    #[must_use]
    pub fn with_pool(self, pool: usize) -> Self {
        Self { pool, ..self }
    }

    /// The host that keeps a lock.
    pub fn keeper(&self, lock: &PlannedLock) -> Option<&Endpoint> {
        match lock.keeper {
            Keeper::Member(host) => self.hosts.get(host).map(|host| &host.endpoint),
            Keeper::Aside(keeper) => self.locking.keepers.get(keeper),
        }
    }

    /// The hosts' names, in order.
    pub fn host_names(&self) -> Vec<HostName> {
        self.hosts.iter().map(|host| host.endpoint.name.clone()).collect()
    }

    /// The tasks as the event stream announces them.
    pub fn summaries(&self) -> Vec<TaskSummary> {
        let summary = |task: &PlannedTask| TaskSummary {
            name: task.name.to_string(),
            steps: task.steps.iter().map(summarize).collect(),
            hosts: task.hosts.iter().map(|host| host.host).collect(),
        };
        self.tasks.iter().map(summary).collect()
    }

    /// Where the passwords are kept that its steps need to become another user, each once.
    pub fn password_sources(&self) -> Vec<&SecretSource> {
        let mut sources: Vec<&SecretSource> = Vec::new();
        for task in &self.tasks {
            for planned in &task.steps {
                let Some(other) = planned.step.becomes() else { continue };
                let here = planned.step.action.properties().done == DoneAt::Here;
                for (position, member) in task.hosts.iter().enumerate() {
                    for elsewhere in planned.places.all(position) {
                        let place = match elsewhere {
                            Some(delegate) => self.delegates.get(delegate),
                            None => self.hosts.get(member.host),
                        };
                        let Some(host) = place else { continue };
                        let source =
                            if here { other.own_password() } else { host.becoming.password_of(other) };
                        if let Some(source) = source.filter(|source| !sources.contains(source)) {
                            sources.push(source);
                        }
                    }
                }
            }
        }
        sources
    }

    /// A path of a host as its steps are to take it: with [`Self::below_home`], one that lies below the home.
    pub fn host_path(&self, path: String) -> String {
        if self.below_home && path.starts_with('/') { below(&path) } else { path }
    }

    /// A path of this machine with the operator's home in the place of `~`.
    pub fn local_path(&self, text: &str) -> String {
        match (text.strip_prefix('~'), &self.home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
                format!("{}{rest}", home.display())
            }
            _ => text.to_owned(),
        }
    }
}

/// Whether files with these secrets and tasks call a variable a secret, or ask for it unseen.
pub(crate) fn is_secret(named: &Secrets, tasks: &[PlannedTask], name: &str) -> bool {
    let mut steps = tasks.iter().flat_map(|task| &task.steps);
    named.named().contains(name) || steps.any(|planned| planned.step.action.typed_unseen() == Some(name))
}

/// A step as the event stream announces it.
pub(crate) fn summarize(planned: &PlannedStep) -> StepSummary {
    let step = &planned.step;
    let written = planned.title();
    let (title, written) = match &planned.readable {
        Some(readable) => (readable.to_string(), Some(written)),
        None => (written, None),
    };
    // The command of `fan exec` stands in no file.
    let position = (step.position.line > 0).then(|| step.position.clone());
    StepSummary { action: step.action.key().to_owned(), title, written, section: planned.section, position }
}
