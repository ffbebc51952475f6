//! Batches: which hosts of a task go through it together.

use std::ops::Range;

use crate::model::task::Share;

/// Splits so many hosts into batches of these sizes, the last size repeated. A batch is never empty.
pub(super) fn batches(sizes: &[Share], hosts: usize) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let mut start = 0;
    let mut sizes_left = sizes.iter();
    let mut size = hosts;
    while start < hosts {
        if let Some(next) = sizes_left.next() {
            size = next.of(hosts);
        }
        let end = start.saturating_add(size.max(1)).min(hosts);
        batches.push(start..end);
        start = end;
    }
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sizes(sizes: &[Share], hosts: usize) -> Vec<usize> {
        batches(sizes, hosts).iter().map(ExactSizeIterator::len).collect()
    }

    #[test]
    fn the_last_size_is_repeated() {
        use Share::{Hosts, Percent};
        assert_eq!(sizes(&[], 5), [5]);
        assert_eq!(sizes(&[Hosts(2)], 5), [2, 2, 1]);
        assert_eq!(sizes(&[Hosts(1), Percent(25)], 10), [1, 2, 2, 2, 2, 1]);
        assert_eq!(sizes(&[Percent(1)], 3), [1, 1, 1], "a share of nobody is one host");
        assert_eq!(sizes(&[Percent(100)], 3), [3]);
        assert_eq!(sizes(&[Hosts(9)], 3), [3]);
        assert!(sizes(&[Hosts(1)], 0).is_empty());
    }

    proptest! {
        #[test]
        fn each_host_is_in_one_batch(
            list in prop::collection::vec(
                prop_oneof![(1usize..20).prop_map(Share::Hosts), (1u8..=100).prop_map(Share::Percent)], 0..4),
            hosts in 0usize..200,
        ) {
            let mut next = 0;
            for batch in batches(&list, hosts) {
                prop_assert_eq!(batch.start, next);
                prop_assert!(!batch.is_empty());
                next = batch.end;
            }
            prop_assert_eq!(next, hosts);
        }
    }
}
