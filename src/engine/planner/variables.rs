//! Variables of a plan, host by host and task by task, and every name that a step needs shown to exist.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::engine::plan::scope::{BUILT_IN_NAMES, HOST_VARS, is_shared};
use crate::engine::plan::{Body, Call, Item, PlannedBlock, PlannedHost, PlannedStep, TaskHost};
use crate::engine::planner::outline::{LOOP_NAMES, Outline};
use crate::engine::planner::request::Request;
use crate::engine::planner::types::Arguments;
use crate::model::action::{FACTS, StepText};
use crate::model::position::{Diagnostic, Located, Position};
use crate::model::suggest::did_you_mean;
use crate::model::task::{Each, Step, Task, Template, TemplateText};
use crate::model::template::expand::{
    TemplateDialect, VariableProblem, VariableSurroundings, expand, expand_each, has_template,
};
use crate::model::template::{self, Layer, Scope, Syntax, TemplateError};
use crate::model::value::{Value, Vars};

/// Hosts named in one message, at most.
const NAMED_HOSTS: usize = 5;

/// Places of all items on all hosts of a step, at most.
const MAX_DELEGATED: usize = 1_000_000;

/// The variables of all hosts while the tasks are planned one after the other.
pub(super) struct Variables<'a> {
    request: &'a Request,
    /// The command line's variables.
    extra: Layer,
    /// What `set` and `register` of earlier steps define, for each host.
    defined: Vec<HashSet<String>>,
    /// Variables of an inventory of another tool that cannot be filled in, for each host: an error where one is used.
    unusable: Vec<Vec<(String, VariableProblem)>>,
}

impl<'a> Variables<'a> {
    /// Lays the tasks file's variables under each host's own and expands templates in them. Those of another tool's
    /// inventory (`lenient`) may be in a dialect that is not understood.
    pub(super) fn new(
        request: &'a Request,
        lenient: bool,
        file_vars: &Vars,
        drafts: Vec<(PlannedHost, Vars)>,
        problems: &mut Vec<Diagnostic>,
    ) -> (Self, Vec<PlannedHost>) {
        let extra = Layer::new(&request.extra_vars);
        let mut found = Grouped::default();
        let secrets = request.secrets.named();
        let mut hosts = Vec::with_capacity(drafts.len());
        let mut unusable = Vec::with_capacity(drafts.len());
        for (mut host, own) in drafts {
            let mut vars = file_vars.clone();
            let is_own = |name: &str| !lenient || (file_vars.contains_key(name) && !own.contains_key(name));
            let below = [request.others.clone(), identity(&host, request), secrets.clone()];
            let above = std::slice::from_ref(&extra);
            vars.extend(own.clone());
            let (expanded, broken) = match expand(&request.templates, &vars, &below, above) {
                Err(_) if lenient => {
                    let around = VariableSurroundings { templates: &request.templates, below: &below, above };
                    let dialect = |name: &str| {
                        if is_own(name) { TemplateDialect::Own } else { TemplateDialect::Ansible }
                    };
                    let (expanded, broken) = expand_each(around, &vars, &dialect);
                    let (told, broken): (Vec<_>, Vec<_>) =
                        broken.into_iter().partition(|(name, _)| is_own(name));
                    told.into_iter().for_each(|(_, problem)| found.add(problem, &host));
                    (Ok(expanded), broken)
                }
                expanded => (expanded, Vec::new()),
            };
            unusable.push(broken);
            match expanded {
                Ok(expanded) => host.vars = Layer::new(&expanded),
                Err(problem) => {
                    // Still defined: one mistake is told once.
                    host.vars = Layer::new(&vars);
                    found.add(problem, &host);
                }
            }
            hosts.push(host);
        }
        problems.extend(found.finish());
        (Self { request, extra, defined: vec![HashSet::new(); hosts.len()], unusable }, hosts)
    }

