//! Encoders that work on other threads than the caller's: each half of the bytes on one of a pool.

use pathproof::{Input, Outcome};

use super::codec::{PAIRS, encode_with, pairs};
use super::memory::peek;

/// Both halves at once, neither of them on the thread that calls: outside of the pool, `join` hands both to it.
fn join(
    i: &Input<'_>,
    out: &mut [u8],
    first: impl Fn(&[u8], &mut [u8]) -> usize + Sync,
    second: impl Fn(&[u8], &mut [u8]) -> usize + Sync,
) -> Outcome<usize> {
    let middle = i.bytes().len() / 2;
    let (bytes, more) = i.bytes().split_at(middle);
    let (text, rest) = out.split_at_mut(2 * middle);
    let (first, second) = rayon::join(|| first(bytes, text), || second(more, rest));
    Ok(first + second)
}

fn encode(bytes: &[u8], out: &mut [u8]) -> usize {
    encode_with(&PAIRS, bytes, out)
}

pub(super) fn halves(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    join(i, out, encode, encode)
}

/// The second half by another table.
pub(super) fn wrong_half(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    const OTHER: super::codec::Pairs = pairs(b"0123456789abcdeF");
    join(i, out, encode, |bytes, out| encode_with(&OTHER, bytes, out))
}

/// The second half reads one byte beyond its end, which is the input's.
pub(super) fn reads_after(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    join(i, out, encode, |bytes, out| {
        peek(bytes.as_ptr_range().end);
        encode(bytes, out)
    })
}

/// Both halves read the byte beyond the input's end: two threads fault at once.
pub(super) fn both_read_after(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let end = i.bytes().as_ptr_range().end.addr();
    let reads = |bytes: &[u8], out: &mut [u8]| {
        peek(bytes.as_ptr().with_addr(end));
        encode(bytes, out)
    };
    join(i, out, reads, reads)
}

pub(super) fn panics(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    join(i, out, encode, |bytes, out| {
        assert!(bytes.len() < 9, "a half of 9 bytes or more");
        encode(bytes, out)
    })
}
