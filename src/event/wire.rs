//! An event as JSON: one flat object, whatever it is nested in here. What a later version put into it is kept beside the
//! event, so that it is there again when the event is written.

use std::time::Duration;

use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use serde_json::Value;

use crate::event::encoding::millis;
use crate::event::fact::{
    ConnectionFact, Fact, GatewayFact, LockAt, LockFact, RecordFact, RunFact, StepAt, StepFact, TaskFact,
    UnknownFact,
};
use crate::event::parts::{HostOutcome, Stream};
use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, Kind};

/// One fact with the time at which it became true.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Since the run started, monotonic; whole milliseconds when it is written.
    pub at: Duration,
    /// What happened.
    pub fact: Fact,
    /// What else its line says.
    pub beyond: Beyond,
}

/// What the line of an event says that this version does not understand: fields, and words of enumerations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beyond(Option<Box<Value>>);

/// The word of what a host said, and how many fields its line has, none of which holds others.
const OUTPUT: &str = "output";
const OUTPUT_FIELDS: usize = 7;

/// The word of the final record of a host.
const HOST_FINISHED: &str = "host_finished";

/// A line: what every event has, what it happened to, and what happened.
#[derive(Serialize)]
struct EventLine<'a, S, F> {
    #[serde(rename = "at_ms", with = "millis")]
    at: Duration,
    event: &'a str,
    #[serde(flatten)]
    subject: S,
    #[serde(flatten)]
    fact: F,
}

#[derive(Serialize)]
struct OfTask {
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<usize>,
}

#[derive(Serialize)]
struct OfHost<'a> {
    host: &'a HostName,
}

#[derive(Serialize)]
struct OfGateway<'a> {
    gateway: &'a HostName,
}

#[derive(Serialize)]
struct FinalRecord<'a> {
    outcome: &'a HostOutcome,
}

#[derive(Deserialize)]
struct LineHead {
    #[serde(rename = "at_ms", with = "millis")]
    at: Duration,
    event: String,
}

impl Event {
    /// An event of this version.
    pub fn new(at: Duration, fact: Fact) -> Self {
        Self { at, fact, beyond: Beyond::default() }
    }

    /// Whether this version understands all of it. Who acts on an event, rather than showing it, has to ask.
    pub fn is_understood(&self) -> bool {
        let later =
            |failure: &Option<Failure>| failure.as_ref().is_some_and(|it| matches!(it.kind, Kind::Later(_)));
        let later = match &self.fact {
            Fact::Unknown(_) => true,
            Fact::HostFinished { host: _, outcome } => later(&outcome.failure),
            Fact::Step(_, StepFact::Finished { outcome }) => later(&outcome.failure),
            // Nothing comes of why they failed.
            Fact::Step(..)
            | Fact::Run(_)
            | Fact::Record(_)
            | Fact::Task(..)
            | Fact::Lock(..)
            | Fact::Connection(..)
            | Fact::Gateway(..) => false,
        };
        !later && self.beyond.0.is_none()
    }

    /// Writes what this version knows.
    fn known<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = self.at;
        match &self.fact {
            Fact::Run(fact) => EventLine { at, event: fact.word(), subject: (), fact }.serialize(serializer),
            Fact::Record(fact) => {
                EventLine { at, event: fact.word(), subject: (), fact }.serialize(serializer)
            }
            Fact::Task(task, fact) => {
                let subject = OfTask { task: Some(*task) };
                EventLine { at, event: fact.word(), subject, fact }.serialize(serializer)
            }
            Fact::Lock(lock, fact) => {
                EventLine { at, event: fact.word(), subject: lock, fact }.serialize(serializer)
            }
            Fact::Connection(host, fact) => {
                EventLine { at, event: fact.word(), subject: OfHost { host }, fact }.serialize(serializer)
            }
            Fact::Gateway(gateway, fact) => {
                EventLine { at, event: fact.word(), subject: OfGateway { gateway }, fact }
                    .serialize(serializer)
            }
            Fact::Step(step, fact) => {
                EventLine { at, event: fact.word(), subject: step, fact }.serialize(serializer)
            }
            Fact::HostFinished { host, outcome } => {
                let (subject, fact) = (OfHost { host }, FinalRecord { outcome });
                EventLine { at, event: HOST_FINISHED, subject, fact }.serialize(serializer)
            }
            Fact::Unknown(UnknownFact { event, task }) => {
                EventLine { at, event, subject: OfTask { task: *task }, fact: () }.serialize(serializer)
            }
        }
    }

    fn read(line: &Value) -> serde_json::Result<Self> {
        let Value::Object(fields) = line else {
            return Err(de::Error::custom("an event is a JSON object"));
        };
        let LineHead { at, event } = LineHead::deserialize(line)?;
        let mut read = Self::new(at, Fact::read(event, line)?);
        if matches!(read.fact, Fact::Step(_, StepFact::Output { .. })) && fields.len() == OUTPUT_FIELDS {
            // Most of a recording, and long: it is not written again to be compared.
            return Ok(read);
        }
        let known = read.known(serde_json::value::Serializer)?;
        read.beyond = Beyond(beyond(line, &known).map(Box::new));
        Ok(read)
    }
}

