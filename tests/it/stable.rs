//! Text without what differs from run to run: times, ports, fingerprints, names of runs.

use std::net::SocketAddr;

/// Replaces known texts, then fingerprints, loopback ports and durations.
pub fn stable(text: &str, hidden: &[(String, String)]) -> String {
    let mut text = text.to_owned();
    for (what, name) in hidden {
        text = text.replace(what, name);
    }
    let text = without_bracketed_ports(&without_fingerprints(&text));
    let mut stable = String::new();
    let mut rest = text.as_str();
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let mut token =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".:µ".contains(c))).unwrap_or(rest.len());
        // What follows a bracket is a colour: `[0m`.
        if token == 0 || before.is_ascii_alphanumeric() || before == '[' {
            stable.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let mut shown = stable_token(&rest[..token]);
            if rest[..token].bytes().all(|byte| byte.is_ascii_digit()) && rest[token..].starts_with(" ms") {
                token += " ms".len();
                shown = "<time>".to_owned();
            }
            // A time is set at the end of its line, so the gap before it depends on its length.
            if shown == "<time>" && stable.ends_with("  ") {
                stable.truncate(stable.trim_end_matches(' ').len());
                stable.push_str("  ");
            }
            stable.push_str(&shown);
            rest = &rest[token..];
        }
        before = first;
        if token > 0 {
            before = ' ';
        }
    }
    // A host that took less than a millisecond has no time in the recap's table.
    let rows = stable.split('\n').map(|line| match line.starts_with("  ") {
        true => line.strip_suffix("  <time>").unwrap_or(line),
        false => line,
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// `[127.0.0.1]:2222`, as known_hosts writes it.
fn without_bracketed_ports(text: &str) -> String {
    let mut parts = text.split("[127.0.0.1]:");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str("[127.0.0.1]:<port>");
        shown.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    shown
}

fn without_fingerprints(text: &str) -> String {
    let mut parts = text.split("SHA256:");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/');
        // A test may have hidden it by name.
        shown.push_str(if part.starts_with('<') { "SHA256:" } else { "SHA256:<fingerprint>" });
        shown.push_str(rest);
    }
    shown
}

fn stable_token(token: &str) -> String {
    let bare = token.trim_end_matches(['.', ':']);
    let tail = &token[bare.len()..];
    if let Ok(address) = bare.parse::<SocketAddr>()
        && address.ip().is_loopback()
    {
        return format!("{}:<port>{tail}", address.ip());
    }
    let is_run =
        bare.len() == 26 && bare.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    match (is_duration(bare), is_run) {
        (true, _) => format!("<time>{tail}"),
        (false, true) => format!("<run>{tail}"),
        (false, false) => token.to_owned(),
    }
}

/// `12ms`, `1.5s`, `1m30s`: numbers, each with a unit.
fn is_duration(token: &str) -> bool {
    let mut rest = token;
    while !rest.is_empty() {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let unit = ["ms", "µs", "us", "ns", "h", "m", "s"].iter().find_map(|unit| number.strip_prefix(unit));
        match unit {
            Some(left) if number.len() < rest.len() => rest = left,
            _ => return false,
        }
    }
    !token.is_empty()
}

#[test]
fn unstable_parts_are_filtered_and_the_rest_is_kept() {
    let hidden = [("/tmp/fan-test-Xy".to_owned(), "<work>".to_owned())];
    let cases = [
        ("web1 ok in 1.2s, db1 in 345ms.", "web1 ok in <time>, db1 in <time>."),
        ("(1m30s)", "(<time>)"),
        ("connect 127.0.0.1:40123: refused", "connect 127.0.0.1:<port>: refused"),
        ("/tmp/fan-test-Xy/tasks.yaml:3:5", "<work>/tasks.yaml:3:5"),
        ("h1 exit 255, 3 hosts, web2s, 10.0.0.1:22", "h1 exit 255, 3 hosts, web2s, 10.0.0.1:22"),
        ("…é 5", "…é 5"),
        ("  web1  ok  0.1s\nweb1  0.1s", "  web1  ok\nweb1  <time>"),
        ("connect 12 ms, 5 files \x1b[0m", "connect <time>, 5 files \x1b[0m"),
        ("run 01M7WDQFN51RKZJAVG54HSYP92.", "run <run>."),
        ("ED25519 SHA256:ab+/9, 1 ok       12.5s", "ED25519 SHA256:<fingerprint>, 1 ok  <time>"),
    ];
    for (text, expected) in cases {
        assert_eq!(stable(text, &hidden), expected);
    }
}
