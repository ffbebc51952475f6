//! What `fan.yaml` says about the command line: defaults of options, profiles, aliases. Lowest first: the user's file, the
//! project's, and in each the profile above the rest. The environment and the command line come above all of them.
//!
//! - `files`: the files, and whether what they say can be said
//! - `chosen`: the options that hold for a command line
//! - `view`: `fan config`

mod chosen;
mod files;
mod view;

pub(super) use crate::cli::defaults::chosen::{ChosenDefaults, profile_of};
pub(super) use crate::cli::defaults::files::FanFiles;
pub(super) use crate::cli::defaults::view::run;
