//! Durations as users write them: `10s`, `1m30s`, `500ms`, `none`; and as recaps show them.

use std::time::Duration;

use crate::model::settings::TimeLimit;

/// The longest duration that makes sense here; more is a typing mistake.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Units with their nanoseconds, from large to small: the order in which they must be written.
const UNITS: [(&str, u128); 5] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// Reads a duration with a unit, or `none`; `Err` is the message.
///
/// Units are `d`, `h`, `m`, `s` and `ms`, from large to small, each at most once; numbers may have a fraction.
/// Zero and more than 365 days are refused.
pub fn parse(text: &str) -> Result<TimeLimit, String> {
    if text == "none" {
        return Ok(TimeLimit::None);
    }
    if is_number(text) {
        return Err(if is_zero(text) { no_time(text) } else { format!("write a unit: \"{text}s\"") });
    }
    duration(text).map(TimeLimit::After)
}

/// Reads what a flag takes: as [`parse`], and a bare number means seconds.
pub fn parse_seconds(text: &str) -> Result<TimeLimit, String> {
    // `0` stays bare, so that the message shows what was typed.
    if is_number(text) && !is_zero(text) { parse(&format!("{text}s")) } else { parse(text) }
}

/// Writes a duration for people: `350ms`, `4.1s`, `1m 05s`, `2h 10m`, `3d 04h`.
///
/// Rounds down, so that nothing looks slower than it was.
pub fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if days > 0 {
        format!("{days}d {:02}h", hours % 24)
    } else if hours > 0 {
        format!("{hours}h {:02}m", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes}m {:02}s", seconds % 60)
    } else if seconds > 0 {
        format!("{seconds}.{}s", duration.subsec_millis() / 100)
    } else {
        format!("{}ms", duration.subsec_millis())
    }
}

/// A time that something was away for, in whole seconds, rounded up: `1s`, `48s`, `1m 05s`.
pub fn show_whole(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    if seconds < 60 { format!("{seconds}s") } else { show(Duration::from_secs(seconds)) }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

fn is_zero(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '0' | '.'))
}

fn no_time(text: &str) -> String {
    format!("\"{text}\" is zero; write none for no limit")
}

fn duration(text: &str) -> Result<Duration, String> {
    const EXAMPLES: &str = "write it as 10s, 1m30s or 500ms";
    if text.is_empty() {
        return Err(format!("empty duration; {EXAMPLES}, or none for no limit"));
    }
    if text.contains(char::is_whitespace) {
        return Err(format!("space in duration \"{text}\"; {EXAMPLES}"));
    }
    if text.starts_with('-') {
        return Err(format!("duration \"{text}\" is negative; none means no limit"));
    }
    let mut nanos = 0_u128;
    let mut units = UNITS.iter();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (digits, tail) = rest.split_at(end);
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, after) = tail.split_at(end);
        if digits.is_empty() || tail.is_empty() {
            return Err(format!("\"{text}\" is not a duration; {EXAMPLES}"));
        }
        let Some(&(_, size)) = units.find(|(name, _)| *name == unit) else {
            let known = UNITS.iter().any(|(name, _)| *name == unit);
            return Err(if known {
                format!("unit \"{unit}\" is out of place in \"{text}\"; write large units first, each once")
            } else {
                format!("unit \"{unit}\" in \"{text}\" is not known; units are ms, s, m, h and d")
            });
        };
        let part =
            number(digits, size).ok_or_else(|| format!("\"{digits}\" in \"{text}\" is not a number"))?;
        nanos = nanos.saturating_add(part);
        rest = after;
    }
    if nanos == 0 {
        return Err(no_time(text));
    }
    match u64::try_from(nanos).map(Duration::from_nanos) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err(format!("\"{text}\" is longer than 365 days; write none for no limit")),
    }
}

