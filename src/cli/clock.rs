//! The wall clock and chance: names and start times of runs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::RngExt;

use crate::model::time::rfc3339;

/// Crockford's base 32, as in ULIDs: no letters that look like digits.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A run's name: a ULID, 48 bits of milliseconds and 80 of chance, so that names sort by time.
pub(super) fn run_id() -> String {
    let millis = since_epoch().as_millis() & ((1 << 48) - 1);
    let bits = (millis << 80) | (rand::rng().random::<u128>() >> 48);
    (0..26)
        .rev()
        .map(|digit| {
            let index = usize::try_from((bits >> (5 * digit)) & 31).expect("five bits");
            ALPHABET.get(index).copied().map_or('0', char::from)
        })
        .collect()
}

/// Now, RFC 3339 in UTC to the second.
pub(super) fn now() -> String {
    rfc3339(since_epoch().as_secs())
}

/// Seconds since 1970.
pub(super) fn unix() -> u64 {
    since_epoch().as_secs()
}

/// Time since 1970.
pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_time_and_differ() {
        let (first, second) = (run_id(), run_id());
        assert_eq!(first.len(), 26);
        assert_ne!(first, second);
        assert_eq!(first.get(..8), second.get(..8));
    }
}
