//! The recap for people: who ended how, then why, with the last lines of each failure.
//!
//! It says everything about every host, but 500 hosts with one trouble are one paragraph.

use std::fmt::Write;

use indexmap::IndexMap;

use crate::event::recap::{FailedStep, HostRecord, Recap};
use crate::event::{Change, Section, TaskSummary};
use crate::model::cells::{self, shorten};
use crate::model::outcome::{Failure, Kind, Status};
use crate::model::range;
use crate::report::alike::common;
use crate::report::style::{Style, status_colour};
use crate::report::words::{
    count_hosts, duration, failure_text, hint_lines, is_single_command, reason, step_label,
};

/// A recap is laid out for lines of at most this many characters, however wide the terminal.
const COLUMNS_MAX: usize = 100;

/// Characters of a list of hosts above which it is cut, as the table has the whole list.
const HOSTS_MAX: usize = 60;

/// Paragraphs with last lines; further failures are told without.
const PARAGRAPHS_MAX: usize = 20;

/// How a recap is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Colours and trust.
    pub style: Style,
    /// Characters in a line: the terminal's, or 80.
    pub columns: usize,
    /// Rows that a screen has: hosts of one status beyond that stand folded on one line.
    pub rows: usize,
    /// Failures only.
    pub quiet: bool,
    /// Writes a list of host names in short: `web[01-04]`.
    pub fold: fn(&[&str]) -> String,
}

/// Renders a recap, each line with its end; empty for a quiet run without failures.
pub fn render(recap: &Recap, options: &Options) -> String {
    let page = RecapPage { recap, options, single: is_single_command(&recap.tasks) };
    let mut out = String::new();
    if !options.quiet {
        page.header(&mut out);
        page.table(&mut out);
    }
    // Paragraphs of one line stand close together.
    let mut close = false;
    for paragraph in page.paragraphs() {
        let one_line = paragraph.tail.is_empty() && paragraph.hint.is_none() && paragraph.besides.is_empty();
        if !(out.is_empty() || close && one_line) {
            out.push('\n');
        }
        close = one_line;
        page.paragraph(&mut out, &paragraph);
    }
    page.still_running(&mut out);
    out
}

/// The line to copy for going on with a run that is recorded, with its end; none when nothing is left of it.
pub fn resume_line(recap: &Recap, options: &Options) -> Option<String> {
    let is_left = |record: &&HostRecord| record.status() != Some(Status::Ok) && !record.is_left_out();
    let left: Vec<&HostRecord> = recap.hosts.iter().filter(is_left).collect();
    let who = match left.as_slice() {
        [] => return None,
        [one] => {
            let host = options.style.text(one.host.as_str());
            one.failed_step.map_or_else(
                || host.to_string(),
                |(_, step)| format!("{host} at step {}", step.saturating_add(1)),
            )
        }
        many => count_hosts(many.len()),
    };
    Some(format!("hint: `fan resume {}` continues {who}\n", recap.run))
}

/// What a dry run found, in a line: which hosts would change. Hosts that failed say nothing about that.
pub fn dry_line(recap: &Recap, options: &Options) -> Option<String> {
    let hosts = |change: Change| {
        let found = recap.hosts.iter().filter(|record| record.would_change == change);
        let names: Vec<&str> = found.map(|record| record.host.as_str()).collect();
        (!names.is_empty()).then(|| shorten(&options.style.text(&(options.fold)(&names)), options.columns))
    };
    let would = hosts(Change::Certain).map(|names| format!("{names} would change"));
    let may = hosts(Change::Possible).map(|names| format!("{names} may change: steps there were not run"));
    let all_ok = recap.hosts.iter().all(|record| record.status() == Some(Status::Ok) || record.is_left_out());
    let said = match (would, may) {
        (None, None) => all_ok.then(|| "nothing would change".to_owned())?,
        (would, may) => would.into_iter().chain(may).collect::<Vec<_>>().join("; "),
    };
    Some(format!("dry run: {said}\n"))
}

/// Hosts that are not ok, grouped as the recap tells it.
pub(crate) fn failures(recap: &Recap) -> Vec<Paragraph<'_>> {
    const OPTIONS: &Options = &Options {
        style: Style { colour: false, ci: false },
        columns: COLUMNS_MAX,
        rows: usize::MAX,
        // Without hosts that were left out: their status says it.
        quiet: true,
        fold: range::fold,
    };
    RecapPage { recap, options: OPTIONS, single: is_single_command(&recap.tasks) }.paragraphs()
}

