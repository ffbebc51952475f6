//! Patterns of Ansible's, as a target expression: `web:&prod:!web3` is `@web&@prod!web3`. For hints only.

use crate::model::name::check_address;

/// The expression that a pattern of Ansible's stands for; nothing when it is none, or holds what has no counterpart.
pub(super) fn translated(pattern: &str, is_role: impl Fn(&str) -> bool) -> Option<String> {
    // A user, a password, a regular expression.
    if pattern.contains(['@', '~', ',', ' ']) {
        return None;
    }
    let mut depth = 0_i32;
    let parts: Vec<&str> = pattern
        .split(|c| {
            depth += i32::from(matches!(c, '[' | '{')) - i32::from(matches!(c, ']' | '}'));
            c == ':' && depth == 0
        })
        .collect();
    let is_number = |part: &&str| part.chars().all(|c| c.is_ascii_digit());
    if parts.len() < 2 || parts.iter().any(is_number) {
        return None;
    }
    let name = |name: &str| {
        let plain: String = name.chars().filter(|c| !matches!(c, '*' | '?' | '[' | ']' | ':')).collect();
        let is_name = !name.is_empty() && (plain.is_empty() || check_address(&plain).is_ok());
        is_name.then(|| if is_role(name) { format!("@{name}") } else { name.to_owned() })
    };
    let (mut any, mut narrowed) = (Vec::new(), String::new());
    for part in parts {
        match (part.strip_prefix('!'), part.strip_prefix('&')) {
            (Some(without), _) => narrowed += &format!("!{}", name(without)?),
            (_, Some(with)) => narrowed += &format!("&{}", name(with)?),
            (None, None) => any.push(name(part)?),
        }
    }
    let each: Vec<String> = any.iter().map(|one| format!("{one}{narrowed}")).collect();
    (!each.is_empty()).then(|| each.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unions_are_narrowed_as_a_whole() {
        for (pattern, expected) in [
            ("web:!web03", Some("@web!web03")),
            ("web:&prod", Some("@web&@prod")),
            ("web:db", Some("@web,@db")),
            ("web:db:&prod:!db2", Some("@web&@prod!db2,@db&@prod!db2")),
            ("all:!web[01:03]", Some("all!web[01:03]")),
            ("web*:!web03", Some("web*!web03")),
            ("web1:22", None),
            ("web1:70000", None),
            ("root:secret@web1", None),
            ("::1:22", None),
            ("web", None),
            ("web:", None),
            ("!web:&db", None),
            ("~web.*:db", None),
        ] {
            let is_role = |name: &str| ["web", "db", "prod"].contains(&name);
            assert_eq!(translated(pattern, is_role).as_deref(), expected, "{pattern}");
        }
    }
}
