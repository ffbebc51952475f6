//! Floor 1½: asks web servers and ports whether they are well, from here or through the connection to a host; hands
//! reports to web services and mail servers.
//!
//! - `url`: where a URL leads
//! - `trust`: which certificates are believed
//! - `certificate`: what stands in them
//! - `tls`: TLS over any stream
//! - `client`: one request over any stream
//! - `piped`: a stream through the connection to a host
//! - `target`, `probe`: what is probed, and what was found
//! - `persist`: handing something over, again where that may help
//! - `post`: to a web service
//! - `mail`, `smtp`: a mail, and its way to a mail server
//!
//! Refuses: runs, tasks, talking to people. HTTP is hyper's, TLS is rustls's, mails and SMTP are lettre's; nothing here
//! parses them.

mod certificate;
mod client;
mod mail;
mod persist;
mod piped;
mod post;
mod probe;
mod smtp;
mod target;
#[cfg(test)]
mod tests;
mod tls;
mod trust;
mod url;

pub use crate::web::certificate::Certificate;
pub use crate::web::client::{WebAnswer, WebRequest, WebWay, ask, check_header};
pub use crate::web::mail::{Mail, MailAttachment, WrittenMail};
pub use crate::web::piped::piped;
pub use crate::web::post::{WebPost, post};
pub use crate::web::probe::{ProbeExpects, ProbeFrom, Probed, probe};
pub use crate::web::smtp::{MailLogin, SmtpServer, deliver};
pub use crate::web::target::{MAX_TARGETS, ProbeTarget, targets};
pub use crate::web::tls::WebSilence;
pub use crate::web::trust::WebTrust;
pub use crate::web::url::Url;
