//! Actions that stand for other steps: blocks, calls of other tasks; and those that need no value.

use indexmap::IndexMap;

use crate::config::fields::{expected, literal, map, quote};
use crate::config::findings::Findings;
use crate::config::scalar;
use crate::config::steps::files::Fields;
use crate::config::steps::steps;
use crate::config::templates::value;
use crate::config::yaml::Node;
use crate::model::name::{check_task_name, check_variable_name};
use crate::model::position::Located;
use crate::model::task::{Action, Block, Include, Step, Template};

/// An action that takes no value: `barrier: true`, or nothing after the colon.
pub(super) fn flagged(node: &Node, name: &str, action: Action, findings: &mut Findings) -> Option<Action> {
    let right = match node {
        Node::Scalar(text) => text.is_null() || scalar::boolean(&text.text) == Some(true),
        Node::List(_) | Node::Map(_) | Node::Broken(_) => false,
    };
    if !right {
        let message = format!("\"{name}\" takes no value");
        findings.error_help(node.position(), message, format!("write \"{name}: true\""));
        return None;
    }
    Some(action)
}

/// Steps with their `rescue` and `always`.
pub(super) fn block(fields: &Fields<'_>, findings: &mut Findings) -> Option<Action> {
    let node = &fields.action.value;
    let own = steps(node, "the block", findings);
    if own.is_empty() && (node.is_null() || matches!(node, Node::List(_))) {
        findings.error(node.position(), "the block has no steps");
        return None;
    }
    let of = |key: &str, findings: &mut Findings| -> Vec<Step> {
        let node = fields.node(key);
        node.map(|node| steps(node, &format!("\"{key}\""), findings)).unwrap_or_default()
    };
    let (rescue, always) = (of("rescue", findings), of("always", findings));
    Some(Action::Block(Block { steps: own, rescue, always }))
}

/// `task: NAME` with the arguments in `with`.
pub(super) fn include(fields: &Fields<'_>, findings: &mut Findings) -> Option<Action> {
    let name = literal(&fields.action.value, "task", findings)?;
    if let Err(message) = check_task_name(&name.text) {
        findings.error(&name.position, message);
        return None;
    }
    let args = fields.node("with").map(|node| arguments(node, findings)).unwrap_or_default();
    let task = Located::new(name.text.to_string(), name.start.clone());
    Some(Action::Task(Include { task, args }))
}

fn arguments(node: &Node, findings: &mut Findings) -> IndexMap<String, Template> {
    let mut args = IndexMap::new();
    if let Node::List(_) = node {
        let help = "write \"with: {name: value}\"".to_owned();
        expected(node, "a map of arguments", Some(help), findings);
        return args;
    }
    for entry in map(node, "a map of arguments", "argument", findings) {
        if let Err(message) = check_variable_name(&entry.key.text) {
            findings.error(&entry.key.position, format!("argument {}: {message}", quote(&entry.key.text)));
        }
        args.insert(entry.key.text.to_string(), value(&entry.value, findings));
    }
    args
}
