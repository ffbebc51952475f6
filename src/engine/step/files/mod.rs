//! Steps on files: from what the user wrote to what `files` does, and from its end to the step's outcome.
//!
//! - `put`, `get`, `state`, `line`: the kinds of steps
//! - `work`: one of them
//! - `frame`: what surrounds all of them: the user's stop, the deadline, progress, what is left behind
//! - `context`: what they may use, and what they give
//! - `texts`: templates filled in, and paths made whole
//! - `difference`: what changes in a text

mod context;
mod difference;
mod frame;
mod get;
mod line;
mod put;
mod state;
mod texts;
mod work;

pub(super) use frame::run;
