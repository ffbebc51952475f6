//! `--plan`: what a run would do, for reading before it is done.

use std::fmt::Write;

use crate::engine::plan::{Plan, title};
use crate::model::duration;
use crate::model::files::{Attributes, FileState, Install, LineEdit, Links, TreeRules};
use crate::model::range;
use crate::model::task::{Action, Step};

/// The tasks in order, each with its hosts and steps.
pub(super) fn render(plan: &Plan) -> String {
    let mut text = String::new();
    for task in &plan.tasks {
        let hosts: Vec<&str> = task
            .hosts
            .iter()
            .filter_map(|host| plan.hosts.get(host.host).map(|host| host.endpoint.name.as_str()))
            .collect();
        let _ = writeln!(text, "{} on {} ({})", task.name, range::fold(&hosts), hosts.len());
        for (index, step) in task.steps.iter().enumerate() {
            let number = index + 1;
            let what = step.name.as_ref().map_or_else(|| title(&step.action), |name| name.value.to_string());
            let _ = write!(text, "  {number}. {}: {what}", step.action.key());
            for note in notes(plan, step) {
                let _ = write!(text, "  [{note}]");
            }
            text.push('\n');
        }
    }
    text
}

/// What shapes a step, besides its title.
fn notes(plan: &Plan, step: &Step) -> Vec<String> {
    let mut notes = on_files(&step.action);
    if step.sudo {
        notes.push("sudo".to_owned());
    }
    if let Some(cd) = step.cd.as_ref().filter(|_| moves_or_changes_files(&step.action)) {
        notes.push(format!("cd {}", cd.value));
    }
    if let Some(when) = &step.when {
        notes.push(format!("when {}", when.value.trim()));
    }
    if let Some(limit) = step.timeout.and_then(|limit| limit.duration()) {
        notes.push(format!("timeout {}", duration::show(limit)));
    }
    if step.warn_only || plan.warn_only {
        notes.push("warn only".to_owned());
    }
    if plan.changes.dry_run && moves_or_changes_files(&step.action) {
        notes.push("dry run".to_owned());
    }
    notes
}

fn moves_or_changes_files(action: &Action) -> bool {
    match action {
        Action::Put(_)
        | Action::Get(_)
        | Action::Sync(_)
        | Action::Template(_)
        | Action::File(_)
        | Action::Line(_) => true,
        Action::Run(_)
        | Action::Local(_)
        | Action::Echo(_)
        | Action::Set(_)
        | Action::Fail(_)
        | Action::Assert { .. }
        | Action::Stat(_)
        | Action::Ls(_) => false,
    }
}

fn on_files(action: &Action) -> Vec<String> {
    let mut notes = Vec::new();
    match action {
        Action::Put(put) => {
            attributes(&put.attributes, &mut notes);
            tree(&put.tree, false, &mut notes);
            install(&put.install, &mut notes);
        }
        Action::Get(get) => tree(&get.tree, false, &mut notes),
        Action::Sync(sync) => {
            notes.extend(sync.delete.then(|| "delete".to_owned()));
            attributes(&sync.attributes, &mut notes);
            tree(&sync.tree, true, &mut notes);
        }
        Action::Template(file) => {
            attributes(&file.attributes, &mut notes);
            install(&file.install, &mut notes);
        }
        Action::File(file) => {
            notes.push(match &file.state {
                FileState::Present => "present".to_owned(),
                FileState::Absent { recurse: false } => "absent".to_owned(),
                FileState::Absent { recurse: true } => "absent, recurse".to_owned(),
                FileState::Directory => "directory".to_owned(),
                FileState::Link { target } => format!("link → {}", target.value),
            });
            attributes(&file.attributes, &mut notes);
        }
        Action::Line(line) => {
            notes.push(match &line.edit {
                LineEdit::Present { line, .. } => format!("line {:?}", line.value),
                LineEdit::Absent { matching } => format!("absent {:?}", matching.value),
            });
            attributes(&line.attributes, &mut notes);
            install(&line.install, &mut notes);
        }
        Action::Run(_)
        | Action::Local(_)
        | Action::Echo(_)
        | Action::Set(_)
        | Action::Fail(_)
        | Action::Assert { .. }
        | Action::Stat(_)
        | Action::Ls(_) => {}
    }
    notes
}

fn attributes(attributes: &Attributes, notes: &mut Vec<String>) {
    let Attributes { mode, dir_mode, owner, group } = attributes;
    notes.extend(mode.map(|mode| format!("mode {mode}")));
    notes.extend(dir_mode.map(|mode| format!("dir_mode {mode}")));
    notes.extend(owner.as_ref().map(|owner| format!("owner {}", owner.value)));
    notes.extend(group.as_ref().map(|group| format!("group {}", group.value)));
}

/// `times` is what holds unless the user says otherwise.
fn tree(rules: &TreeRules, times: bool, notes: &mut Vec<String>) {
    let globs: Vec<&str> = rules.exclude.iter().map(|glob| glob.value.as_str()).collect();
    notes.extend((!globs.is_empty()).then(|| format!("without {}", globs.join(" "))));
    notes.extend((rules.links != Links::default()).then(|| format!("links {}", rules.links.as_str())));
    if rules.times != times {
        notes.push(if rules.times { "times" } else { "no times" }.to_owned());
    }
}

fn install(install: &Install, notes: &mut Vec<String>) {
    let Install { backup, validate, follow } = install;
    notes.extend(backup.then(|| "backup".to_owned()));
    notes.extend(validate.as_ref().map(|command| format!("validate {}", command.value.trim())));
    notes.extend(follow.then(|| "follow".to_owned()));
}
