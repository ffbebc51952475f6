//! Differences for a browser: one file without network access, side by side, with search and only what differs.
//!
//! As the report of a run it allows its own style and script by their digests and nothing else. What hosts said is in a
//! block of JSON, and gets onto the page as text nodes only.

use data_encoding::BASE64;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::model::range;
use crate::report::drift::differences::{Drift, DriftGroup, DriftItem, DriftText};
use crate::report::drift::words::names;

const FRAME: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Bytes of contents on the page; what differs beyond is told without its lines.
const TEXTS_MAX: usize = 24 * 1024 * 1024;

/// Work on differences, in pairs of lines.
const WORK: usize = 400_000_000;

/// The page.
pub fn render(drift: &Drift) -> String {
    let mut room = TEXTS_MAX;
    let mut work = WORK;
    let items: Vec<Value> = drift.items.iter().map(|item| one(item, &mut room, &mut work)).collect();
    let roots = drift.roots.iter().map(|root| {
        json!({
            "name": root.name, "folder": root.is_folder, "same": root.same,
            "differ": root.differ, "added": root.added, "missing": root.missing,
        })
    });
    let data = json!({
        "title": drift.title, "against": drift.against, "hosts": drift.hosts,
        "uncompared": drift.uncompared, "roots": roots.collect::<Vec<_>>(), "items": items,
    });
    // Nothing in it can end the block that it stands in.
    let data = data
        .to_string()
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    FRAME
        .replace("{style_digest}", &digest(STYLE))
        .replace("{script_digest}", &digest(SCRIPT))
        .replace("{style}", STYLE)
        .replace("{script}", SCRIPT)
        .replace("{data}", &data)
}

/// What a policy calls a style or script by.
fn digest(text: &str) -> String {
    format!("sha256-{}", BASE64.encode(&Sha256::digest(text)))
}

fn one(item: &DriftItem, room: &mut usize, work: &mut usize) -> Value {
    let reference = item.shown_first();
    let groups = item.groups.iter().enumerate().map(|(at, group)| {
        let shown: Vec<&str> = group.hosts.iter().map(String::as_str).collect();
        let reference = reference.filter(|(first, _)| at > *first).map(|(_, reference)| reference);
        let rows = reference.and_then(|reference| rows(reference, group, room, work));
        let note = match group.text {
            DriftText::Note(note) => note,
            DriftText::None | DriftText::Text(_) => "",
        };
        json!({"names": names(group), "hosts": range::fold(&shown), "what": group.what, "note": note, "rows": rows, "left": reference.map(names)})
    });
    json!({
        "root": item.root, "path": item.path, "how": item.way.word(), "below": item.below,
        "groups": groups.collect::<Vec<_>>(),
    })
}

/// The lines of two texts beside each other, in pieces: what becomes of them (`=`, `-`, `+`, `~`), where they begin on
/// either side, and their lines; of a `~` the lines of both sides.
fn rows(
    reference: &DriftGroup,
    group: &DriftGroup,
    room: &mut usize,
    work: &mut usize,
) -> Option<Vec<Value>> {
    let (DriftText::Text(before), DriftText::Text(after)) = (&reference.text, &group.text) else {
        return None;
    };
    if before == after {
        return None;
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (before.split('\n').collect(), after.split('\n').collect());
    let lines = old.len() + new.len();
    *work = work.checked_sub(lines.saturating_mul(lines))?;
    *room = room.checked_sub(before.len() + after.len())?;
    let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
    let part =
        |lines: &[&str], from: usize, len: usize| lines.get(from..from + len).unwrap_or_default().join("\n");
    let row = |op: DiffOp| match op {
        DiffOp::Equal { old_index, new_index, len } => {
            json!(["=", old_index, new_index, part(&old, old_index, len)])
        }
        DiffOp::Delete { old_index, old_len, new_index } => {
            json!(["-", old_index, new_index, part(&old, old_index, old_len)])
        }
        DiffOp::Insert { old_index, new_index, new_len } => {
            json!(["+", old_index, new_index, part(&new, new_index, new_len)])
        }
        DiffOp::Replace { old_index, old_len, new_index, new_len } => {
            json!(["~", old_index, new_index, part(&old, old_index, old_len), part(&new, new_index, new_len)])
        }
    };
    Some(ops.into_iter().map(row).collect())
}
