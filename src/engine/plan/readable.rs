//! What people read of a plan: its texts with values in the place of templates, where a value is known before anything is
//! contacted and is the same on all hosts of the task. Elsewhere the template's expression stays; secrets are masked.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::engine::plan::scope;
use crate::engine::plan::whole::{Body, Call, Item, Plan, PlannedBlock, PlannedStep, PlannedTask};
use crate::model::secret::{MASK, Secret};
use crate::model::secretive::{is_named_secret, may_be_secret};
use crate::model::task::{Shown, Template};
use crate::model::template::{self, Layer, Scope, Syntax};
use crate::model::value::{Value, Vars};

/// Characters of a value that is shown within a text.
const VALUE_MAX: usize = 80;

/// Functions whose values are of this moment, or of this machine.
const OUTSIDE: [&str; 2] = ["env", "now"];

/// A plan with the titles of its steps as people read them.
pub fn with_titles(mut plan: Plan) -> Plan {
    let titled = |task: &PlannedTask| -> Vec<Option<Arc<str>>> {
        let readable = Readable::of(&plan, task);
        let title = |(at, planned): (usize, &PlannedStep)| {
            let written = planned.title();
            let title = readable.text(at, &written);
            (title != written).then(|| Arc::from(title))
        };
        task.steps.iter().enumerate().map(title).collect()
    };
    let titles: Vec<Vec<Option<Arc<str>>>> = plan.tasks.iter().map(titled).collect();
    for (task, titles) in plan.tasks.iter_mut().zip(titles) {
        for (planned, title) in task.steps.iter_mut().zip(titles) {
            planned.readable = title;
        }
    }
    plan
}

/// A task whose texts are read.
pub struct Readable<'p> {
    plan: &'p Plan,
    task: &'p PlannedTask,
    /// Variables that steps of the run define: what they are by then is not known.
    defined: HashSet<&'p str>,
    /// For each step, what the called tasks around it were called with, the outermost first.
    frames: Vec<Vec<Arc<CallFrame>>>,
}

/// Variables of a called task; none for those whose value is not known, or differs by host.
type CallFrame = HashMap<String, Option<Value>>;

impl<'p> Readable<'p> {
    /// The texts of a task of the plan.
    pub fn of(plan: &'p Plan, task: &'p PlannedTask) -> Self {
        let steps = plan.tasks.iter().flat_map(|task| &task.steps);
        let defined = steps.flat_map(|planned| planned.step.definitions()).collect();
        let mut readable = Self { plan, task, defined, frames: vec![Vec::new(); task.steps.len()] };
        let Body { main, rescue, always } = &task.body;
        for items in [main, rescue, always] {
            readable.walk(items, &[]);
        }
        readable
    }

    /// A text of a step, as people read it.
    pub fn text(&self, step: usize, text: &str) -> String {
        let Some(planned) = self.task.steps.get(step) else { return text.to_owned() };
        // The command line's own words are no templates, and what a step that is not to be seen does is not spelled out.
        let is_plain = planned.step.position.line == 0 || planned.step.shown == Shown::StatusOnly;
        if is_plain || !text.contains("{{") {
            return text.to_owned();
        }
        let frames = self.frames.get(step).map(Vec::as_slice).unwrap_or_default();
        template::fill(text, |code| self.shown(code, frames, &planned.locals))
    }

    fn walk(&mut self, items: &[Item], frames: &[Arc<CallFrame>]) {
        for item in items {
            match item {
                Item::Step(step) => {
                    if let Some(own) = self.frames.get_mut(*step) {
                        *own = frames.to_vec();
                    }
                }
                Item::Block(PlannedBlock { when: _, call, locals, body: Body { main, rescue, always } }) => {
                    let mut frames = frames.to_vec();
                    frames.extend(call.as_ref().map(|call| Arc::new(self.frame(call, &frames, locals))));
                    for items in [main, rescue, always] {
                        self.walk(items, &frames);
                    }
                }
            }
        }
    }

