//! Host ranges: `web[01-04]`, `web[1-3,7]`, `10.0.3.0/29`: counted before they are expanded, and folded back.
//!
//! Owns the syntax of brackets and of CIDR blocks. Refuses to say whether a name is a good one
//! ([`crate::model::name`]) or which hosts it means ([`crate::model::target`]).

mod cidr;
mod fold;

pub(crate) use cidr::without_leading_zeros;
pub use cidr::{Block, parse_ip};
pub use fold::fold;

/// Hosts that one inventory or expression may expand to unless the user raises it.
pub const MAX_HOSTS: usize = 10_000;

/// Brackets that one name may hold; with [`MAX_FIXED_TEXT`] it bounds the length of an expanded name.
const MAX_BRACKETS: usize = 16;

/// Bytes that one name may hold outside of brackets: far over any host name, far under a memory problem.
const MAX_FIXED_TEXT: usize = 1024;

/// Digits of the largest number in a range; every such number fits into a `u64`.
const MAX_DIGITS: usize = 18;

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Character in the pattern, from 1.
    pub column: u32,
    /// Lowercase fragment.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl PatternError {
    /// An error at a character of the pattern, counted from 1.
    pub fn at(column: u32, message: impl Into<String>) -> Self {
        Self { column, message: message.into(), help: None }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same error in a longer text, in which the pattern begins at `column` (from 1).
    #[must_use]
    pub fn within(mut self, column: u32) -> Self {
        self.column = self.column.saturating_add(column).saturating_sub(1);
        self
    }
}

/// Counts the names that a pattern stands for, without building any of them.
pub fn count(pattern: &str) -> Result<u128, PatternError> {
    Pattern::parse(pattern)?.count()
}

/// Expands ranges and CIDR blocks into names, in order; a pattern without any is one name.
///
/// Of several brackets the rightmost counts fastest. Fails without allocating when there are more than
/// `limit` names.
pub fn expand(pattern: &str, limit: usize) -> Result<Vec<String>, PatternError> {
    let parsed = Pattern::parse(pattern)?;
    let count = parsed.count()?;
    match usize::try_from(count) {
        Ok(count) if count <= limit => Ok(parsed.names(count)),
        _ => Err(over_limit(count, limit).within(first_bracket(pattern))),
    }
}

/// The error for something that stands for more hosts than the limit allows.
pub(crate) fn over_limit(count: u128, limit: usize) -> PatternError {
    PatternError::at(1, format!("expands to {count} hosts (limit {limit}; raise it with --max-hosts)"))
}

