//! What an agent can sign with.

use std::sync::Arc;

use russh::keys::{Certificate, PublicKey};

/// Something that an agent can sign with.
#[derive(Clone, Debug)]
pub enum HeldKey {
    /// A key.
    Key(PublicKey),
    /// A certificate; its key is in the agent.
    Certificate(Arc<Certificate>),
}
