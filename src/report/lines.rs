//! Output as it comes, line by line, each with the name of its host; and a line of talk for what a person
//! would want to know at once: failures, retries, what the run waits for.

use std::collections::HashSet;
use std::io::{self, Write};

use crate::event::{
    ConnectionFact, Event, Fact, GatewayFact, HostOutcome, LockAt, LockFact, RunFact, StepAt, StepFact,
    StepOutcome, Stream, TaskFact, TaskSummary,
};
use crate::model::cells;
use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, Kind, Status, StepStatus};
use crate::model::text::RESET;
use crate::report::alike::{Alike, HostLine, Tone};
use crate::report::notices::{host_notice, notice};
use crate::report::reporter::Reporter;
use crate::report::sink::Sink;
use crate::report::style::{RED, Style};
use crate::report::words::{count_hosts, echoes, failure_short, is_single_command, step_label};

/// Prefixes are padded to the longest name, but not beyond this.
const PREFIX_MAX: usize = 20;

/// A piece of output without a line end that is this long is part of a longer line.
const LONG_LINE: usize = 64 * 1024;

/// The form of output lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `web1 | text`, cleaned: every line begins with the true name of its host.
    Prefixed,
    /// `text`, cleaned.
    Bare,
    /// The bytes as the host sent them. Only for a pipe or a file: a terminal or a CI runner would obey them.
    Verbatim,
}

/// Prints output as it comes.
///
/// A host's stdout goes to `out` and its stderr to `talk`, as ssh and pssh do it: `fan exec ... | sort`
/// sorts data. Notes of steps (`echo`) are data too. What fan itself has to say goes to `talk`. A line of
/// more than 64 KiB comes in pieces, each on a line of its own and marked with `…` at its end.
///
/// For a quiet run simply leave this reporter out.
pub struct Lines {
    out: Sink,
    talk: Sink,
    layout: Layout,
    style: Style,
    tasks: Vec<TaskSummary>,
    hosts: Vec<HostName>,
    width: usize,
    /// Hosts whose failure was said with the step that failed.
    said: HashSet<HostName>,
    alike: Alike,
    prefix: String,
}

impl Lines {
    /// Writes to fan's stdout and stderr; it does its own buffering, so both may be unbuffered.
    pub fn new(
        out: Box<dyn Write + Send>,
        talk: Box<dyn Write + Send>,
        layout: Layout,
        style: Style,
    ) -> Self {
        Self {
            out: Sink::new(out),
            talk: Sink::new(talk),
            layout,
            style,
            tasks: Vec::new(),
            hosts: Vec::new(),
            width: 0,
            said: HashSet::new(),
            alike: Alike::default(),
            prefix: String::new(),
        }
    }

    /// Prints what a host wrote. Lines of the other stream go out first, as both may be one terminal.
    fn output(&mut self, host: &HostName, stream: Stream, data: &[u8]) -> io::Result<()> {
        self.set_prefix(host);
        let (sink, other) = match stream {
            Stream::Stdout => (&mut self.out, &mut self.talk),
            Stream::Stderr => (&mut self.talk, &mut self.out),
        };
        let drained = other.drain();
        let buffer = sink.buffer();
        if self.layout == Layout::Verbatim {
            buffer.extend_from_slice(data);
            return drained.and(sink.spill());
        }
        for line in data.split_inclusive(|&byte| byte == b'\n') {
            buffer.extend_from_slice(self.prefix.as_bytes());
            buffer.extend_from_slice(self.style.output(line).as_bytes());
            if line.len() >= LONG_LINE && !line.ends_with(b"\n") {
                buffer.extend_from_slice("…".as_bytes());
            }
            buffer.push(b'\n');
        }
        drained.and(sink.spill())
    }

    fn set_prefix(&mut self, host: &HostName) {
        self.prefix.clear();
        if self.layout != Layout::Prefixed {
            return;
        }
        let colour = self.style.prefix(host);
        let name = self.style.text(host.as_str());
        self.prefix.push_str(colour.unwrap_or_default());
        self.prefix.push_str(&name);
        let padding = self.width.saturating_sub(cells::width(&name));
        self.prefix.extend(std::iter::repeat_n(' ', padding));
        self.prefix.push_str(" |");
        self.prefix.push_str(if colour.is_some() { RESET } else { "" });
        self.prefix.push(' ');
    }

