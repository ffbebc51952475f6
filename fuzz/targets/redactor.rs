//! Secrets: in whatever pieces text comes, the same is masked, and none of them is left.
#![no_main]

use fan::fuzzing::model::redact::Redactor;
use fan::fuzzing::model::secret::Secret;
use fan_fuzz::{cut, pieces};
use libfuzzer_sys::fuzz_target;

/// Secrets shorter than this are not looked for.
use fan::fuzzing::model::redact::MIN_SECRET;

fuzz_target!(|bytes: &[u8]| {
    let (sizes, rest) = pieces(bytes);
    let mut parts = rest.split(|&byte| byte == 0);
    let texts: Vec<&str> = [parts.next(), parts.next()]
        .into_iter()
        .flatten()
        .filter_map(|part| str::from_utf8(part).ok())
        .collect();
    let secrets: Vec<Secret> = texts.iter().map(|text| Secret::new(*text)).collect();
    let redactor = Redactor::new(&secrets);
    // The secrets in the text, among what else there is.
    let mut text = Vec::new();
    for part in parts {
        text.extend(part);
        texts.iter().for_each(|secret| text.extend(secret.as_bytes()));
    }
    let whole = redactor.redact_bytes(&text).into_owned();
    let mut stream = redactor.stream();
    let mut told = Vec::new();
    for piece in cut(&text, &sizes) {
        told.extend_from_slice(&stream.push(piece));
    }
    told.extend(stream.finish());
    assert_eq!(told, whole, "in pieces of {sizes:?}");
    for secret in texts.iter().filter(|secret| secret.chars().count() >= MIN_SECRET && !secret.contains('*'))
    {
        let found = whole.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret:?} is left");
    }
});
