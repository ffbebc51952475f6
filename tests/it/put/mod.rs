//! `fan put` and `fan sync`, and the steps of the same names: files on their way to hosts.

mod commands;
mod dialects;
pub mod faults;
mod hostile;
mod in_place;
pub mod uploads;
