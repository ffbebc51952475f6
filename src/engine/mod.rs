//! Floor 2: runs a [`plan::Plan`]. The dispatcher owns the truth of the run; one worker owns one host's life in
//! a task; everything that happens is told as [`crate::event`] facts and nowhere else.
//!
//! Refuses: terminals, files of reports, process exit, file formats.

mod dispatcher;
mod host;
mod live;
pub mod plan;
pub mod planner;
pub mod preflight;
mod step;
#[cfg(test)]
mod tests;
mod walk;

pub use dispatcher::run;
pub use host::tools::FromUser;
pub use live::connecting::{NotConnected, connect};
pub use live::input::RunInput;
pub use live::questions::{Answer, Question, StepChoice, Unanswered, Wanted, questions};
pub use live::sink::{Delivery, channel};
pub use live::stop::{Stop, StopReceiver, StopSender, stop_channel};
pub use plan::memory::Unseen;
pub use plan::past::{Doubt, Obstacle, Past, Standing};
