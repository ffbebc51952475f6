//! Which actions and keys a step may have, and which key belongs to which action.

use crate::config::fields::{Schema, joined};
use crate::config::findings::Findings;
use crate::config::yaml::Scalar;

/// What a step can do.
pub(super) const ACTIONS: &[&str] = &[
    "run", "sudo", "script", "local", "echo", "set", "fail", "assert", "put", "get", "sync", "template",
    "file", "line", "stat", "ls", "facts", "wait_for", "confirm", "prompt", "reboot", "barrier", "block",
    "task",
];

/// What a step will be able to do.
pub(super) const LATER_ACTIONS: &[&str] = &[];

/// Actions that do something by themselves: all but those that stand for other steps.
const SINGLE: &[&str] = &[
    "run", "sudo", "script", "local", "echo", "set", "fail", "assert", "put", "get", "sync", "template",
    "file", "line", "stat", "ls", "facts", "wait_for", "reboot",
];

/// Actions that start a command.
const COMMANDS: &[&str] = &["run", "sudo", "script", "local"];

/// Those, and actions that hold them.
const WITH_COMMANDS: &[&str] = &["run", "sudo", "script", "local", "block", "task"];

/// Actions that can go wrong: all but a barrier.
const WORKING: &[&str] = &[
    "run", "sudo", "script", "local", "echo", "set", "fail", "assert", "put", "get", "sync", "template",
    "file", "line", "stat", "ls", "facts", "wait_for", "reboot", "confirm", "prompt", "block", "task",
];

/// Those that one host can do for all: what a host is says nothing about another one.
const SHARED: &[&str] = &[
    "run", "sudo", "script", "local", "echo", "set", "fail", "assert", "put", "get", "sync", "template",
    "file", "line", "stat", "ls", "wait_for", "reboot", "confirm", "prompt", "block", "task",
];

/// Actions that are done in a folder of the host, and can be done on another one.
const PLACED: &[&str] = &[
    "run", "sudo", "script", "put", "get", "sync", "template", "file", "line", "stat", "ls", "wait_for",
    "block", "task",
];

/// Actions that may take long.
const TIMED: &[&str] = &[
    "run", "sudo", "script", "local", "put", "get", "sync", "template", "file", "line", "stat", "ls",
    "facts", "block", "task",
];

/// Keys that shape some actions only, and those actions. Any step may have the others.
const KEYS: &[(&str, &[&str])] = &[
    ("cd", PLACED),
    ("lcd", &["local", "put", "get", "sync", "template", "script", "block", "task"]),
    ("on", PLACED),
    ("env", &["run", "sudo", "script", "local", "wait_for", "reboot", "block", "task"]),
    ("shell", &["run", "sudo", "script", "block", "task"]),
    ("timeout", TIMED),
    ("idle_timeout", WITH_COMMANDS),
    (
        "sudo",
        &[
            "run", "script", "local", "put", "get", "sync", "template", "file", "line", "stat", "ls",
            "wait_for", "reboot", "block", "task",
        ],
    ),
    ("user", &["run", "sudo", "script", "local", "wait_for", "reboot", "block", "task"]),
    ("respond", COMMANDS),
    ("stdin", COMMANDS),
    ("pty", &["run", "sudo", "script"]),
    ("args", &["script"]),
    ("each", SINGLE),
    ("register", SINGLE),
    ("retries", SINGLE),
    ("delay", SINGLE),
    ("until", SINGLE),
    ("notify", SINGLE),
    ("changed_when", SINGLE),
    ("ok_codes", COMMANDS),
    ("creates", COMMANDS),
    ("unless", COMMANDS),
    ("onlyif", COMMANDS),
    ("hide", WITH_COMMANDS),
    ("secret", WORKING),
    ("warn_only", WORKING),
    ("run_once", SHARED),
    ("rescue", &["block"]),
    ("always", &["block"]),
    ("with", &["task"]),
    ("to", &["put", "get", "sync", "template"]),
    ("in", &["line"]),
    ("exclude", &["put", "get", "sync"]),
    ("links", &["put", "get", "sync"]),
    ("times", &["put", "get", "sync"]),
    ("delete", &["sync"]),
    ("mode", &["put", "sync", "template", "file", "line"]),
    ("dir_mode", &["put", "sync"]),
    ("owner", &["put", "sync", "template", "file", "line"]),
    ("group", &["put", "sync", "template", "file", "line"]),
    ("backup", &["put", "template", "line"]),
    ("validate", &["put", "template", "line"]),
    ("follow", &["put", "template", "line"]),
    ("state", &["file", "line"]),
    ("target", &["file"]),
    ("recurse", &["file"]),
    ("match", &["line"]),
    ("after", &["line"]),
    ("before", &["line"]),
    ("at", &["line"]),
    ("create", &["line"]),
];

