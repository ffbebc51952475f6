//! `include` of a tasks file: which other files belong to it, and under which name.

use std::sync::Arc;

use crate::config::fields::{Schema, expected, map, text};
use crate::config::findings::Findings;
use crate::config::tables::tasks as tables;
use crate::config::yaml::Node;
use crate::model::name::check_task_name;
use crate::model::position::Position;

pub(super) const INCLUDE: Schema =
    Schema { known: &[tables::INCLUDE], synonyms: &[("path", "file"), ("prefix", "as"), ("name", "as")] };

/// Files that belong to a tasks file.
#[derive(Debug)]
pub(super) struct IncludedFiles {
    /// A path, or a pattern for several; from the folder of the file that names it.
    pub(super) pattern: Arc<str>,
    /// What stands before the names of their tasks: `db` makes `db.backup` of `backup`.
    pub(super) prefix: Option<Arc<str>>,
    /// Where it stands.
    pub(super) position: Position,
}

/// Reads the key: a path, or a list of paths and of maps with `file` and `as`.
pub(super) fn included(node: &Node, findings: &mut Findings) -> Vec<IncludedFiles> {
    match node {
        Node::List(list) => list.items.iter().filter_map(|item| one(item, findings)).collect(),
        single => one(single, findings).into_iter().collect(),
    }
}

fn one(node: &Node, findings: &mut Findings) -> Option<IncludedFiles> {
    let (mut file, mut prefix) = (None, None);
    match node {
        Node::Scalar(_) => file = text(node, "include", findings),
        Node::Map(_) => {
            for entry in map(node, "a file to include", "key", findings) {
                match &*entry.key.text {
                    "file" => file = text(&entry.value, "file", findings),
                    "as" => {
                        prefix = text(&entry.value, "as", findings);
                        if let Some(scalar) = prefix
                            && let Err(message) = check_task_name(&scalar.text)
                        {
                            findings.error(&scalar.start, message);
                        }
                    }
                    _ => INCLUDE.refuse(&entry.key, findings),
                }
            }
            if file.is_none() && !findings.any() {
                expected(node, "\"file\": the file to include", None, findings);
            }
        }
        Node::List(_) => {
            let help = "write one file per line: \"- db.yaml\", \"- {file: db.yaml, as: db}\"";
            expected(node, "a file to include", Some(help.to_owned()), findings);
        }
        Node::Broken(_) => {}
    }
    file.map(|file| IncludedFiles {
        pattern: Arc::clone(&file.text),
        prefix: prefix.map(|prefix| Arc::clone(&prefix.text)),
        position: file.start.clone(),
    })
}
