//! Buffers that are shorter or longer than the text: encoders that do not keep to what they are handed.

use pathproof::{Failure, Input, Outcome};

use super::codec::encode;

/// How a buffer is refused that the text does not fit.
pub(super) fn too_short(needed: usize, available: usize) -> Failure {
    Failure::kind("no_room").detail([needed as u64, available as u64])
}

/// Refuses, and touches nothing but the text.
pub(super) fn encode_where_it_fits(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let (needed, available) = (2 * i.bytes().len(), out.len());
    match out.get_mut(..needed) {
        Some(text) => Ok(encode(i.bytes(), text)),
        None => Err(too_short(needed, available)),
    }
}

/// Counts a byte more than there was.
pub(super) fn says_another_size(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    encode_where_it_fits(i, out).map_err(|_| too_short(2 * i.bytes().len(), out.len() + 1))
}

/// Indexes without a look at the length.
pub(super) fn panics_when_short(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    Ok(encode(i.bytes(), out))
}

/// Encodes as much as fits, and says nothing.
pub(super) fn cuts(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let fit = i.bytes().len().min(out.len() / 2);
    Ok(encode(&i.bytes()[..fit], out))
}

/// Encodes as much as fits, and refuses then.
pub(super) fn starts_before_it_looks(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    match cuts(i, out)? {
        len if len == 2 * i.bytes().len() => Ok(len),
        _ => Err(too_short(2 * i.bytes().len(), out.len())),
    }
}

/// Ends the text with a zero where there is room for one.
pub(super) fn ends_with_a_zero(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let len = encode_where_it_fits(i, out)?;
    if let Some(next) = out.get_mut(len) {
        *next = 0;
    }
    Ok(len)
}
