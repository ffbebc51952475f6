//! Markdown for merge requests, chats, and the summary of a job of GitHub's runner.

use std::fmt::Write;

use crate::event::recap::HostRecord;
use crate::model::outcome::Status;
use crate::model::range;
use crate::model::text::{Sgr, sanitize};
use crate::report::file::text::{clean, why};
use crate::report::recap::failures;
use crate::report::record::Record;
use crate::report::words::{count_hosts, duration, is_single_command, reason};

/// Rows of the table; the ok hosts beyond stand folded on one line.
const ROWS_MAX: usize = 200;

/// The report in at most about `max` bytes: what is too much is said to be left out.
pub(crate) fn render(record: &Record, max: usize) -> String {
    let recap = record.recap();
    let counts: Vec<String> = Status::ALL
        .iter()
        .map(|&status| (recap.count(status), status.as_str()))
        .chain([(recap.hosts.iter().filter(|host| host.status().is_none()).count(), "unfinished")])
        .filter(|&(count, _)| count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let mut out = format!("# {}\n\n**{}**", escape(&recap.title), counts.join(", "));
    for part in [
        count_hosts(recap.hosts.len()),
        duration(recap.elapsed),
        escape(&recap.started_at),
        format!("run `{}`", clean(&recap.run).replace('`', "")),
    ] {
        put(&mut out, format_args!(" · {part}"));
    }
    if let Some(why) = recap.cancelled {
        put(&mut out, format_args!(" · stopped by {}", reason(why)));
    }
    out.push_str("\n\n");
    table(record, &mut out, max);
    let mut left_out = 0;
    for (at, failure) in failures(recap).iter().enumerate() {
        let names = range::fold(&failure.hosts);
        let count = match failure.hosts.len() {
            1 => String::new(),
            count => format!(" ({})", count_hosts(count)),
        };
        let mut text = if at == 0 { "\n## Hosts that are not ok\n".to_owned() } else { String::new() };
        put(&mut text, format_args!("\n### {}{count}\n\n{}\n", escape(&names), escape(&failure.what)));
        tail(&mut text, &failure.tail);
        for beside in &failure.besides {
            put(&mut text, format_args!("\n{}\n", escape(&beside.what)));
            tail(&mut text, &beside.tail);
        }
        for line in failure.hint.iter().flat_map(|hint| hint.lines()) {
            put(&mut text, format_args!("\n> {}\n", escape(line)));
        }
        if out.len() + text.len() > max {
            left_out += 1;
        } else {
            out.push_str(&text);
        }
    }
    if left_out > 0 {
        put(&mut out, format_args!("\n{left_out} more are left out.\n"));
    }
    out
}

fn tail(text: &mut String, tail: &[&[u8]]) {
    if !tail.is_empty() {
        let lines: Vec<_> = tail.iter().map(|line| sanitize(line, Sgr::Escape)).collect();
        let fence = fence(&lines);
        put(text, format_args!("\n{fence}text\n{}\n{fence}\n", lines.join("\n")));
    }
}

fn table(record: &Record, out: &mut String, max: usize) {
    let single = is_single_command(&record.recap().tasks);
    let order = |host: &&HostRecord| {
        let status = host.status();
        let place = Status::ALL.iter().position(|&of| Some(of) == status);
        (status == Some(Status::Ok), place.unwrap_or(usize::MAX))
    };
    let mut hosts: Vec<&HostRecord> = record.recap().hosts.iter().collect();
    hosts.sort_by_key(order);
    let (steps, rule) = if single { ("", "") } else { ("steps | changed | ", "---|---|") };
    put(out, format_args!("| host | status | {steps}time | why |\n|---|---|{rule}---|---|\n"));
    let mut shown = 0;
    for host in &hosts {
        let steps = if single {
            String::new()
        } else {
            format!("{}/{} | {} | ", host.steps_done, host.steps_total, host.changed)
        };
        let row = format!(
            "| {} | {} | {steps}{} | {} |\n",
            escape(host.host.as_str()),
            host.status().map_or("unfinished", Status::as_str),
            duration(host.elapsed),
            escape(&why(record, host)),
        );
        if shown == ROWS_MAX || out.len() + row.len() > max / 2 {
            break;
        }
        out.push_str(&row);
        shown += 1;
    }
    let rest = hosts.get(shown..).unwrap_or_default();
    for (bad, what) in [(true, "not ok"), (false, "ok")] {
        let names: Vec<&str> = rest
            .iter()
            .filter(|host| (host.status() != Some(Status::Ok)) == bad)
            .map(|host| host.host.as_str())
            .collect();
        if !names.is_empty() {
            let all = escape(&range::fold(&names));
            let all = if out.len() + all.len() > max / 4 * 3 { "too many to name".to_owned() } else { all };
            put(out, format_args!("\nand {} {what}: {all}\n", count_hosts(names.len())));
        }
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String cannot fail");
}

/// A fence that no line of the text closes.
fn fence(lines: &[std::borrow::Cow<'_, str>]) -> String {
    let longest = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max();
    "`".repeat(longest.unwrap_or_default().max(2) + 1)
}

/// Text that stays text: no markup, no links, no cells, no HTML.
pub(in crate::report) fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '+' | '!' | '|' | '~' | '$' | ':'
            | '@' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    // GitHub makes links of these without any markup.
    out.replace("www.", "www\\.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(
            escape("a | <b> [x](http://y) `c` @team www.z #1\x1b"),
            "a \\| &lt;b&gt; \\[x\\](http\\://y) \\`c\\` \\@team www\\.z \\#1\\\\x1b"
        );
        assert_eq!(fence(&["a ``` b".into(), "````".into()]), "`````");
        assert_eq!(fence(&["plain".into()]), "```");
    }
}
