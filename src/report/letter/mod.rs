//! What is written to people and services about a report: a few lines that stand in a mail or a chat. The whole report is
//! attached to it.
//!
//! Pure: a letter in, texts out. All that came from hosts is clean by then, and every form escapes it for its reader.

mod chat;
mod html;
mod of_run;
mod text;
mod types;

pub use crate::report::letter::chat::ChatTemplate;
pub use crate::report::letter::html::render as letter_html;
pub use crate::report::letter::of_run::letter_of_run;
pub use crate::report::letter::text::render as letter_text;
pub use crate::report::letter::types::{Letter, LetterMood, LetterPart};

#[cfg(test)]
mod tests;
