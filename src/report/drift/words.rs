//! Differences for people: groups of hosts, each with what it has and a unified diff to the first.

use std::fmt::Write as _;

use similar::TextDiff;

use crate::model::count::counted;
use crate::model::range;
use crate::report::drift::differences::{Drift, DriftGroup, DriftItem, DriftRoot, DriftText};
use crate::report::style::Style;

/// Work on differences, in pairs of lines: texts beyond it are not shown.
const DIFF_WORK: usize = 400_000_000;

/// Lines of one difference that are shown.
const DIFF_LINES: usize = 200;

/// Between what was asked for and what differs in it.
const INDENT: &str = "  ";

/// All of it.
pub fn render(drift: &Drift, style: Style) -> String {
    let mut out = String::new();
    let mut work = DIFF_WORK;
    for (number, root) in drift.roots.iter().enumerate() {
        let _ = writeln!(out, "{}", style.text(&summary(drift, root)));
        for item in drift.items.iter().filter(|item| item.root == number) {
            one(&mut out, item, root, style, &mut work);
        }
    }
    out
}

/// How many hosts and paths are the same.
fn summary(drift: &Drift, root: &DriftRoot) -> String {
    let DriftRoot { name, is_folder, same, differ, added, missing } = root;
    let hosts = counted(drift.hosts, "host");
    let differing = differ + added + missing;
    if !is_folder {
        return match (same, differing) {
            (0, 0) => format!("{name}: not compared"),
            (_, 0) => format!("{name}: the same on {hosts}"),
            _ => format!("{name}: differs on {hosts}, compared with {}", drift.against),
        };
    }
    let mut parts = vec![format!("{same} the same")];
    let counts = [(differ, "differ"), (added, "added"), (missing, "missing")];
    parts.extend(
        counts.iter().filter(|(count, _)| **count > 0).map(|(count, what)| format!("{count} {what}")),
    );
    format!("{name}: {} (paths on {hosts}, compared with {})", parts.join(", "), drift.against)
}

fn one(out: &mut String, item: &DriftItem, root: &DriftRoot, style: Style, work: &mut usize) {
    if root.is_folder {
        let below = match item.below {
            0 => String::new(),
            count => format!(", with {} below", counted(count, "path")),
        };
        let _ = writeln!(out, "{}: {}{below}", style.text(&item.path), item.way.word());
    }
    let reference = item.shown_first();
    for (at, group) in item.groups.iter().enumerate() {
        let _ = writeln!(out, "{INDENT}{}: {}", style.text(&names(group)), style.text(&group.what));
        if let DriftText::Note(note) = group.text {
            let _ = writeln!(out, "{INDENT}  ({note})");
        }
        if let Some((_, reference)) = reference.filter(|(first, _)| at > *first) {
            difference(out, reference, group, style, work);
        }
    }
}

/// `web[01-03] (3)`
pub(super) fn names(group: &DriftGroup) -> String {
    let names: Vec<&str> = group.hosts.iter().map(String::as_str).collect();
    match names.as_slice() {
        [one] => (*one).to_owned(),
        names => format!("{} ({})", range::fold(names), names.len()),
    }
}

fn difference(out: &mut String, reference: &DriftGroup, group: &DriftGroup, style: Style, work: &mut usize) {
    let (DriftText::Text(before), DriftText::Text(after)) = (&reference.text, &group.text) else { return };
    if before == after {
        return;
    }
    let lines = before.lines().count() + after.lines().count();
    let Some(left) = work.checked_sub(lines.saturating_mul(lines)) else {
        let _ = writeln!(out, "{INDENT}  (too much to compare line by line)");
        return;
    };
    *work = left;
    let diff = TextDiff::from_lines(&**before, &**after);
    let text = diff.unified_diff().context_radius(3).header(&names(reference), &names(group)).to_string();
    let count = text.lines().count();
    for line in text.lines().take(DIFF_LINES) {
        let _ = writeln!(out, "{INDENT}| {}", style.text(line));
    }
    if count > DIFF_LINES {
        let _ = writeln!(out, "{INDENT}| ... and {}", counted(count - DIFF_LINES, "more line"));
    }
}
