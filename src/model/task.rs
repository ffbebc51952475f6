//! Tasks as the user wrote them: steps, their actions and keys, templates not yet rendered.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::model::files::{FileStep, Get, LineStep, Put, Sync, TemplateFile};
use crate::model::inventory::RoleName;
use crate::model::position::{Located, Position};
use crate::model::settings::TimeLimit;
use crate::model::value::{Value, Vars};

/// The text of a template with its place in the file.
///
/// For a block scalar (`|`, `>`) the position is that of the first line of the text.
pub type TemplateText = Located<Arc<str>>;

/// A loaded tasks file.
#[derive(Clone, Debug)]
pub struct TaskFile {
    /// The file it was read from, for messages.
    pub file: Arc<str>,
    /// Variables of every task.
    pub vars: Vars,
    /// Tasks by name, in file order.
    pub tasks: IndexMap<String, Task>,
}

/// A named list of steps with its defaults.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its unique name.
    pub name: Arc<str>,
    /// One line for `fan list`.
    pub desc: Option<String>,
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
    /// Tasks that run before it, each once in a run.
    pub before: Vec<Located<String>>,
    /// Steps in order; never empty unless `before` is not.
    pub steps: Vec<Step>,
    /// Deadline of each step that has none of its own.
    pub timeout: Option<TimeLimit>,
    /// Where it stands.
    pub position: Position,
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
    /// Variable that receives the result.
    pub register: Option<Located<String>>,
    /// Folder to run in.
    pub cd: Option<TemplateText>,
    /// Environment of the command.
    pub env: IndexMap<String, TemplateText>,
    /// Deadline of the command; beats the task's and the host's.
    pub timeout: Option<TimeLimit>,
    /// A failure is reported as a warning and the host goes on.
    pub warn_only: bool,
    /// Files are put in place by root; only for actions on files.
    pub sudo: bool,
    /// Where it stands.
    pub position: Position,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Runs a command on the host.
    Run(Command),
    /// Runs a command on the operator's machine, once per host.
    Local(Command),
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
    /// Sees to what is at a path of the host.
    File(FileStep),
    /// Sees to a line in a text file of the host.
    Line(LineStep),
    /// Looks at a path of the host.
    Stat(TemplateText),
    /// Lists a folder of the host.
    Ls(TemplateText),
}

/// A command to run.
#[derive(Clone, Debug)]
pub enum Command {
    /// A script for the host's `shell`; values in it are quoted for the place where they stand.
    Script(TemplateText),
    /// A program and its arguments: no shell reads them.
    Argv(Vec<TemplateText>),
    /// Bytes for the login shell as they are, never a template (`fan exec`).
    Raw(Arc<str>),
}

/// A value that may hold templates at its leaves.
#[derive(Clone, Debug)]
pub enum Template {
    /// A string that is rendered. When it is a single `{{ expression }}`, the value keeps its type.
    Text(TemplateText),
    /// A value without templates.
    Literal(Value),
    /// A list of such values.
    List(Vec<Template>),
    /// A map of such values.
    Map(IndexMap<String, Template>),
}

impl Step {
    /// A step without keys that stands in no file: the command line gave it.
    pub fn bare(action: Action) -> Self {
        Self {
            action,
            name: None,
            when: None,
            register: None,
            cd: None,
            env: IndexMap::new(),
            timeout: None,
            warn_only: false,
            sudo: false,
            position: Position::new("", 0, 0),
        }
    }
}

impl Action {
    /// The key that the action has in a tasks file.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Local(_) => "local",
            Self::Echo(_) => "echo",
            Self::Set(_) => "set",
            Self::Fail(_) => "fail",
            Self::Assert { .. } => "assert",
            Self::Put(_) => "put",
            Self::Get(_) => "get",
            Self::Sync(_) => "sync",
            Self::Template(_) => "template",
            Self::File(_) => "file",
            Self::Line(_) => "line",
            Self::Stat(_) => "stat",
            Self::Ls(_) => "ls",
        }
    }
}
