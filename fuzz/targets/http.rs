//! URLs, targets of probes, redirects and certificates: what is read is sound, and nothing breaks the readers.
#![no_main]

use fan::fuzzing::web::{Certificate, Url, targets};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Certificate::read(bytes);
    let Ok(text) = str::from_utf8(bytes) else { return };
    let _ = targets(text);
    if let Ok(url) = Url::parse(text) {
        assert!(!url.host.is_empty() && url.port != 0, "{text:?}");
        assert!(url.target().bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
        assert!(!url.authority().contains(['\r', '\n', ' ']), "{text:?}");
        if let Ok(there) = url.redirected(text) {
            assert!(there.to_string().starts_with("http"), "{text:?}");
        }
    }
});
