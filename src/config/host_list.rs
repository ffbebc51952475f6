//! Plain files of hosts, as pssh and clush have them: a line each, `[user@]host[:port]` or `host user`, with ranges and
//! comments. What a host's text means is the target expressions' business.

use std::path::Path;
use std::sync::Arc;

use crate::config::source;
use crate::model::position::{Diagnostic, Located, Position};

/// Reads a file of hosts: for each of its lines the expression of the hosts.
///
/// # Errors
///
/// It cannot be read, or lines that name no hosts.
pub fn load_host_list(path: &Path) -> Result<Vec<Located<String>>, Vec<Diagnostic>> {
    let source = source::read(path).map_err(|problem| vec![problem])?;
    listed(&source.name, &source.text)
}

/// Reads the text of such a file, under the name that messages use.
///
/// # Errors
///
/// It is not UTF-8, or lines that name no hosts.
pub fn host_list(name: &str, content: &[u8]) -> Result<Vec<Located<String>>, Vec<Diagnostic>> {
    let name = Arc::from(name);
    let text = source::decode(&name, content).map_err(|problem| vec![problem])?;
    listed(&name, &text)
}

/// The lines of a text, each as an expression.
pub(super) fn listed(name: &Arc<str>, text: &str) -> Result<Vec<Located<String>>, Vec<Diagnostic>> {
    let (mut hosts, mut problems) = (Vec::new(), Vec::new());
    for (line, number) in text.lines().zip(1..) {
        let said = without_comment(line);
        let words: Vec<&str> = said.split_whitespace().collect();
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        let position = Position::new(Arc::clone(name), number, u32::try_from(indent + 1).unwrap_or(u32::MAX));
        let ansible = "is it an inventory of Ansible? a list has a host in each line: [user@]host[:port]";
        match words.as_slice() {
            [] => {}
            [section] if section.starts_with('[') && section.ends_with(']') && !section.contains(':') => {
                let message = format!("\"{section}\" is no host");
                problems.push(Diagnostic::at(&position, message).help(ansible));
            }
            [_, more, ..] if words.len() > 2 || more.contains('=') => {
                let message = "more than a host and a user in this line";
                problems.push(Diagnostic::at(&position, message).help(ansible));
            }
            [host, user] if host.contains('@') => {
                let message = format!("two users for one host: in \"{host}\", and \"{user}\"");
                problems.push(Diagnostic::at(&position, message));
            }
            [host, user] => hosts.push(Located::new(format!("{user}@{host}"), position)),
            [host, ..] => hosts.push(Located::new((*host).to_owned(), position)),
        }
    }
    if hosts.is_empty() && problems.is_empty() {
        problems.push(Diagnostic::bare(format!("{name}: names no hosts")));
    }
    if problems.is_empty() { Ok(hosts) } else { Err(problems) }
}

/// A line up to a `#` at its beginning or behind a space.
fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        if c == '#' && before.is_whitespace() {
            return line.get(..at).unwrap_or_default();
        }
        before = c;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_pssh_and_clush() {
        let text = "# all\n\nweb1\n  deploy@web2:2222 # canary\nweb[3-5] root\ndb1,db2\n#x\n10.0.0.1\tpi\r\n";
        let hosts = host_list("hosts", text.as_bytes()).unwrap();
        let shown: Vec<String> =
            hosts.iter().map(|host| format!("{} {}", host.position, host.value)).collect();
        assert_eq!(
            shown,
            [
                "hosts:3:1 web1",
                "hosts:4:3 deploy@web2:2222",
                "hosts:5:1 root@web[3-5]",
                "hosts:6:1 db1,db2",
                "hosts:8:1 pi@10.0.0.1"
            ]
        );
    }

    #[test]
    fn what_is_no_list_is_told_at_its_line() {
        let wrong = |text: &str| {
            let problems = listed(&Arc::from("hosts"), text).unwrap_err();
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        for (text, expected) in [
            ("[web]\nweb1 ansible_host=10.0.0.1\n", "\"[web]\" is no host"),
            ("a\na b c\n", "more than a host and a user"),
            ("u@h root\n", "two users for one host"),
            ("# nothing\n", "hosts: names no hosts"),
        ] {
            assert!(wrong(text).contains(expected), "{text:?}: {}", wrong(text));
        }
    }
}
