//! Variables of a plan: templates in them expanded, and every name that a step needs shown to exist.
//!
//! Text of the operator's files is a template once, here, before any host is contacted; text from hosts
//! comes later and is never one.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::engine::plan::{PlannedHost, TaskHost};
use crate::engine::planner::{Arguments, Request};
use crate::engine::step::BUILT_IN_NAMES;
use crate::model::position::{Diagnostic, Located, Position};
use crate::model::suggest::did_you_mean;
use crate::model::task::{Action, Command, Step, Task, Template, TemplateText};
use crate::model::template::{self, Layer, Scope, Syntax, Templates};
use crate::model::value::{Value, Vars};

/// Hosts named in one message, at most.
const NAMED_HOSTS: usize = 5;

/// Variables may build on others this deep.
const MAX_DEPTH: usize = 16;

/// The variables of all hosts while the tasks are planned one after the other.
pub(super) struct Variables<'a> {
    request: &'a Request,
    /// The command line's variables.
    extra: Layer,
    /// What `set` and `register` of earlier steps define, for each host.
    defined: Vec<HashSet<String>>,
}

impl<'a> Variables<'a> {
    /// Lays the tasks file's variables under each host's own and expands templates in them.
    pub(super) fn new(
        request: &'a Request,
        file_vars: &Vars,
        drafts: Vec<(PlannedHost, Vars)>,
        problems: &mut Vec<Diagnostic>,
    ) -> (Self, Vec<PlannedHost>) {
        let extra = Layer::new(&request.extra_vars);
        let mut found = Grouped::default();
        let mut hosts = Vec::with_capacity(drafts.len());
        for (mut host, own) in drafts {
            let mut vars = file_vars.clone();
            vars.extend(own);
            match expand(&request.templates, &vars, &[identity(&host)], &extra) {
                Ok(expanded) => host.vars = Layer::new(&expanded),
                Err(problem) => {
                    found.add(problem, &host);
                    // The names are there all the same: that steps use them is no second mistake.
                    host.vars = Layer::new(&vars);
                }
            }
            hosts.push(host);
        }
        problems.extend(found.finish());
        (Self { request, extra, defined: vec![HashSet::new(); hosts.len()] }, hosts)
    }

    /// The variables of a task on each of its hosts; also checks that its steps find what they need.
    pub(super) fn task(
        &mut self,
        task: &Task,
        arguments: &Arguments,
        members: &[usize],
        hosts: &[PlannedHost],
        problems: &mut Vec<Diagnostic>,
    ) -> Vec<TaskHost> {
        let mut own = task.vars.clone();
        own.extend(arguments.defaults.clone());
        own.retain(|name, _| !arguments.given.contains_key(name));
        let given = Layer::new(&arguments.given);
        let with_given = |mut vars: Vars| {
            vars.extend(arguments.given.clone());
            Layer::new(&vars)
        };
        // Without templates, all hosts share one layer.
        let plain = !own.values().any(has_template);
        let shared = with_given(own.clone());
        let mut found = Grouped::default();
        let mut planned = Vec::with_capacity(members.len());
        for &member in members {
            let Some(host) = hosts.get(member) else { continue };
            let vars = if plain {
                shared.clone()
            } else {
                let below = [identity(host), host.vars.clone(), given.clone()];
                match expand(&self.request.templates, &own, &below, &self.extra) {
                    Ok(expanded) => with_given(expanded),
                    Err(problem) => {
                        found.add(problem, host);
                        shared.clone()
                    }
                }
            };
            planned.push(TaskHost { host: member, vars });
        }
        problems.extend(found.finish());
        self.check(task, &planned, hosts, problems);
        planned
    }

    /// Every name that a template of the task needs must exist on every host, at that step.
    fn check(
        &mut self,
        task: &Task,
        task_hosts: &[TaskHost],
        hosts: &[PlannedHost],
        problems: &mut Vec<Diagnostic>,
    ) {
        for (index, step) in task.steps.iter().enumerate() {
            for (text, syntax) in texts(step) {
                // A file's syntax was checked when it was loaded.
                let Ok(needed) = template::check(&text.value, syntax) else { continue };
                for name in needed {
                    let lacking: Vec<&PlannedHost> = task_hosts
                        .iter()
                        .filter(|host| !self.knows(&name, host, hosts))
                        .filter_map(|host| hosts.get(host.host))
                        .collect();
                    if !lacking.is_empty() {
                        problems.push(self.undefined(&name, text, &lacking, task_hosts, (task, index)));
                    }
                }
            }
            for host in task_hosts {
                if let Some(defined) = self.defined.get_mut(host.host) {
                    defined.extend(definitions(step).map(str::to_owned));
                }
            }
        }
    }

