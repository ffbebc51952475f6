//! A selection of hosts: what is meant less what is excluded, with every error at its place.

use std::fmt;
use std::sync::Arc;

use crate::model::inventory::Inventory;
use crate::model::name::hidden_character;
use crate::model::position::Diagnostic;
use crate::model::range::{MAX_HOSTS, PatternError};
use crate::model::target::ansible;
use crate::model::target::parse;
use crate::model::target::parse::TargetItem;
use crate::model::target::universe::{HostSet, Outsiders, Sense, Universe};

/// Which expression of a selection an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetPlace {
    /// The one at this index of `include`.
    Include(usize),
    /// The one at this index of `exclude`.
    Exclude(usize),
    /// The selection as a whole.
    Selection,
}

/// What is wrong with a selection of hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetError {
    /// In which expression.
    pub place: TargetPlace,
    /// Its text, cut off before a password; empty when the selection as a whole is wrong.
    ///
    /// Show this and never the text that was passed in.
    pub expression: Arc<str>,
    /// Character in `expression`, from 1.
    pub column: u32,
    /// Lowercase fragment.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl TargetError {
    /// Two lines that point at the character: the expression, and a caret below it.
    ///
    /// `None` when there is no expression to show, or when it would not show as it is.
    pub fn caret(&self) -> Option<String> {
        let plain = hidden_character(&self.expression).is_none();
        let indent = usize::try_from(self.column).ok()?.saturating_sub(1);
        (plain && !self.expression.is_empty()).then(|| format!("{}\n{:indent$}^", self.expression, ""))
    }

    fn new(place: TargetPlace, expression: Arc<str>, error: PatternError) -> Self {
        Self { place, expression, column: error.column, message: error.message, help: error.help }
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TargetError {}

impl From<TargetError> for Diagnostic {
    fn from(error: TargetError) -> Self {
        Self { help: error.help, ..Self::bare(error.message) }
    }
}

/// Selects hosts: the union of `include` less `exclude`, as ascending indices, at most [`MAX_HOSTS`] of them new.
///
/// See [`select_within`].
pub fn select(
    inventory: &mut Inventory,
    include: &[&str],
    exclude: &[&str],
) -> Result<Vec<usize>, Vec<TargetError>> {
    select_within(inventory, include, exclude, MAX_HOSTS)
}

/// Selects hosts: the union of `include` less `exclude`, as ascending indices into the inventory's hosts.
///
/// Selected hosts of no inventory (`user@addr:port`) are appended to it; a selected inventory host that was
/// written with a user or a port gets these as its own settings. On error the inventory stays as it was. An
/// expression may expand to `max_hosts` hosts, and so many may be appended.
pub fn select_within(
    inventory: &mut Inventory,
    include: &[&str],
    exclude: &[&str],
    max_hosts: usize,
) -> Result<Vec<usize>, Vec<TargetError>> {
    let whole = |message: &str, help: &str| {
        let error = PatternError::at(1, message).help(help);
        Err(vec![TargetError::new(TargetPlace::Selection, Arc::from(""), error)])
    };
    if include.is_empty() {
        return whole("no hosts given", "name them: -H web1, -R web, or -H all for the whole inventory");
    }
    let limit = max_hosts.max(inventory.hosts.len());
    let mut errors = Vec::new();
    let is_role = |name: &str| inventory.roles.iter().any(|role| role.name.as_str() == name);
    let mut includes = parse_list(include, limit, TargetPlace::Include, is_role, &mut errors);
    let base = (!errors.is_empty()).then(HostSet::new);
    if base.is_some() {
        // Judged alone, `!` patterns would give errors that follow from those already found.
        includes.retain(|(_, item)| !item.negated);
    }
    let excludes = parse_list(exclude, limit, TargetPlace::Exclude, is_role, &mut errors);

    let mut universe = Universe::new(&inventory.hosts, &inventory.roles, Outsiders::Welcome, max_hosts);
    for (role, members) in inventory.members.iter().enumerate() {
        universe.set_members(role, members);
    }
    universe.set_lists(&inventory.lists);
    let mut found = Vec::new();
    let mut selected = universe.evaluate(&includes, base, Sense::Adding, &mut found);
    errors.extend(located(TargetPlace::Include, include, found));
    // What is excluded may be an outsider that only a good `include` brings in.
    if errors.is_empty() && !excludes.is_empty() {
        let mut found = Vec::new();
        let removed = universe.evaluate(&excludes, None, Sense::Refining, &mut found);
        errors.extend(located(TargetPlace::Exclude, exclude, found));
        selected.retain(|host| !removed.contains(host));
    }
    let staged = universe.into_staged();
    if !errors.is_empty() {
        errors.sort_by_key(|error| (error.place, error.column));
        return Err(errors);
    }
    if selected.is_empty() {
        return whole("no hosts left in the selection", "`fan hosts` shows the hosts to select from");
    }
    Ok(staged.admit(inventory, &selected))
}

/// Puts the text of its expression to each error.
fn located(
    place: fn(usize) -> TargetPlace,
    texts: &[&str],
    found: Vec<(usize, PatternError)>,
) -> Vec<TargetError> {
    // Shared: a long expression may have an error in each of its parts.
    let texts: Vec<Arc<str>> = if found.is_empty() {
        Vec::new()
    } else {
        texts.iter().map(|text| Arc::from(parse::presentable(text))).collect()
    };
    let text = |index: usize| texts.get(index).map(Arc::clone).unwrap_or_default();
    found.into_iter().map(|(index, error)| TargetError::new(place(index), text(index), error)).collect()
}

/// Parses each expression of a list; its errors go to `errors`, its items stay with its index.
fn parse_list(
    expressions: &[&str],
    limit: usize,
    place: fn(usize) -> TargetPlace,
    is_role: impl Fn(&str) -> bool,
    errors: &mut Vec<TargetError>,
) -> Vec<(usize, TargetItem)> {
    let mut items = Vec::new();
    let mut found = Vec::new();
    for (index, expression) in expressions.iter().enumerate() {
        match parse::parse(expression, limit) {
            Ok(parsed) => items.extend(parsed.into_iter().map(|item| (index, item))),
            Err(wrong) => match ansible::translated(expression, &is_role) {
                Some(meant) => {
                    let error = PatternError::at(1, "an Ansible pattern").help(format!("write '{meant}'"));
                    found.push((index, error));
                }
                None => found.extend(wrong.into_iter().map(|error| (index, error))),
            },
        }
    }
    errors.extend(located(place, expressions, found));
    items
}