    /// The variables of a task on each of its hosts; also checks that its steps find what they need.
    pub(super) fn task(
        &mut self,
        task: &Task,
        outline: &Outline,
        arguments: &Arguments,
        members: &[usize],
        hosts: &[PlannedHost],
        problems: &mut Vec<Diagnostic>,
    ) -> Vec<TaskHost> {
        let mut own = task.vars.clone();
        own.extend(arguments.defaults.clone());
        let above = [Layer::new(&arguments.given), self.extra.clone()];
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
            let mut vars = shared.clone();
            if !plain {
                let secrets = self.request.secrets.named().clone();
                let below = [identity(host, self.request), secrets, host.vars.clone()];
                match expand(&self.request.templates, &own, &below, &above) {
                    Ok(expanded) => vars = with_given(expanded),
                    Err(problem) => found.add(problem, host),
                }
            }
            planned.push(TaskHost { host: member, vars });
        }
        problems.extend(found.finish());
        self.check(outline, &planned, hosts, problems);
        if task.run_once {
            // What its steps define, all others know.
            let learned = outline.steps.iter().flat_map(|planned| planned.step.definitions());
            let learned: Vec<String> = learned.filter(|name| is_shared(name)).map(str::to_owned).collect();
            self.defined.iter_mut().for_each(|defined| defined.extend(learned.iter().cloned()));
        }
        planned
    }

    /// Every name that a template of the task needs must exist on every host, at that step.
    fn check(
        &mut self,
        outline: &Outline,
        task_hosts: &[TaskHost],
        hosts: &[PlannedHost],
        problems: &mut Vec<Diagnostic>,
    ) {
        let mut check = Check { outline, task_hosts, hosts, problems };
        let Body { main, rescue, always } = &outline.body;
        for items in [main, rescue, always] {
            self.check_items(items, &mut check);
        }
        for handler in &outline.handlers {
            self.check_items(&handler.items, &mut check);
        }
    }

    fn check_items(&mut self, items: &[Item], check: &mut Check<'_>) {
        for item in items {
            match item {
                Item::Step(index) => {
                    let Some(PlannedStep { step, locals, .. }) = check.outline.steps.get(*index) else {
                        continue;
                    };
                    for text in step.texts() {
                        self.check_text(&text, locals, *index, check);
                    }
                    for host in check.task_hosts {
                        if let Some(defined) = self.defined.get_mut(host.host) {
                            defined.extend(step.definitions().map(str::to_owned));
                        }
                    }
                }
                Item::Block(PlannedBlock { when, call, locals, body }) => {
                    let next = first_step(items, item);
                    if let Some(when) = when {
                        self.check_text(&StepText::new(when, Syntax::Expression), locals, next, check);
                    }
                    if let Some(call) = call {
                        self.check_call(call, locals, next, check);
                    }
                    let Body { main, rescue, always } = body;
                    for items in [main, rescue, always] {
                        self.check_items(items, check);
                    }
                }
            }
        }
    }

    fn check_call(&self, call: &Call, locals: &[String], step: usize, check: &mut Check<'_>) {
        for text in call.args.values().flat_map(Template::leaves) {
            self.check_text(&StepText::new(text, Syntax::Text), locals, step, check);
        }
        let mut inner = locals.to_vec();
        inner.extend(call.args.keys().chain(call.vars.keys()).cloned());
        let mut templates = Vec::new();
        call.vars.values().for_each(|value| strings(value, &mut templates));
        for text in templates {
            let text = Located::new(Arc::from(text), call.position.clone());
            self.check_text(&StepText::new(&text, Syntax::Text), &inner, step, check);
        }
    }

    fn check_text(&self, text: &StepText<'_>, locals: &[String], step: usize, check: &mut Check<'_>) {
        let StepText { text, syntax, own } = text;
        // A file's syntax was checked when it was loaded.
        let Ok(needed) = template::check(&text.value, *syntax) else { return };
        for name in needed {
            if own.contains(&name.as_str()) || locals.contains(&name) {
                continue;
            }
            let lacking: Vec<&TaskHost> =
                check.task_hosts.iter().filter(|host| !self.knows(&name, host, check.hosts)).collect();
            if lacking.is_empty() {
                continue;
            }
            let problem = match defined_later(&name, check.outline, step) {
                Some(number) => Diagnostic::at(
                    &text.position,
                    format!("variable \"{name}\" is used before step {number} defines it"),
                ),
                None => self.undefined(&name, text, &lacking, check.task_hosts.len(), check.hosts),
            };
            check.problems.push(problem);
        }
    }

    /// The hosts that steps of a task are to be done on, by the step's number.
    pub(super) fn delegates(
        &self,
        outline: &Outline,
        task_hosts: &[TaskHost],
        hosts: &[PlannedHost],
        problems: &mut Vec<Diagnostic>,
    ) -> Vec<Delegation> {
        let mut all = Vec::new();
        for (number, PlannedStep { step, locals, .. }) in outline.steps.iter().enumerate() {
            let Some(on) = step.on.as_ref().filter(|_| step.action.properties().needs_session()) else {
                continue;
            };
            let Ok(mut names) = template::names(&on.value, Syntax::Text) else { continue };
            let per_item =
                step.each.is_some() && names.iter().any(|name| LOOP_NAMES.contains(&name.as_str()));
            if per_item {
                // The items have to be known as well.
                names.retain(|name| !LOOP_NAMES.contains(&name.as_str()));
                let of =
                    |text: &TemplateText, syntax| template::names(&text.value, syntax).unwrap_or_default();
                match &step.each {
                    Some(Each::Expression(list)) => names.extend(of(list, Syntax::Expression)),
                    Some(Each::Items(items)) => {
                        let leaves = items.iter().flat_map(Template::leaves);
                        names.extend(leaves.flat_map(|text| of(text, Syntax::Text)));
                    }
                    None => {}
                }
            }
            let is_open = |name: &&String| {
                !self.extra.contains(name)
                    && (name.as_str() == HOST_VARS
                        || locals.contains(name)
                        || self.defined.iter().any(|defined| defined.contains(*name)))
            };
            if let Some(open) = names.iter().find(is_open) {
                let message = format!("the step's host must be known before the run: \"{open}\" is not");
                problems.push(Diagnostic::at(&on.position, message));
                continue;
            }
            let mut found = Grouped::default();
            let (mut to, mut planned) = (Vec::with_capacity(task_hosts.len()), 0);
            for member in task_hosts {
                let Some(host) = hosts.get(member.host) else { continue };
                let scope = Scope::new()
                    .with(identity(host, self.request))
                    .with(self.request.secrets.named().clone())
                    .with(host.vars.clone())
                    .with(member.vars.clone())
                    .with(self.extra.clone());
                match self.hosts_of(step, on, per_item, &scope) {
                    Ok(names) if planned + names.len() > MAX_DELEGATED => {
                        let message = format!("\"on\" with \"each\" names more than {MAX_DELEGATED} hosts");
                        problems.push(Diagnostic::at(&on.position, message));
                        break;
                    }
                    Ok(names) => {
                        planned += names.len();
                        to.push(names);
                    }
                    // What is not defined has been told.
                    Err(_) if names.iter().any(|name| !self.knows(name, member, hosts)) => break,
                    Err(error) => found.add(
                        VariableProblem { message: error.message, help: error.help, not_known: false },
                        host,
                    ),
                }
            }
            problems.extend(found.finish());
            if to.len() == task_hosts.len() {
                all.push(Delegation { step: number, at: on.position.clone(), per_item, to });
            }
        }
        all
    }

    /// The hosts that a step is done on for one host: one, or one for each item of its loop.
    fn hosts_of(
        &self,
        step: &Step,
        on: &TemplateText,
        per_item: bool,
        scope: &Scope,
    ) -> Result<Vec<String>, TemplateError> {
        let templates = &self.request.templates;
        let name = |scope: &Scope| templates.render_text(&on.value, scope).map(|name| name.trim().to_owned());
        if !per_item {
            return Ok(vec![name(scope)?]);
        }
        let items = match &step.each {
            Some(Each::Expression(list)) => match templates.eval_value(&list.value, scope)? {
                Value::Array(items) => items,
                Value::Object(map) => {
                    let pair =
                        |(key, value): (String, Value)| serde_json::json!({"key": key, "value": value});
                    map.into_iter().map(pair).collect()
                }
                // Told when the step is come to.
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
            },
            Some(Each::Items(items)) => {
                let items = items.iter().map(|item| templates.render_value(item, scope));
                items.collect::<Result<_, _>>().map_err(|error| error.value)?
            }
            None => Vec::new(),
        };
        let of_item = |(index, item): (usize, Value)| {
            let [item_name, index_name] = LOOP_NAMES.map(str::to_owned);
            let locals = Vars::from_iter([(item_name, item), (index_name, Value::from(index))]);
            name(&scope.clone().with(Layer::new(&locals)))
        };
        items.into_iter().enumerate().map(of_item).collect()
    }

    fn knows(&self, name: &str, host: &TaskHost, hosts: &[PlannedHost]) -> bool {
        BUILT_IN_NAMES.contains(&name)
            || self.extra.contains(name)
            || self.request.secrets.named().contains(name)
            || host.vars.contains(name)
            || hosts.get(host.host).is_some_and(|planned| planned.vars.contains(name))
            || self.defined.get(host.host).is_some_and(|defined| defined.contains(name))
    }

    fn undefined(
        &self,
        name: &str,
        text: &TemplateText,
        lacking: &[&TaskHost],
        all: usize,
        hosts: &[PlannedHost],
    ) -> Diagnostic {
        let broken = lacking.first().and_then(|host| {
            let broken = self.unusable.get(host.host).into_iter().flatten();
            broken.map(|(broken, problem)| (broken, problem)).find(|(broken, _)| *broken == name)
        });
        let mut message = match broken {
            Some(_) => format!("the inventory's variable \"{name}\" cannot be filled in"),
            None => format!("undefined variable \"{name}\""),
        };
        if lacking.len() < all {
            let names = lacking.iter().filter_map(|host| hosts.get(host.host));
            let names: Vec<&str> = names.map(|host| host.endpoint.name.as_str()).collect();
            message += &format!(" on {}", name_hosts(names.into_iter()));
        }
        let mut problem = Diagnostic::at(&text.position, message);
        problem.help = match broken {
            Some((_, VariableProblem { message, help, not_known: _ })) => {
                problem.message += &format!(": {}", message.strip_prefix(&of(name)).unwrap_or(message));
                help.clone()
            }
            None => lacking.first().map(|host| self.suggest(name, &text.value, host, hosts)),
        };
        problem
    }

    /// What to do about a name that a host lacks.
    fn suggest(&self, name: &str, text: &str, host: &TaskHost, hosts: &[PlannedHost]) -> String {
        if self.defined.iter().any(|defined| defined.contains(name)) {
            return "earlier steps define it, on other hosts".to_owned();
        }
        let known = hosts.get(host.host).into_iter().flat_map(|host| host.vars.names());
        let known = known
            .chain(host.vars.names())
            .chain(self.defined.get(host.host).into_iter().flatten().map(String::as_str))
            .chain(self.extra.names())
            .chain(self.request.secrets.named().names())
            .chain(BUILT_IN_NAMES);
        suggest(name, known, text)
    }
}

