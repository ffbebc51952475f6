//! `fan console`: commands typed one after the other, over connections that stay open.
//!
//! - `session`: which hosts, over which connections, and what each line does
//! - `line`: what a line says
//! - `editor`: the prompt, with history and completion, in a thread of its own
//! - `past`: the lines of earlier consoles, in a file
//! - `last`: what the hosts said to the command before
//! - `interrupts`: Ctrl-C is for the command, other signals for the console

mod editor;
mod interrupts;
mod last;
mod line;
mod past;
mod session;

pub(super) use crate::cli::console::session::{ConsoleStart, run};
