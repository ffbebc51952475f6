//! `fan trust`, and host keys under every policy.

mod command;
mod fixture;
mod policies;
