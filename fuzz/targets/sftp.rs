//! Packets of SFTP: the same in whatever pieces they come, and what is read is written as it was.
#![no_main]

use bytes::Bytes;
use fan::fuzzing::ssh::sftp::wire::{Packets, Reply, SftpRequest, read_version};
use fan_fuzz::{cut, pieces};
use libfuzzer_sys::fuzz_target;

/// All packets, and whether the stream was still SFTP at its end.
fn packets(pieces: &[&[u8]]) -> (Vec<Bytes>, bool) {
    let (mut packets, mut found) = (Packets::default(), Vec::new());
    for piece in pieces {
        packets.push(piece);
        loop {
            match packets.next() {
                Ok(Some(packet)) => found.push(packet),
                Ok(None) => break,
                Err(_) => return (found, false),
            }
        }
    }
    (found, true)
}

fn without_length(head: &Bytes, tail: &Bytes) -> Bytes {
    let whole = [head.as_ref(), tail.as_ref()].concat();
    let (found, good) = packets(&[&whole]);
    assert!(good && found.len() == 1, "what we write is one packet: {whole:?}");
    found[0].clone()
}

fuzz_target!(|bytes: &[u8]| {
    let (sizes, stream) = pieces(bytes);
    let found = packets(&cut(stream, &sizes));
    assert_eq!(found, packets(&[stream]));
    for packet in found.0.into_iter().chain([Bytes::copy_from_slice(stream)]) {
        let _ = read_version(packet.clone());
        if let Ok((id, reply)) = Reply::read(packet.clone()) {
            let again = Reply::read(without_length(&reply.head(id), &reply.tail()));
            assert_eq!(again, Ok((id, reply)));
        }
        if let Ok((id, request)) = SftpRequest::read(packet) {
            let again = SftpRequest::read(without_length(&request.head(id), &request.tail()));
            assert_eq!(again, Ok((id, request)));
        }
    }
});
