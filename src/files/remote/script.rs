//! Scripts for the host's shell: their words, with paths as the bytes that they are.

use crate::model::shell::single_quoted_bytes;

/// A script in the making. Every part ends with a blank or a line end of its own.
#[derive(Clone, Debug, Default)]
pub struct Script(Vec<u8>);

impl Script {
    /// A script that begins with this text.
    pub fn new(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }

    /// Adds shell text as it is.
    pub fn text(mut self, text: &str) -> Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// Adds what another script says.
    pub fn raw(mut self, other: &[u8]) -> Self {
        self.0.push(b' ');
        self.0.extend_from_slice(other);
        self
    }

    /// Adds a path as one word that no command takes for an option.
    pub fn path(mut self, path: &[u8]) -> Self {
        self.0.push(b' ');
        if path.starts_with(b"/") {
            self.0.extend(single_quoted_bytes(path));
        } else {
            self.0.extend(single_quoted_bytes(&[b"./", path].concat()));
        }
        self.0.push(b' ');
        self
    }

    /// Adds a path right behind what is there, with a blank after it.
    pub fn glued(mut self, path: &[u8]) -> Self {
        let before: &[u8] = if path.starts_with(b"/") { b"" } else { b"./" };
        self.0.extend(single_quoted_bytes(&[before, path].concat()));
        self.0.push(b' ');
        self
    }

    /// Adds bytes as one word.
    pub fn word(mut self, word: &[u8]) -> Self {
        self.0.push(b' ');
        self.0.extend(single_quoted_bytes(word));
        self.0.push(b' ');
        self
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Prints a line about its argument: `-` when nothing is there, else what [`Meta::of_line`] reads.
///
/// GNU and BusyBox stat first, BSD's second; ls tells no time to the second. What may not be looked at fails: it
/// would be taken for nothing.
///
/// [`Meta::of_line`]: crate::files::meta::Meta::of_line
pub(super) const LOOK: &str = r#"look() {
  if [ -e "$1" ] || [ -L "$1" ]; then
    stat -c '%f %u %g %s %Y' -- "$1" 2>/dev/null || stat -f '%Xp %u %g %z %m' -- "$1" 2>/dev/null || ls -dln -- "$1"
  else missing "$1"; fi
}
"#;

/// The same for what a link leads to, if it leads anywhere.
pub(super) const LOOK_BEHIND: &str = r#"look() {
  if [ -e "$1" ]; then
    stat -L -c '%f %u %g %s %Y' -- "$1" 2>/dev/null || stat -L -f '%Xp %u %g %z %m' -- "$1" 2>/dev/null ||
      ls -dlnL -- "$1"
  else missing "$1"; fi
}
"#;

/// What both say about something that the shell does not see: there is nothing, or it may not be looked at.
pub(super) const MISSING: &str = r#"missing() {
  said=$(LC_ALL=C ls -dL -- "$1" 2>&1)
  case $said in
    *'ermission denied'*) printf '%s\n' "$said"; exit 1 ;;
    *) echo - ;;
  esac
}
"#;

/// Prints the SHA-256 of its input.
pub(super) const HASH_INPUT: &str = "{ openssl dgst -sha256 -r 2>/dev/null || sha256sum 2>/dev/null || shasum -a 256 2>/dev/null || sha256 -q; }";

/// Prints a line for each of its arguments that begins with the SHA-256 of its content.
///
/// OpenSSL first: it uses the processor's instructions for it, and is several times as fast as most sha256sum.
pub(super) const HASH: &str = r#"hash() {
  out=$(openssl dgst -sha256 -r "$@" 2>/dev/null) || out=$(sha256sum "$@" 2>/dev/null) ||
    out=$(shasum -a 256 "$@" 2>/dev/null) || out=$(sha256 -r "$@" 2>/dev/null) || return 1
  printf '%s\n' "$out"
}
"#;
