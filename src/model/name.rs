//! Which strings are names of hosts, addresses, users, roles, tasks and variables, and why others are not.
//!
//! The character sets are those of OpenSSH (`valid_hostname` and `valid_ruser` in ssh.c), less what a target
//! expression or a file name gives a meaning to. Refuses to look anything up.

use std::net::{IpAddr, Ipv6Addr};

use crate::model::range::{parse_ip, without_leading_zeros};

/// Longest host name: RFC 1035 section 2.3.4, as text without the final dot.
const MAX_HOST_NAME: usize = 253;

/// Longest name of anything else.
const MAX_NAME: usize = 128;

/// Words that expressions keep for themselves: MiniJinja's reserved names and its operators.
const RESERVED: [&str; 16] = [
    "true", "True", "false", "False", "none", "None", "loop", "self", "and", "or", "not", "in", "is", "if",
    "else", "null",
];

/// Says why a string cannot be the name of a host, if it cannot.
///
/// A name is an IP address or letters, digits, `-`, `_`, `.` and `+`: it may serve as the address, as part of a
/// file name and in a target expression.
pub fn check_host_name(name: &str) -> Result<(), String> {
    const WHAT: &str = "host name";
    screen(name, WHAT, MAX_HOST_NAME)?;
    if name == "all" {
        return Err("\"all\" already means every host; choose another name".to_owned());
    }
    if parse_ip(name).is_some() { Ok(()) } else { check_labels(name, WHAT) }
}

/// Says why a string cannot be dialled, if it cannot: a host name, an IPv4 address, or an IPv6 address with or
/// without a zone and without brackets.
pub fn check_address(address: &str) -> Result<(), String> {
    const WHAT: &str = "address";
    screen(address, WHAT, MAX_HOST_NAME)?;
    if let Some(inside) = address.strip_prefix('[') {
        let (inside, rest) = inside.split_once(']').unwrap_or((inside, ""));
        if matches!(parse_ip(inside), Some(IpAddr::V6(_))) {
            let port = if rest.is_empty() { "" } else { " and the port apart from it" };
            return Err(format!("brackets in address {address}; write {inside}{port}"));
        }
    }
    if let Some((host, port)) = port_lookalike(address) {
        let full = in_full(address).map(|full| format!(", or the address in full: {full}"));
        return Err(format!(
            "{address} may be {host} with port {port}; write the port apart from it{}",
            full.unwrap_or_default()
        ));
    }
    if parse_ip(address).is_some() {
        return Ok(());
    }
    if address.matches(':').count() > 1 && !address.contains('@') {
        return Err(format!("\"{address}\" is not an IPv6 address"));
    }
    check_labels(address, WHAT)
}

/// What ssh would be asked for: `[user@]place[:port]` without the user and the port, and without brackets.
pub fn place(text: &str) -> &str {
    let rest = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
    split_port(rest).0
}

/// Takes a port off: `[::1]:22`, `host:22`, `::1`.
pub fn split_port(text: &str) -> (&str, Option<&str>) {
    if let Some((address, port)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (address, port.strip_prefix(':'));
    }
    match text.rsplit_once(':') {
        Some((address, port)) if !address.contains(':') => (address, Some(port)),
        _ => (text, None),
    }
}

/// Says why a string cannot be a login name, if it cannot.
///
/// As OpenSSH, and no `:`, which separates a password that belongs elsewhere. A backslash (`DOMAIN\user`) and an
/// `@` (`user@REALM`) are fine.
pub fn check_user_name(user: &str) -> Result<(), String> {
    const WHAT: &str = "user name";
    screen(user, WHAT, MAX_NAME)?;
    if user.contains(':') {
        // The name is not shown: what follows the colon may be a password.
        return Err("\":\" in user name; a password never stands beside the name".to_owned());
    }
    if let Some(bad) = user.chars().find(|c| "'`\";&<>|(){}".contains(*c)) {
        return Err(format!("character \"{bad}\" in user name \"{user}\""));
    }
    if user.ends_with('\\') {
        return Err(format!("user name \"{user}\" ends with a backslash"));
    }
    let spaced = user.trim() != user;
    let option = user.split(char::is_whitespace).skip(1).any(|word| word.starts_with('-'));
    if spaced || option {
        return Err(format!("misplaced space in user name \"{user}\""));
    }
    Ok(())
}

