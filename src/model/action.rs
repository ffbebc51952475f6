//! What is true of each kind of action, in one record a kind; and what one action says: its title, its texts, what
//! shapes it, the local files that it reads.
//!
//! The reader of tasks files, its schema, planner, preflight, executors and the plan view ask here instead of looking at
//! the kind. Refuses to do anything: that is the engine's.

use crate::model::files::{
    Attributes, FileState, FileStep, Get, Install, LineEdit, LineStep, Links, Put, Sync, TemplateFile,
    TreeRules,
};
use crate::model::outcome::StepStatus;
use crate::model::task::{
    Action, Command, Condition, Each, Guards, InputText, Prompt, Reboot, ScriptArgs, ScriptFile, Step,
    Template, TemplateText, Unarchive, WebCondition,
};
use crate::model::template::Syntax;

/// The variable that holds what a host is.
pub const FACTS: &str = "facts";

/// The variable that `until` and `changed_when` look at.
pub const RESULT: &str = "result";

/// What is true of all actions of a kind.
#[derive(Debug)]
pub struct Properties {
    /// The key in a tasks file.
    pub key: &'static str,
    /// Where it is done.
    pub done: DoneAt,
    /// What it may change, at most.
    pub touches: Touches,
    /// What its success means for the host.
    pub success: StepStatus,
    /// Why a dry run leaves it out, when it does.
    pub left_out: Option<&'static str>,
    /// Whether the hosts of a batch come together for it.
    pub gathers: Gathers,
    /// The keys that may stand beside it, besides those of any step.
    pub keys: &'static [&'static [&'static str]],
    /// Those of them that it cannot do without.
    pub required: &'static [&'static str],
    /// Those of them that a block around it does not hand down to it.
    pub own: &'static [&'static str],
    /// Keys that no block around it may have: it would do something else than it is there for, or for another host.
    pub refuses: &'static [&'static str],
}

/// Where an action is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoneAt {
    /// On the host, over a session.
    Host,
    /// On the operator's machine.
    Here,
    /// Nowhere but in fan itself.
    Fan,
}

/// What an action may change, from nothing to anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touches {
    /// Nothing: it can be done again for its value.
    Nothing,
    /// Files of the operator's machine. They are compared first and replaced as a whole: doing it twice comes to the
    /// same as doing it once.
    FilesHere,
    /// Files of the host, in the same way.
    FilesThere,
    /// Nobody knows.
    Anything,
}

/// Whether the hosts of a batch come together for an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gathers {
    /// Each does it when it comes to it.
    Never,
    /// They wait for each other.
    ToGoOn,
    /// They wait for each other, and for one answer that holds for the whole run.
    ForAnAnswer,
    /// The same, and each batch asks again.
    ForAnAnswerEach,
}

/// Keys of what does something by itself.
const SINGLE: &[&str] =
    &["each", "register", "retries", "delay", "until", "notify", "changed_when", "secret", "warn_only"];
const GUARDS: &[&str] = &["creates", "unless", "onlyif"];
const COMMAND: &[&str] = &[
    "env",
    "timeout",
    "idle_timeout",
    "sudo",
    "user",
    "respond",
    "stdin",
    "ok_codes",
    "hide",
    "run_once",
    "throttle",
];
const FILES: &[&str] = &["cd", "on", "timeout", "sudo", "run_once", "throttle"];
const TREE: &[&str] = &["to", "exclude", "links", "times"];
const OWNERS: &[&str] = &["mode", "owner", "group"];
const INSTALL: &[&str] = &["backup", "validate", "follow", "in_place"];
const AROUND: &[&str] = &[
    "cd",
    "lcd",
    "on",
    "env",
    "shell",
    "timeout",
    "idle_timeout",
    "sudo",
    "user",
    "durable",
    "hide",
    "secret",
    "warn_only",
    "run_once",
];

const UNKNOWN_CHANGES: Option<&str> = Some("not run: what a command would change is unknown");

