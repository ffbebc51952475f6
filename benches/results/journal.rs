//! The journal: 1000 hosts by 20 steps with ten lines of output each, and 200 runs in the list.

use std::time::Instant;

use fan::testing::event::ledger::Ledger;
use fan::testing::store::{Recipe, Runs};

use crate::events;

const HOSTS: usize = 1000;
const STEPS: usize = 20;
const RUNS: usize = 200;

pub(crate) fn run() {
    let state = tempfile::tempdir().expect("a folder");
    let runs = Runs::create(state.path()).expect("a folder in it");
    let said = |host, step| format!("{host} in step {step}: a line as commands write them\n").repeat(10);
    let events = events::of_run(HOSTS, STEPS, said);
    let journal = runs.begin(&recipe(0)).expect("a journal");
    let begun = Instant::now();
    events.iter().for_each(|event| journal.write(event));
    let took = begun.elapsed();
    journal.end(0).expect("an end");
    let each = took.as_nanos() / u128::try_from(events.len()).expect("small");
    println!(
        "journal, {HOSTS} hosts, {STEPS} steps: {} events, {} ms, {each} ns each",
        events.len(),
        took.as_millis()
    );
    for run in 1..RUNS {
        let journal = runs.begin(&recipe(run)).expect("a journal");
        events::of_run(50, 5, said).iter().for_each(|event| journal.write(event));
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
