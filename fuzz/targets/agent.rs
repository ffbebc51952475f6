//! Messages of an agent: the same in whatever pieces they come; no list of keys breaks what reads it.
#![no_main]

use fan::fuzzing::ssh::agent::door::{identities, messages};
use fan_fuzz::{cut, pieces};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (sizes, stream) = pieces(bytes);
    let found = messages(&cut(stream, &sizes));
    assert_eq!(found, messages(&[stream]));
    for message in &found {
        identities(message);
    }
    identities(stream);
});