    fn knows(&self, name: &str, host: &TaskHost, hosts: &[PlannedHost]) -> bool {
        BUILT_IN_NAMES.contains(&name)
            || self.extra.contains(name)
            || host.vars.contains(name)
            || hosts.get(host.host).is_some_and(|planned| planned.vars.contains(name))
            || self.defined.get(host.host).is_some_and(|defined| defined.contains(name))
    }

    fn undefined(
        &self,
        name: &str,
        text: &TemplateText,
        lacking: &[&PlannedHost],
        all: &[TaskHost],
        (task, step): (&Task, usize),
    ) -> Diagnostic {
        let later =
            task.steps.iter().enumerate().skip(step).find(|(_, step)| definitions(step).any(|d| d == name));
        if let Some((later, _)) = later {
            let number = later + 1;
            let message = format!("variable \"{name}\" is used before step {number} defines it");
            return Diagnostic::at(&text.position, message);
        }
        let mut message = format!("undefined variable \"{name}\"");
        if lacking.len() < all.len() {
            message += &format!(" on {}", name_hosts(lacking.iter().map(|host| host.endpoint.name.as_str())));
        }
        let problem = Diagnostic::at(&text.position, message);
        let known = lacking
            .iter()
            .flat_map(|host| host.vars.names())
            .chain(all.first().into_iter().flat_map(|host| host.vars.names()))
            .chain(self.defined.iter().flatten().map(String::as_str))
            .chain(self.extra.names())
            .chain(BUILT_IN_NAMES);
        // Thousands of hosts share most of their names.
        let known: BTreeSet<&str> = known.collect();
        match did_you_mean(name, known) {
            Some(near) => problem.help(format!("did you mean \"{near}\"?")),
            None => problem.help(format!("define it in `vars:`, or with -e {name}=VALUE")),
        }
    }
}

/// The built-in variables that are known before a task runs.
fn identity(host: &PlannedHost) -> Layer {
    let endpoint = &host.endpoint;
    let roles = host.roles.iter().map(|role| Value::from(role.as_str())).collect();
    let mut vars = Vars::new();
    vars.insert("host".to_owned(), Value::from(endpoint.name.as_str()));
    vars.insert("address".to_owned(), Value::from(endpoint.address.as_ref()));
    vars.insert("port".to_owned(), Value::from(endpoint.port));
    vars.insert("user".to_owned(), Value::from(endpoint.user.as_ref()));
    vars.insert("roles".to_owned(), Value::Array(roles));
    Layer::new(&vars)
}

/// Expands the templates in a set of variables, each once, in the order in which they need each other.
///
/// They see the layers `below` them, each other, and `above` all the command line's.
fn expand(templates: &Templates, vars: &Vars, below: &[Layer], above: &Layer) -> Result<Vars, String> {
    if !vars.values().any(has_template) {
        return Ok(vars.clone());
    }
    let mut expansion = Expansion { templates, vars, below, above, done: Vars::new(), path: Vec::new() };
    for name in vars.keys() {
        expansion.visit(name)?;
    }
    // In the order in which they were written.
    Ok(vars
        .keys()
        .filter_map(|name| expansion.done.remove(name).map(|value| (name.clone(), value)))
        .collect())
}

struct Expansion<'a> {
    templates: &'a Templates,
    vars: &'a Vars,
    below: &'a [Layer],
    above: &'a Layer,
    done: Vars,
    path: Vec<String>,
}

