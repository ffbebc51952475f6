//! `fan diff`: what hosts have otherwise than the others.
//!
//! - `compare`: asks all hosts, then one host for each content that is to be shown
//! - `ask`: a step on hosts over connections that stay open in between
//! - `local`: a file or folder of this machine, looked at as a host's is

mod ask;
mod compare;
mod local;

pub(super) use crate::cli::diff::compare::run;
