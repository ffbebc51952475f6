//! How much work an encrypted PKCS#8 key wants done before it opens, read without doing it: PBKDF2 (RFC 8018) or
//! scrypt (RFC 7914). A file that asks for hours is refused instead of obeyed.

use crate::ssh::keys::problem::KeyProblem;
use crate::ssh::wire::Cursor;

/// Iterations of PBKDF2 at most: some seconds of work.
const MAX_ITERATIONS: u64 = 10_000_000;

/// Blocks of scrypt at most (`N * r`, 128 bytes each): half a gigabyte.
const MAX_SCRYPT_BLOCKS: u64 = 4 * 1024 * 1024;

/// Parallelism of scrypt at most.
const MAX_SCRYPT_LANES: u64 = 16;

/// What is to be done about a key that is locked in a way that we do not open.
pub(super) const REWRITE: &str = "rewrite it: ssh-keygen -p -a 24 -f KEY";

/// Looks for a passphrase derivation in an encrypted PKCS#8 key that wants too much work.
///
/// # Errors
///
/// A sentence with the number that is too high.
pub(super) fn pkcs8(der: &[u8]) -> Result<(), KeyProblem> {
    // Object identifiers 1.2.840.113549.1.5.12 and 1.3.6.1.4.1.11591.4.11. They are looked for instead of
    // parsed for: the file is its owner's, and this guards against a mistake.
    const PBKDF2: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 0x0c];
    const SCRYPT: &[u8] = &[0x06, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 4, 0x0b];
    if let Some(mut options) = after(der, PBKDF2) {
        let iterations = options.salted_number();
        if iterations.is_some_and(|iterations| iterations > MAX_ITERATIONS) {
            let iterations = iterations.unwrap_or_default();
            let message = format!(
                "opening the key takes {iterations} iterations of PBKDF2: too many (limit {MAX_ITERATIONS})"
            );
            return Err(KeyProblem::hinted(message, REWRITE));
        }
    }
    if let Some(mut options) = after(der, SCRYPT) {
        let (n, r) = (options.salted_number(), options.number());
        let lanes = options.number().unwrap_or(1);
        let blocks = n.unwrap_or(1).saturating_mul(r.unwrap_or(1));
        if blocks > MAX_SCRYPT_BLOCKS || lanes > MAX_SCRYPT_LANES {
            let message = "opening the key takes too much memory or work (scrypt)";
            return Err(KeyProblem::hinted(message, REWRITE));
        }
    }
    Ok(())
}

/// The parameters behind an object identifier: the inside of the sequence that follows it.
fn after<'a>(der: &'a [u8], identifier: &[u8]) -> Option<Der<'a>> {
    let at = der.windows(identifier.len()).position(|window| window == identifier)?;
    let mut rest = Der(Cursor::new(der.get(at + identifier.len()..)?));
    rest.element(0x30).map(|inside| Der(Cursor::new(inside)))
}

/// As much of DER (X.690) as the parameters need.
struct Der<'a>(Cursor<'a>);

impl<'a> Der<'a> {
    fn element(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.byte()? != tag {
            return None;
        }
        let length = match self.0.byte()? {
            short @ 0..=0x7f => usize::from(short),
            0x81 => usize::from(self.0.byte()?),
            0x82 => usize::from(u16::from_be_bytes(self.0.take(2)?.try_into().ok()?)),
            _ => return None,
        };
        // What does not fit is cut: the number stands before it.
        let available = self.0.rest().len();
        self.0.take(length.min(available))
    }

    fn number(&mut self) -> Option<u64> {
        let digits = self.element(0x02)?;
        Some(digits.iter().fold(0_u64, |number, &digit| {
            number.checked_mul(256).map_or(u64::MAX, |number| number.saturating_add(u64::from(digit)))
        }))
    }

    fn salted_number(&mut self) -> Option<u64> {
        self.element(0x04)?;
        self.number()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_of_a_pkcs8_key_is_limited() {
        let pbkdf2 = |iterations: &[u8]| {
            let mut der =
                vec![0x30, 0x40, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 0x0c, 0x30, 0x20];
            der.extend([0x04, 2, 0, 0, 0x02, u8::try_from(iterations.len()).unwrap()]);
            der.extend(iterations);
            der
        };
        assert_eq!(pkcs8(&pbkdf2(&[8, 0])), Ok(()));
        let said = pkcs8(&pbkdf2(&[0x7f, 0xff, 0xff, 0xff])).unwrap_err().message;
        assert_eq!(said, "opening the key takes 2147483647 iterations of PBKDF2: too many (limit 10000000)");
        let scrypt = [
            0x06, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 4, 0x0b, 0x30, 0x20, 0x04, 1, 0, 0x02, 4, 0x40, 0, 0, 0,
            0x02, 1, 8, 0x02, 1, 1,
        ];
        assert!(pkcs8(&scrypt).unwrap_err().message.contains("scrypt"));
    }
}
