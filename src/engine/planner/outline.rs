//! From a task as written to the steps of a plan: blocks and called tasks opened up, their keys handed down, steps
//! left out that `--tags` does not pick.

use std::sync::Arc;

use crate::engine::plan::{Body, Call, Handler, Item, Places, PlannedBlock, PlannedStep};
use crate::event::Section;
use crate::model::given::WantedType;
use crate::model::handed::{Handed, Handover};
use crate::model::position::Diagnostic;
use crate::model::suggest::did_you_mean;
use crate::model::task::{Action, Block, Include, Step, Task, TaskFile};
use crate::model::value::{Value, Vars};

/// The name of an item of a loop, of its number, and what they are called with.
pub(super) const LOOP_NAMES: [&str; 2] = ["item", "item_index"];

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
    /// Keys of blocks and calls that reach a step which they would turn into something else.
    pub(super) refused: Vec<Diagnostic>,
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
    let mut opening = Opening {
        file,
        picking,
        start,
        met: 0,
        steps: Vec::new(),
        handlers: Vec::new(),
        refused: Vec::new(),
    };
    let place = OutlinePlace { outer: around(task), ..OutlinePlace::default() };
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
    let Opening { steps, handlers, mut refused, .. } = opening;
    // A task may be called more than once.
    let mut seen = Vec::new();
    refused.retain(|problem| {
        !seen.contains(problem) && {
            seen.push(problem.clone());
            true
        }
    });
    Outline { steps, body, handlers, refused }
}

/// What a task says of all its steps, as a block around them would.
fn around(task: &Task) -> Option<Step> {
    let (run_as, durable) = (task.run_as.clone(), task.durable.clone());
    let says = run_as.is_some() || durable.is_some();
    says.then(|| Step { run_as, durable, position: task.position.clone(), ..Step::bare(Action::Barrier) })
}

/// What surrounds a step.
#[derive(Clone, Default)]
struct OutlinePlace {
    section: Section,
    locals: Vec<String>,
    /// The block around it, its own surroundings handed down to it.
    outer: Option<Step>,
}

impl OutlinePlace {
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
    refused: Vec<Diagnostic>,
}