/// What most kinds have in common.
const PLAIN: Properties = Properties {
    key: "",
    done: DoneAt::Fan,
    touches: Touches::Nothing,
    success: StepStatus::Ok,
    left_out: None,
    gathers: Gathers::Never,
    keys: &[SINGLE, &["run_once"]],
    required: &[],
    own: &[],
    refuses: &[],
};

const ON_HOST: Properties = Properties { done: DoneAt::Host, ..PLAIN };

const ON_FILES: Properties =
    Properties { done: DoneAt::Host, touches: Touches::FilesThere, keys: &[SINGLE, FILES], ..PLAIN };

const COMMANDING: Properties = Properties {
    done: DoneAt::Host,
    touches: Touches::Anything,
    success: StepStatus::Changed,
    left_out: UNKNOWN_CHANGES,
    ..PLAIN
};

/// All kinds, in the order in which they are told to people.
pub static KINDS: [Properties; 24] = [
    Properties {
        key: "run",
        keys: &[SINGLE, GUARDS, COMMAND, &["cd", "on", "shell", "pty", "durable", "reads"]],
        ..COMMANDING
    },
    Properties {
        key: "script",
        keys: &[SINGLE, GUARDS, COMMAND, &["cd", "lcd", "on", "shell", "pty", "durable", "reads", "args"]],
        ..COMMANDING
    },
    Properties {
        key: "local",
        done: DoneAt::Here,
        success: StepStatus::Ok,
        keys: &[SINGLE, GUARDS, COMMAND, &["lcd", "reads"]],
        // How a block is done on the hosts has nothing to do with the operator's machine.
        own: &["sudo"],
        ..COMMANDING
    },
    Properties { key: "echo", ..PLAIN },
    Properties { key: "set", ..PLAIN },
    Properties { key: "fail", ..PLAIN },
    Properties { key: "assert", ..PLAIN },
    Properties {
        key: "put",
        keys: &[SINGLE, FILES, TREE, OWNERS, INSTALL, &["lcd", "dir_mode"]],
        required: &["to"],
        ..ON_FILES
    },
    Properties {
        key: "get",
        touches: Touches::FilesHere,
        keys: &[SINGLE, FILES, TREE, &["lcd"]],
        required: &["to"],
        ..ON_FILES
    },
    Properties {
        key: "sync",
        keys: &[SINGLE, FILES, TREE, OWNERS, &["lcd", "dir_mode", "delete"]],
        required: &["to"],
        ..ON_FILES
    },
    Properties {
        key: "template",
        keys: &[SINGLE, FILES, OWNERS, INSTALL, &["lcd", "to", "trim_blocks", "lstrip_blocks"]],
        required: &["to"],
        ..ON_FILES
    },
    Properties {
        key: "unarchive",
        keys: &[SINGLE, GUARDS, FILES, OWNERS, &["lcd", "to", "dir_mode", "remote", "strip"]],
        required: &["to"],
        ..ON_FILES
    },
    Properties { key: "file", keys: &[SINGLE, FILES, OWNERS, &["state", "target", "recurse"]], ..ON_FILES },
    Properties {
        key: "line",
        keys: &[SINGLE, FILES, OWNERS, INSTALL, &["in", "state", "match", "after", "before", "at", "create"]],
        required: &["in"],
        ..ON_FILES
    },
    Properties { key: "stat", touches: Touches::Nothing, ..ON_FILES },
    Properties { key: "ls", touches: Touches::Nothing, ..ON_FILES },
    Properties {
        key: "facts",
        keys: &[SINGLE, &["timeout", "throttle"]],
        // What one host is says nothing about another.
        refuses: &["on", "run_once"],
        ..ON_HOST
    },
    Properties {
        key: "wait_for",
        left_out: Some("not waited for: earlier commands were not run"),
        keys: &[SINGLE, &["cd", "on", "env", "sudo", "user", "run_once", "throttle"]],
        ..ON_HOST
    },
    Properties {
        key: "confirm",
        gathers: Gathers::ForAnAnswerEach,
        keys: &[&["secret", "warn_only", "run_once"]],
        ..PLAIN
    },
    Properties {
        key: "prompt",
        gathers: Gathers::ForAnAnswer,
        keys: &[&["secret", "warn_only", "run_once"]],
        ..PLAIN
    },
    Properties {
        key: "reboot",
        keys: &[SINGLE, &["env", "sudo", "user", "run_once", "throttle"]],
        // It is about the connection of the host itself, which is lost and opened again.
        refuses: &["on"],
        ..COMMANDING
    },
    Properties { key: "barrier", gathers: Gathers::ToGoOn, keys: &[], ..PLAIN },
    // The plan opens these two up: they hand on what is said of them.
    Properties { key: "block", touches: Touches::Anything, keys: &[AROUND, &["rescue", "always"]], ..PLAIN },
    Properties { key: "task", touches: Touches::Anything, keys: &[AROUND, &["with"]], ..PLAIN },
];

