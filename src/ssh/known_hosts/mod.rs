//! Known host keys: reads OpenSSH's known_hosts files and judges the key that a host presents.
//!
//! Owns the question "is this the key of that host", and how a new key is written down ([`Recorder`]). Refuses
//! policy: whether an unknown key may be accepted is the caller's to decide. Fails closed: what cannot be read or
//! understood is a [`KnownHostsError`], never an unknown host. The rules, and where they are stricter than OpenSSH's:
//! docs/design/host-keys.md.
//!
//! ```text
//! file ──▶ line ──▶ index (plain names, patterns) ──▶ check ──▶ Verdict
//!   ▲                 └─ hashed (names behind an HMAC)
//! locked ◀── record ◀── keys to be trusted from now on
//! ```

mod file;
mod flaw;
mod hashed;
mod hosts;
mod index;
mod key;
mod line;
mod locked;
mod lookup;
mod record;
mod record_error;
mod revoked;
mod verdict;

pub use crate::ssh::known_hosts::key::{fingerprint, is_certificate, type_name};
pub use crate::ssh::known_hosts::lookup::KnownHosts;
pub use crate::ssh::known_hosts::record::{Beside, KeyRecording, NewKey, Recorder};
pub use crate::ssh::known_hosts::record_error::RecordError;
pub use crate::ssh::known_hosts::revoked::RevokedKeys;
pub use crate::ssh::known_hosts::verdict::{FileLine, KnownHostsError, RecordedKey, Verdict};
