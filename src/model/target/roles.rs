//! The members of roles: their expressions evaluated, nested roles first, cycles found.

use std::collections::{HashMap, VecDeque};

use crate::model::inventory::{Host, Role};
use crate::model::position::{Diagnostic, Position};
use crate::model::range::{MAX_HOSTS, PatternError};
use crate::model::suggest::did_you_mean;
use crate::model::target::parse::{self, TargetItem, TargetPattern};
use crate::model::target::universe::{HostSet, Outsiders, Sense, Universe};

/// The members of each role as ascending host indices; or everything that is wrong with the roles.
///
/// A role has the hosts of its `roles` and of its member expressions, less those of its `!` expressions.
pub fn role_members(hosts: &[Host], roles: &[Role]) -> Result<Vec<Vec<usize>>, Vec<Diagnostic>> {
    let mut universe = Universe::new(hosts, roles, Outsiders::Refused, MAX_HOSTS);
    let mut errors = Vec::new();
    let limit = MAX_HOSTS.max(hosts.len());
    let mut parsed: Vec<Parsed> = roles.iter().map(|role| parse_role(role, limit, &mut errors)).collect();
    for (role, parsed) in roles.iter().zip(&mut parsed) {
        find_needs(role, parsed, &universe, roles, &mut errors);
    }
    let (order, tangled) = in_order(&parsed);
    errors.extend(cycles(&parsed, &tangled, roles));

    let mut members: Vec<Option<Vec<usize>>> = vec![None; roles.len()];
    for index in order {
        let (Some(role), Some(parsed)) = (roles.get(index), parsed.get(index)) else { continue };
        let mut nested = HostSet::new();
        let mut whole = !parsed.broken;
        for need in &parsed.needs {
            let known = members.get(need.role).and_then(Option::as_ref);
            whole &= known.is_some();
            if need.nested {
                nested.extend(known.into_iter().flatten());
            }
        }
        // A broken expression may have been the one to take away from.
        nested.extend(&role.named);
        let base = (parsed.broken || !role.roles.is_empty() || !role.named.is_empty()).then_some(nested);
        let mut found = Vec::new();
        let set: Vec<usize> =
            universe.evaluate(&parsed.items, base, Sense::Adding, &mut found).into_iter().collect();
        whole &= found.is_empty();
        errors.extend(found.into_iter().filter_map(|(member, error)| {
            role.members.get(member).map(|member| diagnostic(&member.position, error))
        }));
        // A role with an error stays unknown, so that no second error follows from it.
        if whole {
            universe.set_members(index, set.clone());
            if let Some(slot) = members.get_mut(index) {
                *slot = Some(set);
            }
        }
    }
    if errors.is_empty() {
        return Ok(members.into_iter().map(Option::unwrap_or_default).collect());
    }
    errors.sort_by(|a, b| a.position.cmp(&b.position));
    Err(errors)
}

/// A role's expressions and the roles that must be known before it.
struct Parsed {
    /// Items, each with the index of its member expression.
    items: Vec<(usize, TargetItem)>,
    needs: Vec<RoleNeed>,
    broken: bool,
}

struct RoleNeed {
    role: usize,
    /// It stands under `roles`, rather than as `@role` in an expression.
    nested: bool,
    position: Position,
}

fn diagnostic(position: &Position, error: PatternError) -> Diagnostic {
    let column = position.column.saturating_add(error.column).saturating_sub(1);
    let position = Position { column, ..position.clone() };
    Diagnostic { help: error.help, ..Diagnostic::at(&position, error.message) }
}

fn parse_role(role: &Role, limit: usize, errors: &mut Vec<Diagnostic>) -> Parsed {
    let mut parsed = Parsed { items: Vec::new(), needs: Vec::new(), broken: false };
    for (index, member) in role.members.iter().enumerate() {
        match parse::parse(&member.value, limit) {
            Ok(items) => parsed.items.extend(items.into_iter().map(|item| (index, item))),
            Err(found) => {
                parsed.broken = true;
                errors.extend(found.into_iter().map(|error| diagnostic(&member.position, error)));
            }
        }
    }
    parsed
}

