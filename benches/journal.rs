//! What the journal costs a run, and how long the list of runs takes: 1000 hosts by 20 steps with ten lines of output each,
//! and 200 runs in the list. `cargo bench --bench journal`
#![allow(missing_docs, clippy::print_stdout, reason = "a program that prints numbers")]

use std::time::{Duration, Instant};

use fan::event::ledger::Ledger;
use fan::event::{
    Event, Fact, HostOutcome, SCHEMA_VERSION, Section, StepOutcome, StepSummary, Stream, TaskSummary,
};
use fan::model::inventory::HostName;
use fan::model::outcome::{Status, StepStatus};
use fan::store::{Recipe, Runs};

const HOSTS: usize = 1000;
const STEPS: usize = 20;
const RUNS: usize = 200;

fn main() {
    let state = tempfile::tempdir().expect("a folder");
    let runs = Runs::create(state.path()).expect("a folder in it");
    let events = events(HOSTS, STEPS);
    let journal = runs.begin(&recipe(0)).expect("a journal");
    let begun = Instant::now();
    events.iter().for_each(|event| journal.write(event));
    let took = begun.elapsed();
    journal.end(0).expect("an end");
    let each = took.as_nanos() / u128::try_from(events.len()).expect("small");
    println!(
        "{HOSTS} hosts, {STEPS} steps: {} events, {} ms, {each} ns each",
        events.len(),
        took.as_millis()
    );
    for run in 1..RUNS {
        let journal = runs.begin(&recipe(run)).expect("a journal");
        self::events(50, 5).iter().for_each(|event| journal.write(event));
        journal.end(0).expect("an end");
    }
    let begun = Instant::now();
    let names = runs.names().expect("a list");
    let entries = names.iter().filter_map(|name| runs.entry(name)).count();
    println!("list of {entries} runs: {} us", begun.elapsed().as_micros());
}

fn recipe(run: usize) -> Recipe {
    Recipe { run: format!("{run:026}"), title: "deploy".to_owned(), ..Recipe::default() }
}

fn events(hosts: usize, steps: usize) -> Vec<Event> {
    let names: Vec<HostName> =
        (0..hosts).map(|at| HostName::from(format!("web{at:04}.example.org").as_str())).collect();
    let step = |at: usize| StepSummary {
        action: "run".to_owned(),
        title: format!("do thing number {at}"),
        section: Section::Steps,
        position: None,
    };
    let tasks = vec![TaskSummary {
        name: "deploy".to_owned(),
        steps: (0..steps).map(step).collect(),
        hosts: (0..hosts).collect(),
    }];
    let started = Fact::RunStarted {
        schema: SCHEMA_VERSION,
        run: "01".into(),
        title: "deploy".to_owned(),
        started_at: "2026-01-02T03:04:05Z".to_owned(),
        hosts: names.clone(),
        tasks,
        pool: hosts,
    };
    let mut events = vec![Event { at: Duration::ZERO, fact: started }];
    for host in names {
        for step in 0..steps {
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
            let (task, at) = (0, Duration::from_secs(1));
            let data = format!("{host} in step {step}: a line as commands write them\n").repeat(10).into();
            for fact in [
                Fact::StepStarted { host: host.clone(), task, step },
                Fact::Output { host: host.clone(), task, step, stream: Stream::Stdout, data },
                Fact::StepFinished { host: host.clone(), task, step, outcome },
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
