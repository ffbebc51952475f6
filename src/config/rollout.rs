//! How the hosts of a task go through it: batches, the failures that it may have, whether they wait for each other.

use std::ops::RangeInclusive;

use crate::config::fields::{literal, quote, word};
use crate::config::findings::Findings;
use crate::config::yaml::Node;
use crate::model::task::{Share, Strategy};

/// Hosts in a batch: more than any inventory has is a slip.
const MOST: usize = 100_000;

/// One size, or a list of them: `2`, `25%`, `[1, 25%]`.
pub(super) fn serial(node: &Node, findings: &mut Findings) -> Vec<Share> {
    match node {
        Node::List(list) if list.items.is_empty() => {
            findings.error(&list.position, "\"serial\" is empty");
            Vec::new()
        }
        Node::List(list) => {
            list.items.iter().filter_map(|item| share(item, "serial", 1..=MOST, 1..=100, findings)).collect()
        }
        single => share(single, "serial", 1..=MOST, 1..=100, findings).into_iter().collect(),
    }
}

/// A number of hosts, or a share of them; 0 is one.
pub(super) fn max_fail(node: &Node, findings: &mut Findings) -> Option<Share> {
    share(node, "max_fail", 0..=MOST, 0..=100, findings)
}

pub(super) fn strategy(node: &Node, findings: &mut Findings) -> Strategy {
    let words = [("free", Strategy::Free), ("linear", Strategy::Linear)];
    word(node, "strategy", &words, findings).unwrap_or_default()
}

fn share(
    node: &Node,
    field: &str,
    hosts: RangeInclusive<usize>,
    percent: RangeInclusive<u8>,
    findings: &mut Findings,
) -> Option<Share> {
    let scalar = literal(node, field, findings)?;
    let text = scalar.text.trim();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let share = match text.strip_suffix('%') {
        Some(share) if digits(share) => {
            share.parse().ok().filter(|share| percent.contains(share)).map(Share::Percent)
        }
        None if digits(text) => text.parse().ok().filter(|count| hosts.contains(count)).map(Share::Hosts),
        Some(_) | None => None,
    };
    if share.is_none() {
        let (least, most) = (hosts.start(), hosts.end());
        findings.error(
            &scalar.position,
            format!(
                "\"{field}\" must be {least}–{most} hosts, or {}%–100%, got {}",
                percent.start(),
                quote(text)
            ),
        );
    }
    share
}
