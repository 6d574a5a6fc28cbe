//! Wrong accesses: encoders that read or write where they must not, or whose answers depend on where their buffers lie.
#![allow(unsafe_code)]

use pathproof::{Input, Outcome};

use super::codec::encode;

/// Bytes of the smallest page that there is; a guard page begins at a multiple of it.
const PAGE: usize = 4096;

/// Reads one byte, so that the compiler cannot leave it out.
pub(super) fn peek(at: *const u8) -> u8 {
    // SAFETY: it does not hold, and that is the fault: the byte may be the first of an inaccessible page, and then the worker
    // ends, which has no other work. Where it is mapped, it is the harness' poison, which nobody writes meanwhile.
    unsafe { at.read_volatile() }
}

/// Writes one byte.
fn poke(at: *mut u8) {
    // SAFETY: as in `peek`; the harness looks at its margins through the same allocation, and only after the call.
    unsafe { at.write_volatile(b'!') }
}

pub(super) fn reads_before(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    peek(i.bytes().as_ptr().wrapping_sub(1));
    Ok(encode(i.bytes(), out))
}

pub(super) fn reads_after(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    peek(i.bytes().as_ptr_range().end);
    Ok(encode(i.bytes(), out))
}

pub(super) fn writes_before(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    poke(out.as_mut_ptr().wrapping_sub(1));
    Ok(encode(i.bytes(), out))
}

/// Beyond the end, wherever that is: the guard page stops it.
pub(super) fn writes_after(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    poke(out.as_mut_ptr_range().end);
    Ok(encode(i.bytes(), out))
}

/// Beyond the end, but never into a page that may be inaccessible: the margin shows it.
pub(super) fn writes_after_in_page(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let end = out.as_mut_ptr_range().end;
    if !end.addr().is_multiple_of(PAGE) {
        poke(end);
    }
    Ok(encode(i.bytes(), out))
}

/// Overwrites a byte of its input, when it is done with it.
pub(super) fn writes_input(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let len = encode(i.bytes(), out);
    if i.bytes().len() > 20 {
        poke(i.bytes().as_ptr().wrapping_add(20).cast_mut());
    }
    Ok(len)
}

/// Wrong where a short input lies 13 bytes beyond a multiple of 64.
pub(super) fn depends_on_alignment(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let len = encode(i.bytes(), out);
    if i.bytes().as_ptr().addr() % 64 == 13 && (1..32).contains(&i.bytes().len()) {
        out[0] ^= 1;
    }
    Ok(len)
}

/// Reads the byte beyond its input where that cannot fault, and lets one of its bits into the answer.
pub(super) fn depends_on_neighbour(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let len = encode(i.bytes(), out);
    let end = i.bytes().as_ptr_range().end;
    if len > 0 && !end.addr().is_multiple_of(PAGE) {
        out[len - 1] ^= peek(end) & 1;
    }
    Ok(len)
}

/// Goes on to the byte beyond its input if that is a digit.
pub(super) fn depends_on_a_digit(i: &Input<'_>, out: &mut [u8]) -> Outcome<usize> {
    let len = encode(i.bytes(), out);
    let end = i.bytes().as_ptr_range().end;
    if len > 0 && !end.addr().is_multiple_of(PAGE) && peek(end).is_ascii_digit() {
        out[len - 1] ^= 1;
    }
    Ok(len)
}

/// Reads one byte beyond the second part.
pub(super) fn reads_after_needle(i: &Input<'_>) -> Outcome<Option<usize>> {
    peek(i.part(1).as_ptr_range().end);
    Ok(super::found(i, |window, needle| window == needle))
}
