//! The room that text takes on a terminal, in cells: measured, padded, cut. For text that is clean already
//! ([`crate::model::text`]); it never decides what is shown.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Cells that a text takes. CJK takes two each, a combining accent none (Unicode Standard Annex 11).
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text, filled up with spaces to a number of cells; unchanged when it takes more.
pub fn pad(text: &str, cells: usize) -> String {
    let room = cells.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(room))
}

/// The text when it fits; else its beginning with a `…`, in at most that many cells.
pub fn shorten(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        text.to_owned()
    } else {
        clip(text, cells.saturating_sub(1)).to_owned() + "…"
    }
}

/// As much of the beginning of a text as fits.
pub fn clip(text: &str, cells: usize) -> &str {
    let mut taken = 0;
    let end = text.char_indices().find(|(_, c)| {
        taken += c.width().unwrap_or(0);
        taken > cells
    });
    end.and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::model::cells::{clip, pad, shorten, width};

    #[test]
    fn wide_and_combining_characters_count_as_the_cells_they_take() {
        for (text, cells) in
            [("web1", 4), ("häuser", 6), ("ha\u{308}user", 6), ("漢字", 4), ("✓ ok", 4), ("", 0)]
        {
            assert_eq!(width(text), cells, "{text}");
        }
        assert_eq!(pad("漢字", 6), "漢字  ");
        assert_eq!(pad("longer", 3), "longer");
    }

    #[test]
    fn what_does_not_fit_is_cut_between_characters() {
        assert_eq!(shorten("häuser", 6), "häuser");
        assert_eq!(shorten("häuser!", 6), "häuse…");
        assert_eq!(shorten("漢字漢字", 6), "漢字…");
        assert_eq!(clip("漢字漢字", 5), "漢字");
        assert_eq!(clip("abcdef", 4), "abcd");
        assert_eq!(clip("a·…", 5), "a·…");
    }

    proptest! {
        #[test]
        fn nothing_takes_more_than_it_may(text in "\\PC{0,20}", cells in 1_usize..12) {
            prop_assert!(width(clip(&text, cells)) <= cells + 1, "an emoji sequence may count once more");
            prop_assert!(width(&pad(&text, cells)) >= cells);
        }
    }
}
