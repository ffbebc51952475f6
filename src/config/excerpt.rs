//! The line of a file that a problem is about, for eyes on a terminal. Owns which lines may be shown.
//!
//! No line that may hold a secret: what a file is, what a line belongs to and what stands in it must all be harmless, as
//! far as words can tell. In doubt there is none, and the problem is told without it.

use std::path::Path;

use crate::config::source;
use crate::model::position::Position;
use crate::model::secretive::{is_secretive, looks_secret};

/// A line and the place in it that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The line, without its end.
    pub text: String,
    /// Its number, from 1.
    pub number: usize,
    /// Bytes of it before what is meant.
    pub start: usize,
    /// Bytes of it up to the end of what is meant; equal to `start` at its end.
    pub end: usize,
}

/// Keys at the beginning of fan's own files.
const OWN: [&str; 4] = ["hosts", "tasks", "roles", "defaults"];

/// Keywords of ssh_config whose values are lines of a shell, or values for one.
const SHELL_KEYWORDS: [&str; 6] =
    ["proxycommand", "localcommand", "remotecommand", "knownhostscommand", "setenv", "match"];

/// The line at a position, if it may be shown. Reads the file once more: a problem is rare.
pub fn excerpt(at: &Position) -> Option<Excerpt> {
    let path = Path::new(&*at.file);
    let text = source::read(path).ok()?.text;
    find(&path.file_name()?.to_string_lossy(), &text, at)
}

fn find(file: &str, text: &str, at: &Position) -> Option<Excerpt> {
    // What ends a line there is not what ends one here.
    if text.replace("\r\n", "\n").contains(['\r', '\u{85}', '\u{2028}', '\u{2029}']) || is_secretive(file) {
        return None;
    }
    let lines: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let index = usize::try_from(at.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(at.column).ok()?.checked_sub(1)?;
    let rest = lines.get(index..).unwrap_or_default();
    // At the end of a file there is nothing to see: what is missing there is missing behind the last line.
    let (index, column) = if rest.iter().all(|line| line.trim().is_empty()) {
        (lines.iter().rposition(|line| !line.trim().is_empty())?, usize::MAX)
    } else {
        (index, column)
    };
    let line = *lines.get(index)?;
    let secretive = match format(file, &lines, line)? {
        Format::Nested => context(&lines, index).any(is_secretive),
        Format::Lines => is_secretive(line),
    };
    if secretive || looks_secret(line) {
        return None;
    }
    let start = line.char_indices().nth(column).map_or(line.trim_end().len(), |(at, _)| at);
    let end = start + marked(line.get(start..).unwrap_or_default());
    Some(Excerpt { text: line.to_owned(), number: index + 1, start, end })
}

/// How the lines of a file belong together.
enum Format {
    /// Under keys of lines before them: fan's own YAML. So are those of a template taken.
    Nested,
    /// Each stands alone: ssh_config.
    Lines,
}

/// The format of a line, if fan understands it.
fn format(file: &str, lines: &[&str], line: &str) -> Option<Format> {
    let own = |line: &&str| {
        let line = line.trim_start_matches(['{', ' ', '"', '\'']);
        OWN.iter().any(|key| {
            let rest = line.strip_prefix(key).map(|rest| rest.trim_start_matches(['"', '\'', ' ']));
            rest.is_some_and(|rest| rest.starts_with(':'))
        })
    };
    let top = |line: &&str| !line.starts_with([' ', '\t']);
    if lines.iter().copied().filter(top).any(|line| own(&line)) || line.contains("{{") || line.contains("{%")
    {
        return Some(Format::Nested);
    }
    let block = |line: &&str| {
        let keyword = line.split_whitespace().next().unwrap_or_default();
        ["host", "match"].iter().any(|known| keyword.eq_ignore_ascii_case(known))
    };
    let is_ssh = file == "config" || file.ends_with("ssh_config") || lines.iter().any(block);
    let keyword = first_word(line).to_ascii_lowercase();
    (is_ssh && !SHELL_KEYWORDS.contains(&&*keyword)).then_some(Format::Lines)
}

fn first_word(line: &str) -> &str {
    line.trim_start().split([' ', '\t', '=', '"']).next().unwrap_or_default()
}

/// A line and those that it belongs to: what is less indented before it, and the beginning of a text, a list or a map that
/// it goes on with.
fn context<'t>(lines: &[&'t str], index: usize) -> impl Iterator<Item = &'t str> {
    let line = lines.get(index).copied().unwrap_or_default();
    let mut found = vec![line];
    let (mut depth, mut named, mut closed) = (depth(line), is_named(line), 0);
    for before in lines.get(..index).unwrap_or_default().iter().rev() {
        if before.trim().is_empty() || before.trim_start().starts_with('#') {
            continue;
        }
        closed += before.matches(['}', ']']).count();
        let opened = before.matches(['{', '[']).count();
        let open = opened > closed || ['"', '\''].iter().any(|quote| before.matches(*quote).count() % 2 == 1);
        closed = closed.saturating_sub(opened);
        let less = self::depth(before) < depth;
        if less || open || !named {
            found.push(*before);
            named |= is_named(before);
        }
        if less {
            depth = self::depth(before);
        }
    }
    found.into_iter()
}

