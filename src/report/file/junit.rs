//! JUnit's XML, as CI servers read it: a suite per host, a case per step.

use std::fmt::Write;

use crate::event::recap::HostRecord;
use crate::model::outcome::{Failure, Status, StepStatus};
use crate::report::file::text::{clean, clean_lines, not_run, plain, seconds, xml};
use crate::report::record::{Record, RecordTrack, StepRun};
use crate::report::words::failure_text;

/// Bytes of a stream that a case holds.
const STREAM_MAX: usize = 8 * 1024;

/// Lines of output that stand with a failure's message.
const LAST_LINES: usize = 20;

/// Characters of such a line.
const LINE_MAX: usize = 500;

/// Bytes of the streams of cases that passed, in all; failures have theirs in any case.
const PASSED_MAX: usize = 16 * 1024 * 1024;

/// How many cases ended how.
#[derive(Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

pub(super) fn render(record: &Record) -> String {
    let recap = record.recap();
    let mut page = JunitPage { record, left: PASSED_MAX };
    let mut all = Counts::default();
    let mut suites = String::new();
    for (at, (host, track)) in record.hosts().enumerate() {
        let (counts, cases) = page.cases(at, host, track);
        let name = xml(&clean(host.host.as_str()));
        writeln!(
            suites,
            "<testsuite name=\"{name}\" hostname=\"{name}\" {} time=\"{}\" timestamp=\"{}\">\n{cases}</testsuite>",
            counts.attributes(),
            seconds(host.elapsed),
            xml(&clean(recap.started_at.trim_end_matches('Z'))),
        )
        .expect("writing to a String cannot fail");
        all.tests += counts.tests;
        all.failures += counts.failures;
        all.errors += counts.errors;
        all.skipped += counts.skipped;
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\" {} time=\"{}\">\n{suites}</testsuites>\n",
        xml(&clean(&recap.title)),
        all.attributes(),
        seconds(recap.elapsed),
    )
}

impl Counts {
    fn attributes(&self) -> String {
        format!(
            "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
            self.tests, self.failures, self.errors, self.skipped
        )
    }
}

struct JunitPage<'a> {
    record: &'a Record,
    left: usize,
}

