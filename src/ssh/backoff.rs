//! How often and how soon a failed connection attempt is repeated: one policy for hosts and gateways.
//!
//! Only errors that pass by themselves are repeated, only before anything was started, with full jitter so that
//! hosts do not come back in step (docs/design/run-loop.md).

use std::time::Duration;

use rand::RngExt;

use crate::ssh::error::Retry;

/// Attempts after the first for a server that throttles, unless the host's `retries` says more (or 0).
const THROTTLED_RETRIES: u32 = 5;

/// The pause before the first repeat is random up to this, and the bound doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Bound of any pause but the one below.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// `PerSourcePenalties` lasts at least this long (sshd_config(5)); the last attempt waits it out.
const PENALTY: Duration = Duration::from_secs(16);

/// The pause after this failed attempt, counted from 1; `None` when there is to be no further one.
pub fn pause(retry: Retry, attempt: u32, retries: u32) -> Option<Duration> {
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
