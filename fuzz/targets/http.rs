//! URLs and what web servers answer: an answer that was read early is that of the whole.
#![no_main]

use fan::fuzzing::engine::http_door::{answer, url};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = str::from_utf8(bytes)
        && let Some((host, port, request)) = url(text)
    {
        assert!(!host.is_empty() && port != 0, "{text:?}");
        assert_eq!(request.matches("\r\n\r\n").count(), 1, "{request:?}");
        assert!(request.split("\r\n").all(|line| !line.contains(['\r', '\n'])), "{request:?}");
    }
    for body in [false, true] {
        let whole = answer(bytes, body, true);
        for at in 0..bytes.len().min(200) {
            if let Ok(Some((status, _))) = answer(&bytes[..at], body, false) {
                assert_eq!(whole.as_ref().map(|whole| whole.as_ref().map(|whole| whole.0)), Ok(Some(status)));
            }
        }
    }
});
