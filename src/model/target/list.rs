//! Lists of hosts that an expression names as `^FILE`: every name in one is a host, whether an inventory knows it or not.

use crate::model::inventory::Inventory;
use crate::model::position::{Diagnostic, Located, Position};
use crate::model::range::PatternError;
use crate::model::target::parse::{self, TargetPattern};
use crate::model::target::universe::{HostSet, Outsiders, Universe};

/// The lists that an expression names. Whatever else is wrong with it is not told here.
pub fn lists_in(expression: &str, max_hosts: usize) -> Vec<String> {
    let Ok(items) = parse::parse(expression, max_hosts) else { return Vec::new() };
    let atoms = items
        .into_iter()
        .flat_map(|item| [item.first].into_iter().chain(item.rest.into_iter().map(|(_, atom)| atom)));
    atoms
        .filter_map(|atom| match atom.pattern {
            TargetPattern::List(name) => Some(name),
            TargetPattern::All
            | TargetPattern::Role(_)
            | TargetPattern::Block(_)
            | TargetPattern::Glob(_)
            | TargetPattern::Names { .. } => None,
        })
        .collect()
}

/// Makes a list known to an inventory. Hosts of the inventory stay what they are; the others join it as hosts of none.
///
/// # Errors
///
/// Everything in it that is not the name or the address of a host, at its place.
pub fn admit_list(
    inventory: &mut Inventory,
    name: &str,
    hosts: &[Located<String>],
    max_hosts: usize,
) -> Result<(), Vec<Diagnostic>> {
    let limit = max_hosts.max(inventory.hosts.len());
    let mut universe = Universe::new(&inventory.hosts, &inventory.roles, Outsiders::Listed, max_hosts);
    let mut members = HostSet::new();
    let mut problems = Vec::new();
    for host in hosts {
        let mut report = |error: PatternError| problems.push(diagnostic(&host.position, error));
        match parse::parse(&host.value, limit) {
            Ok(items) => {
                for item in items {
                    if item.negated || !item.rest.is_empty() {
                        let error = PatternError::at(item.first.column, "\"!\" and \"&\" in a list of hosts");
                        report(error.help("a list has hosts, -x leaves some out"));
                        continue;
                    }
                    match universe.listed(&item.first) {
                        Ok(found) => members.extend(found),
                        Err(error) => report(error.within(item.first.column)),
                    }
                }
            }
            Err(errors) => errors.into_iter().for_each(report),
        }
    }
    let staged = universe.into_staged();
    if !problems.is_empty() {
        return Err(problems);
    }
    let members = staged.admit(inventory, &members);
    inventory.lists.insert(name.to_owned(), members);
    Ok(())
}

fn diagnostic(position: &Position, error: PatternError) -> Diagnostic {
    let column = position.column.saturating_add(error.column).saturating_sub(1);
    let position = Position::new(position.file.clone(), position.line, column);
    Diagnostic { help: error.help, ..Diagnostic::at(&position, error.message) }
}
