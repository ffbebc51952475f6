//! Where a secret comes from: `{env: NAME}`, `{file: PATH}`, `{command: "..."}` or `{prompt: "..."}`.
//!
//! And the map of them, `secrets:`.
//!
//! Refuses a secret itself, and never repeats what stands in its place: it may be one.

use std::path::Path;

use crate::config::fields::{literal, map};
use crate::config::findings::Findings;
use crate::config::places::{names_variable, resolved};
use crate::config::tables::inventory::SOURCES;
use crate::config::tables::shape::names;
use crate::config::yaml::Node;
use crate::model::name::check_variable_name;
use crate::model::position::Located;
use crate::model::secret::{SecretSource, SecretSources};
use crate::model::suggest::did_you_mean;
use crate::model::value::Vars;

/// Reads the secrets of a file. `vars` are its variables, which cannot have the same names.
pub(super) fn secrets(node: &Node, base: &Path, vars: &Vars, findings: &mut Findings) -> SecretSources {
    let mut secrets = SecretSources::new();
    for entry in map(node, "a map of secrets", "secret", findings) {
        let (name, at) = (&*entry.key.text, &entry.key.position);
        if let Err(message) = check_variable_name(name) {
            findings.error(at, message);
        } else if vars.contains_key(name) {
            let help = "remove one of them";
            findings.error_help(at, format!("\"{name}\" is both a variable and a secret"), help);
        }
        if let Some(source) = source(&entry.value, name, base, findings) {
            secrets.insert(name.to_owned(), Located::new(source, at.clone()));
        }
    }
    secrets
}

/// Reads the source of a secret.
pub(super) fn source(node: &Node, field: &str, base: &Path, findings: &mut Findings) -> Option<SecretSource> {
    let help = || {
        format!("write {field}: {{env: NAME}}, {{file: PATH}}, {{command: \"...\"}} or {{prompt: \"...\"}}")
    };
    match node {
        Node::Broken(_) => return None,
        Node::Scalar(_) | Node::List(_) => {
            let message = format!("\"{field}\" must not be in the file: say where it comes from");
            findings.error_help(node.position(), message, help());
            return None;
        }
        Node::Map(_) => {}
    }
    let [entry] = map(node, "the source of a secret", "source", findings) else {
        findings.error_help(node.position(), format!("\"{field}\" needs exactly one source"), help());
        return None;
    };
    let key = &*entry.key.text;
    if !names(SOURCES).any(|name| name == key) {
        let message = match did_you_mean(key, names(SOURCES)) {
            Some(near) => format!("unknown source of \"{field}\"; did you mean \"{near}\"?"),
            None => format!("unknown source of \"{field}\""),
        };
        findings.error_help(&entry.key.position, message, help());
        return None;
    }
    let text = literal(&entry.value, key, findings)?;
    if text.text.trim().is_empty() {
        findings.error(&text.position, format!("\"{key}\" is empty"));
        return None;
    }
    Some(match key {
        "env" if !names_variable(&text.text) => {
            let message = "\"env\" must be the name of an environment variable";
            findings.error_help(&text.position, message, "use letters, digits and _");
            return None;
        }
        "env" => SecretSource::Env(text.text.to_string()),
        "file" => SecretSource::File(resolved(base, &text.text)),
        "command" => SecretSource::Command(text.text.to_string()),
        _ => SecretSource::Prompt(text.text.to_string()),
    })
}
