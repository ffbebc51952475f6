//! "did you mean": the known word nearest to one that is not known.

/// Words longer than this are not compared: no one mistypes them, and it bounds the work.
const LONGEST: usize = 64;

/// The candidate nearest to `word` when it is near enough for a typing mistake; the first of equals.
///
/// One edit in three characters counts as near; swapped neighbours are one edit, letter case is none.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = folded(word)?;
    let length = word.chars().count();
    let allowed = length.max(3) / 3;
    let near = candidates.into_iter().filter_map(|candidate| {
        let other = folded(candidate)?;
        let longer = length.max(other.chars().count());
        // A length that differs by more needs as many edits at least, and is not worth comparing.
        if longer - length.min(other.chars().count()) > allowed {
            return None;
        }
        let distance = strsim::osa_distance(&word, &other);
        // A word in which every letter was replaced is another word.
        (distance <= allowed && distance < longer).then_some((distance, candidate))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// The word in lower case; nothing for one that is empty or too long to be a typing mistake.
fn folded(word: &str) -> Option<String> {
    let short = !word.is_empty() && word.chars().nth(LONGEST).is_none();
    short.then(|| word.to_lowercase())
}

#[cfg(test)]
mod tests {
    use crate::model::suggest::did_you_mean;

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
}
