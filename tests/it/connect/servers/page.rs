//! docs/servers.md: made of what came of the checks, and compared with it.
//!
//! `INSTA_UPDATE=always` writes it anew, as it does for snapshots, where all servers of the table ran.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::connect::servers::Tried;
use crate::connect::servers::checks::{CHECKS, Result};
use crate::connect::servers::kinds::KINDS;

const HEAD: &str = "\
# Other servers

fan talks SSH and SFTP to whatever serves them. It was written against OpenSSH. What other servers do differently it finds out by
trying and reading back, remembers for the host while the run lasts, and tells where it matters.

The tests (`tests/it/connect/servers/`) make this page: they start real servers, most from packages of Debian 12, on loopback and
try the same things on each. **yes** means as on OpenSSH. **falls back** means that it is done in another way, and that fan says so.
**no** means that nothing is done, and that fan says why. A server that is not listed has not been tried.
[files.md](files.md#servers-that-are-not-openssh) explains most of what is particular to file servers.

## Limits

TinySSH of 2024 and later has not been tried. It has the strict key exchange, no SFTP, and allows one command on a connection.
Where a connection allows one session, what needs a command beside SFTP (`backup`, `validate`, `owner`) fails and changes nothing.
";

/// What the page says of one server.
pub struct Section {
    name: &'static str,
    identification: String,
    text: String,
}

impl Section {
    pub fn of(tried: &Tried) -> Self {
        let mut text = format!("{}\n\n| what | works | how, or why not |\n|---|---|---|\n", tried.kind.about);
        for (check, result) in CHECKS.iter().zip(&tried.results) {
            let (word, said) = match result {
                Result::Works => ("yes", ""),
                Result::FallsBack(said) => ("falls back", said.as_str()),
                Result::Not(said) => ("no", said.as_str()),
            };
            let said = said.replace('|', "\\|");
            writeln!(text, "| {} | {word} | {said} |", check.name).unwrap();
        }
        Self { name: tried.kind.name, identification: tried.identification.clone(), text }
    }

    fn heading(&self) -> String {
        let kind = KINDS.iter().find(|kind| kind.name == self.name).unwrap();
        format!("\n## {}\n\nTried: `{}` ({}).\n", self.name, self.identification, kind.packages)
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/servers.md")
}

/// The page's servers, each with what is said of it.
fn sections(page: &str) -> BTreeMap<&str, &str> {
    let begins = |name: &&str| KINDS.iter().any(|kind| kind.name == *name);
    let sections = page.split("\n## ").skip(1).filter_map(|section| section.split_once('\n'));
    sections.filter(|(name, _)| begins(name)).collect()
}

/// Sees that the page says what was seen, of all servers that ran, and has a section for each of the table.
pub fn compare(seen: &[Section]) {
    let page =
        HEAD.to_owned() + &seen.iter().map(|section| section.heading() + &section.text).collect::<String>();
    let made = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("servers.md");
    fs::write(&made, &page).unwrap();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") && seen.len() == KINDS.len() {
        fs::write(path(), page).unwrap();
        return;
    }
    let written = fs::read_to_string(path()).unwrap();
    let update = format!("it should be as {}: INSTA_UPDATE=always, as root, writes it anew", made.display());
    assert!(written.starts_with(HEAD), "its beginning is another; {update}");
    let told = sections(&written);
    let missing: Vec<_> =
        KINDS.iter().filter(|kind| !told.contains_key(kind.name)).map(|kind| kind.name).collect();
    let servers = written.matches("\nTried: ").count();
    assert!(missing.is_empty() && servers == KINDS.len(), "{servers} servers, without {missing:?}; {update}");
    for section in seen {
        // The version may be another, as long as it does the same.
        let (tried, text) = told[section.name].trim().split_once('\n').unwrap();
        let now = &section.identification;
        assert_eq!(
            text.trim(),
            section.text.trim(),
            "{}: {now} is here, the page has: {tried}; {update}",
            section.name
        );
    }
}
