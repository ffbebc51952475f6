//! Tasks as the user wrote them: steps, their actions and keys, templates not yet rendered.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use crate::model::call::NeededTask;
use crate::model::files::{Attributes, FileStep, Get, LineStep, Put, Sync, TemplateFile};
use crate::model::inventory::RoleName;
use crate::model::position::{Located, Position};
use crate::model::privilege::Method;
use crate::model::secret::{SecretSource, SecretSources};
use crate::model::settings::TimeLimit;
use crate::model::shell::durable::JobFound;
use crate::model::value::{Value, Vars};

pub use crate::model::template::text::{Template, TemplateText};

/// A loaded tasks file.
#[derive(Clone, Debug)]
pub struct TaskFile {
    /// The file it was read from, for messages.
    pub file: Arc<str>,
    /// Other files that belong to it.
    pub included: Vec<Arc<str>>,
    /// Variables of every task.
    pub vars: Vars,
    /// Secrets of every task.
    pub secrets: SecretSources,
    /// Tasks by name, in file order.
    pub tasks: IndexMap<String, Task>,
}

impl TaskFile {
    /// Names its tasks by a word: `db` makes `db.backup` of `backup`. Calls among them stay calls among them; a name that
    /// none of them has is that of another file's task.
    pub fn prefix(&mut self, word: &str) {
        let names: HashSet<String> = self.tasks.keys().cloned().collect();
        let renamed = |name: &mut String| {
            if names.contains(name) {
                *name = format!("{word}.{name}");
            }
        };
        for (mut name, mut task) in std::mem::take(&mut self.tasks) {
            renamed(&mut name);
            task.name = Arc::from(&*name);
            task.before.iter_mut().chain(&mut task.after).for_each(|needed| renamed(&mut needed.call.task));
            let lists = [&mut task.steps, &mut task.rescue, &mut task.always];
            for steps in lists.into_iter().chain(task.handlers.values_mut()) {
                for_each_call(steps, &mut |include| renamed(&mut include.task.value));
            }
            self.tasks.insert(name, task);
        }
    }
}

fn for_each_call(steps: &mut [Step], visit: &mut impl FnMut(&mut Include)) {
    for step in steps {
        match &mut step.action {
            Action::Task(include) => visit(include),
            Action::Block(block) => {
                for steps in [&mut block.steps, &mut block.rescue, &mut block.always] {
                    for_each_call(steps, visit);
                }
            }
            _ => {}
        }
    }
}

/// A named list of steps with its defaults.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its unique name.
    pub name: Arc<str>,
    /// One line for `fan list`.
    pub desc: Option<String>,
    /// Only other tasks may call it.
    pub private: bool,
    /// Parameters with their defaults; `None` means required.
    pub params: IndexMap<String, Option<Value>>,
    /// Roles that it runs on unless the command line names targets.
    pub roles: Vec<Located<RoleName>>,
    /// Target expressions that it runs on, as well as `roles`.
    pub hosts: Vec<Located<String>>,
    /// Target expressions of hosts that are left out.
    pub exclude: Vec<Located<String>>,
    /// Variables of its steps.
    pub vars: Vars,
    /// Calls that run before it, each once in a run.
    pub before: Vec<NeededTask>,
    /// Calls that run after it, each once in a run.
    pub after: Vec<NeededTask>,
    /// As whom its steps are done, unless they say it themselves.
    pub run_as: Option<RunAs>,
    /// Whether its commands outlive the connection, unless they say it themselves.
    pub durable: Option<Located<bool>>,
    /// How its hosts go through it.
    pub rollout: Rollout,
    /// It runs on the first of its hosts only; all others see its variables.
    pub run_once: bool,
    /// What keeps two runs from being in it at a time.
    pub lock: Option<Lock>,
    /// Steps in order; never empty unless `before` or `after` is not.
    pub steps: Vec<Step>,
    /// Steps for a host whose steps failed after something was changed there.
    pub rescue: Vec<Step>,
    /// Steps for every host at the end, however its steps ended.
    pub always: Vec<Step>,
    /// Steps that run at the end of a host when a step that changed something there named them in `notify`.
    pub handlers: IndexMap<String, Vec<Step>>,
    /// Deadline of each step that has none of its own.
    pub timeout: Option<TimeLimit>,
    /// Where it stands.
    pub position: Position,
}

