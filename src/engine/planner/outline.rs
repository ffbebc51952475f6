//! From a task as written to the steps of a plan: blocks and called tasks opened up, their keys handed down, steps
//! left out that `--tags` does not pick.

use std::sync::Arc;

use crate::engine::plan::{Body, Call, Handler, Item, PlannedBlock, PlannedStep};
use crate::event::Section;
use crate::model::position::Diagnostic;
use crate::model::suggest::did_you_mean;
use crate::model::task::{Action, Block, Include, Step, Task, TaskFile};
use crate::model::value::Vars;

/// The name of an item of a loop, of its number, and what they are called with.
const LOOP_NAMES: [&str; 2] = ["item", "item_index"];

/// What a step that stands in a `rescue` knows besides.
const FAILURE: &str = "failure";

/// Which steps are picked: by their tags, and by where to begin.
#[derive(Clone, Debug, Default)]
pub struct Picking {
    /// Steps with one of these; all when it is empty.
    pub only: Vec<String>,
    /// Steps with one of these are left out.
    pub skip: Vec<String>,
    /// Steps before this one are left out: `deploy:3`, `3`, or its name.
    pub start_at: Option<String>,
}

impl Picking {
    /// A step with this tag is picked whatever `only` says.
    const ALWAYS: &'static str = "always";

    /// Whether steps are picked whatever their tags.
    pub fn takes_all_tags(&self) -> bool {
        self.only.is_empty() && self.skip.is_empty()
    }

    fn pick(&self, tags: &[String]) -> bool {
        let any = |wanted: &[String]| tags.iter().any(|tag| wanted.contains(tag));
        let picked = self.only.is_empty() || any(&self.only) || tags.iter().any(|tag| tag == Self::ALWAYS);
        picked && !any(&self.skip)
    }
}

/// A task, opened up.
#[derive(Debug, Default)]
pub(super) struct Outline {
    pub(super) steps: Vec<PlannedStep>,
    pub(super) body: Body,
    pub(super) handlers: Vec<Handler>,
}

impl Outline {
    /// What steps notify must be there.
    pub(super) fn check_notify(&self, problems: &mut Vec<Diagnostic>) {
        let names = || self.handlers.iter().map(|handler| handler.name.as_str());
        for name in self.steps.iter().flat_map(|planned| &planned.step.notify) {
            if names().any(|known| known == name.value) {
                continue;
            }
            let problem = Diagnostic::at(&name.position, format!("no handler {:?}", name.value));
            problems.push(match did_you_mean(&name.value, names()) {
                Some(near) => problem.help(format!("did you mean {near:?}?")),
                None => problem.help("name its steps under `handlers:` of the task"),
            });
        }
    }
}

/// Opens a task up. Calls of tasks that are not in the file are left out, which the file's reader has noted; and so are
/// steps that are not picked, and those before the step of number `start`, counted from 0 without regard to tags.
pub(super) fn outline(task: &Task, file: Option<&TaskFile>, picking: &Picking, start: usize) -> Outline {
    let mut opening = Opening { file, picking, start, met: 0, steps: Vec::new(), handlers: Vec::new() };
    let place = Place::default();
    let rescue = place.within(Section::Rescue).with(&[FAILURE.to_owned()]);
    let mut body = Body {
        main: opening.items(&task.steps, &place),
        rescue: opening.items(&task.rescue, &rescue),
        always: opening.items(&task.always, &place.within(Section::Always)),
    };
    opening.handlers_of(task, &place);
    for items in [&mut body.main, &mut body.rescue, &mut body.always] {
        items.retain(has_steps);
    }
    Outline { steps: opening.steps, body, handlers: opening.handlers }
}

/// What surrounds a step.
#[derive(Clone, Default)]
struct Place {
    section: Section,
    locals: Vec<String>,
    /// The block around it, its own surroundings handed down to it.
    outer: Option<Step>,
}

impl Place {
    /// The same place in another section. What stands in a `rescue` only runs then, whatever it is called there.
    fn within(&self, section: Section) -> Self {
        let section = if self.section == Section::Steps { section } else { self.section };
        Self { section, ..self.clone() }
    }

    fn with(&self, locals: &[String]) -> Self {
        let mut place = self.clone();
        place.locals.extend_from_slice(locals);
        place
    }
}

struct Opening<'a> {
    file: Option<&'a TaskFile>,
    picking: &'a Picking,
    start: usize,
    /// How many steps were come to.
    met: usize,
    steps: Vec<PlannedStep>,
    handlers: Vec<Handler>,
}

