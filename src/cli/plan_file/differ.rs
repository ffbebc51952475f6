//! What differs between a plan and the one of a file.

use std::collections::BTreeMap;

use crate::cli::error::CliError;
use crate::cli::plan_file::content::{MAKE, PlanFile, PlanFileHost};
use crate::cli::plan_file::made::{PlanOrigin, of};
use crate::model::position::Diagnostic;
use crate::store::RecipeSource;

impl PlanFile {
    /// Sees that a plan is this one.
    ///
    /// # Errors
    ///
    /// All that differs.
    pub(in crate::cli) fn check(&self, made: &PlanOrigin<'_>) -> Result<(), CliError> {
        let now = of(made, self.salt.clone())?;
        let mut differs = Vec::new();
        if self.fan != now.fan {
            differs.push(format!("it was made by fan {}, and this is {}", self.fan, now.fan));
        }
        differs.extend(of_files("", &self.files, &now.files));
        differs.extend(of_files("local file ", &self.local_files, &now.local_files));
        differs.extend(of_hosts(&self.hosts, &now.hosts));
        if self.plan != now.plan {
            let gone = self.plan.iter().find(|line| !now.plan.contains(line));
            let new = now.plan.iter().find(|line| !self.plan.contains(line));
            let shown = |line: Option<&String>| line.map_or("nothing", |line| line.trim()).to_owned();
            differs.push(format!("the steps: \"{}\" is now \"{}\"", shown(gone), shown(new)));
        }
        if differs.is_empty() {
            return Ok(());
        }
        let problems = differs.into_iter().map(|what| Diagnostic::bare(format!("not as planned: {what}")));
        let mut problems: Vec<Diagnostic> = problems.collect();
        if let Some(last) = problems.pop() {
            problems.push(last.help(MAKE));
        }
        Err(CliError::Input(problems))
    }
}

fn of_files(what: &str, then: &[RecipeSource], now: &[RecipeSource]) -> Vec<String> {
    let by_path = |files: &[RecipeSource]| -> BTreeMap<String, Option<String>> {
        files.iter().map(|file| (file.path.clone(), file.sha256.clone())).collect()
    };
    let (then, now) = (by_path(then), by_path(now));
    let mut found = Vec::new();
    for (path, content) in &then {
        match (content, now.get(path)) {
            (_, None) => found.push(format!("{what}{path} is not read any more")),
            (content, Some(other)) if content == other => {}
            (Some(_), Some(None)) => found.push(format!("{what}{path} is gone")),
            (None, Some(_)) => found.push(format!("{what}{path} was not there")),
            (Some(_), Some(Some(_))) => found.push(format!("{what}{path} has changed")),
        }
    }
    found.extend(
        now.keys().filter(|path| !then.contains_key(*path)).map(|path| format!("{what}{path} is new")),
    );
    found
}

fn of_hosts(then: &[PlanFileHost], now: &[PlanFileHost]) -> Vec<String> {
    let named = |hosts: &[PlanFileHost]| -> BTreeMap<String, PlanFileHost> {
        hosts.iter().map(|host| (host.host.clone(), host.clone())).collect()
    };
    let (before, after) = (named(then), named(now));
    let mut found = Vec::new();
    for (name, host) in &before {
        let Some(other) = after.get(name) else {
            found.push(format!("host {name} is not among the hosts any more"));
            continue;
        };
        if host.at != other.at {
            found.push(format!("host {name} is {} now, and was {}", other.at, host.at));
        }
        if host.variables != other.variables {
            found.push(format!("variables of host {name} have other values"));
        }
    }
    found.extend(
        after.keys().filter(|name| !before.contains_key(*name)).map(|name| format!("host {name} is new")),
    );
    if found.is_empty() && then.iter().map(|host| &host.host).ne(now.iter().map(|host| &host.host)) {
        found.push("the hosts are in another order".to_owned());
    }
    found
}
