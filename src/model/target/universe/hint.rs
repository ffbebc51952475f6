//! What to say when a pattern matches nothing: the nearest name, the roles, and how to write an outsider.

use crate::model::name::check_address;
use crate::model::range::{PatternError, parse_ip};
use crate::model::suggest::did_you_mean;
use crate::model::target::parse::role_spelled;
use crate::model::target::universe::hosts::{NO_INVENTORY, Outsiders, Sense, Universe, WITHOUT_INVENTORY};
use crate::model::target::universe::listed::listed;

impl<'a> Universe<'a> {
    /// The error for a word or a glob that no host answers to.
    pub(super) fn unmatched(&self, word: &str, sense: Sense) -> PatternError {
        let outsider_hint = self.outsiders == Outsiders::Welcome && sense == Sense::Adding;
        let absent = if self.bare && outsider_hint { format!(": {NO_INVENTORY}") } else { String::new() };
        let error = PatternError::at(1, format!("no host matches \"{word}\"{absent}"));
        if self.by_role.contains_key(word) {
            return error.help(format!("\"{word}\" is a role: write @{word}"));
        }
        let mut help = Vec::new();
        // Another address is no typing mistake that one could guess.
        let guess = self.guesses_left.get() > 0 && parse_ip(word).is_none();
        self.guesses_left.update(|left| left.saturating_sub(1));
        let names = || self.everyone().map(|(_, host)| host.name.as_str());
        if let Some(name) = guess.then(|| did_you_mean(word, names())).flatten() {
            help.push(format!("did you mean \"{name}\"?"));
        } else if let Some(role) = guess.then(|| did_you_mean(word, self.role_names())).flatten() {
            help.push(format!("did you mean @{role}?"));
        } else if self.outsiders == Outsiders::Refused {
            help.push("a role's hosts are listed under hosts: too".to_owned());
        } else if outsider_hint && self.bare {
            help.push(WITHOUT_INVENTORY.to_owned());
        } else if outsider_hint && check_address(word).is_ok() {
            help.push(format!("a host outside of the inventory is written {word}:22 or user@{word};"));
        }
        if !self.roles.is_empty() {
            help.push(format!("roles: {}", self.listed_roles()));
        } else if let Some(last) = help.last_mut() {
            last.truncate(last.trim_end_matches(';').len());
        }
        if help.is_empty() { error } else { error.help(help.join(" ")) }
    }

    /// The error for `@name` without such a role.
    pub(super) fn unknown_role(&self, name: &str) -> PatternError {
        let error = PatternError::at(1, format!("no role \"{name}\""));
        if name == "all" {
            return error.help("write all for every host");
        }
        if self.by_name.contains_key(name) {
            return error.help(format!("\"{name}\" is a host: write it without the @"));
        }
        if self.bare && self.roles.is_empty() {
            return PatternError::at(1, format!("no role \"{name}\": {NO_INVENTORY}"))
                .help(WITHOUT_INVENTORY);
        }
        if self.roles.is_empty() {
            return error.help("the inventory has no roles");
        }
        let guess = did_you_mean(name, self.role_names());
        let guess = guess.map(|role| format!("did you mean @{}? ", role_spelled(role))).unwrap_or_default();
        error.help(format!("{guess}roles: {}", self.listed_roles()))
    }

    fn role_names(&self) -> impl Iterator<Item = &'a str> {
        self.roles.iter().map(|role| role.name.as_str())
    }

    fn listed_roles(&self) -> String {
        let mut names: Vec<String> =
            self.role_names().map(|name| format!("@{}", role_spelled(name))).collect();
        names.sort_unstable();
        listed(names.iter().map(String::as_str), names.len())
    }
}