/// Says why a string cannot be the name of a role, if it cannot: letters, digits, `-`, `_` and `.`.
pub fn check_role_name(name: &str) -> Result<(), String> {
    if name == "all" {
        return Err("\"all\" already means every host; choose another name".to_owned());
    }
    check_word(name, "role name")
}

/// Says why a string cannot be the name of a task, if it cannot: letters, digits, `-`, `_` and `.`.
pub fn check_task_name(name: &str) -> Result<(), String> {
    if name.chars().any(|c| c == ':') {
        return Err(format!("\":\" in task name \"{name}\"; on the command line it begins the arguments"));
    }
    check_word(name, "task name")
}

/// Says why a string cannot be the name of a lock, if it cannot: as names of tasks. It is a part of a path on a host.
pub fn check_lock_name(name: &str) -> Result<(), String> {
    check_word(name, "lock name")
}

/// Says why a string cannot be a tag of steps, if it cannot: as names of tasks.
pub fn check_tag(tag: &str) -> Result<(), String> {
    check_word(tag, "tag")
}

/// Says why a string cannot be the name of a report, if it cannot: as names of tasks, without `.`, which files have.
pub fn check_report_name(name: &str) -> Result<(), String> {
    if name.contains('.') {
        return Err(format!("\".\" in report name \"{name}\"; on the command line it would be a file"));
    }
    check_word(name, "report name")
}

/// Says why a string cannot be the name of a variable, if it cannot.
///
/// An ASCII identifier that no expression keeps for itself.
pub fn check_variable_name(name: &str) -> Result<(), String> {
    const WHAT: &str = "variable name";
    screen(name, WHAT, MAX_NAME)?;
    if RESERVED.contains(&name) {
        return Err(format!("\"{name}\" is a word of expressions and cannot name a variable"));
    }
    if name.chars().next().is_some_and(|c| c.is_ascii_digit()) {
        return Err(format!("variable name \"{name}\" starts with a digit"));
    }
    match name.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '_') {
        None => Ok(()),
        Some(bad) => {
            let better: String =
                name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            let hint = if name.is_ascii() { format!("; write {better}") } else { String::new() };
            Err(format!("character \"{bad}\" in variable name \"{name}\"{hint}"))
        }
    }
}

/// The first character that is not to be seen or that turns text around: controls, bidi marks, zero-width.
pub fn hidden_character(text: &str) -> Option<char> {
    text.chars().find(|&c| {
        c.is_control()
            || matches!(c,
                '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
    })
}

/// An IPv6 address without brackets that someone may have meant as `address:port`, taken apart.
///
/// `::1:22` is a valid address. It is taken for a slip when it is one without its last group too, and that group
/// looks like a port for SSH: 22 or four decimal digits.
pub(crate) fn port_lookalike(address: &str) -> Option<(&str, &str)> {
    let (host, port) = address.rsplit_once(':')?;
    host.parse::<Ipv6Addr>().ok()?;
    let digits = port.chars().all(|c| c.is_ascii_digit());
    let port_like = port == "22" || (port.len() == 4 && !port.starts_with('0')) || port.len() == 5;
    (digits && port_like).then_some((host, port))
}

/// An IPv6 address with all its eight groups, which no port can hide in.
fn in_full(address: &str) -> Option<String> {
    let parsed = address.parse::<Ipv6Addr>().ok()?;
    Some(parsed.segments().map(|group| format!("{group:x}")).join(":"))
}

fn screen(name: &str, what: &str, limit: usize) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("empty {what}"));
    }
    if let Some(hidden) = hidden_character(name) {
        return Err(format!("control character U+{:04X} in {what}", u32::from(hidden)));
    }
    let length = name.chars().count();
    if length > limit {
        return Err(format!("{what} of {length} characters (limit {limit})"));
    }
    if name.starts_with('-') {
        return Err(format!("{what} \"{name}\" starts with \"-\""));
    }
    Ok(())
}

