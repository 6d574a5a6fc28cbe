//! Mq64: prefixes of the data, each as Q64, joined with `:`.

use pathproof::{Failure, Outcome};

use super::q64;

/// 64, 128, 256 … while below the length, and the length; none of nothing.
pub(crate) fn default_levels(len: usize) -> Vec<usize> {
    let mut levels = Vec::new();
    let mut level = 64;
    while level < len {
        levels.push(level);
        level *= 2;
    }
    if len > 0 {
        levels.push(len);
    }
    levels
}

/// The prefixes of these lengths, which ascend from 1 or more to all of the data.
pub(crate) fn encode(data: &[u8], levels: &[usize]) -> Outcome<Vec<u8>> {
    let allowed = |index: usize| {
        let least = index.checked_sub(1).map_or(1, |before| levels[before] + 1);
        (least..=data.len()).contains(&levels[index])
    };
    let ends = levels.last().copied().unwrap_or(0) == data.len();
    let wrong = (0..levels.len()).find(|index| !allowed(*index));
    if let Some(index) = wrong.or((!ends).then_some(levels.len())) {
        return Err(Failure::kind("bad_levels").detail([index as u64, data.len() as u64]));
    }
    let segments: Vec<_> = levels
        .iter()
        .map(|&level| q64::encode(&data[..level]))
        .collect();
    Ok(segments.join(&b':'))
}

/// Segment by segment: not empty, not odd, good characters, and more than the segment before, with which it begins.
pub(crate) fn decode(text: &[u8]) -> Outcome<Vec<u8>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut start = 0;
    let mut before: &[u8] = &[];
    let mut data = Vec::new();
    for segment in text.split(|byte| *byte == b':') {
        if segment.is_empty() {
            return Err(Failure::at("empty_segment", start));
        }
        data = q64::decode(segment).map_err(|refusal| Failure {
            at: Some(start + refusal.at.unwrap_or(0)),
            ..refusal
        })?;
        for at in 0..=before.len() {
            let due = before.get(at);
            let is = segment.get(at);
            // The first byte behind the segment before may be any, but there must be one.
            if is.is_none() || (due.is_some() && due != is) {
                return Err(Failure::at("not_a_prefix", start + at));
            }
        }
        start += segment.len() + 1;
        before = segment;
    }
    Ok(data)
}
