//! A recorded stream of events, in whatever order: what is read is written as it was, and has one recap.
#![no_main]

use fan::fuzzing::event::recap::Recap;
use fan::fuzzing::event::{Event, line};
use libfuzzer_sys::fuzz_target;

fn recap(events: &[Event]) -> Recap {
    let mut recap = Recap::default();
    events.iter().for_each(|event| recap.apply(event));
    recap
}

fuzz_target!(|bytes: &[u8]| {
    let events: Vec<Event> = line::read(bytes).filter_map(Result::ok).collect();
    let mut written = Vec::new();
    for event in &events {
        line::write(&mut written, event).expect("an event has a form");
    }
    let again: Vec<Event> = line::read(&*written).map(|event| event.expect("we wrote it")).collect();
    assert_eq!(events, again);
    let text = str::from_utf8(&written).expect("JSON is text");
    assert!(!text.contains("##[") && !text.chars().any(|c| c != '\n' && c.is_control()), "{text:?}");
    let (one, other) = (recap(&events), recap(&again));
    assert_eq!(one, other);
    one.exit_code();
    one.nobody_took_part();
});
