//! Folding: 5000 hosts in one step, with output that is all equal, in ten groups, and all different.

use std::io;
use std::time::{Duration, Instant};

use fan::testing::event::Event;
use fan::testing::report::{Fold, FoldFrame, FoldOptions, Layout, Reporter, Style};

use crate::events;

const HOSTS: usize = 5000;
const LINES: usize = 20;
const ROUNDS: usize = 9;

pub(crate) fn run() {
    for (what, groups, diff) in [
        ("all equal", 1, false),
        ("ten groups", 10, false),
        ("all different", HOSTS, false),
        ("ten groups, --diff", 10, true),
        ("all different, --diff", HOSTS, true),
    ] {
        let said = |host: usize, _: usize| -> String {
            let kind = host % groups;
            (0..LINES).map(|line| format!("line {line} of kind {kind} with some more text\n")).collect()
        };
        let events = events::of_run(HOSTS, 1, said);
        let mut times: Vec<Duration> = (0..ROUNDS).map(|_| measure(&events, diff)).collect();
        times.sort_unstable();
        let median = times.get(ROUNDS / 2).copied().unwrap_or_default();
        println!("fold, {HOSTS} hosts of {LINES} lines, {what}: {} ms", median.as_millis());
    }
}

fn measure(events: &[Event], diff: bool) -> Duration {
    let options =
        FoldOptions { layout: Layout::Prefixed, style: Style::default(), frame: FoldFrame::Plain, diff };
    let mut fold = Fold::new(Box::new(io::sink()), Box::new(io::sink()), options);
    let begun = Instant::now();
    for event in events {
        fold.event(event).expect("a sink takes all");
    }
    fold.finish().expect("a sink takes all");
    begun.elapsed()
}
