//! The values that parameters take: every combination in a sweep, any value between in a random case, any list like one of those.

use proptest::prelude::Rng as _;
use proptest::test_runner::TestRng;

use crate::operation::{Operation, Params, Text};

/// Every combination of swept values; one empty set where there is no parameter.
pub(crate) fn swept(operation: &Operation) -> Vec<Params> {
    operation
        .params
        .iter()
        .fold(vec![Params::new()], |known, (name, swept)| {
            let with = |params: &Params, value: &Vec<u64>| {
                let mut params = params.clone();
                params.insert(name.clone(), value.clone());
                params
            };
            known
                .iter()
                .flat_map(|params| swept.iter().map(move |value| with(params, value)))
                .collect()
        })
}

/// The values with which receipts, counts and times are taken: the usual ones, else the first that are swept.
pub(crate) fn usual(operation: &Operation) -> Params {
    let value = |(name, swept): &(Text, Vec<Vec<u64>>)| {
        let usual = operation.usual.get(name).or_else(|| swept.first());
        (name.clone(), usual.cloned().unwrap_or_default())
    };
    operation.params.iter().map(value).collect()
}

/// For a random case: any value between the least and the greatest swept one where all are single numbers, else a list that
/// resembles one of them.
pub(crate) fn random(operation: &Operation, draw: &mut TestRng) -> Params {
    let each = operation.params.iter();
    each.map(|(name, swept)| (name.clone(), near(swept, draw)))
        .collect()
}

/// A value that resembles those that are swept: any number between the least and the greatest, or a list like one of them.
pub(crate) fn near(swept: &[Vec<u64>], draw: &mut TestRng) -> Vec<u64> {
    let numbers = swept.iter().flatten().copied();
    let (low, high) = numbers.fold((u64::MAX, 0), |(l, h), n| (l.min(n), h.max(n)));
    if low > high {
        return Vec::new();
    }
    if swept.iter().all(|v| v.len() == 1) {
        return vec![low + draw.next_u64() % (high - low).saturating_add(1)];
    }
    let list = swept[(draw.next_u64() % swept.len() as u64) as usize].clone();
    let least = swept.iter().map(Vec::len).min().unwrap_or(0);
    resembling(list, (low, high), least, draw)
}

/// A list as it is, a beginning of it, the same in another order, or with one or two small changes: of no fewer numbers than
/// `least`, and of none that is not between `low` and `high`.
fn resembling(
    mut list: Vec<u64>,
    (low, high): (u64, u64),
    least: usize,
    draw: &mut TestRng,
) -> Vec<u64> {
    let mut below = |n: usize| (draw.next_u64() % n as u64) as usize;
    match below(4) {
        0 => {}
        1 => list.truncate(least + below(list.len() - least + 1)),
        2 => (1..list.len())
            .rev()
            .for_each(|i| list.swap(i, below(i + 1))),
        _ => {
            for _ in 0..=below(2) {
                let between = low + (below(usize::MAX) as u64) % (high - low).saturating_add(1);
                let at = below(list.len() + 1);
                let next = |n: u64| n.saturating_add(1).min(high);
                match (below(5), list.get(at).copied()) {
                    (0, Some(_)) if list.len() > least => drop(list.remove(at)),
                    (1, Some(n)) => list[at] = next(n),
                    (2, Some(n)) => list[at] = n.saturating_sub(1).max(low),
                    (3, Some(n)) => list.insert(at, n),
                    _ => list.insert(at, between),
                }
            }
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::BTreeSet;

    fn drawn(swept: &[&[u64]]) -> BTreeSet<Vec<u64>> {
        let operation = Operation::new("op", |i| Ok(i.bytes().len())).param("cuts", swept);
        let mut draw = crate::case::rng(1);
        let one = |_| random(&operation, &mut draw).remove("cuts");
        (0..20_000).filter_map(one).collect()
    }

    #[test]
    fn a_number_is_any_between_the_swept_ones() {
        let drawn = drawn(&[&[3], &[9]]);
        assert_eq!(drawn, (3..=9).map(|n| vec![n]).collect());
    }

    #[test]
    fn a_list_resembles_a_swept_one() {
        let drawn = drawn(&[&[7, 64, 30], &[2]]);
        for list in [
            &[7, 64, 30][..],
            &[7],
            &[7, 64],
            &[64, 30, 7],
            &[8, 64, 30],
            &[7, 63, 30],
            &[7, 7, 64, 30],
            &[64, 30],
            &[2, 30],
            &[3],
        ] {
            assert!(drawn.contains(list), "{list:?}");
        }
        // No shorter than what is swept, nor of other numbers.
        assert!(drawn.iter().all(|list| (1..=5).contains(&list.len())));
        assert!(drawn.iter().flatten().all(|n| (2..=64).contains(n)));
    }

    #[test]
    fn an_empty_list_is_drawn_where_one_is_swept() {
        assert_eq!(drawn(&[&[]]), BTreeSet::from([vec![]]));
        let both = drawn(&[&[], &[5, 6]]);
        assert!(both.contains(&vec![]) && both.contains(&vec![5]) && both.contains(&vec![6, 5]));
        assert!(!drawn(&[&[5], &[5, 6]]).contains(&vec![]));
    }
}
