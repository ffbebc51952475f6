//! An authenticated connection, on which nothing runs yet.

use std::sync::Arc;

use russh::client::Handle;

use crate::event::Timings;
use crate::ssh::handler::{ClientHandler, Story};
use crate::ssh::starts::Start;

/// An authenticated connection.
pub(super) struct Login {
    pub(super) handle: Handle<ClientHandler>,
    pub(super) story: Arc<Story>,
    pub(super) timings: Timings,
    pub(super) auth: String,
    pub(super) start: Start,
    pub(super) forward_agent: bool,
}
