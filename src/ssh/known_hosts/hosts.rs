//! The host field of a line: names and patterns, or one hashed name; and whether it matches a host.
//!
//! Refuses ports and addresses: callers pass the name to look up, lower case, `[host]:port` where it applies.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::ssh::known_hosts::flaw::LineFlaw;

/// The longest pattern that OpenSSH compares (`match_pattern_list` in match.c): longer ones void their line.
const PATTERN_MAX: usize = 1022;

/// Which hosts a line is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HostField {
    /// Names and patterns.
    Names(Names),
    /// One name, hashed.
    Hashed(HashedName),
    /// A damaged hashed name: it could be anyone's.
    Unreadable,
}

impl HostField {
    /// Reads a host field, with what is wrong with it.
    pub(super) fn parse(field: &[u8]) -> (Self, Option<LineFlaw>) {
        if !field.starts_with(b"|") {
            let (names, flaw) = Names::parse(field);
            return (Self::Names(names), flaw);
        }
        match HashedName::parse(field) {
            Some(hashed) => (Self::Hashed(hashed), None),
            None => (Self::Unreadable, Some(LineFlaw::BadHash)),
        }
    }

    /// Whether a line with this host field speaks for the name. In doubt it does not.
    pub(super) fn names(&self, name: &[u8]) -> bool {
        match self {
            Self::Names(names) => names.matches(name),
            Self::Hashed(hashed) => hashed.matches(name),
            Self::Unreadable => false,
        }
    }

    /// Whether a revocation with this host field concerns the name. In doubt it does.
    pub(super) fn concerns(&self, name: &[u8]) -> bool {
        match self {
            Self::Names(names) => names.matches(name),
            Self::Hashed(hashed) => hashed.matches(name),
            Self::Unreadable => true,
        }
    }
}

/// A comma-separated list of names and patterns, in lower case.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Names(Vec<NamePattern>);

#[derive(Debug, PartialEq, Eq)]
struct NamePattern {
    negated: bool,
    glob: Box<[u8]>,
}

impl Names {
    /// Leaves out a pattern that is too long: the line is reported as garbage and blamed on the other names.
    fn parse(field: &[u8]) -> (Self, Option<LineFlaw>) {
        let mut flaw = None;
        let mut patterns = Vec::new();
        for item in field.split(|byte| *byte == b',') {
            let (negated, glob) = match item.strip_prefix(b"!") {
                Some(rest) => (true, rest),
                None => (false, item),
            };
            if glob.len() > PATTERN_MAX {
                flaw = Some(LineFlaw::LongName);
            } else if !glob.is_empty() {
                patterns.push(NamePattern { negated, glob: glob.to_ascii_lowercase().into() });
            }
        }
        (Self(patterns), flaw)
    }

    /// The names, when there is neither pattern nor negation among them; otherwise itself again.
    pub(super) fn into_literals(self) -> Result<impl Iterator<Item = Box<[u8]>>, Self> {
        let literal = |pattern: &NamePattern| {
            !pattern.negated && !pattern.glob.iter().any(|byte| matches!(byte, b'*' | b'?'))
        };
        if self.0.iter().all(literal) {
            Ok(self.0.into_iter().map(|pattern| pattern.glob))
        } else {
            Err(self)
        }
    }

    /// Whether some pattern matches and no negated one does.
    pub(super) fn matches(&self, name: &[u8]) -> bool {
        let mut matched = false;
        for pattern in &self.0 {
            if glob_matches(&pattern.glob, name) {
                if pattern.negated {
                    return false;
                }
                matched = true;
            }
        }
        matched
    }
}

/// Matches `*` (any bytes, also none) and `?` (one byte) against the whole name.
///
/// Goes back to the last `*` only, so time is bounded by the product of the lengths: OpenSSH's recursion gives
/// the same answers, but a hostile pattern can keep it busy for ever.
fn glob_matches(glob: &[u8], name: &[u8]) -> bool {
    let (mut at_glob, mut at_name) = (0, 0);
    let mut last_star = None;
    while let Some(byte) = name.get(at_name) {
        match glob.get(at_glob) {
            Some(b'*') => {
                at_glob += 1;
                last_star = Some((at_glob, at_name));
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                at_glob += 1;
                at_name += 1;
            }
            Some(_) | None => {
                let Some((after_star, swallowed)) = last_star else { return false };
                last_star = Some((after_star, swallowed + 1));
                at_glob = after_star;
                at_name = swallowed + 1;
            }
        }
    }
    glob.iter().skip(at_glob).all(|byte| *byte == b'*')
}

/// A host name known only by its HMAC-SHA1 under a salt: `|1|salt|hash`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HashedName {
    salt: [u8; 20],
    hash: [u8; 20],
}

impl HashedName {
    fn parse(field: &[u8]) -> Option<Self> {
        let mut parts = field.strip_prefix(b"|1|")?.split(|byte| *byte == b'|');
        let mut next = || BASE64.decode(parts.next()?).ok()?.try_into().ok();
        let (salt, hash) = (next()?, next()?);
        parts.next().is_none().then_some(Self { salt, hash })
    }

