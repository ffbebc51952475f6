//! The lock of a task: `lock: NAME`, or `lock: {name: NAME, on: HOST}`.

use crate::config::fields::{Schema, expected, has_template, literal, map};
use crate::config::findings::Findings;
use crate::config::tables::tasks;
use crate::config::templates::template;
use crate::config::yaml::Node;
use crate::model::name::{check_host_name, check_lock_name};
use crate::model::position::Located;
use crate::model::task::{Lock, TemplateText};
use crate::model::template::Syntax;

pub(super) const LOCK: Schema =
    Schema { known: &[tasks::LOCK], synonyms: &[("host", "on"), ("lock", "name")] };

/// Reads a lock.
pub(super) fn lock(node: &Node, findings: &mut Findings) -> Option<Lock> {
    match node {
        Node::Scalar(_) => Some(Lock { name: name(node, "lock", findings)?, on: None }),
        Node::Map(at) => {
            let (mut named, mut on, mut is_named) = (None, None, false);
            for entry in map(node, "a lock", "field", findings) {
                match &*entry.key.text {
                    "name" => {
                        is_named = true;
                        named = name(&entry.value, "name", findings);
                    }
                    "on" => on = Some(host(&entry.value, findings)?),
                    _ => LOCK.refuse(&entry.key, findings),
                }
            }
            if !is_named {
                findings.error_help(&at.position, "\"lock\" has no name", "write \"name: NAME\"");
            }
            Some(Lock { name: named?, on })
        }
        Node::List(_) | Node::Broken(_) => {
            let help = "write \"lock: NAME\", or \"lock: {name: NAME, on: HOST}\"".to_owned();
            expected(node, "the name of a lock", Some(help), findings);
            None
        }
    }
}

/// A name with templates is checked once they are filled in.
fn name(node: &Node, field: &str, findings: &mut Findings) -> Option<TemplateText> {
    let name = template(node, field, Syntax::Text, findings)?;
    if !has_template(&name.value)
        && let Err(message) = check_lock_name(&name.value)
    {
        findings.error(&name.position, message);
        return None;
    }
    Some(name)
}

fn host(node: &Node, findings: &mut Findings) -> Option<Located<String>> {
    let scalar = literal(node, "on", findings)?;
    if let Err(message) = check_host_name(&scalar.text) {
        findings.error_help(&scalar.position, message, "\"on\" names one host of the inventory");
        return None;
    }
    Some(Located::new(scalar.text.to_string(), scalar.position.clone()))
}
