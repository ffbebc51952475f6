//! How long reports take, and how large they get: 1000 hosts by 20 steps, with output that few share and that
//! nobody shares. `cargo bench --bench reports -- FOLDER` also leaves the files in a folder.
#![allow(missing_docs, clippy::print_stdout, reason = "a program that prints numbers")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fan::event::{
    Event, Fact, HostOutcome, SCHEMA_VERSION, Section, StepOutcome, StepSummary, Stream, TaskSummary,
};
use fan::model::inventory::HostName;
use fan::model::outcome::{Status, StepStatus};
use fan::report::file::{ReportKind, render};
use fan::report::record::Record;

const HOSTS: usize = 1000;
const STEPS: usize = 20;

fn main() {
    let folder = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).map(PathBuf::from);
    for (what, kinds) in [("shared", 7), ("own", HOSTS)] {
        let mut record = Record::default();
        let events = events(kinds);
        let begun = Instant::now();
        events.iter().for_each(|event| record.apply(event));
        println!("{HOSTS} hosts, {STEPS} steps, {what} output: record {} ms", begun.elapsed().as_millis());
        for &kind in ReportKind::ALL {
            let begun = Instant::now();
            let bytes = render(kind, &record);
            let (time, name) = (begun.elapsed().as_millis(), kind.extension());
            println!("  {name}: {} KB, {time} ms", bytes.len() / 1000);
            if let Some(folder) = &folder {
                std::fs::write(folder.join(format!("{what}.{name}")), bytes).expect("the folder is there");
            }
        }
    }
}

fn events(kinds: usize) -> Vec<Event> {
    let hosts: Vec<HostName> =
        (0..HOSTS).map(|at| HostName::from(format!("web{at:04}.example.org").as_str())).collect();
    let step = |at: usize| StepSummary {
        action: "run".to_owned(),
        title: format!("do thing number {at}"),
        section: Section::Steps,
        position: None,
    };
    let steps = (0..STEPS).map(step).collect();
    let task = TaskSummary { name: "deploy".to_owned(), steps, hosts: (0..HOSTS).collect() };
    let started = Fact::RunStarted {
        schema: SCHEMA_VERSION,
        run: "01".into(),
        title: "deploy".to_owned(),
        started_at: "2026-01-02T03:04:05Z".to_owned(),
        hosts: hosts.clone(),
        tasks: vec![task],
        pool: HOSTS,
    };
    let mut events = vec![Event { at: Duration::ZERO, fact: started }];
    for (at, host) in hosts.into_iter().enumerate() {
        for step in 0..STEPS {
            let began = Duration::from_millis(u64::try_from(step * 1000 + at).expect("small"));
            let words = format!("host {} in step {step}\n", at % kinds);
            let outcome = StepOutcome {
                status: StepStatus::Changed,
                failure: None,
                exit: None,
                note: None,
                difference: None,
                may_still_run: false,
                earlier: false,
                elapsed: Duration::from_millis(900),
            };
            let (task, data) = (0, words.repeat(10).into());
            for (at, fact) in [
                (began, Fact::StepStarted { host: host.clone(), task, step }),
                (began, Fact::Output { host: host.clone(), task, step, stream: Stream::Stdout, data }),
                (began + outcome.elapsed, Fact::StepFinished { host: host.clone(), task, step, outcome }),
            ] {
                events.push(Event { at, fact });
            }
        }
        let outcome = HostOutcome {
            status: Status::Ok,
            failure: None,
            step: None,
            started: true,
            may_still_run: false,
        };
        events.push(Event { at: Duration::from_secs(25), fact: Fact::HostFinished { host, outcome } });
    }
    events.push(Event { at: Duration::from_secs(25), fact: Fact::RunFinished { cancelled: None } });
    events
}
