//! `--start-at`: which step of which task a run begins with.

use crate::engine::plan::{PlannedStep, summarize};
use crate::engine::planner::outline::{Picking, outline};
use crate::event::Section;
use crate::model::count::counted;
use crate::model::position::Diagnostic;
use crate::model::suggest::did_you_mean;
use crate::model::task::{Task, TaskFile};

/// Where a run begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RunStart {
    /// Tasks before this one are left out.
    pub(super) task: usize,
    /// Steps of it before this one are left out, from 0.
    pub(super) step: usize,
}

/// Finds the step that a text means: `TASK:NUMBER`, `NUMBER` where one task was called, or the name of a step.
///
/// # Errors
///
/// No step is meant, or more than one.
pub(super) fn find(
    text: &str,
    tasks: &[&Task],
    called: &[&str],
    file: &TaskFile,
) -> Result<RunStart, Diagnostic> {
    let steps: Vec<Vec<PlannedStep>> =
        tasks.iter().map(|task| outline(task, Some(file), &Picking::default(), 0).steps).collect();
    let (task, number) = match text.rsplit_once(':') {
        Some((task, number)) => (Some(task), number.parse::<usize>().ok()),
        None => (None, text.parse().ok()),
    };
    if let Some(number) = number {
        let name = match (task, called) {
            (Some(task), _) => task,
            (None, [only]) => only,
            (None, _) => {
                let message = format!("--start-at {text}: of which task?");
                return Err(Diagnostic::bare(message).help(format!("write --start-at TASK:{number}")));
            }
        };
        let Some(task) = tasks.iter().position(|task| *task.name == *name) else {
            return Err(Diagnostic::bare(format!(
                "--start-at {text}: the task \"{name}\" is not in this run"
            )));
        };
        let main = steps.get(task).map_or(0, |steps| steps.iter().filter(|step| is_main(step)).count());
        return match number.checked_sub(1) {
            Some(step) if step < main => Ok(RunStart { task, step }),
            _ => Err(Diagnostic::bare(format!(
                "--start-at {text}: the task \"{name}\" has {}",
                counted(main, "step")
            ))
            .help("`--plan` shows them with their numbers")),
        };
    }
    let all = || {
        let of = |(task, steps): (usize, &'_ Vec<PlannedStep>)| -> Vec<(RunStart, String)> {
            let titled = steps.iter().enumerate().filter(|(_, step)| is_main(step));
            titled.map(|(step, planned)| (RunStart { task, step }, summarize(planned).title)).collect()
        };
        steps.iter().enumerate().flat_map(of)
    };
    let found: Vec<RunStart> = all().filter(|(_, title)| title == text).map(|(start, _)| start).collect();
    match found.as_slice() {
        [start] => Ok(*start),
        [] => {
            let problem = Diagnostic::bare(format!("--start-at: no step is named {text:?}"));
            let titles: Vec<String> = all().map(|(_, title)| title).collect();
            Err(match did_you_mean(text, titles.iter().map(String::as_str)) {
                Some(near) => problem.help(format!("did you mean {near:?}?")),
                None => problem.help("`--plan` shows the steps; a number works too: --start-at TASK:NUMBER"),
            })
        }
        many => {
            let named = many
                .iter()
                .filter_map(|start| Some(format!("{}:{}", tasks.get(start.task)?.name, start.step + 1)));
            let named = named.collect::<Vec<_>>().join(", ");
            let message = format!("--start-at: {} steps are named {text:?}", many.len());
            Err(Diagnostic::bare(message).help(format!("name one by its number: {named}")))
        }
    }
}

fn is_main(step: &PlannedStep) -> bool {
    step.section == Section::Steps
}
