//! `fan history`: earlier runs, the newest first.

use serde_json::json;

use crate::cli::args::HistoryArgs;
use crate::cli::error::CliError;
use crate::cli::print::print;
use crate::cli::state;
use crate::model::cells;
use crate::model::outcome::{ExitCode, Status};
use crate::model::text::{Sgr, sanitize};
use crate::model::value::Value;
use crate::report::words::duration;
use crate::store::{RecordEntry, RunState, Way};

/// Characters of a title that are shown.
const TITLE_MAX: usize = 48;

pub(super) fn run(args: &HistoryArgs) -> Result<ExitCode, CliError> {
    let runs = state::runs()?;
    let names = runs.names()?;
    let entries: Vec<RecordEntry> =
        names.iter().filter_map(|name| runs.entry(name)).take(args.count).collect();
    let text = if args.json {
        format!("{:#}\n", Value::Array(entries.iter().map(described).collect()))
    } else {
        table(&entries)
    };
    print(&text)?;
    Ok(ExitCode::Ok)
}

fn described(entry: &RecordEntry) -> Value {
    let RecordEntry { recipe, state } = entry;
    let ended = state.ended();
    json!({
        "run": recipe.run,
        "started_at": recipe.started_at,
        "title": recipe.title,
        "arguments": recipe.arguments,
        "folder": recipe.folder,
        "fan": recipe.fan,
        "state": word(state),
        "exit_code": ended.exit_code,
        "elapsed_ms": ended.elapsed_ms,
        "hosts": ended.hosts,
        "counts": ended.counts,
        "retry_of": of(entry, Way::Retry),
        "resume_of": of(entry, Way::Resume),
    })
}

/// The run that it takes up in this way.
fn of(entry: &RecordEntry, way: Way) -> Option<&str> {
    entry.recipe.again.as_ref().filter(|again| again.way == way).map(|again| again.run.as_str())
}

fn word(state: &RunState) -> &'static str {
    match state {
        RunState::Running(_) => "running",
        RunState::Ended(_) => "ended",
        RunState::CutOff(_) => "cut off",
    }
}

fn table(entries: &[RecordEntry]) -> String {
    let rows: Vec<[String; 6]> = entries.iter().map(row).collect();
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cells::width(cell).max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let row: Vec<String> = row.iter().zip(widths).map(|(cell, width)| cells::pad(cell, width)).collect();
        text.push_str(row.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn row(entry: &RecordEntry) -> [String; 6] {
    let RecordEntry { recipe, state } = entry;
    let ended = state.ended();
    let ok = ended.count(Status::Ok);
    let rest = ended.hosts.saturating_sub(ok);
    let hosts = if rest == 0 { format!("{ok} ok") } else { format!("{ok} ok, {rest} not") };
    let exit = match (state, ended.exit_code) {
        (RunState::Ended(_), Some(code)) => format!("exit {code}"),
        (RunState::Ended(_) | RunState::Running(_) | RunState::CutOff(_), _) => word(state).to_owned(),
    };
    let again = recipe.again.as_ref().map(|again| match again.way {
        Way::Retry => format!(" (retry of {})", again.run),
        Way::Resume => format!(" (resume of {})", again.run),
    });
    let title = sanitize(recipe.title.as_bytes(), Sgr::Escape);
    [
        recipe.run.clone(),
        recipe.started_at.clone(),
        hosts,
        exit,
        duration(ended.elapsed()),
        format!("{}{}", cells::shorten(&title, TITLE_MAX), again.unwrap_or_default()),
    ]
}
