//! `fan exec -o` and `--table`: hosts as data: names by outcome, an object per host, or rows of a table.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::json;

use crate::event::{Event, Fact, HostOutcome, RunFact, StepAt, StepFact, StepOutcome, Stream};
use crate::model::cells;
use crate::model::inventory::HostName;
use crate::model::outcome::{Exit, Status};
use crate::model::value::{Value, Vars};
use crate::report::reporter::Reporter;
use crate::report::sink::Sink;
use crate::report::style::Style;

/// Bytes of a stream of one host that are kept.
const KEPT: usize = 16 * 1024 * 1024;

/// Bytes of all of them.
const KEPT_IN_ALL: usize = 512 * 1024 * 1024;

/// Between two columns.
const GAP: &str = "  ";

/// What of the hosts is printed.
#[derive(Clone, Debug)]
pub enum RowsShape {
    /// The names of those that ended in one of these ways, in the order of the plan.
    Names(Vec<Status>),
    /// An object for each, as it ends.
    Json,
    /// A row for each line that it printed.
    Table {
        /// Lines are split at spaces; these are the headings of the columns, as far as they have any.
        columns: Option<Vec<String>>,
        /// How the names of hosts are joined whose rows are equal; none when each has rows of its own.
        fold: Option<fn(&[&str]) -> String>,
    },
}

/// Prints hosts in a shape.
pub struct Rows {
    out: Sink,
    shape: RowsShape,
    hosts: Vec<RowHost>,
    index: HashMap<HostName, usize>,
    /// Bytes that may still be kept.
    room: usize,
}

/// What is known of a host.
struct RowHost {
    name: HostName,
    out: KeptText,
    err: KeptText,
    step: Option<StepOutcome>,
    end: Option<HostOutcome>,
}

/// A stream, as far as it was kept.
#[derive(Default)]
struct KeptText {
    data: Vec<u8>,
    cut: bool,
}

impl KeptText {
    fn push(&mut self, data: &[u8], room: &mut usize) {
        let taken = data.len().min(KEPT.saturating_sub(self.data.len())).min(*room);
        *room -= taken;
        self.cut |= taken < data.len();
        self.data.extend_from_slice(data.get(..taken).unwrap_or_default());
    }

    fn forget(&mut self, room: &mut usize) {
        *room += self.data.len();
        *self = Self::default();
    }

    /// Its lines that say something, fit for a screen.
    fn lines(&self) -> Vec<String> {
        let lines =
            self.data.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        lines
            .filter(|line| !line.trim_ascii().is_empty())
            .map(|line| Style::default().text(&String::from_utf8_lossy(line)).into_owned())
            .collect()
    }

    /// Adds it to an object: without the ends of its last line, as `stdout` has it in templates.
    fn put(&self, name: &str, object: &mut Vars) {
        let text = String::from_utf8_lossy(&self.data);
        object.insert(name.to_owned(), json!(text.trim_end_matches(['\n', '\r'])));
        if std::str::from_utf8(&self.data).is_err() {
            object.insert(format!("{name}_base64"), json!(BASE64.encode(&self.data)));
        }
        if self.cut {
            object.insert(format!("{name}_truncated"), json!(true));
        }
    }
}

impl Rows {
    /// Writes to fan's stdout.
    pub fn new(out: Box<dyn Write + Send>, shape: RowsShape) -> Self {
        Self { out: Sink::new(out), shape, hosts: Vec::new(), index: HashMap::new(), room: KEPT_IN_ALL }
    }

    /// A host and the room for what it says.
    fn of(&mut self, host: &HostName) -> Option<(&mut RowHost, &mut usize)> {
        let at = *self.index.get(host)?;
        Some((self.hosts.get_mut(at)?, &mut self.room))
    }

    fn ended(&mut self, host: &HostName, end: &HostOutcome) -> io::Result<()> {
        let as_json = matches!(self.shape, RowsShape::Json);
        let Some((host, room)) = self.of(host) else { return Ok(()) };
        host.end = Some(end.clone());
        if !as_json {
            return Ok(());
        }
        let line = object(host).to_string();
        host.out.forget(room);
        host.err.forget(room);
        self.out.buffer().extend_from_slice(line.as_bytes());
        self.out.buffer().push(b'\n');
        self.out.spill()
    }

