//! SFTP over a pipe: requests go out as fast as the server takes them, and their replies find their way back by
//! number, in any order.
//!
//! - `wire`: the packets
//! - `error`: why a request was not done
//!
//! A request that was begun is always sent whole: a task of its own writes, so that whoever asked may give up at any
//! time without tearing the stream. Another task always reads. Bounded: a caller holds back what it asks for, and a
//! server that answers more than it was asked breaks the protocol.

mod client;
mod error;
pub mod wire;

pub use crate::ssh::sftp::client::{Pending, Sftp};
pub use error::SftpError;
