//! `wait_for`: looks at the host again and again until something holds, or the time is up.
//!
//! - `waiting`: the looks, and what they find

mod waiting;

pub(super) use waiting::run;
