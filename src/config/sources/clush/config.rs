//! Which sources of groups there are: those of `groups.conf`, of the files that it names, or of one file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::compose::{YamlDialect, compose_as};
use crate::config::fields::{kind, quote};
use crate::config::findings::Findings;
use crate::config::source;
use crate::config::sources::clush::conf_file::{self, ConfSection};
use crate::config::yaml::Node;
use crate::model::position::{Diagnostic, Position};

/// The section that is no source of groups.
const MAIN: &str = "Main";

/// The groups of clush, before any command was run.
#[derive(Debug, Default)]
pub(in crate::config) struct ClushConfig {
    pub(super) sources: Vec<ClushSource>,
    /// The source of groups that are named without one.
    pub(super) default: usize,
}

/// A source of groups.
#[derive(Debug)]
pub(super) struct ClushSource {
    pub(super) name: String,
    pub(super) at: Position,
    pub(super) groups: ClushGroups,
}

/// Where the groups of a source are.
#[derive(Debug)]
pub(super) enum ClushGroups {
    /// In a file: each with its nodes.
    File(Vec<(String, String, Position)>),
    /// Commands tell.
    Upcalls(ClushUpcalls),
}

/// The commands of a source.
#[derive(Debug)]
pub(super) struct ClushUpcalls {
    /// The nodes of a group.
    pub(super) map: String,
    /// All nodes.
    pub(super) all: Option<String>,
    /// The names of all groups.
    pub(super) list: Option<String>,
    /// The groups of a node.
    pub(super) reverse: Option<String>,
    /// Where they run: what they mean by `$CFGDIR`.
    pub(super) folder: PathBuf,
}

impl ClushConfig {
    /// Reads a file or a folder; without one, those that clush reads.
    pub(in crate::config) fn load(path: &Path, findings: &mut Findings) -> Self {
        let mut config = Self::default();
        if path.as_os_str().is_empty() {
            let files: Vec<PathBuf> = usual_folders()
                .into_iter()
                .map(|folder| folder.join("groups.conf"))
                .filter(|file| file.exists())
                .collect();
            if files.is_empty() {
                let help = "name the file: -i clush:PATH";
                findings
                    .push(Diagnostic::bare("clush: there is no groups.conf in /etc/clustershell").help(help));
            }
            config.main(&files, findings);
        } else if path.is_dir() {
            let main = path.join("groups.conf");
            if main.exists() {
                config.main(&[main], findings);
            } else {
                config.folder(path, "yaml", findings);
                config.folder(path, "conf", findings);
                config.folder(path, "cfg", findings);
            }
        } else {
            config.file(path, findings);
        }
        if config.sources.is_empty() && !findings.any() {
            findings.push(Diagnostic::bare(format!("{}: no groups in it", path.display())));
        }
        config
    }

    /// Leaves the groups that no command has to tell.
    pub(in crate::config) fn drop_upcalls(&mut self) {
        let default = self.sources.get(self.default).map(|source| source.name.clone());
        self.sources.retain(|source| matches!(source.groups, ClushGroups::File(_)));
        let at = self.sources.iter().position(|source| Some(&source.name) == default.as_ref());
        self.default = at.unwrap_or(usize::MAX);
    }

    /// Reads one file, by what is in it.
    fn file(&mut self, path: &Path, findings: &mut Findings) {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if matches!(ending, "yaml" | "yml") {
            return self.yaml(path, findings);
        }
        let Some(text) = read(path, findings) else { return };
        let mut lines = text
            .lines()
            .map(str::trim_start)
            .filter(|line| !line.is_empty() && !line.starts_with(['#', ';']));
        if lines.next().is_some_and(|line| line.starts_with('[')) {
            self.main(&[path.to_owned()], findings);
        } else {
            self.flat(path, &text, findings);
        }
    }

