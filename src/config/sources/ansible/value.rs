//! Values of Ansible's YAML files: typed as YAML 1.1, duplicate keys as Python has them (the last one holds).

use crate::config::findings::Findings;
use crate::config::sources::ansible::vault::Vault;
use crate::config::sources::ansible::yaml11;
use crate::config::yaml::{Map, Node, Scalar, YamlStyle, YamlTag};
use crate::model::value::{Value, Vars};
use crate::model::written::WrittenVars;

/// The value of a node.
pub(super) fn value(node: &Node, vault: &Vault, findings: &mut Findings) -> Value {
    match node {
        Node::Scalar(scalar) => text(scalar, vault, findings),
        Node::List(list) => list.items.iter().map(|item| value(item, vault, findings)).collect(),
        Node::Map(map) => {
            let mut values = Vars::new();
            for (key, node) in entries(map) {
                values.insert(key.text.to_string(), value(node, vault, findings));
            }
            Value::Object(values)
        }
        Node::Broken(_) => Value::Null,
    }
}

fn text(scalar: &Scalar, vault: &Vault, findings: &mut Findings) -> Value {
    match (scalar.tag, scalar.style) {
        (YamlTag::Vault, _) => match vault.open(&scalar.text) {
            Ok(plain) => Value::from(plain),
            Err(problem) => {
                findings.push(problem.at(&scalar.position));
                Value::Null
            }
        },
        // A text that is no template stays one where braces are looked for.
        (YamlTag::Unsafe, _) => Value::from(as_literal(&scalar.text)),
        (YamlTag::Plain, YamlStyle::Text) => Value::from(&*scalar.text),
        (YamlTag::Plain, YamlStyle::Plain) => yaml11::plain(&scalar.text),
    }
}

/// A text whose braces mean themselves when it is read as a template.
pub(super) fn as_literal(text: &str) -> String {
    if text.contains("{{") || text.contains("{%") || text.contains("{#") {
        let inner = text.replace('\\', "\\\\").replace('\'', "\\'");
        return format!("{{{{ '{inner}' }}}}");
    }
    text.to_owned()
}

/// Keys and values; of a key that came twice, the last value.
pub(super) fn entries(map: &Map) -> impl Iterator<Item = (&Scalar, &Node)> {
    map.entries.iter().map(|entry| {
        let last = map.duplicates.iter().rev().find(|again| again.key.text == entry.key.text);
        last.map_or((&entry.key, &entry.value), |again| (&again.key, &again.value))
    })
}

/// The variables of a map.
pub(super) fn vars(map: &Map, vault: &Vault, findings: &mut Findings) -> WrittenVars {
    let mut vars = WrittenVars::default();
    for (key, node) in entries(map) {
        vars.insert(key.text.to_string(), value(node, vault, findings), key.position.clone());
    }
    vars
}
