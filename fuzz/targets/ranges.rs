//! Ranges of hosts: what is counted is what is expanded, and what is folded stands for the same hosts.
#![no_main]

use std::collections::BTreeSet;

use fan::fuzzing::model::range::{count, expand, fold};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 2000;

fuzz_target!(|pattern: &str| {
    let counted = count(pattern);
    let expanded = expand(pattern, LIMIT);
    match (&counted, &expanded) {
        (Ok(count), Ok(names)) => assert_eq!(*count, names.len() as u128, "{pattern:?}"),
        (Ok(count), Err(error)) => assert!(*count > LIMIT as u128, "{pattern:?}: {error:?}"),
        (Err(_), Ok(names)) => panic!("{pattern:?} cannot be counted, but is {names:?}"),
        (Err(_), Err(_)) => {}
    }
    let Ok(names) = expanded else { return };
    // They stand as they are, and are no pattern.
    if names.iter().any(|name| name.contains(['[', ']', ',', '/'])) {
        return;
    }
    let folded = fold(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut again = BTreeSet::new();
    for part in split(&folded) {
        again.extend(
            expand(&part, LIMIT).unwrap_or_else(|error| panic!("{pattern:?} as {folded:?}: {error:?}")),
        );
    }
    assert_eq!(again, names.into_iter().collect(), "{pattern:?} as {folded:?}");
});

/// The parts of a list, whose commas in brackets do not count.
fn split(list: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in list.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        match parts.last_mut() {
            Some(last) if c != ',' || depth > 0 => last.push(c),
            _ => parts.push(String::new()),
        }
    }
    parts
}
