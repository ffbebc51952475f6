//! Which actions and keys a step may have, and which key belongs to which action.

use crate::config::fields::{Schema, joined};
use crate::config::findings::Findings;
use crate::config::tables::shape::names;
use crate::config::tables::tasks;
use crate::config::yaml::Scalar;
use crate::model::action::{KINDS, Properties};

/// All names of a step.
pub(super) const STEP: Schema = Schema {
    known: &[tasks::STEP],
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
        ("check_mode", "reads"),
        ("always_run", "reads"),
        ("read_only", "reads"),
        ("readonly", "reads"),
    ],
};

/// An action that is a key of other actions as well: alone it is a `run` that says by its name as whom it is done.
pub(in crate::config) const TWOFOLD: &str = "sudo";

/// The kind of an action.
pub(in crate::config) fn kind(action: &str) -> Option<&'static Properties> {
    Properties::named(if action == TWOFOLD { "run" } else { action })
}

/// Whether a key names an action.
pub(super) fn is_action(key: &str) -> bool {
    kind(key).is_some()
}

/// What a step can do.
pub(in crate::config) fn actions() -> impl Iterator<Item = &'static str> {
    names(tasks::STEP).filter(|name| is_action(name))
}

/// Whether a key shapes some actions only. Any step may have the others.
pub(super) fn shapes_some(key: &str) -> bool {
    KINDS.iter().any(|kind| kind.takes(key))
}

/// Whether a key may stand beside an action.
fn takes(action: &str, key: &str) -> bool {
    let of_any = !shapes_some(key) && !is_action(key);
    of_any || (action != key && kind(action).is_some_and(|kind| kind.takes(key)))
}

/// The keys that may stand beside an action.
pub(in crate::config) fn keys_beside(action: &str) -> impl Iterator<Item = &'static str> {
    names(tasks::STEP).filter(move |key| takes(action, key))
}

/// Whether a key has a meaning for an action; notes that it has none.
pub(super) fn belongs(key: &Scalar, action: &str, findings: &mut Findings) -> bool {
    if takes(action, &key.text) {
        return true;
    }
    let actions: Vec<&str> = actions().filter(|action| takes(action, &key.text)).collect();
    findings.error(
        &key.position,
        format!("\"{}\" has no effect on \"{action}\"; it is for {}", key.text, joined(&actions, "and")),
    );
    false
}

/// Notes why a name that is not read is refused; `has` says which names stand beside it.
pub(super) fn refuse(key: &Scalar, has: impl Fn(&str) -> bool, findings: &mut Findings) {
    let unknown = |rest: &str| format!("unknown field \"{}\"{rest}", key.text);
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
            // What has a meaning beside this action; without one, it is the action that is missing.
            let action = actions().find(|action| has(action));
            let first = actions().filter(|_| action.is_none());
            let here = first.chain(keys_beside(action.unwrap_or_default()));
            STEP.refuse_among(key, here, findings);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_known_and_belongs_to_actions_that_exist() {
        for kind in &KINDS {
            assert!(actions().any(|action| action == kind.key), "{}", kind.key);
            for key in kind.keys.concat().iter().chain(kind.required).chain(kind.own).chain(kind.refuses) {
                assert!(STEP.knows(key) && shapes_some(key), "{key}");
            }
            assert!(kind.required.iter().chain(kind.own).all(|key| kind.takes(key)), "{}", kind.key);
        }
        let of_any: Vec<&str> = keys_beside("").collect();
        assert_eq!(of_any, ["name", "when", "tags"]);
        for (_, here) in STEP.synonyms {
            assert!(STEP.knows(here), "{here}");
        }
    }
}
