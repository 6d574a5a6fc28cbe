//! What kernels with streaming stores share: the driver, for text that starts anywhere, of stores
//! that must be aligned.
//!
//! ```text
//! text      |- head -|======|======|======|- tail -|
//!                    ^ a multiple of 64
//! ```
//!
//! Head and tail, less than a block each, are left to the ordinary kernel. The code repeats every 4
//! characters, so that the head must be a multiple of that; where it cannot be, the ordinary kernel
//! takes all.

use core::arch::x86_64::_mm_sfence;

use super::{Out, Pair};

/// A line of the cache. Streaming stores gain only if they fill whole ones, one after the other.
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [Out; 64]);

/// Encodes `data` by blocks of `N` bytes, whose text is `L` lines; `block` writes them with
/// streaming stores. As the drivers of `mod.rs` it is inlined into the kernel.
#[inline(always)]
pub(super) fn encode_lines<const N: usize, const L: usize>(
    data: &[u8],
    text: &mut [Pair<Out>],
    block: impl Fn(&[u8; N], &mut [Line; L]),
    ordinary: impl Fn(&[u8], &mut [Pair<Out>]),
) {
    const { assert!(2 * N == size_of::<[Line; L]>()) };
    assert!(
        data.len() == text.len(),
        "a pair of characters for every byte"
    );
    // SAFETY: a line is any 64 bytes, and they need not be initialised, as those of `text` need not.
    let (head, lines, tail) = unsafe { text.as_flattened_mut().align_to_mut::<[Line; L]>() };
    if !head.len().is_multiple_of(4) {
        return ordinary(data, text);
    }
    let (first, data) = data.split_at(head.len() / 2);
    let (blocks, last) = data.split_at(lines.len() * N);
    ordinary(first, head.as_chunks_mut().0);
    for (data, lines) in blocks.as_chunks().0.iter().zip(lines) {
        block(data, lines);
    }
    // Streaming stores are not ordered with others; after this they are, so that a thread that is
    // told of the text finds it.
    // SAFETY: the fence asks for SSE, which every x86-64 CPU has.
    unsafe { _mm_sfence() };
    ordinary(last, tail.as_chunks_mut().0);
}