/// Keys that any step may have.
const COMMON: &[&str] = &["name", "when", "tags"];

/// All names of a step.
pub(in crate::config) const STEP: Schema = Schema {
    known: &[
        ACTIONS,
        COMMON,
        &[
            "each",
            "register",
            "retries",
            "delay",
            "until",
            "notify",
            "ok_codes",
            "changed_when",
            "creates",
            "unless",
            "onlyif",
            "hide",
            "secret",
            "warn_only",
            "run_once",
            "shell",
            "idle_timeout",
            "rescue",
            "always",
            "with",
        ],
        &[
            "cd", "lcd", "on", "env", "timeout", "user", "respond", "stdin", "pty", "args", "to", "in",
            "exclude", "links", "times", "delete", "mode", "dir_mode",
        ],
        &["owner", "group", "backup", "validate", "follow", "state", "target", "recurse", "match", "after"],
        &["before", "at", "create"],
    ],
    later: &[],
    synonyms: &[
        ("command", "run"),
        ("cmd", "run"),
        ("exec", "run"),
        ("debug", "echo"),
        ("print", "echo"),
        ("msg", "echo"),
        ("set_fact", "set"),
        ("ignore_errors", "warn_only"),
        ("chdir", "cd"),
        ("cwd", "cd"),
        ("dir", "cd"),
        ("environment", "env"),
        ("if", "when"),
        ("desc", "name"),
        ("copy", "put"),
        ("upload", "put"),
        ("download", "get"),
        ("fetch", "get"),
        ("rsync", "sync"),
        ("synchronize", "sync"),
        ("mirror", "sync"),
        ("lineinfile", "line"),
        ("dest", "to"),
        ("destination", "to"),
        ("path", "to"),
        ("chmod", "mode"),
        ("directory_mode", "dir_mode"),
        ("regexp", "match"),
        ("regex", "match"),
        ("insertafter", "after"),
        ("insertbefore", "before"),
        ("recursive", "recurse"),
        ("become", "sudo"),
        ("delegate_to", "on"),
        ("become_user", "user"),
        ("as", "user"),
        ("run_as", "user"),
        ("responses", "respond"),
        ("expect", "respond"),
        ("watchers", "respond"),
        ("input", "stdin"),
        ("tty", "pty"),
        ("loop", "each"),
        ("with_items", "each"),
        ("for", "each"),
        ("failed_when", "ok_codes"),
        ("no_log", "secret"),
        ("include", "task"),
        ("include_tasks", "task"),
        ("import_tasks", "task"),
        ("removes", "onlyif"),
        ("onfail", "rescue"),
        ("finally", "always"),
        ("pause", "confirm"),
        ("ask", "prompt"),
        ("vars_prompt", "prompt"),
        ("wait", "wait_for"),
        ("tag", "tags"),
        ("retry", "retries"),
    ],
};

/// What a step can do, for the schema.
pub(in crate::config) fn actions() -> &'static [&'static str] {
    ACTIONS
}

/// The keys that may stand beside an action, for the schema.
pub(in crate::config) fn keys_beside(action: &str) -> impl Iterator<Item = &'static str> {
    let shaping = KEYS.iter().filter(move |(_, actions)| actions.contains(&action));
    COMMON.iter().copied().chain(shaping.map(|&(key, _)| key))
}

/// The actions that a key shapes, when those are not all.
pub(super) fn actions_of(key: &str) -> Option<&'static [&'static str]> {
    KEYS.iter().find(|&&(name, _)| name == key).map(|&(_, actions)| actions)
}

/// Whether a key has a meaning for an action; notes that it has none.
pub(super) fn belongs(key: &Scalar, action: &str, findings: &mut Findings) -> bool {
    let Some(actions) = actions_of(&key.text) else { return true };
    if actions.contains(&action) {
        return true;
    }
    findings.error(
        &key.position,
        format!("\"{}\" has no effect on \"{action}\"; it belongs to {}", key.text, joined(actions, "and")),
    );
    false
}

