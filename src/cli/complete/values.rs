//! Candidates for values: hosts and roles in target expressions, tasks with their parameters, variables, tags, runs.

use std::collections::BTreeSet;

use clap_complete::CompletionCandidate;

use crate::cli::complete::project::Project;
use crate::cli::{explain, state};
use crate::model::target::role_spelled;
use crate::model::task::{Action, Step, Task};
use crate::model::value::Value;

/// Hosts that a shell is given by name; more are given by what their names begin with.
const HOSTS_MAX: usize = 500;

/// Where a value of these arguments comes from, by the names of their fields.
pub(super) fn of(argument: &str) -> Option<fn(&Project, &str) -> Vec<CompletionCandidate>> {
    Some(match argument {
        "hosts" | "exclude" | "host" | "gateway" => hosts,
        "roles" | "confirm" => roles,
        "tasks" => tasks,
        "set" => variables,
        "only" | "skip" => tags,
        "run" => runs,
        "profile" => profiles,
        "topic" => topics,
        _ => return None,
    })
}

fn plain(value: impl Into<String>) -> CompletionCandidate {
    CompletionCandidate::new(value.into())
}

fn described(value: impl Into<String>, what: impl Into<String>) -> CompletionCandidate {
    let what: String = what.into();
    let candidate = plain(value);
    if what.is_empty() { candidate } else { candidate.help(Some(what.into())) }
}

/// The last pattern of a target expression.
fn hosts(project: &Project, typed: &str) -> Vec<CompletionCandidate> {
    let mut depth = 0_i32;
    let mut start = 0;
    let mut is_quoted = false;
    for (at, c) in typed.char_indices() {
        is_quoted ^= c == '"';
        if is_quoted {
            continue;
        }
        depth += i32::from(matches!(c, '[' | '{')) - i32::from(matches!(c, ']' | '}'));
        if depth == 0 && matches!(c, ',' | '&' | '!') {
            start = at + c.len_utf8();
        }
    }
    let (before, pattern) = typed.split_at(start);
    let inventory = project.inventory();
    let role = |name: &str| format!("{before}@{}", role_spelled(name));
    let roles = inventory.roles.iter().filter(|_| pattern.is_empty() || pattern.starts_with('@'));
    let roles = roles.map(|known| described(role(known.name.as_str()), "role"));
    let names =
        || inventory.hosts.iter().map(|host| host.name.as_str()).filter(|name| name.starts_with(pattern));
    let all = Some("all").filter(|all| !inventory.hosts.is_empty() && all.starts_with(pattern));
    let all = all.map(|all| described(format!("{before}{all}"), "every host"));
    let hosts: Vec<String> = if names().nth(HOSTS_MAX).is_some() {
        beginnings(names, pattern).into_iter().take(HOSTS_MAX).collect()
    } else {
        names().map(str::to_owned).collect()
    };
    roles.chain(all).chain(hosts.into_iter().map(|host| plain(format!("{before}{host}")))).collect()
}

/// What many names begin with, as far as they differ: a single one would be taken for a host.
fn beginnings<'n, N: Iterator<Item = &'n str>>(names: impl Fn() -> N, typed: &str) -> BTreeSet<String> {
    let mut typed = typed.to_owned();
    loop {
        let stems: BTreeSet<String> = names().map(|name| stem(name, &typed)).collect();
        match stems.first() {
            Some(only) if stems.len() == 1 && *only != typed => typed.clone_from(only),
            Some(_) | None => return stems,
        }
    }
}

/// What a name begins with, a little further than what was typed: up to the end of the next run of digits or of others.
fn stem(name: &str, typed: &str) -> String {
    let rest = name.get(typed.len()..).unwrap_or_default();
    let is_digit = rest.starts_with(|c: char| c.is_ascii_digit());
    let end = if is_digit {
        rest.chars().next().map_or(0, char::len_utf8)
    } else {
        rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len())
    };
    format!("{typed}{}", rest.get(..end).unwrap_or_default())
}

/// Roles; commas between them are known to clap.
fn roles(project: &Project, _: &str) -> Vec<CompletionCandidate> {
    project.inventory().roles.iter().map(|role| plain(role.name.as_str())).collect()
}

