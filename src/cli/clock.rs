//! The wall clock and chance: names and start times of runs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::RngExt;

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

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Seconds since 1970 as `2026-11-20T10:43:41Z`; the calendar by Hinnant's days-to-civil method.
fn rfc3339(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_across_leap_days_and_centuries() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_795_171_421), "2026-11-20T10:43:41Z");
        assert_eq!(rfc3339(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn run_ids_sort_by_time_and_differ() {
        let (first, second) = (run_id(), run_id());
        assert_eq!(first.len(), 26);
        assert_ne!(first, second);
        assert_eq!(first.get(..8), second.get(..8));
    }
}
