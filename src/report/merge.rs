//! The recorded streams of several runs as one, as of the slices of `--shard`: one start with all hosts and tasks,
//! everything that happened, one end.
//!
//! Each stream is gone through twice: once for what must be known beforehand, and once to pass it on. So nothing of
//! their size is held.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::event::{
    Beyond, Event, Fact, LockAt, RunFact, SCHEMA_VERSION, StepAt, StepSummary, TaskFact, TaskSummary,
    UnknownFact,
};
use crate::model::inventory::HostName;
use crate::model::outcome::CancelReason;
use crate::model::time::parse_rfc3339;
use crate::model::value::Value;

/// The field of the beginning that is put together from all streams.
const TASKS: &str = "tasks";

/// What must be known of a stream before it is merged.
#[derive(Debug)]
pub struct StreamPart {
    run: Arc<str>,
    title: String,
    started_at: String,
    hosts: Vec<HostName>,
    tasks: Vec<TaskSummary>,
    pool: usize,
    /// What else its first event says.
    beginning: Beyond,
    /// What else its last event says.
    ending: Beyond,
    end: PartEnd,
    /// When the last thing happened.
    last: Duration,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartEnd {
    /// With the end of its run.
    Whole(Option<CancelReason>),
    /// Before that: fan was killed, or is still running.
    CutOff,
}

/// Why streams cannot be merged.
#[derive(Debug, Error)]
pub enum MergeError {
    /// Reading failed, or a line in the middle is no event.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// It is another file, or its beginning is missing.
    #[error("its first line is not run_started: not an event stream")]
    NoStart,
    /// A later fan has written it.
    #[error("it has version {0} of the format, and this fan knows {SCHEMA_VERSION}")]
    Later(u32),
    /// Slices have no host in common.
    #[error("host {0} is also in an earlier one")]
    Twice(HostName),
}

/// The events of a recording. A last line that is no event was being written when fan was killed, and is left out.
pub fn whole_events(
    events: impl Iterator<Item = io::Result<Event>>,
) -> impl Iterator<Item = io::Result<Event>> {
    let mut events = events.peekable();
    std::iter::from_fn(move || {
        let event = events.next()?;
        let is_last = events.peek().is_none();
        match event {
            Err(error) if error.kind() == io::ErrorKind::InvalidData && is_last => None,
            event => Some(event),
        }
    })
}

impl StreamPart {
    /// Goes through a stream.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is no event stream.
    pub fn read(events: impl Iterator<Item = io::Result<Event>>) -> Result<Self, MergeError> {
        let is_shown = |event: &io::Result<Event>| {
            !matches!(event, Ok(Event { fact: Fact::Record(_) | Fact::Unknown(_), .. }))
        };
        let mut events = whole_events(events).filter(is_shown);
        let Some(Event { fact: Fact::Run(started), beyond: beginning, .. }) = events.next().transpose()?
        else {
            return Err(MergeError::NoStart);
        };
        let RunFact::Started { schema, run, title, started_at, hosts, tasks, pool } = started else {
            return Err(MergeError::NoStart);
        };
        if schema > SCHEMA_VERSION {
            return Err(MergeError::Later(schema));
        }
        let (ending, end, last) = (Beyond::default(), PartEnd::CutOff, Duration::ZERO);
        let mut part = Self { run, title, started_at, hosts, tasks, pool, beginning, ending, end, last };
        for event in events {
            let event = event?;
            part.last = event.at;
            match event.fact {
                Fact::Task(task, TaskFact::Started { hosts: Some(hosts) }) => {
                    if let Some(task) = part.tasks.get_mut(task) {
                        task.hosts = hosts;
                    }
                }
                Fact::Run(RunFact::Finished { cancelled }) => {
                    part.end = PartEnd::Whole(cancelled);
                    part.ending = event.beyond;
                }
                _ => {}
            }
        }
        Ok(part)
    }