fn find_needs(
    role: &Role,
    parsed: &mut Parsed,
    universe: &Universe<'_>,
    roles: &[Role],
    errors: &mut Vec<Diagnostic>,
) {
    for nested in &role.roles {
        let name = nested.value.as_str();
        match universe.role_index(name) {
            Some(role) => {
                parsed.needs.push(RoleNeed { role, nested: true, position: nested.position.clone() });
            }
            None => {
                parsed.broken = true;
                let error = Diagnostic::at(&nested.position, format!("no role \"{name}\""));
                let guess = did_you_mean(name, roles.iter().map(|role| role.name.as_str()));
                errors.push(match guess {
                    Some(guess) => error.help(format!("did you mean \"{guess}\"?")),
                    None => error.help("only roles go under roles:; hosts go under hosts:"),
                });
            }
        }
    }
    for (member, item) in &parsed.items {
        let Some(member) = role.members.get(*member) else { continue };
        for atom in std::iter::once(&item.first).chain(item.rest.iter().map(|(_, atom)| atom)) {
            if let TargetPattern::Role(name) = &atom.pattern
                && let Some(role) = universe.role_index(name)
            {
                let column = member.position.column.saturating_add(atom.column).saturating_sub(1);
                let position = Position { column, ..member.position.clone() };
                parsed.needs.push(RoleNeed { role, nested: false, position });
            }
        }
    }
}

/// The roles in an order in which each comes after those that it needs; and which roles have no such place.
///
/// Not recursive: a chain of roles may be as long as the file.
fn in_order(parsed: &[Parsed]) -> (Vec<usize>, Vec<bool>) {
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); parsed.len()];
    let mut open: Vec<usize> = vec![0; parsed.len()];
    for (index, role) in parsed.iter().enumerate() {
        for need in &role.needs {
            if let (Some(users), Some(open)) = (needed_by.get_mut(need.role), open.get_mut(index)) {
                users.push(index);
                *open += 1;
            }
        }
    }
    let mut ready: VecDeque<usize> =
        open.iter().enumerate().filter(|(_, open)| **open == 0).map(|(index, _)| index).collect();
    let mut tangled = vec![true; parsed.len()];
    let mut order = Vec::with_capacity(parsed.len());
    while let Some(index) = ready.pop_front() {
        order.push(index);
        if let Some(tangled) = tangled.get_mut(index) {
            *tangled = false;
        }
        for &user in needed_by.get(index).into_iter().flatten() {
            if let Some(open) = open.get_mut(user) {
                *open = open.saturating_sub(1);
                if *open == 0 {
                    ready.push_back(user);
                }
            }
        }
    }
    (order, tangled)
}

/// One diagnostic for each cycle among the tangled roles, at the reference that closes it.
fn cycles(parsed: &[Parsed], tangled: &[bool], roles: &[Role]) -> Vec<Diagnostic> {
    let is_tangled = |role: usize| tangled.get(role).copied().unwrap_or(false);
    let mut seen = vec![false; parsed.len()];
    let mut errors = Vec::new();
    for start in (0..parsed.len()).filter(|&role| is_tangled(role)) {
        let mut path: Vec<usize> = Vec::new();
        let mut place: HashMap<usize, usize> = HashMap::new();
        let mut current = start;
        // Every tangled role needs a tangled one, so the walk ends in a cycle or where an earlier walk was.
        while seen.get(current) == Some(&false) {
            if let Some(seen) = seen.get_mut(current) {
                *seen = true;
            }
            place.insert(current, path.len());
            path.push(current);
            let needs = parsed.get(current).map(|role| role.needs.as_slice()).unwrap_or_default();
            let Some(need) = needs.iter().find(|need| is_tangled(need.role)) else { break };
            if let Some(first) = place.get(&need.role) {
                let names = path.iter().skip(*first).chain([&need.role]);
                let names: Vec<&str> =
                    names.filter_map(|&role| roles.get(role)).map(|role| role.name.as_str()).collect();
                errors.push(Diagnostic::at(&need.position, format!("role cycle: {}", names.join(" -> "))));
                break;
            }
            current = need.role;
        }
    }
    errors
}
