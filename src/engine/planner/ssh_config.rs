//! What OpenSSH's client configuration says about a host, asked through a seam: the engine knows no file formats.

use std::fmt;
use std::sync::Arc;

use crate::model::position::Diagnostic;
use crate::model::settings::{Settings, Transport};

/// One host as all layers together have it.
#[derive(Clone, Debug, Default)]
pub struct Consulted {
    /// What the configuration says, and over it the settings of all higher layers, with the tokens of both replaced.
    pub settings: Settings,
    /// Why the host cannot be reached as configured.
    pub errors: Vec<Diagnostic>,
    /// What the user should know.
    pub warnings: Vec<Diagnostic>,
}

type Ask = dyn Fn(&str, Settings) -> Consulted + Send + Sync;

/// Answers for a host's name, given what higher layers say of it.
#[derive(Clone)]
pub struct SshConfigSource(Option<Arc<Ask>>);

impl SshConfigSource {
    /// A configuration.
    pub fn new(ask: impl Fn(&str, Settings) -> Consulted + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(ask)))
    }

    /// No configuration at all, and nobody who knows what tokens stand for.
    pub fn none() -> Self {
        Self(None)
    }

    /// Lays a host's settings over what the configuration says about its name.
    pub fn under(&self, name: &str, above: Settings) -> Consulted {
        let is_local = above.transport.as_ref().is_some_and(|transport| transport.value == Transport::Local);
        match &self.0 {
            Some(ask) if !is_local => ask(name, above),
            Some(_) | None => Consulted { settings: above, ..Consulted::default() },
        }
    }
}

impl fmt::Debug for SshConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "SshConfigSource" } else { "SshConfigSource::none" })
    }
}