    /// Prints what can only be known at the end.
    fn show(&mut self) -> io::Result<()> {
        let text = match &self.shape {
            RowsShape::Json => return Ok(()),
            RowsShape::Names(wanted) => {
                let is_meant = |host: &&RowHost| {
                    host.end.as_ref().is_some_and(|end| wanted.contains(&end.status) && !end.is_left_out())
                };
                self.hosts.iter().filter(is_meant).map(|host| format!("{}\n", host.name)).collect()
            }
            RowsShape::Table { columns, fold } => table(&self.hosts, columns.as_deref(), *fold),
        };
        self.out.buffer().extend_from_slice(text.as_bytes());
        self.out.spill()
    }
}

/// A host as an object (docs/output.md).
fn object(host: &RowHost) -> Value {
    let mut object = Vars::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("host", json!(host.name));
    let end = host.end.as_ref();
    put("status", json!(end.map(|end| end.status)));
    let failure = end.and_then(|end| end.failure.as_ref());
    put("kind", json!(failure.map(|failure| failure.kind)));
    put("message", json!(failure.map(|failure| failure.message())));
    let exit = host.step.as_ref().and_then(|step| step.exit.as_ref());
    put(
        "exit_status",
        match exit {
            Some(Exit::Status(status)) => json!(status),
            Some(Exit::Signal(_)) | None => Value::Null,
        },
    );
    if let Some(Exit::Signal(signal)) = exit {
        put("signal", json!(signal));
    }
    put("started", json!(end.is_some_and(|end| end.started)));
    if end.is_some_and(|end| end.may_still_run) {
        put("may_still_run", json!(true));
    }
    let elapsed = host.step.as_ref().map(|step| step.elapsed);
    put("elapsed_ms", json!(elapsed.map(|elapsed: Duration| elapsed.as_millis() as u64)));
    if let Some(note) = host.step.as_ref().and_then(|step| step.note.as_ref()) {
        put("note", json!(note));
    }
    host.out.put("stdout", &mut object);
    host.err.put("stderr", &mut object);
    Value::Object(object)
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct HostRow {
    cells: Vec<String>,
    /// The last cell takes what it needs: it is no column.
    free: bool,
}

fn table(hosts: &[RowHost], columns: Option<&[String]>, fold: Option<fn(&[&str]) -> String>) -> String {
    let meant = |host: &&RowHost| !host.end.as_ref().is_some_and(HostOutcome::is_left_out);
    let hosts: Vec<&RowHost> = hosts.iter().filter(meant).collect();
    let all_well = hosts.iter().all(|host| host.end.as_ref().is_some_and(|end| end.status == Status::Ok));
    // Hosts with the same rows, in the order of the first of them.
    let mut groups: Vec<(Vec<&str>, Vec<HostRow>)> = Vec::new();
    let mut known: HashMap<Vec<HostRow>, usize> = HashMap::new();
    for host in hosts {
        let rows = rows_of(host, columns.is_some(), !all_well);
        match known.get(&rows).filter(|_| fold.is_some()).and_then(|&at| groups.get_mut(at)) {
            Some((names, _)) => names.push(host.name.as_str()),
            None => {
                known.insert(rows.clone(), groups.len());
                groups.push((vec![host.name.as_str()], rows));
            }
        }
    }
    let mut table: Vec<HostRow> = Vec::new();
    if let Some(headings) = columns.filter(|headings| !headings.is_empty()) {
        let mut cells = vec!["HOST".to_owned()];
        cells.extend((!all_well).then(|| "STATUS".to_owned()));
        cells.extend(headings.iter().cloned());
        table.push(HostRow { cells, free: false });
    }
    for (names, rows) in groups {
        let name = match (fold, names.as_slice()) {
            (Some(fold), names) => fold(names),
            (None, names) => names.concat(),
        };
        for row in rows {
            table.push(HostRow { cells: [name.clone()].into_iter().chain(row.cells).collect(), ..row });
        }
    }
    aligned(&table)
}

/// The rows of a host: one for each line of its output, and one that says why there is none.
fn rows_of(host: &RowHost, split: bool, with_status: bool) -> Vec<HostRow> {
    let end = host.end.as_ref();
    let status = end.map(|end| end.status.to_string()).unwrap_or_default();
    let mut lines = host.out.lines();
    if lines.is_empty() {
        let failure = end.and_then(|end| end.failure.as_ref());
        let said = host.err.lines().into_iter().last();
        let why = failure.map(|failure| {
            let message = Style::default().text(&failure.message()).into_owned();
            said.map_or(message.clone(), |said| format!("{message}: {said}"))
        });
        lines.push(why.unwrap_or_default());
    }
    let split = split && !host.out.data.is_empty();
    let row = |line: String| {
        let mut cells: Vec<String> = with_status.then(|| status.clone()).into_iter().collect();
        if split {
            cells.extend(line.split_whitespace().map(str::to_owned));
        } else {
            cells.push(line.trim_end().to_owned());
        }
        HostRow { cells, free: !split }
    };
    lines.into_iter().map(row).collect()
}

/// The table with its columns below each other.
fn aligned(table: &[HostRow]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in table {
        let columns = row.cells.len().saturating_sub(usize::from(row.free));
        for (at, cell) in row.cells.iter().enumerate().take(columns) {
            match widths.get_mut(at) {
                Some(width) => *width = (*width).max(cells::width(cell)),
                None => widths.push(cells::width(cell)),
            }
        }
    }
    let mut text = String::new();
    for row in table {
        let mut line = String::new();
        for (at, cell) in row.cells.iter().enumerate() {
            if at > 0 {
                line.push_str(GAP);
            }
            line.push_str(&cells::pad(cell, widths.get(at).copied().unwrap_or_default()));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

impl Reporter for Rows {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match &event.fact {
            Fact::Run(RunFact::Started { hosts, .. }) => {
                let host = |name: &HostName| RowHost {
                    name: name.clone(),
                    out: KeptText::default(),
                    err: KeptText::default(),
                    step: None,
                    end: None,
                };
                self.hosts = hosts.iter().map(host).collect();
                self.index = hosts.iter().cloned().zip(0..).collect();
                Ok(())
            }
            Fact::Step(StepAt { host, .. }, StepFact::Output { stream, data }) => {
                if matches!(self.shape, RowsShape::Names(_)) {
                    return Ok(());
                }
                if let Some((host, room)) = self.of(host) {
                    match stream {
                        Stream::Stdout => host.out.push(data, room),
                        Stream::Stderr => host.err.push(data, room),
                    }
                }
                Ok(())
            }
            Fact::Step(StepAt { host, .. }, StepFact::Retried { .. }) => {
                if let Some((host, room)) = self.of(host) {
                    host.out.forget(room);
                    host.err.forget(room);
                }
                Ok(())
            }
            Fact::Step(StepAt { host, .. }, StepFact::Finished { outcome }) => {
                if let Some((host, _)) = self.of(host) {
                    host.step = Some(outcome.clone());
                }
                Ok(())
            }
            Fact::HostFinished { host, outcome } => self.ended(host, outcome),
            Fact::Run(RunFact::Finished { .. }) => self.show(),
            Fact::Run(
                RunFact::StragglersNoticed { .. }
                | RunFact::AgentAwaited { .. }
                | RunFact::StopRequested { .. },
            )
            | Fact::Task(..)
            | Fact::Lock(..)
            | Fact::Connection(..)
            | Fact::Gateway(..)
            | Fact::Step(
                _,
                StepFact::JobStarted { .. }
                | StepFact::Waiting { .. }
                | StepFact::Detached { .. }
                | StepFact::Reattached { .. }
                | StepFact::Started
                | StepFact::QuestionAsked { .. }
                | StepFact::QuestionAnswered
                | StepFact::TransferAdvanced { .. }
                | StepFact::FactsGathered { .. },
            )
            | Fact::Record(_)
            | Fact::Unknown(_) => Ok(()),
        }
    }

    fn idle(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_nothing_trails() {
        let row = |cells: [&str; 3], free| HostRow { cells: cells.map(str::to_owned).to_vec(), free };
        let table =
            [row(["a", "1", "a free text"], true), row(["bcd", "", ""], false), row(["e", "22", "x"], false)];
        assert_eq!(aligned(&table), "a    1   a free text\nbcd\ne    22  x\n");
    }

    #[test]
    fn what_is_kept_has_bounds() {
        let (mut kept, mut room) = (KeptText::default(), 5);
        kept.push(b"abc", &mut room);
        assert!(!kept.cut);
        kept.push(b"def", &mut room);
        assert_eq!((kept.data.as_slice(), kept.cut, room), (&b"abcde"[..], true, 0));
        kept.forget(&mut room);
        assert_eq!((kept.data.len(), kept.cut, room), (0, false, 5));
    }

    #[test]
    fn an_object_holds_bytes_that_are_no_text() {
        let mut object = Vars::new();
        KeptText { data: b"ok\r\n".to_vec(), cut: false }.put("stdout", &mut object);
        KeptText { data: b"a\xff\n".to_vec(), cut: true }.put("stderr", &mut object);
        let expected = json!({
            "stdout": "ok", "stderr": "a\u{fffd}", "stderr_base64": "Yf8K", "stderr_truncated": true
        });
        assert_eq!(Value::Object(object), expected);
    }
}
