//! docs/servers.md: made of what came of the checks, and compared with it.
//!
//! `INSTA_UPDATE=always` writes it anew, as it does for snapshots, where all servers of the table ran.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::servers::Tried;
use crate::servers::checks::{CHECKS, Result};
use crate::servers::kinds::KINDS;

const HEAD: &str = "\
# Other servers

fan talks SSH and SFTP to whatever serves them. It was written against OpenSSH; what other servers do in another way is
found out by trying and reading back, is remembered for the host while the run lasts, and is told where it matters.

This page is made by the tests (`tests/it/servers/`): real servers of Debian's packages on loopback, the same checks for
each. **yes** is as on OpenSSH. **falls back** works in another way, and says so. **no** does nothing, and says why. A server that
is not here has not been tried; most of what is particular to others is told in [files.md](files.md#servers-that-are-not-openssh).
";

/// What the page says of one server.
pub struct Section {
    name: &'static str,
    identification: String,
    text: String,
}

impl Section {
    pub fn of(tried: &Tried) -> Self {
        let mut text = format!("{}\n\n| what | | |\n|---|---|---|\n", tried.kind.about);
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

/// Sees that the page says what was seen.
pub fn compare(seen: &[Section]) {
    let sections = seen.iter().map(|section| section.heading() + &section.text);
    let page = HEAD.to_owned() + &sections.collect::<String>();
    let made = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("servers.md");
    fs::write(&made, &page).unwrap();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") && seen.len() == KINDS.len() {
        fs::write(path(), page).unwrap();
        return;
    }
    let written = fs::read_to_string(path()).unwrap_or_default();
    let update = format!("it should be as {}: INSTA_UPDATE=always writes it anew", made.display());
    assert!(written.starts_with(HEAD), "its beginning is another; {update}");
    for heading in written.lines().filter_map(|line| line.strip_prefix("## ")) {
        assert!(KINDS.iter().any(|kind| kind.name == heading), "{heading} is not in the table; {update}");
    }
    for section in seen {
        if !written.contains(&section.heading()) {
            // Another version may do other things; the checks have seen that none of them is wrong.
            eprintln!(
                "NOT COMPARED: the page is about another {} than {}",
                section.name, section.identification
            );
            continue;
        }
        let begin = written.find(&section.heading()).unwrap() + section.heading().len();
        let text = written[begin..].split("\n## ").next().unwrap();
        assert_eq!(text.trim_end(), section.text.trim_end(), "{} is another; {update}", section.name);
    }
}
