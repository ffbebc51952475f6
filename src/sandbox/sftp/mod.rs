//! SFTP as a throw-away host serves it, in place of a real host's `sftp-server`: takes requests off a channel,
//! answers them one after the other. `files` is the work on the file system, `attributes` what is told and set of
//! files, `dialect` what other servers do in another way, `fault` what may go wrong.

mod attributes;
mod conversation;
mod dialect;
mod fault;
mod files;
mod refused;

#[cfg(test)]
mod tests;

pub(super) use crate::sandbox::sftp::conversation::serve;
pub use crate::sandbox::sftp::dialect::Dialect;
pub use crate::sandbox::sftp::fault::SftpFault;
