//! One page for a browser: recap, timeline of hosts by steps, folded output with search, differences.
//!
//! The page is self-contained: its policy (CSP) allows its own style and script, by their digests, and
//! nothing else. Recap and failures are plain HTML from a template that escapes every value; the script builds the rest
//! from a block of JSON ([`data`]), as text nodes only, so nothing that a host said is ever markup.

use data_encoding::BASE64;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context, filters};
use sha2::{Digest, Sha256};

use crate::event::recap::HostRecord;
use crate::model::outcome::Status;
use crate::model::range;
use crate::model::text::{Sgr, sanitize};
use crate::report::file::html::data::{self, inert};
use crate::report::file::text::{clean, clean_lines, host_word};
use crate::report::recap::{FailedBeside, Paragraph, failures};
use crate::report::record::Record;
use crate::report::words::{count_hosts, duration, hint_lines, is_single_command, reason};

const FRAME: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// With more hosts their table is closed at first: the timeline has them too.
const HOSTS_OPEN: usize = 30;

/// Paragraphs of failures with their last lines.
const TAILS_MAX: usize = 50;

pub(in crate::report::file) fn render(record: &Record) -> String {
    let recap = record.recap();
    let page = context! {
        title => clean(&recap.title),
        style => STYLE,
        style_digest => digest(STYLE),
        script => SCRIPT,
        script_digest => digest(SCRIPT),
        badges => badges(record),
        facts => facts(record),
        failures => failed(record),
        single => is_single_command(&recap.tasks),
        hosts_open => recap.hosts.len() <= HOSTS_OPEN,
        hosts => recap.hosts.iter().map(host).collect::<Vec<_>>(),
        data => inert(&data::of(record).to_string()),
    };
    framed(FRAME, page).expect("the frame is ours, and the tests fill it")
}

/// A page by its frame: every value is escaped.
pub(in crate::report) fn framed(frame: &str, page: Value) -> Result<String, minijinja::Error> {
    let mut environment = Environment::empty();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).keep_trailing_newline(true).build()?);
    environment.add_filter("join", filters::join);
    environment.add_filter("safe", filters::safe);
    environment.render_str(frame, page)
}

/// What a policy calls a style or script by.
pub(in crate::report) fn digest(text: &str) -> String {
    format!("sha256-{}", BASE64.encode(&Sha256::digest(text)))
}

fn badges(record: &Record) -> Vec<Value> {
    let words = Status::ALL.iter().map(|status| status.as_str()).chain(["unfinished"]);
    words
        .map(|name| (name, record.recap().hosts.iter().filter(|host| host_word(host) == name).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| context! { word, count })
        .collect()
}

fn facts(record: &Record) -> Vec<String> {
    let recap = record.recap();
    let mut facts = vec![
        count_hosts(recap.hosts.len()),
        duration(recap.elapsed),
        clean(&recap.started_at),
        format!("run {}", clean(&recap.run)),
    ];
    facts.extend(recap.cancelled.map(|why| format!("stopped by {}", reason(why))));
    facts
}

fn failed(record: &Record) -> Vec<Value> {
    let of = |(at, failure): (usize, &Paragraph<'_>)| {
        let names = clean(&range::fold(&failure.hosts));
        let tail = |lines: &[&[u8]]| {
            let lines = if at < TAILS_MAX { lines } else { &[] };
            lines.iter().map(|line| sanitize(line, Sgr::Escape)).collect::<Vec<_>>().join("\n")
        };
        let beside = |beside: &FailedBeside<'_>| {
            context! { what => clean_lines(&beside.what), tail => tail(&beside.tail) }
        };
        let hint = failure.hint.iter().flat_map(|hint| hint_lines(hint));
        context! {
            hosts => match failure.hosts.len() {
                1 => names,
                count => format!("{names} ({count})"),
            },
            word => failure.status.map_or("unfinished", Status::as_str),
            what => clean_lines(&failure.what),
            tail => tail(&failure.tail),
            besides => failure.besides.iter().map(beside).collect::<Vec<_>>(),
            hint => hint.map(|line| clean(&line)).collect::<Vec<_>>(),
        }
    };
    failures(record.recap()).iter().enumerate().map(of).collect()
}

fn host(host: &HostRecord) -> Value {
    context! {
        name => clean(host.host.as_str()),
        word => host_word(host),
        steps => format!("{}/{}", host.steps_done, host.steps_total),
        changed => host.changed,
        // One that was never begun took none.
        time => if host.elapsed.is_zero() { String::new() } else { duration(host.elapsed) },
    }
}
