//! What GitHub's runner is told besides the log: one annotation per host that did not end well.

use std::io::{self, Write};

use crate::event::Event;
use crate::event::recap::{HostRecord, Recap};
use crate::model::count::counted;
use crate::model::outcome::Status;
use crate::report::reporter::Reporter;
use crate::report::sink::Sink;
use crate::report::style::Style;
use crate::report::words::{failure_text, step_label};

/// Annotations that are written; GitHub shows ten of a step and counts the others.
const ANNOTATIONS_MAX: usize = 50;

/// Characters of a line of output that an annotation shows.
const LINE_MAX: usize = 300;

/// Writes annotations when the run is over.
pub struct Annotations {
    out: Sink,
    recap: Recap,
}

impl Annotations {
    /// Writes to a stream that is part of the runner's log.
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out: Sink::new(out), recap: Recap::default() }
    }

    fn annotate(&mut self) {
        let bad = |record: &&HostRecord| {
            matches!(record.status(), Some(Status::Failed | Status::Unreachable | Status::Unknown) | None)
        };
        let records: Vec<&HostRecord> = self.recap.hosts.iter().filter(bad).collect();
        let mut text = String::new();
        for record in records.iter().take(ANNOTATIONS_MAX) {
            text.push_str(&annotation(&self.recap, record));
        }
        if let Some(more) = records.len().checked_sub(ANNOTATIONS_MAX).filter(|&more| more > 0) {
            text.push_str(&format!("::error::{} failed\n", counted(more, "more host")));
        }
        self.out.buffer().extend_from_slice(text.as_bytes());
    }
}

/// `::error title=web1,file=tasks.yaml,line=24::step 2 "..." exit status 1`, with its end.
fn annotation(recap: &Recap, record: &HostRecord) -> String {
    let style = Style { colour: false, ci: true };
    let failure = record.outcome.as_ref().and_then(|outcome| outcome.failure.as_ref());
    let why = failure
        .map(failure_text)
        .unwrap_or_else(|| record.status().map_or("no final record", Status::as_str).to_owned());
    let step = record.failed_step;
    let message = format!("{}: {}{why}", record.host, step_label(&recap.tasks, step));
    let place = step
        .and_then(|(task, step)| recap.tasks.get(task)?.steps.get(step)?.position.as_ref())
        .map(|position| format!(",file={},line={}", property(&position.file), position.line))
        .unwrap_or_default();
    let title = property(&style.text(record.host.as_str()));
    let mut message = style.text(&message).into_owned();
    for line in record.tail.lines() {
        let line: String = style.text(&String::from_utf8_lossy(line)).chars().take(LINE_MAX).collect();
        message.push('\n');
        message.push_str(&line);
    }
    format!("::error title={title}{place}::{}\n", escape(&message))
}

/// What the runner undoes in the text of a command (actions/runner, `ActionCommand`).
pub(crate) fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What it undoes in a property of one.
fn property(text: &str) -> String {
    escape(text).replace(':', "%3A").replace(',', "%2C")
}

