//! What templates may ask of the world, answered by the caller.

use std::fmt;
use std::sync::Arc;

use crate::model::value::Value;

/// Looks up a variable of the operator's environment.
pub type EnvLookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Reads a text as YAML; what is wrong with it otherwise.
pub type YamlReader = dyn Fn(&str) -> Result<Value, String> + Send + Sync;

/// Reads a file of this machine as text; why it cannot otherwise.
pub type FileReader = dyn Fn(&str) -> Result<String, String> + Send + Sync;

/// What templates may ask of the world, answered by the caller.
#[derive(Clone)]
pub struct Builtins {
    /// For `env('NAME')`.
    pub env: Arc<EnvLookup>,
    /// What `now()` returns: the time at which the run began, RFC 3339.
    pub now: String,
    /// For `from_yaml`.
    pub yaml: Arc<YamlReader>,
    /// For `lookup('file', PATH)` in inventories of Ansible's.
    pub file: Arc<FileReader>,
}

impl Default for Builtins {
    /// A world without anything: no environment, no clock, no YAML, no files.
    fn default() -> Self {
        Self {
            env: Arc::new(|_| None),
            now: String::new(),
            yaml: Arc::new(|_| Err("not available here".to_owned())),
            file: Arc::new(|_| Err("not available here".to_owned())),
        }
    }
}

impl fmt::Debug for Builtins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builtins").field("now", &self.now).finish_non_exhaustive()
    }
}