/// A lock that a task holds while it runs.
#[derive(Clone, Debug)]
pub struct Lock {
    /// Its name: tasks with the same one exclude each other.
    pub name: TemplateText,
    /// The host that keeps it; without one, the first host of the task.
    pub on: Option<Located<String>>,
}

/// How the hosts of a task go through it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// Sizes of the batches, the last one repeated; empty for one batch of all hosts.
    pub serial: Vec<Share>,
    /// How many hosts may fail before no further host starts; without one, a task is started by all
    /// of a batch whatever happens, and nothing after it once one host fails.
    pub max_fail: Option<Share>,
    /// Whether a host waits for the others before each step.
    pub strategy: Strategy,
}

/// A number of hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// So many.
    Hosts(usize),
    /// So many in a hundred of the task's hosts.
    Percent(u8),
}

impl Share {
    /// How many of `total` hosts that is, rounded down.
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Hosts(hosts) => hosts,
            Self::Percent(percent) => total.saturating_mul(usize::from(percent)) / 100,
        }
    }
}

/// Whether a host waits for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Each goes on by itself.
    #[default]
    Free,
    /// A step starts when all hosts have finished the previous one.
    Linear,
}

/// One step of a task: exactly one action, and the keys that shape it.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it does.
    pub action: Action,
    /// Title in reports; without one the action's text serves.
    pub name: Option<TemplateText>,
    /// Expression: the step is skipped when it is false.
    pub when: Option<TemplateText>,
    /// The action is done for each item of a list.
    pub each: Option<Each>,
    /// Variable that receives the result.
    pub register: Option<Located<String>>,
    /// Folder to run in.
    pub cd: Option<TemplateText>,
    /// Folder of the operator's machine: where local commands run and relative local paths begin.
    pub lcd: Option<TemplateText>,
    /// The host that the step is done on, instead of the one that it is done for.
    pub on: Option<TemplateText>,
    /// Environment of the command.
    pub env: IndexMap<String, TemplateText>,
    /// Interpreter of scripts instead of the host's.
    pub shell: Option<Located<String>>,
    /// Deadline of the command; beats the task's and the host's.
    pub timeout: Option<TimeLimit>,
    /// Longest silence of the command; beats the host's.
    pub idle_timeout: Option<TimeLimit>,
    /// Conditions on the host that make the step superfluous.
    pub guards: Guards,
    /// It is done again while it fails.
    pub repeat: Option<Repeat>,
    /// Exit statuses that mean success, instead of 0.
    pub ok_codes: Option<Vec<u32>>,
    /// Expression: whether the step changed something.
    pub changed_when: Option<TemplateText>,
    /// A failure is reported as a warning and the host continues.
    pub warn_only: bool,
    /// As whom it is done; without it, as the user who logs in.
    pub run_as: Option<RunAs>,
    /// What its command reads, and on what.
    pub dialogue: Dialogue,
    /// Whether its command outlives the connection; without a word, as the host has it.
    pub durable: Option<Located<bool>>,
    /// Which command that is.
    pub job: StepJob,
    /// Its command only reads: it changes nothing, and a dry run runs it too.
    pub reads: bool,
    /// One host does it for all.
    pub run_once: bool,
    /// How many hosts are in it at a time, at most.
    pub throttle: Option<u32>,
    /// What of it is told.
    pub shown: Shown,
    /// Handlers to run at the end when it changed something.
    pub notify: Vec<Located<String>>,
    /// Words that `--tags` picks steps by.
    pub tags: Vec<String>,
    /// Where it stands.
    pub position: Position,
}

/// Which command of a step outlives the connection, and how far it is followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StepJob {
    /// Its own, to the end.
    #[default]
    Own,
    /// Its own, until it has begun (`--detach`).
    Left,
    /// One that is there, to the end (`fan jobs`).
    Found(JobFound),
}

/// As whom a step is done.
#[derive(Clone, Debug)]
pub enum RunAs {
    /// The user who logs in, whatever the block around it says (`sudo: false`).
    Login,
    /// Another user.
    Other(Box<Become>),
}

