//! `--plan`: what a run would do, for reading before it is done.

use std::fmt::Write;

use crate::engine::plan::{Body, Item, Plan, PlannedStep, PlannedTask, Readable};
use crate::model::duration;
use crate::model::privilege::Method;
use crate::model::range;
use crate::model::task::{Become, Dialogue, Each, Guards, Repeat, Step, Strategy};

/// The tasks in order, each with its hosts and steps.
pub(super) fn render(plan: &Plan) -> String {
    let mut text = String::new();
    if let Some(condition) = &plan.condition {
        let _ = writeln!(text, "only hosts where {}:", condition.trim());
    }
    for task in &plan.tasks {
        let hosts: Vec<&str> = task
            .hosts
            .iter()
            .filter_map(|host| plan.hosts.get(host.host).map(|host| host.endpoint.name.as_str()))
            .collect();
        let _ = write!(text, "{} on {} ({})", task.name, range::fold(&hosts), hosts.len());
        for note in of_task(plan, task) {
            let _ = write!(text, "  [{note}]");
        }
        text.push('\n');
        let readable = Readable::of(plan, task);
        let mut view = View { plan, task, readable, text: &mut text };
        view.body(&task.body, 1);
        for handler in &task.handlers {
            view.section(&format!("when notified, {}:", handler.name), &handler.items, 1);
        }
    }
    text
}

/// How the hosts go through a task.
fn of_task(plan: &Plan, task: &PlannedTask) -> Vec<String> {
    let mut notes = Vec::new();
    if task.batches.len() > 1 {
        let sizes: Vec<String> = task.batches.iter().map(|batch| batch.len().to_string()).collect();
        notes.push(format!("batches {}", sizes.join(", ")));
    }
    notes.extend(task.max_fail.map(|most| format!("max_fail {most}")));
    notes.extend((task.strategy == Strategy::Linear).then(|| "linear".to_owned()));
    notes.extend(task.run_once.then(|| "run once".to_owned()));
    let keeper = task.lock.as_ref().and_then(|lock| Some((lock, plan.keeper(lock)?)));
    notes.extend(keeper.map(|(lock, keeper)| format!("lock {} on {}", lock.name, keeper.name)));
    notes
}

/// A task on its way to the page.
struct View<'a> {
    plan: &'a Plan,
    task: &'a PlannedTask,
    readable: Readable<'a>,
    text: &'a mut String,
}

impl View<'_> {
    fn body(&mut self, body: &Body, depth: usize) {
        let Body { main, rescue, always } = body;
        self.items(main, depth);
        self.section("rescue:", rescue, depth);
        self.section("always:", always, depth);
    }

    fn section(&mut self, title: &str, items: &[Item], depth: usize) {
        if !items.is_empty() {
            let _ = writeln!(self.text, "{}{title}", "  ".repeat(depth));
            self.items(items, depth + 1);
        }
    }

    fn items(&mut self, items: &[Item], depth: usize) {
        for item in items {
            match item {
                Item::Step(index) => self.step(*index, depth),
                Item::Block(block) => {
                    let condition = block.when.as_ref().map(|when| format!("when {}:", when.value.trim()));
                    if let Some(condition) = &condition {
                        let _ = writeln!(self.text, "{}{condition}", "  ".repeat(depth));
                    }
                    self.body(&block.body, depth + usize::from(condition.is_some()));
                }
            }
        }
    }

    fn step(&mut self, index: usize, depth: usize) {
        let Some(PlannedStep { step, .. }) = self.task.steps.get(index) else { return };
        let what = step.name.as_ref().map_or_else(|| step.title(), |name| name.value.to_string());
        let what = self.readable.text(index, &what);
        let (indent, number, key) = ("  ".repeat(depth), index + 1, step.action.key());
        let _ = write!(self.text, "{indent}{number}. {key}: {what}");
        for note in notes(self.plan, step) {
            let _ = write!(self.text, "  [{}]", self.readable.text(index, &note));
        }
        self.text.push('\n');
    }
}

/// What shapes a step, besides its title.
fn notes(plan: &Plan, step: &Step) -> Vec<String> {
    let mut notes = step.action.said().notes;
    let on_files = step.action.properties().is_on_files();
    notes.extend(step.becomes().map(becomes));
    let Dialogue { stdin, pty, respond: _ } = &step.dialogue;
    notes.extend(stdin.as_ref().map(|_| "stdin".to_owned()));
    if *pty {
        notes.push("pty".to_owned());
    }
    if step.durable.as_ref().is_some_and(|durable| durable.value) {
        notes.push("durable".to_owned());
    }
    if step.reads {
        notes.push("reads".to_owned());
    }
    if let Some(cd) = step.cd.as_ref().filter(|_| on_files) {
        notes.push(format!("cd {}", cd.value));
    }
    if let Some(when) = &step.when {
        notes.push(format!("when {}", when.value.trim()));
    }
    notes.extend(control(step));
    if let Some(limit) = step.timeout.and_then(|limit| limit.duration()) {
        notes.push(format!("timeout {}", duration::show(limit)));
    }
    if step.warn_only || plan.warn_only {
        notes.push("warn only".to_owned());
    }
    if plan.changes.dry_run && on_files {
        notes.push("dry run".to_owned());
    }
    notes
}

/// Who does it, and how.
fn becomes(other: &Become) -> String {
    let method = other.method.map_or("sudo", Method::as_str);
    match &other.user {
        None => method.to_owned(),
        Some(user) => format!("{method} as {}", user.value),
    }
}

/// How often and where it is done, and what its result means.
fn control(step: &Step) -> Vec<String> {
    let mut notes = Vec::new();
    match &step.each {
        Some(Each::Expression(list)) => notes.push(format!("each {}", list.value.trim())),
        Some(Each::Items(items)) => notes.push(format!("each of {}", items.len())),
        None => {}
    }
    let Guards { creates, unless, onlyif } = &step.guards;
    for (word, guard) in [("creates", creates), ("unless", unless), ("onlyif", onlyif)] {
        notes.extend(guard.as_ref().map(|guard| format!("{word} {}", guard.value.trim())));
    }
    if let Some(Repeat { retries, delay, until }) = &step.repeat {
        let until = until.as_ref().map(|until| format!(" until {}", until.value.trim())).unwrap_or_default();
        notes.push(format!("retries {retries} every {}{until}", duration::show(*delay)));
    }
    notes.extend(step.run_once.then(|| "run once".to_owned()));
    notes.extend(step.throttle.map(|most| format!("throttle {most}")));
    if !step.notify.is_empty() {
        let names: Vec<&str> = step.notify.iter().map(|name| name.value.as_str()).collect();
        notes.push(format!("notify {}", names.join(", ")));
    }
    if !step.tags.is_empty() {
        notes.push(format!("tags {}", step.tags.join(", ")));
    }
    notes
}
