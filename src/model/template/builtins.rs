//! What templates may ask of the world, answered by the caller.

use std::fmt;
use std::sync::Arc;

/// Looks up a variable of the operator's environment.
pub type EnvLookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What templates may ask of the world, answered by the caller.
#[derive(Clone)]
pub struct Builtins {
    /// For `env('NAME')`.
    pub env: Arc<EnvLookup>,
    /// What `now()` returns: the time at which the run began, RFC 3339.
    pub now: String,
}

impl fmt::Debug for Builtins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builtins").field("now", &self.now).finish_non_exhaustive()
    }
}
