//! What OpenSSH's client configuration says about a host, asked through a seam: the engine knows no file formats.

use std::fmt;
use std::sync::Arc;

use crate::model::position::Diagnostic;
use crate::model::settings::{Settings, Transport};

/// What it says about one host.
#[derive(Clone, Debug, Default)]
pub struct Consulted {
    /// Settings: from the source the lowest layer but for fan's own, from [`SshConfigSource::under`] all layers.
    pub settings: Settings,
    /// Why the host cannot be reached as configured.
    pub errors: Vec<Diagnostic>,
    /// What the user should know.
    pub warnings: Vec<Diagnostic>,
}

type Ask = dyn Fn(&str, &Settings) -> Consulted + Send + Sync;

/// Answers for a host's name, given what higher layers say of it.
#[derive(Clone)]
pub struct SshConfigSource(Option<Arc<Ask>>);

impl SshConfigSource {
    /// A configuration.
    pub fn new(ask: impl Fn(&str, &Settings) -> Consulted + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(ask)))
    }

    /// No configuration at all.
    pub fn none() -> Self {
        Self(None)
    }

    /// Lays a host's settings over what the configuration says about its name.
    pub fn under(&self, name: &str, above: &Settings) -> Consulted {
        let is_local = above.transport.as_ref().is_some_and(|transport| transport.value == Transport::Local);
        let asked = self.0.as_ref().filter(|_| !is_local).map(|ask| ask(name, above));
        let mut consulted = asked.unwrap_or_default();
        consulted.settings.overlay(above);
        consulted
    }
}

impl fmt::Debug for SshConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "SshConfigSource" } else { "SshConfigSource::none" })
    }
}