/// Another user; what is not said is as the host's settings have it.
#[derive(Clone, Debug, Default)]
pub struct Become {
    /// Who.
    pub user: Option<TemplateText>,
    /// How.
    pub method: Option<Method>,
    /// Where the password for it is kept.
    pub password: Option<SecretSource>,
}

impl Become {
    /// Where the password is kept, by its own words alone: a command of this machine has nothing of the host's.
    pub fn own_password(&self) -> Option<&SecretSource> {
        self.password.as_ref().filter(|_| self.method.unwrap_or_default().takes_password())
    }
}

/// The input of a step's command, and what that is on.
#[derive(Clone, Debug, Default)]
pub struct Dialogue {
    /// What it reads; empty without it.
    pub stdin: Option<InputText>,
    /// It has a terminal.
    pub pty: bool,
    /// Answers to what it asks.
    pub respond: Vec<Respond>,
}

/// What a step's command reads.
#[derive(Clone, Debug)]
pub enum InputText {
    /// This text.
    Own(TemplateText),
    /// What the command line gives to all hosts alike (`--stdin`).
    OfRun,
}

impl InputText {
    /// Its template, if it has one.
    pub fn text(&self) -> Option<&TemplateText> {
        match self {
            Self::Own(text) => Some(text),
            Self::OfRun => None,
        }
    }
}

/// An answer to a question of a program.
#[derive(Clone, Debug)]
pub struct Respond {
    /// Regular expression over what the program printed since its last question.
    pub prompt: Located<String>,
    /// What is sent then, with a line end behind it.
    pub answer: TemplateText,
    /// How often, at most.
    pub times: u32,
}

/// A list whose items a step is done for; in its templates each is `item`, and its number from 0 `item_index`.
#[derive(Clone, Debug)]
pub enum Each {
    /// An expression that gives a list, or a map (whose items are `{key, value}`).
    Expression(TemplateText),
    /// Items with templates in them.
    Items(Vec<Template>),
}

/// Conditions on the host that make a step superfluous, all looked at just before it.
#[derive(Clone, Debug, Default)]
pub struct Guards {
    /// The step is skipped when there is something at this path.
    pub creates: Option<TemplateText>,
    /// Skips the step if this script succeeds.
    pub unless: Option<TemplateText>,
    /// Skips the step if this script fails.
    pub onlyif: Option<TemplateText>,
}

impl Guards {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.creates.is_none() && self.unless.is_none() && self.onlyif.is_none()
    }
}

/// When a step is done again.
#[derive(Clone, Debug)]
pub struct Repeat {
    /// How often after the first time, at most.
    pub retries: u32,
    /// Pause before each.
    pub delay: Duration,
    /// Expression over the step's result that must be true; without one the step must succeed.
    pub until: Option<TemplateText>,
}

/// What of a step is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// All of it.
    #[default]
    All,
    /// Its output is not (`hide`).
    NoOutput,
    /// Only how it ended (`secret`).
    StatusOnly,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Runs a command on the host.
    Run(Command),
    /// Runs a command on the operator's machine, once per host.
    Local(Command),
    /// Runs a local file on the host.
    Script(ScriptFile),
    /// Prints a line.
    Echo(TemplateText),
    /// Sets variables of this host.
    Set(IndexMap<String, Template>),
    /// Fails with a message.
    Fail(TemplateText),
    /// Fails unless every expression is true.
    Assert {
        /// Expressions, in order.
        that: Vec<TemplateText>,
        /// Message instead of the failing expression.
        message: Option<TemplateText>,
    },
    /// Moves files and folders onto the host.
    Put(Put),
    /// Moves files and folders off the host.
    Get(Get),
    /// Makes a folder of the host like a local one.
    Sync(Sync),
    /// Fills in a local file's templates and moves it onto the host.
    Template(TemplateFile),
    /// Unpacks an archive into a folder of the host.
    Unarchive(Unarchive),
    /// Sees to what is at a path of the host.
    File(FileStep),
    /// Sees to a line in a text file of the host.
    Line(LineStep),
    /// Looks at a path of the host.
    Stat(TemplateText),
    /// Lists a folder of the host.
    Ls(TemplateText),
    /// Gathers facts.
    Facts(FactsStep),
    /// Waits until all hosts of the batch have come here.
    Barrier,
    /// Waits until something holds on the host.
    WaitFor(WaitFor),
    /// Asks the user whether to go on, once for all hosts.
    Confirm(TemplateText),
    /// Asks the user for a value, once for all hosts.
    Prompt(Prompt),
    /// Restarts the host and waits until it is back.
    Reboot(Reboot),
    /// Steps that belong together.
    Block(Block),
    /// The steps of another task.
    Task(Include),
}

