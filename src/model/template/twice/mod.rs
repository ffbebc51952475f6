//! Values in places that a shell evaluates once more, when all quotes are gone: arithmetic, subscripts, names of variables,
//! texts that are run. Owns that nothing but harmless text gets there; refuses to look for a way to quote there, as there
//! is none.
//!
//! - `table`: the places
//! - `arguments`: which words an option or a format takes
//! - `awk`: what a program of awk has a shell run
//! - `commands`: the words of a script that has its marks
//! - `elsewhere`: texts that another program runs
//! - `held`: what its variables hold
//! - `inner`: the scripts in it whose text is known
//! - `sed`: the places in a script of sed
//! - `words`: what a word is made of

mod arguments;
mod awk;
mod commands;
mod elsewhere;
mod held;
mod inner;
mod judge;
mod sed;
mod state;
mod table;
mod words;

pub(super) use crate::model::template::twice::judge::check;
pub(super) use crate::model::template::twice::state::{is_number, refuse};
