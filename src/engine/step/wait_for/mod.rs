//! `wait_for`: looks at the host again and again until something holds, or the time is up.
//!
//! - `waiting`: the looks, and what they find
//! - `http`: as much of HTTP as a look at a web server takes

mod http;
#[cfg(fuzzing)]
pub mod http_door;
mod waiting;

pub(super) use waiting::run;
