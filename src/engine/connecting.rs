//! Opens a host's session: attempts, pauses between them, and the user's wish to stop.
//!
//! Policy (docs/design/run-loop.md): only errors that pass by themselves are repeated, only before anything
//! was started, with full jitter so that hosts do not come back in step.

use std::time::Duration;

use rand::RngExt;

use crate::engine::sink::EventSink;
use crate::engine::stop::StopReceiver;
use crate::event::Fact;
use crate::model::endpoint::Endpoint;
use crate::model::outcome::{CancelReason, Failure};
use crate::ssh::{Connector, Retry};

/// Attempts after the first for a server that throttles, unless the host's `retries` says more (or 0).
const THROTTLED_RETRIES: u32 = 5;

/// The pause before the first repeat is random up to this, and the bound doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Bound of any pause but the one below.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// `PerSourcePenalties` lasts at least this long (sshd_config(5)); the last attempt waits it out.
const PENALTY: Duration = Duration::from_secs(16);

/// Why there is no session.
pub(super) enum NotConnected {
    Failed(Failure),
    Cancelled(CancelReason),
}

/// Connects, repeating what may be repeated; tells every step of it.
pub(super) async fn connect<C: Connector>(
    connector: &C,
    endpoint: &Endpoint,
    sink: &EventSink,
    stop: &mut StopReceiver,
) -> Result<C::Session, NotConnected> {
    let host = &endpoint.name;
    let address = if endpoint.address.contains(':') {
        format!("[{}]:{}", endpoint.address, endpoint.port)
    } else {
        format!("{}:{}", endpoint.address, endpoint.port)
    };
    sink.tell(Fact::HostConnecting { host: host.clone(), address: address.clone() });
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
                sink.tell(Fact::HostConnected { host: host.clone(), timings, auth });
                return Ok(connected.session);
            }
            Err(error) => error,
        };
        let mut failure = error.failure;
        failure.message = format!("{} ({address})", failure.message);
        let Some(delay) = pause(error.retry, attempt, endpoint.retries) else {
            if attempt > 1 {
                failure.message = format!("{}, after {attempt} attempts", failure.message);
            }
            return Err(NotConnected::Failed(failure));
        };
        sink.tell(Fact::ConnectRetried { host: host.clone(), attempt, failure, delay });
        tokio::select! {
            biased;
            reason = stop.asked() => return Err(NotConnected::Cancelled(reason)),
            () = tokio::time::sleep(delay) => {}
        }
        attempt += 1;
    }
}

/// The pause after this failed attempt; `None` when there is to be no further one.
fn pause(retry: Retry, attempt: u32, retries: u32) -> Option<Duration> {
    let allowed = match retry {
        Retry::Never => 0,
        Retry::Soon => retries,
        Retry::Throttled | Retry::Penalized if retries == 0 => 0,
        Retry::Throttled | Retry::Penalized => retries.max(THROTTLED_RETRIES),
    };
    if attempt > allowed {
        return None;
    }
    if retry == Retry::Penalized && attempt == allowed {
        return Some(PENALTY + LONGEST_PAUSE.mul_f64(rand::rng().random()));
    }
    let bound = FIRST_PAUSE.saturating_mul(1 << (attempt - 1).min(8)).min(LONGEST_PAUSE);
    Some(bound.mul_f64(rand::rng().random()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_final_is_repeated() {
        assert_eq!(pause(Retry::Never, 1, 9), None);
        assert_eq!(pause(Retry::Soon, 1, 0), None);
        assert_eq!(pause(Retry::Throttled, 1, 0), None);
    }

    #[test]
    fn a_punishing_server_gets_one_long_pause_at_the_end() {
        assert!(pause(Retry::Penalized, THROTTLED_RETRIES, 2).unwrap() >= PENALTY);
        assert_eq!(pause(Retry::Penalized, THROTTLED_RETRIES + 1, 2), None);
    }

    proptest! {
        #[test]
        fn pauses_stay_in_bounds(attempt in 1u32..40, retries in 0u32..40) {
            if let Some(pause) = pause(Retry::Soon, attempt, retries) {
                prop_assert!(attempt <= retries);
                prop_assert!(pause <= LONGEST_PAUSE);
            }
        }
    }
}
