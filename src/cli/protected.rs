//! Roles with `protect: true`: before anything is contacted, someone names the role that the run is about to touch.
//!
//! Nothing else counts as an answer, `--yes` least of all: it is there for questions whose answer is always the same.

use std::collections::HashMap;

use crate::cli::ask;
use crate::cli::error::{CliError, talk};
use crate::engine::plan::Plan;
use crate::model::inventory::Inventory;
use crate::model::position::Diagnostic;
use crate::model::range;

/// Characters of a list of hosts in the question; a list of ten thousand would push the question off the screen.
const LONGEST_LIST: usize = 200;

/// Whether a plan needs someone's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard<'a> {
    /// No: it changes nothing, or not on these hosts.
    Off,
    /// Yes, unless `--confirm` has named the role.
    On {
        /// The roles of `--confirm`.
        confirmed: &'a [String],
    },
}

impl<'a> Guard<'a> {
    /// The guard of a plan that changes something, or of one that does not.
    pub(super) fn of(changes_something: bool, confirmed: &'a [String]) -> Self {
        if changes_something { Self::On { confirmed } } else { Self::Off }
    }
}

/// A protected role that a plan touches.
struct Touched {
    role: String,
    hosts: usize,
    list: String,
}

/// Asks for the name of each protected role whose hosts the plan touches; returns those that were agreed to now.
///
/// # Errors
///
/// Another word was typed, or there is nobody to ask.
pub(super) fn agreed(inventory: &Inventory, plan: &Plan, guard: Guard<'_>) -> Result<Vec<String>, CliError> {
    let Guard::On { confirmed } = guard else { return Ok(Vec::new()) };
    if !inventory.roles.iter().any(|role| role.protect) {
        return Ok(Vec::new());
    }
    // Not those that only keep a lock: nothing is done there.
    let hosts = plan.hosts.iter().chain(&plan.delegates);
    let dialled: HashMap<&str, &str> =
        hosts.map(|host| (host.endpoint.name.as_str(), host.endpoint.address.as_ref())).collect();
    let touched = inventory.protected(&dialled).into_iter().map(|(role, hosts)| {
        let hosts: Vec<&str> = hosts.into_iter().map(|host| host.as_str()).collect();
        Touched { role: role.to_string(), hosts: hosts.len(), list: shortened(&range::fold(&hosts)) }
    });
    let open: Vec<Touched> = touched.filter(|touched| !confirmed.contains(&touched.role)).collect();
    if !open.is_empty() && !ask::can_ask() {
        return Err(CliError::Input(open.iter().map(|touched| unasked(touched, &plan.title)).collect()));
    }
    for touched in &open {
        talk(&format!("{}: {}", plan.title, about(touched)));
        let typed = ask::line("type the name of the role to continue: ")?;
        if typed != touched.role {
            return Err(refused(&typed, touched).into());
        }
    }
    Ok(open.into_iter().map(|touched| touched.role).collect())
}

fn about(touched: &Touched) -> String {
    let Touched { role, hosts, list } = touched;
    format!("{hosts} {} of the protected role {role} ({list})", if *hosts == 1 { "host" } else { "hosts" })
}

fn unasked(touched: &Touched, title: &str) -> Diagnostic {
    let message = format!("{title}: {}, and there is no terminal to ask on, or CI is set", about(touched));
    Diagnostic::bare(message).help(format!("to confirm, add --confirm {}; --yes does not", touched.role))
}

fn refused(typed: &str, touched: &Touched) -> Diagnostic {
    let role = &touched.role;
    let message = match typed {
        "" => format!("the protected role {role} was not confirmed"),
        other => format!("{other:?} is not {role:?}"),
    };
    Diagnostic::bare(format!("{message}: nothing was contacted"))
}

fn shortened(list: &str) -> String {
    match list.char_indices().nth(LONGEST_LIST) {
        Some((end, _)) => format!("{}…", list.get(..end).unwrap_or_default()),
        None => list.to_owned(),
    }
}
