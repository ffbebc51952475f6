//! The keys of tasks files.

use crate::config::tables::inventory::{SECRETS, SUDO};
use crate::config::tables::shape::{Keys, Shape};

pub(in crate::config) const FILE: Keys = &[
    ("tasks", Shape::Named(&Shape::Defined("task")), "the tasks, by name"),
    ("vars", Shape::Vars, "variables of every task"),
    ("secrets", SECRETS, "secrets for templates: names, and where each value is kept"),
];

pub(in crate::config) const TASK: Keys = &[
    ("desc", Shape::Text, "a line for `fan list`"),
    ("params", Shape::Vars, "parameters with their defaults; null means that it must be given"),
    ("roles", Shape::List(&Shape::Text), "roles that it runs on unless the command line names hosts"),
    ("hosts", Shape::List(&Shape::Text), "target expressions that it runs on, as well as `roles`"),
    ("exclude", Shape::List(&Shape::Text), "target expressions of hosts to leave out"),
    ("vars", Shape::Vars, "variables of its steps"),
    ("before", Shape::List(&Shape::Text), "tasks that run before it, each once in a run"),
    ("after", Shape::List(&Shape::Text), "tasks that run after it, each once in a run"),
    (
        "serial",
        Shape::OneOrMany(&Shape::Share),
        "hosts at a time, or a list of sizes of batches: 2, 25%, [1, 25%]",
    ),
    ("max_fail", Shape::Share, "how many hosts of the run may end badly before nobody else begins"),
    (
        "strategy",
        Shape::Words(&["free", "linear"]),
        "linear: nobody begins a step before all hosts of the batch are done with the one before",
    ),
    ("run_once", Shape::Flag, "only the first host does it; what it learns is known to all"),
    (
        "lock",
        Shape::Either(&[Shape::Text, Shape::Map { keys: LOCK, required: &["name"] }]),
        "keeps two runs from being in the task at a time",
    ),
    ("steps", Shape::Defined("steps"), "what to do, in order"),
    (
        "rescue",
        Shape::Defined("steps"),
        "steps for a host whose steps failed after something was changed there",
    ),
    ("always", Shape::Defined("steps"), "steps for the end of every host, also one that failed"),
    (
        "handlers",
        Shape::Named(&Shape::Either(&[Shape::Defined("step"), Shape::Defined("steps")])),
        "steps that other steps notify, by name",
    ),
    ("private", Shape::Flag, "only other tasks may call it; `fan list` leaves it out"),
    ("timeout", Shape::Duration, "deadline of each step without its own"),
];

pub(in crate::config) const LOCK: Keys = &[
    ("name", Shape::Text, "tasks with the same name of a lock exclude each other"),
    ("on", Shape::Text, "the host that keeps the lock; without it, the first host of the task"),
];

const PATHS: Shape = Shape::OneOrMany(&Shape::Text);
const COMMAND: Shape = Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]);

