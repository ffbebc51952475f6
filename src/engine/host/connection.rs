//! A connection that steps are done over, and what is open on it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use crate::files::remote::{Commands, Remote};
use crate::ssh::Session;

/// The way to where steps are done.
pub(crate) struct HostConnection<S> {
    /// None until a step needs it, and when it is gone.
    pub(crate) session: Option<Arc<S>>,
    /// The files there, for each user that a step saw them as.
    pub(crate) files: Vec<Arc<Remote<S>>>,
    /// Whether the server bears commands beside SFTP, as far as is known.
    pub(crate) commands: Commands,
}

impl<S> Default for HostConnection<S> {
    fn default() -> Self {
        Self { session: None, files: Vec::new(), commands: Commands::default() }
    }
}

impl<S> HostConnection<S> {
    /// The session that was opened before a step that needs one.
    pub(crate) fn session(&self) -> Arc<S> {
        self.session.clone().expect("it is opened before a step that needs it")
    }

    /// Forgets the session, which it gives, and what was open on it.
    pub(crate) fn leave(&mut self) -> Option<Arc<S>> {
        self.files.clear();
        self.session.take()
    }
}

/// Does what may ask for a channel. Files that no step uses are closed as soon as a channel is waited for: theirs
/// may be all that the server gives (`MaxSessions`).
pub(crate) async fn giving_way<S: Session, T>(
    session: &S,
    idle: &mut Vec<Arc<Remote<S>>>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = session.crowded(), if !idle.is_empty() => idle.clear(),
        }
    }
}

/// Closes a session that is no longer needed; never waits long for the other side.
pub(crate) async fn close<S: Session>(session: Arc<S>) {
    const CLOSING: Duration = Duration::from_millis(500);
    let _ = tokio::time::timeout(CLOSING, session.close()).await;
}
