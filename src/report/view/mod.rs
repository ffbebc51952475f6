//! The live view: hosts in a list, the output of one of them, and keys. A reader of events like the others.
//!
//! - `hosts`: what each host is at, folded from the events
//! - `scrollback`: what each host said, within bounds
//! - `majority`: which hosts said something else than most
//! - `keys`: bytes of a terminal to keys
//! - `pages`: where the user is, and what keys do there
//! - `draw`: the page as cells
//! - `paint`: cells to what a terminal is sent
//! - `reporter`: all of it over a [`Terminal`](crate::report::Terminal)

mod draw;
mod hosts;
mod keys;
mod majority;
mod pages;
mod paint;
mod reporter;
mod scrollback;
#[cfg(test)]
mod tests;

pub use crate::report::view::keys::{ViewKey, parse as parse_keys};
pub use crate::report::view::reporter::{Hands, LiveView, ViewOpening};
