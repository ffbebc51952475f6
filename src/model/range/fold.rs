//! The way back: names folded into ranges, `web01 web02 web03 db1` into `web[01-03],db1`.

use std::collections::{BTreeSet, HashMap};

use crate::model::range::pattern::MAX_DIGITS;

/// Numbers in one name that may turn into ranges; names with more of them stand as they are.
const MAX_DIMENSIONS: usize = 8;

/// Folds names into as few patterns as it easily can, joined by commas, in order of first appearance.
///
/// For names of hosts, [`crate::model::range::expand`] of the patterns gives the same set of names back. Names
/// that hold characters of the pattern syntax (`[::1]:22`) stand as they are.
pub fn fold(names: &[&str]) -> String {
    let mut shapes: Vec<(RangeShape<'_>, Vec<RangeNames<'_>>)> = Vec::new();
    let mut known: HashMap<RangeShape<'_>, usize> = HashMap::new();
    for &name in names {
        let (shape, numbers) = take_apart(name);
        let at = *known.entry(shape.clone()).or_insert_with(|| {
            shapes.push((shape, Vec::new()));
            shapes.len() - 1
        });
        if let Some((_, members)) = shapes.get_mut(at) {
            members.push(numbers.into_iter().map(|number| BTreeSet::from([number])).collect());
        }
    }
    let patterns = shapes.into_iter().flat_map(|(shape, mut members)| {
        // The last number varies most in practice, so it is folded first.
        for dimension in (0..shape.len().saturating_sub(1)).rev() {
            members = merge(members, dimension);
        }
        members.dedup();
        members.into_iter().map(move |numbers| pattern(&shape, &numbers))
    });
    patterns.collect::<Vec<_>>().join(",")
}

/// The fixed parts of a name; between two of them stands a number.
type RangeShape<'a> = Vec<&'a str>;

/// For each number of a shape: the values it takes. Stands for all their combinations.
type RangeNames<'a> = Vec<BTreeSet<Digits<'a>>>;

/// Digits as written. The order puts equal lengths together and is numeric within them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Digits<'a> {
    len: usize,
    text: &'a str,
}

fn take_apart(name: &str) -> (RangeShape<'_>, Vec<Digits<'_>>) {
    let whole = || (vec![name], Vec::new());
    if name.contains(['[', ']', '{', '}', ',', '/']) {
        return whole();
    }
    let (mut shape, mut numbers) = (Vec::new(), Vec::new());
    let mut rest = name;
    loop {
        let Some(start) = rest.find(|c: char| c.is_ascii_digit()) else {
            shape.push(rest);
            return (shape, numbers);
        };
        let (fixed, tail) = rest.split_at(start);
        let end = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        let (text, after) = tail.split_at(end);
        if text.len() > MAX_DIGITS || numbers.len() == MAX_DIMENSIONS {
            return whole();
        }
        shape.push(fixed);
        numbers.push(Digits { len: text.len(), text });
        rest = after;
    }
}

/// Joins the entries that differ in one dimension only.
fn merge<'a>(members: Vec<RangeNames<'a>>, dimension: usize) -> Vec<RangeNames<'a>> {
    let mut merged: Vec<RangeNames<'a>> = Vec::new();
    let mut known: HashMap<RangeNames<'a>, usize> = HashMap::new();
    for mut numbers in members {
        let values = numbers.get_mut(dimension).map(std::mem::take).unwrap_or_default();
        let at = *known.entry(numbers.clone()).or_insert_with(|| {
            merged.push(numbers);
            merged.len() - 1
        });
        if let Some(all) = merged.get_mut(at).and_then(|numbers| numbers.get_mut(dimension)) {
            all.extend(values);
        }
    }
    merged
}

fn pattern(shape: &[&str], numbers: &[BTreeSet<Digits<'_>>]) -> String {
    let mut pattern = String::new();
    let mut numbers = numbers.iter();
    for fixed in shape {
        pattern.push_str(fixed);
        if let Some(values) = numbers.next() {
            let runs = runs(values);
            if values.len() > 1 {
                pattern.extend(["[", &runs, "]"]);
            } else {
                pattern.push_str(&runs);
            }
        }
    }
    pattern
}

fn runs(values: &BTreeSet<Digits<'_>>) -> String {
    let mut runs: Vec<(&str, &str)> = Vec::new();
    for digits in values {
        match runs.last_mut() {
            Some((first, last)) if follows(first, last, digits.text) => *last = digits.text,
            _ => runs.push((digits.text, digits.text)),
        }
    }
    let shown = runs.iter().map(
        |(first, last)| {
            if first == last { (*first).to_owned() } else { format!("{first}-{last}") }
        },
    );
    shown.collect::<Vec<_>>().join(",")
}

/// Says whether a run that begins with `first` and has come to `last` goes on with `next`, as `expand` writes it.
fn follows(first: &str, last: &str, next: &str) -> bool {
    let digits = if first.starts_with('0') { first.len() } else { 1 };
    last.parse::<u64>().is_ok_and(|last| format!("{:0digits$}", last + 1) == next)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::model::range::pattern::expand;

    /// Splits at the commas outside of brackets and expands each part.
    fn unfold(patterns: &str) -> BTreeSet<String> {
        let mut depth = 0;
        let parts = patterns.split(|c| {
            depth += i32::from(c == '[') - i32::from(c == ']');
            c == ',' && depth == 0
        });
        parts.flat_map(|part| expand(part, 1000).unwrap()).collect()
    }

    #[test]
    fn names_fold_as_an_operator_would_write_them() {
        for (names, folded) in [
            ("web01 web02 web03 db1", "web[01-03],db1"),
            ("web1", "web1"),
            ("web1 web1", "web1"),
            ("web1 web3 web2 web7", "web[1-3,7]"),
            ("web8 web9 web10 web11", "web[8-11]"),
            ("web08 web09 web10", "web[08-10]"),
            ("web1 web01", "web[1,01]"),
            ("web98 web99 web100", "web[98-100]"),
            ("n01 n99 n100", "n[01,99-100]"),
            ("10.0.1.11 10.0.1.12 10.0.2.11 10.0.2.12", "10.0.[1-2].[11-12]"),
            ("r1-n1 r2-n1 r1-n2", "r1-n[1-2],r2-n1"),
            ("a b a", "a,b"),
            ("root@[::1]:22 root@[::1]:23", "root@[::1]:22,root@[::1]:23"),
            ("x1234567890123456789", "x1234567890123456789"),
            ("", ""),
        ] {
            let names: Vec<&str> = names.split(' ').collect();
            assert_eq!(fold(&names), folded, "{names:?}");
        }
        assert_eq!(fold(&[]), "");
        let thirty: Vec<String> = (1..=30).map(|n| format!("web{n:02}")).collect();
        assert_eq!(fold(&thirty.iter().map(String::as_str).collect::<Vec<_>>()), "web[01-30]");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn expanding_what_was_folded_gives_the_names_back(
            names in proptest::collection::vec(r"[ab]{0,1}[0-9]{1,3}(-[0-2]{1,2})?[c.]?|[a-c]{1,2}", 1..30)
        ) {
            let folded = fold(&names.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(unfold(&folded), names.into_iter().collect::<BTreeSet<_>>(), "{}", folded);
        }
    }
}
