//! The two sides of a comparison that is false, for messages: a number beside the text that looks like it.

use crate::model::template::scope::Scope;
use crate::model::template::templates::Templates;
use crate::model::value::{Value, type_name};

/// Longer texts are not shown: part of one might be part of a secret.
const LONGEST: usize = 120;

impl Templates {
    /// The comparisons of an expression that are false, each with what both sides are; only their types without `values`.
    /// Those of a chain of `and` are looked at one by one.
    pub fn sides(&self, expression: &str, scope: &Scope, values: bool) -> Vec<String> {
        let told = |part: &str| {
            let sides = comparison(part)?;
            if self.eval_bool(part, scope).ok()? {
                return None;
            }
            let [left, right] = sides
                .map(|side| self.eval_value(side, scope).ok().map(|value| described(side, &value, values)));
            Some(format!("{}, {}", left?, right?))
        };
        split(expression, &["and"]).into_iter().filter_map(|(part, _)| told(part)).collect()
    }
}

/// What one side is. A literal says its value itself.
fn described(side: &str, value: &Value, values: bool) -> String {
    let kind = type_name(value);
    let text = value.to_string();
    let literal = side.starts_with(['"', '\'']) || text == side;
    match value {
        Value::Null if side == "none" => "none is null".to_owned(),
        Value::String(long) if text.len() > LONGEST => {
            format!("{side} is {kind} of {} characters", long.chars().count())
        }
        Value::Array(_) | Value::Object(_) if text.len() > LONGEST => format!("{side} is {kind}"),
        Value::Null => format!("{side} is null"),
        _ if literal || !values => format!("{side} is {kind}"),
        _ => format!("{side} is the {} {text}", kind.trim_start_matches("a ")),
    }
}

/// The sides of an expression that is one comparison.
fn comparison(expression: &str) -> Option<[&str; 2]> {
    const COMPARISONS: [&str; 8] = ["not in", "in", "==", "!=", "<=", ">=", "<", ">"];
    let whole = expression.trim();
    let negated = whole.strip_prefix("not").is_some_and(|rest| rest.starts_with([' ', '(']));
    if negated || split(whole, &["and", "or", "if"]).len() > 1 {
        return None;
    }
    let parts = split(whole, &COMPARISONS);
    let [(left, Some(_)), (right, None)] = parts.as_slice() else { return None };
    Some([left.trim(), right.trim()])
}

/// Cuts an expression at these operators where they stand outside of brackets and strings; each part with the operator
/// behind it.
fn split<'t>(text: &'t str, operators: &[&'static str]) -> Vec<(&'t str, Option<&'static str>)> {
    let (mut parts, mut begin, mut depth, mut quote) = (Vec::new(), 0, 0_usize, None);
    let mut skip = 0;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        if at < skip {
            before = c;
            continue;
        }
        match (quote, c) {
            (Some(_), '\\') => skip = at + rest.chars().take(2).map(char::len_utf8).sum::<usize>(),
            (Some(open), _) => quote = (c != open).then_some(open),
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, _) if depth == 0 => {
                let found = operators.iter().find(|operator| stands(rest, operator, before));
                if let Some(operator) = found {
                    parts.push((text.get(begin..at).unwrap_or_default(), Some(*operator)));
                    begin = at + operator.len();
                    skip = begin;
                }
            }
            (None, _) => {}
        }
        before = c;
    }
    parts.push((text.get(begin..).unwrap_or_default(), None));
    parts
}

/// Whether a text begins with an operator: a word is no part of a longer one.
fn stands(rest: &str, operator: &str, before: char) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let Some(after) = rest.strip_prefix(operator) else { return false };
    let word = operator.starts_with(|c: char| c.is_alphabetic());
    !word || (!part(before) && !after.starts_with(part))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::template::builtins::Builtins;
    use crate::model::template::scope::Layer;
    use crate::model::value::Vars;

    fn sides(expression: &str, values: bool) -> Vec<String> {
        let vars =
            json!({"version": 9, "name": "web", "list": ["a"], "long": "x".repeat(200), "empty": null});
        let vars: Vars = vars.as_object().unwrap().clone();
        let templates = Templates::new(&Builtins::default());
        templates.sides(expression, &Scope::new().with(Layer::new(&vars)), values)
    }

    #[test]
    fn both_sides_are_shown_with_their_types() {
        for (expression, expected) in [
            ("version == \"9\"", "version is the number 9, \"9\" is a string"),
            (" version  !=  9 ", "version is the number 9, 9 is a number"),
            ("version in [1, 2]", "version is the number 9, [1, 2] is the list [1,2]"),
            ("'w' not in name", "'w' is a string, name is the string \"web\""),
            ("name | length > 7", "name | length is the number 3, 7 is a number"),
            ("(name == 'x') == true", "(name == 'x') is the boolean false, true is a boolean"),
            ("name == 'a and b'", "name is the string \"web\", 'a and b' is a string"),
            ("name == none", "name is the string \"web\", none is null"),
            ("empty == name", "empty is null, name is the string \"web\""),
            ("long == name", "long is a string of 200 characters, name is the string \"web\""),
            ("version == 9 and name == 'db'", "name is the string \"web\", 'db' is a string"),
            ("interior == 1", ""),
            ("not version == 9", ""),
            ("not (version == 9)", ""),
            ("version == 1 or name == 'x'", ""),
            ("version == nosuch", ""),
            ("false", ""),
            ("name is defined and false", ""),
        ] {
            assert_eq!(sides(expression, true).join("; "), expected, "{expression}");
        }
        assert_eq!(sides("version == '9'", false), ["version is a number, '9' is a string"]);
        assert_eq!(sides("name == long", false), ["name is a string, long is a string of 200 characters"]);
    }
}
