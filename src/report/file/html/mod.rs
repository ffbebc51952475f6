//! One page for a browser: recap, timeline of hosts by steps, folded output with search, differences.
//!
//! The page stands alone and asks nobody: its policy (CSP) allows its own style and script, by their digests, and
//! nothing else. Recap and failures are plain HTML; the script builds the rest from a block of JSON, as text nodes
//! only, so nothing that a host said is ever markup.

use std::collections::HashMap;
use std::fmt::Write;

use data_encoding::BASE64;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::event::recap::HostRecord;
use crate::model::outcome::{Status, StepStatus};
use crate::model::range;
use crate::model::text::{Sgr, sanitize};
use crate::report::file::text::{clean, clean_lines, exit_text, is_bad, millis, plain, status_word, xml};
use crate::report::recap::failures;
use crate::report::record::{Record, StepRun};
use crate::report::words::{count_hosts, duration, failure_text, hint_lines, is_single_command, reason};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Bytes of one stream of a step that ended well.
const STREAM_MAX: usize = 8 * 1024;

/// The same of one that did not.
const FAILED_MAX: usize = 32 * 1024;

/// Bytes of all of them: the page stays one that a browser opens at once.
const TEXTS_MAX: usize = 1024 * 1024;

/// With more hosts their table is closed at first: the timeline has them too.
const HOSTS_OPEN: usize = 30;

/// Paragraphs of failures with their last lines.
const TAILS_MAX: usize = 50;

pub(super) fn render(record: &Record) -> String {
    let recap = record.recap();
    let title = xml(&clean(&recap.title));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{}'; script-src '{}'; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        digest(STYLE),
        digest(SCRIPT),
    );
    header(record, &mut out);
    failed(record, &mut out);
    hosts(record, &mut out);
    out.push_str(
        "<section id=\"app\" hidden>\n<h2>Timeline</h2>\n\
         <p><input id=\"search\" type=\"search\" placeholder=\"Search hosts and output\" \
         aria-label=\"Search hosts and output\"> <span id=\"found\" role=\"status\"></span></p>\n\
         <div id=\"timeline\"></div>\n<div id=\"details\"></div>\n<h2>Output by step</h2>\n<div id=\"steps\"></div>\n\
         </section>\n<script type=\"application/json\" id=\"data\">",
    );
    out.push_str(&inert(&data(record).to_string()));
    put(&mut out, format_args!("</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"));
    out
}

/// What a policy calls a style or script by.
fn digest(text: &str) -> String {
    format!("sha256-{}", BASE64.encode(&Sha256::digest(text)))
}

/// JSON that ends no script element and opens no comment in it.
fn inert(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String cannot fail");
}

fn word(host: &HostRecord) -> &'static str {
    host.status().map_or("unfinished", Status::as_str)
}

fn header(record: &Record, out: &mut String) {
    let recap = record.recap();
    put(out, format_args!("<header>\n<h1>{}</h1>\n<p class=\"counts\">", xml(&clean(&recap.title))));
    let words = Status::ALL.iter().map(|status| status.as_str()).chain(["unfinished"]);
    for name in words {
        let count = recap.hosts.iter().filter(|host| word(host) == name).count();
        if count > 0 {
            put(out, format_args!("<span class=\"badge {name}\">{count} {name}</span> "));
        }
    }
    put(
        out,
        format_args!(
            "</p>\n<p class=\"facts\">{} · {} · {} · run {}{}</p>\n</header>\n",
            count_hosts(recap.hosts.len()),
            duration(recap.elapsed),
            xml(&clean(&recap.started_at)),
            xml(&clean(&recap.run)),
            recap.cancelled.map(|why| format!(" · stopped by {}", reason(why))).unwrap_or_default(),
        ),
    );
}

fn failed(record: &Record, out: &mut String) {
    let failures = failures(record.recap());
    if failures.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>What did not end well</h2>\n");
    for (at, failure) in failures.iter().enumerate() {
        let names = xml(&clean(&range::fold(&failure.hosts)));
        let count = match failure.hosts.len() {
            1 => String::new(),
            count => format!(" ({count})"),
        };
        put(out, format_args!("<article><h3>{names}{count}</h3><p>{}</p>", xml(&clean(&failure.what))));
        if !failure.tail.is_empty() && at < TAILS_MAX {
            let lines: Vec<_> = failure.tail.iter().map(|line| sanitize(line, Sgr::Escape)).collect();
            put(out, format_args!("<pre>{}</pre>", xml(&lines.join("\n"))));
        }
        for line in failure.hint.iter().flat_map(|hint| hint_lines(hint)) {
            put(out, format_args!("<p class=\"hint\">{}</p>", xml(&clean(&line))));
        }
        out.push_str("</article>\n");
    }
    out.push_str("</section>\n");
}

fn hosts(record: &Record, out: &mut String) {
    let single = is_single_command(&record.recap().tasks);
    let steps = if single { "" } else { "<th>steps<th>changed" };
    let open = if record.recap().hosts.len() > HOSTS_OPEN { "" } else { " open" };
    put(
        out,
        format_args!(
            "<details{open}><summary><h2>Hosts</h2></summary>\n<table><thead><tr><th>host<th>status{steps}<th>time\n<tbody>\n"
        ),
    );
    for host in &record.recap().hosts {
        let steps = if single {
            String::new()
        } else {
            format!("<td>{}/{}<td>{}", host.steps_done, host.steps_total, host.changed)
        };
        let (name, word) = (xml(&clean(host.host.as_str())), word(host));
        let time = duration(host.elapsed);
        put(out, format_args!("<tr><td>{name}<td class={word}>{word}{steps}<td>{time}\n"));
    }
    out.push_str("</table></details>\n");
}

/// stdout, stderr, and how it ended, a note, a difference.
type Parts = (Option<usize>, Option<usize>, [String; 3]);

/// What a host said in a step and how that ended: the same for many.
#[derive(Default)]
struct Said {
    index: HashMap<Parts, usize>,
    all: Vec<Parts>,
    /// Hosts that said it, and whether it ended badly.
    weight: Vec<(usize, bool)>,
}

impl Said {
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
fn data(record: &Record) -> Value {
    let mut first = Vec::new();
    let mut titles = Vec::new();
    for (task, found) in record.recap().tasks.iter().enumerate() {
        first.push(titles.len());
        titles.extend((0..found.steps.len()).map(|step| clean(&record.step_title(task, step))));
    }
    let words: Vec<&str> =
        StepStatus::ALL.iter().map(|status| status.as_str()).chain(["unfinished"]).collect();
    let end = record.recap().elapsed;
    let mut said = Said::default();
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
        rows.push(json!([clean(host.host.as_str()), word(host), connecting, cells]));
    }
    json!({
        "elapsed": millis(end),
        "words": words,
        "steps": titles,
        "hosts": rows,
        "output": said.texts(record),
    })
}
