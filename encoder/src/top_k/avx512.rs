//! Top-k on AVX-512 with BW, which compares a block of unsigned bytes in one instruction, and its
//! answer is the mask.

#![forbid(unsafe_code)]

use core::arch::x86_64::*;

use super::avx2::lowest;
use super::{BLOCK, Block, Blocks, Masks, cut, emit};
use crate::q64::{self, Out, Pair};

#[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1,bmi2,popcnt")]
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
        |bytes, t| q64::avx512::encode(bytes, t),
    );
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1,bmi2,popcnt")]
fn masks(block: &Block, value: u8) -> Masks {
    let (v, value) = (q64::avx512::load(block), _mm512_set1_epi8(value as i8));
    Masks {
        at_least: _mm512_cmpge_epu8_mask(v, value),
        equal: _mm512_cmpeq_epi8_mask(v, value),
    }
}
