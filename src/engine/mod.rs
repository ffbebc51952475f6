//! Floor 2: runs a [`plan::Plan`]. The dispatcher owns the truth of the run; one worker owns one host's life in
//! a task; everything that happens is told as [`crate::event`] facts and nowhere else.
//!
//! Refuses: terminals, files of reports, process exit, file formats.

mod attempt;
mod choose;
mod command;
mod connecting;
mod delegates;
mod discretion;
mod dispatcher;
mod learned;
mod lines;
mod lock;
mod memory;
mod pace;
mod past;
pub mod plan;
pub mod planner;
pub mod preflight;
mod questions;
mod register;
mod scope;
mod sink;
mod step;
mod stop;
mod tail;
#[cfg(test)]
mod tests;
mod together;
mod walk;
mod worker;

#[cfg(fuzzing)]
#[doc(hidden)]
pub use step::http_door;

pub use connecting::{NotConnected, connect};
pub use dispatcher::run;
pub use memory::Memory;
pub use past::{Doubt, Obstacle, Past, Standing, Unseen};
pub use questions::{Answer, Pace, Question, QuestionSender, Unanswered, Wanted, questions};
pub use sink::{Delivery, EventSink, channel};
pub use stop::{Stop, StopReceiver, StopSender, stop_channel};