    /// Says one line, which is cleaned here.
    fn say(&mut self, line: &str, colour: &str) -> io::Result<()> {
        let drained = self.out.drain();
        let line = self.style.text(line);
        let buffer = self.talk.buffer();
        if colour.is_empty() {
            buffer.extend_from_slice(line.as_bytes());
        } else {
            buffer.extend_from_slice(self.style.paint(colour, &line).as_bytes());
        }
        buffer.push(b'\n');
        drained.and(self.talk.spill())
    }

    /// Says something of a host, at once or with others of which the same is to be said.
    fn say_of(&mut self, host: &HostName, text: &str, tone: Tone) -> io::Result<()> {
        self.alike.take_in(host, text, tone).map_or(Ok(()), |line| self.say_line(&line))
    }

    fn say_line(&mut self, line: &HostLine) -> io::Result<()> {
        let colour = if line.tone == Tone::Failure { RED } else { "" };
        line.lines().try_for_each(|line| self.say(&line, colour))
    }

    /// Says what was gathered of hosts.
    fn say_gathered(&mut self) -> io::Result<()> {
        self.alike.all().iter().try_for_each(|line| self.say_line(line))
    }

    fn failure(&self, step: Option<(usize, usize)>, failure: &Failure) -> String {
        format!("{}{}", step_label(&self.tasks, step), failure_short(failure))
    }

    fn task_started(&mut self, task: usize, hosts: Option<&[usize]>) -> io::Result<()> {
        match self.tasks.get(task) {
            Some(found) if !is_single_command(&self.tasks) => {
                self.say(&format!("{}: {}", found.name, count_hosts(hosts.unwrap_or(&found.hosts).len())), "")
            }
            Some(_) | None => Ok(()),
        }
    }

    fn step_finished(
        &mut self,
        host: &HostName,
        step: (usize, usize),
        outcome: &StepOutcome,
    ) -> io::Result<()> {
        let difference = outcome.difference.as_deref();
        let changed = difference.map_or(Ok(()), |text| self.say_of(host, text, Tone::Difference));
        let noted = match &outcome.note {
            // What a step says of itself is no data.
            Some(note) if !echoes(&self.tasks, step, outcome) => {
                let label = step_label(&self.tasks, Some(step));
                self.say_of(host, &format!("{label}{note}"), Tone::Note)
            }
            Some(note) if self.layout == Layout::Verbatim => {
                self.output(host, Stream::Stdout, format!("{note}\n").as_bytes())
            }
            Some(note) => self.output(host, Stream::Stdout, note.as_bytes()),
            None => Ok(()),
        };
        let said = match (&outcome.failure, outcome.status) {
            (Some(failure), StepStatus::Warned) => {
                let label = step_label(&self.tasks, Some(step));
                self.say_of(host, &format!("{label}warned: {}", failure_short(failure)), Tone::Note)
            }
            (Some(failure), StepStatus::Failed | StepStatus::Unknown) => {
                self.said.insert(host.clone());
                let text = self.failure(Some(step), failure);
                self.say_of(host, &text, Tone::Failure)
            }
            // Stopped by the user, who knows; the recap names the hosts.
            (Some(_), StepStatus::Cancelled)
            | (Some(_), StepStatus::Ok | StepStatus::Changed | StepStatus::Skipped)
            | (None, _) => Ok(()),
        };
        changed.and(noted).and(said)
    }

