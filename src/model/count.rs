//! A number with its noun: `1 host`, `4 hosts`.

use std::fmt::Display;

/// The number and the noun, which takes an `s` unless there is exactly one.
pub fn counted(count: impl Display, noun: &str) -> String {
    let count = count.to_string();
    let ending = if count == "1" { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use crate::model::count::counted;

    #[test]
    fn only_one_is_singular() {
        let texts = [0, 1, 2, 11].map(|count| counted(count, "host"));
        assert_eq!(texts, ["0 hosts", "1 host", "2 hosts", "11 hosts"]);
    }
}
