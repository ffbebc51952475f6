//! Variables: the only part of a file whose values have types. Templates in them stay text here; their
//! syntax is checked.

use std::path::Path;
use std::sync::Arc;

use crate::config::compose::compose;
use crate::config::fields::{has_template, map};
use crate::config::findings::{Diagnostics, Findings, Loaded};
use crate::config::scalar::resolve;
use crate::config::yaml::Node;
use crate::config::{source, templates};
use crate::model::name::check_variable_name;
use crate::model::position::Diagnostic;
use crate::model::template::Syntax;
use crate::model::value::{Value, Vars};
use crate::model::written::WrittenVars;

/// What becomes of `{{ }}` in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Braces {
    /// It is a template, rendered when a run is planned.
    Template,
    /// Part of the text: the file is data, perhaps made by a program.
    Literal,
}

/// Reads a YAML file of variables (`-e @file.yaml`).
///
/// # Errors
/// Everything that is wrong with the file.
pub fn load_vars_file(path: &Path) -> Result<Loaded<Vars>, Diagnostics> {
    let source = source::read(path)?;
    let mut findings = Findings::default();
    let root = compose(&source.name, &source.text, &mut findings);
    let vars = match &root {
        Some(node) => vars(node, Braces::Literal, &mut findings),
        None if findings.any() => Vars::new(),
        None => return Err(Diagnostic::bare(format!("{}: no variables defined", source.name)).into()),
    };
    findings.finish(vars)
}

/// Reads a text as one value, as a file of variables is read: for `from_yaml`.
///
/// # Errors
/// Where it is no YAML, and why, without a word of the text.
pub fn read_value(text: &str) -> Result<Value, String> {
    if text.len() > source::MAX_BYTES {
        return Err(format!("larger than {} MiB", source::MAX_BYTES / 1024 / 1024));
    }
    let mut findings = Findings::default();
    let root = compose(&Arc::from(""), text, &mut findings);
    let value = root.map_or(Value::Null, |node| value(&node, Braces::Literal, &mut findings));
    let errors = findings.take_errors();
    let Some(first) = errors.errors().first() else { return Ok(value) };
    // A sign may be shown, a word may be part of a secret.
    let signs = |part: &str| part.chars().all(|c| c.is_ascii_punctuation());
    let parts = first.message.split('"').enumerate();
    let why: Vec<&str> =
        parts.map(|(index, part)| if index % 2 == 0 || signs(part) { part } else { "..." }).collect();
    let why = why.join("\"");
    let place = first.position.as_ref().map(|at| format!("line {}, character {}: ", at.line, at.column));
    Err(format!("{}{why}", place.unwrap_or_default()))
}

/// The variables of a `vars:` map of the inventory, each with its place.
pub(super) fn written(node: &Node, findings: &mut Findings) -> WrittenVars {
    let mut written = WrittenVars::default();
    for entry in map(node, "a map of variables", "variable", findings) {
        if let Err(message) = check_variable_name(&entry.key.text) {
            findings.error(&entry.key.position, message);
        }
        let value = value(&entry.value, Braces::Template, findings);
        written.insert(entry.key.text.to_string(), value, entry.key.position.clone());
    }
    written
}

/// The variables of a `vars:` map.
pub(super) fn vars(node: &Node, braces: Braces, findings: &mut Findings) -> Vars {
    let mut vars = Vars::new();
    for entry in map(node, "a map of variables", "variable", findings) {
        if let Err(message) = check_variable_name(&entry.key.text) {
            findings.error(&entry.key.position, message);
        }
        vars.insert(entry.key.text.to_string(), value(&entry.value, braces, findings));
    }
    vars
}

/// A value of any type.
pub(super) fn value(node: &Node, braces: Braces, findings: &mut Findings) -> Value {
    match node {
        Node::Scalar(scalar) => {
            if braces == Braces::Template && has_template(&scalar.text) {
                templates::checked(scalar, Syntax::Text, findings);
            }
            resolve(scalar)
        }
        Node::List(list) => list.items.iter().map(|item| value(item, braces, findings)).collect(),
        Node::Map(_) => map(node, "a map", "key", findings)
            .iter()
            .map(|entry| (entry.key.text.to_string(), value(&entry.value, braces, findings)))
            .collect(),
        Node::Broken(_) => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn load(text: &str) -> Result<Vars, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.yaml");
        std::fs::write(&path, text).unwrap();
        load_vars_file(&path)
            .map(|loaded| loaded.value)
            .map_err(|errors| errors.to_string().replace(&folder.path().display().to_string(), "DIR"))
    }

    #[test]
    fn a_file_of_variables_is_a_map() {
        let vars = load("version: 1.10\nreplicas: 3\nflags: {fast: true, tags: [a, 2]}\nraw: '{{ x }}'\n");
        let expected = json!({"version": "1.10", "replicas": 3, "flags": {"fast": true, "tags": ["a", 2]}, "raw": "{{ x }}"});
        assert_eq!(Value::Object(vars.unwrap()), expected);
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(load("# nothing\n").unwrap_err(), "error: DIR/v.yaml: no variables defined");
        assert_eq!(
            load("- a\n").unwrap_err(),
            "DIR/v.yaml:1:1: error: expected a map of variables, found a list"
        );
        assert_eq!(
            load("a: {b: 1, b: 2}\na: 3\n").unwrap_err(),
            "DIR/v.yaml:1:11: error: duplicate key \"b\" (first at 1:5)\n\
             DIR/v.yaml:2:1: error: duplicate variable \"a\" (first at 1:1)"
        );
    }
}
