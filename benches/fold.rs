//! How long folding takes: 5000 hosts in one step, with output that is all equal, in ten groups, and all
//! different. `cargo bench --bench fold`; the numbers are in docs/performance.md.
#![allow(missing_docs, clippy::print_stdout, reason = "a program that prints numbers")]

use std::io;
use std::time::{Duration, Instant};

use fan::event::{
    Event, Fact, HostOutcome, SCHEMA_VERSION, Section, StepOutcome, StepSummary, Stream, TaskSummary,
};
use fan::model::inventory::HostName;
use fan::model::outcome::{Status, StepStatus};
use fan::report::{Fold, FoldOptions, Frame, Layout, Reporter, Style};

const HOSTS: usize = 5000;
const LINES: usize = 20;
const ROUNDS: usize = 9;

fn main() {
    for (what, groups, diff) in [
        ("all equal", 1, false),
        ("ten groups", 10, false),
        ("all different", HOSTS, false),
        ("ten groups, --diff", 10, true),
        ("all different, --diff", HOSTS, true),
    ] {
        let events = events(groups);
        let mut times: Vec<Duration> = (0..ROUNDS).map(|_| measure(&events, diff)).collect();
        times.sort_unstable();
        let median = times.get(ROUNDS / 2).copied().unwrap_or_default();
        println!("{HOSTS} hosts of {LINES} lines, {what}: {} ms", median.as_millis());
    }
}

fn measure(events: &[Event], diff: bool) -> Duration {
    let options =
        FoldOptions { layout: Layout::Prefixed, style: Style::default(), frame: Frame::Plain, diff };
    let mut fold = Fold::new(Box::new(io::sink()), Box::new(io::sink()), options);
    let begun = Instant::now();
    for event in events {
        fold.event(event).expect("a sink takes all");
    }
    fold.finish().expect("a sink takes all");
    begun.elapsed()
}

fn events(groups: usize) -> Vec<Event> {
    let hosts: Vec<HostName> = (0..HOSTS).map(|at| HostName::from(format!("web{at:04}").as_str())).collect();
    let step = StepSummary {
        action: "run".to_owned(),
        title: "uptime".to_owned(),
        section: Section::Steps,
        position: None,
    };
    let task = TaskSummary { name: "uptime".to_owned(), steps: vec![step], hosts: (0..HOSTS).collect() };
    let started = Fact::RunStarted {
        schema: SCHEMA_VERSION,
        run: "01".into(),
        title: "exec uptime".to_owned(),
        started_at: String::new(),
        hosts: hosts.clone(),
        tasks: vec![task],
        pool: HOSTS,
    };
    let mut facts = vec![started, Fact::TaskStarted { task: 0, hosts: None }];
    for (at, host) in hosts.into_iter().enumerate() {
        let text: String = (0..LINES)
            .map(|line| format!("line {line} of kind {} with some more text\n", at % groups))
            .collect();
        let outcome = StepOutcome {
            status: StepStatus::Changed,
            failure: None,
            exit: None,
            note: None,
            difference: None,
            may_still_run: false,
            earlier: false,
            elapsed: Duration::ZERO,
        };
        let end = HostOutcome {
            status: Status::Ok,
            failure: None,
            step: None,
            started: true,
            may_still_run: false,
        };
        facts.extend([
            Fact::StepStarted { host: host.clone(), task: 0, step: 0 },
            Fact::Output { host: host.clone(), task: 0, step: 0, stream: Stream::Stdout, data: text.into() },
            Fact::StepFinished { host: host.clone(), task: 0, step: 0, outcome },
            Fact::HostFinished { host, outcome: end },
        ]);
    }
    facts.into_iter().map(|fact| Event { at: Duration::ZERO, fact }).collect()
}