    /// How it ended.
    pub fn end(&self) -> PartEnd {
        self.end
    }
}

/// Streams on their way into one.
#[derive(Debug)]
pub struct Merge {
    parts: Vec<MergePlace>,
    beginning: Event,
    end: Option<Event>,
}

/// Where the parts of a stream go.
#[derive(Debug)]
struct MergePlace {
    /// How much later than the first it began.
    later: Duration,
    /// For each of its hosts the index among all.
    hosts: Vec<usize>,
    /// For each of its tasks the index among all.
    tasks: Vec<usize>,
}

impl Merge {
    /// Puts streams together.
    ///
    /// # Errors
    ///
    /// A host is in two of them; and in which.
    pub fn of(parts: &[StreamPart]) -> Result<Self, (usize, MergeError)> {
        let mut names: Vec<(&HostName, usize)> = Vec::new();
        let mut seen: HashMap<&HostName, usize> = HashMap::new();
        for (at, part) in parts.iter().enumerate() {
            for host in &part.hosts {
                if seen.insert(host, at).is_some_and(|earlier| earlier != at) {
                    return Err((at, MergeError::Twice(host.clone())));
                }
                names.push((host, at));
            }
        }
        // No stream knows the order of the inventory across slices.
        names.sort_by(|(a, _), (b, _)| natural(a.as_str()).cmp(&natural(b.as_str())));
        let index: HashMap<&HostName, usize> =
            names.iter().enumerate().map(|(at, (host, _))| (*host, at)).collect();
        let starts: Vec<u64> =
            parts.iter().map(|part| parse_rfc3339(&part.started_at).unwrap_or_default()).collect();
        let first = starts.iter().copied().min().unwrap_or_default();
        let mut tasks: Vec<TaskSummary> = Vec::new();
        let mut tasks_beyond: Vec<Value> = Vec::new();
        let mut places = Vec::new();
        for (part, start) in parts.iter().zip(&starts) {
            let hosts: Vec<usize> = part.hosts.iter().filter_map(|host| index.get(host).copied()).collect();
            let mut own: Vec<usize> = Vec::new();
            for (number, task) in part.tasks.iter().enumerate() {
                let same = |(at, other): &(usize, &TaskSummary)| {
                    !own.contains(at) && other.name == task.name && same_steps(&other.steps, &task.steps)
                };
                let at = tasks.iter().enumerate().find(same).map_or(tasks.len(), |(at, _)| at);
                if at == tasks.len() {
                    tasks.push(TaskSummary { hosts: Vec::new(), ..task.clone() });
                    let beyond = part.beginning.field(TASKS).and_then(|tasks| tasks.get(number));
                    tasks_beyond.push(beyond.cloned().unwrap_or_default());
                }
                own.push(at);
                if let Some(merged) = tasks.get_mut(at) {
                    merged.hosts.extend(task.hosts.iter().filter_map(|&host| hosts.get(host)));
                }
            }
            places.push(MergePlace { later: Duration::from_secs(start - first), hosts, tasks: own });
        }
        for task in &mut tasks {
            task.hosts.sort_unstable();
            task.hosts.dedup();
        }
        let all_whole = parts.iter().all(|part| part.end != PartEnd::CutOff);
        let cancelled = parts.iter().filter_map(|part| match part.end {
            PartEnd::Whole(cancelled) => cancelled,
            PartEnd::CutOff => None,
        });
        let lasts = parts.iter().zip(&places).map(|(part, place)| part.last + place.later);
        let at = lasts.max().unwrap_or_default();
        let end = all_whole.then(|| {
            let fact = Fact::Run(RunFact::Finished { cancelled: cancelled.max() });
            let beyond = Beyond::common(parts.iter().map(|part| &part.ending));
            Event { at, fact, beyond: beyond.into_iter().collect() }
        });
        let started = Fact::Run(RunFact::Started {
            schema: SCHEMA_VERSION,
            run: Arc::from(joined(parts.iter().map(|part| &*part.run))),
            title: joined(parts.iter().map(|part| part.title.as_str())),
            started_at: parts.iter().map(|part| part.started_at.clone()).min().unwrap_or_default(),
            hosts: names.into_iter().map(|(host, _)| host.clone()).collect(),
            tasks,
            pool: parts.iter().map(|part| part.pool).sum(),
        });
        let mut common = Beyond::common(parts.iter().map(|part| &part.beginning));
        common.retain(|(name, _)| name != TASKS);
        if tasks_beyond.iter().any(|task| !task.is_null()) {
            common.push((TASKS.to_owned(), Value::Array(tasks_beyond)));
        }
        let beginning = Event { at: Duration::ZERO, fact: started, beyond: common.into_iter().collect() };
        Ok(Self { parts: places, beginning, end })
    }

