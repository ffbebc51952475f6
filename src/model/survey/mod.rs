//! What is at paths of a host: the script that asks, and the reading of its answer. Refuses to run anything.
//!
//! The answer is not to be trusted: [`SurveyReader`] takes any bytes, in any pieces, and keeps little of them.
//!
//! - `script`: asks for folders and files, and for contents
//! - `read`: the answer about folders and files
//! - `contents`: the answer with contents
//! - `types`: what both tell

mod contents;
mod read;
mod script;
#[cfg(test)]
mod tests;
mod types;

pub use crate::model::survey::contents::{ContentsReader, SurveyContent};
pub use crate::model::survey::read::SurveyReader;
pub use crate::model::survey::script::{WantedContent, contents, survey};
pub use crate::model::survey::types::{SurveyEntry, SurveyHash, SurveyItem, SurveyKind, SurveyRoot};
