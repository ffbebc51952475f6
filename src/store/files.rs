//! The names of a run's files.

/// What it was started with.
pub(super) const RECIPE: &str = "run.json";
/// What happened, a line per fact. Locked while the run goes on.
pub(super) const EVENTS: &str = "events.jsonl";
/// The variables that steps defined, a line per step and host.
pub(super) const VALUES: &str = "values.jsonl";
/// How it ended.
pub(super) const ENDED: &str = "end.json";
/// Empty, and there only when not all that happened could be written.
pub(super) const GAP: &str = "gap";