impl Opening<'_> {
    fn items(&mut self, steps: &[Step], place: &Place) -> Vec<Item> {
        steps.iter().filter_map(|step| self.item(step, place)).collect()
    }

    fn item(&mut self, step: &Step, place: &Place) -> Option<Item> {
        let mut step = step.clone();
        if let Some(outer) = &place.outer {
            hand_down(outer, &mut step);
        }
        match &step.action {
            Action::Block(block) => {
                let body = self.block(block, &Place { outer: Some(step.clone()), ..place.clone() });
                let locals = place.locals.clone().into();
                Some(Item::Block(PlannedBlock { when: step.when.clone(), call: None, locals, body }))
            }
            Action::Task(include) => {
                let (call, body) = self.called(include, &step, place)?;
                let (when, locals) = (step.when.clone(), place.locals.clone().into());
                Some(Item::Block(PlannedBlock { when, call: Some(Arc::new(call)), locals, body }))
            }
            _ => {
                self.met += 1;
                let too_early = place.section == Section::Steps && self.met <= self.start;
                if too_early || !self.picking.pick(&step.tags) {
                    return None;
                }
                let mut locals = place.locals.clone();
                if step.each.is_some() {
                    locals.extend(LOOP_NAMES.map(str::to_owned));
                }
                let (section, locals) = (place.section, locals.into());
                self.steps.push(PlannedStep { step, section, locals, places: Arc::default() });
                Some(Item::Step(self.steps.len() - 1))
            }
        }
    }

    fn block(&mut self, block: &Block, place: &Place) -> Body {
        let rescue = place.within(Section::Rescue).with(&[FAILURE.to_owned()]);
        Body {
            main: self.items(&block.steps, place),
            rescue: self.items(&block.rescue, &rescue),
            always: self.items(&block.always, &place.within(Section::Always)),
        }
    }

    /// The steps of a called task. The file has no circle of calls.
    fn called(&mut self, include: &Include, step: &Step, place: &Place) -> Option<(Call, Body)> {
        let task = self.file?.tasks.get(&include.task.value)?;
        let mut vars: Vars = task.vars.clone();
        for (name, default) in &task.params {
            if let Some(default) = default.as_ref().filter(|_| !include.args.contains_key(name)) {
                vars.insert(name.clone(), default.clone());
            }
        }
        let mut locals: Vec<String> = vars.keys().cloned().collect();
        locals.extend(include.args.keys().cloned());
        let mut outer = step.clone();
        outer.timeout = outer.timeout.or(task.timeout);
        let inner = Place { outer: Some(outer), ..place.with(&locals) };
        let block =
            Block { steps: task.steps.clone(), rescue: task.rescue.clone(), always: task.always.clone() };
        let body = self.block(&block, &inner);
        self.handlers_of(task, &inner);
        let (position, args) = (include.task.position.clone(), include.args.clone());
        Some((Call { position, args, vars }, body))
    }

    /// The handlers of a task, each once however often it is called.
    fn handlers_of(&mut self, task: &Task, place: &Place) {
        let place = Place { locals: Vec::new(), outer: None, ..place.clone() }.within(Section::Handlers);
        for (name, steps) in &task.handlers {
            if self.handlers.iter().any(|handler| handler.name == *name) {
                continue;
            }
            let items = self.items(steps, &place);
            self.handlers.push(Handler { name: name.clone(), items });
        }
    }
}

fn has_steps(item: &Item) -> bool {
    match item {
        Item::Step(_) => true,
        Item::Block(block) => {
            let Body { main, rescue, always } = &block.body;
            main.iter().chain(rescue).chain(always).any(has_steps)
        }
    }
}

/// Gives a step what the block around it says and the step itself does not.
fn hand_down(outer: &Step, step: &mut Step) {
    fn put<T: Clone>(own: &mut Option<T>, outer: &Option<T>) {
        if own.is_none() {
            own.clone_from(outer);
        }
    }
    put(&mut step.cd, &outer.cd);
    put(&mut step.lcd, &outer.lcd);
    put(&mut step.on, &outer.on);
    put(&mut step.shell, &outer.shell);
    put(&mut step.timeout, &outer.timeout);
    put(&mut step.idle_timeout, &outer.idle_timeout);
    for (name, value) in &outer.env {
        if !step.env.contains_key(name) {
            step.env.insert(name.clone(), value.clone());
        }
    }
    step.warn_only |= outer.warn_only;
    // What is done on the operator's machine has nothing to do with how a block is done on the hosts.
    if !matches!(step.action, Action::Local(_)) {
        put(&mut step.run_as, &outer.run_as);
    }
    step.run_once |= outer.run_once;
    step.shown = step.shown.max(outer.shown);
    step.tags.extend(outer.tags.iter().cloned());
}