impl Expansion<'_> {
    fn visit(&mut self, name: &str) -> Result<(), String> {
        // What the command line sets is not looked at here: it wins everywhere.
        if self.done.contains_key(name) || self.above.contains(name) {
            return Ok(());
        }
        let Some(value) = self.vars.get(name) else { return Ok(()) };
        if self.path.iter().any(|open| open == name) {
            let start = self.path.iter().position(|open| open == name).unwrap_or(0);
            let cycle = self.path.get(start..).unwrap_or_default().join(" → ");
            return Err(format!("variable cycle: {cycle} → {name}"));
        }
        if self.path.len() >= MAX_DEPTH {
            return Err(format!("variable \"{name}\" builds on others more than {MAX_DEPTH} deep"));
        }
        self.path.push(name.to_owned());
        let expanded = self.value(name, value)?;
        self.path.pop();
        self.done.insert(name.to_owned(), expanded);
        Ok(())
    }

    fn value(&mut self, name: &str, value: &Value) -> Result<Value, String> {
        match value {
            Value::String(text) if is_template(text) => self.text(name, text),
            Value::Array(items) => {
                let items: Result<_, _> = items.iter().map(|item| self.value(name, item)).collect();
                Ok(Value::Array(items?))
            }
            Value::Object(map) => {
                let entries = map.iter().map(|(key, item)| Ok((key.clone(), self.value(name, item)?)));
                Ok(Value::Object(entries.collect::<Result<_, String>>()?))
            }
            plain => Ok(plain.clone()),
        }
    }

    fn text(&mut self, name: &str, text: &str) -> Result<Value, String> {
        let place = |message: String| format!("variable \"{name}\": {message}");
        let needed = template::check(text, Syntax::Text).map_err(|error| place(error.message))?;
        for other in &needed {
            self.visit(other)?;
        }
        let scope = self.below.iter().cloned().fold(Scope::new(), Scope::with);
        let scope = scope.with(Layer::new(&self.done)).with(self.above.clone());
        let template = Template::Text(Located::new(text.into(), Position::new("", 0, 0)));
        self.templates.render_value(&template, &scope).map_err(|error| place(error.value.message))
    }
}

fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

fn has_template(value: &Value) -> bool {
    match value {
        Value::String(text) => is_template(text),
        Value::Array(items) => items.iter().any(has_template),
        Value::Object(map) => map.values().any(has_template),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The names that a step defines for the ones after it.
fn definitions(step: &Step) -> impl Iterator<Item = &str> {
    let set = match &step.action {
        Action::Set(values) => Some(values.keys().map(String::as_str)),
        Action::Run(_) | Action::Local(_) | Action::Echo(_) | Action::Fail(_) | Action::Assert { .. } => None,
    };
    let register = step.register.as_ref().map(|name| name.value.as_str());
    set.into_iter().flatten().chain(register)
}

/// All templates of a step, each with how it is read.
fn texts(step: &Step) -> Vec<(&TemplateText, Syntax)> {
    let mut all = Vec::new();
    all.extend(step.when.as_ref().map(|when| (when, Syntax::Expression)));
    all.extend(step.cd.as_ref().map(|cd| (cd, Syntax::Text)));
    all.extend(step.env.values().map(|value| (value, Syntax::Text)));
    match &step.action {
        Action::Run(command) | Action::Local(command) => match command {
            Command::Script(script) => all.push((script, Syntax::Shell)),
            Command::Argv(words) => all.extend(words.iter().map(|word| (word, Syntax::Text))),
            Command::Raw(_) => {}
        },
        Action::Echo(text) | Action::Fail(text) => all.push((text, Syntax::Text)),
        // Each value of a `set` sees the ones before it: its own names are not foreign.
        Action::Set(values) => {
            for (index, value) in values.values().enumerate() {
                if index == 0 {
                    leaves(value, &mut all);
                }
            }
        }
        Action::Assert { that, message } => {
            all.extend(that.iter().map(|expression| (expression, Syntax::Expression)));
            all.extend(message.as_ref().map(|message| (message, Syntax::Text)));
        }
    }
    all
}

fn leaves<'a>(template: &'a Template, all: &mut Vec<(&'a TemplateText, Syntax)>) {
    match template {
        Template::Text(text) => all.push((text, Syntax::Text)),
        Template::Literal(_) => {}
        Template::List(items) => items.iter().for_each(|item| leaves(item, all)),
        Template::Map(map) => map.values().for_each(|item| leaves(item, all)),
    }
}

/// One message for all hosts that have the same problem.
#[derive(Default)]
struct Grouped {
    hosts: BTreeMap<String, Vec<String>>,
}

impl Grouped {
    fn add(&mut self, problem: String, host: &PlannedHost) {
        self.hosts.entry(problem).or_default().push(host.endpoint.name.to_string());
    }

    fn finish(self) -> impl Iterator<Item = Diagnostic> {
        self.hosts.into_iter().map(|(problem, hosts)| {
            Diagnostic::bare(format!("{problem} (on {})", name_hosts(hosts.iter().map(String::as_str))))
        })
    }
}

fn name_hosts<'a>(hosts: impl ExactSizeIterator<Item = &'a str>) -> String {
    let total = hosts.len();
    let named: Vec<&str> = hosts.take(NAMED_HOSTS).collect();
    if total > named.len() {
        format!("{} and {} more", named.join(", "), total - named.len())
    } else {
        named.join(", ")
    }
}
