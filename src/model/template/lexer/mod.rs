//! Walks a script as a POSIX shell reads it and puts each value where its mark stands, quoted for that place.
//! Owns the grammar that decides what quoting means somewhere; refuses to guess: where shells read a construct
//! differently, or where no quoting exists, only values that need none pass, now or for the rest of the script.
//!
//! Everything but the marks is copied byte by byte. The grammar is that of POSIX (XCU 2.2, 2.3, 2.6, 2.7.4) with
//! what bash, zsh and ksh add to it: `$'...'`, `((...))`, `<<<`, zsh's subscripts and modifiers after `$name`.
//! Where it says "doubt", a comment gives the shells that differ.
//!
//! - this file: what is open, and what is in doubt
//! - `walk`: how each construct begins, goes on and ends
//! - `heredoc`: `<<` and the bodies that follow the line
//! - `emit`: a mark becomes text
//! - `hole`: the mark of a file whose path is not known yet

mod emit;
mod heredoc;
mod hole;
mod pass;
pub(super) mod seen;
mod state;
mod walk;

pub(super) use crate::model::template::lexer::pass::{substitute, trace};
