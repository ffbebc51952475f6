//! The report for programs; docs/reports.md describes it.

use data_encoding::BASE64;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::event::line::Visible;
use crate::event::recap::HostRecord;
use crate::model::outcome::Status;
use crate::report::capture::CapturedText;
use crate::report::file::text::millis;
use crate::report::record::{Record, RecordTrack, StepRun};

/// Version of the form; it grows when a field changes its meaning or goes away.
const SCHEMA: u32 = 1;

pub(super) fn render(record: &Record) -> Vec<u8> {
    let recap = record.recap();
    let counts: Map<String, Value> =
        Status::ALL.iter().map(|&status| (status.as_str().to_owned(), json!(recap.count(status)))).collect();
    let hosts: Vec<Value> = record.hosts().map(|(host, track)| host_object(host, track)).collect();
    let texts: Vec<Value> = record.texts().iter().map(text_object).collect();
    let report = json!({
        "schema": SCHEMA,
        "fan": env!("CARGO_PKG_VERSION"),
        "run": recap.run,
        "title": recap.title,
        "started_at": recap.started_at,
        "elapsed_ms": millis(recap.elapsed),
        "finished": recap.finished,
        "cancelled": recap.cancelled,
        "exit_code": recap.exit_code().code(),
        "counts": counts,
        "tasks": recap.tasks,
        "hosts": hosts,
        "texts": texts,
    });
    let mut out = Vec::new();
    report
        .serialize(&mut serde_json::Serializer::with_formatter(&mut out, Visible))
        .expect("writing to memory cannot fail, and all keys are strings");
    out.push(b'\n');
    out
}

fn host_object(host: &HostRecord, track: &RecordTrack) -> Value {
    let outcome = host.outcome.as_ref();
    json!({
        "host": host.host,
        "address": host.address,
        "via": host.via,
        "status": host.status(),
        "failure": outcome.and_then(|outcome| outcome.failure.as_ref()),
        "step": host.failed_step,
        "may_still_run": host.may_still_run,
        "steps_done": host.steps_done,
        "steps_total": host.steps_total,
        "changed": host.changed,
        "warned": host.warned,
        "not_known": host.not_known,
        "elapsed_ms": millis(host.elapsed),
        "connecting_ms": track.connecting.map(millis),
        "connected_ms": track.connected.map(millis),
        "steps": track.steps.iter().map(step_object).collect::<Vec<_>>(),
    })
}

fn step_object(run: &StepRun) -> Value {
    let outcome = run.outcome.as_ref();
    json!({
        "task": run.task,
        "step": run.step,
        "status": outcome.map(|outcome| outcome.status),
        "began_ms": millis(run.began),
        "elapsed_ms": outcome.map(|outcome| millis(outcome.elapsed)),
        "attempts": run.attempts,
        "exit": outcome.and_then(|outcome| outcome.exit.as_ref()),
        "failure": outcome.and_then(|outcome| outcome.failure.as_ref()),
        "note": outcome.and_then(|outcome| outcome.note.as_ref()),
        "not_known": outcome.is_some_and(|outcome| outcome.not_known),
        "difference": outcome.and_then(|outcome| outcome.difference.as_ref()),
        "stdout": run.stdout,
        "stderr": run.stderr,
    })
}

/// A text as `text` when it is UTF-8, as `base64` otherwise; with `tail_text` or `tail_base64` after a gap.
fn text_object(text: &CapturedText) -> Value {
    let mut object = Map::new();
    object.insert("bytes".to_owned(), json!(text.total()));
    object.insert("left_out".to_owned(), json!(text.left_out()));
    let mut put = |name: &str, data: &[u8]| match std::str::from_utf8(data) {
        Ok(data) => object.insert(format!("{name}text"), json!(data)),
        Err(_) => object.insert(format!("{name}base64"), json!(BASE64.encode(data))),
    };
    put("", text.head());
    if text.left_out() > 0 {
        put("tail_", text.tail());
    }
    Value::Object(object)
}