    /// What stands before all events.
    pub fn beginning(&self) -> &Event {
        &self.beginning
    }

    /// An event of a stream, as it is among all; `None` for what the beginning and the end say.
    pub fn event(&self, part: usize, mut event: Event) -> Option<Event> {
        let place = self.parts.get(part)?;
        event.at += place.later;
        let moved = |task: &mut usize| match place.tasks.get(*task) {
            Some(&at) => {
                *task = at;
                true
            }
            None => false,
        };
        let known = match &mut event.fact {
            // The beginning and the end have it.
            Fact::Run(RunFact::Started { .. } | RunFact::Finished { .. })
            | Fact::Task(_, TaskFact::Started { .. })
            // No run goes on from several.
            | Fact::Record(_) => false,
            Fact::Task(task, TaskFact::BatchStarted { hosts, .. }) => {
                *hosts = hosts.iter().filter_map(|&host| place.hosts.get(host).copied()).collect();
                moved(task)
            }
            Fact::Task(task, TaskFact::Finished)
            | Fact::Lock(LockAt { task, .. }, _)
            | Fact::Step(StepAt { task, .. }, _)
            | Fact::Unknown(UnknownFact { task: Some(task), .. }) => moved(task),
            Fact::Unknown(UnknownFact { task: None, .. }) => true,
            Fact::HostFinished { outcome, .. } => match &mut outcome.step {
                Some((task, _)) => moved(task),
                None => true,
            },
            Fact::Run(
                RunFact::StragglersNoticed { .. }
                | RunFact::AgentAwaited { .. }
                | RunFact::StopRequested { .. },
            )
            | Fact::Connection(..)
            | Fact::Gateway(..) => true,
        };
        known.then_some(event)
    }

