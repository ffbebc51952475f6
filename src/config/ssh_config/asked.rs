//! What is asked of a configuration, by whom, and what it says.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::model::position::Diagnostic;
use crate::model::settings::Settings;

/// Which files to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sources {
    /// The user's file and then the system's, as far as they exist. Others must not be able to write to the
    /// user's one.
    Standard {
        /// `~/.ssh/config`.
        user: PathBuf,
        /// `/etc/ssh/ssh_config`; its relative includes start at its folder.
        system: PathBuf,
    },
    /// This file alone, as with `ssh -F`. It has to exist; its relative includes start at `~/.ssh`.
    File(PathBuf),
}

/// The operator and their machine, as far as tokens and conditions ask for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// Login name.
    pub user: String,
    /// Numeric user id.
    pub uid: u32,
    /// Home folder.
    pub home: PathBuf,
    /// Name of the machine, as uname(2) has it.
    pub host_name: String,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
}

/// What a configuration says about one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigAnswer {
    /// The layer of settings, each with its line; tokens replaced, paths from the root on or as they were written.
    ///
    /// `identity` may be an empty list: `IdentityFile none`.
    pub settings: Settings,
    /// The settings of the higher layers, tokens replaced.
    pub above: Settings,
    /// Why fan must not connect to the host by this configuration.
    pub errors: Vec<Diagnostic>,
    /// What fan does not do, without harm. The same for every host that the line touches: show each once.
    pub warnings: Vec<Diagnostic>,
}