impl Properties {
    /// The kind of this key.
    pub fn named(key: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.key == key)
    }

    /// Whether a key may stand beside it.
    pub fn takes(&self, key: &str) -> bool {
        self.keys.iter().any(|keys| keys.contains(&key))
    }

    /// Whether it is done on the host.
    pub fn needs_session(&self) -> bool {
        self.done == DoneAt::Host
    }

    /// Whether it moves or changes files, and nothing else.
    pub fn is_on_files(&self) -> bool {
        matches!(self.touches, Touches::FilesHere | Touches::FilesThere)
    }

    /// Whether it may change something on the host.
    pub fn changes_host(&self) -> bool {
        self.touches >= Touches::FilesThere
    }

    /// Whether its one answer is for all hosts.
    pub fn asks(&self) -> bool {
        matches!(self.gathers, Gathers::ForAnAnswer | Gathers::ForAnAnswerEach)
    }
}

/// A template of a step.
#[derive(Debug)]
pub struct StepText<'a> {
    /// The template.
    pub text: &'a TemplateText,
    /// How it is read.
    pub syntax: Syntax,
    /// Names that the step itself has defined when it is rendered.
    pub own: Vec<&'a str>,
}

impl<'a> StepText<'a> {
    /// A template that sees nothing of its step's own.
    pub fn new(text: &'a TemplateText, syntax: Syntax) -> Self {
        Self { text, syntax, own: Vec::new() }
    }
}

/// What an action says.
#[derive(Debug, Default)]
pub struct Said<'a> {
    /// The first line of what it does, as it was written.
    pub title: String,
    /// Its templates.
    pub texts: Vec<StepText<'a>>,
    /// What shapes it, for the plan view.
    pub notes: Vec<String>,
    /// What of folders it moves.
    pub tree: Option<&'a TreeRules>,
    /// Files of the operator's machine that must be there.
    pub reads: Option<LocalReads<'a>>,
}

