//! What the hosts said to the command before, for `:last` and `:retry`.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::event::{Event, Fact, RunFact, StepAt, StepFact};
use crate::model::inventory::HostName;
use crate::model::outcome::Status;
use crate::report::{Reporter, Style};

/// Bytes that are kept of a host.
const KEPT: usize = 1024 * 1024;

/// Bytes that are kept of all of them.
const KEPT_IN_ALL: usize = 64 * 1024 * 1024;

/// The command before, as far as it has come; shared with the reporter that writes it down.
#[derive(Clone, Default)]
pub(super) struct LastCommand(Arc<Mutex<LastSaid>>);

#[derive(Default)]
struct LastSaid {
    hosts: Vec<LastHost>,
    index: HashMap<HostName, usize>,
    kept: usize,
}

/// A host at the end of it.
#[derive(Clone)]
pub(super) struct LastHost {
    pub(super) name: HostName,
    /// What it said, both streams as they came.
    output: Vec<u8>,
    cut: bool,
    /// How it ended; none for one that `:where` left out.
    pub(super) status: Option<Status>,
    why: Option<String>,
}

impl LastHost {
    /// What it said and how it ended, fit for a screen.
    pub(super) fn shown(&self) -> String {
        let mut text = String::new();
        for line in self.output.split_inclusive(|&byte| byte == b'\n') {
            let line = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line));
            text += &Style::default().text(&line);
            text.push('\n');
        }
        if self.cut {
            text += "(there was more)\n";
        }
        match (&self.why, self.status) {
            (Some(why), _) => text + &Style::default().text(why) + "\n",
            (None, Some(status)) if text.is_empty() => format!("{status}, without output\n"),
            (None, _) => text,
        }
    }
}

impl LastCommand {
    fn said(&self) -> MutexGuard<'_, LastSaid> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its hosts, in the order of the plan.
    pub(super) fn hosts(&self) -> Vec<LastHost> {
        self.said().hosts.clone()
    }

    /// One of them.
    pub(super) fn host(&self, name: &str) -> Option<LastHost> {
        self.said().hosts.iter().find(|host| host.name.as_str() == name).cloned()
    }

    /// The names of those that ended in such a way.
    pub(super) fn ended(&self, is_meant: impl Fn(Status) -> bool) -> Vec<HostName> {
        let said = self.said();
        let meant = said.hosts.iter().filter(|host| host.status.is_some_and(&is_meant));
        meant.map(|host| host.name.clone()).collect()
    }

    /// How many ended in which way: `29 ok, 1 failed`.
    pub(super) fn counts(&self) -> String {
        let said = self.said();
        let count = |status: &Status| said.hosts.iter().filter(|host| host.status == Some(*status)).count();
        let counts = Status::ALL.iter().map(|status| (count(status), status)).filter(|(count, _)| *count > 0);
        counts.map(|(count, status)| format!("{count} {status}")).collect::<Vec<_>>().join(", ")
    }
}

impl Reporter for LastCommand {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let mut said = self.said();
        let LastSaid { hosts, index, kept } = &mut *said;
        match &event.fact {
            Fact::Run(RunFact::Started { hosts: names, .. }) => {
                let host = |name: &HostName| LastHost {
                    name: name.clone(),
                    output: Vec::new(),
                    cut: false,
                    status: None,
                    why: None,
                };
                let begun = names.iter().map(host).collect();
                *said = LastSaid { hosts: begun, index: names.iter().cloned().zip(0..).collect(), kept: 0 };
            }
            Fact::Step(StepAt { host, .. }, StepFact::Output { data, .. }) => {
                if let Some(host) = index.get(host).and_then(|&at| hosts.get_mut(at)) {
                    let room = KEPT.saturating_sub(host.output.len()).min(KEPT_IN_ALL.saturating_sub(*kept));
                    let taken = room.min(data.len());
                    *kept += taken;
                    host.cut |= taken < data.len();
                    host.output.extend_from_slice(data.get(..taken).unwrap_or_default());
                }
            }
            Fact::HostFinished { host, outcome } => {
                if let Some(host) = index.get(host).and_then(|&at| hosts.get_mut(at))
                    && !outcome.is_left_out()
                {
                    host.status = Some(outcome.status);
                    host.why = outcome.failure.as_ref().map(|failure| failure.message().to_string());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn idle(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