impl Reporter for Annotations {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.recap.apply(event);
        Ok(())
    }

    fn idle(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.annotate();
        self.out.finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::event::{Event, Fact, Stream, TaskFact};
    use crate::model::outcome::{Failure, Kind, Status, StepStatus};
    use crate::report::tests::samples::{
        Captured, event, exec_started, failed, ok, output, run_finished, run_started, step_finished,
        step_outcome, unreachable,
    };
    use crate::report::{Annotations, Fold, FoldFrame, FoldOptions, Layout, Lines, Reporter, Style};

    fn annotations(events: &[Event]) -> String {
        let out = Captured::default();
        let mut annotations = Annotations::new(Box::new(out.clone()));
        events.iter().for_each(|event| annotations.event(event).unwrap());
        annotations.finish().unwrap();
        out.text()
    }

    #[test]
    fn one_for_each_host_that_did_not_end_well() {
        let exit = Failure::new(Kind::Exit, "exit status 1");
        let events = [
            run_started(&["web1", "web2", "web3", "web4"]),
            ok(1, "web1"),
            failed(2, "web2", Status::Failed, exit, Some(1)),
            unreachable(3, "web3", "10.0.0.3:22"),
            failed(4, "web4", Status::Skipped, Failure::new(Kind::Dependency, "max_fail"), None),
            run_finished(5),
        ];
        insta::assert_snapshot!(annotations(&events), @r#"
        ::error title=web2,file=tasks.yaml,line=24::web2: step 2 "sudo systemctl restart shop" (tasks.yaml:24) exit status 1
        ::error title=web3::web3: connect timed out after 10.0s (10.0.0.3:22) [connect_timeout]
        "#);
    }

    #[test]
    fn thousands_are_counted() {
        let names: Vec<String> = (0..1000).map(|at| format!("web{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut events = vec![exec_started(&names)];
        events.extend(names.iter().map(|name| unreachable(1, name, "10.0.0.3:22")));
        let text = annotations(&events);
        assert_eq!(text.lines().count(), 51);
        assert!(text.ends_with("::error::950 more hosts failed\n"), "{text}");
    }

    /// A command as the runner finds it in a line of its log (actions/runner: ActionCommand.cs): first `::name
    /// properties::data` at the start of the line, white space aside, then `##[name properties]data` anywhere.
    fn command(line: &str) -> Option<(String, String)> {
        let trimmed = line.trim_start();
        if let Some((head, data)) = trimmed.strip_prefix("::").and_then(|rest| rest.split_once("::")) {
            return Some((head.split(' ').next().unwrap().to_owned(), data.to_owned()));
        }
        let (_, rest) = line.split_once("##[")?;
        let (head, data) = rest.split_once(']')?;
        Some((head.split(' ').next().unwrap().to_owned(), data.to_owned()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Whatever hosts print and servers say, the runner finds only commands of fan's.
        #[test]
        fn hosts_give_no_orders(
            said in prop::collection::vec(prop_oneof![
                "[\\s:#\\[\\]a%\u{85}\u{2028}]{0,12}",
                Just("::set-output name=x::y\n".to_owned()),
                Just("x ##[add-mask]y".to_owned()),
                Just("\r::stop-commands::t\n##vso[task.complete]".to_owned()),
                Just("##teamcity[x]\n%0A::save-state::\n".to_owned()),
            ], 1..6),
            layout in prop_oneof![Just(Layout::Prefixed), Just(Layout::Bare)],
            fold in any::<bool>(),
        ) {
            let style = Style { colour: false, ci: true };
            let (out, talk) = (Captured::default(), Captured::default());
            let mut reporters: Vec<Box<dyn Reporter>> = vec![Box::new(Annotations::new(Box::new(out.clone())))];
            let (to, other) = (Box::new(out.clone()), Box::new(talk.clone()));
            if fold {
                let options = FoldOptions { layout, style, frame: FoldFrame::Github, diff: true };
                reporters.push(Box::new(Fold::new(to, other, options)));
            } else {
                reporters.push(Box::new(Lines::new(to, other, layout, style)));
            }
            let mut all = crate::report::Composite::new(reporters);
            let names = ["web1", "web2"];
            let mut events = vec![run_started(&names), event(0, Fact::Task(0, TaskFact::Started { hosts: None }))];
            for (at, said) in said.iter().enumerate() {
                let name = names[at % 2];
                let stream = if at % 3 == 0 { Stream::Stderr } else { Stream::Stdout };
                events.push(output(1, name, stream, said.clone()));
            }
            let failure = Failure::new(Kind::Protocol, said.concat());
            events.push(step_finished(2, "web1", 0, step_outcome(StepStatus::Failed, Some(failure.clone()))));
            events.push(failed(3, "web1", Status::Failed, failure, Some(0)));
            events.extend([ok(4, "web2"), run_finished(4)]);
            events.iter().for_each(|event| all.event(event).unwrap());
            all.finish().unwrap();
            let log = out.text() + &talk.text();
            let found: Vec<_> = log.split('\n').filter_map(command).collect();
            let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
            prop_assert!(names.iter().all(|name| matches!(*name, "group" | "endgroup" | "error")), "{:?}", log);
            prop_assert_eq!(names.iter().filter(|&&name| name == "error").count(), 1, "{:?}", log);
            // Those of Azure Pipelines and TeamCity.
            prop_assert!(!["##vso[", "##teamcity["].iter().any(|order| log.contains(order)), "{:?}", log);
            prop_assert!(log.chars().all(|c| c == '\n' || !c.is_control() || c == '\t'), "{:?}", log);
        }
    }
}
