//! Texts and figures that several kinds of reports share, made inert for their readers.

use crate::event::Section;
use crate::event::recap::HostRecord;
use crate::model::outcome::{Exit, Status, StepStatus};
use crate::model::text::{Sgr, sanitize};
use crate::report::capture::CapturedText;
use crate::report::record::{Record, RecordTrack, StepRun};
use crate::report::words::{bytes_of, failure_text, step_label};

/// A text in clean lines, of at most about `max` bytes: its beginning and its end.
pub(super) fn plain(text: &CapturedText, max: usize) -> String {
    let mut head = String::new();
    let mut tail = String::new();
    let mut gap = false;
    for line in text.lines() {
        match line {
            Some(line) => {
                let to = if gap { &mut tail } else { &mut head };
                to.push_str(&sanitize(line, Sgr::Escape));
                to.push('\n');
            }
            None => gap = true,
        }
    }
    let shown = head.len() + tail.len();
    if shown > max {
        if !gap {
            tail = head.split_off(boundary(&head, head.len() / 2));
        }
        head.truncate(boundary(&head, max / 2));
        let cut = boundary(&tail, tail.len().saturating_sub(max / 2));
        tail.drain(..cut);
    } else if !gap {
        return head;
    }
    let kept = u64::try_from(head.len() + tail.len()).unwrap_or(u64::MAX);
    let left_out = bytes_of(text.total().saturating_sub(kept));
    let end = if head.is_empty() || head.ends_with('\n') { "" } else { "\n" };
    format!("{head}{end}... {left_out} left out ...\n{tail}")
}

/// The nearest boundary of characters at or before a byte.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// A short text of fan's or a server's, clean, on one line.
pub(in crate::report) fn clean(text: &str) -> String {
    text.lines().map(line).collect::<Vec<_>>().join(" ")
}

fn line(text: &str) -> String {
    sanitize(text.as_bytes(), Sgr::Escape).into_owned()
}

/// A text of several lines, clean.
pub(in crate::report) fn clean_lines(text: &str) -> String {
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Why a host did not end well: its step and its failure, on one line, clean; empty for one that did.
pub(in crate::report) fn why(record: &Record, host: &HostRecord) -> String {
    let failure = host.outcome.as_ref().and_then(|outcome| outcome.failure.as_ref());
    let Some(failure) = failure else { return String::new() };
    clean(&format!("{}{}", step_label(&record.recap().tasks, host.failed_step), failure_text(failure)))
}

/// How a host ended, as a word.
pub(in crate::report) fn host_word(host: &HostRecord) -> &'static str {
    host.status().map_or("unfinished", Status::as_str)
}

/// How a step ended, as a word.
pub(super) fn status_word(run: &StepRun) -> &'static str {
    run.outcome.as_ref().map_or("unfinished", |outcome| outcome.status.as_str())
}

/// Whether it failed.
pub(super) fn is_bad(run: &StepRun) -> bool {
    run.outcome.as_ref().is_none_or(|outcome| {
        matches!(outcome.status, StepStatus::Failed | StepStatus::Unknown | StepStatus::Cancelled)
    })
}

/// An exit status or signal as text; empty when there was none.
pub(super) fn exit_text(run: &StepRun) -> String {
    match run.outcome.as_ref().and_then(|outcome| outcome.exit.as_ref()) {
        Some(Exit::Status(status)) => status.to_string(),
        Some(Exit::Signal(signal)) => clean(&format!("SIG{signal}")),
        None => String::new(),
    }
}

/// Steps of the plan that every host goes through and that this one did not come to.
pub(super) fn not_run(record: &Record, host: usize, track: &RecordTrack) -> Vec<(usize, usize)> {
    let mut steps = Vec::new();
    for (task, found) in record.recap().tasks.iter().enumerate() {
        if found.hosts.binary_search(&host).is_err() {
            continue;
        }
        for (step, summary) in found.steps.iter().enumerate() {
            let ran = track.steps.iter().any(|run| (run.task, run.step) == (task, step));
            if summary.section == Section::Steps && !ran {
                steps.push((task, step));
            }
        }
    }
    steps
}

/// Seconds with three digits after the point.
pub(super) fn seconds(time: std::time::Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

/// Whole milliseconds.
pub(super) fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Text for XML: what is special escaped, what XML does not allow left out. Control characters are visible before.
pub(super) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(c),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
