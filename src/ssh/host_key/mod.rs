//! The one place that decides whether a key is the host's: pins, revocations, files of known keys, certificates
//! and the policy for what is new, in this order of precedence.
//!
//! Owns the decision and its words. Refuses connections and terminals: who asks the user, and when, is the
//! command line's. The rules: docs/design/host-keys.md.

mod decide;
mod judge;
mod refusal;

#[cfg(test)]
mod tests;

pub use crate::ssh::host_key::decide::HostKeys;
pub use crate::ssh::host_key::judge::{Certificates, Decision, HostKey, Judge, KeyStanding, WantedKeys};
