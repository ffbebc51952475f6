//! Variables in files beside an inventory: `group_vars` and `host_vars`, as Ansible's `host_group_vars` reads them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::compose::{YamlDialect, compose_as};
use crate::config::fields::kind;
use crate::config::findings::Findings;
use crate::config::source;
use crate::config::sources::ansible::graph::AnsibleGraph;
use crate::config::sources::ansible::value::vars;
use crate::config::sources::ansible::vault::{MAGIC, Vault};
use crate::config::yaml::Node;
use crate::model::position::{Diagnostic, Position};
use crate::model::written::WrittenVars;

/// What a file of variables may end with.
const ENDINGS: [&str; 3] = [".yml", ".yaml", ".json"];

/// Reads the files that belong to the groups and hosts that are known so far.
pub(super) fn read(base: &Path, vault: &Vault, graph: &mut AnsibleGraph, findings: &mut Findings) {
    let of_groups = FolderVars::look(base.join("group_vars"));
    let of_hosts = FolderVars::look(base.join("host_vars"));
    for group in &mut graph.groups {
        of_groups.read(&group.name, vault, &mut group.file_vars, findings);
    }
    for host in &mut graph.hosts {
        of_hosts.read(&host.name, vault, &mut host.file_vars, findings);
    }
}

/// The names in a folder of variables: looked at once, however many hosts there are.
struct FolderVars {
    folder: PathBuf,
    names: HashMap<String, bool>,
}

impl FolderVars {
    fn look(folder: PathBuf) -> Self {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let names = entries
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                Some((name, fs::metadata(entry.path()).ok()?.is_dir()))
            })
            .collect();
        Self { folder, names }
    }

    fn read(&self, name: &str, vault: &Vault, into: &mut WrittenVars, findings: &mut Findings) {
        // A name can lead nowhere else.
        if self.names.is_empty() || name.contains('/') {
            return;
        }
        let found = std::iter::once("").chain(ENDINGS).map(|ending| format!("{name}{ending}"));
        let Some((name, &is_folder)) = found.into_iter().find_map(|name| self.names.get_key_value(&name))
        else {
            return;
        };
        let path = self.folder.join(name);
        let files = if is_folder { files_below(&path, 0) } else { vec![path] };
        for file in files {
            into.extend(load(&file, vault, findings));
        }
    }
}

/// The files of variables in a folder and those below it, in the order of their names.
fn files_below(folder: &Path, depth: usize) -> Vec<PathBuf> {
    const DEEPEST: usize = 16;
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let mut files = Vec::new();
    for name in names.iter().filter(|name| !name.starts_with('.') && !name.ends_with('~')) {
        let path = folder.join(name);
        let Ok(meta) = fs::metadata(&path) else { continue };
        let ending = name.rfind('.').and_then(|at| name.get(at..));
        if meta.is_dir() && ending.is_none() && depth < DEEPEST {
            files.extend(files_below(&path, depth + 1));
        } else if meta.is_file() && ending.is_none_or(|ending| ENDINGS.contains(&ending)) {
            files.push(path);
        }
    }
    files
}

fn load(path: &Path, vault: &Vault, findings: &mut Findings) -> WrittenVars {
    let source = match source::read(path) {
        Ok(source) => source,
        Err(error) => {
            findings.push(error);
            return WrittenVars::default();
        }
    };
    let Some((text, sealed)) = opened(&source.name, source.text, vault, findings) else {
        return WrittenVars::default();
    };
    let root = compose_as(YamlDialect::Ansible, &source.name, &text, findings);
    let found = match &root {
        Some(Node::Map(map)) => vars(map, vault, findings),
        Some(node) if !node.is_null() => {
            let message = format!("expected a map of variables, found {}", kind(node));
            findings.push(Diagnostic::at(node.position(), message));
            WrittenVars::default()
        }
        Some(_) | None => WrittenVars::default(),
    };
    if sealed {
        vault.hide(&found);
    }
    found
}

/// The text of a file, decrypted where the whole of it is a vault, and whether it was.
pub(super) fn opened(
    name: &Arc<str>,
    text: String,
    vault: &Vault,
    findings: &mut Findings,
) -> Option<(String, bool)> {
    if !text.starts_with(MAGIC) {
        return Some((text, false));
    }
    match vault.decrypt(&text) {
        Ok(plain) => Some((plain, true)),
        Err(problem) => {
            findings.push(problem.at(&Position::new(Arc::clone(name), 1, 1)));
            None
        }
    }
}
