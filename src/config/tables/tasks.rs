//! The keys of tasks files.

use crate::config::tables::inventory::{SECRETS, SUDO};
use crate::config::tables::shape::{Shape, ShapeKeys};

pub(in crate::config) const FILE: ShapeKeys = &[
    (
        "include",
        Shape::OneOrMany(&Shape::Either(&[Shape::Text, Shape::Map { keys: INCLUDE, required: &["file"] }])),
        "other tasks files, from the folder of this one: db.yaml, roles/*.yaml, {file: db.yaml, as: db}",
    ),
    ("tasks", Shape::Named(&Shape::Defined("task")), "the tasks, by name"),
    ("vars", Shape::Vars, "variables of every task"),
    ("secrets", SECRETS, "secrets for templates: name, and where its value comes from"),
];

pub(in crate::config) const INCLUDE: ShapeKeys = &[
    ("file", Shape::Text, "path of the file, or a pattern for several"),
    ("as", Shape::Text, "what its tasks are named by: db makes db.backup of backup"),
];

pub(in crate::config) const TASK: ShapeKeys = &[
    ("desc", Shape::Text, "description for `fan list`"),
    ("params", Shape::Vars, "parameters with their defaults; null: required"),
    ("roles", Shape::List(&Shape::Text), "roles that it runs on unless the command line names hosts"),
    ("hosts", Shape::List(&Shape::Text), "target expressions that it runs on, as well as `roles`"),
    ("exclude", Shape::List(&Shape::Text), "hosts to leave out, as target expressions"),
    ("vars", Shape::Vars, "variables of its steps"),
    (
        "before",
        Shape::List(&Shape::Text),
        "tasks that run before it, each once in a run: build, build:arch=arm64",
    ),
    ("after", Shape::List(&Shape::Text), "tasks that run after it, each once in a run"),
    ("sudo", MANNER, "whether, or how, its steps run as another user, unless they say it themselves"),
    ("user", Shape::Text, "the user its steps run as"),
    ("durable", Shape::Flag, "whether its commands outlive the connection, unless they say it themselves"),
    ("serial", Shape::OneOrMany(&Shape::Share), "batch size, or a list of sizes: 2, 25%, [1, 25%]"),
    ("max_fail", Shape::Share, "failures allowed before no further host starts"),
    (
        "strategy",
        Shape::Words(&["free", "linear"]),
        "linear: a step starts when all hosts of the batch have finished the previous one",
    ),
    ("run_once", Shape::Flag, "runs on the first host only; the others share its results"),
    (
        "lock",
        Shape::Either(&[Shape::Text, Shape::Map { keys: LOCK, required: &["name"] }]),
        "keeps two runs out of the task at the same time",
    ),
    ("steps", Shape::Defined("steps"), "what to do, in order"),
    ("rescue", Shape::Defined("steps"), "steps for a host on which a step failed"),
    ("always", Shape::Defined("steps"), "steps that run last on every host, even after a failure"),
    (
        "handlers",
        Shape::Named(&Shape::Either(&[Shape::Defined("step"), Shape::Defined("steps")])),
        "steps that other steps notify, by name",
    ),
    ("private", Shape::Flag, "callable only by other tasks; hidden from `fan list`"),
    ("timeout", Shape::Duration, "time limit of each step that sets none"),
];

pub(in crate::config) const LOCK: ShapeKeys = &[
    ("name", Shape::Text, "tasks with the same lock exclude each other"),
    ("on", Shape::Text, "the host that holds the lock; default: the task's first host"),
];

const PATHS: Shape = Shape::OneOrMany(&Shape::Text);
const COMMAND: Shape = Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]);

