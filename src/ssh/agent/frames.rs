//! Messages of the agent protocol (draft-miller-ssh-agent, section 3 and 4.4), each with its length before it.
//!
//! The list of keys is read here and not by russh, which gives up on the whole list at the first entry that it
//! cannot parse.

use std::io;
use std::sync::Arc;

use russh::keys::Certificate;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::ssh::agent::held::HeldKey;
use crate::ssh::keys::parse_public;
use crate::ssh::wire::{Cursor, is_shallow_certificate};

/// The largest message either way; OpenSSH's agent has the same limit.
pub(super) const MAX_FRAME: usize = 256 * 1024;

/// `SSH_AGENTC_REQUEST_IDENTITIES`
pub(super) const REQUEST_IDENTITIES: u8 = 11;

/// `SSH_AGENT_IDENTITIES_ANSWER`
const IDENTITIES_ANSWER: u8 = 12;

/// Sends one message and reads the answer, both without their lengths.
pub(super) async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
) -> io::Result<Vec<u8>> {
    let length = u32::try_from(request.len()).map_err(io::Error::other)?;
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend(request);
    stream.write_all(&frame).await?;
    stream.flush().await?;
    let length = usize::try_from(stream.read_u32().await?).map_err(io::Error::other)?;
    if length > MAX_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("an answer of {length} bytes")));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// Cuts the first message off a buffer, without its length; `None` while it is not complete.
///
/// # Errors
///
/// It is larger than any message.
pub(super) fn split(buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, ()> {
    let Some(length) = Cursor::new(buffer).u32() else { return Ok(None) };
    let length = usize::try_from(length).map_err(drop)?;
    if length > MAX_FRAME {
        return Err(());
    }
    if buffer.len() < 4 + length {
        return Ok(None);
    }
    let rest = buffer.split_off(4 + length);
    let mut message = std::mem::replace(buffer, rest);
    message.drain(..4);
    Ok(Some(message))
}

/// Reads the list of keys; those that nobody here understands are left out. `None` when it is no list.
pub(super) fn identities(answer: &[u8]) -> Option<Vec<HeldKey>> {
    let mut cursor = Cursor::new(answer);
    if cursor.byte() != Some(IDENTITIES_ANSWER) {
        return None;
    }
    let count = cursor.u32()?;
    let mut held = Vec::new();
    for _ in 0..count {
        // What stands before a list breaks off is still good.
        let (Some(blob), Some(_comment)) = (cursor.string(), cursor.string()) else { break };
        if is_shallow_certificate(blob) {
            held.extend(Certificate::from_bytes(blob).ok().map(|it| HeldKey::Certificate(Arc::new(it))));
        } else {
            held.extend(parse_public(blob).map(HeldKey::Key));
        }
    }
    Some(held)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use russh::keys::{Algorithm, PrivateKey};

    use super::*;
    use crate::ssh::wire::put_string;

    fn list(blobs: &[&[u8]]) -> Vec<u8> {
        let mut answer = vec![IDENTITIES_ANSWER];
        answer.extend(u32::try_from(blobs.len()).unwrap().to_be_bytes());
        for blob in blobs {
            put_string(&mut answer, blob);
            put_string(&mut answer, b"a comment");
        }
        answer
    }

    #[test]
    fn one_unreadable_key_does_not_lose_the_others() {
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        let blob = key.public_key().to_bytes().unwrap();
        let mut strange = Vec::new();
        put_string(&mut strange, b"ssh-next-big-thing");
        let mut broken = Vec::new();
        put_string(&mut broken, b"ssh-ed25519-cert-v01@openssh.com");
        let held = identities(&list(&[&strange, b"", &broken, &blob])).unwrap();
        assert!(matches!(held.as_slice(), [HeldKey::Key(held)] if held == key.public_key()), "{held:?}");
    }

    #[test]
    fn a_refusal_is_no_list_and_a_short_list_is_what_it_is() {
        assert!(identities(&[5]).is_none());
        assert!(identities(&[]).is_none());
        assert!(identities(&[IDENTITIES_ANSWER, 0xff, 0xff, 0xff, 0xff]).unwrap().is_empty());
    }

    #[test]
    fn messages_are_cut_where_they_end() {
        let mut buffer = vec![0, 0, 0, 2, 7];
        assert_eq!(split(&mut buffer), Ok(None));
        buffer.extend([8, 0, 0]);
        assert_eq!(split(&mut buffer), Ok(Some(vec![7, 8])));
        assert_eq!((buffer.as_slice(), split(&mut buffer.clone())), (&[0, 0][..], Ok(None)));
        assert_eq!(split(&mut vec![0, 4, 0, 1]), Err(()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn no_answer_can_hurt(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut answer = vec![IDENTITIES_ANSWER, 0, 0, 0, 3];
            answer.extend(&bytes);
            identities(&answer);
            identities(&bytes);
        }
    }
}
