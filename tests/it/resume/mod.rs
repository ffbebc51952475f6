//! `fan resume` and `fan retry`: runs that are taken up again.

pub mod durable;
pub mod elsewhere;
pub mod killed;
pub mod soak;
pub mod taken_up;
pub mod upgrade;
