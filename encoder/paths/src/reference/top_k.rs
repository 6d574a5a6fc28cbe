//! Top-k: everything is sorted, the greatest first, and equals by index.

use pathproof::{Failure, Outcome};

/// The text of the indices of the `k` largest bytes: one byte each up to 256 bytes of data, else two, and ones where there is none.
pub(crate) fn top_k(data: &[u8], k: usize) -> Outcome<Vec<u8>> {
    if data.len() > 65_535 {
        return Err(Failure::kind("too_long").detail([data.len() as u64, 65_535]));
    }
    if k > 65_535 {
        return Err(Failure::kind("too_many").detail([k as u64, 65_535]));
    }
    let mut ranking: Vec<(std::cmp::Reverse<u8>, u16)> = data
        .iter()
        .copied()
        .map(std::cmp::Reverse)
        .zip(0..)
        .collect();
    ranking.sort();
    let mut indices: Vec<u16> = ranking
        .into_iter()
        .map(|(_, index)| index)
        .take(k)
        .collect();
    indices.sort();
    indices.resize(k, u16::MAX);
    Ok(super::q64::encode(&match width(data.len()) {
        1 => indices.iter().map(|index| *index as u8).collect::<Vec<_>>(),
        _ => indices.into_iter().flat_map(u16::to_be_bytes).collect(),
    }))
}

/// The length of that text.
pub(crate) fn len(data_len: usize, k: usize) -> usize {
    2 * width(data_len) * k
}

/// The bytes of an index.
pub(crate) fn width(data_len: usize) -> usize {
    if data_len <= 256 { 1 } else { 2 }
}
