//! What OpenSSH's client configuration says about a host, asked through a seam: the engine knows no file formats.

use std::fmt;

use crate::model::position::Diagnostic;
use crate::model::settings::Settings;

/// What it says about one host.
#[derive(Clone, Debug, Default)]
pub struct Consulted {
    /// The lowest layer of settings but for fan's own.
    pub settings: Settings,
    /// Why the host cannot be reached as configured.
    pub errors: Vec<Diagnostic>,
    /// What the user should know.
    pub warnings: Vec<Diagnostic>,
}

type Ask = dyn Fn(&str, &Settings) -> Consulted + Send + Sync;

/// Answers for a host's name, given what higher layers say of it.
pub struct SshConfigSource(Option<Box<Ask>>);

impl SshConfigSource {
    /// A configuration.
    pub fn new(ask: impl Fn(&str, &Settings) -> Consulted + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(ask)))
    }

    /// No configuration at all.
    pub fn none() -> Self {
        Self(None)
    }

    /// What is said about a host.
    pub(super) fn ask(&self, name: &str, above: &Settings) -> Consulted {
        self.0.as_ref().map(|ask| ask(name, above)).unwrap_or_default()
    }
}

impl fmt::Debug for SshConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "SshConfigSource" } else { "SshConfigSource::none" })
    }
}
