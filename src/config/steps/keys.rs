//! Which actions and keys a step may have, and which key belongs to which action.

use crate::config::fields::{Schema, joined};
use crate::config::findings::Findings;
use crate::config::yaml::Scalar;
use crate::model::action::Properties;

/// What a step can do.
pub(super) const ACTIONS: &[&str] = &[
    "run", "sudo", "script", "local", "echo", "set", "fail", "assert", "put", "get", "sync", "template",
    "file", "line", "stat", "ls", "facts", "wait_for", "confirm", "prompt", "reboot", "barrier", "block",
    "task",
];

/// What a step will be able to do.
pub(super) const LATER_ACTIONS: &[&str] = &[];

/// Keys that shape some actions only: their properties say which. Any step may have the others.
const KEYS: &[&str] = &[
    "cd",
    "lcd",
    "on",
    "env",
    "shell",
    "timeout",
    "idle_timeout",
    "sudo",
    "user",
    "respond",
    "stdin",
    "pty",
    "args",
    "each",
    "register",
    "retries",
    "delay",
    "until",
    "notify",
    "changed_when",
    "ok_codes",
    "creates",
    "unless",
    "onlyif",
    "hide",
    "secret",
    "warn_only",
    "run_once",
    "rescue",
    "always",
    "with",
    "to",
    "in",
    "exclude",
    "links",
    "times",
    "delete",
    "mode",
    "dir_mode",
    "owner",
    "group",
    "backup",
    "validate",
    "follow",
    "state",
    "target",
    "recurse",
    "match",
    "after",
    "before",
    "at",
    "create",
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
    COMMON.iter().chain(KEYS.iter().filter(move |key| takes(action, key))).copied()
}

/// The kind of an action: `sudo` is a `run` that says by its name as whom it is done.
fn kind(action: &str) -> Option<&'static Properties> {
    Properties::named(if action == "sudo" { "run" } else { action })
}

/// Whether a key may stand beside an action.
fn takes(action: &str, key: &str) -> bool {
    action != key && kind(action).is_some_and(|kind| kind.takes(key))
}

/// Whether a key shapes some actions only.
pub(super) fn shapes_some(key: &str) -> bool {
    KEYS.contains(&key)
}

/// Whether a key has a meaning for an action; notes that it has none.
pub(super) fn belongs(key: &Scalar, action: &str, findings: &mut Findings) -> bool {
    if !shapes_some(&key.text) || takes(action, &key.text) {
        return true;
    }
    let actions: Vec<&str> = ACTIONS.iter().copied().filter(|action| takes(action, &key.text)).collect();
    findings.error(
        &key.position,
        format!("\"{}\" has no effect on \"{action}\"; it belongs to {}", key.text, joined(&actions, "and")),
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
            let shaping = KEYS.iter().filter(|key| action.is_some_and(|action| takes(action, key)));
            let first: &[&str] = if action.is_some() { &[] } else { ACTIONS };
            let here = first.iter().chain(COMMON).chain(shaping).copied();
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
    use crate::model::action::KINDS;
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
        for step in &steps {
            let action = step.action.key();
            for key in Handed::ALL {
                // A block of steps on the hosts says nothing of who does what on this machine.
                let own = (key, action) == (Handed::RunAs, "local");
                let handed = key.at(&step.action) == Handover::Takes;
                assert_eq!(handed, takes(action, key.key()) && !own, "{key:?} {action}");
            }
            assert_eq!(step.action.properties().key, action);
        }
    }

    #[test]
    fn each_key_is_known_and_belongs_to_actions_that_exist() {
        for key in KEYS {
            assert!(STEP.knows(key), "{key}");
            assert!(ACTIONS.iter().any(|action| takes(action, key)), "{key}");
        }
        for kind in &KINDS {
            assert!(ACTIONS.contains(&kind.key), "{}", kind.key);
            for key in kind.keys.concat().iter().chain(kind.required).chain(kind.own).chain(kind.refuses) {
                assert!(KEYS.contains(key), "{key}");
            }
            assert!(kind.required.iter().chain(kind.own).all(|key| kind.takes(key)), "{}", kind.key);
        }
        for action in LATER_ACTIONS {
            assert!(STEP.later.contains(action) && !ACTIONS.contains(action), "{action}");
        }
        for (_, here) in STEP.synonyms {
            assert!(STEP.knows(here), "{here}");
        }
    }
}
