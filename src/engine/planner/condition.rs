//! `--where`, looked at before anything is contacted: its syntax, the facts and the variables that it names, on every
//! host.

use std::collections::BTreeSet;

use crate::engine::plan::PlannedHost;
use crate::engine::plan::scope::{self, IDENTITY_NAMES};
use crate::engine::planner::request::Request;
use crate::engine::planner::uses::leaves;
use crate::engine::planner::variables::name_hosts;
use crate::model::facts;
use crate::model::position::Diagnostic;
use crate::model::suggest::did_you_mean;
use crate::model::template::expand::has_template;
use crate::model::template::{self, Layer, Scope, Syntax, TemplateError, Templates};
use crate::model::value::{Value, Vars};

/// Leaves each host the variables that the expression is built on; for a command without a tasks file, which needs no
/// others. What secrets it is built on is a problem: they are read for tasks only.
pub(super) fn built_on(
    request: &Request,
    file_vars: &Vars,
    drafts: &mut [(PlannedHost, Vars)],
    only_these: bool,
    problems: &mut Vec<Diagnostic>,
) {
    let Some(condition) = &request.condition else { return };
    // A wrong syntax is told by `check`.
    let Ok(names) = template::names(condition, Syntax::Expression) else { return };
    let mut secrets = BTreeSet::new();
    for (_, vars) in drafts {
        let mut open = names.clone();
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            if request.extra_vars.contains_key(&name) || !seen.insert(name.clone()) {
                continue;
            }
            match vars.get(&name).or_else(|| file_vars.get(&name)) {
                Some(value) if has_template(value) => {
                    let mut found = BTreeSet::new();
                    leaves(value, &mut found);
                    open.extend(found);
                }
                Some(_) => {}
                None if request.secrets.named().contains(&name) => {
                    secrets.insert(name);
                }
                None => {}
            }
        }
        if only_these {
            // Those without templates need no others. (A name that a function has too is not among the seen.)
            vars.retain(|name, value| seen.contains(name) || !has_template(value));
        }
    }
    problems.extend(secrets.iter().map(|name| {
        wrong(condition, &format!("secret \"{name}\" cannot select hosts"), None)
            .help("use a variable that is not secret")
    }));
}

/// Whether hosts have to be asked what they are.
pub(crate) fn asks(condition: &str) -> bool {
    // A wrong syntax is told by `check`.
    template::names(condition, Syntax::Expression).is_ok_and(|names| names.iter().any(|name| name == "facts"))
}

/// Checks the expression against all hosts, whose variables have been filled in.
pub(super) fn check(request: &Request, hosts: &[PlannedHost], problems: &mut Vec<Diagnostic>) {
    let Some(condition) = &request.condition else { return };
    match template::check(condition, Syntax::Expression) {
        Ok(needed) => check_names(request, condition, &needed, hosts, problems),
        Err(error) => problems.push(failed(condition, error)),
    }
    // Its value would be no more than a guess.
    if !problems.is_empty() {
        return;
    }
    let extra = Layer::new(&request.extra_vars);
    let scope = |host, facts| scope::before_tasks(&request.run, &request.groups, host, facts, &extra);
    if asks(condition) {
        // What is wrong with it whatever the hosts are.
        if let Some(host) = hosts.first() {
            let sample = scope(host, Some(&facts::sample()));
            problems.extend(wrong_anyway(&request.templates, condition, &sample));
        }
        return;
    }
    let mut nobody = true;
    for host in hosts {
        match request.templates.eval_bool(condition, &scope(host, None)) {
            Ok(verdict) => nobody &= !verdict,
            Err(error) => {
                let problem = failed(condition, error);
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
    }
    if nobody && problems.is_empty() {
        problems.push(wrong(condition, "it is false on all selected hosts", None));
    }
}

/// A result that is no verdict, and filters and tests that there are not. Other errors may come of the sample.
fn wrong_anyway(templates: &Templates, condition: &str, sample: &Scope) -> Option<Diagnostic> {
    match templates.eval_value(condition, sample) {
        Ok(Value::Bool(_) | Value::Null) => None,
        Ok(_) => templates.eval_bool(condition, sample).err().map(|error| failed(condition, error)),
        Err(error) => error.message.starts_with("unknown ").then(|| failed(condition, error)),
    }
}

fn check_names(
    request: &Request,
    condition: &str,
    needed: &[String],
    hosts: &[PlannedHost],
    problems: &mut Vec<Diagnostic>,
) {
    for name in needed.iter().map(String::as_str) {
        if name == "facts" || IDENTITY_NAMES.contains(&name) || request.extra_vars.contains_key(name) {
            continue;
        }
        let lacks = |host: &&PlannedHost| !host.vars.contains(name);
        let lacking: Vec<&str> = hosts.iter().filter(lacks).map(|host| host.endpoint.name.as_str()).collect();
        // That it cannot be a secret is told already.
        if lacking.is_empty() || request.secrets.named().contains(name) {
            continue;
        }
        let column = template::place(condition, Syntax::Expression, name).map(|(_, column)| column);
        let message = format!("undefined variable \"{name}\"");
        problems.push(if lacking.len() < hosts.len() {
            let message = format!("{message} on {}", name_hosts(lacking.into_iter()));
            wrong(condition, &message, column).help(format!("give a default: {name} | default(\"\")"))
        } else {
            let known = hosts.iter().flat_map(|host| host.vars.names()).chain(IDENTITY_NAMES);
            let near = did_you_mean(name, known.chain(["facts"]));
            wrong(condition, &message, column).help(near.map_or_else(
                || "available are facts, as in facts.os.id, and the hosts' variables".to_owned(),
                |near| format!("did you mean \"{near}\"?"),
            ))
        });
    }
    problems.extend(unknown_facts(condition));
}

/// The facts of an expression that there are not.
pub(crate) fn unknown_facts(condition: &str) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for path in template::paths(condition, Syntax::Expression).unwrap_or_default() {
        let Some(field) = path.strip_prefix("facts.") else { continue };
        if let Err(near) = facts::check_field(field) {
            let problem = wrong(condition, &format!("there is no fact \"{field}\""), None);
            problems.push(problem.help(match near {
                Some(near) => format!("did you mean \"facts.{near}\"?"),
                None => "`fan facts --json` shows all of them".to_owned(),
            }));
        }
    }
    problems
}

fn failed(condition: &str, error: TemplateError) -> Diagnostic {
    let problem = wrong(condition, &error.message, error.column.filter(|_| error.line == 1));
    Diagnostic { help: error.help, ..problem }
}

fn wrong(condition: &str, message: &str, column: Option<u32>) -> Diagnostic {
    let place = column.map(|column| format!(", character {column}")).unwrap_or_default();
    Diagnostic::bare(format!("--where '{}'{place}: {message}", condition.trim_end()))
}
