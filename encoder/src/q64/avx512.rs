//! Q64 on AVX-512 with BW and VL: blocks of 64 bytes of data, and masks below that.
//!
//! ```text
//! encode                                              four bytes of data
//! v    = load, its eighths 0 4 1 5 2 6 3 7            b0  b1  b2  b3     unpack puts in order
//! high = (v >> 4 & 0f) + HIGH                         c0  c2  c0  c2     no table
//! low  = A1[v & 0f], A3[v & 0f] on odd bytes          c1  c3  c1  c3     by a mask
//! text = unpacklo(high, low), unpackhi(high, low)     c0 c1 c2 c3  c0 c1 c2 c3
//!
//! decode                                              eight characters
//! s0, s1 = each load, even characters first           c0 c2 c0 c2 .. c1 c3 c1 c3
//! even = unpacklo64(s0, s1)                           c0  c2  c0  c2     eighths 0 2 4 6 1 3 5 7
//! odd  = unpackhi64(s0, s1)                           c1  c3  c1  c3     likewise
//! high, low, refused: as in ssse3.rs                  n0  n2 .. n1  n3
//! data = high << 4 | low, its eighths in order        b0  b1  b2  b3
//! ```
//!
//! The other two kernels for AVX-512 use what this one loads, stores and interleaves with.
//!
//! Tried and lost, as a share of this speed (4 KiB, Zen 4):
//! - a table for the last bytes instead of the overlapped block: 0.18 at 127 bytes
//! - four blocks a turn: nothing

use core::arch::x86_64::*;

use super::ssse3::{self, LOW_NIBBLE};
use super::streaming::{Line, encode_lines};
use super::{ALPHABETS, HIGH, Out, Pair, decode_blocks, encode_blocks, first_offender};
use crate::error::DecodeError;

/// The bytes of data in a block.
pub(super) const BLOCK: usize = 64;

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn encode(data: &[u8], text: &mut [Pair<Out>]) {
    encode_blocks(
        data,
        text,
        |d: &[u8; BLOCK], t| store_block(t, encode_vector(load(d))),
        |d, t| store_short(t, encode_vector(load(d))),
    );
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn encode_streaming(data: &[u8], text: &mut [Pair<Out>]) {
    encode_lines(
        data,
        text,
        |d: &[u8; BLOCK], t| stream(t, encode_vector(load(d))),
        |d, t| encode(d, t),
    );
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn decode(text: &[Pair], data: &mut [Out]) -> Result<(), DecodeError> {
    let block = |text: &[[u8; BLOCK]; 2], data: &mut [Out; BLOCK]| {
        let (bytes, any) = decode_vectors([load(&text[0]), load(&text[1])]);
        store(data, bytes);
        below_16(any)
    };
    let short = |text: &[Pair], data: &mut [Out]| {
        let (bytes, any) = decode_vectors(load_short(text));
        store(data, bytes);
        if below_16(any) {
            Ok(())
        } else {
            Err(first_offender(text, 0))
        }
    };
    decode_blocks(text, data, block, short)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn encode_vector(data: __m512i) -> [__m512i; 2] {
    let v = before_interleave(data);
    interleave(high(v), low(v))
}

/// The data, and a vector that is below 16 everywhere if all characters are good.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn decode_vectors(text: [__m512i; 2]) -> (__m512i, __m512i) {
    let even_first = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    let even_first = _mm512_broadcast_i32x4(even_first);
    let s0 = _mm512_shuffle_epi8(text[0], even_first);
    let s1 = _mm512_shuffle_epi8(text[1], even_first);
    let even = _mm512_unpacklo_epi64(s0, s1);
    let odd = _mm512_unpackhi_epi64(s0, s1);

    let high = _mm512_sub_epi8(even, alternate(HIGH));
    let shifted = _mm512_srli_epi16::<4>(odd);
    let nibble = _mm512_set1_epi8(15);
    let row = _mm512_ternarylogic_epi32::<{ A_OR_B_AND_C }>(alternate([0, 8]), shifted, nibble);
    let low = _mm512_add_epi8(odd, _mm512_shuffle_epi8(table(&LOW_NIBBLE.offset), row));
    let bytes = _mm512_or_si512(_mm512_slli_epi16::<4>(high), low);
    let bytes = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), bytes);

    let class = _mm512_shuffle_epi8(table(&LOW_NIBBLE.class), row);
    let without = _mm512_shuffle_epi8(table(&LOW_NIBBLE.classes_without), odd);
    let any = _mm512_ternarylogic_epi32::<{ A_OR_B_AND_C }>(low, class, without);
    (bytes, _mm512_or_si512(any, high))
}

