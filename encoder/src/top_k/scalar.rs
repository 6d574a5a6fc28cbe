//! Top-k in plain Rust, for every target.
//!
//! ```text
//! count    bytes that are at least a value: 1 or 0 for each, added as bytes
//!
//! masks    eight flags, 1 or 0           f0 f1 f2 f3 f4 f5 f6 f7
//!          times 01 02 04 .. 80          their products meet in the highest byte, one bit each
//! ```
//!
//! Compilers make vectors of the loops over a block, with what every CPU of the target has: SSE2 on
//! x86-64, NEON on AArch64.
//!
//! Tried and lost, as a share of this speed (384 to 1,536 bytes, k of 8 and 32, Zen 3):
//! - a histogram, and a walk down from 255, instead of bisection: 0.45 to 0.55
//! - counts for each lane, so that a block need not be summed: 0.1 to 0.2
//! - masks by shifts of each flag, without a product: 0.4
//! - masks of eight bytes by arithmetic on a `u64`, skipped if none of them is taken: 0.95 to 1.3 where
//!   k is 8, 0.65 to 0.95 where it is 32

#![forbid(unsafe_code)]

use super::{BLOCK, Block, Blocks, Masks, cut, emit};
use crate::q64::{self, Out, Pair};

pub(super) fn top_k(data: &[u8], k: usize, text: &mut [Pair<Out>]) {
    let mut last = [0; BLOCK];
    let blocks = Blocks::of(data, &mut last);
    let cut = cut(&blocks, k, count);
    emit(&blocks, cut, text, masks, lowest, q64::scalar::encode);
}

// Out of line, because LLVM else makes eight copies of it, one for each turn of the bisection.
#[inline(never)]
fn count(blocks: &Blocks<'_>, least: u8) -> usize {
    let flag = |byte: &u8| u8::from(*byte >= least);
    let count = |block: &Block| block.iter().map(flag).sum::<u8>();
    blocks.iter().map(|block| usize::from(count(block))).sum()
}

#[inline]
fn masks(block: &Block, value: u8) -> Masks {
    Masks {
        at_least: mask(block.map(|byte| u8::from(byte >= value))),
        equal: mask(block.map(|byte| u8::from(byte == value))),
    }
}

/// The mask of flags that are 1 or 0.
#[inline]
fn mask(flags: [u8; BLOCK]) -> u64 {
    const MEET: u64 = 0x0102_0408_1020_4080;
    let mut bytes = [0; BLOCK / 8];
    for (byte, flags) in bytes.iter_mut().zip(flags.as_chunks().0) {
        *byte = (u64::from_le_bytes(*flags).wrapping_mul(MEET) >> 56) as u8;
    }
    u64::from_le_bytes(bytes)
}

/// The lowest `count` of the bits that are set, or all if there are no more.
#[inline]
fn lowest(mask: u64, count: usize) -> u64 {
    if count >= mask.count_ones() as usize {
        return mask;
    }
    let mut others = mask;
    for _ in 0..count {
        others &= others - 1;
    }
    mask & !others
}
