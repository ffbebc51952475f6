//! What commands cannot outlive their connection, and are to: refused before anything is contacted.

use crate::engine::plan::{PlannedHost, PlannedTask};
use crate::model::action::Properties;
use crate::model::position::Diagnostic;
use crate::model::settings::OnDisconnect;
use crate::model::task::Step;

/// Refuses what cannot be.
pub(super) fn check(tasks: &[PlannedTask], hosts: &[PlannedHost], problems: &mut Vec<Diagnostic>) {
    for task in tasks {
        for planned in &task.steps {
            let step = &planned.step;
            if !Properties::takes(step.action.properties(), "durable") {
                continue;
            }
            let members = task.hosts.iter().filter_map(|member| hosts.get(member.host));
            for host in members.filter(|host| host.makes_durable(step)) {
                let Some((what, help)) = obstacle(step, host) else { continue };
                let message = format!("a durable command cannot have {what}");
                let problem = match (&step.durable, &host.durable) {
                    (Some(durable), _) if durable.position.line > 0 => {
                        Diagnostic::at(&durable.position, message)
                    }
                    (None, Some(_)) if step.position.line > 0 => Diagnostic::at(
                        &step.position,
                        format!("{message}: {} has \"durable\"", host.endpoint.name),
                    ),
                    _ => Diagnostic::bare(message),
                };
                let problem = problem.help(help);
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
    }
}

fn obstacle(step: &Step, host: &PlannedHost) -> Option<(&'static str, &'static str)> {
    if step.dialogue.pty {
        return Some((
            "a terminal (`pty`): that ends with the connection",
            "leave `pty` out, or write `durable: false`",
        ));
    }
    match host.on_disconnect {
        OnDisconnect::Leave => None,
        OnDisconnect::Kill => Some((
            "`on_disconnect: kill`: the one outlives the connection, the other ends with it",
            "leave one of them out",
        )),
    }
}
