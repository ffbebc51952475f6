//! The letter about a run.

use crate::event::recap::HostRecord;
use crate::model::outcome::{ExitCode, Status};
use crate::model::range;
use crate::model::text::{Sgr, sanitize};
use crate::report::file::text::{clean, clean_lines, host_word, why};
use crate::report::letter::types::{Letter, LetterMood, LetterPart};
use crate::report::recap::{Paragraph, failures};
use crate::report::record::Record;
use crate::report::words::{count_hosts, duration, hint_lines, is_single_command, reason};

/// Rows of the table: hosts that are not ok come first.
const ROWS_MAX: usize = 50;

/// Characters of a list of hosts.
const NAMES_MAX: usize = 2000;

/// Failures that are told.
const PROBLEMS_MAX: usize = 20;

/// Bytes of a failure's last lines.
const TAIL_MAX: usize = 2000;

/// Writes it.
pub fn letter_of_run(record: &Record) -> Letter {
    let recap = record.recap();
    let words = ["unfinished"].into_iter().chain(Status::ALL.iter().rev().map(|status| status.as_str()));
    let counts = words
        .map(|word| (recap.hosts.iter().filter(|host| host_word(host) == word).count(), word))
        .filter(|&(count, _)| count > 0)
        .map(|(count, word)| format!("{count} {word}"));
    let mut verdict = counts.collect::<Vec<_>>().join(", ");
    if verdict.is_empty() {
        verdict = "no hosts".to_owned();
    }
    if let Some(why) = recap.cancelled {
        verdict += &format!(", stopped by {}", reason(why));
    }
    let well = recap.exit_code() == ExitCode::Ok && !recap.nobody_took_part();
    let changed = recap.hosts.iter().map(|host| host.changed).sum::<usize>();
    let mut facts = vec![count_hosts(recap.hosts.len())];
    if changed > 0 {
        facts.push(format!("{changed} changed"));
    }
    facts.extend([duration(recap.elapsed), clean(&recap.started_at), format!("run {}", clean(&recap.run))]);
    let mut parts = vec![table(record)];
    let failures = failures(recap);
    parts.extend(failures.iter().take(PROBLEMS_MAX).map(problem));
    if let Some(more @ 1..) = failures.len().checked_sub(PROBLEMS_MAX) {
        parts.push(LetterPart::Lines(format!("and {more} more\n")));
    }
    Letter {
        title: clean(&recap.title),
        verdict,
        mood: if well { LetterMood::Well } else { LetterMood::Failed },
        changed: changed > 0,
        facts,
        parts,
    }
}

fn problem(failure: &Paragraph<'_>) -> LetterPart {
    let names = cut(&clean(&range::fold(&failure.hosts)), NAMES_MAX);
    let mut what = clean_lines(&failure.what);
    let mut output = tail(&failure.tail);
    for beside in &failure.besides {
        what += &format!("\n{}", clean_lines(&beside.what));
        output += &tail(&beside.tail);
    }
    LetterPart::Problem {
        heading: match failure.hosts.len() {
            1 => names,
            count => format!("{names} ({count})"),
        },
        what,
        output,
        hint: failure
            .hint
            .iter()
            .flat_map(|hint| hint_lines(hint))
            .map(|line| clean(&line))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

fn tail(lines: &[&[u8]]) -> String {
    let lines: String = lines.iter().map(|line| format!("{}\n", sanitize(line, Sgr::Escape))).collect();
    let over = lines.len().saturating_sub(TAIL_MAX);
    let from = (over..=lines.len()).find(|&at| lines.is_char_boundary(at)).unwrap_or_default();
    lines.get(from..).unwrap_or_default().to_owned()
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn table(record: &Record) -> LetterPart {
    let single = is_single_command(&record.recap().tasks);
    let place = |host: &&HostRecord| {
        let status = host.status();
        let place = Status::ALL.iter().position(|&of| Some(of) == status);
        (status == Some(Status::Ok), place.unwrap_or(usize::MAX))
    };
    let mut hosts: Vec<&HostRecord> = record.recap().hosts.iter().collect();
    hosts.sort_by_key(place);
    let row = |host: &&HostRecord| {
        let mut row = vec![clean(host.host.as_str()), host_word(host).to_owned()];
        if !single {
            row.push(format!("{}/{}", host.steps_done, host.steps_total));
            row.push(host.changed.to_string());
        }
        row.push(if host.elapsed.is_zero() { String::new() } else { duration(host.elapsed) });
        row.push(cut(&why(record, host), 160));
        row
    };
    let rest = hosts.get(ROWS_MAX..).unwrap_or_default();
    let names: Vec<&str> = rest.iter().map(|host| host.host.as_str()).collect();
    let more = (!names.is_empty()).then(|| {
        format!("and {}: {}", count_hosts(names.len()), cut(&clean(&range::fold(&names)), NAMES_MAX))
    });
    let mut headings = if single {
        vec!["host", "status", "time", "why"]
    } else {
        vec!["host", "status", "steps", "changed", "time", "why"]
    };
    let mut rows: Vec<Vec<String>> = hosts.iter().take(ROWS_MAX).map(row).collect();
    if rows.iter().all(|row| row.last().is_some_and(String::is_empty)) {
        headings.pop();
        rows.iter_mut().for_each(|row| drop(row.pop()));
    }
    LetterPart::Table { headings, rows, more }
}