    /// Reads the main files, those of more weight last: what their `[Main]` names, and their own sources.
    fn main(&mut self, files: &[PathBuf], findings: &mut Findings) {
        let mut sections: Vec<ConfSection> = Vec::new();
        for file in files {
            let Some(text) = read(file, findings) else { continue };
            for section in conf_file::read(&Arc::from(file.to_string_lossy()), &text, findings) {
                match sections.iter_mut().find(|known| known.name == section.name) {
                    Some(known) => known.merge(section),
                    None => sections.push(section),
                }
            }
        }
        let folder = files.last().and_then(|file| file.parent()).unwrap_or(Path::new(""));
        let here = absolute(folder);
        let main = sections.iter().find(|section| section.name == MAIN);
        let get = |name: &str| main.and_then(|main| main.get(name));
        for (named, ending) in [(get("groupsdir").or(get("confdir")), "conf"), (get("autodir"), "yaml")] {
            let mut seen: Vec<PathBuf> = Vec::new();
            for word in words(named.unwrap_or_default()) {
                let folder = here.join(substituted(&word, &[("CFGDIR", &here.to_string_lossy())]));
                if !seen.contains(&folder) && folder.is_dir() {
                    self.folder(&folder, ending, findings);
                }
                seen.push(folder);
            }
        }
        let (default, at) = (get("default").map(str::to_owned), main.map(|main| main.at.clone()));
        self.sections(sections, &here, findings);
        if let Some(default) = default.filter(|default| !default.is_empty()) {
            match self.sources.iter().position(|source| source.name == default) {
                Some(index) => self.default = index,
                None => {
                    let message = format!("default source of groups {} is not defined", quote(&default));
                    findings.push(Diagnostic { position: at, ..Diagnostic::bare(message) });
                }
            }
        }
    }

    /// Reads the files of a folder, in the order of their names.
    fn folder(&mut self, folder: &Path, ending: &str, findings: &mut Findings) {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let hidden =
            |path: &Path| path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        let mut files: Vec<PathBuf> = entries
            .filter(|path| path.extension().is_some_and(|known| known == ending) && !hidden(path))
            .collect();
        files.sort();
        for file in files {
            match ending {
                "yaml" => self.yaml(&file, findings),
                "conf" => {
                    let Some(text) = read(&file, findings) else { continue };
                    let sections = conf_file::read(&Arc::from(file.to_string_lossy()), &text, findings);
                    self.sections(sections, &absolute(folder), findings);
                }
                _ => self.file(&file, findings),
            }
        }
    }

    fn sections(&mut self, sections: Vec<ConfSection>, folder: &Path, findings: &mut Findings) {
        for section in sections.iter().filter(|section| section.name != MAIN) {
            let Some(map) = section.get("map") else {
                findings.error(&section.at, format!("source of groups [{}] has no \"map\"", section.name));
                continue;
            };
            let text = |name: &str| section.get(name).map(str::to_owned);
            for name in section.name.split(',') {
                let upcalls = ClushUpcalls {
                    map: map.to_owned(),
                    all: text("all"),
                    list: text("list"),
                    reverse: text("reverse"),
                    folder: folder.to_owned(),
                };
                self.add(name.trim(), section.at.clone(), ClushGroups::Upcalls(upcalls), findings);
            }
        }
    }

    /// Reads a YAML file: sources with their groups.
    fn yaml(&mut self, path: &Path, findings: &mut Findings) {
        let Some(text) = read(path, findings) else { return };
        let root = compose_as(YamlDialect::Ansible, &Arc::from(path.to_string_lossy()), &text, findings);
        let root = match &root {
            Some(Node::Map(root)) => root,
            Some(other) => {
                let message = format!("expected a map of sources of groups, found {}", kind(other));
                return findings.error(other.position(), message);
            }
            None => return,
        };
        for source in &root.entries {
            let Node::Map(groups) = &source.value else {
                let message = format!("expected a map of groups, found {}", kind(&source.value));
                findings.error(source.value.position(), message);
                continue;
            };
            let nodes = |entry: &crate::config::yaml::YamlEntry, findings: &mut Findings| match &entry.value {
                Node::Scalar(scalar) => Some(scalar.text.to_string()),
                Node::List(list) => {
                    let texts = list.items.iter().map(|item| match item {
                        Node::Scalar(scalar) => Some(scalar.text.to_string()),
                        Node::List(_) | Node::Map(_) | Node::Broken(_) => None,
                    });
                    texts.collect::<Option<Vec<_>>>().map(|texts| texts.join(","))
                }
                other @ (Node::Map(_) | Node::Broken(_)) => {
                    findings.error(other.position(), format!("expected nodes, found {}", kind(other)));
                    None
                }
            };
            let groups = groups.entries.iter().filter_map(|entry| {
                Some((entry.key.text.to_string(), nodes(entry, findings)?, entry.key.position.clone()))
            });
            let groups = ClushGroups::File(groups.collect());
            self.add(&source.key.text, source.key.position.clone(), groups, findings);
        }
    }

