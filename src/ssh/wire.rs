//! The few types of RFC 4251 section 5 that key files and agents are made of. Refuses to allocate by a length
//! that someone else wrote: strings are borrowed from what is there.

/// Reads from the front of a buffer. `None` means that it is shorter than it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// A cursor at the start of `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// One byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// A big-endian number of 32 bits.
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// Bytes with their length before them.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(length)
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }
}

/// Writes bytes with their length before them.
pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("what we send is far below 4 GiB");
    out.extend(length.to_be_bytes());
    out.extend(bytes);
}

/// The name of the type that a key, certificate or signature starts with.
pub(super) fn type_name(blob: &[u8]) -> Option<&str> {
    std::str::from_utf8(Cursor::new(blob).string()?).ok()
}

/// Types of plain public keys.
const PLAIN: [&str; 8] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ssh-dss",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// Whether this is a key of a known type that is no certificate.
///
/// Asked before anything is decoded: the decoder follows a certificate's signing key into another certificate,
/// and so on, without a limit, until the stack ends and the process with it.
pub(super) fn is_plain_key(blob: &[u8]) -> bool {
    type_name(blob).is_some_and(|name| PLAIN.contains(&name))
}

/// Whether this is a certificate that was signed by a plain key, as all are that OpenSSH makes.
///
/// Counts the ends of type names instead of reading fields; see [`is_plain_key`] for why it is asked. A name in
/// an opaque field may be counted as well: two is what is allowed, one of them for such a chance.
pub(super) fn is_shallow_certificate(blob: &[u8]) -> bool {
    const MARK: &[u8] = b"-cert-v01@";
    type_name(blob).is_some_and(|name| name.ends_with("-cert-v01@openssh.com"))
        && blob.windows(MARK.len()).filter(|window| *window == MARK).count() <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_read_back_and_nothing_beyond_the_end() {
        let mut bytes = vec![7];
        put_string(&mut bytes, b"ssh-ed25519");
        bytes.extend([0, 0, 0, 9, 1]);
        let mut cursor = Cursor::new(&bytes);
        assert_eq!((cursor.byte(), cursor.string()), (Some(7), Some(&b"ssh-ed25519"[..])));
        let mut short = cursor;
        assert_eq!(short.string(), None);
        assert_eq!((cursor.u32(), cursor.rest(), cursor.u32()), (Some(9), &[1][..], None));
    }

    #[test]
    fn only_plain_keys_and_shallow_certificates_are_let_through() {
        let blob = |name: &str, rest: &[u8]| {
            let mut blob = Vec::new();
            put_string(&mut blob, name.as_bytes());
            blob.extend(rest);
            blob
        };
        let certificate = "ssh-ed25519-cert-v01@openssh.com";
        assert!(is_plain_key(&blob("ssh-ed25519", b"")));
        assert!(!is_plain_key(&blob(certificate, b"")));
        assert!(!is_plain_key(b"\xff\xff\xff\xff"));
        assert!(is_shallow_certificate(&blob(certificate, b"x")));
        assert!(!is_shallow_certificate(&blob("ssh-ed25519", b"")));
        assert!(!is_shallow_certificate(&blob(certificate, &blob(certificate, &blob(certificate, b"")))));
    }
}
