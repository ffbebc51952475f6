//! `local` steps that do the same once for every host: rarely what was meant, and worth a warning.

use std::collections::{HashMap, HashSet};

use crate::engine::plan::scope::HOST_VARS;
use crate::engine::plan::{Body, Item, PlannedBlock, PlannedHost, PlannedStep, PlannedTask};
use crate::event::Section;
use crate::model::action::FACTS;
use crate::model::count::counted;
use crate::model::position::Diagnostic;
use crate::model::task::{Action, Command};
use crate::model::template::{self, Syntax};

/// Names whose values differ from host to host.
const OF_A_HOST: [&str; 9] =
    ["host", "address", "port", "user", "roles", "host_index", "batch", FACTS, HOST_VARS];

/// The beginning of the environment's variables that say which host a command is for.
const OF_THE_ENVIRONMENT: &str = "FAN_";

/// A warning for each such step.
pub(super) fn warnings(tasks: &[PlannedTask], hosts: &[PlannedHost]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    // What steps define is that of their host, unless one did it for all.
    let mut defined: HashMap<&str, bool> = HashMap::new();
    for task in tasks {
        for PlannedStep { step, .. } in &task.steps {
            for name in step.definitions() {
                let for_all = (task.run_once || step.run_once) && name != FACTS;
                *defined.entry(name).or_insert(true) &= for_all;
            }
        }
    }
    for task in tasks.iter().filter(|task| !task.run_once && task.hosts.len() > 1) {
        let mut search =
            EqualSearch { task, hosts, defined: &defined, same: HashMap::new(), found: &mut found };
        let Body { main, rescue: _, always } = &task.body;
        for items in [main, always].into_iter().chain(task.handlers.iter().map(|handler| &handler.items)) {
            search.items(items, false);
        }
    }
    found
}

struct EqualSearch<'a> {
    task: &'a PlannedTask,
    hosts: &'a [PlannedHost],
    defined: &'a HashMap<&'a str, bool>,
    /// What is known of names already.
    same: HashMap<String, bool>,
    found: &'a mut Vec<Diagnostic>,
}

impl EqualSearch<'_> {
    /// `differs`: what stands around them is not done on all hosts alike.
    fn items(&mut self, items: &[Item], differs: bool) {
        for item in items {
            match item {
                Item::Step(index) => self.step(*index, differs),
                Item::Block(PlannedBlock { when, call, locals: _, body }) => {
                    let names = when.iter().flat_map(|when| names(&when.value, Syntax::Expression));
                    let differs =
                        differs || call.is_some() || names.into_iter().any(|name| !self.is_same(&name));
                    self.items(&body.main, differs);
                    self.items(&body.always, differs);
                }
            }
        }
    }

    fn step(&mut self, index: usize, differs: bool) {
        let Some(PlannedStep { step, section, locals, .. }) = self.task.steps.get(index) else { return };
        let Action::Local(command) = &step.action else { return };
        // What is registered is a result of each host's own: a time, a number drawn.
        if differs || step.run_once || step.register.is_some() || *section == Section::Rescue {
            return;
        }
        let told_by_environment = match command {
            Command::Script(script) => script.value.contains(OF_THE_ENVIRONMENT),
            Command::Argv(words) | Command::Program(words) => {
                words.iter().any(|word| word.value.contains(OF_THE_ENVIRONMENT))
            }
            Command::Raw(_) => true,
        };
        let texts = step.texts();
        let used: HashSet<String> =
            texts.iter().flat_map(|text| names(&text.text.value, text.syntax)).collect();
        // An item is what the list says, which is looked at with the rest.
        let item = |name: &String| step.each.is_some() && locals.contains(name);
        if told_by_environment || used.iter().any(|name| !item(name) && !self.is_same(name)) {
            return;
        }
        let message = format!(
            "`local` runs once for each of {}, and does the same for all of them",
            counted(self.task.hosts.len(), "host")
        );
        let help = "`run_once: true` runs it once; {{ host }} or $FAN_HOST tells the hosts apart";
        self.found.push(Diagnostic::at(&step.position, message).help(help).warning());
    }

    /// Whether a name has the same value on all hosts of the task, as far as that is known.
    fn is_same(&mut self, name: &str) -> bool {
        if OF_A_HOST.contains(&name) {
            return false;
        }
        if let Some(&for_all) = self.defined.get(name) {
            return for_all;
        }
        if let Some(&same) = self.same.get(name) {
            return same;
        }
        let values = self.task.hosts.iter().map(|member| {
            let own = member.vars.value(name);
            own.or_else(|| self.hosts.get(member.host).and_then(|host| host.vars.value(name)))
        });
        let mut values = values;
        let first = values.next().flatten();
        let same = values.all(|value| value == first);
        self.same.insert(name.to_owned(), same);
        same
    }
}

fn names(text: &str, syntax: Syntax) -> Vec<String> {
    template::names(text, syntax).unwrap_or_default()
}