/// Actions and keys of a step.
pub(in crate::config) const STEP: Keys = &[
    ("name", Shape::Text, "title in reports"),
    ("run", COMMAND, "run a command on the host: a script, or a list with a program and its arguments"),
    (
        "sudo",
        Shape::Either(&[MANNER, COMMAND]),
        "run a command as root; beside another action, whether it is done as root, or how: user, method, password",
    ),
    ("script", Shape::Text, "run this local file on the host"),
    ("local", COMMAND, "run a command on your machine, once per host"),
    ("echo", Shape::Text, "print a line"),
    ("set", Shape::Vars, "set variables of this host for the steps that follow"),
    ("fail", Shape::Text, "fail with this message"),
    (
        "assert",
        Shape::Either(&[Shape::OneOrMany(&Shape::Text), Shape::Map { keys: ASSERT, required: &["that"] }]),
        "fail unless every expression is true",
    ),
    ("put", PATHS, "files and folders of your machine onto the host"),
    ("get", PATHS, "files and folders of the host onto your machine"),
    ("sync", Shape::Text, "make a folder of the host like this local one"),
    ("template", Shape::Text, "fill in this local file and move it onto the host"),
    ("unarchive", Shape::Text, "unpack this archive into a folder of the host"),
    ("file", Shape::Text, "see to what is at this path of the host"),
    ("line", Shape::TextOrNothing, "see to this line in a text file of the host"),
    ("stat", Shape::Text, "look at this path of the host"),
    ("ls", Shape::Text, "list this folder of the host"),
    ("facts", Shape::Bare, "find out what the host is, as the variable `facts`"),
    (
        "wait_for",
        Shape::Map { keys: WAIT_FOR, required: &[] },
        "wait for a port, a path, a web server or a command",
    ),
    ("confirm", Shape::Text, "ask this question, and go on only after a yes"),
    ("prompt", Shape::Map { keys: PROMPT, required: &["ask", "set"] }, "ask for the value of a variable"),
    (
        "reboot",
        Shape::Either(&[Shape::Bare, Shape::Map { keys: REBOOT, required: &[] }]),
        "restart the host and wait until it is back",
    ),
    ("barrier", Shape::Bare, "wait until all hosts of the batch have come here"),
    ("block", Shape::Defined("steps"), "steps that belong together, with their own rescue and always"),
    ("task", Shape::Text, "the steps of another task; its arguments are in `with`"),
    ("when", Shape::Text, "expression: the step is skipped when it is false"),
    ("tags", PATHS, "words for --tags and --skip-tags"),
    ("register", Shape::Variable, "variable that receives the result"),
    (
        "each",
        Shape::Either(&[Shape::List(&Shape::Any), Shape::Text]),
        "do it for each item of a list, or of an expression that gives one: `item`, `item_index`",
    ),
    ("retries", Shape::Integer(0, 1000), "how often it is done again while it fails"),
    ("delay", Shape::Duration, "pause before it is done again"),
    ("until", Shape::Text, "expression: it is done again until this is true"),
    ("ok_codes", Shape::OneOrMany(&Shape::Integer(0, 255)), "exit statuses that mean success instead of 0"),
    ("changed_when", Shape::Text, "expression over `result`: whether it counts as a change"),
    ("creates", Shape::Text, "skipped when this path is there"),
    ("unless", Shape::Text, "skipped when this script succeeds"),
    ("onlyif", Shape::Text, "skipped when this script fails"),
    ("warn_only", Shape::Flag, "a failure is reported, and the host goes on"),
    ("run_once", Shape::Flag, "the first host that comes here does it for all"),
    ("notify", PATHS, "handlers to run at the end when it changed something"),
    ("hide", Shape::Flag, "its output is not shown, but registered"),
    ("secret", Shape::Flag, "nothing of it is shown but how it ended"),
    ("cd", Shape::Text, "folder to run in; where relative remote paths begin"),
    ("lcd", Shape::Text, "folder of your machine: where local commands run and local paths begin"),
    ("on", Shape::Text, "the host that does it in the place of each host"),
    ("env", Shape::Texts, "environment variables"),
    ("shell", Shape::Text, "interpreter instead of the host's"),
    ("timeout", Shape::Duration, "deadline of the command or transfer"),
    ("idle_timeout", Shape::Duration, "longest silence of the command"),
    ("user", Shape::Text, "the user who does it"),
    ("stdin", Shape::Text, "what the command reads"),
    (
        "respond",
        Shape::OneOrMany(&Shape::Map { keys: RESPOND, required: &["prompt", "answer"] }),
        "answers to what the command asks",
    ),
    ("pty", Shape::Flag, "on a terminal of the host"),
    ("args", COMMAND, "arguments of the script: a list of words, or a text"),
    ("rescue", Shape::Defined("steps"), "what to do when a step of the block fails"),
    ("always", Shape::Defined("steps"), "what to do at the end of the block in any case"),
    ("with", Shape::Vars, "arguments of the called task"),
    ("to", Shape::Text, "where it goes"),
    ("in", Shape::Text, "the text file of the host"),
    ("remote", Shape::Flag, "the archive is on the host already"),
    ("strip", Shape::Integer(0, 64), "how many names at the beginning of each path are left out"),
    ("exclude", PATHS, "globs: what of folders is left out"),
    ("links", Shape::Words(&["keep", "follow", "skip"]), "what becomes of symbolic links in folders"),
    ("times", Shape::Flag, "keep modification times"),
    ("delete", Shape::Flag, "remove what is there and not here"),
    ("mode", Shape::Mode, "mode of files, octal"),
    ("dir_mode", Shape::Mode, "mode of folders that are made, octal"),
    ("owner", Shape::Text, "whose files they are: name or number"),
    ("group", Shape::Text, "their group: name or number"),
    ("backup", Shape::Flag, "keep the old content beside the new"),
    ("validate", Shape::Text, "command that must succeed before; %s is the new file"),
    ("follow", Shape::Flag, "follow a link in the target's place"),
    ("state", Shape::Words(&["present", "absent", "directory", "link"]), "what must hold"),
    ("target", Shape::Text, "where the link points"),
    ("recurse", Shape::Flag, "a folder goes with all that is in it"),
    ("match", Shape::Text, "regular expression: the last line that it matches is replaced, or each removed"),
    ("after", Shape::Text, "regular expression: a new line goes behind the last line that it matches"),
    ("before", Shape::Text, "regular expression: a new line goes before the last line that it matches"),
    ("at", Shape::Words(&["start", "end"]), "where a new line goes"),
    ("create", Shape::Flag, "make the file when there is none"),
];

