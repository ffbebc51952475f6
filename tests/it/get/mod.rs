//! `fan get` and its step: files on their way from hosts.

mod downloads;
mod faults;
