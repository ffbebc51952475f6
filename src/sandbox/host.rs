//! A throw-away host as the tasks that serve it see it, and what was counted of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use russh::keys::PublicKey;
use russh::server::Config;

use crate::sandbox::behaviour::Behaviour;
use crate::sandbox::process::Processes;

/// What the connections of a host share.
pub(super) struct SandboxedHost {
    /// Home and working folder of its commands.
    pub(super) home: PathBuf,
    /// Its one fault, or none.
    pub(super) behaviour: Behaviour,
    /// The only key that may log in.
    pub(super) client_key: PublicKey,
    /// The server's settings, with the host key.
    pub(super) config: Arc<Config>,
    /// What was seen so far.
    pub(super) counters: Arc<Counters>,
    /// Where its commands run.
    pub(super) processes: Arc<Processes>,
}

/// What a host has seen. Each only grows.
#[derive(Debug, Default)]
pub(super) struct Counters {
    connections: AtomicU64,
    auth_attempts: AtomicU64,
    execs: AtomicU64,
    unasked: AtomicU64,
}

impl Counters {
    /// Counts a TCP connection; its number, from 1.
    pub(super) fn count_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Counts a request to log in.
    pub(super) fn count_auth_attempt(&self) {
        self.auth_attempts.fetch_add(1, Ordering::SeqCst);
    }

    /// Counts a request to run a command.
    pub(super) fn count_exec(&self) {
        self.execs.fetch_add(1, Ordering::SeqCst);
    }

    /// Counts a channel that a client took and had not asked for.
    pub(super) fn count_unasked(&self) {
        self.unasked.fetch_add(1, Ordering::SeqCst);
    }

    /// Such channels so far.
    pub(super) fn unasked(&self) -> u64 {
        self.unasked.load(Ordering::SeqCst)
    }

    /// TCP connections so far.
    pub(super) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    /// Requests to log in so far.
    pub(super) fn auth_attempts(&self) -> u64 {
        self.auth_attempts.load(Ordering::SeqCst)
    }

    /// Requests to run a command so far.
    pub(super) fn execs(&self) -> u64 {
        self.execs.load(Ordering::SeqCst)
    }
}