    /// Reads a file of lines `group: nodes`.
    fn flat(&mut self, path: &Path, text: &str, findings: &mut Findings) {
        let file: Arc<str> = Arc::from(path.to_string_lossy());
        let mut groups: Vec<(String, String, Position)> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let said = line.trim();
            let at = Position::new(Arc::clone(&file), u32::try_from(number + 1).unwrap_or(u32::MAX), 1);
            if said.is_empty() || said.starts_with('#') {
                continue;
            }
            let Some((name, nodes)) = said.split_once(':') else {
                findings.error(&at, format!("expected \"group: nodes\", found {}", quote(said)));
                continue;
            };
            match groups.iter_mut().find(|(known, ..)| known == name.trim()) {
                // As clush has it, whose sed prints both lines.
                Some((_, known, _)) => *known = format!("{known} {}", nodes.trim()),
                None => groups.push((name.trim().to_owned(), nodes.trim().to_owned(), at)),
            }
        }
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        self.add(&name, Position::new(file, 1, 1), ClushGroups::File(groups), findings);
    }

    fn add(&mut self, name: &str, at: Position, groups: ClushGroups, findings: &mut Findings) {
        if let Some(known) = self.sources.iter().find(|source| source.name == name) {
            return findings.error(&at, format!("source of groups {} is also at {}", quote(name), known.at));
        }
        self.sources.push(ClushSource { name: name.to_owned(), at, groups });
    }
}

/// The folders that clush looks into, those of more weight last.
fn usual_folders() -> Vec<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = var("HOME");
    let below = |path: &str| home.as_ref().map(|home| home.join(path));
    let system = var("CLUSTERSHELL_CFGDIR").unwrap_or_else(|| PathBuf::from("/etc/clustershell"));
    let own = var("XDG_CONFIG_HOME").or_else(|| below(".config")).map(|folder| folder.join("clustershell"));
    std::iter::once(system).chain(below(".local/etc/clustershell")).chain(own).collect()
}

fn absolute(folder: &Path) -> PathBuf {
    std::env::current_dir().unwrap_or_default().join(folder)
}

fn read(path: &Path, findings: &mut Findings) -> Option<String> {
    source::read(path).map_err(|error| findings.push(error)).ok().map(|source| source.text)
}

/// Splits at spaces, but not within quotes.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut within) = (Vec::new(), String::new(), None);
    for c in text.chars() {
        match (c, within) {
            (quote, Some(open)) if quote == open => within = None,
            ('"' | '\'', None) => within = Some(c),
            (c, None) if c.is_whitespace() => words.push(std::mem::take(&mut word)),
            (c, _) => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// Fills in `$NAME` and `${NAME}` as Python's `string.Template` does: others stay, and `$$` is `$`.
pub(super) fn substituted(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('$') {
        filled.push_str(before);
        if let Some(behind) = behind.strip_prefix('$') {
            filled.push('$');
            rest = behind;
            continue;
        }
        let (name, after) = match behind.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, after)) => (name, after),
            None => {
                let end =
                    behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(behind.len());
                behind.split_at(end)
            }
        };
        match values.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('$');
                rest = behind;
            }
        }
    }
    filled.push_str(rest);
    filled
}
