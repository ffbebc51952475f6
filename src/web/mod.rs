//! Floor 1½: asks web servers and ports whether they are well, from here or through the connection to a host.
//!
//! - `url`: where a URL leads
//! - `trust`: which certificates are believed
//! - `certificate`: what stands in them
//! - `client`: one request over any stream
//! - `piped`: a stream through the connection to a host
//! - `target`, `probe`: what is probed, and what was found
//!
//! Refuses: runs, tasks, talking to people. HTTP is hyper's and TLS is rustls's; nothing here parses either.

mod certificate;
mod client;
mod piped;
mod probe;
mod target;
#[cfg(test)]
mod tests;
mod trust;
mod url;

pub use crate::web::certificate::Certificate;
pub use crate::web::client::{WebAnswer, WebRequest, WebSilence, ask, check_header};
pub use crate::web::piped::piped;
pub use crate::web::probe::{ProbeExpects, ProbeFrom, Probed, probe};
pub use crate::web::target::{MAX_TARGETS, ProbeTarget, targets};
pub use crate::web::trust::WebTrust;
pub use crate::web::url::Url;
