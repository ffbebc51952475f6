//! Reading the fields of a map: shapes, known and unknown names, texts, flags, numbers and durations.
//!
//! A field is read from its literal text, whatever YAML's types would make of it. Each function notes what is
//! wrong and returns nothing then, so that reading goes on with the next field.

use std::ops::RangeInclusive;

use crate::config::findings::Findings;
use crate::config::scalar;
use crate::config::tables::shape::{ShapeKeys, names};
use crate::config::yaml::{Node, Scalar, YamlEntry};
use crate::model::duration;
use crate::model::position::Diagnostic;
use crate::model::settings::TimeLimit;
use crate::model::suggest::did_you_mean;
use crate::model::value::type_name;

/// The names that a map may have.
pub(super) struct Schema {
    /// Names that are read.
    pub(super) known: &'static [ShapeKeys],
    /// What users of other tools write, and the name that it has here.
    pub(super) synonyms: &'static [(&'static str, &'static str)],
}

impl Schema {
    /// Whether a name is read.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// Notes why a field that is not read is refused.
    pub(super) fn refuse(&self, key: &Scalar, findings: &mut Findings) {
        self.refuse_among(key, self.names(), findings);
    }

    /// The names that are read.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.known.iter().copied().flat_map(names)
    }

    /// Notes why a field that is not read is refused where only some of the known ones have a meaning.
    pub(super) fn refuse_among(
        &self,
        key: &Scalar,
        here: impl Iterator<Item = &'static str>,
        findings: &mut Findings,
    ) {
        let name = quote(&key.text);
        let synonym =
            |name: &str| self.synonyms.iter().find(|&&(other, _)| other == name).map(|&(_, here)| here);
        let others = self.synonyms.iter().map(|&(other, _)| other);
        let near = || did_you_mean(&key.text, self.names().chain(others));
        // A slip may also be one in another tool's word.
        let meant = synonym(&key.text).or_else(near).map(|near| synonym(near).unwrap_or(near));
        if let Some(meant) = meant {
            findings.error(&key.position, format!("unknown field {name}; did you mean \"{meant}\"?"));
        } else {
            let names = here.collect::<Vec<_>>().join(", ");
            findings.error_help(
                &key.position,
                format!("unknown field {name}"),
                format!("fields here: {names}"),
            );
        }
    }
}

/// A text in double quotes for a message: escaped, and cut when it is long.
pub(super) fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// What a node is, with its article.
pub(super) fn kind(node: &Node) -> &'static str {
    match node {
        Node::Scalar(scalar) => type_name(&scalar::resolve(scalar)),
        Node::List(_) => "a list",
        Node::Map(_) => "a map",
        Node::Broken(_) => "nothing usable",
    }
}

/// Notes that something of another shape was expected.
pub(super) fn expected(node: &Node, what: &str, help: Option<String>, findings: &mut Findings) {
    if matches!(node, Node::Broken(_)) {
        return;
    }
    let error = Diagnostic::at(node.position(), format!("expected {what}, found {}", kind(node)));
    findings.push(match help {
        Some(help) => error.help(help),
        None => error,
    });
}

/// The entries of a map; one that is left empty has none.
///
/// `word` names a key in the message about keys that came twice: `duplicate host "web1"`.
pub(super) fn map<'n>(node: &'n Node, what: &str, word: &str, findings: &mut Findings) -> &'n [YamlEntry] {
    match node {
        Node::Map(map) => {
            for again in &map.duplicates {
                let (line, column) = (again.first.line, again.first.column);
                findings.error(
                    &again.key.position,
                    format!("duplicate {word} {} (first at {line}:{column})", quote(&again.key.text)),
                );
            }
            &map.entries
        }
        _ if node.is_null() => &[],
        Node::Scalar(_) | Node::List(_) | Node::Broken(_) => {
            expected(node, what, None, findings);
            &[]
        }
    }
}