/// `deploy`, and behind its colon the parameters that are not given yet, and their values.
pub(super) fn tasks(project: &Project, typed: &str) -> Vec<CompletionCandidate> {
    let Some(file) = project.tasks() else { return Vec::new() };
    let Some((name, arguments)) = typed.split_once(':') else {
        let shown = file.tasks.values().filter(|task| !task.private);
        return shown.map(|task| described(called(task), task.desc.as_deref().unwrap_or_default())).collect();
    };
    let Some(task) = file.tasks.get(name) else { return Vec::new() };
    let (before, last) = arguments.rsplit_once(',').map_or(("", arguments), |(before, last)| (before, last));
    let head = if before.is_empty() { format!("{name}:") } else { format!("{name}:{before},") };
    if let Some((parameter, _)) = last.split_once('=') {
        let default = task.params.get(parameter).and_then(Option::as_ref);
        return defaults(default).map(|value| plain(format!("{head}{parameter}={value}"))).collect();
    }
    let given: Vec<&str> =
        before.split(',').filter_map(|argument| argument.split_once('=')).map(|(name, _)| name).collect();
    let open = task.params.iter().filter(|(name, _)| !given.contains(&name.as_str()));
    open.map(|(name, default)| described(format!("{head}{name}="), about(default.as_ref()))).collect()
}

/// A task as it begins: with a colon when it must have arguments.
fn called(task: &Task) -> String {
    let required = task.params.values().any(Option::is_none);
    if required { format!("{}:", task.name) } else { task.name.to_string() }
}

fn defaults(default: Option<&Value>) -> impl Iterator<Item = String> {
    let values = match default {
        Some(Value::Bool(_)) => vec!["true".to_owned(), "false".to_owned()],
        Some(Value::String(text)) if !text.contains("{{") => vec![text.clone()],
        Some(Value::Number(number)) => vec![number.to_string()],
        Some(Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_)) | None => Vec::new(),
    };
    values.into_iter()
}

fn about(default: Option<&Value>) -> String {
    match default {
        None => "required".to_owned(),
        Some(Value::String(text)) => format!("default: {text}"),
        Some(value) => format!("default: {value}"),
    }
}

/// Variables: parameters of the tasks that are called, and those of the tasks file.
fn variables(project: &Project, typed: &str) -> Vec<CompletionCandidate> {
    let Some(file) = project.tasks().filter(|_| !typed.contains('=')) else { return Vec::new() };
    let is_called = |task: &&Task| {
        project.called.is_empty() || project.called.iter().any(|called| **called == *task.name)
    };
    let params = file.tasks.values().filter(is_called).flat_map(|task| task.params.keys());
    let names: BTreeSet<&str> =
        params.chain(file.vars.keys()).chain(file.secrets.keys()).map(String::as_str).collect();
    names.into_iter().map(|name| plain(format!("{name}="))).collect()
}

fn tags(project: &Project, _: &str) -> Vec<CompletionCandidate> {
    fn of_steps<'t>(steps: &'t [Step], tags: &mut BTreeSet<&'t str>) {
        for step in steps {
            tags.extend(step.tags.iter().map(String::as_str));
            if let Action::Block(block) = &step.action {
                [&block.steps, &block.rescue, &block.always]
                    .into_iter()
                    .for_each(|steps| of_steps(steps, tags));
            }
        }
    }
    let mut tags = BTreeSet::new();
    for task in project.tasks().iter().flat_map(|file| file.tasks.values()) {
        of_steps(&task.steps, &mut tags);
    }
    tags.into_iter().map(plain).collect()
}

fn profiles(project: &Project, _: &str) -> Vec<CompletionCandidate> {
    project.files.profiles().into_iter().chain(["none"]).map(plain).collect()
}

fn topics(_: &Project, _: &str) -> Vec<CompletionCandidate> {
    explain::topics().into_iter().map(|(what, topic)| described(topic, what)).collect()
}

/// Earlier runs, the newest first.
fn runs(_: &Project, _: &str) -> Vec<CompletionCandidate> {
    const SHOWN: usize = 50;
    let Ok(runs) = state::runs() else { return Vec::new() };
    let names = runs.names().unwrap_or_default();
    let titled = |name: String| {
        let title = runs.entry(&name).map(|entry| entry.recipe.title).unwrap_or_default();
        described(name, title)
    };
    [described("last", "the newest run")]
        .into_iter()
        .chain(names.into_iter().take(SHOWN).map(titled))
        .collect()
}
