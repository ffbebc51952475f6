//! Finds secrets in what is about to be told, and puts a mask in their place. Owns what counts as an occurrence,
//! in one text and in a stream that comes in pieces; refuses to know where secrets and texts come from.
//!
//! - `forms`: the spellings in which a secret is found as they are
//! - `undone`: a text without its quoting, in which one is found however often it was quoted, and in which ways
//! - `find`: looking for many patterns at once
//!
//! It is a seat belt: who has a secret can always write it in a way that nobody looks for.

mod find;
mod forms;
mod redactor;
#[cfg(test)]
mod tests;
mod undone;

pub use crate::model::redact::forms::MIN_SECRET;
pub use crate::model::redact::redactor::{RedactedStream, Redactor};
