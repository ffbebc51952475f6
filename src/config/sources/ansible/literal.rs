//! Values as Python writes them: what Ansible makes of `key=value` in an INI inventory (`ast.literal_eval`). What is no
//! literal is a text.

use crate::model::value::{Value, Vars};

/// Levels of lists and maps within each other.
const MAX_DEPTH: usize = 32;

/// The value of a text.
pub(super) fn value(text: &str) -> Value {
    let mut reader = LiteralReader { rest: text.trim_start_matches([' ', '\t']), depth: 0 };
    let found = reader.value();
    reader.blanks();
    // A comment may stand behind it.
    match found {
        Some(value) if reader.rest.is_empty() || reader.rest.starts_with('#') => value,
        _ => Value::from(text),
    }
}

struct LiteralReader<'t> {
    rest: &'t str,
    depth: usize,
}

impl<'t> LiteralReader<'t> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
    }

    fn eat(&mut self, sign: char) -> bool {
        self.blanks();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self) -> Option<Value> {
        self.blanks();
        match self.rest.chars().next()? {
            '\'' | '"' => self.texts(),
            'u' | 'U' | 'r' | 'R' if self.rest.get(1..)?.starts_with(['\'', '"']) => self.texts(),
            '[' => self.items('[', ']').map(|(items, _)| Value::Array(items)),
            '(' => {
                let (mut items, comma) = self.items('(', ')')?;
                // Brackets around one value are no tuple.
                if items.len() == 1 && !comma { items.pop() } else { Some(Value::Array(items)) }
            }
            '{' => self.map(),
            '-' | '+' | '.' | '0'..='9' => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Option<Value> {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let value = match word {
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            "None" => Value::Null,
            _ => return None,
        };
        self.rest = rest;
        Some(value)
    }

    /// One text, or several side by side, which are one.
    fn texts(&mut self) -> Option<Value> {
        let mut text = String::new();
        loop {
            text += &self.text()?;
            self.blanks();
            if !self.rest.starts_with(['\'', '"']) {
                return Some(Value::from(text));
            }
        }
    }

    fn text(&mut self) -> Option<String> {
        let raw = self.rest.starts_with(['r', 'R']);
        self.rest = self.rest.trim_start_matches(['u', 'U', 'r', 'R']);
        let sign = self.rest.chars().next()?;
        let triple: String = std::iter::repeat_n(sign, 3).collect();
        let close = if self.rest.starts_with(&triple) { triple } else { sign.to_string() };
        self.rest = self.rest.get(close.len()..)?;
        let mut text = String::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix(&close) {
                self.rest = rest;
                return Some(text);
            }
            let c = self.rest.chars().next()?;
            self.rest = self.rest.get(c.len_utf8()..)?;
            match c {
                '\\' if raw => {
                    let next = self.rest.chars().next()?;
                    self.rest = self.rest.get(next.len_utf8()..)?;
                    text.extend(['\\', next]);
                }
                '\\' => self.escape(&mut text)?,
                // A text in single quotes ends with its line.
                '\n' if close.len() == 1 => return None,
                _ => text.push(c),
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Option<()> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..)?;
        let digits = match c {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            '0'..='7' => {
                let more = self.rest.chars().take(2).take_while(|c| c.is_digit(8)).count();
                let octal: String = std::iter::once(c).chain(self.rest.chars().take(more)).collect();
                self.rest = self.rest.get(more..)?;
                text.push(char::from_u32(u32::from_str_radix(&octal, 8).ok()?)?);
                return Some(());
            }
            _ => 0,
        };
        if digits > 0 {
            let code = u32::from_str_radix(self.rest.get(..digits)?, 16).ok()?;
            self.rest = self.rest.get(digits..)?;
            text.push(char::from_u32(code)?);
            return Some(());
        }
        match c {
            '\n' => {}
            '\\' | '\'' | '"' => text.push(c),
            'a' => text.push('\u{7}'),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            'v' => text.push('\u{b}'),
            // Python keeps both.
            other => text.extend(['\\', other]),
        }
        Some(())
    }

    /// Items between two signs, and whether a comma stood behind the last.
    fn items(&mut self, open: char, close: char) -> Option<(Vec<Value>, bool)> {
        self.enter(open)?;
        let mut items = Vec::new();
        let mut comma = false;
        loop {
            if self.eat(close) {
                self.depth -= 1;
                return Some((items, comma));
            }
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.value()?);
            comma = self.eat(',');
        }
    }

    fn map(&mut self) -> Option<Value> {
        self.enter('{')?;
        let mut map = Vars::new();
        let mut comma = true;
        loop {
            if self.eat('}') {
                self.depth -= 1;
                return Some(Value::Object(map));
            }
            if !comma {
                return None;
            }
            let key = match self.value()? {
                Value::String(text) => text,
                Value::Bool(flag) => if flag { "True" } else { "False" }.to_owned(),
                Value::Null => "None".to_owned(),
                other => other.to_string(),
            };
            if !self.eat(':') {
                return None;
            }
            let value = self.value()?;
            map.insert(key, value);
            comma = self.eat(',');
        }
    }

    fn enter(&mut self, open: char) -> Option<()> {
        self.depth += 1;
        (self.depth <= MAX_DEPTH && self.eat(open)).then_some(())
    }

    fn number(&mut self) -> Option<Value> {
        let mut negative = false;
        while let Some(sign) = self.rest.chars().next().filter(|c| matches!(c, '-' | '+')) {
            negative ^= sign == '-';
            self.rest = self.rest.get(1..)?.trim_start_matches([' ', '\t']);
        }
        let end = self
            .rest
            .char_indices()
            .find(|&(at, c)| {
                let exponent = matches!(c, '-' | '+')
                    && self.rest.get(..at).is_some_and(|before| before.ends_with(['e', 'E']))
                    && !self.rest.starts_with("0x");
                !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_') || exponent)
            })
            .map_or(self.rest.len(), |(at, _)| at);
        let (digits, rest) = self.rest.split_at(end);
        let value = number(digits, negative)?;
        self.rest = rest;
        Some(value)
    }
}

