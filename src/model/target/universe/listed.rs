//! Names in a message, the first few of many.

/// Names that a message lists before it says how many more there are.
const LISTED: usize = 8;

/// Joins the first names and counts the others.
pub(super) fn listed<'n>(names: impl Iterator<Item = &'n str>, count: usize) -> String {
    let shown: Vec<&str> = names.take(LISTED).collect();
    let more = count.saturating_sub(shown.len());
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}