struct RecapPage<'a> {
    recap: &'a Recap,
    options: &'a Options,
    /// One command without steps or changes to count.
    single: bool,
}

/// Hosts that ended in one way, for one reason.
pub(crate) struct Paragraph<'a> {
    /// How they ended; none without a final record.
    pub(crate) status: Option<Status>,
    /// Their names.
    pub(crate) hosts: Vec<&'a str>,
    /// Step and message; of several hosts without what only one of them has. Unclean.
    pub(crate) what: String,
    /// What to do. Unclean.
    pub(crate) hint: Option<String>,
    /// The last lines of output. Unclean.
    pub(crate) tail: Vec<&'a [u8]>,
    /// What else failed there and was not put right.
    pub(crate) besides: Vec<FailedBeside<'a>>,
}

/// A step that failed besides the one at which hosts ended: before it, or in a `rescue`.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct FailedBeside<'a> {
    /// When, step and message. Unclean.
    pub(crate) what: String,
    /// The last lines of output. Unclean.
    pub(crate) tail: Vec<&'a [u8]>,
}

/// What makes failures equal.
#[derive(PartialEq, Eq, Hash)]
struct RecapKey<'a> {
    status: Option<Status>,
    kind: Option<Kind>,
    step: Option<(usize, usize)>,
    message: String,
    hint: Option<String>,
    tail: Vec<&'a [u8]>,
    besides: Vec<FailedBeside<'a>>,
}

/// Statuses in the order of the table; `None` is a host without a final record.
fn statuses() -> impl Iterator<Item = Option<Status>> {
    Status::ALL.iter().copied().map(Some).chain([None])
}

fn word(status: Option<Status>) -> &'static str {
    status.map_or("unfinished", Status::as_str)
}

