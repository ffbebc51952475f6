//! What lookups cost, in HMACs rather than in time: docs/design/host-keys.md promises these numbers.

use std::thread;

use crate::ssh::known_hosts::hosts::{hash_name, work};
use crate::ssh::known_hosts::lookup::KnownHosts;
use crate::ssh::known_hosts::lookup::tests::fixture::{ED, RSA, blob, load, numbered_key, word};

/// Lines and hosts of the measured size.
const LINES: u32 = 10_000;
const HOSTS: u32 = 1_000;

fn host(number: u32) -> String {
    format!("host{number}.example.com")
}

fn salt(number: u32) -> [u8; 20] {
    let mut salt = [0; 20];
    salt[..4].copy_from_slice(&number.to_be_bytes());
    salt
}

fn hashed_file(key: impl Fn(u32) -> String) -> String {
    (0..LINES).map(|number| format!("{} {}\n", hash_name(&host(number), salt(number)), key(number))).collect()
}

/// HMACs to connect to the hosts, each with its own key, in the order given.
fn work_of(known: &KnownHosts, key: impl Fn(u32) -> String, hosts: impl IntoIterator<Item = u32>) -> u64 {
    work::of(|| {
        for number in hosts {
            let host = host(number);
            known.recorded_types(&host, 22);
            let verdict = known.check(&host, 22, &blob(&key(number)));
            assert_eq!(word(&verdict), format!("trusted:{}", number + 1));
        }
    })
}

#[test]
fn plain_lines_cost_no_hmac() {
    let text: String =
        (0..LINES).map(|number| format!("{} {}\n", host(number), numbered_key(number))).collect();
    assert_eq!(work_of(&load(text), numbered_key, 0..HOSTS), 0);
}

#[test]
fn hashed_lines_with_a_key_each_cost_one_hmac_per_host() {
    let known = load(hashed_file(numbered_key));
    assert_eq!(work_of(&known, numbered_key, (0..HOSTS).rev()), u64::from(HOSTS));
    assert_eq!(work_of(&known, numbered_key, 0..HOSTS), 0, "what was found stays known");
}

#[test]
fn hashed_lines_with_one_key_cost_little_when_hosts_come_nearly_in_order() {
    let key = |_: u32| ED.to_owned();
    let known = load(hashed_file(key));
    assert_eq!(work_of(&known, key, 0..HOSTS), u64::from(HOSTS));
    // 64 at once, the last one first.
    let known = load(hashed_file(key));
    let jumbled = (0..HOSTS).map(|number| number ^ 63).filter(|number| *number < HOSTS);
    assert!(work_of(&known, key, jumbled) < 70 * u64::from(HOSTS));
}

#[test]
fn hashed_lines_of_mixed_types_cost_little_when_hosts_come_in_order() {
    let key = |number: u32| if number.is_multiple_of(2) { ED.to_owned() } else { RSA.to_owned() };
    let known = load(hashed_file(key));
    assert!(work_of(&known, key, 0..HOSTS) <= 3 * u64::from(HOSTS));
}

#[test]
fn a_host_that_is_not_there_is_looked_for_once() {
    let known = load(hashed_file(|_| ED.to_owned()));
    let look = || assert_eq!(word(&known.check("stranger", 22, &blob(ED))), "unknown");
    assert_eq!(work::of(look), u64::from(LINES));
    assert_eq!(work::of(look), 0);
}

#[test]
fn tasks_may_ask_at_once() {
    let known = load(hashed_file(|_| ED.to_owned()));
    thread::scope(|scope| {
        for part in 0..4 {
            let known = &known;
            scope.spawn(move || work_of(known, |_| ED.to_owned(), (part..200).step_by(4)));
        }
    });
}