/// Actions and keys of a step.
pub(in crate::config) const STEP: ShapeKeys = &[
    ("name", Shape::Text, "title in reports"),
    ("run", COMMAND, "run a command on the host: a script, or a list with a program and its arguments"),
    (
        "sudo",
        Shape::Either(&[MANNER, COMMAND]),
        "run a command as root; beside another action: whether, or how, it runs as another user (user, method, password)",
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
    ("put", PATHS, "upload files and folders"),
    ("get", PATHS, "download files and folders"),
    ("sync", Shape::Text, "mirror this local folder to the host"),
    ("template", Shape::Text, "render this local file and upload it"),
    ("unarchive", Shape::Text, "unpack this archive into a folder of the host"),
    ("file", Shape::Text, "ensure the state of this path"),
    ("line", Shape::TextOrNothing, "ensure this line is present in a text file, or absent"),
    ("stat", Shape::Text, "examine this path"),
    ("ls", Shape::Text, "list this folder"),
    (
        "facts",
        Shape::Either(&[Shape::Bare, Shape::Map { keys: FACTS, required: &[] }]),
        "gather facts into the variable `facts`",
    ),
    (
        "wait_for",
        Shape::Map { keys: WAIT_FOR, required: &[] },
        "wait for a port, a path, a web server or a command",
    ),
    ("confirm", Shape::Text, "ask this question; continue only after a yes"),
    ("prompt", Shape::Map { keys: PROMPT, required: &["ask", "set"] }, "ask for the value of a variable"),
    (
        "reboot",
        Shape::Either(&[Shape::Bare, Shape::Map { keys: REBOOT, required: &[] }]),
        "restart the host and wait until it is back",
    ),
    ("barrier", Shape::Bare, "wait for all hosts of the batch"),
    ("block", Shape::Defined("steps"), "a group of steps with its own rescue and always"),
    ("task", Shape::Text, "run another task's steps; `with` has its arguments"),
    ("when", Shape::Text, "expression: the step is skipped when it is false"),
    ("tags", PATHS, "tags for --tags and --skip-tags"),
    ("register", Shape::Variable, "variable that receives the result"),
    (
        "each",
        Shape::Either(&[Shape::List(&Shape::Any), Shape::Text]),
        "repeat for each item of a list or expression: `item`, `item_index`",
    ),
    ("retries", Shape::Integer(0, 1000), "retries after a failure"),
    ("delay", Shape::Duration, "pause before a retry"),
    ("until", Shape::Text, "expression: repeat until it is true"),
    ("ok_codes", Shape::OneOrMany(&Shape::Integer(0, 255)), "exit statuses that mean success instead of 0"),
    ("changed_when", Shape::Text, "expression over `result`: whether it counts as a change"),
    ("creates", Shape::Text, "skip if this path exists"),
    ("unless", Shape::Text, "skip if this script succeeds"),
    ("onlyif", Shape::Text, "skip if this script fails"),
    ("warn_only", Shape::Flag, "report a failure as a warning and continue"),
    ("durable", Shape::Flag, "whether the command outlives the connection"),
    ("reads", Shape::Flag, "the command changes nothing: it runs in a dry run too"),
    ("run_once", Shape::Flag, "the first host to get here does it for all"),
    ("throttle", Shape::Integer(1, 100_000), "how many hosts are in it at a time, at most"),
    ("notify", PATHS, "handlers to run at the end if it changed something"),
    ("hide", Shape::Flag, "do not show its output; `register` still has it"),
    ("secret", Shape::Flag, "show nothing of it but its status"),
    ("cd", Shape::Text, "working folder; relative remote paths start there"),
    ("lcd", Shape::Text, "local working folder; local paths start there"),
    ("on", Shape::Text, "the host that runs it instead of each host"),
    ("env", Shape::Texts, "environment variables"),
    ("shell", Shape::Text, "interpreter instead of the host's"),
    ("timeout", Shape::Duration, "time limit of the command or transfer"),
    ("idle_timeout", Shape::Duration, "how long the command may print nothing"),
    ("user", Shape::Text, "the user to run as"),
    ("stdin", Shape::Text, "the command's input"),
    (
        "respond",
        Shape::OneOrMany(&Shape::Map { keys: RESPOND, required: &["prompt", "answer"] }),
        "answers to the command's prompts",
    ),
    ("pty", Shape::Flag, "run on a pseudo-terminal"),
    ("args", COMMAND, "arguments of the script: a list of words, or a text"),
    ("rescue", Shape::Defined("steps"), "steps to run if a step of the block fails"),
    ("always", Shape::Defined("steps"), "steps to run at the end of the block in any case"),
    ("with", Shape::Vars, "arguments of the called task"),
    ("to", Shape::Text, "where it goes"),
    ("in", Shape::Text, "the text file of the host"),
    ("remote", Shape::Flag, "the archive is on the host already"),
    ("strip", Shape::Integer(0, 64), "how many names at the beginning of each path are left out"),
    ("trim_blocks", Shape::Flag, "leave out the line end right behind a tag of the file, as Ansible does"),
    ("lstrip_blocks", Shape::Flag, "leave out blanks before a tag that begins a line of the file"),
    ("exclude", PATHS, "globs of files to leave out"),
    ("links", Shape::Words(&["keep", "follow", "skip"]), "how to treat symbolic links in folders"),
    ("times", Shape::Flag, "keep modification times"),
    ("delete", Shape::Flag, "delete what does not exist locally"),
    ("mode", Shape::Mode, "mode of files, octal"),
    ("dir_mode", Shape::Mode, "mode of new folders, octal"),
    ("owner", Shape::Text, "owner: name or number"),
    ("group", Shape::Text, "group: name or number"),
    ("backup", Shape::Flag, "keep a copy of the old file"),
    ("validate", Shape::Text, "command that must succeed first; %s is the new file"),
    ("follow", Shape::Flag, "follow a symbolic link at the target"),
    ("in_place", Shape::Flag, "write into the file that is there, for bind mounts and busy files"),
    ("state", Shape::Words(&["present", "absent", "directory", "link"]), "what must hold"),
    ("target", Shape::Text, "target of the link"),
    ("recurse", Shape::Flag, "remove a folder with everything in it"),
    (
        "match",
        Shape::Text,
        "regular expression: the last matching line is replaced (absent: all are removed)",
    ),
    ("after", Shape::Text, "regular expression: a new line goes after the last match"),
    ("before", Shape::Text, "regular expression: a new line goes before the last match"),
    ("at", Shape::Words(&["start", "end"]), "where a new line goes"),
    ("create", Shape::Flag, "create the file if it does not exist"),
];

/// How a step becomes another user.
pub(in crate::config) const MANNER: Shape =
    Shape::Either(&[Shape::Flag, Shape::Map { keys: SUDO, required: &[] }]);

pub(in crate::config) const RESPOND: ShapeKeys = &[
    ("prompt", Shape::Text, "regular expression that matches the question"),
    ("answer", Shape::Text, "what is sent"),
    ("times", Shape::Integer(1, 1000), "how many times at most"),
];

pub(in crate::config) const ASSERT: ShapeKeys = &[
    ("that", Shape::OneOrMany(&Shape::Text), "expressions that must be true"),
    ("message", Shape::Text, "message instead of the expression"),
];

pub(in crate::config) const WAIT_FOR: ShapeKeys = &[
    ("port", Shape::Text, "until this TCP port accepts connections"),
    ("address", Shape::Text, "the port's address instead of the host itself"),
    ("path", Shape::Text, "until this path exists"),
    ("http", Shape::Text, "until this URL, requested from the host, responds"),
    ("status", Shape::OneOrMany(&Shape::Integer(100, 599)), "accepted statuses"),
    ("body", Shape::Text, "regular expression for the response body"),
    ("headers", Shape::Texts, "headers of the request"),
    ("ca", Shape::Text, "local file with the certificates to believe (PEM)"),
    ("verify", Shape::Flag, "whether certificates are verified"),
    ("command", Shape::Text, "until this script succeeds"),
    ("gone", Shape::Flag, "wait for the opposite"),
    ("timeout", Shape::Duration, "how long to wait"),
    ("interval", Shape::Duration, "pause between attempts"),
];

/// What can be waited for.
pub(in crate::config) const CONDITIONS: [&str; 4] = ["port", "path", "http", "command"];

pub(in crate::config) const PROMPT: ShapeKeys = &[
    ("ask", Shape::Text, "the question"),
    ("set", Shape::Variable, "variable that receives the answer"),
    ("default", Shape::Text, "default answer"),
    ("secret", Shape::Flag, "hide what is typed, now and later"),
];

pub(in crate::config) const FACTS: ShapeKeys =
    &[("save", Shape::Flag, "keep them for `fan fleet` when the run is over")];

pub(in crate::config) const REBOOT: ShapeKeys = &[
    ("command", Shape::Text, "command that restarts the host"),
    ("boot_id", Shape::Text, "command whose output differs after a restart"),
    ("timeout", Shape::Duration, "time limit for the host to come back"),
];
