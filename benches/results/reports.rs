//! Reports, and how large they get: 1000 hosts by 20 steps, with output that few share and that nobody shares.

use std::path::Path;
use std::time::Instant;

use fan::testing::report::file::{ReportKind, render};
use fan::testing::report::record::Record;

use crate::events;

const HOSTS: usize = 1000;
const STEPS: usize = 20;

pub(crate) fn run(folder: Option<&Path>) {
    for (what, kinds) in [("shared", 7), ("own", HOSTS)] {
        let mut record = Record::default();
        let said = |host: usize, step: usize| format!("host {} in step {step}\n", host % kinds).repeat(10);
        let events = events::of_run(HOSTS, STEPS, said);
        let begun = Instant::now();
        events.iter().for_each(|event| record.apply(event));
        println!(
            "reports, {HOSTS} hosts, {STEPS} steps, {what} output: record {} ms",
            begun.elapsed().as_millis()
        );
        for &kind in ReportKind::ALL {
            let begun = Instant::now();
            let bytes = render(kind, &record);
            let (time, name) = (begun.elapsed().as_millis(), kind.extension());
            println!("  {name}: {} KB, {time} ms", bytes.len() / 1000);
            if let Some(folder) = folder {
                std::fs::write(folder.join(format!("{what}.{name}")), bytes).expect("the folder is there");
            }
        }
    }
}