impl<'a> RecapPage<'a> {
    fn of_status(&self, status: Option<Status>) -> Vec<&'a HostRecord> {
        self.recap.hosts.iter().filter(|record| record.status() == status).collect()
    }

    /// Names in short, cleaned, cut to `max` characters.
    fn names(&self, hosts: &[&str], max: usize) -> String {
        shorten(&self.options.style.text(&(self.options.fold)(hosts)), max)
    }

    /// The gateway of all hosts that were dialled, if they have the same one.
    fn common_gateway(&self) -> Option<&str> {
        let mut dialled = self.recap.hosts.iter().filter(|record| !record.address.is_empty());
        let gateway = dialled.next()?.via.as_ref()?;
        dialled.all(|record| record.via.as_ref() == Some(gateway)).then(|| gateway.as_str())
    }

    fn header(&self, out: &mut String) {
        let hosts: Vec<&str> = self.recap.hosts.iter().map(|record| record.host.as_str()).collect();
        let mut names = self.names(&hosts, usize::MAX);
        if hosts.is_empty() {
            names = "no hosts".to_owned();
        } else if cells::width(&names) > HOSTS_MAX {
            names = count_hosts(hosts.len());
        }
        if let Some(gateway) = self.common_gateway() {
            names = format!("{names} via {}", self.options.style.text(gateway));
        }
        let counts: Vec<String> = statuses()
            .map(|status| (status, self.of_status(status).len()))
            .filter(|&(_, count)| count > 0)
            .map(|(status, count)| format!("{count} {}", word(status)))
            .collect();
        let title = shorten(&self.options.style.text(&self.recap.title), HOSTS_MAX);
        let mut parts = vec![title, names, counts.join(", ")];
        parts.retain(|part| !part.is_empty());
        parts.extend(self.recap.cancelled.map(|why| format!("stopped by {}", reason(why))));
        let left = parts.join(" · ");
        let time = duration(self.recap.elapsed);
        let width = self.options.columns.min(COLUMNS_MAX).saturating_sub(time.len() + 2);
        line(out, &format!("{}  {time}", cells::pad(&left, width)));
    }

    fn table(&self, out: &mut String) {
        let mut records = Vec::new();
        let mut folded = Vec::new();
        let many = self.recap.hosts.len() > self.options.rows;
        for status in statuses() {
            let found = self.of_status(status);
            // With more than a screenful the ok ones always fold, the others when they would fill it.
            if many && (status == Some(Status::Ok) || found.len() > self.options.rows) {
                folded.push((status, found));
            } else {
                records.extend(found);
            }
        }
        for (status, found) in folded.into_iter().filter(|(_, found)| !found.is_empty()) {
            let names: Vec<&str> = found.iter().map(|record| record.host.as_str()).collect();
            let status = self.options.style.paint(status_colour(status), word(status));
            line(out, &format!("  {} {status}: {}", names.len(), self.names(&names, usize::MAX)));
        }
        let rows: Vec<[String; 6]> = records.iter().map(|record| self.row(record)).collect();
        let mut widths = [0; 6];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cells::width(cell).max(*width);
            }
        }
        for (row, record) in rows.iter().zip(records) {
            let mut text = String::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                if width > 0 {
                    let cell = cells::pad(cell, width);
                    let status = record.status();
                    // Column 1 is the status; padded before it is painted, as escapes have no width.
                    let cell = if column == 1 {
                        self.options.style.paint(status_colour(status), &cell)
                    } else {
                        cell
                    };
                    write!(text, "  {cell}").expect("writing to a String cannot fail");
                }
            }
            line(out, &text);
        }
    }

    fn row(&self, record: &HostRecord) -> [String; 6] {
        let counted = |text: String| if self.single { String::new() } else { text };
        let besides = [(record.warned, "warned"), (record.not_known, "not known")];
        let besides: Vec<String> = besides
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        [
            self.options.style.text(record.host.as_str()).into_owned(),
            word(record.status()).to_owned(),
            counted(format!("{}/{} steps", record.steps_done, record.steps_total)),
            counted(format!("{} changed", record.changed)),
            besides.join(", "),
            if record.elapsed.is_zero() { String::new() } else { duration(record.elapsed) },
        ]
    }

    /// Groups everything that is not ok; in the order of the table.
    fn paragraphs(&self) -> Vec<Paragraph<'a>> {
        let mut groups: IndexMap<RecapKey<'a>, Vec<&'a HostRecord>> = IndexMap::new();
        // Being left out is no failure.
        let told = |record: &&HostRecord| !(self.options.quiet && record.is_left_out());
        for status in statuses().filter(|&status| status != Some(Status::Ok)) {
            for record in self.of_status(status).into_iter().filter(told) {
                groups.entry(key(record, &self.recap.tasks)).or_default().push(record);
            }
        }
        let (kept, rest): (Vec<_>, Vec<_>) = groups
            .into_iter()
            .enumerate()
            .partition(|(at, (key, _))| *at < PARAGRAPHS_MAX || key.tail.is_empty());
        let mut groups: IndexMap<RecapKey<'a>, Vec<&'a HostRecord>> =
            kept.into_iter().map(|(_, group)| group).collect();
        for (_, (mut key, records)) in rest {
            key.tail.clear();
            key.besides.iter_mut().for_each(|beside| beside.tail.clear());
            groups.entry(key).or_default().extend(records);
        }
        groups.into_iter().map(|(key, records)| self.describe(key, &records)).collect()
    }

    fn describe(&self, key: RecapKey<'a>, records: &[&'a HostRecord]) -> Paragraph<'a> {
        let failures = || records.iter().map(|record| record.outcome.as_ref()?.failure.as_ref());
        let first = failures().next().flatten();
        let one_text = failures().all(|failure| failure == first);
        let what = match (first, key.status) {
            (Some(failure), _) if one_text => failure_text(failure),
            (Some(failure), _) => {
                failure_text(&Failure::new(failure.kind, key.message.replace(" (<address>)", "")))
            }
            (None, Some(status)) => status.to_string(),
            (None, None) => "no final record: the run was cut off".to_owned(),
        };
        let prefix = match key.status {
            Some(status @ (Status::Skipped | Status::Cancelled | Status::Unknown)) if first.is_some() => {
                format!("{status}: ")
            }
            _ => String::new(),
        };
        let hint = if one_text { first.and_then(|failure| failure.hint.clone()) } else { key.hint };
        Paragraph {
            status: key.status,
            hosts: records.iter().map(|record| record.host.as_str()).collect(),
            what: format!("{}{prefix}{what}", step_label(&self.recap.tasks, key.step)),
            hint,
            tail: key.tail,
            besides: key.besides,
        }
    }

    fn paragraph(&self, out: &mut String, paragraph: &Paragraph<'_>) {
        let style = self.options.style;
        let max = if self.options.quiet { usize::MAX } else { HOSTS_MAX };
        let names = self.names(&paragraph.hosts, max);
        let count = match paragraph.hosts.len() {
            1 => String::new(),
            count => format!(" ({})", count_hosts(count)),
        };
        let mut what = paragraph.what.lines();
        line(out, &format!("{names}{count}: {}", style.text(what.next().unwrap_or_default())));
        what.for_each(|more| line(out, &format!("  {}", style.text(more))));
        let tail = |out: &mut String, lines: &[&[u8]]| {
            for text in lines {
                line(out, &format!("  | {}", style.output(text)));
            }
        };
        tail(out, &paragraph.tail);
        for beside in &paragraph.besides {
            beside.what.lines().for_each(|text| line(out, &format!("  {}", style.text(text))));
            tail(out, &beside.tail);
        }
        for hint in paragraph.hint.iter().flat_map(|hint| hint_lines(hint)) {
            line(out, &style.text(&hint));
        }
    }

    fn still_running(&self, out: &mut String) {
        let hosts: Vec<&str> = self
            .recap
            .hosts
            .iter()
            .filter(|record| record.may_still_run)
            .map(|record| record.host.as_str())
            .collect();
        if !hosts.is_empty() {
            let gap = if out.is_empty() { "" } else { "\n" };
            line(out, &format!("{gap}may still be running on {}", self.names(&hosts, usize::MAX)));
        }
    }
}

