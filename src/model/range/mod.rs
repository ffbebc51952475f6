//! Host ranges: `web[01-04]`, `web[1-3,7]`, `10.0.3.0/29`: counted before they are expanded, and folded back.
//!
//! Owns the syntax of brackets and of CIDR blocks. Refuses to say whether a name is a good one
//! ([`crate::model::name`]) or which hosts it means ([`crate::model::target`]).

mod cidr;
mod error;
mod fold;
mod pattern;

pub use crate::model::range::error::PatternError;
pub use crate::model::range::pattern::{MAX_HOSTS, count, expand};
pub(crate) use crate::model::range::pattern::{over_limit, width};
pub(crate) use cidr::without_leading_zeros;
pub use cidr::{CidrBlock, parse_ip};
pub use fold::fold;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(error: &PatternError) -> String {
        let help = error.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{}: {}{help}", error.column, error.message)
    }

    #[test]
    fn ranges_expand_in_order_with_their_padding() {
        for (pattern, names) in [
            ("web1", "web1"),
            ("", ""),
            ("web[01-04]", "web01 web02 web03 web04"),
            ("web[01:04]", "web01 web02 web03 web04"),
            ("web[1-3,7,09-11]", "web1 web2 web3 web7 web09 web10 web11"),
            ("web[1-2, 5]", "web1 web2 web5"),
            ("web[8-10]", "web8 web9 web10"),
            ("web[08-10]", "web08 web09 web10"),
            ("web[99-101]", "web99 web100 web101"),
            ("web[098-100]", "web098 web099 web100"),
            ("[0-1]", "0 1"),
            ("r[1-2]-n[01-02].lan", "r1-n01.lan r1-n02.lan r2-n01.lan r2-n02.lan"),
            ("ü[1-2]", "ü1 ü2"),
            ("fd00::[1-2]", "fd00::1 fd00::2"),
            ("10.0.3.0/29", "10.0.3.1 10.0.3.2 10.0.3.3 10.0.3.4 10.0.3.5 10.0.3.6"),
            ("10.0.3.0/31", "10.0.3.0 10.0.3.1"),
            ("10.0.3.7/32", "10.0.3.7"),
            ("fd00::/126", "fd00::1 fd00::2 fd00::3"),
            ("fd00::/127", "fd00:: fd00::1"),
        ] {
            assert_eq!(expand(pattern, 100).map(|names| names.join(" ")).as_deref(), Ok(names), "{pattern}");
        }
        // The padding of the start holds past its width.
        let names = expand("n[01-100]", 100).unwrap();
        assert_eq!((names[0].as_str(), names[99].as_str()), ("n01", "n100"));
    }

    #[test]
    fn a_bad_pattern_is_named_with_its_column() {
        let messages: Vec<String> = [
            "web[3-1]",
            "web[010-001]",
            "web[1-",
            "web[1-3",
            "web[]",
            "web]",
            "web[1-3]]",
            "web[1-[2]]",
            "web[a-c]",
            "web[!a]",
            "web[1-10/2]",
            "web[1:10:2]",
            "web[1-3,,5]",
            "web[1-3,x]",
            "web[-3]",
            "web[3-]",
            "web[1-2-3]",
            "web[001-10]",
            "web[1-010]",
            "web[01-010]",
            "web[1-9999999999999999999]",
            "[::1]",
            "üü[x]",
            "10.0.[1-3].0/29",
        ]
        .iter()
        .map(|pattern| format!("{pattern}  {}", shown(&expand(pattern, 10).unwrap_err())))
        .collect();
        insta::assert_snapshot!(messages.join("\n"), @r#"
        web[3-1]  5: range runs backwards: 3-1 (write [1-3])
        web[010-001]  5: range runs backwards: 010-001 (write [001-010])
        web[1-  4: unclosed "["
        web[1-3  4: unclosed "["
        web[]  4: empty range "[]" (write the numbers: web[1-3])
        web]  4: "]" without "["
        web[1-3]]  9: "]" without "["
        web[1-[2]]  7: "[" inside a range
        web[a-c]  5: "a-c" is not a range of numbers (write numbers as in [01-04,7]; words go into braces in a target: {a,b})
        web[!a]  5: "!a" is not a range of numbers (write numbers as in [01-04,7]; words go into braces in a target: {a,b})
        web[1-10/2]  5: "1-10/2" has a step, which ranges do not support (list the numbers: [1,3,5])
        web[1:10:2]  5: "1:10:2" has a step, which ranges do not support (list the numbers: [1,3,5])
        web[1-3,,5]  9: a number is missing in the range
        web[1-3,x]  9: "x" is not a range of numbers (write numbers as in [01-04,7]; words go into braces in a target: {a,b})
        web[-3]  5: range "-3" has no start (write both: [1-3])
        web[3-]  5: range "3-" has no end (write both: [1-3])
        web[1-2-3]  5: "1-2-3" is not a range of numbers (write numbers as in [01-04,7]; words go into braces in a target: {a,b})
        web[001-10]  5: the ends of "001-10" are padded differently (write [001-010] or [1-10])
        web[1-010]  5: the ends of "1-010" are padded differently (write [001-010] or [1-10])
        web[01-010]  5: the ends of "01-010" are padded differently (write [001-010] or [1-10])
        web[1-9999999999999999999]  5: number of over 18 digits in the range
        [::1]  1: an IPv6 address in brackets (write ::1)
        üü[x]  4: "x" is not a range of numbers (write numbers as in [01-04,7]; words go into braces in a target: {a,b})
        10.0.[1-3].0/29  6: a range and a CIDR block in one name (write each block on its own)
        "#);
    }

    #[test]
    fn too_many_hosts_are_counted_and_not_built() {
        let messages: Vec<String> =
            ["web[1-99999999]", "a[1-100][1-100][1-100]", "10.0.0.0/8", "::/0", "web[1-10001]"]
                .iter()
                .map(|pattern| format!("{pattern}  {}", shown(&expand(pattern, MAX_HOSTS).unwrap_err())))
                .collect();
        insta::assert_snapshot!(messages.join("\n"), @"
        web[1-99999999]  4: expands to 99999999 hosts (limit 10000; raise it with --max-hosts)
        a[1-100][1-100][1-100]  2: expands to 1000000 hosts (limit 10000; raise it with --max-hosts)
        10.0.0.0/8  1: expands to 16777214 hosts (limit 10000; raise it with --max-hosts)
        ::/0  1: expands to 340282366920938463463374607431768211455 hosts (limit 10000; raise it with --max-hosts)
        web[1-10001]  4: expands to 10001 hosts (limit 10000; raise it with --max-hosts)
        ");
        let huge = "[1-999999999999999999]".repeat(8);
        assert_eq!(shown(&count(&huge).unwrap_err()), "1: expands to more hosts than can be counted");
        assert_eq!(count("::/0"), Ok(u128::MAX));
        assert_eq!(count(&"[1]".repeat(17)).unwrap_err().message, "more than 16 ranges in one name");
        assert!(count(&"x".repeat(2000)).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn count_and_expand_agree(pattern in r"[a-z]{0,3}(\[[0-9]{1,2}([-:][0-9]{1,2})?(,[0-9]{1,2}(-[0-9]{1,2})?)?\][a-z.]{0,2}){0,3}") {
            match (count(&pattern), expand(&pattern, 5000)) {
                (Ok(count), Ok(names)) => prop_assert_eq!(count, names.len() as u128),
                (Ok(count), Err(_)) => prop_assert!(count > 5000),
                (Err(count), Err(expand)) => prop_assert_eq!(count, expand),
                (Err(error), Ok(_)) => prop_assert!(false, "expanded what cannot be counted: {:?}", error),
            }
        }

        #[test]
        fn any_text_is_answered(text in r"[\[\]0-9a:/,. -]{0,20}|\PC{0,12}") {
            if let Ok(names) = expand(&text, 50) {
                prop_assert!(names.len() <= 50);
            }
        }
    }
}
