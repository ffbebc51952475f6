//! The record of a run: whatever stands in its files, it is read or refused; what is written is read back.
#![no_main]

use std::fs;

use fan::fuzzing::event::ledger::{Kept, Ledger};
use fan::fuzzing::event::{Event, Fact, StepFact};
use fan::fuzzing::store::{Recipe, Runs, Way};
use libfuzzer_sys::fuzz_target;

const NAME: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const NEXT: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAW";

fn begin(runs: &Runs, name: &str) -> fan::fuzzing::store::Journal {
    runs.begin(&Recipe { run: name.to_owned(), ..Recipe::default() }).expect("the folder is ours")
}

fuzz_target!(|bytes: &[u8]| {
    let state = tempfile::tempdir().expect("a folder");
    let runs = Runs::create(state.path()).expect("it is ours");
    drop(begin(&runs, NAME));
    let folder = state.path().join("fan/runs").join(NAME);
    let (events, values) = match bytes.iter().position(|&byte| byte == 0) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[][..]),
    };
    fs::write(folder.join("events.jsonl"), events).expect("it is ours");
    fs::write(folder.join("values.jsonl"), values).expect("it is ours");
    let stored = runs.read(NAME).expect("its recipe is whole");
    let found: Vec<Event> = stored.events().expect("the file is there").collect();
    let kept: Vec<Kept> = stored.kept().expect("the file is there").collect();
    if stored.verify(Way::Resume).is_ok() {
        let whole = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!((found.len(), kept.len()), (whole(events), whole(values)), "nothing is passed over");
    }

    let journal = begin(&runs, NEXT);
    found.iter().for_each(|event| journal.write(event));
    kept.iter().for_each(|kept| journal.keep(kept));
    journal.end(0).expect("the disk has room");
    let stored = runs.read(NEXT).expect("we wrote it");
    // How far a transfer has come is told again at its end.
    let written: Vec<Event> =
        found.into_iter().filter(|event| !matches!(event.fact, Fact::Step(_, StepFact::TransferAdvanced { .. }))).collect();
    assert_eq!(stored.events().expect("we wrote it").collect::<Vec<_>>(), written);
    assert_eq!(stored.kept().expect("we wrote it").collect::<Vec<_>>(), kept);
});
