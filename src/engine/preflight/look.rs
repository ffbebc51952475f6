//! Looks at what the steps of a plan need of this machine.

use std::path::PathBuf;

use indexmap::IndexMap;

use crate::engine::plan::{Plan, PlannedStep, PlannedTask};
use crate::engine::planner::suggest;
use crate::engine::preflight::disk::{Disk, FileProblem};
use crate::engine::preflight::downloads::Downloads;
use crate::engine::preflight::found::Found;
use crate::engine::preflight::known::{Known, Member, Text, WhenRuns};
use crate::files::select::Selection;
use crate::model::action::{DoneAt, LocalReads, Touches};
use crate::model::files::TreeRules;
use crate::model::position::{Diagnostic, Position};
use crate::model::task::{Action, TemplateText};

/// Looks at the local files that a plan needs; everything that is wrong in one pass.
pub fn preflight(plan: &Plan) -> Vec<Diagnostic> {
    let mut check = Preflight {
        known: Known::new(plan),
        disk: Disk::default(),
        downloads: Downloads::default(),
        found: Found::default(),
        makes_files: false,
    };
    for task in &plan.tasks {
        for step in &task.steps {
            check.step(task, step);
        }
    }
    check.found.finish()
}

struct Preflight<'a> {
    known: Known<'a>,
    disk: Disk,
    downloads: Downloads,
    found: Found,
    /// An earlier step may make the local files that are missing now.
    makes_files: bool,
}

impl<'a> Preflight<'a> {
    fn step(&mut self, task: &'a PlannedTask, step: &'a PlannedStep) {
        let (action, kind) = (&step.step.action, step.step.action.properties());
        let said = action.said();
        if let Some(tree) = said.tree {
            self.globs(tree);
        }
        match said.reads {
            Some(LocalReads::Sources(from)) => self.sources(task, step, from),
            Some(LocalReads::Folder(from)) => self.synced(task, step, from),
            Some(LocalReads::Template(from)) => self.template(task, step, from),
            Some(LocalReads::Script(from)) => self.script(task, step, from),
            Some(LocalReads::File(from)) => self.file(task, step, from),
            None => {}
        }
        if let Action::Get(get) = action {
            let members = self.known.members(task, step);
            self.downloads.step(&self.known, &mut self.disk, &mut self.found, &members, get);
            if !self.makes_files {
                let missing = self.downloads.unwritable(&self.known, &mut self.disk, &members, get);
                for (member, problem) in missing {
                    self.found.add(&get.to.position, problem, member, task);
                }
            }
        }
        self.makes_files |=
            kind.done == DoneAt::Here && !step.step.reads || kind.touches == Touches::FilesHere;
        self.known.define(task, step);
    }

    /// What leaves files out must be readable.
    fn globs(&mut self, rules: &TreeRules) {
        for pattern in &rules.exclude {
            if let Err(error) = Selection::new(&[&pattern.value]) {
                self.found.whole((pattern.position.clone(), FileProblem::new(error.to_string())));
            }
        }
    }

    /// What is to be sent must be there.
    fn sources(&mut self, task: &'a PlannedTask, step: &'a PlannedStep, from: &[TemplateText]) {
        if self.makes_files {
            return;
        }
        let texts: Vec<Text<'_>> = from.iter().map(Text::new).collect();
        for member in self.known.members(task, step).iter().filter(|member| member.runs == WhenRuns::Yes) {
            let Some(folder) = self.known.folder(member) else { continue };
            let known = texts.iter().zip(from).filter_map(|(text, from)| {
                let path = self.known.render(text, member)?;
                Some((self.known.local(&path), &from.position))
            });
            let (mut texts, mut positions): (Vec<String>, Vec<&Position>) = known.unzip();
            // All that is wrong: without what is, again.
            while let Err(bad) = self.disk.sources(texts.clone(), &folder) {
                if bad.index >= texts.len() {
                    break;
                }
                texts.remove(bad.index);
                self.found.add(positions.remove(bad.index), bad.problem, member, task);
            }
        }
    }

    /// A folder that is to be sent must be there.
    fn synced(&mut self, task: &'a PlannedTask, step: &'a PlannedStep, from: &TemplateText) {
        if self.makes_files {
            return;
        }
        let members = self.known.members(task, step);
        for (member, path) in self.paths(&members, from) {
            if member.runs == WhenRuns::Yes
                && let Err(problem) = self.disk.folder(&path)
            {
                self.found.add(&from.position, problem, member, task);
            }
        }
    }

    /// A script must be a file that can be read, and carried.
    fn script(&mut self, task: &'a PlannedTask, step: &'a PlannedStep, from: &TemplateText) {
        if self.makes_files {
            return;
        }
        let members = self.known.members(task, step);
        let shell = step.step.shell.as_ref().map(|shell| shell.value.as_str());
        for (member, path) in self.paths(&members, from) {
            if member.runs == WhenRuns::Yes
                && let Err(problem) = self.disk.script(&path, shell)
            {
                self.found.add(&from.position, problem, member, task);
            }
        }
    }

    /// A file must be there.
    fn file(&mut self, task: &'a PlannedTask, step: &'a PlannedStep, from: &TemplateText) {
        if self.makes_files {
            return;
        }
        let members = self.known.members(task, step);
        for (member, path) in self.paths(&members, from) {
            if member.runs == WhenRuns::Yes && !path.is_file() {
                let problem = FileProblem::new(format!("no such file: {}", path.display()));
                self.found.add(&from.position, problem, member, task);
            }
        }
    }

    /// A template's file must be one, and each of its hosts must have the variables that it needs.
    fn template(&mut self, task: &'a PlannedTask, step: &'a PlannedStep, from: &TemplateText) {
        let members = self.known.members(task, step);
        let mut files: IndexMap<PathBuf, Vec<&Member<'a>>> = IndexMap::new();
        for (member, path) in self.paths(&members, from) {
            files.entry(path).or_default().push(member);
        }
        for (path, members) in files {
            match self.disk.template(&path) {
                Ok(file) => {
                    if let Some(problem) = &file.problem {
                        self.found.whole(problem.clone());
                    }
                    for (name, at) in &file.needed {
                        let lacking: Vec<&Member<'_>> = members
                            .iter()
                            .copied()
                            .filter(|member| !self.known.knows(name, member))
                            .collect();
                        let Some(first) = lacking.first() else { continue };
                        let problem = FileProblem {
                            message: format!("undefined variable \"{name}\""),
                            help: Some(suggest(name, self.known.names(first), "")),
                        };
                        for member in lacking {
                            self.found.add(at, problem.clone(), member, task);
                        }
                    }
                }
                Err(problem) if !self.makes_files => {
                    for member in members.iter().filter(|member| member.runs == WhenRuns::Yes) {
                        self.found.add(&from.position, problem.clone(), member, task);
                    }
                }
                Err(_) => {}
            }
        }
    }

    /// The local path that a text is on each host that may run the step, where that is known.
    fn paths<'m>(&self, members: &'m [Member<'a>], text: &TemplateText) -> Vec<(&'m Member<'a>, PathBuf)> {
        let text = Text::new(text);
        let running = members.iter().filter(|member| member.runs != WhenRuns::No);
        running
            .filter_map(|member| {
                let path = self.known.render(&text, member)?;
                // An empty path would become the folder itself.
                let path = self.known.local(&path);
                let folder = self.known.folder(member)?;
                let path = if path.is_empty() { PathBuf::new() } else { folder.join(path) };
                Some((member, path))
            })
            .collect()
    }
}