    /// What a called task sees.
    fn frame(&self, call: &Call, frames: &[Arc<CallFrame>], locals: &[String]) -> CallFrame {
        let literal = |value: &Value| match value {
            Value::String(text) => self.rendered(text, frames, locals).map(Value::from),
            Value::Array(_) | Value::Object(_) => None,
            plain => Some(plain.clone()),
        };
        let mut frame: CallFrame = HashMap::new();
        for (name, value) in &call.vars {
            frame.insert(name.clone(), literal(value));
        }
        for (name, template) in &call.args {
            let value = match template {
                Template::Literal(value) => Some(value.clone()),
                Template::Text(text) => self.rendered(&text.value, frames, locals).map(Value::from),
                Template::List(_) | Template::Map(_) => None,
            };
            frame.insert(name.clone(), value);
        }
        frame
    }

    /// A whole text, when all of it is known.
    fn rendered(&self, text: &str, frames: &[Arc<CallFrame>], locals: &[String]) -> Option<String> {
        if !text.contains("{{") && !text.contains("{%") {
            return Some(text.to_owned());
        }
        let known = std::cell::Cell::new(true);
        let filled = template::fill(text, |code| {
            let value = self.value(code, frames, locals);
            known.set(known.get() && value.is_some());
            value
        });
        (known.get() && !filled.contains("{%")).then_some(filled)
    }

    /// The value of an expression in a text.
    fn shown(&self, code: &str, frames: &[Arc<CallFrame>], locals: &[String]) -> Option<String> {
        let value = self.value(code, frames, locals)?;
        let fits = value.chars().count() <= VALUE_MAX && !value.chars().any(char::is_control);
        fits.then_some(value)
    }

    /// The value of an expression, when all that it needs is known and harmless.
    fn value(&self, code: &str, frames: &[Arc<CallFrame>], locals: &[String]) -> Option<String> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        if code.split(|c| !is_word(c)).any(|word| OUTSIDE.contains(&word)) {
            return None;
        }
        let mut vars = Vars::new();
        for name in template::names(code, Syntax::Expression).ok()? {
            let value = self.variable(&name, frames, locals)?;
            vars.insert(name, value);
        }
        let scope = Scope::new().with(Layer::new(&vars));
        let value = self.plan.templates.render_text(&format!("{{{{ {code} }}}}"), &scope).ok()?;
        let holds = |secret: &Secret| !secret.reveal().is_empty() && value.contains(secret.reveal());
        // What is built on a secret is none by name.
        (!self.plan.secrets.values().any(holds) && !may_be_secret(&value)).then_some(value)
    }

    /// A variable's value, when it is the same on all hosts of the task and stays as it is.
    fn variable(&self, name: &str, frames: &[Arc<CallFrame>], locals: &[String]) -> Option<Value> {
        let plan = self.plan;
        if plan.is_secret(name) {
            return Some(Value::from(MASK));
        }
        if is_named_secret(name) {
            return None;
        }
        if plan.extra_vars.contains(name) {
            return plan.extra_vars.value(name);
        }
        if let Some(value) = frames.iter().rev().find_map(|frame| frame.get(name)) {
            return value.clone();
        }
        if locals.iter().any(|local| local == name) || self.defined.contains(name) || name == scope::HOST_VARS
        {
            return None;
        }
        self.common(name)
    }

    /// A variable's value on all hosts of the task.
    fn common(&self, name: &str) -> Option<Value> {
        let mut found: Option<(&Layer, &Layer, Value)> = None;
        for (position, member) in self.task.hosts.iter().enumerate() {
            let host = self.plan.hosts.get(member.host)?;
            // Most hosts share their layers.
            if let Some((vars, own, _)) = &found
                && vars.is_same(&host.vars)
                && own.is_same(&member.vars)
                && !scope::BUILT_IN_NAMES.contains(&name)
            {
                continue;
            }
            let layer = [&member.vars, &host.vars].into_iter().find(|layer| layer.contains(name));
            let value = match layer {
                Some(layer) => layer.value(name)?,
                None if name == "hosts" => self.task.host_names.value(name)?,
                None => scope::built_in(self.plan, self.task, host, position).get(name)?.clone(),
            };
            match &found {
                Some((_, _, first)) if *first != value => return None,
                Some(_) => {}
                None => found = Some((&host.vars, &member.vars, value)),
            }
        }
        found.map(|(_, _, value)| value)
    }
}
