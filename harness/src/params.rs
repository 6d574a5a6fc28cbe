//! The values that parameters take: every combination in a sweep, any value between in a random case.

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

/// Any value between the least and the greatest swept one where all are single numbers, else one of them.
pub(crate) fn random(operation: &Operation, draw: &mut TestRng) -> Params {
    let mut value = |swept: &Vec<Vec<u64>>| -> Vec<u64> {
        let drawn = draw.next_u64();
        if swept.iter().all(|v| v.len() == 1) {
            let (low, high) = swept
                .iter()
                .fold((u64::MAX, 0), |(l, h), v| (l.min(v[0]), h.max(v[0])));
            return vec![low + drawn % (high - low).saturating_add(1)];
        }
        swept[(drawn % swept.len() as u64) as usize].clone()
    };
    operation
        .params
        .iter()
        .map(|(name, swept)| (name.clone(), value(swept)))
        .collect()
}
