//! Types of plain YAML texts as PyYAML has them (YAML 1.1): `yes` is true, `0644` is octal, `1:30` is ninety.

use crate::model::value::Value;

/// The value of a text without quotes.
pub(super) fn plain(text: &str) -> Value {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    if let Some(flag) = boolean(text) {
        return Value::Bool(flag);
    }
    integer(text).or_else(|| real(text)).unwrap_or_else(|| Value::from(text))
}

/// Whether it is one of YAML 1.1's words for true and false.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = signed(text);
    let first = digits.chars().next().filter(char::is_ascii_digit)?;
    let plain = digits.replace('_', "");
    let number = if let Some(binary) = plain.strip_prefix("0b") {
        u64::from_str_radix(binary, 2).ok()?
    } else if let Some(hexadecimal) = plain.strip_prefix("0x") {
        u64::from_str_radix(hexadecimal, 16).ok()?
    } else if plain.contains(':') {
        sexagesimal(&plain, first)?
    } else if first == '0' && plain.len() > 1 {
        u64::from_str_radix(&plain, 8).ok()?
    } else {
        plain.parse().ok()?
    };
    let wide = if negative { -i128::from(number) } else { i128::from(number) };
    i64::try_from(wide).map(Value::from).or_else(|_| u64::try_from(wide).map(Value::from)).ok()
}

/// `1:30`, `23:59:59`; the parts behind the first are below 60.
fn sexagesimal(text: &str, first: char) -> Option<u64> {
    let mut parts = text.split(':');
    let head = parts.next()?;
    if first == '0' || !head.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut number: u64 = head.parse().ok()?;
    for part in parts {
        let digits = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let part: u64 = part.parse().ok().filter(|part| digits && *part < 60)?;
        number = number.checked_mul(60)?.checked_add(part)?;
    }
    Some(number)
}

fn real(text: &str) -> Option<Value> {
    let (negative, digits) = signed(text);
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let digit = |c: char| c.is_ascii_digit() || c == '_';
    let good = whole.chars().all(digit) && fraction.chars().all(digit) && !whole.starts_with('_');
    // PyYAML wants a sign in an exponent, and a digit in front of or behind the point.
    let signed = |exponent: &str| {
        exponent
            .strip_prefix(['-', '+'])
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit()))
    };
    if !good || (whole.is_empty() && fraction.is_empty()) || exponent.is_some_and(|it| !signed(it)) {
        return None;
    }
    let number: f64 = digits.replace('_', "").parse().ok()?;
    let number = if negative { -number } else { number };
    number.is_finite().then(|| Value::from(number))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_those_of_pyyaml() {
        for (text, expected) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("y", json!("y")),
            ("1", json!(1)),
            ("-1", json!(-1)),
            ("1_000", json!(1000)),
            ("0644", json!(420)),
            ("0o17", json!("0o17")),
            ("0x1F", json!(31)),
            ("0b11", json!(3)),
            ("08", json!("08")),
            ("1:30", json!(90)),
            ("1:61", json!("1:61")),
            ("02:42", json!("02:42")),
            ("1.10", json!(1.1)),
            ("1.", json!(1.0)),
            (".5", json!(0.5)),
            ("1e3", json!("1e3")),
            ("1.0e+3", json!(1000.0)),
            ("1.2.3", json!("1.2.3")),
            ("10.0.0.1", json!("10.0.0.1")),
            ("2024-01-01", json!("2024-01-01")),
            (".inf", json!(".inf")),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
    }
}