    /// What stands after all events, when none of the streams was cut off.
    pub fn end(&self) -> Option<&Event> {
        self.end.as_ref()
    }
}

/// Whether steps are the same, wherever their files are: another job has them in another folder.
fn same_steps(one: &[StepSummary], other: &[StepSummary]) -> bool {
    let same = |(one, other): (&StepSummary, &StepSummary)| {
        (&one.action, one.written(), one.section) == (&other.action, other.written(), other.section)
    };
    one.len() == other.len() && one.iter().zip(other).all(same)
}

/// Different texts, one after the other: the first three.
fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 3;
    let mut different: Vec<&str> = Vec::new();
    for text in texts {
        if !different.contains(&text) {
            different.push(text);
        }
    }
    let more = different.len().saturating_sub(MOST);
    different.truncate(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", different.join(", "))
}

/// A key by which `web2` comes before `web10`: text and numbers in turn.
fn natural(name: &str) -> Vec<(&str, u64, &str)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let (text, after) = rest.split_at(rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()));
        let (digits, after) =
            after.split_at(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len()));
        // Digits decide between numbers that are equal, or too large to be one.
        let number = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u64::MAX) };
        parts.push((text, number, digits));
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::Status;
    use crate::report::file::{ReportKind, render};
    use crate::report::record::Record;
    use crate::report::tests::samples::{deploy, exec_started, ok, run_finished};

    fn merge(streams: &[Vec<Event>]) -> Result<Record, (usize, MergeError)> {
        let read = |events: &Vec<Event>| StreamPart::read(events.iter().cloned().map(Ok)).unwrap();
        let parts: Vec<StreamPart> = streams.iter().map(read).collect();
        let merge = Merge::of(&parts)?;
        let mut record = Record::default();
        record.apply(merge.beginning());
        for (part, events) in streams.iter().enumerate() {
            let events = events.iter().filter_map(|event| merge.event(part, event.clone()));
            events.for_each(|event| record.apply(&event));
        }
        merge.end().into_iter().for_each(|event| record.apply(event));
        Ok(record)
    }

    /// The events of a run that are of these hosts, as their slice would have told them.
    fn slice(events: &[Event], has: impl Fn(&str) -> bool) -> Vec<Event> {
        let mut slice = Vec::new();
        for event in events {
            let mut event = event.clone();
            let host = match &mut event.fact {
                Fact::Run(RunFact::Started { hosts, tasks, .. }) => {
                    let mut next = 0..;
                    let places: Vec<Option<usize>> =
                        hosts.iter().map(|host| has(host.as_str()).then(|| next.next()).flatten()).collect();
                    hosts.retain(|host| has(host.as_str()));
                    for task in tasks {
                        task.hosts = task.hosts.iter().filter_map(|&host| places[host]).collect();
                    }
                    None
                }
                Fact::Connection(host, _)
                | Fact::Step(StepAt { host, .. }, _)
                | Fact::HostFinished { host, .. } => Some(host.clone()),
                _ => None,
            };
            if host.is_none_or(|host| has(host.as_str())) {
                slice.push(event);
            }
        }
        slice
    }

    #[test]
    fn slices_of_a_run_give_the_reports_of_the_whole() {
        let whole = deploy();
        let mut record = Record::default();
        whole.iter().for_each(|event| record.apply(event));
        let is_even = |host: &str| host.ends_with(['2', '4', '6', '8', '0']);
        let merged = merge(&[slice(&whole, is_even), slice(&whole, |host| !is_even(host))]).unwrap();
        assert_eq!(merged.recap(), record.recap());
        for &kind in ReportKind::ALL {
            let (merged, whole) = (render(kind, &merged), render(kind, &record));
            // The pool is not told in reports; texts are numbered as they come.
            if kind != ReportKind::Json && kind != ReportKind::Html {
                assert_eq!(merged, whole, "{kind:?}");
            }
        }
    }

    #[test]
    fn different_runs_stand_side_by_side() {
        let mut later = vec![exec_started(&["db10", "db9"]), ok(10, "db10"), ok(20, "db9"), run_finished(30)];
        if let Fact::Run(RunFact::Started { run, started_at, .. }) = &mut later[0].fact {
            (*run, *started_at) = ("01JD3L".into(), "2026-01-02T03:05:05Z".into());
        }
        let merged = merge(&[deploy(), later]).unwrap();
        let recap = merged.recap();
        assert_eq!((&*recap.run, recap.title.as_str()), ("01JD3K, 01JD3L", "deploy, exec uptime"));
        let names: Vec<&str> = recap.hosts.iter().map(|record| record.host.as_str()).collect();
        assert_eq!(names[..2], ["db9", "db10"]);
        assert_eq!(recap.elapsed, Duration::from_millis(60_030));
        assert_eq!(recap.tasks.len(), 2);
        assert_eq!(recap.tasks[1].hosts, [0, 1]);
        assert!(recap.finished);
        assert_eq!(recap.count(Status::Ok), merge(&[deploy()]).unwrap().recap().count(Status::Ok) + 2);
    }

    #[test]
    fn a_stream_that_was_cut_off_counts_as_far_as_it_goes() {
        let cut = vec![Ok(exec_started(&["web1"])), Err(io::ErrorKind::InvalidData.into())];
        assert_eq!(StreamPart::read(cut.into_iter()).unwrap().end(), PartEnd::CutOff);
        let record =
            merge(&[vec![exec_started(&["web1"])], vec![exec_started(&["web2"]), run_finished(1)]]).unwrap();
        assert!(!record.recap().finished);
        let torn =
            vec![Ok(exec_started(&["web1"])), Err(io::ErrorKind::InvalidData.into()), Ok(run_finished(3))];
        assert!(matches!(StreamPart::read(torn.into_iter()), Err(MergeError::Unreadable(_))));
        assert!(matches!(StreamPart::read([Ok(run_finished(3))].into_iter()), Err(MergeError::NoStart)));
    }

    #[test]
    fn a_host_is_in_one_stream_only() {
        let start = || vec![exec_started(&["web1"])];
        assert!(matches!(merge(&[start(), start()]), Err((1, MergeError::Twice(_)))));
    }

    #[test]
    fn numbers_in_names_count() {
        let mut names = ["web10", "web9", "web", "db1", "web09", "10", "9"];
        names.sort_by(|a, b| natural(a).cmp(&natural(b)));
        assert_eq!(names, ["9", "10", "db1", "web", "web09", "web9", "web10"]);
    }
}
