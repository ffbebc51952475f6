//! Names of files that are not in place yet, and what is known of their way there.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::files::remote::failures::is_loss;
use crate::model::outcome::Failure;

/// The longest name that file systems take, in bytes.
const MAX_NAME: usize = 255;

/// What stands between the target's name and the random part.
const MARK: &[u8] = b".fan-";

/// Hexadecimal digits of the random part.
const DIGITS: usize = 32;

/// Whether what took the old content's place did so at once. In order: of many, the last one says how all went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Replaced {
    /// By one rename: there was no moment without either.
    Atomically,
    /// The server renames only where nothing is: the old one was taken away first.
    InTwoSteps,
}

/// An old content that was taken out of the new one's way.
#[derive(Clone)]
pub(super) struct Displaced {
    /// Where it is.
    pub(super) aside: Vec<u8>,
    /// Where it belongs until the new content is there.
    pub(super) target: Vec<u8>,
}

/// A new name for a temporary file beside a target: `.NAME.fan-` and 32 hexadecimal digits.
pub fn temporary_name(name: &[u8]) -> Vec<u8> {
    let kept = name.get(..name.len().min(MAX_NAME - 1 - MARK.len() - DIGITS)).unwrap_or_default();
    let digits = format!("{:032x}", rand::random::<u128>());
    [b".", kept, MARK, digits.as_bytes()].concat()
}

/// Whether a name is that of a temporary file for a target.
pub fn is_temporary(name: &[u8], target: &[u8]) -> bool {
    let model = temporary_name(target);
    let fixed = model.len() - DIGITS;
    name.len() == model.len()
        && name.get(..fixed) == model.get(..fixed)
        && name.get(fixed..).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// A path with the names that things in it will have once they are in place.
pub(super) fn lasting(path: &[u8]) -> Vec<u8> {
    let names = path.split(|&byte| byte == b'/').map(|name| {
        let end = name.len().saturating_sub(DIGITS + MARK.len());
        let kept = name.get(1..end).filter(|kept| !kept.is_empty() && is_temporary(name, kept));
        kept.unwrap_or(name)
    });
    names.collect::<Vec<_>>().join(&b'/')
}

/// A request that puts something in place, on its way. It counts as long as its answer is not known.
pub(in crate::files) struct Asking<'a> {
    undecided: &'a AtomicUsize,
    placed: &'a AtomicUsize,
}

impl<'a> Asking<'a> {
    pub(super) fn new(undecided: &'a AtomicUsize, placed: &'a AtomicUsize) -> Self {
        undecided.fetch_add(1, Ordering::Relaxed);
        Self { undecided, placed }
    }

    /// The host has answered, unless the connection was lost meanwhile.
    pub(in crate::files) fn decided<T>(self, answer: Result<T, Failure>) -> Result<T, Failure> {
        if answer.is_ok() {
            self.placed.fetch_add(1, Ordering::Relaxed);
        }
        if !answer.as_ref().is_err_and(is_loss) {
            self.undecided.fetch_sub(1, Ordering::Relaxed);
        }
        answer
    }
}

/// A file that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::files) enum Created {
    /// It is open for writing, under this handle.
    Open(Bytes),
    /// It is there.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::remote::paths::shown;

    #[test]
    fn names_are_hidden_random_and_never_too_long() {
        let name = temporary_name(b"app.conf");
        assert!(name.starts_with(b".app.conf.fan-"), "{}", shown(&name));
        assert_ne!(name, temporary_name(b"app.conf"));
        assert!(is_temporary(&name, b"app.conf"));
        assert!(!is_temporary(&name, b"app.con"));
        assert!(!is_temporary(b".app.conf.fan-zz", b"app.conf"));
        let path = [b"./in/", &name[..], b"/.x"].concat();
        assert_eq!(shown(&lasting(&path)), "./in/app.conf/.x");
        let long = vec![b'x'; 255];
        assert_eq!(temporary_name(&long).len(), MAX_NAME);
        assert!(is_temporary(&temporary_name(&long), &long));
    }
}