fn check_word(name: &str, what: &str) -> Result<(), String> {
    screen(name, what, MAX_NAME)?;
    if name.starts_with('.') {
        return Err(format!("{what} \"{name}\" starts with \".\""));
    }
    match name.chars().find(|c| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '.')) {
        None => Ok(()),
        Some(bad) => Err(format!(
            "character \"{bad}\" in {what} \"{name}\"; use letters, digits, \"-\", \"_\" and \".\""
        )),
    }
}

/// Checks the labels of a DNS-like name that is no IP address.
fn check_labels(name: &str, what: &str) -> Result<(), String> {
    if name.chars().any(|c| !c.is_ascii() && c.is_alphanumeric()) {
        return Err(format!("{what} \"{name}\" is not ASCII; write its punycode form (xn--...)"));
    }
    if let Some(bad) =
        name.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.' | '+'))
    {
        let hint = match bad {
            '@' => "write the user apart from it",
            ':' if name.contains("://") => "write the host alone",
            ':' => "write the port apart from it",
            _ => "use letters, digits, \"-\", \"_\" and \".\"",
        };
        // The text itself may hold a password when it looks like `user:password@host`.
        let shown = if name.contains('@') { String::new() } else { format!(" \"{name}\"") };
        return Err(format!("character \"{bad}\" in {what}{shown}; {hint}"));
    }
    if name.starts_with('.') || name.contains("..") {
        return Err(format!("{what} \"{name}\" has nothing before a \".\""));
    }
    // C libraries read `10.1`, `0x7f.1` and `010.0.0.1` as addresses, each in its own way.
    let numeric = |label: &str| {
        let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
        match hex {
            Some(hex) => hex.chars().all(|c| c.is_ascii_hexdigit()),
            None => label.chars().all(|c| c.is_ascii_digit()),
        }
    };
    if !name.split('.').all(numeric) {
        return Ok(());
    }
    Err(match without_leading_zeros(name) {
        Some(plain) => {
            format!("leading zero in {what} {name}, which some programs read as octal; write {plain}")
        }
        None => format!("{what} \"{name}\" is not an IP address; write four numbers from 0 to 255"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answers(check: fn(&str) -> Result<(), String>, texts: &[&str]) -> String {
        let answers = texts.iter().map(|text| match check(text) {
            Ok(()) => format!("{text:?}  ok"),
            Err(message) => format!("{text:?}  {message}"),
        });
        answers.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn host_names() {
        for good in [
            "web1",
            "web_1",
            "db-2.example.com",
            "web1.",
            "10.0.0.1",
            "::1",
            "fd00::1:22",
            "fe80::1%eth0",
            "a+b",
            "1a",
        ] {
            assert_eq!(check_host_name(good), Ok(()), "{good}");
        }
        insta::assert_snapshot!(answers(check_host_name, &[
            "", "-oProxyCommand=id", "host;id", "$(id)", "`id`", "a b", "../x", "..", ".", "a..b", "bücher",
            "web\u{1b}[2J", "web\u{0}", "web\u{202e}1", "web\u{200b}1", "web\u{9b}1", "all", "web*", "010.0.0.1",
            "10.0.0.256", "10.0.0", "0x7f.1", "user@host", "host:22", "[::1]", "a/b", "a%b", "ｗeb", "web—1",
        ]), @r#"
        ""  empty host name
        "-oProxyCommand=id"  host name "-oProxyCommand=id" starts with "-"
        "host;id"  character ";" in host name "host;id"; use letters, digits, "-", "_" and "."
        "$(id)"  character "$" in host name "$(id)"; use letters, digits, "-", "_" and "."
        "`id`"  character "`" in host name "`id`"; use letters, digits, "-", "_" and "."
        "a b"  character " " in host name "a b"; use letters, digits, "-", "_" and "."
        "../x"  character "/" in host name "../x"; use letters, digits, "-", "_" and "."
        ".."  host name ".." has nothing before a "."
        "."  host name "." has nothing before a "."
        "a..b"  host name "a..b" has nothing before a "."
        "bücher"  host name "bücher" is not ASCII; write its punycode form (xn--...)
        "web\u{1b}[2J"  control character U+001B in host name
        "web\0"  control character U+0000 in host name
        "web\u{202e}1"  control character U+202E in host name
        "web\u{200b}1"  control character U+200B in host name
        "web\u{9b}1"  control character U+009B in host name
        "all"  "all" already means every host; choose another name
        "web*"  character "*" in host name "web*"; use letters, digits, "-", "_" and "."
        "010.0.0.1"  leading zero in host name 010.0.0.1, which some programs read as octal; write 10.0.0.1
        "10.0.0.256"  host name "10.0.0.256" is not an IP address; write four numbers from 0 to 255
        "10.0.0"  host name "10.0.0" is not an IP address; write four numbers from 0 to 255
        "0x7f.1"  host name "0x7f.1" is not an IP address; write four numbers from 0 to 255
        "user@host"  character "@" in host name; write the user apart from it
        "host:22"  character ":" in host name "host:22"; write the port apart from it
        "[::1]"  character "[" in host name "[::1]"; use letters, digits, "-", "_" and "."
        "a/b"  character "/" in host name "a/b"; use letters, digits, "-", "_" and "."
        "a%b"  character "%" in host name "a%b"; use letters, digits, "-", "_" and "."
        "ｗeb"  host name "ｗeb" is not ASCII; write its punycode form (xn--...)
        "web—1"  character "—" in host name "web—1"; use letters, digits, "-", "_" and "."
        "#);
        assert_eq!(check_host_name(&"a".repeat(254)).unwrap_err(), "host name of 254 characters (limit 253)");
    }

    #[test]
    fn addresses() {
        for good in [
            "web1.example.com",
            "10.0.0.1",
            "::1",
            "fe80::1%eth0",
            "::ffff:10.0.0.1",
            "2001:db8::5",
            "fd00::1:1",
            "2001:db8:0:0:0:0:1:22",
        ] {
            assert_eq!(check_address(good), Ok(()), "{good}");
        }
        insta::assert_snapshot!(answers(check_address, &[
            "", "::1:22", "2001:db8::1:2222", "::1:22022", "[::1]", "[::1]:22", "010.0.0.1", "10.0.0", "10.0.0.1:22",
            "host:22", "root@host", "root:hunter2@host", "ssh://host", "bücher.example", "-x", "1", "fe80::1%", "host\n",
        ]), @r#"
        ""  empty address
        "::1:22"  ::1:22 may be ::1 with port 22; write the port apart from it, or the address in full: 0:0:0:0:0:0:1:22
        "2001:db8::1:2222"  2001:db8::1:2222 may be 2001:db8::1 with port 2222; write the port apart from it, or the address in full: 2001:db8:0:0:0:0:1:2222
        "::1:22022"  ::1:22022 may be ::1 with port 22022; write the port apart from it
        "[::1]"  brackets in address [::1]; write ::1
        "[::1]:22"  brackets in address [::1]:22; write ::1 and the port apart from it
        "010.0.0.1"  leading zero in address 010.0.0.1, which some programs read as octal; write 10.0.0.1
        "10.0.0"  address "10.0.0" is not an IP address; write four numbers from 0 to 255
        "10.0.0.1:22"  character ":" in address "10.0.0.1:22"; write the port apart from it
        "host:22"  character ":" in address "host:22"; write the port apart from it
        "root@host"  character "@" in address; write the user apart from it
        "root:hunter2@host"  character ":" in address; write the port apart from it
        "ssh://host"  character ":" in address "ssh://host"; write the host alone
        "bücher.example"  address "bücher.example" is not ASCII; write its punycode form (xn--...)
        "-x"  address "-x" starts with "-"
        "1"  address "1" is not an IP address; write four numbers from 0 to 255
        "fe80::1%"  "fe80::1%" is not an IPv6 address
        "host\n"  control character U+000A in address
        "#);
    }

    #[test]
    fn user_names() {
        for good in ["root", "deploy-1", "DOMAIN\\jane", "jane@CORP", "jane doe", "_svc$", "jürgen"] {
            assert_eq!(check_user_name(good), Ok(()), "{good}");
        }
        insta::assert_snapshot!(answers(check_user_name, &[
            "", "-l", "a;b", "a|b", "$(id)", "a -x", " a", "a\\", "root:hunter2", "a\u{7f}",
        ]), @r#"
        ""  empty user name
        "-l"  user name "-l" starts with "-"
        "a;b"  character ";" in user name "a;b"
        "a|b"  character "|" in user name "a|b"
        "$(id)"  character "(" in user name "$(id)"
        "a -x"  misplaced space in user name "a -x"
        " a"  misplaced space in user name " a"
        "a\\"  user name "a\" ends with a backslash
        "root:hunter2"  ":" in user name; a password never stands beside the name
        "a\u{7f}"  control character U+007F in user name
        "#);
    }

    #[test]
    fn words() {
        for good in ["web", "db-eu.west_1", "büro"] {
            assert_eq!((check_role_name(good), check_task_name(good)), (Ok(()), Ok(())), "{good}");
        }
        insta::assert_snapshot!(answers(check_role_name, &["", "all", "a b", "@web", "-a", ".a", "a,b", "a\u{2066}b"]), @r#"
        ""  empty role name
        "all"  "all" already means every host; choose another name
        "a b"  character " " in role name "a b"; use letters, digits, "-", "_" and "."
        "@web"  character "@" in role name "@web"; use letters, digits, "-", "_" and "."
        "-a"  role name "-a" starts with "-"
        ".a"  role name ".a" starts with "."
        "a,b"  character "," in role name "a,b"; use letters, digits, "-", "_" and "."
        "a\u{2066}b"  control character U+2066 in role name
        "#);
        insta::assert_snapshot!(answers(check_task_name, &["", "deploy:now", "deploy app", "-n", "a/b"]), @r#"
        ""  empty task name
        "deploy:now"  ":" in task name "deploy:now"; on the command line it begins the arguments
        "deploy app"  character " " in task name "deploy app"; use letters, digits, "-", "_" and "."
        "-n"  task name "-n" starts with "-"
        "a/b"  character "/" in task name "a/b"; use letters, digits, "-", "_" and "."
        "#);
    }

    #[test]
    fn variables() {
        for good in ["app", "_x", "env", "pg_port2"] {
            assert_eq!(check_variable_name(good), Ok(()), "{good}");
        }
        insta::assert_snapshot!(answers(check_variable_name, &["", "in", "loop", "2nd", "app-name", "a.b", "größe", "a\u{200d}b"]), @r#"
        ""  empty variable name
        "in"  "in" is a word of expressions and cannot name a variable
        "loop"  "loop" is a word of expressions and cannot name a variable
        "2nd"  variable name "2nd" starts with a digit
        "app-name"  character "-" in variable name "app-name"; write app_name
        "a.b"  character "." in variable name "a.b"; write a_b
        "größe"  character "ö" in variable name "größe"
        "a\u{200d}b"  control character U+200D in variable name
        "#);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_good_name_is_safe_in_a_shell_a_path_and_an_expression(name in r"\PC{1,12}|[a-z.:%@!$;/-]{1,8}") {
            if check_host_name(&name).is_ok() {
                prop_assert!(!name.starts_with('-') && name != "." && name != "..");
                let active = |c: char| c.is_whitespace() || "'`\"$\\;&<>|(){}[]*?!,/@".contains(c);
                prop_assert!(!name.contains(active), "{}", name);
            }
        }
    }
}
