//! Buffers that are shorter or longer than the text: encoders that do not keep to what they are handed.

use pathproof::{Failure, Input, Outcome};

use super::codec::encode;

/// What a buffer is called that the text does not fit.
pub(super) const SHORT: &str = "no_room";

/// Refuses, and touches nothing but the text.
pub(super) fn encode_where_it_fits(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    match out.get_mut(..2 * i.bytes().len()) {
        Some(text) => Ok(encode(i.bytes(), text)),
        None => Err(Failure::kind(SHORT)),
    }
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
        _ => Err(Failure::kind(SHORT)),
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