    /// Whether the name has this hash. Costs one HMAC.
    pub(super) fn matches(&self, name: &[u8]) -> bool {
        hmac_of(&self.salt, name) == self.hash
    }
}

fn hmac_of(salt: &[u8], name: &[u8]) -> [u8; 20] {
    #[cfg(test)]
    work::count();
    let mut hmac = Hmac::<Sha1>::new_from_slice(salt).expect("HMAC takes keys of every length");
    hmac.update(name);
    hmac.finalize().into_bytes().into()
}

/// Counts HMACs, so that tests can bound the work of a lookup instead of its time.
#[cfg(test)]
pub(super) mod work {
    use std::cell::Cell;

    thread_local! {
        static HMACS: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn count() {
        HMACS.set(HMACS.get() + 1);
    }

    /// How many HMACs `run` computes on this thread.
    pub(in crate::ssh::known_hosts) fn of(run: impl FnOnce()) -> u64 {
        let before = HMACS.get();
        run();
        HMACS.get() - before
    }
}

/// Hashes a name as `ssh-keygen -H` does.
pub(super) fn hash_name(name: &str, salt: [u8; 20]) -> String {
    format!("|1|{}|{}", BASE64.encode(&salt), BASE64.encode(&hmac_of(&salt, name.as_bytes())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(field: &str, name: &str) -> bool {
        match HostField::parse(field.as_bytes()).0 {
            HostField::Names(names) => names.matches(name.as_bytes()),
            HostField::Hashed(hashed) => hashed.matches(name.as_bytes()),
            HostField::Unreadable => false,
        }
    }

    #[test]
    fn patterns_match_as_in_openssh() {
        for (field, name, expected) in [
            ("a", "a", true),
            ("A.Example", "a.example", true),
            ("a", "ab", false),
            ("*", "a", true),
            ("*", "[a]:2222", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("a**", "a", true),
            ("?", "a", true),
            ("?", "ab", false),
            ("*?*.example", "w.example", true),
            ("*?.example", ".example", false),
            ("x,a", "a", true),
            ("x,,a", "a", true),
            ("a,!a", "a", false),
            ("!a,*", "a", false),
            ("!a,*", "b", true),
            ("!b", "a", false),
            ("!!a,*", "a", true),
            ("!", "a", false),
            ("", "a", false),
            ("[a]:2222", "[a]:2222", true),
            ("[a]:22", "a", false),
            ("[*]:2222", "[a]:2222", true),
            ("[a]:2222", "a", false),
            ("a[bc]", "ab", false),
        ] {
            assert_eq!(matches(field, name), expected, "{field} against {name}");
        }
    }

    #[test]
    fn a_hashed_name_needs_exactly_two_hashes_of_twenty_bytes() {
        let good = hash_name("a", [7; 20]);
        assert!(matches(&good, "a"));
        assert!(!matches(&good, "b"));
        let short = format!("|1|{}|{}", BASE64.encode(&[1; 19]), BASE64.encode(&[1; 20]));
        let more = format!("{good},b");
        let bare = good.trim_end_matches('=').to_owned();
        for bad in ["|", "|1|", "|1||", "|2|AAAA|AAAA", &short, &more, &bare] {
            assert_eq!(HostField::parse(bad.as_bytes()), (HostField::Unreadable, Some(LineFlaw::BadHash)));
        }
    }

    #[test]
    fn a_long_pattern_spoils_its_line_but_not_the_blame() {
        let limit = "x".repeat(PATTERN_MAX);
        assert_eq!(HostField::parse(limit.as_bytes()).1, None);
        let (field, flaw) = HostField::parse(format!("a,{limit}x").as_bytes());
        assert_eq!(flaw, Some(LineFlaw::LongName));
        assert!(field.concerns(b"a"));
    }

    /// The definition of matching, exponential but plain.
    fn by_definition(glob: &[u8], name: &[u8]) -> bool {
        match (glob.split_first(), name.split_first()) {
            (None, rest) => rest.is_none(),
            (Some((b'*', glob)), _) => (0..=name.len()).any(|taken| by_definition(glob, &name[taken..])),
            (Some((b'?', glob)), Some((_, name))) => by_definition(glob, name),
            (Some((wanted, glob)), Some((byte, name))) => wanted == byte && by_definition(glob, name),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn globs_match_as_defined(glob in "[ab*?]{0,8}", name in "[ab]{0,8}") {
            prop_assert_eq!(
                glob_matches(glob.as_bytes(), name.as_bytes()),
                by_definition(glob.as_bytes(), name.as_bytes())
            );
        }
    }

    #[test]
    fn a_hostile_pattern_is_answered() {
        assert!(!glob_matches("*a".repeat(500).as_bytes(), "a".repeat(499).as_bytes()));
    }
}
