//! What the script of the page builds timeline and output from: hosts, steps, and what each said, as one block of JSON of
//! bounded size.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::model::outcome::StepStatus;
use crate::report::file::text::{
    clean, clean_lines, exit_text, host_word, is_bad, millis, plain, status_word,
};
use crate::report::record::{Record, StepRun};
use crate::report::words::failure_text;

/// Bytes of one stream of a step that ended well.
const STREAM_MAX: usize = 8 * 1024;

/// The same of one that did not.
const FAILED_MAX: usize = 32 * 1024;

/// Bytes of all of them: the page stays one that a browser opens at once.
const TEXTS_MAX: usize = 1024 * 1024;

/// JSON that ends no script element and opens no comment in it.
pub(super) fn inert(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// stdout, stderr, and how it ended, a note, a difference.
type Parts = (Option<usize>, Option<usize>, [String; 3]);

/// What a host said in a step and how that ended: the same for many.
#[derive(Default)]
struct SaidData {
    index: HashMap<Parts, usize>,
    all: Vec<Parts>,
    /// Hosts that said it, and whether it ended badly.
    weight: Vec<(usize, bool)>,
}

impl SaidData {
    fn insert(&mut self, run: &StepRun) -> usize {
        let outcome = run.outcome.as_ref();
        let failure = outcome.and_then(|outcome| outcome.failure.as_ref());
        let ending = failure.map(|failure| clean(&failure_text(failure))).unwrap_or_else(|| exit_text(run));
        let ending = if ending == "0" { String::new() } else { ending };
        let lines = |text: Option<&String>| text.map(|text| clean_lines(text)).unwrap_or_default();
        let note = lines(outcome.and_then(|outcome| outcome.note.as_ref()));
        let difference = lines(outcome.and_then(|outcome| outcome.difference.as_ref()));
        let key = (run.stdout, run.stderr, [ending, note, difference]);
        let id = *self.index.entry(key.clone()).or_insert_with(|| {
            self.all.push(key);
            self.weight.push((0, false));
            self.all.len() - 1
        });
        if let Some((hosts, bad)) = self.weight.get_mut(id) {
            *hosts += 1;
            *bad |= is_bad(run);
        }
        id
    }

    /// All of them with their texts, as long as there is room: failures first, then what most hosts said.
    fn texts(&self, record: &Record) -> Value {
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        order.sort_by_key(|&id| {
            let (hosts, bad) = self.weight.get(id).copied().unwrap_or_default();
            (!bad, std::cmp::Reverse(hosts), id)
        });
        let mut shown: Vec<Value> = vec![Value::Null; self.all.len()];
        // A text stands once, however many said it among other things.
        let mut texts: Vec<Value> = vec![Value::Null; record.texts().len()];
        let mut left = TEXTS_MAX;
        let take = |value: Value, left: &mut usize| {
            let size = inert(&value.to_string()).len();
            let fits = size <= *left;
            *left = left.saturating_sub(if fits { size } else { 0 });
            if fits { value } else { Value::Null }
        };
        for id in order {
            let Some((stdout, stderr, parts)) = self.all.get(id) else { continue };
            let bad = self.weight.get(id).is_some_and(|&(_, bad)| bad);
            for text in [stdout, stderr].into_iter().flatten() {
                if let (Some(slot @ Value::Null), Some(found)) =
                    (texts.get_mut(*text), record.texts().get(*text))
                {
                    let max = if bad { FAILED_MAX } else { STREAM_MAX };
                    *slot = take(json!(plain(found, max)), &mut left);
                }
            }
            if let Some(slot) = shown.get_mut(id) {
                let whole = take(json!(parts), &mut left);
                let parts = if whole.is_null() { json!(["", "", ""]) } else { whole };
                // Thousands say nothing worth a part: what is missing at the end is not there.
                *slot = match (stdout, stderr) {
                    _ if parts != json!(["", "", ""]) => json!([stdout, stderr, parts]),
                    (None, None) => json!([]),
                    (_, None) => json!([stdout]),
                    (_, Some(_)) => json!([stdout, stderr]),
                };
            }
        }
        // A digit is shorter than `null`.
        texts.iter_mut().filter(|text| text.is_null()).for_each(|text| *text = json!(0));
        json!({"said": shown, "texts": texts})
    }
}

/// Hosts, steps, and a flat list of numbers per host: step, status, beginning, length and what was said, for each.
pub(super) fn of(record: &Record) -> Value {
    let mut first = Vec::new();
    let mut titles = Vec::new();
    for (task, found) in record.recap().tasks.iter().enumerate() {
        first.push(titles.len());
        titles.extend((0..found.steps.len()).map(|step| clean(&record.step_title(task, step))));
    }
    let words: Vec<&str> =
        StepStatus::ALL.iter().map(|status| status.as_str()).chain(["unfinished"]).collect();
    let end = record.recap().elapsed;
    let mut said = SaidData::default();
    let mut rows = Vec::new();
    for (host, track) in record.hosts() {
        let mut cells: Vec<u64> = Vec::new();
        let number = |number: usize| u64::try_from(number).unwrap_or_default();
        for run in &track.steps {
            let step = first.get(run.task).copied().unwrap_or_default() + run.step;
            let status = words.iter().position(|&word| word == status_word(run)).unwrap_or_default();
            let elapsed =
                run.outcome.as_ref().map_or(end.saturating_sub(run.began), |outcome| outcome.elapsed);
            let id = said.insert(run);
            cells.extend([number(step), number(status), millis(run.began), millis(elapsed), number(id)]);
        }
        let connecting = track.connecting.map(|from| {
            let to = track.connected.unwrap_or(from + host.elapsed);
            [millis(from), millis(to.saturating_sub(from))]
        });
        rows.push(json!([clean(host.host.as_str()), host_word(host), connecting, cells]));
    }
    json!({
        "elapsed": millis(end),
        "words": words,
        "steps": titles,
        "hosts": rows,
        "output": said.texts(record),
    })
}
