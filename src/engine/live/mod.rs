//! What goes on while a run is at work: where facts go, how a stop is heard, how one command is watched to its end, what
//! hosts wait for in each other. Refuses to know of steps and of what a host has been through.

pub(crate) mod activity;
pub(crate) mod command;
pub(crate) mod connecting;
mod discretion;
pub(crate) mod durable;
pub(crate) mod feed;
pub(crate) mod input;
mod lines;
pub(crate) mod questions;
pub(crate) mod reattach;
pub(crate) mod sink;
pub(crate) mod stop;
pub(crate) mod tail;
pub(crate) mod together;