/// Files of the operator's machine that an action reads.
#[derive(Clone, Copy, Debug)]
pub enum LocalReads<'a> {
    /// Files, folders and globs.
    Sources(&'a [TemplateText]),
    /// A folder.
    Folder(&'a TemplateText),
    /// A file with templates in it.
    Template(&'a TemplateText),
    /// A file that can be carried to an interpreter.
    Script(&'a TemplateText),
    /// Any other file.
    File(&'a TemplateText),
}

impl<'a> Said<'a> {
    fn titled(title: &str) -> Self {
        Self { title: title.to_owned(), ..Self::default() }
    }

    /// An action whose title is the beginning of its first text.
    fn of(text: &'a TemplateText, syntax: Syntax) -> Self {
        Self { title: first_line(&text.value), ..Self::default() }.texts([text], syntax)
    }

    /// `a b → /srv`: what goes where.
    fn moved(from: &'a [TemplateText], to: &'a TemplateText) -> Self {
        let paths: Vec<&str> = from.iter().map(|path| path.value.as_ref()).collect();
        let title = first_line(&format!("{} → {}", paths.join(" "), to.value));
        Self { title, ..Self::default() }.texts(from, Syntax::Text).texts([to], Syntax::Text)
    }

    fn texts(mut self, texts: impl IntoIterator<Item = &'a TemplateText>, syntax: Syntax) -> Self {
        self.texts.extend(texts.into_iter().map(|text| StepText::new(text, syntax)));
        self
    }

    fn notes(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        self.notes.extend(notes);
        self
    }

    fn reading(self, reads: LocalReads<'a>) -> Self {
        Self { reads: Some(reads), ..self }
    }

    fn attributes(self, attributes: &'a Attributes) -> Self {
        let Attributes { mode, dir_mode, owner, group } = attributes;
        let note = |name: &str, value: Option<String>| value.map(|value| format!("{name} {value}"));
        let named = |text: &Option<TemplateText>| text.as_ref().map(|text| text.value.to_string());
        let notes = [
            note("mode", mode.map(|mode| mode.to_string())),
            note("dir_mode", dir_mode.map(|mode| mode.to_string())),
            note("owner", named(owner)),
            note("group", named(group)),
        ];
        self.texts(owner.iter().chain(group), Syntax::Text).notes(notes.into_iter().flatten())
    }

    /// `times` is what holds unless the user says otherwise.
    fn tree(mut self, rules: &'a TreeRules, times: bool) -> Self {
        let TreeRules { exclude, links, times: kept } = rules;
        let globs: Vec<&str> = exclude.iter().map(|glob| glob.value.as_str()).collect();
        let notes = [
            (!globs.is_empty()).then(|| format!("without {}", globs.join(" "))),
            (*links != Links::default()).then(|| format!("links {}", links.as_str())),
            (*kept != times).then(|| if *kept { "times" } else { "no times" }.to_owned()),
        ];
        self.tree = Some(rules);
        self.notes(notes.into_iter().flatten())
    }

    fn install(self, install: &'a Install) -> Self {
        let Install { backup, validate, follow, in_place } = install;
        let notes = [
            backup.then(|| "backup".to_owned()),
            validate.as_ref().map(|command| format!("validate {}", command.value.trim())),
            follow.then(|| "follow".to_owned()),
            in_place.then(|| "in place".to_owned()),
        ];
        // A command: its values are quoted for the shell.
        self.texts(validate, Syntax::Shell).notes(notes.into_iter().flatten())
    }
}

impl Action {
    /// What is true of its kind.
    pub fn properties(&self) -> &'static Properties {
        Properties::named(self.key()).expect("each kind has its record, which a test holds it to")
    }

    /// What its success means for the host.
    pub fn success(&self) -> StepStatus {
        match self {
            // The command of `fan exec`: nobody says what it is there for.
            Self::Run(Command::Raw(_)) => StepStatus::Ok,
            _ => self.properties().success,
        }
    }

    /// The variable that receives what someone types unseen.
    pub fn typed_unseen(&self) -> Option<&str> {
        match self {
            Self::Prompt(prompt) if prompt.secret => Some(&prompt.set.value),
            _ => None,
        }
    }

    /// What it says: the one place that looks into every kind.
    pub fn said(&self) -> Said<'_> {
        use Syntax::{Expression, Shell, Text};
        match self {
            Self::Run(command) | Self::Local(command) => match command {
                Command::Raw(text) => Said::titled(&first_line(text)),
                Command::Script(text) => Said::of(text, Shell),
                Command::Argv(words) | Command::Program(words) => {
                    Said::titled(&first_line(&joined(words))).texts(words, Text)
                }
            },
            Self::Script(ScriptFile { from, content, args }) => {
                let (line, words) = match args {
                    ScriptArgs::Words(words) => (None, words.as_slice()),
                    ScriptArgs::Line(line) => (Some(line), &[][..]),
                };
                let args = line.map_or_else(|| joined(words), |line| line.value.to_string());
                let said = Said::titled(&first_line(format!("{} {args}", from.value).trim_end()));
                let said = said.texts([from].into_iter().chain(words), Text).texts(line, Shell);
                if content.is_some() { said } else { said.reading(LocalReads::Script(from)) }
            }
            Self::Echo(text) | Self::Fail(text) | Self::Confirm(text) => Said::of(text, Text),
            Self::Set(values) => {
                let names: Vec<&str> = values.keys().map(String::as_str).collect();
                let mut said = Said::titled(&names.join(", "));
                // Each value sees the ones before it.
                for (value, number) in values.values().zip(0..) {
                    let own: Vec<&str> = names.iter().copied().take(number).collect();
                    let texts = value.leaves().into_iter().map(|text| StepText::new(text, Text));
                    said.texts.extend(texts.map(|text| StepText { own: own.clone(), ..text }));
                }
                said
            }
            Self::Assert { that, message } => {
                let title = that.first().map(|expression| first_line(&expression.value)).unwrap_or_default();
                Said::titled(&title).texts(that, Expression).texts(message, Text)
            }
            Self::Put(Put { from, to, tree, attributes, install }) => Said::moved(from, to)
                .reading(LocalReads::Sources(from))
                .attributes(attributes)
                .tree(tree, false)
                .install(install),
            Self::Get(Get { from, to, tree }) => Said::moved(from, to).tree(tree, false),
            Self::Sync(Sync { from, to, delete, tree, attributes }) => {
                Said::moved(std::slice::from_ref(from), to)
                    .reading(LocalReads::Folder(from))
                    .notes(delete.then(|| "delete".to_owned()))
                    .attributes(attributes)
                    .tree(tree, true)
            }
            Self::Template(TemplateFile { from, to, tag_lines: _, attributes, install }) => {
                Said::moved(std::slice::from_ref(from), to)
                    .reading(LocalReads::Template(from))
                    .attributes(attributes)
                    .install(install)
            }
            Self::Unarchive(Unarchive { from, to, remote, strip, attributes }) => {
                let from = std::slice::from_ref(from);
                let said = Said::moved(from, to)
                    .notes(remote.then(|| "remote".to_owned()))
                    .notes((*strip > 0).then(|| format!("strip {strip}")))
                    .attributes(attributes);
                if *remote { said } else { said.reading(LocalReads::Sources(from)) }
            }
            Self::File(FileStep { path, state, attributes }) => {
                let (target, note) = match state {
                    FileState::Present => (None, "present".to_owned()),
                    FileState::Absent { recurse: false } => (None, "absent".to_owned()),
                    FileState::Absent { recurse: true } => (None, "absent, recurse".to_owned()),
                    FileState::Directory => (None, "directory".to_owned()),
                    FileState::Link { target } => (Some(target), format!("link → {}", target.value)),
                };
                Said::of(path, Text).texts(target, Text).notes([note]).attributes(attributes)
            }
            Self::Line(LineStep { path, edit, create: _, attributes, install }) => {
                let (line, note) = match edit {
                    LineEdit::Present { line, .. } => (Some(line), format!("line {:?}", line.value)),
                    LineEdit::Absent { matching } => (None, format!("absent {:?}", matching.value)),
                };
                let said = Said::of(path, Text).texts(line, Text).notes([note]);
                said.attributes(attributes).install(install)
            }
            Self::Stat(path) | Self::Ls(path) => Said::of(path, Text),
            Self::Facts(_) => Said::titled("gather facts"),
            Self::Barrier => Said::titled("wait for all hosts"),
            Self::WaitFor(wait) => match &wait.condition {
                Condition::Port { port, address } => {
                    let title = match address {
                        None => format!("port {}", port.value),
                        Some(address) => format!("{}:{}", address.value, port.value),
                    };
                    Said::titled(&title).texts([port].into_iter().chain(address), Text)
                }
                Condition::Path(text) => Said::of(text, Text),
                Condition::Http(WebCondition { url, headers, ca, status: _, body: _, verify: _ }) => {
                    let said = Said::of(url, Text).texts(headers.values().chain(ca), Text);
                    ca.iter().fold(said, |said, ca| said.reading(LocalReads::File(ca)))
                }
                Condition::Command(script) => Said::of(script, Shell),
            },
            Self::Prompt(Prompt { ask, set: _, default, secret: _ }) => {
                Said::of(ask, Text).texts(default, Text)
            }
            Self::Reboot(Reboot { command, boot_id, timeout: _ }) => {
                Said::titled("restart the host").texts(command.iter().chain(boot_id), Shell)
            }
            // Opened up by the plan: their steps stand for them.
            Self::Block(_) => Said::default(),
            Self::Task(include) => Said::titled(&include.task.value),
        }
    }
}

impl Step {
    /// What it may change, at most.
    pub fn touches(&self) -> Touches {
        if self.reads { Touches::Nothing } else { self.action.properties().touches }
    }

    /// What its success means for the host.
    pub fn success(&self) -> StepStatus {
        if self.reads { StepStatus::Ok } else { self.action.success() }
    }

    /// Why a dry run leaves it out, when it does.
    pub fn left_out(&self) -> Option<&'static str> {
        self.action.properties().left_out.filter(|_| !self.reads)
    }

    /// The first line of what it does, as it was written.
    pub fn title(&self) -> String {
        let title = self.action.said().title;
        let commands = matches!(self.action, Action::Run(_) | Action::Script(_) | Action::Local(_));
        if commands && self.becomes().is_some() { format!("sudo {title}") } else { title }
    }

    /// The names that it defines for the steps after it.
    pub fn definitions(&self) -> impl Iterator<Item = &str> {
        let (set, own) = match &self.action {
            Action::Set(values) => (Some(values.keys().map(String::as_str)), None),
            Action::Prompt(prompt) => (None, Some(prompt.set.value.as_str())),
            Action::Facts(_) => (None, Some(FACTS)),
            _ => (None, None),
        };
        let register = self.register.as_ref().map(|name| name.value.as_str());
        set.into_iter().flatten().chain(own).chain(register)
    }

    /// All its templates.
    pub fn texts(&self) -> Vec<StepText<'_>> {
        use Syntax::{Expression, Shell, Text};
        let user = self.becomes().and_then(|other| other.user.as_ref());
        let Guards { creates, unless, onlyif } = &self.guards;
        let (list, items) = match &self.each {
            Some(Each::Expression(list)) => (Some(list), &[][..]),
            Some(Each::Items(items)) => (None, items.as_slice()),
            None => (None, &[][..]),
        };
        let mut said = Said::default()
            .texts(&self.when, Expression)
            .texts(self.cd.iter().chain(&self.lcd).chain(&self.on), Text)
            .texts(self.env.values(), Text)
            .texts(user, Text)
            .texts(self.dialogue.stdin.as_ref().and_then(InputText::text), Text)
            .texts(self.dialogue.respond.iter().map(|respond| &respond.answer), Text)
            .texts(list, Expression)
            .texts(items.iter().flat_map(Template::leaves), Text)
            .texts(creates, Text)
            .texts(unless.iter().chain(onlyif), Shell);
        let until = self.repeat.as_ref().and_then(|repeat| repeat.until.as_ref());
        let mut own = vec![RESULT];
        own.extend(self.register.as_ref().map(|name| name.value.as_str()));
        let results = until.into_iter().chain(&self.changed_when);
        said.texts
            .extend(results.map(|text| StepText { own: own.clone(), ..StepText::new(text, Expression) }));
        said.texts.extend(self.action.said().texts);
        said.texts
    }
}

/// The first line that says something.
pub fn first_line(text: &str) -> String {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default().trim();
    if lines.next().is_some() { format!("{first} …") } else { first.to_owned() }
}

fn joined(words: &[TemplateText]) -> String {
    words.iter().map(|word| word.value.as_ref()).collect::<Vec<_>>().join(" ")
}