/// `digits` (with at most nine places after one point) times `size`; a product too large is as large as it gets.
fn number(digits: &str, size: u128) -> Option<u128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let whole = whole.parse::<u128>().unwrap_or(u128::MAX).saturating_mul(size);
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    Some(whole.saturating_add(fraction.parse::<u128>().ok()?.saturating_mul(size) / scale))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_away_was_away_for_a_second_at_least() {
        for (millis, shown) in
            [(0, "0s"), (1, "1s"), (1_000, "1s"), (1_001, "2s"), (48_000, "48s"), (59_001, "1m 00s")]
        {
            assert_eq!(show_whole(Duration::from_millis(millis)), shown);
        }
    }

    #[test]
    fn durations_are_read() {
        for (text, millis) in [
            ("10s", 10_000),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("1d2h3m4s5ms", 93_784_005),
            ("1.5s", 1500),
            ("0.25s", 250),
            ("0h5s", 5000),
            ("90m", 5_400_000),
            ("365d", 31_536_000_000),
        ] {
            assert_eq!(parse(text), Ok(TimeLimit::After(Duration::from_millis(millis))), "{text}");
        }
        assert_eq!(parse("none"), Ok(TimeLimit::None));
        assert_eq!(parse_seconds("none"), Ok(TimeLimit::None));
        assert_eq!(parse_seconds("5"), Ok(TimeLimit::After(Duration::from_secs(5))));
        assert_eq!(parse_seconds("0.5"), Ok(TimeLimit::After(Duration::from_millis(500))));
        assert_eq!(parse_seconds("2m"), Ok(TimeLimit::After(Duration::from_secs(120))));
    }

    #[test]
    fn other_texts_are_refused_with_what_to_write() {
        let messages: Vec<String> = [
            "",
            "5",
            "0",
            "0s",
            "-1",
            "-5s",
            "1h2x",
            "99999999d",
            "366d",
            "365d1ms",
            "1s1m",
            "1s1s",
            "5sec",
            "5 s",
            "s",
            "1m30",
            "1.2.3s",
            ".5s",
            "5S",
            "None",
            "forever",
            "999999999999999999999999999999999999999999s",
        ]
        .iter()
        .map(|text| format!("{text:?}  {}", parse(text).unwrap_err()))
        .collect();
        insta::assert_snapshot!(messages.join("\n"), @r#"
        ""  empty duration; write it as 10s, 1m30s or 500ms, or none for no limit
        "5"  write a unit: "5s"
        "0"  "0" is zero; write none for no limit
        "0s"  "0s" is zero; write none for no limit
        "-1"  duration "-1" is negative; none means no limit
        "-5s"  duration "-5s" is negative; none means no limit
        "1h2x"  unit "x" in "1h2x" is not known; units are ms, s, m, h and d
        "99999999d"  "99999999d" is longer than 365 days; write none for no limit
        "366d"  "366d" is longer than 365 days; write none for no limit
        "365d1ms"  "365d1ms" is longer than 365 days; write none for no limit
        "1s1m"  unit "m" is out of place in "1s1m"; write large units first, each once
        "1s1s"  unit "s" is out of place in "1s1s"; write large units first, each once
        "5sec"  unit "sec" in "5sec" is not known; units are ms, s, m, h and d
        "5 s"  space in duration "5 s"; write it as 10s, 1m30s or 500ms
        "s"  "s" is not a duration; write it as 10s, 1m30s or 500ms
        "1m30"  "1m30" is not a duration; write it as 10s, 1m30s or 500ms
        "1.2.3s"  "1.2.3" in "1.2.3s" is not a number
        ".5s"  ".5" in ".5s" is not a number
        "5S"  unit "S" in "5S" is not known; units are ms, s, m, h and d
        "None"  "None" is not a duration; write it as 10s, 1m30s or 500ms
        "forever"  "forever" is not a duration; write it as 10s, 1m30s or 500ms
        "999999999999999999999999999999999999999999s"  "999999999999999999999999999999999999999999s" is longer than 365 days; write none for no limit
        "#);
        assert_eq!(parse_seconds("0").unwrap_err(), "\"0\" is zero; write none for no limit");
    }

    #[test]
    fn durations_are_shown() {
        for (millis, shown) in [
            (0, "0ms"),
            (350, "350ms"),
            (999, "999ms"),
            (1000, "1.0s"),
            (4100, "4.1s"),
            (59_999, "59.9s"),
            (65_000, "1m 05s"),
            (3_599_999, "59m 59s"),
            (7_800_000, "2h 10m"),
            (273_600_000, "3d 04h"),
        ] {
            assert_eq!(show(Duration::from_millis(millis)), shown);
        }
        assert!(!show(Duration::MAX).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_text_is_answered(text in r"[0-9.dhms -]{0,12}|\PC{0,8}") {
            if let Ok(TimeLimit::After(limit)) = parse(&text) {
                prop_assert!(limit > Duration::ZERO && limit <= LONGEST);
            }
            let _ = parse_seconds(&text);
        }

        #[test]
        fn whole_units_add_up(hours in 0_u64..24, minutes in 0_u64..60, seconds in 1_u64..60) {
            let text = format!("{hours}h{minutes}m{seconds}s");
            let expected = Duration::from_secs(hours * 3600 + minutes * 60 + seconds);
            prop_assert_eq!(parse(&text), Ok(TimeLimit::After(expected)));
        }
    }
}
