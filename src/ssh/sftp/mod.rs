//! SFTP: the protocol in `wire`.

pub mod wire;