/// What to do about a name in a text that is not among the known ones.
pub(crate) fn suggest<'a>(name: &str, known: impl Iterator<Item = &'a str>, text: &str) -> String {
    if name == FACTS {
        return "add a step `facts: true` before it".to_owned();
    }
    if let Some(help) = template::in_ansible(name) {
        return help.to_owned();
    }
    match did_you_mean(name, known) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => template::of_another_program(name, text)
            .unwrap_or_else(|| format!("define it in `vars:`, or with -e {name}=VALUE")),
    }
}

/// How a message about a variable begins.
fn of(name: &str) -> String {
    format!("variable \"{name}\": ")
}

/// Where a step is to be done, for each host of its task.
pub(super) struct Delegation {
    /// Its number in the task.
    pub(super) step: usize,
    /// Where that is said.
    pub(super) at: Position,
    /// Each item of its loop has a host of its own.
    pub(super) per_item: bool,
    /// For each host of the task target expressions, each for one host: one for each item, or the only one.
    pub(super) to: Vec<Vec<String>>,
}

/// A task whose templates are looked at.
struct Check<'c> {
    outline: &'c Outline,
    task_hosts: &'c [TaskHost],
    hosts: &'c [PlannedHost],
    problems: &'c mut Vec<Diagnostic>,
}