/// An archive, and the folder that has what is in it.
#[derive(Clone, Debug)]
pub struct Unarchive {
    /// The archive: a local path, or one of the host.
    pub from: TemplateText,
    /// Remote folder.
    pub to: TemplateText,
    /// The archive is on the host already.
    pub remote: bool,
    /// How many names at the beginning of each path are left out.
    pub strip: u32,
    /// Modes and owners.
    pub attributes: Attributes,
}

/// Something to wait for.
#[derive(Clone, Debug)]
pub struct WaitFor {
    /// What.
    pub condition: Condition,
    /// For how long.
    pub timeout: TimeLimit,
    /// Pause between two looks.
    pub interval: Duration,
    /// Wait until it does not hold any more.
    pub gone: bool,
}

/// How a web server answers that is well.
#[derive(Clone, Debug)]
pub struct WebCondition {
    /// What is asked for, as seen from the host.
    pub url: TemplateText,
    /// Statuses that are right; any from 200 to 399 when there are none.
    pub status: Vec<u16>,
    /// What its body must match.
    pub body: Option<Located<String>>,
    /// Headers of the request.
    pub headers: IndexMap<String, TemplateText>,
    /// A local file with the certificates that are believed.
    pub ca: Option<TemplateText>,
    /// Whether certificates are verified.
    pub verify: bool,
}

/// What may hold on a host.
#[derive(Clone, Debug)]
pub enum Condition {
    /// Something listens on a TCP port.
    Port {
        /// Its number.
        port: TemplateText,
        /// Where, as seen from the host; the host itself when there is none.
        address: Option<TemplateText>,
    },
    /// There is something at a path.
    Path(TemplateText),
    /// A web server answers.
    Http(WebCondition),
    /// A script succeeds.
    Command(TemplateText),
}

/// A question to the user.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// What is asked.
    pub ask: TemplateText,
    /// The variable that receives the answer.
    pub set: Located<String>,
    /// The answer when nothing is typed.
    pub default: Option<TemplateText>,
    /// What is typed is not shown.
    pub secret: bool,
}

/// What becomes of facts besides the variable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FactsStep {
    /// They are kept in the fleet's file when the run is over.
    pub save: bool,
}

/// A restart.
#[derive(Clone, Debug)]
pub struct Reboot {
    /// What restarts the host, instead of its own `reboot`.
    pub command: Option<TemplateText>,
    /// What prints something that is another after each start, instead of the kernel's boot id.
    pub boot_id: Option<TemplateText>,
    /// How long it may take until the host is back.
    pub timeout: TimeLimit,
}

/// Steps that belong together. Keys of the block hold for its steps unless these have their own.
#[derive(Clone, Debug)]
pub struct Block {
    /// What it does.
    pub steps: Vec<Step>,
    /// What to do when one of them fails; when these succeed, the host continues.
    pub rescue: Vec<Step>,
    /// What to do at the end in any case.
    pub always: Vec<Step>,
}

/// A call of another task.
#[derive(Clone, Debug)]
pub struct Include {
    /// Its name.
    pub task: Located<String>,
    /// Values of its parameters.
    pub args: IndexMap<String, Template>,
}

/// A command to run.
#[derive(Clone, Debug)]
pub enum Command {
    /// A script for the host's `shell`; values in it are quoted for the place where they stand.
    Script(TemplateText),
    /// A program and its arguments: no shell reads them.
    Argv(Vec<TemplateText>),
    /// A program and its arguments that sudo runs itself: no shell of the other user (`sudo: [...]`).
    Program(Vec<TemplateText>),
    /// Bytes for the login shell as they are, never a template (`fan exec`).
    Raw(Arc<str>),
}