/// Notes why a name that is not read is refused; `has` says which names stand beside it.
pub(super) fn refuse(key: &Scalar, has: impl Fn(&[&str]) -> bool, findings: &mut Findings) {
    let unknown = |rest: &str| format!("unknown field \"{}\"{rest}", key.text);
    let has = |name: &str| has(&[name]);
    match &*key.text {
        // Here the source is the action's own value.
        "src" | "source" => {
            let action = ["put", "get", "sync", "template"].into_iter().find(|action| has(action));
            let help = format!("write \"{}: PATH\" and \"to: PATH\"", action.unwrap_or("put"));
            findings.error_help(&key.position, unknown(""), help);
        }
        "path" | "dest" if has("line") || has("lineinfile") => {
            findings.error(&key.position, unknown("; did you mean \"in\"?"));
        }
        "path" | "dest" if has("file") => {
            findings.error_help(&key.position, unknown(""), "write \"file: PATH\"");
        }
        _ => {
            let action = ACTIONS.iter().find(|action| has(action));
            // What has a meaning beside this action; without one, it is the action that is missing.
            let shaping = KEYS.iter().filter(|(_, of)| action.is_some_and(|action| of.contains(action)));
            let first: &[&str] = if action.is_some() { &[] } else { ACTIONS };
            let here = first.iter().chain(COMMON).copied().chain(shaping.map(|&(key, _)| key));
            STEP.refuse_among(key, here, findings);
        }
    }
}

/// An action on files.
#[derive(Clone, Copy, Debug)]
pub(super) enum OnFiles {
    Put,
    Get,
    Sync,
    Template,
    File,
    Line,
    Stat,
    Ls,
}

impl OnFiles {
    /// The action of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "put" => Self::Put,
            "get" => Self::Get,
            "sync" => Self::Sync,
            "template" => Self::Template,
            "file" => Self::File,
            "line" => Self::Line,
            "stat" => Self::Stat,
            "ls" => Self::Ls,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_tasks_text;
    use crate::model::handed::{Handed, Handover};
    use crate::model::task::Step;

    /// A step of each action that can be done, by the name of the action.
    fn samples() -> Vec<Step> {
        let file = "
tasks:
  t:
    steps: [run: a, script: a, local: a, echo: a, set: {a: 1}, fail: a, assert: a, stat: a, ls: a, {file: a, state: absent},
      {line: a, in: a}, {put: a, to: a}, {get: a, to: a}, {sync: a, to: a}, {template: a, to: a}, facts: true,
      wait_for: {port: 1}, confirm: a, prompt: {ask: a, set: a}, reboot: true, barrier: true, block: [echo: a], task: u]
  u: [echo: a]
";
        let file = load_tasks_text("tasks.yaml", file).unwrap_or_else(|errors| panic!("{errors}")).value;
        file.tasks["t"].steps.clone()
    }

    #[test]
    fn what_is_handed_down_is_what_may_stand_at_the_step_itself() {
        let steps = samples();
        let named: Vec<&str> = steps.iter().map(|step| step.action.key()).collect();
        assert!(ACTIONS.iter().all(|action| *action == "sudo" || named.contains(action)), "{named:?}");
        for key in Handed::ALL {
            let of = actions_of(key.key()).unwrap();
            for step in &steps {
                let action = step.action.key();
                // A block of steps on the hosts says nothing of who does what on this machine.
                let own = (key, action) == (Handed::RunAs, "local");
                assert_eq!(
                    key.at(&step.action) == Handover::Takes,
                    of.contains(&action) && !own,
                    "{key:?} {action}"
                );
            }
        }
    }

    #[test]
    fn each_key_is_known_and_belongs_to_actions_that_exist() {
        for (key, actions) in KEYS {
            assert!(STEP.knows(key), "{key}");
            assert!(actions.iter().all(|action| ACTIONS.contains(action)), "{key}");
        }
        for action in LATER_ACTIONS {
            assert!(STEP.later.contains(action) && !ACTIONS.contains(action), "{action}");
        }
        for (_, here) in STEP.synonyms {
            assert!(STEP.knows(here), "{here}");
        }
    }
}
