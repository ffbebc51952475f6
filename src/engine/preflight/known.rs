//! What the texts of a step are on each host, as far as that can be said before the run: everything but what
//! `set` and `register` of earlier steps will give.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::path::Path;

use crate::engine::plan::scope::{self, BUILT_IN_NAMES, HOST_VARS};
use crate::engine::plan::{Plan, PlannedStep, PlannedTask, TaskHost};
use crate::event::Section;
use crate::model::task::TemplateText;
use crate::model::template::{self, Layer, Scope, Syntax};

/// What is known while one walks through a plan's steps.
pub(super) struct Known<'a> {
    plan: &'a Plan,
    /// Names that earlier steps give values that are not known yet, for each host.
    later: Vec<HashSet<&'a str>>,
}

/// A host of a step.
pub(super) struct Member<'a> {
    /// Index into the plan's hosts.
    pub(super) host: usize,
    /// Its name.
    pub(super) name: &'a str,
    /// Whether the step is run there.
    pub(super) runs: WhenRuns,
    task: &'a PlannedTask,
    step: &'a PlannedStep,
    of: &'a TaskHost,
    /// Its place in the task's list.
    position: usize,
    scope: OnceCell<Scope>,
}

/// Whether a step's `when` lets it run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenRuns {
    Yes,
    No,
    /// It depends on what earlier steps find.
    Perhaps,
}

/// A template with the names that it looks at.
pub(super) struct Text<'t> {
    text: &'t str,
    /// `None` for a text that cannot be rendered; the planner has said why.
    names: Option<Vec<String>>,
}

impl<'t> Text<'t> {
    pub(super) fn new(text: &'t TemplateText) -> Self {
        Self::of(text, Syntax::Text)
    }

    fn of(text: &'t TemplateText, syntax: Syntax) -> Self {
        Self { text: &text.value, names: template::names(&text.value, syntax).ok() }
    }

    /// Whether rendering gives the text itself.
    fn is_plain(&self) -> bool {
        !["{{", "{%", "{#"].iter().any(|open| self.text.contains(open))
    }
}

impl<'a> Known<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self { plan, later: vec![HashSet::new(); plan.hosts.len()] }
    }

    /// The hosts of a step.
    pub(super) fn members(&self, task: &'a PlannedTask, step: &'a PlannedStep) -> Vec<Member<'a>> {
        let when = step.step.when.as_ref().map(|when| Text::of(when, Syntax::Expression));
        let member = |(position, of): (usize, &'a TaskHost)| {
            let host = self.plan.hosts.get(of.host)?;
            let mut member = Member {
                host: of.host,
                name: host.endpoint.name.as_str(),
                // A block's own condition is looked at when the host comes there.
                runs: if step.section == Section::Steps { WhenRuns::Yes } else { WhenRuns::Perhaps },
                task,
                step,
                of,
                position,
                scope: OnceCell::new(),
            };
            if let Some(when) = &when {
                let scope = self.is_known(when, &member).then(|| self.scope(&member));
                member.runs = match scope.map(|scope| self.plan.templates.eval_bool(when.text, scope)) {
                    Some(Ok(true)) => WhenRuns::Yes,
                    Some(Ok(false)) => WhenRuns::No,
                    Some(Err(_)) | None => WhenRuns::Perhaps,
                };
            }
            Some(member)
        };
        task.hosts.iter().enumerate().filter_map(member).collect()
    }

    /// Takes note of what a step will define.
    pub(super) fn define(&mut self, task: &'a PlannedTask, step: &'a PlannedStep) {
        for member in &task.hosts {
            if let Some(later) = self.later.get_mut(member.host) {
                later.extend(step.step.definitions());
            }
        }
    }

    /// What a text is on a host, when that is known.
    pub(super) fn render<'t>(&self, text: &Text<'t>, member: &Member<'a>) -> Option<Cow<'t, str>> {
        if text.is_plain() {
            return Some(Cow::Borrowed(text.text));
        }
        if !self.is_known(text, member) {
            return None;
        }
        self.plan.templates.render_text(text.text, self.scope(member)).ok().map(Cow::Owned)
    }

    /// Where relative local paths of a step begin on a host, when that is known.
    pub(super) fn folder(&self, member: &Member<'a>) -> Option<Cow<'a, Path>> {
        let folder: &'a Path = member.step.step.position.folder();
        match &member.step.step.lcd {
            None => Some(Cow::Borrowed(folder)),
            Some(lcd) => {
                let lcd = self.render(&Text::new(lcd), member)?;
                Some(Cow::Owned(folder.join(self.local(&lcd))))
            }
        }
    }

    /// A path of this machine as steps read it.
    pub(super) fn local(&self, text: &str) -> String {
        self.plan.local_path(text)
    }

    /// Whether a host will have a variable when the step is run.
    pub(super) fn knows(&self, name: &str, member: &Member<'a>) -> bool {
        self.names(member).any(|known| known == name)
    }

    /// The variables that a host will have when the step is run.
    pub(super) fn names(&self, member: &Member<'a>) -> impl Iterator<Item = &'a str> {
        let host = self.plan.hosts.get(member.host).map(|host| host.vars.names());
        let later: Vec<&'a str> = self.later.get(member.host).into_iter().flatten().copied().collect();
        host.into_iter()
            .flatten()
            .chain(member.of.vars.names())
            .chain(later)
            .chain(member.step.locals.iter().map(String::as_str))
            .chain(self.plan.extra_vars.names())
            .chain(self.plan.secrets.named().names())
            .chain(BUILT_IN_NAMES)
    }

    fn is_known(&self, text: &Text<'_>, member: &Member<'a>) -> bool {
        let Some(names) = &text.names else { return false };
        let later = self.later.get(member.host);
        // Those of the command line win over what steps define.
        let open = |name: &str| {
            // Others may learn until then.
            name == HOST_VARS
                || later.is_some_and(|later| later.contains(name))
                || member.step.locals.iter().any(|local| local == name)
        };
        names.iter().all(|name| self.plan.extra_vars.contains(name) || !open(name))
    }

    fn scope<'m>(&self, member: &'m Member<'a>) -> &'m Scope {
        member.scope.get_or_init(|| {
            scope::of(self.plan, member.task, member.position, Layer::default(), Layer::default(), None)
        })
    }
}
