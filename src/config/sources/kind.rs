//! What a source is: as the user named it, or by what is in it.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::inventory::FILE;
use crate::model::position::Position;

/// A source as it was named: `PATH`, `KIND:PATH`, `-`, or `host,host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSpec {
    /// What it was said to be.
    pub(super) kind: Option<InventoryKind>,
    /// Where it is.
    pub(super) at: SourcePlace,
    /// Where a file of fan's names it; the command line has no places.
    pub(super) named: Option<Position>,
    /// How old a program's answer may be; without it, it is asked each time.
    pub(super) cache: Option<Duration>,
}

/// Where a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SourcePlace {
    /// A file, a folder or a program.
    Path(PathBuf),
    /// Standard input.
    Stdin,
    /// Hosts with commas between them, as Ansible's `-i a,b`.
    Hosts(String),
}

/// How a source is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InventoryKind {
    /// fan's own YAML.
    Own,
    /// Ansible's INI.
    Ini,
    /// Ansible's YAML.
    Yaml,
    /// The JSON of Ansible's `--list`.
    Listing,
    /// One of Ansible's three; which, its text says.
    Ansible,
    /// A program that prints that JSON.
    Program,
    /// A list of hosts, as pssh and clush have them.
    List,
    /// The hosts that an ssh_config names.
    Ssh,
    /// The groups of clush.
    Clush,
}

/// The words in front of a source's path, and the keys of an entry of `sources:`.
pub(super) const WORDS: [(&str, InventoryKind); 7] = [
    ("fan", InventoryKind::Own),
    ("ansible", InventoryKind::Ansible),
    ("exec", InventoryKind::Program),
    ("hosts", InventoryKind::List),
    ("ssh", InventoryKind::Ssh),
    ("json", InventoryKind::Listing),
    ("clush", InventoryKind::Clush),
];

impl SourceSpec {
    /// Reads what the user typed.
    pub fn parse(text: &str) -> Self {
        if text == "-" {
            return Self::new(None, SourcePlace::Stdin);
        }
        if let Some((word, path)) = text.split_once(':')
            && let Some((_, kind)) = WORDS.iter().find(|(known, _)| *known == word)
            // clush has a usual place.
            && (!path.is_empty() || *kind == InventoryKind::Clush)
        {
            let at = if path == "-" { SourcePlace::Stdin } else { SourcePlace::Path(home(path)) };
            return Self::new(Some(*kind), at);
        }
        if text.contains(',') && !Path::new(text).exists() {
            return Self::new(None, SourcePlace::Hosts(text.to_owned()));
        }
        Self::path(Path::new(text))
    }

    /// A path of unknown contents.
    pub fn path(path: &Path) -> Self {
        Self::new(None, SourcePlace::Path(path.to_owned()))
    }

    /// A source that the command line names.
    pub(super) fn new(kind: Option<InventoryKind>, at: SourcePlace) -> Self {
        Self { kind, at, named: None, cache: None }
    }

    /// Whether it is run to hear of its hosts.
    pub(super) fn is_program(&self) -> bool {
        match (&self.at, self.kind) {
            (SourcePlace::Path(path), None) => is_program(path),
            (SourcePlace::Path(_), Some(kind)) => kind == InventoryKind::Program,
            (SourcePlace::Stdin | SourcePlace::Hosts(_), _) => false,
        }
    }

    /// Whether it is standard input.
    pub fn is_stdin(&self) -> bool {
        self.at == SourcePlace::Stdin
    }

    /// The file or folder, when it is one.
    pub fn file(&self) -> Option<&Path> {
        match &self.at {
            SourcePlace::Path(path) => Some(path),
            SourcePlace::Stdin | SourcePlace::Hosts(_) => None,
        }
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((word, _)) = WORDS.iter().find(|(_, kind)| Some(*kind) == self.kind) {
            write!(f, "{word}:")?;
        }
        match &self.at {
            SourcePlace::Path(path) => write!(f, "{}", path.display()),
            SourcePlace::Stdin => f.write_str("-"),
            SourcePlace::Hosts(hosts) => f.write_str(hosts),
        }
    }
}

/// A path behind a word or in a file, where no shell replaces `~`.
pub(super) fn home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(path),
    }
}

/// Whether a file is a program: it may be executed, and is one by its first bytes. An executable bit alone is what
/// files of other systems all have.
fn is_program(path: &Path) -> bool {
    let executable =
        fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    if !executable {
        return false;
    }
    let mut start = [0; 4];
    let read = fs::File::open(path).and_then(|mut file| std::io::Read::read(&mut file, &mut start));
    let start = read.ok().and_then(|read| start.get(..read)).unwrap_or_default();
    // ELF, and the three of macOS.
    start.starts_with(b"#!")
        || start.starts_with(b"\x7fELF")
        || matches!(start, [0xcf | 0xce, 0xfa, 0xed, 0xfe] | [0xca, 0xfe, 0xba, 0xbe])
}

