//! A slice of the hosts of a run (`--shard 2/5`), so that several runs share the work.

use std::fmt;

use sha2::{Digest, Sha256};

/// The most slices.
const MAX: u64 = 10_000;

/// One of several slices. Which one a host is in depends on its name and their number, and on nothing else: hosts that come and go
/// move no other one, and no two runs have to agree on anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    number: u64,
    of: u64,
}

impl Shard {
    /// Reads `K/N`, 1 ≤ K ≤ N.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("must be K/N, slice K of N, counted from 1: 2/5; got {text:?}");
        let (number, of) = text.split_once('/').ok_or_else(wrong)?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(number) || !digits(of) {
            return Err(wrong());
        }
        let (number, of): (u64, u64) =
            (number.parse().map_err(|_| wrong())?, of.parse().map_err(|_| wrong())?);
        if of > MAX {
            return Err(format!("there are {MAX} slices at most, got {text:?}"));
        }
        if number == 0 || number > of {
            return Err(wrong());
        }
        Ok(Self { number, of })
    }

    /// Whether a host is in it: the first 8 bytes of the SHA-256 of its name, as a big-endian number, modulo the number of slices,
    /// plus 1.
    ///
    /// By position in the list the slices would be of equal size, but one host more would move most others. Hashing that moves
    /// fewer hosts when the *number* of slices changes (rendezvous, jump) would be worth nothing here, as nothing is kept per slice.
    pub fn has(self, host: &str) -> bool {
        let digest = Sha256::digest(host.as_bytes());
        let number = digest.iter().take(8).fold(0, |number: u64, &byte| (number << 8) | u64::from(byte));
        number % self.of + 1 == self.number
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(text: &str) -> Shard {
        Shard::parse(text).unwrap()
    }

    #[test]
    fn only_a_slice_of_several_is_one() {
        for text in ["1/1", "5/5", "10000/10000"] {
            assert_eq!(shard(text).to_string(), text);
        }
        for text in [
            "",
            "1",
            "0/5",
            "6/5",
            "1/0",
            "1/10001",
            "-1/5",
            "+1/5",
            "1/5/5",
            "a/b",
            "/",
            "99999999999999999999/5",
        ] {
            assert!(Shard::parse(text).is_err(), "{text}");
        }
    }

    /// What the docs promise, so that a new version gives no host to another slice: by `sha256sum`.
    #[test]
    fn slices_of_known_names() {
        let of =
            |name: &str| (1..=5).filter(|number| shard(&format!("{number}/5")).has(name)).collect::<Vec<_>>();
        for (name, number) in [("web1", 2), ("web2", 3), ("db", 4), ("deploy@10.0.0.1:22", 4)] {
            assert_eq!(of(name), [number], "{name}");
        }
    }

    #[test]
    fn every_host_is_in_one_slice_and_slices_are_about_equal() {
        for of in [1_usize, 2, 7, 10] {
            let shards: Vec<Shard> = (1..=of).map(|number| shard(&format!("{number}/{of}"))).collect();
            let mut sizes = vec![0_usize; of];
            for host in 0..10_000 {
                let name = format!("web{host}");
                let found: Vec<usize> = (0..of).filter(|&at| shards[at].has(&name)).collect();
                assert_eq!(found.len(), 1, "{name}");
                sizes[found[0]] += 1;
            }
            let fair = 10_000 / of;
            assert!(sizes.iter().all(|size| size.abs_diff(fair) * 10 < fair), "{sizes:?}");
        }
    }
}
