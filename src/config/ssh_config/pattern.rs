//! OpenSSH's patterns: `*` and `?`, lists with commas, and negation (match.c).

/// Whether a text matches a pattern of `*` (any bytes), `?` (one byte) and literal bytes.
pub(super) fn matches(text: &str, pattern: &str) -> bool {
    #[cfg(test)]
    work::count();
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let (mut t, mut p) = (0, 0);
    // Where to go on when what follows the last star does not fit: one byte further each time.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (text.get(t), pattern.get(p)) {
            (_, Some(b'*')) => {
                retry = Some((t, p + 1));
                p += 1;
            }
            (Some(byte), Some(want)) if *want == b'?' || want == byte => (t, p) = (t + 1, p + 1),
            (None, None) => return true,
            (None, Some(_)) => return false,
            (Some(_), _) => match retry {
                Some((from, back)) => {
                    retry = Some((from + 1, back));
                    (t, p) = (from + 1, back);
                }
                None => return false,
            },
        }
    }
}

/// Whether a text matches a list: at least one of its patterns, and none that starts with `!`.
pub(super) fn matches_list(text: &str, list: &str) -> bool {
    let mut found = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(text, pattern) => return false,
            Some(_) => {}
            None => found |= matches(text, pattern),
        }
    }
    found
}

/// The same for host names, where case makes no difference.
pub(super) fn matches_host_list(host: &str, list: &str) -> bool {
    matches_list(&host.to_ascii_lowercase(), &list.to_ascii_lowercase())
}

/// Counts looks at a pattern, so that tests can bound the work of an answer instead of its time.
#[cfg(test)]
pub(super) mod work {
    use std::cell::Cell;

    thread_local! {
        static LOOKS: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn count() {
        LOOKS.set(LOOKS.get() + 1);
    }

    /// How many patterns `run` looks at on this thread.
    pub(in crate::config::ssh_config) fn of(run: impl FnOnce()) -> u64 {
        let before = LOOKS.get();
        run();
        LOOKS.get() - before
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns() {
        for (text, pattern, expected) in [
            ("web1", "web1", true),
            ("web1", "web?", true),
            ("web", "web?", false),
            ("web12", "web*2", true),
            ("web12", "*1*", true),
            ("", "*", true),
            ("", "", true),
            ("a", "", false),
            ("aab", "*ab", true),
            ("abab", "*ab?", false),
            ("a.b.c", "a.*.c", true),
            ("[1]", "[1]", true),
            ("1", "[1]", false),
        ] {
            assert_eq!(matches(text, pattern), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn lists() {
        for (text, list, expected) in [
            ("a", "b,a", true),
            ("a", "*,!a", false),
            ("b", "*,!a", true),
            ("b", "!a", false),
            ("A", "a", false),
        ] {
            assert_eq!(matches_list(text, list), expected, "{text} {list}");
        }
        assert!(matches_host_list("A", "x,a"));
    }

    #[test]
    fn stars_cost_no_exponential_time() {
        assert!(!matches(&"a".repeat(2000), &format!("{}b", "*a".repeat(200))));
    }

    fn plainly(text: &[u8], pattern: &[u8]) -> bool {
        match (text, pattern) {
            ([], []) => true,
            (_, [b'*', rest @ ..]) => {
                plainly(text, rest) || matches!(text, [_, more @ ..] if plainly(more, pattern))
            }
            ([a, text @ ..], [b, pattern @ ..]) if *b == b'?' || a == b => plainly(text, pattern),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn as_the_plain_definition(text in "[ab]{0,8}", pattern in "[ab*?]{0,8}") {
            prop_assert_eq!(matches(&text, &pattern), plainly(text.as_bytes(), pattern.as_bytes()));
        }
    }
}
