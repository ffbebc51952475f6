//! What fuzz targets see of an agent's messages; compiled for them only.

use crate::ssh::agent::frames;

/// The messages of a stream that comes in pieces, up to one that is too large.
pub fn messages(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let (mut buffer, mut found) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match frames::split(&mut buffer) {
                Ok(Some(message)) => found.push(message),
                Ok(None) => break,
                Err(()) => return found,
            }
        }
    }
    found
}

/// How many keys a list has that we understand.
pub fn identities(answer: &[u8]) -> Option<usize> {
    Some(frames::identities(answer)?.len())
}
