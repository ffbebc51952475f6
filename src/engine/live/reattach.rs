//! The way back to a job whose connection was lost: attempts, pauses between them, and when there is no point in more.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::duration;
use crate::model::endpoint::Endpoint;
use crate::model::outcome::{Failure, Kind};
use crate::ssh::error::{Retry, is_verdict};
use crate::ssh::{Connector, ExecRequest, Session, backoff};

/// Who goes back, and where to.
pub(crate) struct Ties<C: Connector> {
    pub(crate) connector: Arc<C>,
    pub(crate) endpoint: Endpoint,
    /// For how long it is tried.
    pub(crate) patience: Duration,
}

/// A connection that has been opened again, and the follower that was started on it.
pub(crate) struct Back<S: Session> {
    pub(crate) session: Arc<S>,
    pub(crate) exec: S::Exec,
}

impl<C: Connector> Clone for Ties<C> {
    fn clone(&self) -> Self {
        let Self { connector, endpoint, patience } = self;
        Self { connector: Arc::clone(connector), endpoint: endpoint.clone(), patience: *patience }
    }
}

impl<C: Connector> Ties<C> {
    /// Connects until there is a follower again; the session may still be good.
    ///
    /// # Errors
    ///
    /// It took too long, or the host will not have us.
    pub(crate) async fn come_back(
        self,
        session: Option<Arc<C::Session>>,
        request: ExecRequest,
    ) -> Result<Back<C::Session>, Failure> {
        let deadline = Instant::now() + self.patience;
        let attempts = self.attempts(session, request);
        let mut why = None;
        tokio::select! {
            biased;
            ended = attempts.run(&mut why) => ended,
            () = tokio::time::sleep_until(deadline) => {
                let why = why.map_or_else(String::new, |failure: Failure| format!(": {}", failure.message()));
                let message = format!("the connection was lost, and not back within {}{why}", duration::show(self.patience));
                Err(Failure::new(Kind::ConnectionLost, message)
                    .hint("the command goes on there: `fan resume` takes it up, `fan jobs` lists it; `reattach` sets how long to try"))
            }
        }
    }

    fn attempts(&self, session: Option<Arc<C::Session>>, request: ExecRequest) -> WayBack<'_, C> {
        WayBack { ties: self, session: session.filter(|session| !session.is_lost()), request }
    }
}

struct WayBack<'a, C: Connector> {
    ties: &'a Ties<C>,
    session: Option<Arc<C::Session>>,
    request: ExecRequest,
}

impl<C: Connector> WayBack<'_, C> {
    async fn run(mut self, why: &mut Option<Failure>) -> Result<Back<C::Session>, Failure> {
        let Ties { connector, endpoint, .. } = self.ties;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let connected = match self.session.take() {
                Some(session) => Ok(session),
                None => connector.reconnect(endpoint).await.map(|connected| Arc::new(connected.session)),
            };
            let (failure, retry) = match connected {
                Ok(session) => match session.exec(self.request.clone()).await {
                    Ok(exec) => return Ok(Back { session, exec }),
                    Err(error) => (error.failure, Retry::Soon),
                },
                Err(error) if is_verdict(error.failure.kind) => return Err(error.failure),
                Err(error) => (error.failure, error.retry),
            };
            *why = Some(failure);
            // Whatever passes by itself, and a server that is being restarted, which refuses connections.
            let retry = if retry == Retry::Penalized { retry } else { Retry::Soon };
            let pause = backoff::pause(retry, attempt, attempt).unwrap_or_default();
            tokio::time::sleep(pause).await;
        }
    }
}
