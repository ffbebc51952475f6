//! Answers of the facts script: whatever a host says, it is facts or an error.
#![no_main]

use fan::fuzzing::model::facts::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|answer: &[u8]| {
    if let Ok(facts) = parse(answer) {
        facts.to_vars();
        assert_eq!(parse(answer).as_ref(), Ok(&facts));
    }
});
