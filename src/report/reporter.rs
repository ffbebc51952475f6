//! The trait of all readers of the event stream, and several of them as one.

use std::io;

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

    /// Adds one.
    pub fn push(&mut self, reporter: Box<dyn Reporter>) {
        self.reporters.push(reporter);
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
mod tests {
    use std::io;

    use crate::event::{Fact, TaskFact};
    use crate::report::jsonl::Jsonl;
    use crate::report::reporter::{Composite, Reporter};
    use crate::report::tests::samples::{Broken, Captured, event};

    #[test]
    fn one_failing_reporter_does_not_stop_the_others() {
        let captured = Captured::default();
        let mut all = Composite::new(vec![
            Box::new(Jsonl::new(Box::new(Broken(io::ErrorKind::StorageFull)))),
            Box::new(Jsonl::new(Box::new(captured.clone()))),
        ]);
        all.event(&event(0, Fact::Task(0, TaskFact::Started { hosts: None }))).unwrap();
        assert_eq!(all.idle().unwrap_err().kind(), io::ErrorKind::StorageFull);
        all.event(&event(1, Fact::Task(0, TaskFact::Finished))).unwrap();
        all.idle().unwrap();
        assert_eq!(all.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(captured.text().lines().count(), 2);
    }
}
