//! Private keys and their certificates, read and checked once before any host is contacted.
//!
//! Refuses to ask anyone for a passphrase: it says which files are locked and takes passphrases
//! ([`Keyring::unlock`]). What may be in a file, and what is said of files that cannot be used, is in
//! docs/authentication.md.

mod certificate;
mod container;
mod cost;
mod decode;
mod file;
mod keyring;
mod pem;
mod problem;
mod signing;

pub use crate::ssh::keys::file::{holds_key, read_private};
pub use crate::ssh::keys::keyring::{DEFAULT_IDENTITIES, Identity, Keyring};
pub(super) use crate::ssh::keys::keyring::{
    describe, describe_certificate, doubt, is_current, is_hardware, parse_public,
};
pub use crate::ssh::keys::problem::KeyError;
pub(in crate::ssh) use crate::ssh::keys::signing::SigningKey;