impl Opening<'_> {
    fn items(&mut self, steps: &[Step], place: &OutlinePlace) -> Vec<Item> {
        steps.iter().filter_map(|step| self.item(step, place)).collect()
    }

    fn item(&mut self, step: &Step, place: &OutlinePlace) -> Option<Item> {
        let mut step = step.clone();
        if let Some(outer) = &place.outer {
            let refused = hand_down(outer, &mut step);
            if !matches!(step.action, Action::Block(_) | Action::Task(_)) && self.is_picked(&step, place) {
                self.refused.extend(refused.into_iter().map(|key| refusal(key, outer, &step)));
            }
        }
        match &step.action {
            Action::Block(block) => {
                let body = self.block(block, &OutlinePlace { outer: Some(step.clone()), ..place.clone() });
                let locals = place.locals.clone().into();
                Some(Item::Block(PlannedBlock { when: step.when.clone(), call: None, locals, body }))
            }
            Action::Task(include) => {
                let (call, body) = self.called(include, &step, place)?;
                let (when, locals) = (step.when.clone(), place.locals.clone().into());
                Some(Item::Block(PlannedBlock { when, call: Some(Arc::new(call)), locals, body }))
            }
            _ => {
                let picked = self.is_picked(&step, place);
                self.met += 1;
                if !picked {
                    return None;
                }
                let mut locals = place.locals.clone();
                if step.each.is_some() {
                    locals.extend(LOOP_NAMES.map(str::to_owned));
                }
                let (section, locals) = (place.section, locals.into());
                self.steps.push(PlannedStep { step, section, locals, places: Places::Here, readable: None });
                Some(Item::Step(self.steps.len() - 1))
            }
        }
    }

    /// Whether the step that is come to is picked.
    fn is_picked(&self, step: &Step, place: &OutlinePlace) -> bool {
        let too_early = place.section == Section::Steps && self.met < self.start;
        !too_early && self.picking.pick(&step.tags)
    }

    fn block(&mut self, block: &Block, place: &OutlinePlace) -> Body {
        let rescue = place.within(Section::Rescue).with(&[FAILURE.to_owned()]);
        Body {
            main: self.items(&block.steps, place),
            rescue: self.items(&block.rescue, &rescue),
            always: self.items(&block.always, &place.within(Section::Always)),
        }
    }

    /// The steps of a called task. The file has no circle of calls.
    fn called(&mut self, include: &Include, step: &Step, place: &OutlinePlace) -> Option<(Call, Body)> {
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
        // What the task says itself is nearer to its steps than what surrounds the call.
        outer.run_as = task.run_as.clone().or(outer.run_as);
        outer.durable = task.durable.clone().or(outer.durable);
        let inner = OutlinePlace { outer: Some(outer), ..place.with(&locals) };
        let block =
            Block { steps: task.steps.clone(), rescue: task.rescue.clone(), always: task.always.clone() };
        let body = self.block(&block, &inner);
        self.handlers_of(task, &inner);
        let known = |name: &str| vars.get(name).or_else(|| self.file?.vars.get(name)).cloned();
        let wanted = |(name, default): (&String, &Option<Value>)| {
            (name.clone(), WantedType::of(default.as_ref(), &known))
        };
        let wanted = task.params.iter().map(wanted).collect();
        let (position, args) = (include.task.position.clone(), include.args.clone());
        Some((Call { position, args, wanted, vars }, body))
    }

    /// The handlers of a task, each once however often it is called.
    fn handlers_of(&mut self, task: &Task, place: &OutlinePlace) {
        let place = OutlinePlace { locals: Vec::new(), outer: around(task), ..place.clone() }
            .within(Section::Handlers);
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

/// Gives a step what the block around it says and the step itself does not; the keys that it refuses.
fn hand_down(outer: &Step, step: &mut Step) -> Vec<Handed> {
    fn put<T: Clone>(own: &mut Option<T>, outer: &Option<T>) {
        if own.is_none() {
            own.clone_from(outer);
        }
    }
    let mut refused = Vec::new();
    for key in Handed::ALL {
        match key.at(&step.action) {
            Handover::Takes => {}
            Handover::Passes => continue,
            Handover::Refuses => {
                refused.extend(says(outer, key).then_some(key));
                continue;
            }
        }
        match key {
            Handed::Folder => put(&mut step.cd, &outer.cd),
            Handed::LocalFolder => put(&mut step.lcd, &outer.lcd),
            Handed::On => put(&mut step.on, &outer.on),
            Handed::Shell => put(&mut step.shell, &outer.shell),
            Handed::Timeout => put(&mut step.timeout, &outer.timeout),
            Handed::IdleTimeout => put(&mut step.idle_timeout, &outer.idle_timeout),
            Handed::Env => {
                for (name, value) in &outer.env {
                    if !step.env.contains_key(name) {
                        step.env.insert(name.clone(), value.clone());
                    }
                }
            }
            Handed::RunAs => put(&mut step.run_as, &outer.run_as),
            Handed::Durable => put(&mut step.durable, &outer.durable),
            Handed::RunOnce => step.run_once |= outer.run_once,
            Handed::WarnOnly => step.warn_only |= outer.warn_only,
        }
    }
    // What is not to be seen is not seen, whatever it is; and tags are words.
    step.shown = step.shown.max(outer.shown);
    step.tags.extend(outer.tags.iter().cloned());
    refused
}

/// Whether a block or a call says something of a key.
fn says(outer: &Step, key: Handed) -> bool {
    match key {
        Handed::Folder => outer.cd.is_some(),
        Handed::LocalFolder => outer.lcd.is_some(),
        Handed::On => outer.on.is_some(),
        Handed::Env => !outer.env.is_empty(),
        Handed::Shell => outer.shell.is_some(),
        Handed::Timeout => outer.timeout.is_some(),
        Handed::IdleTimeout => outer.idle_timeout.is_some(),
        Handed::RunAs => outer.run_as.is_some(),
        Handed::Durable => outer.durable.is_some(),
        Handed::RunOnce => outer.run_once,
        Handed::WarnOnly => outer.warn_only,
    }
}

/// A step that cannot be what the block or call around it wants of it.
fn refusal(key: Handed, outer: &Step, step: &Step) -> Diagnostic {
    let action = step.action.key();
    let around = match &outer.action {
        Action::Task(_) => "the call of the task",
        _ => "the block",
    };
    // It may have come through more than one block.
    let at = match (key, &outer.on) {
        (Handed::On, Some(on)) => &on.position,
        _ => &outer.position,
    };
    let key = key.key();
    let message = format!(
        "\"{action}\" acts on the host itself, and \"{key}\" of {around} at {}:{} would redirect it to another",
        at.file, at.line
    );
    Diagnostic::at(&step.position, message).help(format!("move it out of that \"{key}\""))
}