/// How a step becomes somebody else.
pub(in crate::config) const MANNER: Shape =
    Shape::Either(&[Shape::Flag, Shape::Map { keys: SUDO, required: &[] }]);

pub(in crate::config) const RESPOND: Keys = &[
    ("prompt", Shape::Text, "regular expression that matches the question"),
    ("answer", Shape::Text, "what is sent"),
    ("times", Shape::Integer(1, 1000), "how often at most"),
];

pub(in crate::config) const ASSERT: Keys = &[
    ("that", Shape::OneOrMany(&Shape::Text), "expressions that must be true"),
    ("message", Shape::Text, "message instead of the expression"),
];

pub(in crate::config) const WAIT_FOR: Keys = &[
    ("port", Shape::Text, "until this TCP port of the host takes connections"),
    ("address", Shape::Text, "the port's address instead of the host itself"),
    ("path", Shape::Text, "until there is something at this path"),
    ("http", Shape::Text, "until this web address, seen from the host, answers well"),
    ("status", Shape::OneOrMany(&Shape::Integer(100, 599)), "statuses that are a good answer"),
    ("body", Shape::Text, "regular expression that the answer must match"),
    ("command", Shape::Text, "until this script succeeds"),
    ("gone", Shape::Flag, "until it is not so any more"),
    ("timeout", Shape::Duration, "how long to wait"),
    ("interval", Shape::Duration, "pause between two looks"),
];

/// What can be waited for.
pub(in crate::config) const CONDITIONS: [&str; 4] = ["port", "path", "http", "command"];

pub(in crate::config) const PROMPT: Keys = &[
    ("ask", Shape::Text, "the question"),
    ("set", Shape::Variable, "variable that receives the answer"),
    ("default", Shape::Text, "the answer when none is given"),
    ("secret", Shape::Flag, "what is typed is not shown, now and later"),
];

pub(in crate::config) const REBOOT: Keys = &[
    ("command", Shape::Text, "how to restart, instead of fan's way"),
    ("boot_id", Shape::Text, "command whose output is another one after a restart"),
    ("timeout", Shape::Duration, "how long the host may take to come back"),
];