    fn host_finished(&mut self, host: &HostName, outcome: &HostOutcome) -> io::Result<()> {
        let said = self.said.remove(host);
        let worth_a_line = match outcome.status {
            Status::Failed | Status::Unreachable | Status::Unknown => !said,
            // They follow from something that was said; the recap names them.
            Status::Ok | Status::Cancelled | Status::Skipped => false,
        };
        match &outcome.failure {
            // The gateway's own line has said it, for all hosts behind it.
            Some(failure) if failure.kind == Kind::Gateway => Ok(()),
            Some(failure) if worth_a_line => {
                let text = self.failure(outcome.step, failure);
                self.say_of(host, &text, Tone::Failure)
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Reporter for Lines {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match &event.fact {
            Fact::Run(RunFact::Started { hosts, tasks, .. }) => {
                self.tasks.clone_from(tasks);
                self.hosts.clone_from(hosts);
                let longest = hosts.iter().map(|host| cells::width(&self.style.text(host.as_str()))).max();
                self.width = longest.unwrap_or_default().min(PREFIX_MAX);
                Ok(())
            }
            Fact::Task(task, TaskFact::Started { hosts }) => self.task_started(*task, hosts.as_deref()),
            Fact::Step(StepAt { host, .. }, StepFact::Output { stream, data }) => {
                self.output(host, *stream, data)
            }
            Fact::Run(
                RunFact::StragglersNoticed { .. }
                | RunFact::AgentAwaited { .. }
                | RunFact::StopRequested { .. },
            )
            | Fact::Task(_, TaskFact::BatchStarted { .. })
            | Fact::Lock(_, LockFact::Waiting { .. }) => {
                let gathered = self.say_gathered();
                let line = notice(&event.fact, &self.hosts);
                gathered.and(line.map_or(Ok(()), |line| self.say(&line, "")))
            }
            Fact::Connection(_, ConnectionFact::Retried { .. } | ConnectionFact::ProxySaid { .. })
            | Fact::Step(
                _,
                StepFact::Retried { .. } | StepFact::Detached { .. } | StepFact::Reattached { .. },
            ) => match host_notice(&event.fact) {
                Some((host, text)) => self.say_of(host, &text, Tone::Note),
                None => Ok(()),
            },
            // The terminal belongs to the question until it is answered.
            Fact::Step(_, StepFact::QuestionAsked { .. }) => {
                let gathered = self.say_gathered();
                gathered.and(self.idle())
            }
            Fact::Step(_, StepFact::QuestionAnswered) => Ok(()),
            // An earlier run has told of it.
            Fact::Step(_, StepFact::Finished { outcome, .. }) if outcome.earlier => Ok(()),
            Fact::Step(StepAt { host, task, step }, StepFact::Finished { outcome }) => {
                self.step_finished(host, (*task, *step), outcome)
            }
            Fact::HostFinished { host, outcome } => self.host_finished(host, outcome),
            Fact::Gateway(gateway, GatewayFact::Failed { failure }) => {
                let text = self.failure(None, failure);
                self.say(&format!("gateway {gateway}: {text}"), RED)
            }
            Fact::Lock(LockAt { task, .. }, LockFact::Failed { failure }) => {
                let name = self.tasks.get(*task).map(|task| task.name.clone()).unwrap_or_default();
                let text = self.failure(None, failure);
                self.say(&format!("{name}: {text}"), RED)
            }
            Fact::Run(RunFact::Finished { .. }) | Fact::Task(_, TaskFact::Finished) => self.say_gathered(),
            Fact::Connection(host, ConnectionFact::Began { address, .. }) => {
                self.alike.dialled(host, address);
                Ok(())
            }
            Fact::Lock(_, LockFact::Taken | LockFact::Released)
            | Fact::Connection(_, ConnectionFact::Connected { .. })
            | Fact::Gateway(_, GatewayFact::Connected { .. })
            | Fact::Step(
                _,
                StepFact::Started
                | StepFact::JobStarted { .. }
                | StepFact::Waiting { .. }
                | StepFact::TransferAdvanced { .. }
                | StepFact::FactsGathered { .. },
            )
            | Fact::Record(_)
            | Fact::Unknown(_) => Ok(()),
        }
    }

    fn idle(&mut self) -> io::Result<()> {
        let due = self.alike.due();
        let said = due.iter().try_for_each(|line| self.say_line(line));
        let out = self.out.flush();
        said.and(out).and(self.talk.flush())
    }

    fn finish(&mut self) -> io::Result<()> {
        let gathered = self.say_gathered();
        let out = self.out.finish();
        gathered.and(out).and(self.talk.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use proptest::prelude::*;

    use crate::event::{ConnectionFact, Event, Fact, RunFact, Straggler, Stream, TaskFact};
    use crate::model::outcome::{CancelReason, Failure, Kind, Status, StepStatus};
    use crate::report::tests::samples::{
        Broken, Captured, echo_started, event, exec_started, failed, host, ok, output, run_finished,
        run_started, step_finished, step_outcome, unreachable,
    };
    use crate::report::{Layout, Lines, Reporter, Style};

    fn print(events: &[Event], layout: Layout, style: Style) -> (Vec<u8>, String) {
        let (out, talk) = (Captured::default(), Captured::default());
        let mut lines = Lines::new(Box::new(out.clone()), Box::new(talk.clone()), layout, style);
        for event in events {
            lines.event(event).unwrap();
        }
        lines.finish().unwrap();
        (out.bytes(), talk.text())
    }

    fn print_text(events: &[Event], style: Style) -> String {
        let (out, talk) = print(events, Layout::Prefixed, style);
        format!("--- out\n{}--- talk\n{talk}", String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_echo_prints_is_data() {
        let mut outcome = step_outcome(StepStatus::Ok, None);
        outcome.note = Some("hello\x1b[2J".into());
        let events = [echo_started(&["web1"]), step_finished(2, "web1", 0, outcome)];
        let (out, talk) = print(&events, Layout::Prefixed, Style::default());
        assert_eq!((String::from_utf8(out).unwrap().as_str(), talk.as_str()), ("web1 | hello\\x1b[2J\n", ""));
    }

    #[test]
    fn a_run_of_a_task() {
        let exit = Failure::new(Kind::Exit, "exit status 1");
        let mut note = step_outcome(StepStatus::Ok, None);
        note.note = Some("version 1.2\x1b[2J".into());
        let text = print_text(
            &[
                run_started(&["web1", "database-primary", "web3", "web4"]),
                event(1, Fact::Task(0, TaskFact::Started { hosts: None })),
                output(2, "web1", Stream::Stdout, "one\ntwo\r\n\n"),
                output(3, "database-primary", Stream::Stderr, "warning: \x1b]0;title\x07\n"),
                output(4, "web1", Stream::Stdout, "10%\r20%\rno line end"),
                event(
                    5,
                    Fact::Connection(
                        host("web4"),
                        ConnectionFact::Retried {
                            attempt: 1,
                            failure: Failure::new(Kind::ConnectReset, "connection reset (10.0.0.4:22)"),
                            delay: Duration::from_millis(500),
                        },
                    ),
                ),
                step_finished(6, "web1", 0, note),
                step_finished(7, "web1", 1, step_outcome(StepStatus::Warned, Some(exit.clone()))),
                step_finished(8, "web3", 1, step_outcome(StepStatus::Failed, Some(exit.clone()))),
                failed(9, "web3", Status::Failed, exit, Some(1)),
                unreachable(10, "web4", "10.0.0.4:22"),
                failed(11, "web5", Status::Skipped, Failure::new(Kind::Dependency, "max_fail"), None),
                event(
                    12,
                    Fact::Run(RunFact::StragglersNoticed {
                        hosts: (0..7)
                            .map(|at| Straggler {
                                host: host(&format!("db{at}")),
                                running: Duration::from_millis(91_700),
                                silent: Duration::from_secs(40),
                            })
                            .collect(),
                    }),
                ),
                event(12, Fact::Run(RunFact::AgentAwaited { hosts: 37 })),
                event(
                    13,
                    Fact::Run(RunFact::StopRequested { reason: CancelReason::Interrupt, forced: false }),
                ),
                event(
                    14,
                    Fact::Run(RunFact::StopRequested { reason: CancelReason::Interrupt, forced: true }),
                ),
                ok(15, "web1"),
                run_finished(16),
            ],
            Style::default(),
        );
        insta::assert_snapshot!(text, @r#"
        --- out
        web1             | one
        web1             | two
        web1             | 
        web1             | 10%\r20%\rno line end
        --- talk
        deploy: 4 hosts
        database-primary | warning: \x1b]0;title\x07
        web4: connection reset (10.0.0.4:22) [connect_reset], attempt 2 in 0.5s
        web1: step 1 "unpack" (tasks.yaml:12) version 1.2\x1b[2J
        web1: step 2 "sudo systemctl restart shop" (tasks.yaml:24) warned: exit status 1
        web3: step 2 "sudo systemctl restart shop" (tasks.yaml:24) exit status 1
        web4: connect timed out after 10.0s (10.0.0.4:22) [connect_timeout]
        waiting for db0 (91 s, silent 40 s), db1 (91 s, silent 40 s), db2 (91 s, silent 40 s), db3 (91 s, silent 40 s), db4 (91 s, silent 40 s) and 2 more
        waiting for the agent (37 left)
        stopping (Ctrl-C): ending running commands; again to close all connections at once
        stopping now (Ctrl-C): closing all connections
        "#);
    }

    #[test]
    fn one_command_needs_no_headings() {
        let exit = Failure::new(Kind::Exit, "exit status 3");
        let text = print_text(
            &[
                exec_started(&["web1"]),
                event(1, Fact::Task(0, TaskFact::Started { hosts: None })),
                output(2, "web1", Stream::Stdout, "up 3 days\n"),
                step_finished(3, "web1", 0, step_outcome(StepStatus::Failed, Some(exit))),
            ],
            Style::default(),
        );
        insta::assert_snapshot!(text, @"
        --- out
        web1 | up 3 days
        --- talk
        web1: exit status 3
        ");
    }

    #[test]
    fn a_failure_is_one_short_line_and_the_recap_has_the_rest() {
        let failure =
            Failure::new(Kind::Assert, format!("first {}\nsecond", "x".repeat(300))).hint("do this");
        let events = [run_started(&["web1"]), failed(1, "web1", Status::Failed, failure, Some(1))];
        let text = print_text(&events, Style::default());
        let told: Vec<&str> = text.lines().filter(|line| line.contains("first")).collect();
        assert_eq!(told.len(), 1, "{text}");
        assert!(told[0].ends_with("x… [assert]") && told[0].len() < 250, "{text}");
        assert!(!text.contains("second") && !text.contains("hint"), "{text}");
    }

    #[test]
    fn a_note_of_several_lines_is_told_in_several_lines() {
        let mut outcome = step_outcome(StepStatus::Ok, None);
        outcome.note = Some("one\nweb2: two\x07\n".into());
        let events = [run_started(&["web1", "web2"]), step_finished(2, "web1", 0, outcome)];
        assert_eq!(
            print_text(&events, Style::default()),
            "--- out\n--- talk\nweb1: step 1 \"unpack\" (tasks.yaml:12) one\nweb1: web2: two\\x07\n"
        );
    }

    /// Whatever can come once per host comes in a few lines when it is the same for hundreds.
    #[test]
    fn what_hundreds_of_hosts_have_alike_is_told_once() {
        let names: Vec<String> = (100..400).map(|at| format!("web{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let exit = || Failure::new(Kind::Exit, "exit status 1");
        let with = |change: fn(&mut crate::event::StepOutcome)| {
            let mut outcome = step_outcome(StepStatus::Ok, None);
            change(&mut outcome);
            outcome
        };
        let retried = |name: &str| {
            let failure = Failure::new(Kind::ConnectReset, "connection reset");
            let fact = ConnectionFact::Retried { attempt: 1, failure, delay: Duration::from_secs(1) };
            event(1, Fact::Connection(host(name), fact))
        };
        let proxy = |name: &str| {
            event(1, Fact::Connection(host(name), ConnectionFact::ProxySaid { line: "slow".into() }))
        };
        let kinds: [&dyn Fn(&str) -> Event; 7] = [
            &|name| step_finished(1, name, 0, step_outcome(StepStatus::Warned, Some(exit()))),
            &|name| step_finished(1, name, 0, step_outcome(StepStatus::Failed, Some(exit()))),
            &|name| step_finished(1, name, 0, with(|outcome| outcome.note = Some("a note".into()))),
            &|name| step_finished(1, name, 0, with(|outcome| outcome.difference = Some("-a\n+b".into()))),
            &|name| unreachable(1, name, "10.0.0.1:22"),
            &retried,
            &proxy,
        ];
        for kind in kinds {
            let mut events = vec![run_started(&names)];
            events.extend(names.iter().map(|name| kind(name)));
            events.push(run_finished(9));
            let text = print_text(&events, Style::default());
            assert!(text.lines().count() <= 10, "{text}");
            assert!(text.contains("web[103-399] (297 hosts)"), "{text}");
        }
    }

    #[test]
    fn colours_when_asked() {
        let events = [
            run_started(&["web1", "web2"]),
            output(1, "web1", Stream::Stdout, "\x1b[1mbold\n"),
            output(1, "web2", Stream::Stdout, "plain\n"),
            unreachable(2, "web2", "10.0.0.2:22"),
        ];
        let text = print_text(&events, Style { colour: true, ci: false });
        insta::assert_snapshot!(text.replace('\x1b', "ESC"), @"
        --- out
        ESC[36mweb1 |ESC[0m ESC[1mboldESC[0m
        ESC[92mweb2 |ESC[0m plain
        --- talk
        ESC[31mweb2: connect timed out after 10.0s (10.0.0.2:22) [connect_timeout]ESC[0m
        ");
    }

    #[test]
    fn hosts_give_no_orders_to_a_runner() {
        let events =
            [run_started(&["web1"]), output(1, "web1", Stream::Stdout, "::add-mask::x\na ##[group]\n")];
        let (out, _) = print(&events, Layout::Bare, Style { colour: false, ci: true });
        assert_eq!(String::from_utf8(out).unwrap(), "\\x3a:add-mask::x\na \\x23#[group]\n");
    }

    #[test]
    fn verbatim_changes_no_byte() {
        let data = &b"\x1b[2J\xff\0 no line end"[..];
        let events = [run_started(&["web1"]), output(1, "web1", Stream::Stdout, data)];
        assert_eq!(print(&events, Layout::Verbatim, Style::default()).0, data);
    }

    #[test]
    fn pieces_of_an_endless_line_are_marked() {
        let events = [run_started(&["web1"]), output(1, "web1", Stream::Stdout, "x".repeat(64 * 1024))];
        let (out, _) = print(&events, Layout::Prefixed, Style::default());
        assert!(String::from_utf8(out).unwrap().ends_with("xxx…\n"));
    }

    #[test]
    fn a_closed_stdout_leaves_the_talk() {
        let talk = Captured::default();
        let broken = Broken(io::ErrorKind::BrokenPipe);
        let mut lines =
            Lines::new(Box::new(broken), Box::new(talk.clone()), Layout::Prefixed, Style::default());
        lines.event(&run_started(&["web1"])).unwrap();
        lines.event(&output(1, "web1", Stream::Stdout, "text\n")).unwrap();
        lines.idle().unwrap();
        lines.event(&unreachable(2, "web1", "10.0.0.1:22")).unwrap();
        lines.finish().unwrap();
        assert!(talk.text().starts_with("web1: connect timed out"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_host_speaks_for_another(said in prop::collection::vec(
            (any::<bool>(), any::<bool>(), prop_oneof![
                prop::collection::vec(any::<u8>(), 0..30),
                "[\r\n\u{85}\u{2028}\x0b\x0cweb2 |]{0,20}".prop_map(String::into_bytes),
            ]), 0..8),
            colour in any::<bool>(),
        ) {
            let name = |first: bool| if first { "web1" } else { "web2" };
            let mut events = vec![run_started(&["web1", "web2"])];
            let mut expected = [Vec::new(), Vec::new()];
            for (first, stderr, data) in said {
                let lines = data.split_inclusive(|&byte| byte == b'\n').count();
                expected[usize::from(stderr)].extend(std::iter::repeat_n(name(first), lines));
                let stream = if stderr { Stream::Stderr } else { Stream::Stdout };
                events.push(output(1, name(first), stream, data));
            }
            let (out, talk) = print(&events, Layout::Prefixed, Style { colour, ci: false });
            for (text, expected) in [String::from_utf8(out).unwrap(), talk].iter().zip(expected) {
                // All that any reader may take for a line end.
                let lines: Vec<&str> = text
                    .split_terminator(['\n', '\r', '\x0b', '\x0c', '\u{85}', '\u{2028}', '\u{2029}'])
                    .collect();
                prop_assert_eq!(lines.len(), expected.len());
                for (line, name) in lines.into_iter().zip(expected) {
                    let line = if colour { line.split_once('m').unwrap().1 } else { line };
                    prop_assert!(line.starts_with(&format!("{name} |")), "{:?}", line);
                }
            }
        }
    }
}
