//! A search in bytes that still come. Each of them is looked at about once, however small the pieces are: whoever
//! begins anew with each piece lets one host take the time of all.

/// Looks for the first place of some bytes in a buffer that grows at its end.
pub(in crate::files) struct Search {
    needle: Vec<u8>,
    /// No place begins before.
    from: usize,
}

impl Search {
    /// For these bytes, of which there is at least one.
    pub(in crate::files) fn new(needle: impl Into<Vec<u8>>) -> Self {
        Self { needle: needle.into(), from: 0 }
    }

    /// Where they begin in what has come so far, and where they end. Once found, the answer stays the same.
    pub(in crate::files) fn find(&mut self, buffer: &[u8]) -> Option<(usize, usize)> {
        let first = *self.needle.first()?;
        loop {
            let rest = buffer.get(self.from..)?;
            let Some(at) = rest.iter().position(|&byte| byte == first) else {
                self.from = buffer.len();
                return None;
            };
            self.from += at;
            let here = rest.get(at..).unwrap_or_default();
            if here.starts_with(&self.needle) {
                return Some((self.from, self.from + self.needle.len()));
            }
            if self.needle.starts_with(here) {
                // Its end may be on its way.
                return None;
            }
            self.from += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_byte_is_looked_at_once() {
        for byte in [b'x', b'\n'] {
            let data = vec![byte; 1024 * 1024];
            let mut search = Search::new("\nmarker ");
            let mut looked_at = 0;
            for end in (16..=data.len()).step_by(16) {
                looked_at += end - search.from;
                assert_eq!(search.find(&data[..end]), None);
            }
            assert!(looked_at < 2 * data.len(), "{looked_at} bytes");
        }
    }

    proptest! {
        #[test]
        fn what_is_found_is_the_first_place(text in "[ab]{0,60}", needle in "[ab]{1,4}", cut in 1usize..9) {
            let mut search = Search::new(needle.clone());
            let mut found = None;
            for end in (0..text.len()).step_by(cut).chain([text.len()]) {
                found = search.find(&text.as_bytes()[..end]);
                if found.is_some() {
                    break;
                }
            }
            prop_assert_eq!(found, text.find(&needle).map(|at| (at, at + needle.len())));
        }
    }
}