/// Whether no byte has a bit above its lowest four.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn below_16(v: __m512i) -> bool {
    _mm512_test_epi8_mask(v, _mm512_set1_epi8(0xf0_u8 as i8)) == 0
}

/// Characters of high nibbles.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn high(v: __m512i) -> __m512i {
    let high = _mm512_and_si512(_mm512_srli_epi16::<4>(v), _mm512_set1_epi8(15));
    _mm512_add_epi8(high, alternate(HIGH))
}

/// Characters of low nibbles.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn low(v: __m512i) -> __m512i {
    const ODD_BYTES: __mmask64 = 0xaaaa_aaaa_aaaa_aaaa;
    let x = _mm512_and_si512(v, _mm512_set1_epi8(15));
    let low = _mm512_shuffle_epi8(table(&ALPHABETS[1]), x);
    _mm512_mask_shuffle_epi8(low, ODD_BYTES, table(&ALPHABETS[3]), x)
}

/// Puts the eighths of data where [`interleave`], which works within quarters, takes them in order.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn before_interleave(data: __m512i) -> __m512i {
    _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7), data)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn interleave(high: __m512i, low: __m512i) -> [__m512i; 2] {
    [
        _mm512_unpacklo_epi8(high, low),
        _mm512_unpackhi_epi8(high, low),
    ]
}

/// The truth tables that `vpternlog` wants, made of those of its operands.
pub(super) const A_OR_B_AND_C: i32 = A | B & C;
pub(super) const A_OR_B_OR_C: i32 = A | B | C;
const A: i32 = 0b1111_0000;
const B: i32 = 0b1100_1100;
const C: i32 = 0b1010_1010;

/// One value for even bytes of data and one for odd ones.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn alternate(values: [u8; 2]) -> __m512i {
    _mm512_set1_epi16(i16::from_le_bytes(values))
}

/// A table of 16 bytes in every quarter, where the shuffle looks it up.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn table(bytes: &[u8; 16]) -> __m512i {
    _mm512_broadcast_i32x4(ssse3::load(bytes))
}

/// The first 64 bytes, or as many as there are and then zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn load(bytes: &[u8]) -> __m512i {
    load_or(bytes, _mm512_setzero_si512())
}

/// Text of less than a block, and then characters that are good.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn load_short(text: &[Pair]) -> [__m512i; 2] {
    let good_text = _mm512_set1_epi32(i32::from_le_bytes(ALPHABETS.map(|alphabet| alphabet[0])));
    let (start, end) = text.split_at(text.len().min(BLOCK / 2));
    let first = load_or(start.as_flattened(), good_text);
    let second = if end.is_empty() {
        good_text
    } else {
        load_or(end.as_flattened(), good_text)
    };
    [first, second]
}

/// The first 64 bytes, or as many as there are and then those of `rest`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn load_or(bytes: &[u8], rest: __m512i) -> __m512i {
    // SAFETY: the mask has bits for bytes of the slice alone, and a masked load touches no others.
    unsafe { _mm512_mask_loadu_epi8(rest, mask(bytes.len()), bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn store_block(text: &mut [[Out; BLOCK]; 2], [first, second]: [__m512i; 2]) {
    store(&mut text[0], first);
    store(&mut text[1], second);
}

/// Writes text of less than a block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn store_short(text: &mut [Pair<Out>], [first, second]: [__m512i; 2]) {
    let (start, end) = text.split_at_mut(text.len().min(BLOCK / 2));
    store(start.as_flattened_mut(), first);
    if !end.is_empty() {
        store(end.as_flattened_mut(), second);
    }
}

/// Writes the first 64 bytes, or as many as there are, from the beginning of `v`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn store(bytes: &mut [Out], v: __m512i) {
    // SAFETY: the mask has bits for bytes of the slice alone, and a masked store touches no others.
    unsafe { _mm512_mask_storeu_epi8(bytes.as_mut_ptr().cast(), mask(bytes.len()), v) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn stream(text: &mut [Line; 2], vectors: [__m512i; 2]) {
    for (line, v) in text.iter_mut().zip(vectors) {
        // SAFETY: an exclusive reference to a line is valid for writing 64 bytes, and is aligned to
        // as many, which `stream` asks for; the driver fences.
        unsafe { _mm512_stream_si512(line.0.as_mut_ptr().cast(), v) }
    }
}

/// The lowest `count` bits, or all 64 if that is more. LLVM knows the answer for whole blocks, and
/// makes ordinary loads and stores of them.
#[inline]
fn mask(count: usize) -> __mmask64 {
    let missing = BLOCK.saturating_sub(count);
    u64::MAX.unbounded_shr(missing as u32)
}