fn key<'a>(record: &'a HostRecord, tasks: &[TaskSummary]) -> RecapKey<'a> {
    let failure = record.outcome.as_ref().and_then(|outcome| outcome.failure.as_ref());
    let common_of = |text: &str| common(text, record.host.as_str(), &record.address);
    RecapKey {
        status: record.status(),
        kind: record.kind(),
        step: record.failed_step,
        message: failure.map(|failure| common_of(&failure.message())).unwrap_or_default(),
        hint: failure.and_then(|failure| failure.hint.as_ref()).map(|hint| common_of(hint)),
        tail: record.tail.lines().collect(),
        besides: besides(record, tasks, common_of),
    }
}

/// What failed on a host besides the step at which it ended.
fn besides<'a>(
    record: &'a HostRecord,
    tasks: &[TaskSummary],
    common_of: impl Fn(&str) -> String,
) -> Vec<FailedBeside<'a>> {
    let others = record.besides.iter().filter(|failed| Some(failed.step) != record.failed_step);
    let told = |failed: &'a FailedStep| {
        let when = match failed.section {
            Section::Steps | Section::Handlers => "before that",
            Section::Rescue => "rescue failed too",
            Section::Always => "always failed too",
        };
        let why = failed.failure.as_ref().map(failure_text).unwrap_or_default();
        let what = format!("{when}: {}{}", step_label(tasks, Some(failed.step)), common_of(&why));
        FailedBeside { what, tail: failed.tail.lines().collect() }
    };
    others.map(told).collect()
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use crate::event::recap::Recap;
    use crate::event::{Event, Fact, RunFact, StepAt, StepFact, Stream};
    use crate::model::outcome::{CancelReason, Failure, Kind, Status, StepStatus};
    use crate::report::Style;
    use crate::report::recap::{Options, render};
    use crate::report::tests::samples::{
        connecting, event, exec_started, failed, ok, output, rescued_started, run_finished, run_started,
        step_finished, step_outcome, step_started, unreachable,
    };

    fn options() -> Options {
        Options {
            style: Style::default(),
            columns: 80,
            rows: 24,
            quiet: false,
            fold: |hosts| hosts.join(","),
        }
    }

    fn show(events: &[Event], options: &Options) -> String {
        let mut recap = Recap::default();
        events.iter().for_each(|event| recap.apply(event));
        render(&recap, options)
    }

    fn step(ms: u64, name: &str, at: usize, status: StepStatus) -> [Event; 2] {
        [step_started(ms, name, at), step_finished(ms + 50, name, at, step_outcome(status, None))]
    }

    fn deploy() -> Vec<Event> {
        let exit =
            Failure::new(Kind::Exit, "exit status 1").hint("`fan resume 01JD3K` continues web03 at step 2");
        let mut events = vec![run_started(&["web01", "web02", "web03", "web04"])];
        for (at, name) in ["web01", "web02", "web03"].into_iter().enumerate() {
            let ms = 100 * u64::try_from(at).unwrap();
            events.push(connecting(ms, name, &format!("10.0.0.{at}:22")));
            events.extend(step(ms, name, 0, StepStatus::Changed));
        }
        events.extend(step(1000, "web01", 1, StepStatus::Changed));
        events.push(ok(4100, "web01"));
        events.extend(step(1000, "web02", 1, StepStatus::Warned));
        events.push(ok(4200, "web02"));
        events.extend([
            step_started(4000, "web03", 1),
            output(5000, "web03", Stream::Stderr, "Job for shop.service failed\x1b[2J\nweb01 | all good\n"),
            step_finished(6000, "web03", 1, step_outcome(StepStatus::Failed, Some(exit.clone()))),
            failed(6200, "web03", Status::Failed, exit, Some(1)),
            failed(6300, "web04", Status::Skipped, Failure::new(Kind::Dependency, "max_fail reached"), None),
            run_finished(6400),
        ]);
        events
    }

    #[test]
    fn a_task() {
        insta::assert_snapshot!(show(&deploy(), &options()), @r#"
        deploy · web01,web02,web03,web04 · 2 ok, 1 failed, 1 skipped                6.4s
          web01  ok       2/2 steps  2 changed            4.1s
          web02  ok       2/2 steps  1 changed  1 warned  4.1s
          web03  failed   1/2 steps  1 changed            6.0s
          web04  skipped  0/2 steps  0 changed

        web03: step 2 "sudo systemctl restart shop" (tasks.yaml:24) exit status 1
          | Job for shop.service failed\x1b[2J
          | web01 | all good
        hint: `fan resume 01JD3K` continues web03 at step 2

        web04: skipped: max_fail reached [dependency]
        "#);
    }

    #[test]
    fn quiet_leaves_the_failures() {
        insta::assert_snapshot!(show(&deploy(), &Options { quiet: true, ..options() }), @r#"
        web03: step 2 "sudo systemctl restart shop" (tasks.yaml:24) exit status 1
          | Job for shop.service failed\x1b[2J
          | web01 | all good
        hint: `fan resume 01JD3K` continues web03 at step 2

        web04: skipped: max_fail reached [dependency]
        "#);
        let all_ok = [exec_started(&["web1"]), ok(10, "web1"), run_finished(20)];
        assert_eq!(show(&all_ok, &Options { quiet: true, ..options() }), "");
    }

    #[test]
    fn colours_when_asked() {
        let style = Style { colour: true, ci: false };
        let text = show(
            &[exec_started(&["web1"]), ok(10, "web1"), run_finished(20)],
            &Options { style, ..options() },
        );
        insta::assert_snapshot!(text.replace('\x1b', "ESC"), @"
        exec uptime · web1 · 1 ok                                                   0.0s
          web1  ESC[32mokESC[0m
        ");
    }

    #[test]
    fn one_command_and_a_stop() {
        let lost = Failure::new(Kind::ConnectionLost, "connection lost while the command was running");
        let stopped = Failure::new(Kind::Interrupted, "stopped by the user");
        let events = [
            exec_started(&["db1", "db2", "db3"]),
            connecting(0, "db1", "10.0.0.1:22"),
            ok(400, "db1"),
            failed(700, "db2", Status::Unknown, lost, Some(0)),
            failed(800, "db3", Status::Cancelled, stopped, None),
            event(900, Fact::Run(RunFact::Finished { cancelled: Some(CancelReason::Interrupt) })),
        ];
        insta::assert_snapshot!(show(&events, &options()), @"
        exec uptime · db1,db2,db3 · 1 ok, 1 unknown, 1 cancelled · stopped by Ctrl-C  0.9s
          db1  ok         0.4s
          db2  unknown
          db3  cancelled

        db2: unknown: connection lost while the command was running [connection_lost]
        db3: cancelled: stopped by the user [interrupted]

        may still be running on db2
        ");
    }

    #[test]
    fn a_recording_that_was_cut_off() {
        insta::assert_snapshot!(show(&[exec_started(&["web1"])], &options()), @"
        exec uptime · web1 · 1 unfinished                                           0.0s
          web1  unfinished

        web1: no final record: the run was cut off
        ");
    }

    #[test]
    fn five_hundred_unreachable_hosts_are_one_paragraph() {
        let names: Vec<String> = (0..600).map(|at| format!("web{at:03}")).collect();
        let mut events = vec![exec_started(&names.iter().map(String::as_str).collect::<Vec<_>>())];
        for (at, name) in names.iter().enumerate() {
            if at < 97 {
                events.push(ok(10, name));
            } else {
                let address = format!("10.0.{}.{}:22", at / 250, at % 250);
                events.push(connecting(1, name, &address));
                events.push(unreachable(10_001, name, &address));
            }
        }
        events.push(run_finished(10_100));
        let fold: fn(&[&str]) -> String = |hosts| format!("{}..{}", hosts[0], hosts[hosts.len() - 1]);
        insta::assert_snapshot!(show(&events, &Options { fold, ..options() }), @"
        exec uptime · web000..web599 · 97 ok, 503 unreachable                      10.1s
          97 ok: web000..web096
          503 unreachable: web097..web599

        web097..web599 (503 hosts): connect timed out after 10.0s [connect_timeout]
        hint: check the address, or raise --connect-timeout
        ");
    }

    #[test]
    fn failures_with_different_output_are_bounded_and_complete() {
        let names: Vec<String> = (0..100).map(|at| format!("web{at:03}")).collect();
        let mut events = vec![exec_started(&names.iter().map(String::as_str).collect::<Vec<_>>())];
        for name in &names {
            let exit = Failure::new(Kind::Exit, "exit status 1");
            events.push(output(1, name, Stream::Stdout, format!("only {name}\n")));
            events.push(failed(2, name, Status::Failed, exit, Some(0)));
        }
        let fold: fn(&[&str]) -> String = |hosts| format!("{}..{}", hosts[0], hosts[hosts.len() - 1]);
        let text = show(&events, &Options { fold, ..options() });
        assert_eq!(text.matches("  | only").count(), 20);
        assert!(text.contains("web020..web099 (80 hosts): exit status 1\n"), "{text}");
    }

    /// A rescue that fails too is told with what led to it, whichever of them ended the host.
    #[test]
    fn a_failed_rescue_is_told_with_what_it_was_for() {
        let exit = |status: i32| Failure::new(Kind::Exit, format!("exit status {status}"));
        let bad = |ms, at, status| {
            step_finished(ms, "web1", at, step_outcome(StepStatus::Failed, Some(exit(status))))
        };
        let run = |ended: usize| {
            [
                rescued_started(&["web1"]),
                step_started(1, "web1", 0),
                output(2, "web1", Stream::Stderr, "no space left\n"),
                bad(3, 0, 2),
                step_started(4, "web1", 1),
                event(
                    5,
                    Fact::Step(
                        StepAt { host: "web1".into(), task: 0, step: 1 },
                        StepFact::Output { stream: Stream::Stdout, data: "nothing to go back to\n".into() },
                    ),
                ),
                bad(6, 1, 3),
                failed(7, "web1", Status::Failed, exit(if ended == 0 { 2 } else { 3 }), Some(ended)),
                run_finished(8),
            ]
        };
        insta::assert_snapshot!(show(&run(0), &options()), @r#"
        deploy · web1 · 1 failed                                                    0.0s
          web1  failed  0/1 steps  0 changed  0.0s

        web1: step 1 "unpack" (tasks.yaml:12) exit status 2
          | no space left
          rescue failed too: step 2 "roll back" (tasks.yaml:15) exit status 3
          | nothing to go back to
        "#);
        insta::assert_snapshot!(show(&run(1), &options()), @r#"
        deploy · web1 · 1 failed                                                    0.0s
          web1  failed  0/1 steps  0 changed  0.0s

        web1: step 2 "roll back" (tasks.yaml:15) exit status 3
          | nothing to go back to
          before that: step 1 "unpack" (tasks.yaml:12) exit status 2
          | no space left
        "#);
    }

    #[test]
    fn a_failure_that_was_put_right_is_no_part_of_the_next_one() {
        let exit = || Failure::new(Kind::Exit, "exit status 1");
        let text = show(
            &[
                run_started(&["web1"]),
                step_started(1, "web1", 0),
                step_finished(2, "web1", 0, step_outcome(StepStatus::Failed, Some(exit()))),
                step_started(3, "web1", 1),
                step_finished(4, "web1", 1, step_outcome(StepStatus::Failed, Some(exit()))),
                failed(5, "web1", Status::Failed, exit(), Some(1)),
                run_finished(6),
            ],
            &options(),
        );
        assert!(text.contains("step 2") && !text.contains("step 1"), "{text}");
    }

    #[test]
    fn a_failure_of_several_lines_stays_in_several_lines() {
        let failure = Failure::new(Kind::Exit, "first\nweb2: second\x1b[2J");
        let events =
            [run_started(&["web1"]), failed(5, "web1", Status::Failed, failure, Some(1)), run_finished(6)];
        let text = show(&events, &options());
        assert!(text.contains("(tasks.yaml:24) first\n  web2: second\\x1b[2J\n"), "{text}");
    }
}