/// A local file that is run on the host.
#[derive(Clone, Debug)]
pub struct ScriptFile {
    /// The file; its content is no template.
    pub from: TemplateText,
    /// What is in it, when that was read from elsewhere (`fan exec --script -`); `from` is then only its name.
    pub content: Option<Arc<[u8]>>,
    /// What it is called with.
    pub args: ScriptArgs,
}

/// The arguments of a script.
#[derive(Clone, Debug)]
pub enum ScriptArgs {
    /// One by one.
    Words(Vec<TemplateText>),
    /// As a line for the shell; values in it are quoted for the place where they stand.
    Line(TemplateText),
}

impl Task {
    /// A task without keys that stands in no file: the command line gave it.
    pub fn bare(name: &str, steps: Vec<Step>) -> Self {
        Self {
            name: Arc::from(name),
            desc: None,
            private: false,
            params: IndexMap::new(),
            roles: Vec::new(),
            hosts: Vec::new(),
            exclude: Vec::new(),
            vars: Vars::new(),
            before: Vec::new(),
            after: Vec::new(),
            run_as: None,
            durable: None,
            rollout: Rollout::default(),
            run_once: false,
            lock: None,
            steps,
            rescue: Vec::new(),
            always: Vec::new(),
            handlers: IndexMap::new(),
            timeout: None,
            position: Position::new("", 0, 0),
        }
    }

    /// Whether it does something itself, and does not only stand for other tasks.
    pub fn has_steps(&self) -> bool {
        !(self.steps.is_empty() && self.rescue.is_empty() && self.always.is_empty())
    }

    /// The calls of other tasks in it, at any depth.
    pub fn calls(&self) -> Vec<&Include> {
        let mut found = Vec::new();
        let lists = [&self.steps, &self.rescue, &self.always];
        for steps in lists.into_iter().chain(self.handlers.values()) {
            calls_in(steps, &mut found);
        }
        found
    }
}

fn calls_in<'t>(steps: &'t [Step], found: &mut Vec<&'t Include>) {
    for step in steps {
        match &step.action {
            Action::Task(include) => found.push(include),
            Action::Block(block) => {
                for steps in [&block.steps, &block.rescue, &block.always] {
                    calls_in(steps, found);
                }
            }
            _ => {}
        }
    }
}

impl Step {
    /// A step without keys that stands in no file: the command line gave it.
    pub fn bare(action: Action) -> Self {
        Self {
            action,
            name: None,
            when: None,
            each: None,
            register: None,
            cd: None,
            lcd: None,
            on: None,
            env: IndexMap::new(),
            shell: None,
            timeout: None,
            idle_timeout: None,
            guards: Guards::default(),
            repeat: None,
            ok_codes: None,
            changed_when: None,
            warn_only: false,
            run_as: None,
            dialogue: Dialogue::default(),
            durable: None,
            job: StepJob::default(),
            reads: false,
            run_once: false,
            throttle: None,
            shown: Shown::All,
            notify: Vec::new(),
            tags: Vec::new(),
            position: Position::new("", 0, 0),
        }
    }
}

impl Step {
    /// Who does it, when that is not the user who logs in.
    pub fn becomes(&self) -> Option<&Become> {
        match &self.run_as {
            Some(RunAs::Other(other)) => Some(other),
            Some(RunAs::Login) | None => None,
        }
    }
}

impl Action {
    /// The key that the action has in a tasks file.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Local(_) => "local",
            Self::Script(_) => "script",
            Self::Echo(_) => "echo",
            Self::Set(_) => "set",
            Self::Fail(_) => "fail",
            Self::Assert { .. } => "assert",
            Self::Put(_) => "put",
            Self::Get(_) => "get",
            Self::Sync(_) => "sync",
            Self::Template(_) => "template",
            Self::Unarchive(_) => "unarchive",
            Self::File(_) => "file",
            Self::Line(_) => "line",
            Self::Stat(_) => "stat",
            Self::Ls(_) => "ls",
            Self::Facts(_) => "facts",
            Self::Barrier => "barrier",
            Self::WaitFor(_) => "wait_for",
            Self::Confirm(_) => "confirm",
            Self::Prompt(_) => "prompt",
            Self::Reboot(_) => "reboot",
            Self::Block(_) => "block",
            Self::Task(_) => "task",
        }
    }
}