impl JunitPage<'_> {
    fn cases(&mut self, at: usize, host: &HostRecord, track: &RecordTrack) -> (Counts, String) {
        let mut counts = Counts::default();
        let mut cases = String::new();
        for run in &track.steps {
            let last = self.last_lines(run);
            let (verdict, streams) = (verdict(run, &last, &mut counts), self.streams(run));
            let time = run.outcome.as_ref().map(|outcome| seconds(outcome.elapsed));
            self.case(&mut cases, host, (run.task, run.step), time, &format!("{verdict}{streams}"));
            counts.tests += 1;
        }
        // What is no step's: not reached, lost between steps, skipped because of others.
        let failure = host.outcome.as_ref().and_then(|outcome| outcome.failure.as_ref());
        let told = host.failed_step.is_some_and(|(task, step)| {
            track.steps.iter().any(|run| (run.task, run.step) == (task, step) && run.outcome.is_some())
        });
        if host.status() != Some(Status::Ok) && !told {
            let name = xml(&clean(host.host.as_str()));
            let word = host.status().map_or("unfinished", Status::as_str);
            let verdict = match host.status() {
                Some(Status::Skipped | Status::Cancelled) => {
                    counts.skipped += 1;
                    element("skipped", failure, word, "")
                }
                _ => {
                    counts.errors += 1;
                    element("error", failure, word, "")
                }
            };
            writeln!(
                cases,
                "<testcase classname=\"{name}\" name=\"host\" time=\"0.000\">{verdict}</testcase>"
            )
            .expect("writing to a String cannot fail");
            counts.tests += 1;
        }
        for step in not_run(self.record, at, track) {
            self.case(&mut cases, host, step, None, "<skipped message=\"not run\"/>");
            counts.tests += 1;
            counts.skipped += 1;
        }
        (counts, cases)
    }

    fn case(
        &self,
        cases: &mut String,
        host: &HostRecord,
        step: (usize, usize),
        time: Option<String>,
        inner: &str,
    ) {
        let place = self.record.step(step.0, step.1).and_then(|step| step.position.as_ref());
        let place = place
            .map(|place| format!(" file=\"{}\" line=\"{}\"", xml(&clean(&place.file)), place.line))
            .unwrap_or_default();
        writeln!(
            cases,
            "<testcase classname=\"{}\" name=\"{}\"{place} time=\"{}\">{inner}</testcase>",
            xml(&clean(host.host.as_str())),
            xml(&clean(&self.record.step_title(step.0, step.1))),
            time.as_deref().unwrap_or("0.000"),
        )
        .expect("writing to a String cannot fail");
    }

    /// The end of what a step that failed said: on standard error, or else on standard output.
    fn last_lines(&self, run: &StepRun) -> String {
        let failed = run.outcome.as_ref().is_some_and(|outcome| outcome.failure.is_some());
        let text = run.stderr.or(run.stdout).filter(|_| failed).and_then(|id| self.record.texts().get(id));
        let text = text.map(|text| plain(text, STREAM_MAX)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
        last.iter().map(|line| format!("{}\n", line.chars().take(LINE_MAX).collect::<String>())).collect()
    }

    fn streams(&mut self, run: &StepRun) -> String {
        let passed = run.outcome.as_ref().is_some_and(|outcome| outcome.failure.is_none());
        let note = run.outcome.as_ref().and_then(|outcome| outcome.note.as_deref());
        let mut out = String::new();
        for (name, id, note) in [("system-out", run.stdout, note), ("system-err", run.stderr, None)] {
            let text = id.and_then(|id| self.record.texts().get(id)).map(|text| plain(text, STREAM_MAX));
            let text = match (note.map(clean_lines), text) {
                (Some(note), Some(text)) => format!("{note}\n{text}"),
                (Some(text), None) | (None, Some(text)) => text,
                (None, None) => continue,
            };
            if passed {
                let Some(left) = self.left.checked_sub(text.len()) else { continue };
                self.left = left;
            }
            write!(out, "<{name}>{}</{name}>", xml(&text)).expect("writing to a String cannot fail");
        }
        out
    }
}

fn verdict(run: &StepRun, last: &str, counts: &mut Counts) -> String {
    let failure = run.outcome.as_ref().and_then(|outcome| outcome.failure.as_ref());
    match run.outcome.as_ref().map(|outcome| outcome.status) {
        Some(StepStatus::Ok | StepStatus::Changed | StepStatus::Warned) => String::new(),
        Some(status @ (StepStatus::Skipped | StepStatus::Cancelled)) => {
            counts.skipped += 1;
            // What a dry run could not know is told from what was not wanted.
            let unknown = run.outcome.as_ref().filter(|outcome| outcome.not_known);
            let note = unknown.and_then(|outcome| outcome.note.as_deref()).map(clean);
            element("skipped", failure, note.as_deref().unwrap_or(status.as_str()), "")
        }
        Some(StepStatus::Failed) => {
            counts.failures += 1;
            element("failure", failure, "failed", last)
        }
        Some(StepStatus::Unknown) => {
            counts.errors += 1;
            element("error", failure, "unknown", last)
        }
        None => {
            counts.errors += 1;
            element("error", failure, "end not seen", last)
        }
    }
}

/// `last`: the last lines of output, which viewers show with the message.
fn element(name: &str, failure: Option<&Failure>, word: &str, last: &str) -> String {
    let message = failure.map(|failure| clean(&failure_text(failure)));
    let kind = failure.filter(|_| name != "skipped").map(|failure| format!(" type=\"{}\"", failure.kind));
    let hint = failure.and_then(|failure| failure.hint.as_deref()).map(clean_lines).unwrap_or_default();
    let message = xml(message.as_deref().unwrap_or(word));
    let between = if hint.is_empty() || last.is_empty() { "" } else { "\n" };
    let body = format!("{}{between}{}", xml(&hint), xml(last));
    format!("<{name} message=\"{message}\"{}>{body}</{name}>", kind.unwrap_or_default())
}
