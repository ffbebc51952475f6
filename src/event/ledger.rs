//! What a run is written down in while it goes on: the seam between the engine, which tells, and the store, which keeps.

use std::{fmt, io};

use serde::{Deserialize, Serialize};

use crate::event::{Event, RecordFact};
use crate::model::inventory::HostName;
use crate::model::value::{Value, Vars};

/// Keeps what is told, before any reader hears of it and before anything comes of it: a step is written down as begun
/// before its command is sent.
pub trait Ledger: Send + Sync + fmt::Debug {
    /// Takes in one event, in order, without its secrets. What cannot be written fails no run.
    fn write(&self, event: &Event);

    /// Takes in the variables that a step defined on a host, before the event that ends the step.
    fn keep(&self, kept: &Kept);
}

/// Bytes of variables that are kept of one step.
pub const VALUES_MAX: usize = 256 * 1024;

/// The variables that a step defined on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Who.
    pub host: HostName,
    /// Index into the run's tasks.
    pub task: usize,
    /// Index into that task's steps.
    pub step: usize,
    /// The variables.
    pub vars: Vars,
    /// Names of those that are not among them: they hold a secret, or are too large.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
}

impl Kept {
    /// Leaves out the variables that do not fit into so many bytes; and the bytes of the others.
    #[must_use]
    pub fn limited(self, max: usize) -> (Self, usize) {
        let Self { host, task, step, vars, mut lost } = self;
        let mut size = 0;
        let mut fits = |name: &String, value: &mut Value| {
            let next = size + length(value);
            let fits = next <= max;
            if fits {
                size = next
            } else {
                lost.push(name.clone())
            }
            fits
        };
        let mut vars = vars;
        vars.retain(|name, value| fits(name, value));
        (Self { host, task, step, vars, lost }, size)
    }
}

impl From<Kept> for RecordFact {
    fn from(Kept { host, task, step, vars, lost }: Kept) -> Self {
        Self::VariablesDefined { host, task, step, vars, lost }
    }
}

/// The bytes that a value has as JSON, which for a large one is not made to count them.
fn length(value: &Value) -> usize {
    struct Counted(usize);
    impl io::Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counted = Counted(0);
    serde_json::to_writer(&mut counted, value).expect("counting cannot fail, and all keys are strings");
    counted.0
}
