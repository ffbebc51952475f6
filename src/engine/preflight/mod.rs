//! What a plan's steps need of this machine, looked at before anything is contacted: sources that are there, templates in
//! files that have all their variables, downloads that do not overwrite each other, secrets.
//!
//! - `look`: the look at all steps; `found`: what is wrong
//! - `disk`: looks at local files
//! - `downloads`: who writes where
//! - `secrets`: which are needed
//! - `reads`: which local files its steps read
//! - `known`: what a step's texts are on each host, as far as that is known before the run
//!
//! Refuses to write, and to guess: what depends on what a host will say is left to the run.

mod disk;
mod downloads;
mod found;
mod known;
mod look;
mod reads;
mod secrets;

pub use look::preflight;
pub use reads::{LocalFiles, local_files};
pub use secrets::secrets_used;
