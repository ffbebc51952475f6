//! What a step does, one file per kind of action. Each gets a `StepCx`, what a step may use and no more, and gives a
//! `StepResult`; those that need nothing of a host get even less.
//!
//! - `action`: which file does which action
//! - `cx`: what a step may use
//! - `command`, `run`: a command from its text to its end, for all who start one
//! - `durable`: a command that outlives the connection
//! - `look`, `guards`: questions to the host, and the steps that their answers make superfluous
//! - `privilege`, `proof`: as whom, and whether it was begun at all

pub(crate) mod action;
pub(crate) mod ask;
mod assert;
mod command;
pub(crate) mod cx;
mod durable;
mod echo;
pub(crate) mod facts;
mod fail;
mod files;
pub(crate) mod guards;
mod local;
mod look;
pub(crate) mod privilege;
mod proof;
mod reboot;
mod run;
mod script;
mod set;
mod wait_for;
