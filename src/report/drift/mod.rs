//! What hosts have otherwise than most of them: `fan diff`.
//!
//! - `reader`: the answers of hosts, gathered from the event stream; each different one is held once
//! - `compare`: who differs, and in what
//! - `differences`: that, for people and programs
//! - `words`, `json`, `page`: on a screen, as data, as a page for a browser

mod compare;
mod differences;
mod json;
mod letter;
mod page;
mod reader;
#[cfg(test)]
mod tests;
mod words;

pub use crate::report::drift::compare::{
    ComparedBy, DriftContents, DriftNeed, DriftReference, Takes, compare_outputs, compare_surveys,
};
pub use crate::report::drift::differences::Drift;
pub use crate::report::drift::json::render as drift_json;
pub use crate::report::drift::letter::letter as drift_letter;
pub use crate::report::drift::page::render as drift_page;
pub use crate::report::drift::reader::{ContentsOfHosts, HostAnswers, OutputsOfHosts, SurveysOfHosts};
pub use crate::report::drift::words::render as drift_words;
