//! clush's node sets: `node[1-5/2,7],@racks:rack[1-2]!@down`, read from left to right.

use indexmap::IndexSet;

/// Nodes, in the order in which they were named.
pub(super) type NodeNames = IndexSet<String>;

/// What stands in front of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NodeOperator {
    /// `,`
    Union,
    /// `!`
    Without,
    /// `&`
    And,
    /// `^`
    Either,
}

/// Who knows groups.
pub(super) trait NodeGroups {
    /// The nodes of a group, given as it stands behind the `@`.
    fn nodes(&mut self, group: &str) -> Result<NodeNames, String>;
}

/// The nodes of a set; it may have at most `limit`.
pub(super) fn nodes(text: &str, limit: usize, groups: &mut impl NodeGroups) -> Result<NodeNames, String> {
    let mut found = NodeNames::new();
    for (operator, pattern) in patterns(text)? {
        let mut named = NodeNames::new();
        for name in expanded(pattern, limit)? {
            match name.strip_prefix('@') {
                Some(group) => named.extend(groups.nodes(group)?),
                None if name.contains(['*', '?']) => {
                    return Err(format!("\"{name}\": wildcards in nodes are not supported"));
                }
                None => drop(named.insert(name)),
            }
        }
        match operator {
            NodeOperator::Union => found.extend(named),
            NodeOperator::Without => found.retain(|node| !named.contains(node)),
            NodeOperator::And => found.retain(|node| named.contains(node)),
            NodeOperator::Either => {
                let (added, taken): (Vec<_>, Vec<_>) =
                    named.into_iter().partition(|node| !found.contains(node));
                found.retain(|node| !taken.contains(node));
                found.extend(added);
            }
        }
        if found.len() > limit {
            return Err(format!("more than {limit} hosts"));
        }
    }
    Ok(found)
}

/// The patterns with their operators. Spaces stand for commas, as between the lines of a command.
fn patterns(text: &str) -> Result<Vec<(NodeOperator, &str)>, String> {
    let (mut found, mut operator, mut depth, mut start) = (Vec::new(), NodeOperator::Union, 0_u32, 0);
    let mut wants = false;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        let next = match c {
            '[' => {
                depth += 1;
                continue;
            }
            ']' if depth == 0 => return Err(format!("\"]\" without \"[\" in \"{text}\"")),
            ']' => {
                depth -= 1;
                continue;
            }
            _ if depth > 0 => continue,
            ',' => NodeOperator::Union,
            '!' => NodeOperator::Without,
            '&' => NodeOperator::And,
            '^' => NodeOperator::Either,
            c if c.is_whitespace() => NodeOperator::Union,
            _ => continue,
        };
        let pattern = text.get(start..at).unwrap_or_default();
        let is_space = c.is_whitespace();
        if !pattern.is_empty() {
            found.push((operator, pattern));
            (operator, wants) = (next, !is_space);
        } else if !is_space {
            if wants || (found.is_empty() && next != NodeOperator::Union) {
                return Err(format!("a node is missing in \"{text}\""));
            }
            (operator, wants) = (next, true);
        }
        start = at + c.len_utf8();
    }
    if depth > 0 {
        return Err(format!("unclosed \"[\" in \"{text}\""));
    }
    if wants {
        return Err(format!("a node is missing at the end of \"{text}\""));
    }
    Ok(found)
}

/// The names that a pattern stands for, the last range counting fastest.
fn expanded(pattern: &str, limit: usize) -> Result<Vec<String>, String> {
    let mut names = vec![String::new()];
    let mut rest = pattern;
    while let Some((before, inner)) = rest.split_once('[') {
        let Some((ranges, behind)) = inner.split_once(']') else {
            return Err(format!("unclosed \"[\" in \"{pattern}\""));
        };
        let numbers = numbers(ranges, limit).map_err(|why| format!("\"{pattern}\": {why}"))?;
        if names.len().saturating_mul(numbers.len()) > limit {
            return Err(format!("\"{pattern}\" is more than {limit} hosts"));
        }
        names = names
            .iter()
            .flat_map(|name| numbers.iter().map(move |number| format!("{name}{before}{number}")))
            .collect();
        rest = behind;
    }
    for name in &mut names {
        name.push_str(rest);
    }
    Ok(names)
}

/// `1-5/2,007,10-12`: each number with the zeros that it is written with.
fn numbers(text: &str, limit: usize) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (range, step) = part.split_once('/').map_or((part, "1"), |(range, step)| (range, step));
        let (first, last) = range.split_once('-').map_or((range, range), |(first, last)| (first, last));
        let number = |text: &str| {
            let digits = !text.is_empty() && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse::<u64>().ok()).flatten()
        };
        let (Some(start), Some(end), Some(step)) = (number(first), number(last), number(step)) else {
            return Err(format!("\"{part}\" is no range of numbers"));
        };
        if step == 0 || start > end {
            return Err(format!("\"{part}\" is no range: it goes from the smaller number to the larger one"));
        }
        let pad = if first.len() > 1 && first.starts_with('0') { first.len() } else { 0 };
        if (end - start) / step >= u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(format!("\"{part}\" is more than {limit} hosts"));
        }
        let mut at = start;
        while at <= end {
            found.push(format!("{at:0pad$}"));
            at += step;
        }
    }
    Ok(found)
}