impl Fact {
    fn read(event: String, line: &Value) -> serde_json::Result<Self> {
        let task = || line.get("task").and_then(|task| usize::deserialize(task).ok());
        let stream = line.get("stream").filter(|stream| event == OUTPUT && stream.is_string());
        if stream.is_some_and(|stream| Stream::deserialize(stream).is_err()) {
            // What is on it is neither output nor an error.
            return Ok(Self::Unknown(UnknownFact { event, task: task() }));
        }
        Ok(if let Some(fact) = StepFact::read(&event, line)? {
            Self::Step(StepAt::deserialize(line)?, fact)
        } else if let Some(fact) = ConnectionFact::read(&event, line)? {
            Self::Connection(field(line, "host")?, fact)
        } else if event == HOST_FINISHED {
            Self::HostFinished { host: field(line, "host")?, outcome: field(line, "outcome")? }
        } else if let Some(fact) = RunFact::read(&event, line)? {
            Self::Run(fact)
        } else if let Some(fact) = TaskFact::read(&event, line)? {
            Self::Task(field(line, "task")?, fact)
        } else if let Some(fact) = LockFact::read(&event, line)? {
            Self::Lock(LockAt::deserialize(line)?, fact)
        } else if let Some(fact) = RecordFact::read(&event, line)? {
            Self::Record(fact)
        } else if let Some(fact) = GatewayFact::read(&event, line)? {
            Self::Gateway(field(line, "gateway")?, fact)
        } else {
            Self::Unknown(UnknownFact { task: task(), event })
        })
    }
}

fn field<T: DeserializeOwned>(line: &Value, name: &'static str) -> serde_json::Result<T> {
    T::deserialize(line.get(name).ok_or_else(|| <serde_json::Error as de::Error>::missing_field(name))?)
}

impl Beyond {
    /// What it has of a field.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.0.as_ref()?.get(name)
    }

    /// The fields that several have in common.
    pub fn common<'a>(mut all: impl Iterator<Item = &'a Self> + Clone) -> Vec<(String, Value)> {
        let others = all.clone();
        let first = all.next().and_then(|first| first.0.as_ref()?.as_object()).into_iter().flatten();
        let common =
            first.filter(|(name, value)| others.clone().all(|other| other.field(name) == Some(*value)));
        common.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

impl FromIterator<(String, Value)> for Beyond {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(fields: I) -> Self {
        let fields: serde_json::Map<_, _> = fields.into_iter().collect();
        Self((!fields.is_empty()).then(|| Box::new(Value::Object(fields))))
    }
}

/// What a value says beyond what is known of it; in a list, nothing stands for members of which all is known.
pub(crate) fn beyond(value: &Value, known: &Value) -> Option<Value> {
    match (value, known) {
        (Value::Object(value), Value::Object(known)) => {
            let more = value.iter().filter_map(|(name, value)| {
                let more = known.get(name).map_or_else(|| Some(value.clone()), |known| beyond(value, known));
                more.map(|more| (name.clone(), more))
            });
            let more: serde_json::Map<_, _> = more.collect();
            (!more.is_empty()).then_some(Value::Object(more))
        }
        (Value::Array(value), Value::Array(known)) if value.len() == known.len() => {
            let more = value.iter().zip(known).map(|(value, known)| beyond(value, known).unwrap_or_default());
            let more: Vec<Value> = more.collect();
            more.iter().any(|more| !more.is_null()).then_some(Value::Array(more))
        }
        (value, known) => (value != known).then(|| value.clone()),
    }
}

/// Puts back what is said beyond what is known.
fn put_back(known: &mut Value, beyond: &Value) {
    match (known, beyond) {
        (Value::Object(known), Value::Object(beyond)) => {
            for (name, beyond) in beyond {
                match known.get_mut(name) {
                    Some(known) => put_back(known, beyond),
                    None => drop(known.insert(name.clone(), beyond.clone())),
                }
            }
        }
        (Value::Array(known), Value::Array(beyond)) if known.len() == beyond.len() => {
            let changed = known.iter_mut().zip(beyond).filter(|(_, beyond)| !beyond.is_null());
            changed.for_each(|(known, beyond)| put_back(known, beyond));
        }
        (known, beyond) => known.clone_from(beyond),
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(beyond) = &self.beyond.0 else { return self.known(serializer) };
        let mut line = self.known(serde_json::value::Serializer).map_err(ser::Error::custom)?;
        put_back(&mut line, beyond);
        line.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
