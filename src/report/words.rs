//! Phrases that the live lines and the recap share: steps, failures, durations, reasons.

use std::time::Duration;

use crate::event::{StepOutcome, TaskSummary};
use crate::model::action::first_line;
use crate::model::cells::shorten;
use crate::model::count::counted;
use crate::model::outcome::{CancelReason, Failure, Kind, StepStatus};

/// Characters of a step's title that are shown.
const TITLE_MAX: usize = 72;

/// Characters of a failure that are told while the run goes on.
const FAILURE_MAX: usize = 160;

/// Whether a plan is one command without a tasks file (`fan exec`): its one step needs no name.
pub(crate) fn is_single_command(tasks: &[TaskSummary]) -> bool {
    match tasks {
        [task] => matches!(task.steps.as_slice(), [step] if step.position.is_none()),
        _ => false,
    }
}

/// A step for a message, with a space after it: `step 4 "title" (tasks.yaml:24) `.
///
/// Names the task too when there are several; empty for a single command and for no step. Unclean: titles
/// are the user's text.
pub(crate) fn step_label(tasks: &[TaskSummary], step: Option<(usize, usize)>) -> String {
    let Some((task_index, step_index)) = step else { return String::new() };
    let found = tasks.get(task_index).and_then(|task| Some((task, task.steps.get(step_index)?)));
    let Some((task, step)) = found else { return String::new() };
    if is_single_command(tasks) {
        return String::new();
    }
    let task_name = if tasks.len() > 1 { format!("{} ", task.name) } else { String::new() };
    let place = match &step.position {
        Some(position) => format!(" ({}:{})", position.file, position.line),
        None => String::new(),
    };
    format!("{task_name}step {} \"{}\"{place} ", step_index + 1, shorten(&step.title, TITLE_MAX))
}

/// What a host does that `throttle` holds back.
pub(crate) fn waits(at_most: u32) -> String {
    format!("waits: at most {} in it at a time", count_hosts(at_most as usize))
}

/// Whether a step's note is what it was to print, and so data.
pub(crate) fn echoes(tasks: &[TaskSummary], (task, step): (usize, usize), outcome: &StepOutcome) -> bool {
    let found = tasks.get(task).and_then(|task| task.steps.get(step));
    // One that was left out says why.
    found.is_some_and(|step| step.action == "echo") && outcome.status != StepStatus::Skipped
}

/// A failure in one phrase: `connect timed out after 10.0s [connect_timeout]`. Unclean.
///
/// The word for an exit status would say it twice and is left out.
pub(crate) fn failure_text(failure: &Failure) -> String {
    match failure.kind {
        Kind::Exit => failure.message(),
        kind => format!("{} [{kind}]", failure.message()),
    }
}

/// A failure in one short line, for a run that goes on: the recap tells the whole of it. Unclean.
pub(crate) fn failure_short(failure: &Failure) -> String {
    let text = shorten(&first_line(&failure.message()), FAILURE_MAX);
    match failure.kind {
        Kind::Exit => text,
        kind => format!("{text} [{kind}]"),
    }
}

/// What went wrong on a host, and what to do, as lines for the terminal. Not sanitised.
pub fn failure_lines(who: &str, failure: &Failure) -> String {
    let hint = failure.hint.iter().flat_map(|hint| hint_lines(hint)).map(|line| format!("\n{line}"));
    format!("{who}: {}{}", failure_text(failure), hint.collect::<String>())
}

/// The lines of a hint: the first with `hint: `, the others indented below it. Unclean.
pub(crate) fn hint_lines(hint: &str) -> impl Iterator<Item = String> {
    hint.lines().enumerate().map(|(at, line)| format!("{}{line}", if at == 0 { "hint: " } else { "      " }))
}

/// A count of bytes for people: `512 B`, `27.1 MiB`.
pub(crate) fn bytes(count: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut count = count;
    let mut units = UNITS.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    while count >= 1024.0 {
        let Some(next) = units.next() else { break };
        count /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{count:.0} {unit}") } else { format!("{count:.1} {unit}") }
}

/// A count of bytes that is known to the byte, for people.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(crate) fn bytes_of(count: u64) -> String {
    bytes(count as f64)
}

/// A duration for people: `0.4s`, `59.9s`, `1m31s`, `2h05m`.
pub(crate) fn duration(duration: Duration) -> String {
    let tenths = duration.as_millis() / 100;
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{}.{}s", tenths / 10, tenths % 10),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// The same without tenths, which would change with each picture: `12s`, `1m31s`.
pub(crate) fn whole(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        _ => duration(time),
    }
}

/// What stopped the run, as its user knows it.
pub(crate) fn reason(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::User => "the user",
        CancelReason::Hangup => "SIGHUP",
        CancelReason::Terminate => "SIGTERM",
        CancelReason::Interrupt => "Ctrl-C",
    }
}

/// `1 host`, `4 hosts`.
pub(crate) fn count_hosts(count: usize) -> String {
    counted(count, "host")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::report::words::{duration, hint_lines};

    #[test]
    fn durations_for_people() {
        for (ms, text) in [
            (0, "0.0s"),
            (449, "0.4s"),
            (59_999, "59.9s"),
            (60_000, "1m00s"),
            (91_500, "1m31s"),
            (3_599_999, "59m59s"),
            (7_500_000, "2h05m"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn hints_of_several_lines_stay_together() {
        assert_eq!(hint_lines("a\nweb2 | b").collect::<Vec<_>>(), ["hint: a", "      web2 | b"]);
    }
}