/// The items of a list; one that is left empty has none.
pub(super) fn list<'n>(node: &'n Node, what: &str, findings: &mut Findings) -> &'n [Node] {
    match node {
        Node::List(list) => &list.items,
        Node::Scalar(scalar) if !scalar.is_null() => {
            expected(node, what, Some(format!("write \"- {}\"", shown(&scalar.text))), findings);
            &[]
        }
        Node::Scalar(_) => &[],
        Node::Map(_) | Node::Broken(_) => {
            expected(node, what, None, findings);
            &[]
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().take_while(|c| !c.is_control()).take(40).collect()
}

/// A text that is there: not null, without NUL (which crosses no command line).
pub(super) fn text<'n>(node: &'n Node, field: &str, findings: &mut Findings) -> Option<&'n Scalar> {
    match node {
        Node::Scalar(scalar) if scalar.is_null() => {
            findings.error_help(
                &scalar.position,
                format!("\"{field}\" has no value"),
                "remove it or give it a value; empty text is \"\"",
            );
            None
        }
        Node::Scalar(scalar) if scalar.text.contains('\0') => {
            findings.error(&scalar.position, format!("\"{field}\" holds a NUL character"));
            None
        }
        Node::Scalar(scalar) => Some(scalar),
        Node::List(_) | Node::Map(_) => {
            let message = format!("\"{field}\" must be one value, not {}", kind(node));
            findings.error(node.position(), message);
            None
        }
        Node::Broken(_) => None,
    }
}

/// A list of texts.
pub(super) fn texts<'n>(node: &'n Node, field: &str, what: &str, findings: &mut Findings) -> Vec<&'n Scalar> {
    let mut texts = Vec::new();
    for item in list(node, what, findings) {
        if item.is_null() {
            findings.error_help(
                item.position(),
                format!("an item of \"{field}\" is empty"),
                "remove its \"-\"",
            );
        } else {
            texts.extend(text(item, field, findings));
        }
    }
    texts
}

/// A text that no template may be in: it is used as it stands.
pub(super) fn literal<'n>(node: &'n Node, field: &str, findings: &mut Findings) -> Option<&'n Scalar> {
    let scalar = text(node, field, findings)?;
    if has_template(&scalar.text) {
        findings.error(&scalar.position, format!("\"{field}\" cannot hold a template"));
        return None;
    }
    Some(scalar)
}

/// Whether a text holds a sign that starts a template.
pub(super) fn has_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// One of a few words.
pub(super) fn word<T: Copy>(
    node: &Node,
    field: &str,
    words: &[(&str, T)],
    findings: &mut Findings,
) -> Option<T> {
    let scalar = text(node, field, findings)?;
    let found = words.iter().find(|&&(word, _)| word == &*scalar.text).map(|&(_, value)| value);
    if found.is_none() {
        let names: Vec<&str> = words.iter().map(|&(word, _)| word).collect();
        let message = format!("\"{field}\" must be {}, got {}", joined(&names, "or"), quote(&scalar.text));
        findings.error(&scalar.position, message);
    }
    found
}

/// `a, b and c`.
pub(super) fn joined(names: &[&str], last: &str) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

/// `true` or `false`.
pub(super) fn flag(node: &Node, field: &str, findings: &mut Findings) -> Option<bool> {
    let scalar = text(node, field, findings)?;
    let value = scalar::boolean(&scalar.text);
    if value.is_none() {
        let message = format!("\"{field}\" must be true or false, got {}", quote(&scalar.text));
        findings.error(&scalar.position, message);
    }
    value
}

/// A whole number in decimal, with or without quotes around it.
pub(super) fn integer(
    node: &Node,
    field: &str,
    range: RangeInclusive<u32>,
    findings: &mut Findings,
) -> Option<u32> {
    let scalar = text(node, field, findings)?;
    let text = &*scalar.text;
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    if leading_zero && (digits || text.starts_with(['0', 'x', 'o', 'b'])) && !text.contains('.') {
        findings.error_help(
            &scalar.position,
            format!("write the {field} in decimal"),
            "without 0x, 0o and leading zeros",
        );
        return None;
    }
    let value = if digits { text.parse().ok().filter(|value| range.contains(value)) } else { None };
    if value.is_none() {
        let (low, high) = (range.start(), range.end());
        let message = format!("{field} must be {low}–{high}, got {}", shown(text));
        findings.error(&scalar.position, message);
    }
    value
}

/// A duration with a unit, or `none`.
pub(super) fn time_limit(node: &Node, field: &str, findings: &mut Findings) -> Option<TimeLimit> {
    let scalar = text(node, field, findings)?;
    duration::parse(&scalar.text).map_err(|message| findings.error(&scalar.position, message)).ok()
}
