//! Top-k on AVX2, with the bit instructions that came with it.
//!
//! ```text
//! at least    max(v, value) = v         AVX2 compares signed bytes only, but knows their maximum
//! equal       v = value
//! mask        vpmovmskb of both halves
//! lowest      pdep(2^count - 1, mask)   the bits of a number, put where the mask has its own
//! ```
//!
//! Tried and lost, as a share of this speed (384 / 768 / 1,536 bytes, k of 8 and 32, Zen 3):
//! - ties by a branch instead of `pdep`: 0.8 to 0.95
//! - an index at a time instead of four: 0.85 / 0.96 / 1.08 where k is 8, 0.87 / 0.77 / 0.79 where it
//!   is 32; eight at a time: 0.9, and 1.1 / 1.0 / 0.9
//! - the places of eight bits of a mask at once, from a table and without a branch: 0.75 / 0.7 / 0.65
//!   where k is 8, 0.95 / 0.75 / 0.7 where it is 32
//! - blocks of 32 bytes: 0.65 to 0.75
//! - counts of bytes in vectors, summed by `vpsadbw` after the last block: 0.97 / 1.1 / 1.2, a second
//!   way to count, with a bound on its blocks; summed after each block: 0.94 / 1.02 / 1.1
//! - three values a pass instead of one, so that there are four passes: 1.0 / 0.95 / 0.9
//! - bisection of a range that the maxima of each lane give: 1.02 / 1.08 / 1.08, for as much code again

#![forbid(unsafe_code)]

use core::arch::x86_64::*;

use super::{BLOCK, Block, Blocks, Masks, cut, emit};
use crate::q64::{self, Out, Pair};

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn top_k(data: &[u8], k: usize, text: &mut [Pair<Out>]) {
    let mut last = [0; BLOCK];
    let blocks = Blocks::of(data, &mut last);
    let count = |b: &Block, least| masks(b, least).at_least.count_ones() as usize;
    let cut = cut(&blocks, k, |blocks, least| {
        blocks.iter().map(|b| count(b, least)).sum()
    });
    emit(
        &blocks,
        cut,
        text,
        |b, value| masks(b, value),
        |mask, count| lowest(mask, count),
        |bytes, t| q64::avx2::encode(bytes, t),
    );
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn masks(block: &Block, value: u8) -> Masks {
    let value = _mm256_set1_epi8(value as i8);
    let (halves, _) = block.as_chunks::<32>();
    let [first, second] = [q64::avx2::load(&halves[0]), q64::avx2::load(&halves[1])];
    let at_least = |v| _mm256_cmpeq_epi8(_mm256_max_epu8(v, value), v);
    let equal = |v| _mm256_cmpeq_epi8(v, value);
    Masks {
        at_least: mask([at_least(first), at_least(second)]),
        equal: mask([equal(first), equal(second)]),
    }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn mask(halves: [__m256i; 2]) -> u64 {
    let [first, second] = halves.map(|half| u64::from(_mm256_movemask_epi8(half) as u32));
    first | second << 32
}

/// The lowest `count` of the bits that are set, or all if there are no more.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn lowest(mask: u64, count: usize) -> u64 {
    _pdep_u64(_bzhi_u64(u64::MAX, count.min(64) as u32), mask)
}
