//! Opens a host's session: attempts, pauses between them, and the user's wish to stop. [`backoff`] has the
//! policy.

use crate::engine::live::sink::EventSink;
use crate::engine::live::stop::{StopReceiver, interrupted};
use crate::event::{ConnectionFact, Fact};
use crate::model::endpoint::Endpoint;
use crate::model::outcome::{CancelReason, Failure, Kind};
use crate::ssh::{Connector, backoff};

/// Why there is no session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotConnected {
    /// Every attempt failed; this is the last one's failure.
    Failed(Failure),
    /// The user asked to stop.
    Cancelled(CancelReason),
}

impl NotConnected {
    /// Why, in either case.
    pub fn failure(self) -> Failure {
        match self {
            Self::Failed(failure) => failure,
            Self::Cancelled(reason) => interrupted(reason),
        }
    }
}

/// Connects, repeating what may be repeated; tells every step of it to `sink`.
///
/// # Errors
///
/// There is no session; nothing was started on the host.
pub async fn connect<C: Connector>(
    connector: &C,
    endpoint: &Endpoint,
    sink: Option<&EventSink>,
    stop: &mut StopReceiver,
) -> Result<C::Session, NotConnected> {
    let host = &endpoint.name;
    let address = if endpoint.address.contains(':') {
        format!("[{}]:{}", endpoint.address, endpoint.port)
    } else {
        format!("{}:{}", endpoint.address, endpoint.port)
    };
    let via = endpoint.gateway.as_ref().map(|gateway| gateway.name.clone());
    let tell = |fact| {
        if let Some(sink) = sink {
            sink.tell(fact);
        }
    };
    tell(Fact::Connection(host.clone(), ConnectionFact::Began { address: address.clone(), via }));
    let mut attempt = 1;
    loop {
        let attempted = tokio::select! {
            biased;
            reason = stop.asked() => return Err(NotConnected::Cancelled(reason)),
            attempted = connector.connect(endpoint) => attempted,
        };
        let error = match attempted {
            Ok(connected) => {
                let (timings, auth) = (connected.timings, connected.auth);
                tell(Fact::Connection(host.clone(), ConnectionFact::Connected { timings, auth }));
                return Ok(connected.session);
            }
            Err(error) => error,
        };
        let mut failure = error.failure;
        // A gateway's trouble is not at the host's address.
        if failure.kind != Kind::Gateway {
            failure = failure.at(address.clone());
        }
        let Some(delay) = backoff::pause(error.retry, attempt, endpoint.retries) else {
            if attempt > 1 {
                failure = failure.with(format!("after {attempt} attempts"));
            }
            return Err(NotConnected::Failed(failure));
        };
        tell(Fact::Connection(host.clone(), ConnectionFact::Retried { attempt, failure, delay }));
        tokio::select! {
            biased;
            reason = stop.asked() => return Err(NotConnected::Cancelled(reason)),
            () = tokio::time::sleep(delay) => {}
        }
        attempt += 1;
    }
}