/// What a text is, by its ending and its lines.
pub(super) fn of_text(path: Option<&Path>, text: &str) -> InventoryKind {
    let ending = path.and_then(Path::extension).and_then(|ending| ending.to_str()).unwrap_or_default();
    let mut lines = text.lines().map(str::trim_end).filter(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with(['#', ';'])
    });
    let first = lines.clone().next().unwrap_or_default().trim_start();
    if first.starts_with('{') {
        let quoted = text.trim_start().trim_start_matches('{').trim_start().starts_with(['"', '}']);
        return if ending == "json" || quoted { InventoryKind::Listing } else { InventoryKind::Own };
    }
    let yaml =
        matches!(ending, "yaml" | "yml") || first.starts_with("---") || first.starts_with("$ANSIBLE_VAULT");
    // A key at the margin with nothing or a bracket behind it.
    let key = |line: &str| {
        let (key, behind) = line.split_once(':')?;
        let plain = !key.is_empty() && !key.starts_with([' ', '\t', '-', '[']);
        let behind = behind.trim_start();
        let opens = behind.is_empty() || behind.starts_with(['#', '{', '[', '&', '!']);
        (plain && opens).then(|| key.trim_matches(['"', '\'']).to_owned())
    };
    if yaml || (!matches!(ending, "ini" | "cfg") && key(first).is_some() && !first.contains('=')) {
        let keys: Vec<String> = lines.filter_map(key).collect();
        let own = keys.is_empty() || keys.iter().any(|key| FILE.knows(key));
        return if own { InventoryKind::Own } else { InventoryKind::Yaml };
    }
    if lines.clone().any(|line| line == "[Main]") {
        return InventoryKind::Clush;
    }
    let ini = matches!(ending, "ini" | "cfg")
        || lines.any(|line| (line.starts_with('[') && line.contains(']')) || line.contains('='));
    if ini { InventoryKind::Ini } else { InventoryKind::List }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_recognised() {
        for (name, text, kind) in [
            ("inventory.yaml", "hosts:\n  web1: {}\n", InventoryKind::Own),
            ("inventory.yaml", "# x\nroles: {}\nhosts: {}\n", InventoryKind::Own),
            ("inventory.yaml", "hostz:\n  web1: {}\nroles: {}\n", InventoryKind::Own),
            ("inventory.yaml", "{hosts: {a: {}}}\n", InventoryKind::Own),
            ("hosts.yml", "---\nall:\n  hosts:\n    web1:\n", InventoryKind::Yaml),
            ("hosts.yml", "web:\n  hosts:\n    web1:\n", InventoryKind::Yaml),
            ("hosts", "web1\nweb2 ansible_host=10.0.0.1\n", InventoryKind::Ini),
            ("hosts", "[web]\nweb1\n", InventoryKind::Ini),
            ("hosts.ini", "web1\n", InventoryKind::Ini),
            ("hosts", "# all\nweb1\nroot@web2:2222\n", InventoryKind::List),
            ("hosts.txt", "web[01-10]\n", InventoryKind::List),
            ("cloud.json", "{\"web\": [\"web1\"]}", InventoryKind::Listing),
            ("-", "{\"_meta\": {}}", InventoryKind::Listing),
            ("hosts", "all:\n  hosts:\n    a:\n", InventoryKind::Yaml),
            ("groups.conf", "# clush\n[Main]\ndefault: local\n", InventoryKind::Clush),
        ] {
            assert_eq!(of_text(Some(Path::new(name)), text), kind, "{name}: {text}");
        }
    }

    #[test]
    fn sources_are_named_with_a_kind_or_without() {
        for (text, kind, at) in [
            ("a.yaml", None, SourcePlace::Path("a.yaml".into())),
            ("ansible:prod/hosts", Some(InventoryKind::Ansible), SourcePlace::Path("prod/hosts".into())),
            ("exec:./cloud.py", Some(InventoryKind::Program), SourcePlace::Path("./cloud.py".into())),
            ("clush:", Some(InventoryKind::Clush), SourcePlace::Path("".into())),
            ("hosts:-", Some(InventoryKind::List), SourcePlace::Stdin),
            ("-", None, SourcePlace::Stdin),
            ("web1,web2", None, SourcePlace::Hosts("web1,web2".to_owned())),
            ("web1,", None, SourcePlace::Hosts("web1,".to_owned())),
            ("c:/x", None, SourcePlace::Path("c:/x".into())),
        ] {
            let spec = SourceSpec::parse(text);
            assert_eq!((spec.kind, &spec.at), (kind, &at), "{text}");
            assert_eq!(spec.to_string(), text);
        }
    }
}