/// Characters of a text, as columns count them.
pub(crate) fn width(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

fn first_bracket(pattern: &str) -> u32 {
    pattern.split_once('[').map_or(1, |(before, _)| width(before).saturating_add(1))
}

enum Pattern {
    Ranges(Vec<Segment>),
    Block(Block),
}

enum Segment {
    Fixed(String),
    Range(Vec<Run>),
}

/// Consecutive numbers, both ends included, written with at least `digits` digits.
struct Run {
    start: u64,
    end: u64,
    digits: usize,
}

impl Run {
    fn count(&self) -> u128 {
        u128::from(self.end.saturating_sub(self.start)).saturating_add(1)
    }
}

impl Pattern {
    fn parse(pattern: &str) -> Result<Self, PatternError> {
        // A slash within brackets is an attempt at a step, which `run` names better.
        let slash = pattern.find('/');
        match (slash, pattern.find('[')) {
            (Some(slash), Some(bracket)) if slash > bracket && pattern.rfind(']') < Some(slash) => {
                Err(PatternError::at(first_bracket(pattern), "a range and a CIDR block in one name")
                    .help("write each block on its own"))
            }
            (Some(slash), bracket) if bracket.is_none_or(|bracket| slash < bracket) => {
                Block::parse(pattern).map(Self::Block)
            }
            _ => segments(pattern).map(Self::Ranges),
        }
    }

    fn count(&self) -> Result<u128, PatternError> {
        match self {
            Self::Block(block) => Ok(block.host_count()),
            Self::Ranges(segments) => segments
                .iter()
                .try_fold(1_u128, |product, segment| match segment {
                    Segment::Fixed(_) => Some(product),
                    Segment::Range(runs) => product.checked_mul(runs.iter().map(Run::count).sum()),
                })
                .ok_or_else(|| PatternError::at(1, "expands to more hosts than can be counted")),
        }
    }

    /// Builds the names; the caller has found that there are `count` of them and that this is not too many.
    fn names(&self, count: usize) -> Vec<String> {
        match self {
            Self::Block(block) => block.hosts().map(|address| address.to_string()).collect(),
            Self::Ranges(segments) => {
                let mut names = vec![String::new()];
                for segment in segments {
                    match segment {
                        Segment::Fixed(text) => names.iter_mut().for_each(|name| name.push_str(text)),
                        Segment::Range(runs) => {
                            let mut longer = Vec::with_capacity(count.min(MAX_HOSTS));
                            for name in &names {
                                for run in runs {
                                    longer.extend((run.start..=run.end).map(|number| {
                                        format!("{name}{number:0digits$}", digits = run.digits)
                                    }));
                                }
                            }
                            names = longer;
                        }
                    }
                }
                names
            }
        }
    }
}

fn segments(pattern: &str) -> Result<Vec<Segment>, PatternError> {
    let mut segments = Vec::new();
    let mut fixed_text = 0;
    let mut brackets = 0;
    let mut rest = pattern;
    let mut column = 1_u32;
    loop {
        let at = rest.find(['[', ']']).unwrap_or(rest.len());
        let (fixed, tail) = rest.split_at(at);
        fixed_text += fixed.len();
        column = column.saturating_add(width(fixed));
        if fixed_text > MAX_FIXED_TEXT {
            return Err(PatternError::at(1, format!("name of over {MAX_FIXED_TEXT} characters")));
        }
        if !fixed.is_empty() || pattern.is_empty() {
            segments.push(Segment::Fixed(fixed.to_owned()));
        }
        if tail.is_empty() {
            return Ok(segments);
        }
        let Some(inner) = tail.strip_prefix('[') else {
            return Err(PatternError::at(column, "\"]\" without \"[\""));
        };
        let Some((body, after)) = inner.split_once(']') else {
            return Err(PatternError::at(column, "unclosed \"[\""));
        };
        brackets += 1;
        if brackets > MAX_BRACKETS {
            return Err(PatternError::at(column, format!("more than {MAX_BRACKETS} ranges in one name")));
        }
        if let Some((before, _)) = body.split_once('[') {
            let column = column.saturating_add(width(before)).saturating_add(1);
            return Err(PatternError::at(column, "\"[\" inside a range"));
        }
        segments.push(Segment::Range(runs(body, column)?));
        column = column.saturating_add(width(body)).saturating_add(2);
        rest = after;
    }
}

/// Reads what stands between the brackets; `column` is that of the `[`.
fn runs(body: &str, column: u32) -> Result<Vec<Run>, PatternError> {
    if body.trim().is_empty() {
        return Err(PatternError::at(column, "empty range \"[]\"").help("write the numbers: web[1-3]"));
    }
    if body.matches(':').count() > 1 && parse_ip(body).is_some() {
        return Err(PatternError::at(column, "an IPv6 address in brackets").help(format!("write {body}")));
    }
    let mut runs = Vec::new();
    let mut column = column.saturating_add(1);
    for item in body.split(',') {
        let indent = width(item).saturating_sub(width(item.trim_start()));
        runs.push(run(item.trim(), column.saturating_add(indent))?);
        column = column.saturating_add(width(item)).saturating_add(1);
    }
    Ok(runs)
}

fn run(item: &str, column: u32) -> Result<Run, PatternError> {
    if item.is_empty() {
        return Err(PatternError::at(column, "a number is missing in the range"));
    }
    let (first, last) = item.split_once(['-', ':']).unwrap_or((item, item));
    let steps = item.contains('/') || last.contains(':');
    if steps && item.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | ':' | '/')) {
        return Err(PatternError::at(column, format!("\"{item}\" has a step, which ranges do not know"))
            .help("list the numbers: [1,3,5]"));
    }
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return Err(PatternError::at(column, format!("\"{item}\" is not a range of numbers"))
            .help("write numbers as in [01-04,7]; words go into braces in a target: {a,b}"));
    }
    if first.is_empty() || last.is_empty() {
        let end = if first.is_empty() { "start" } else { "end" };
        return Err(
            PatternError::at(column, format!("range \"{item}\" has no {end}")).help("write both: [1-3]")
        );
    }
    let padded = |text: &str| text.len() > 1 && text.starts_with('0');
    let misfit = if padded(first) {
        last.len() < first.len() || (padded(last) && last.len() != first.len())
    } else {
        padded(last)
    };
    let number = |text: &str| {
        let number = text.parse::<u64>().ok().filter(|_| text.len() <= MAX_DIGITS);
        number.ok_or_else(|| {
            PatternError::at(column, format!("number of over {MAX_DIGITS} digits in the range"))
        })
    };
    let (start, end) = (number(first)?, number(last)?);
    if start > end {
        return Err(PatternError::at(column, format!("range runs backwards: {item}"))
            .help(format!("write [{last}-{first}]")));
    }
    if misfit {
        let digits = first.len().max(last.len());
        return Err(PatternError::at(column, format!("the ends of \"{item}\" are padded differently"))
            .help(format!("write [{start:0digits$}-{end:0digits$}] or [{start}-{end}]")));
    }
    Ok(Run { start, end, digits: if padded(first) { first.len() } else { 1 } })
}

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
        web[1-10/2]  5: "1-10/2" has a step, which ranges do not know (list the numbers: [1,3,5])
        web[1:10:2]  5: "1:10:2" has a step, which ranges do not know (list the numbers: [1,3,5])
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
