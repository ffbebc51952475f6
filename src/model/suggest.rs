//! "did you mean": the known word nearest to one that is not known.

/// Words longer than this are not compared: no one mistypes them, and it bounds the work.
const LONGEST: usize = 64;

/// The candidate nearest to `word` when it is near enough for a typing mistake; the first of equals.
///
/// One edit in three characters counts as near; swapped neighbours are one edit, case is none.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = letters(word)?;
    let allowed = word.len().max(3) / 3;
    let mut nearest: Option<(usize, &str)> = None;
    for candidate in candidates {
        let limit = nearest.map_or(allowed, |(distance, _)| distance.saturating_sub(1));
        let Some(letters) = letters(candidate) else { continue };
        if letters.len().abs_diff(word.len()) > limit {
            continue;
        }
        let distance = distance(&word, &letters);
        // A word in which every letter was replaced is another word.
        if distance <= limit && distance < word.len().max(letters.len()) {
            nearest = Some((distance, candidate));
            if distance == 0 {
                break;
            }
        }
    }
    nearest.map(|(_, candidate)| candidate)
}

fn letters(word: &str) -> Option<Vec<char>> {
    let letters: Vec<char> = word.chars().take(LONGEST + 1).flat_map(char::to_lowercase).collect();
    (!letters.is_empty() && letters.len() <= LONGEST).then_some(letters)
}

/// The optimal string alignment distance: insert, delete, replace, swap neighbours.
fn distance(from: &[char], to: &[char]) -> usize {
    let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX);
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=to.len()).collect();
    for (i, &a) in from.iter().enumerate() {
        let mut row = Vec::with_capacity(previous.len());
        let mut left = i + 1;
        row.push(left);
        for (j, &b) in to.iter().enumerate() {
            let replaced = at(&previous, j) + usize::from(a != b);
            let mut best = replaced.min(at(&previous, j + 1) + 1).min(left + 1);
            if i > 0 && j > 0 && from.get(i - 1) == Some(&b) && to.get(j - 1) == Some(&a) {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
            left = best;
        }
        before = std::mem::replace(&mut previous, row);
    }
    previous.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn typing_mistakes_find_their_word_and_other_words_do_not() {
        let known = ["port", "user", "address", "connect_timeout", "web1", "db"];
        for (word, expected) in [
            ("prot", Some("port")),
            ("webs", Some("web1")),
            ("adress", Some("address")),
            ("conect_timeot", Some("connect_timeout")),
            ("USER", Some("user")),
            ("dp", Some("db")),
            ("x", None),
            ("gateway", None),
            ("", None),
        ] {
            assert_eq!(did_you_mean(word, known), expected, "{word}");
        }
        assert_eq!(did_you_mean("web", ["web2", "web1"]), Some("web2"), "the first of equals");
        assert_eq!(did_you_mean(&"x".repeat(100_000), known), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn distance_is_symmetric_and_zero_only_for_equals(a in "[ab]{0,6}", b in "[ab]{0,6}") {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
        }
    }
}
