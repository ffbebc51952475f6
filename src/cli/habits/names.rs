//! Hosts, roles and tasks where a command line has them in another tool's place.

use crate::cli::args::ExecArgs;
use crate::cli::habits::flags::quoted;
use crate::cli::habits::verbs::verb;
use crate::config;
use crate::model::call::TaskCall;
use crate::model::inventory::Inventory;
use crate::model::name::check_address;
use crate::model::position::Diagnostic;
use crate::model::suggest::did_you_mean;
use crate::model::target;
use crate::model::task::TaskFile;

/// What a word is, as far as the inventory can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum NamedHosts {
    /// A role.
    Role(String),
    /// Hosts, as an expression for `-H`.
    Hosts(String),
}

impl NamedHosts {
    /// Looks a word up. Without an inventory only what can be nothing but a host is one.
    pub(in crate::cli) fn of(text: &str, inventory: &Inventory) -> Option<Self> {
        let role = text.strip_prefix('@').unwrap_or(text);
        if inventory.roles.iter().any(|known| known.name.as_str() == role) {
            return Some(Self::Role(role.to_owned()));
        }
        let marked = text.contains(['@', '*', '[', ',']) && !text.contains(['=', '/']);
        let listed = text == "all" || inventory.hosts.iter().any(|host| host.name.as_str() == text);
        let known = || target::select(&mut inventory.clone(), &[text], &[]).is_ok();
        ((listed || marked) && known()).then(|| Self::Hosts(text.to_owned()))
    }

    /// How it is selected: `-R web`, `-H web1`.
    pub(in crate::cli) fn flag(&self) -> String {
        match self {
            Self::Role(role) => format!("-R {role}"),
            Self::Hosts(hosts) => format!("-H {}", quoted(hosts)),
        }
    }

    /// What it is, with its name.
    pub(in crate::cli) fn what(&self) -> String {
        match self {
            Self::Role(role) => format!("\"{role}\" is a role"),
            Self::Hosts(hosts) if hosts == "all" => "\"all\" stands for all hosts".to_owned(),
            Self::Hosts(hosts) if hosts.contains(['*', '?', '[', '{', ',', '&', '!']) => {
                format!("\"{hosts}\" stands for hosts")
            }
            Self::Hosts(host) => format!("\"{host}\" is a host"),
        }
    }
}

/// How the hosts of a word are selected, when nothing is known about it but that it stands for hosts.
pub(in crate::cli) fn selection_of(text: &str, inventory: &Inventory) -> String {
    NamedHosts::of(text, inventory).unwrap_or_else(|| NamedHosts::Hosts(text.to_owned())).flag()
}

/// The command line of `fan exec` with these words.
pub(in crate::cli) fn exec_on(flag: &str, words: &[String]) -> String {
    match words.first() {
        None => format!("fan exec {flag} -- CMD"),
        Some(first) if first.starts_with('-') => format!("fan exec {flag} {}", words.join(" ")),
        Some(_) => format!("fan exec {flag} -- {}", words.join(" ")),
    }
}

/// What was probably meant by `fan exec` without hosts.
pub(in crate::cli) fn instead_of_hosts(args: &ExecArgs, inventory: &Inventory) -> Option<String> {
    let (first, rest) = args.command.split_first()?;
    let known = NamedHosts::of(first, inventory);
    if args.execution.warn_only {
        let hosts = known.unwrap_or_else(|| NamedHosts::Hosts(first.clone()));
        return Some(format!("-w is --warn-only; hosts are -H: {}", exec_on(&hosts.flag(), rest)));
    }
    if let Some(hosts) = known {
        return Some(format!("{}: {}", hosts.what(), exec_on(&hosts.flag(), rest)));
    }
    if let Some(gateway) = &args.execution.connection.gateway {
        return Some(format!("-g is the gateway; a role's hosts are -R {gateway}"));
    }
    let is_selection = |word: &&String| ["-H", "-R", "--hosts", "--roles"].contains(&word.as_str());
    let flag = rest.iter().find(is_selection)?;
    Some(format!("what follows \"{first}\" belongs to the command: put {flag} before it"))
}

/// What is wrong with tasks that the file does not have: each with what was probably meant.
pub(in crate::cli) fn unknown_tasks(
    calls: &[TaskCall],
    file: &TaskFile,
    inventory: &Inventory,
    warn_only: bool,
) -> Vec<Diagnostic> {
    let is_known = |call: &&TaskCall| file.tasks.contains_key(&call.task);
    let known = calls.iter().find(is_known).map_or("TASK", |call| call.task.as_str());
    let unknown = calls.iter().filter(|call| !is_known(call));
    unknown
        .map(|call| {
            let name = call.task.as_str();
            let problem = Diagnostic::bare(format!("no task \"{name}\" in {}", file.file));
            if let Some(hosts) = NamedHosts::of(name, inventory) {
                let habit = if warn_only { "-w is --warn-only; " } else { "" };
                return problem.help(format!(
                    "{}: {habit}write fan run {known} {}",
                    hosts.what(),
                    hosts.flag()
                ));
            }
            if let Some(near) = did_you_mean(name, file.tasks.keys().map(String::as_str)) {
                return problem.help(format!("did you mean \"{near}\"?"));
            }
            if let Some(foreign) = config::foreign_file(name.as_ref()) {
                return problem.help(foreign);
            }
            if let Some(here) = verb(name) {
                return problem.help(format!("`fan list` shows the tasks; `{here}` may be what you mean"));
            }
            let list = "`fan list` shows the tasks";
            let command = known == "TASK" && check_address(name).is_ok();
            problem.help(if command {
                format!("{list}; a command for hosts is `fan exec -H HOSTS -- {name}`")
            } else {
                list.to_owned()
            })
        })
        .collect()
}
