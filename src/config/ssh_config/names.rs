//! The hosts that a configuration names: those of its `Host` lines that are names and no patterns.

use std::collections::HashSet;

use crate::config::ssh_config::file::{ConfigFile, What};
use crate::config::ssh_config::query::SshConfig;
use crate::model::position::Position;

impl SshConfig {
    /// Each name once, with the line where it comes first, in the order of the files.
    pub fn names(&self) -> Vec<(String, Position)> {
        let mut names = Vec::new();
        let mut seen = HashSet::new();
        for file in &self.files {
            collect(file, &mut seen, &mut names);
        }
        names
    }
}

fn collect(file: &ConfigFile, seen: &mut HashSet<String>, names: &mut Vec<(String, Position)>) {
    for statement in &file.statements {
        match &statement.what {
            What::Host(patterns) => {
                let is_name = |pattern: &str| !pattern.contains(['*', '?']);
                for host in patterns.iter().filter(|host| !host.negated && is_name(&host.pattern)) {
                    if seen.insert(host.pattern.clone()) {
                        names.push((host.pattern.clone(), statement.at.clone()));
                    }
                }
            }
            What::Include(files) => files.iter().for_each(|file| collect(file, seen, names)),
            What::Match(_) | What::Set(_) | What::Refuse(_) => {}
        }
    }
}
