//! Readers of the event stream: what people, logs and programs see of a run.
//!
//! A reporter learns everything from events and never asks the engine. Everything that came from a host
//! passes [`crate::model::text`] before it reaches a screen. Reporters read no environment and open no
//! files: the caller hands in writers, sizes and choices.
//!
//! | where | what |
//! |---|---|
//! | [`Lines`] | output as it comes: `web1 | text` |
//! | [`Fold`] | output once per group of hosts that said the same |
//! | [`Verbose`] | what `-v` adds to it |
//! | [`FactSheets`] | the tables of `fan facts` |
//! | [`Phases`] | the table of `fan ping` and `fan check --connect` |
//! | [`Progress`] over a [`Terminal`] | bars below the lines |
//! | [`Jsonl`] | every event as one JSON object, for programs |
//! | [`Annotations`] | failed hosts, for GitHub's runner |
//! | [`PerHost`] | what each host wrote, for files of its own |
//! | [`file::render`] | a [`record::Record`] as a file: JSON, JUnit, Markdown, CSV, XLSX, HTML |
//! | [`merge::Merge`] | the streams of several runs as one |
//! | [`recap::render`] | the table and the failures at the end |
//!
//! A terminal is written through a [`DroppingWriter`], because one that is stopped with Ctrl-S must not
//! stop the run; a pipe or a file is written directly and loses nothing.

mod capture;
mod facts;
pub mod file;
mod fold;
mod github;
mod jsonl;
mod lines;
pub mod merge;
mod notices;
mod outdir;
mod phases;
mod progress;
mod queue;
pub mod recap;
pub mod record;
mod sink;
mod style;
mod terminal;
mod verbose;
pub(crate) mod words;

use std::io;

pub use crate::event::line::read;
pub use crate::report::facts::{FactSheets, Sheet};
pub use crate::report::file::Reports;
pub use crate::report::fold::{Fold, FoldOptions, Frame};
pub use crate::report::github::Annotations;
pub use crate::report::jsonl::Jsonl;
pub use crate::report::lines::{Layout, Lines};
pub use crate::report::outdir::{PerHost, PutPiece};
pub use crate::report::phases::Phases;
pub use crate::report::progress::{BesideBars, Progress};
pub use crate::report::queue::DroppingWriter;
pub use crate::report::style::Style;
pub use crate::report::terminal::{Size, Terminal, Window};
pub use crate::report::verbose::Verbose;
pub use crate::report::words::failure_lines;

use crate::event::Event;

/// A reader of the event stream.
///
/// A reader that went away (EPIPE) is no error: the reporter falls silent and the run goes on. Any other
/// error of writing is returned by the call that met it, the reporter falls silent, and
/// [`finish`](Self::finish) returns it once more, so that a caller may look only there.
pub trait Reporter: Send {
    /// Takes in one event, in order. What it prints may stay in a buffer.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// No event is waiting: brings out what is buffered. Call it every 100 ms or so while nothing happens
    /// to keep the times of the bars going.
    fn idle(&mut self) -> io::Result<()>;

    /// No event will come any more: brings out all the rest.
    fn finish(&mut self) -> io::Result<()>;
}

/// Several reporters as one: each gets every event, also when another one fails.
#[derive(Default)]
pub struct Composite {
    reporters: Vec<Box<dyn Reporter>>,
}

impl Composite {
    /// Joins reporters; they get each event in this order.
    pub fn new(reporters: Vec<Box<dyn Reporter>>) -> Self {
        Self { reporters }
    }

    /// Calls all and returns the first error.
    fn each(&mut self, call: impl Fn(&mut dyn Reporter) -> io::Result<()>) -> io::Result<()> {
        let mut result = Ok(());
        for reporter in &mut self.reporters {
            result = result.and(call(reporter.as_mut()));
        }
        result
    }
}

impl Reporter for Composite {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.each(|reporter| reporter.event(event))
    }

    fn idle(&mut self) -> io::Result<()> {
        self.each(|reporter| reporter.idle())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.each(|reporter| reporter.finish())
    }
}

#[cfg(test)]
mod samples;

#[cfg(test)]
mod tests {
    use std::io;

    use crate::event::Fact;
    use crate::report::samples::{Broken, Captured, event};
    use crate::report::{Composite, Jsonl, Reporter};

    #[test]
    fn one_failing_reporter_does_not_stop_the_others() {
        let captured = Captured::default();
        let mut all = Composite::new(vec![
            Box::new(Jsonl::new(Box::new(Broken(io::ErrorKind::StorageFull)))),
            Box::new(Jsonl::new(Box::new(captured.clone()))),
        ]);
        all.event(&event(0, Fact::TaskStarted { task: 0, hosts: None })).unwrap();
        assert_eq!(all.idle().unwrap_err().kind(), io::ErrorKind::StorageFull);
        all.event(&event(1, Fact::TaskFinished { task: 0 })).unwrap();
        all.idle().unwrap();
        assert_eq!(all.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(captured.text().lines().count(), 2);
    }
}
