//! Proves who we are: keys and certificates first, then a password, few enough not to be thrown out.
//!
//! An authentication that failed is never repeated: servers punish that (`MaxAuthTries`, fail2ban,
//! `PerSourcePenalties`). RSA signs with SHA-2 only (RFC 8332). The password leaves at most once per login,
//! either as such or as the answer to one hidden question. Who may be asked in which order is in
//! docs/authentication.md; this only runs once the host key is verified.

mod attempts;
mod clock;
mod login;
mod offers;
mod password;
mod signer;

pub(super) use crate::ssh::auth::login::authenticate;
