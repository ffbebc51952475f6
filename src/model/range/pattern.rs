//! Numeric and listed ranges in brackets, expanded: `web[01-20]`, `db[a,b]`.

use crate::model::range::cidr::{CidrBlock, parse_ip};

use crate::model::range::error::PatternError;

/// Hosts that one inventory or expression may expand to unless the user raises it.
pub const MAX_HOSTS: usize = 10_000;

/// Brackets that one name may hold; with [`MAX_FIXED_TEXT`] it bounds the length of an expanded name.
const MAX_BRACKETS: usize = 16;

/// Bytes that one name may hold outside of brackets: far over any host name, far under a memory problem.
const MAX_FIXED_TEXT: usize = 1024;

/// Digits of the largest number in a range; every such number fits into a `u64`.
pub(super) const MAX_DIGITS: usize = 18;

/// Counts the names that a pattern stands for, without building any of them.
pub fn count(pattern: &str) -> Result<u128, PatternError> {
    RangePattern::parse(pattern)?.count()
}

/// Expands ranges and CIDR blocks into names, in order; a pattern without any is one name.
///
/// Of several brackets the rightmost counts fastest. Fails without allocating when there are more than
/// `limit` names.
pub fn expand(pattern: &str, limit: usize) -> Result<Vec<String>, PatternError> {
    let parsed = RangePattern::parse(pattern)?;
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

pub(super) enum RangePattern {
    Ranges(Vec<RangeSegment>),
    Block(CidrBlock),
}

pub(super) enum RangeSegment {
    Fixed(String),
    Range(Vec<Run>),
}

/// Consecutive numbers, both ends included, written with at least `digits` digits.
pub(super) struct Run {
    start: u64,
    end: u64,
    digits: usize,
}

impl Run {
    fn count(&self) -> u128 {
        u128::from(self.end.saturating_sub(self.start)).saturating_add(1)
    }
}

impl RangePattern {
    fn parse(pattern: &str) -> Result<Self, PatternError> {
        // A slash within brackets is an attempt at a step, which `run` names better.
        let slash = pattern.find('/');
        match (slash, pattern.find('[')) {
            (Some(slash), Some(bracket)) if slash > bracket && pattern.rfind(']') < Some(slash) => {
                Err(PatternError::at(first_bracket(pattern), "a range and a CIDR block in one name")
                    .help("write each block on its own"))
            }
            (Some(slash), bracket) if bracket.is_none_or(|bracket| slash < bracket) => {
                CidrBlock::parse(pattern).map(Self::Block)
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
                    RangeSegment::Fixed(_) => Some(product),
                    RangeSegment::Range(runs) => product.checked_mul(runs.iter().map(Run::count).sum()),
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
                        RangeSegment::Fixed(text) => names.iter_mut().for_each(|name| name.push_str(text)),
                        RangeSegment::Range(runs) => {
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

pub(super) fn segments(pattern: &str) -> Result<Vec<RangeSegment>, PatternError> {
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
            return Err(PatternError::at(1, format!("name longer than {MAX_FIXED_TEXT} characters")));
        }
        if !fixed.is_empty() || pattern.is_empty() {
            segments.push(RangeSegment::Fixed(fixed.to_owned()));
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
        segments.push(RangeSegment::Range(runs(body, column)?));
        column = column.saturating_add(width(body)).saturating_add(2);
        rest = after;
    }
}

/// Reads what stands between the brackets; `column` is that of the `[`.
pub(super) fn runs(body: &str, column: u32) -> Result<Vec<Run>, PatternError> {
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

pub(super) fn run(item: &str, column: u32) -> Result<Run, PatternError> {
    if item.is_empty() {
        return Err(PatternError::at(column, "a number is missing in the range"));
    }
    let (first, last) = item.split_once(['-', ':']).unwrap_or((item, item));
    let steps = item.contains('/') || last.contains(':');
    if steps && item.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | ':' | '/')) {
        return Err(PatternError::at(column, format!("\"{item}\" has a step, which ranges do not support"))
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