/// The first step in a block, or the one after it when it is empty; for messages only.
fn first_step(items: &[Item], block: &Item) -> usize {
    let mut left = items.iter().skip_while(|item| !std::ptr::eq(*item, block));
    left.find_map(|item| match item {
        Item::Step(index) => Some(*index),
        Item::Block(PlannedBlock { body, .. }) => {
            body.main.first().map(|first| first_step(&body.main, first))
        }
    })
    .unwrap_or_default()
}

/// The texts in a value that hold a template.
fn strings<'v>(value: &'v Value, all: &mut Vec<&'v str>) {
    match value {
        Value::String(text) if has_template(value) => all.push(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, all)),
        Value::Object(map) => map.values().for_each(|item| strings(item, all)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The number of the step, this one or one after it, that defines a name.
fn defined_later(name: &str, outline: &Outline, step: usize) -> Option<usize> {
    let mut later = outline.steps.iter().enumerate().skip(step);
    later
        .find(|(_, planned)| planned.step.definitions().any(|defined| defined == name))
        .map(|(index, _)| index + 1)
}

/// The built-in variables that are known before a task runs.
pub(super) fn identity(host: &PlannedHost, request: &Request) -> Layer {
    let endpoint = &host.endpoint;
    let roles = host.roles.iter().map(|role| Value::from(role.as_str())).collect();
    let mut vars = Vars::new();
    vars.insert("host".to_owned(), Value::from(endpoint.name.as_str()));
    vars.insert("address".to_owned(), Value::from(endpoint.address.as_ref()));
    vars.insert("port".to_owned(), Value::from(endpoint.port));
    vars.insert("user".to_owned(), Value::from(endpoint.user.as_ref()));
    vars.insert("roles".to_owned(), Value::Array(roles));
    vars.insert("run_id".to_owned(), Value::from(request.run.as_ref()));
    Layer::new(&vars).over(&request.groups)
}

/// One message for all hosts that have the same problem.
#[derive(Default)]
struct Grouped {
    hosts: BTreeMap<VariableProblem, Vec<String>>,
}

impl Grouped {
    fn add(&mut self, problem: VariableProblem, host: &PlannedHost) {
        self.hosts.entry(problem).or_default().push(host.endpoint.name.to_string());
    }

    fn finish(self) -> impl Iterator<Item = Diagnostic> {
        self.hosts.into_iter().map(|(VariableProblem { message, help, not_known: _ }, hosts)| {
            let hosts = name_hosts(hosts.iter().map(String::as_str));
            Diagnostic { help, ..Diagnostic::bare(format!("{message} (on {hosts})")) }
        })
    }
}

/// Hosts for a message: all of a few, the first of many.
pub(crate) fn name_hosts<'a>(hosts: impl ExactSizeIterator<Item = &'a str>) -> String {
    let total = hosts.len();
    let named: Vec<&str> = hosts.take(NAMED_HOSTS).collect();
    if total > named.len() {
        format!("{} and {} more", named.join(", "), total - named.len())
    } else {
        named.join(", ")
    }
}
