//! Templates in a tasks file: checked when the file is read, and errors placed where they stand in the file.

use std::sync::Arc;

use crate::config::fields::{has_template, map, text};
use crate::config::findings::Findings;
use crate::config::scalar::resolve;
use crate::config::yaml::{Node, Scalar};
use crate::model::position::{Diagnostic, Located};
use crate::model::task::{Template, TemplateText};
use crate::model::template::{self, Syntax, TemplateError};
use crate::model::value::Value;

/// Reads a field that is a template; a mistake in it is noted and the text comes back all the same.
pub(super) fn template(
    node: &Node,
    field: &str,
    syntax: Syntax,
    findings: &mut Findings,
) -> Option<TemplateText> {
    text(node, field, findings).map(|scalar| checked(scalar, syntax, findings))
}

/// Checks a text as a template.
pub(super) fn checked(scalar: &Scalar, syntax: Syntax, findings: &mut Findings) -> TemplateText {
    match template::check(&scalar.text, syntax) {
        Err(error) => findings.push(place(scalar, error)),
        Ok(_) if syntax == Syntax::Shell => {
            for doubt in template::doubtful(&scalar.text) {
                findings.warn(place(scalar, doubt));
            }
        }
        Ok(_) => {}
    }
    Located::new(Arc::clone(&scalar.text), scalar.start.clone())
}

/// Reads a value of any type that may hold templates at its leaves.
pub(super) fn value(node: &Node, findings: &mut Findings) -> Template {
    match node {
        Node::Scalar(scalar) => match resolve(scalar) {
            // A text without braces is kept as it is: rendering would not change it.
            Value::String(text) if has_template(&text) => {
                Template::Text(checked(scalar, Syntax::Text, findings))
            }
            literal => Template::Literal(literal),
        },
        Node::List(list) => Template::List(list.items.iter().map(|item| value(item, findings)).collect()),
        Node::Map(_) => Template::Map(
            map(node, "a map", "key", findings)
                .iter()
                .map(|entry| (entry.key.text.to_string(), value(&entry.value, findings)))
                .collect(),
        ),
        Node::Broken(_) => Template::Literal(Value::Null),
    }
}

fn place(scalar: &Scalar, error: TemplateError) -> Diagnostic {
    let at = scalar.place(error.line, error.column);
    Diagnostic { help: error.help, ..Diagnostic::at(&at, error.message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::compose::compose;

    /// Where the file has what the text of its only value has at `line` and `column`.
    fn at(file: &str, line: u32, column: Option<u32>) -> (u32, u32) {
        let mut findings = Findings::default();
        let Some(Node::Map(map)) = compose(&Arc::from("f"), file, &mut findings) else {
            panic!("{file:?} is no map: {}", findings.take_errors());
        };
        let Some(Node::Scalar(scalar)) = map.entries.first().map(|entry| &entry.value) else {
            panic!("{file:?} has no text");
        };
        let error = TemplateError { line, column, message: "wrong".into(), help: None };
        let position = place(scalar, error).position.unwrap();
        (position.line, position.column)
    }

    #[test]
    fn a_place_in_a_text_is_found_in_the_file() {
        for (file, place, expected) in [
            ("a: echo {{ b }}\n", (1, Some(9)), (1, 12)),
            ("a: \"echo {{ b }}\"\n", (1, Some(9)), (1, 13)),
            ("a: 'ä {{ b }}'\n", (1, Some(6)), (1, 10)),
            ("a: |\n  one\n  two {{ b }}\n", (2, Some(8)), (3, 10)),
            ("a: |\n\n  one\n   two\n", (3, Some(2)), (4, 4)),
            ("a: |2\n    one\n  two\n", (2, Some(1)), (3, 3)),
            ("a: |\r\n  one\r\n  two {{ b }}\r\n", (2, Some(8)), (3, 10)),
            ("a: |\n  one\n  two\n", (2, None), (3, 3)),
            // Folded or escaped: the text's start is as near as it gets.
            ("a: >\n  one\n  two {{ b }}\n", (1, Some(9)), (2, 3)),
            ("a: \"\\t{{ b }}\"\n", (1, Some(6)), (1, 5)),
            ("a: one\n  two {{ b }}\n", (1, Some(9)), (1, 4)),
        ] {
            assert_eq!(at(file, place.0, place.1), expected, "{file:?}");
        }
    }
}