/// How far in a line begins. The items of a list may stand as far out as the key that they belong to.
fn depth(line: &str) -> usize {
    let spaces = line.len() - line.trim_start().len();
    spaces * 2 + usize::from(line.trim_start().starts_with("- "))
}

/// Whether a line begins with a key.
fn is_named(line: &str) -> bool {
    let line = line.trim_start().trim_start_matches("- ").trim_start();
    let Some((key, _)) = line.split_once(':') else { return false };
    let key = key.trim_matches(['"', '\'']);
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c))
}

/// How many bytes of a text are one thing: a quoted text, a word, or one character.
fn marked(text: &str) -> usize {
    let Some(first) = text.chars().next() else { return 0 };
    if let Some(inner) = text.strip_prefix(['"', '\''])
        && let Some(end) = inner.find(first)
    {
        return end + 2;
    }
    let word = |c: char| c.is_alphanumeric() || "_-./~@%+!?$".contains(c);
    let length = text.find(|c| !word(c)).unwrap_or(text.len());
    if length == 0 { first.len_utf8() } else { length }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of a text, with the mark in brackets.
    fn shown(file: &str, text: &str, line: u32, column: u32) -> String {
        let Some(found) = find(file, text, &Position::new(file, line, column)) else { return "-".to_owned() };
        let Excerpt { text, number, start, end } = found;
        format!("{number}: {}[{}]{}", &text[..start], &text[start..end], &text[end..])
    }

    #[test]
    fn the_line_is_shown_with_what_is_meant() {
        let text = "hosts:\n  web1: {prot: 22}\n\n  \u{5bbf}\u{4e3b}: {\"po rt\": x}\n";
        assert_eq!(shown("inventory.yaml", text, 2, 10), "2:   web1: {[prot]: 22}");
        assert_eq!(shown("inventory.yaml", text, 4, 8), "4:   \u{5bbf}\u{4e3b}: {[\"po rt\"]: x}");
        assert_eq!(shown("inventory.yaml", text, 4, 3), "4:   [\u{5bbf}\u{4e3b}]: {\"po rt\": x}");
        // At the end of the file, and behind it.
        for (line, column) in [(5, 1), (6, 1), (99, 7)] {
            assert_eq!(shown("i.yaml", text, line, column), "4:   \u{5bbf}\u{4e3b}: {\"po rt\": x}[]");
        }
        assert_eq!(shown("i.yaml", "hosts: [a", 1, 99), "1: hosts: [a[]");
        assert_eq!(shown("i.yaml", "", 1, 1), "-");
        // Windows' lines, and a Mac's.
        assert_eq!(shown("i.yaml", "hosts:\r\n  web1: {prot: 1}\r\n", 2, 10), "2:   web1: {[prot]: 1}");
        assert_eq!(shown("i.yaml", "hosts:\r  web1: {prot: 1}\r", 2, 10), "-");
        // Minified JSON.
        assert_eq!(
            shown("i.json", r#"{"hosts":{"a":{"prot":1}}}"#, 1, 16),
            r#"1: {"hosts":{"a":{["prot"]:1}}}"#
        );
        // ssh_config, and a template.
        assert_eq!(shown("config", "Host *\n  Prot 22\n", 2, 3), "2:   [Prot] 22");
        assert_eq!(shown("nginx.conf", "a\nlisten {{ prt }};\n", 2, 11), "2: listen {{ [prt] }};");
    }

    #[test]
    fn no_line_where_a_secret_may_stand() {
        for (text, line) in [
            ("hosts:\n  a: {password: hunter2}\n", 2),
            ("hosts:\n  a:\n    password:\n      hunter2\n", 4),
            ("hosts:\n  a:\n    password: >-\n\n      one\n      hunter2\n", 6),
            ("hosts:\n  a: {password:\n  \"hunter2\", bad: 1}\n", 3),
            ("hosts:\n{password: \"one\nhunter2\ntwo\"}\n", 3),
            ("hosts:\n  a:\n    env:\n      LEVEL: hunter2\n", 4),
            ("hosts:\n  a: {env: {LEVEL: hunter2}}\n", 2),
            ("tasks: {}\nsecrets:\n  db: hunter2\n", 3),
            ("tasks: {}\nvars:\n  db: hunter2\n", 3),
            ("tasks: {}\nsecrets:\n- hunter2\n", 3),
            ("tasks: {}\nvault_ids:\n# a comment\n  - one\n  - hunter2\n", 5),
            ("tasks:\n  t:\n    - run: |\n        export DB_PASSWORD=hunter2\n", 4),
            ("tasks:\n  t:\n    - run: mysql -phunter2 shop\n", 3),
            ("tasks:\n  t:\n    - run: curl -u admin:hunter2 http://h\n", 3),
            ("tasks:\n  t:\n    - run: git clone https://me:hunter2@h/x\n", 3),
            ("tasks:\n  t:\n    - run: curl -uadmin:hunter2 http://h\n", 3),
            ("tasks:\n  t:\n    - run: curl --user=admin:hunter2 http://h\n", 3),
            ("tasks:\n  t:\n    - run: proxies=http://me:hunter2@p:1,https://x:2\n", 3),
            ("tasks:\n  t:\n    - run: wget http://h/?key=hunter2\n", 3),
            ("hosts:\n  a: {pw: hunter2}\n", 2),
            ("hosts:\n  a:\n    pw: |\n\n      one: x\n      hunter2: y\n", 6),
            ("hosts:\n  a: {vars: {\n  b: hunter2}, prot: 22}\n", 3),
            ("hosts:\n  a: {vars: {b: {c: 1},\n  d: {e: 2},\n  f: hunter2}, prot: 22}\n", 4),
            ("hosts:\n  a: {vars: [\n  b: 1,\n  ], prot: x,\n  vars: {\n\n  c: hunter2}}\n", 7),
            ("hosts:\n  a: {password: \"one\n  b: hunter2\", prot: 22}\n", 3),
            ("hosts:\n  a: {note: &n hunter2, password: *n}\n", 2),
            ("hosts:\n  a:\n    note: &n hunter2\n", 3),
            ("hosts:\n  a:\n    - &n hunter2\n", 3),
            ("tasks:\n  t:\n    - run: login x9f8Xa7b6c5d4e3f2a1b0hunter2\n", 3),
            ("tasks:\n  t:\n    - set: {a: hunter2}\n", 3),
            ("tasks:\n  t:\n    - run: read x\n      respond: [{prompt: x, answer: hunter2}]\n", 4),
            ("hosts:\n  a: !vault |\n    hunter2\n", 3),
            ("{\"hosts\":{\"a\":{\"password\":\"hunter2\"}}}", 1),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n", 2),
            // No file of fan's: variables for -e, a dotenv file.
            ("admin: hunter2\n", 1),
            ("ADMIN=hunter2\n", 1),
            ("ADMIN=hunter2\nHOST=db\n", 1),
            ("admin: hunter2\nhost: db\n", 1),
        ] {
            assert_eq!(shown("tasks.yaml", text, line, 1), "-", "{text}");
        }
        let config = "Host *\n  ProxyCommand sshx hunter2 %h\n  SetEnv A=hunter2\n";
        assert_eq!(shown("config", &format!("{config}  Prot 1\n"), 4, 3), "4:   [Prot] 1");
        assert_eq!((shown("config", config, 2, 3), shown("config", config, 3, 3)), ("-".into(), "-".into()));
        assert_eq!(shown("secrets.yaml", "hosts: {a: hunter2}", 1, 1), "-");
        for file in ["config.yaml", "app-config.json", "config.env"] {
            assert_eq!(shown(file, "admin: hunter2\n", 1, 1), "-", "{file}");
        }
    }

    #[test]
    fn what_is_near_a_secret_is_shown_where_it_has_a_name_of_its_own() {
        let text = "hosts:\n  a:\n    password: {env: X}\n    prot: 22\n    host_key: bad\n";
        assert_eq!(shown("i.yaml", text, 4, 5), "4:     [prot]: 22");
        assert_eq!(shown("i.yaml", text, 5, 15), "5:     host_key: [bad]");
        assert_eq!(shown("i.yaml", text, 3, 15), "-");
        let text = "hosts:\n  a: {vars: {\n    b: 1}}\n  c: {prot: 1}\n  d: {\n    prot: 2}\n";
        assert_eq!(shown("i.yaml", text, 4, 7), "4:   c: {[prot]: 1}");
        assert_eq!(shown("i.yaml", text, 6, 5), "6:     [prot]: 2}");
        let json = "{\"hosts\": {\n  \"a\": {\n    \"password\":\n    \"hunter2\",\n    \"prot\": 22\n}}}\n";
        assert_eq!(
            (shown("i.json", json, 4, 5), shown("i.json", json, 5, 5)),
            ("-".into(), "5:     [\"prot\"]: 22".into())
        );
    }
}
