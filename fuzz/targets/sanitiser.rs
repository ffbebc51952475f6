//! Text from hosts made safe: nothing in it acts on its reader, and once more changes nothing.
#![no_main]

use fan::fuzzing::model::text::{Sgr, is_hidden, neutralize_ci, sanitize};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let escaped = sanitize(line, Sgr::Escape);
    assert!(!escaped.chars().any(is_hidden), "{escaped:?}");
    assert_eq!(sanitize(escaped.as_bytes(), Sgr::Escape), escaped);
    let kept = sanitize(line, Sgr::Keep);
    assert_eq!(sanitize(kept.as_bytes(), Sgr::Keep), kept);
    // Only colours are left of what acts.
    let mut rest = &*kept;
    while let Some(at) = rest.find('\x1b') {
        let colour = rest[at..].strip_prefix("\x1b[").expect("a control sequence");
        let end =
            colour.find(|c: char| !(c.is_ascii_digit() || matches!(c, ';' | ':'))).expect("it has an end");
        assert!(colour[end..].starts_with('m'), "{kept:?}");
        rest = &colour[end..];
    }
    assert!(!kept.chars().any(|c| c != '\x1b' && is_hidden(c)), "{kept:?}");
    let quiet = neutralize_ci(&escaped);
    assert_eq!(neutralize_ci(&quiet), quiet);
    assert!(!quiet.contains("##[") && !quiet.trim_start().starts_with("::"), "{quiet:?}");
});
