//! "did you mean": the known word that is nearest to a misspelt one.

/// The candidate that is at most a third of the word's letters away, if any; the first of equals.
pub(super) fn did_you_mean<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let letters: Vec<char> = word.chars().flat_map(char::to_lowercase).collect();
    // Long input is no typing mistake, and the distance costs the product of both lengths.
    if letters.len() > 40 {
        return None;
    }
    let budget = (letters.len() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (distance(&letters, &candidate.chars().collect::<Vec<_>>()), candidate))
        .filter(|&(distance, candidate)| distance <= budget && distance < candidate.chars().count())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
///
/// Optimal string alignment: the Wagner-Fischer table, of which only three rows are kept.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut last_letter = None;
    for (i, &x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(last.len());
        row.push(i + 1);
        let mut left = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let mut best = (cell(&last, j) + usize::from(x != y)).min(cell(&last, j + 1) + 1).min(left + 1);
            let swapped = j.checked_sub(1).and_then(|k| b.get(k)) == Some(&x) && last_letter == Some(y);
            if swapped && let Some(k) = j.checked_sub(1) {
                best = best.min(cell(&before, k) + 1);
            }
            row.push(best);
            left = best;
        }
        before = std::mem::replace(&mut last, row);
        last_letter = Some(x);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_of_typing_are_recognised() {
        let words = ["port", "user", "identity", "identities_only", "command_timeout"];
        for (typed, meant) in [
            ("prot", Some("port")),
            ("Port", Some("port")),
            ("usr", Some("user")),
            ("identites_only", Some("identities_only")),
            ("comand_timout", Some("command_timeout")),
            ("color", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(did_you_mean(typed, words), meant, "{typed}");
        }
    }

    #[test]
    fn the_distance_counts_edits() {
        for (a, b, edits) in [("", "", 0), ("", "abc", 3), ("abc", "acb", 1), ("kitten", "sitting", 3)] {
            let split = |s: &str| s.chars().collect::<Vec<_>>();
            assert_eq!(distance(&split(a), &split(b)), edits, "{a} {b}");
            assert_eq!(distance(&split(b), &split(a)), edits, "{b} {a}");
        }
    }
}
