//! Differences for programs: one JSON object ([docs/diff.md](../../../docs/diff.md)).

use serde_json::{Value, json};

use crate::report::drift::differences::{Drift, DriftGroup, DriftItem, DriftText};

/// It grows when a field changes its meaning or goes away.
const SCHEMA: u32 = 1;

/// The object, with a line end.
pub fn render(drift: &Drift) -> String {
    format!("{:#}\n", value(drift))
}

/// The object.
pub(super) fn value(drift: &Drift) -> Value {
    let roots = drift.roots.iter().map(|root| {
        json!({
            "name": root.name, "folder": root.is_folder, "same": root.same, "differ": root.differ,
            "added": root.added, "missing": root.missing,
        })
    });
    json!({
        "schema": SCHEMA,
        "title": drift.title,
        "against": drift.against,
        "hosts": drift.hosts,
        "differs": drift.differs(),
        "uncompared": drift.uncompared,
        "roots": roots.collect::<Vec<_>>(),
        "differences": drift.items.iter().map(item).collect::<Vec<_>>(),
    })
}

fn item(item: &DriftItem) -> Value {
    json!({
        "root": item.root, "path": item.path, "how": item.way.word(), "below": item.below,
        "groups": item.groups.iter().map(group).collect::<Vec<_>>(),
    })
}

fn group(group: &DriftGroup) -> Value {
    let (text, note) = match &group.text {
        DriftText::None => (None, None),
        DriftText::Text(text) => (Some(&**text), None),
        DriftText::Note(note) => (None, Some(*note)),
    };
    json!({"hosts": group.hosts, "what": group.what, "text": text, "note": note})
}