/// A number without its sign, as Python reads it: no leading zeros, single `_` between digits.
fn number(text: &str, negative: bool) -> Option<Value> {
    let signed = |number: u64| {
        let wide = i128::from(number);
        let wide = if negative { -wide } else { wide };
        i64::try_from(wide).map(Value::from).or_else(|_| u64::try_from(wide).map(Value::from)).ok()
    };
    let plain = without_marks(text)?;
    let lower = plain.to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            let digits = digits.strip_prefix('_').unwrap_or(digits);
            return u64::from_str_radix(digits, radix).ok().and_then(signed);
        }
    }
    if plain.bytes().all(|byte| byte.is_ascii_digit()) {
        // `0644` is no number; `00` is one.
        let leading = plain.len() > 1 && plain.starts_with('0') && plain.bytes().any(|byte| byte != b'0');
        return if leading { None } else { plain.parse().ok().and_then(signed) };
    }
    let shape = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | '-' | '+');
    if !lower.chars().all(shape) || !lower.contains(|c: char| c.is_ascii_digit()) || lower.starts_with('e') {
        return None;
    }
    let number: f64 = lower.parse().ok()?;
    let number = if negative { -number } else { number };
    // What is too large for JSON stays a text.
    number.is_finite().then(|| Value::from(number))
}

/// A number without the `_` between its digits.
fn without_marks(text: &str) -> Option<String> {
    let marked = text.starts_with('_') || text.ends_with('_') || text.contains("__");
    let beside = |text: &str| text.contains("_.") || text.contains("._");
    (!marked && !beside(text)).then(|| text.replace('_', ""))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn literals_are_values_and_the_rest_is_text() {
        for (text, expected) in [
            ("1", json!(1)),
            ("-5", json!(-5)),
            ("+5", json!(5)),
            ("1.10", json!(1.1)),
            ("1e3", json!(1000.0)),
            ("1_000", json!(1000)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("0644", json!("0644")),
            ("00", json!(0)),
            ("10.0.0.1", json!("10.0.0.1")),
            ("2024-01-01", json!("2024-01-01")),
            ("True", json!(true)),
            ("true", json!("true")),
            ("yes", json!("yes")),
            ("None", json!(null)),
            ("null", json!("null")),
            ("", json!("")),
            ("'a b'", json!("a b")),
            ("\"a\\nb\"", json!("a\nb")),
            ("'a' 'b'", json!("ab")),
            ("'open", json!("'open")),
            ("[1, 'a', [True]]", json!([1, "a", [true]])),
            ("[1,]", json!([1])),
            ("[,]", json!("[,]")),
            ("(1)", json!(1)),
            ("(1,)", json!([1])),
            ("{'a': 1, 2: None}", json!({"a": 1, "2": null})),
            ("{'a' 1}", json!("{'a' 1}")),
            ("1 2", json!("1 2")),
            ("1 # one", json!(1)),
            ("1-2", json!("1-2")),
            ("a b", json!("a b")),
            ("18446744073709551616", json!("18446744073709551616")),
            ("1e999", json!("1e999")),
            ("{{ x }}", json!("{{ x }}")),
            ("'\\u00e4\\x41'", json!("äA")),
            ("r'a\\n'", json!("a\\n")),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(value(&deep), json!(deep));
    }
}
