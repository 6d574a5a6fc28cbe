//! Q64 on AVX2: blocks of 32 bytes of data, and of 16 where 32 are too many.
//!
//! ```text
//! encode                                              four bytes of data
//! v    = load, its quarters in the order 0 2 1 3      b0  b1  b2  b3     see `QUARTERS_0213`
//! high = (v >> 4 & 0f) + HIGH                         c0  c2  c0  c2     no table
//! low  = blend(A1[v & 0f], A3[v & 0f] on odd bytes)   c1  c3  c1  c3
//! text = unpacklo(high, low), unpackhi(high, low)     c0 c1 c2 c3  c0 c1 c2 c3
//!
//! decode                                              eight characters
//! even = packus(w0 & 00ff, w1 & 00ff)                 c0  c2  c0  c2     quarters 0 2 1 3
//! odd  = packus(w0 >> 8, w1 >> 8)                     c1  c3  c1  c3     quarters 0 2 1 3
//! high, low, refused: as in ssse3.rs                  n0  n2 .. n1  n3
//! data = high << 4 | low, its quarters 0 2 1 3        b0  b1  b2  b3     in order again
//! ```
//!
//! From 16 to 31 bytes are two overlapping blocks of ssse3.rs. They are inlined here, and so are
//! VEX-encoded.
//!
//! Tried and lost, as a share of this speed (4 KiB):
//! - a table for the last bytes instead of the overlapped block: 0.34 at 127 bytes
//!   (Zen 4)
//! - decoding without the last `vpermq`, by loading quarters in order with `vinserti128`: 0.97
//!   (Zen 3, one build)
//! - a class bit for each row of characters, and a subtraction to compare with 15: 0.96 (Zen 3)
//! - splitting even from odd characters by shuffles, as in ssse3.rs: nothing (Zen 3)
//! - four blocks a turn: nothing (Zen 4)

use core::arch::x86_64::*;

use super::ssse3::{self, LOW_NIBBLE};
use super::streaming::{Line, encode_lines};
use super::{ALPHABETS, HIGH, Out, Pair, decode_blocks, encode_blocks, scalar};
use crate::error::DecodeError;

/// The bytes of data in a block.
const BLOCK: usize = 32;

#[target_feature(enable = "avx2")]
pub(crate) fn encode(data: &[u8], text: &mut [Pair<Out>]) {
    let halves = |data: &[u8], text: &mut [Pair<Out>]| {
        encode_blocks(data, text, |d, t| ssse3::encode_block(d, t), scalar::encode);
    };
    let block = |data: &[u8; BLOCK], text: &mut [[Out; BLOCK]; 2]| {
        let [first, second] = encode_vector(load(data));
        store(&mut text[0], first);
        store(&mut text[1], second);
    };
    encode_blocks(data, text, block, halves);
}

#[target_feature(enable = "avx2")]
pub(super) fn encode_streaming(data: &[u8], text: &mut [Pair<Out>]) {
    encode_lines(
        data,
        text,
        |d: &[u8; BLOCK], t| stream(t, encode_vector(load(d))),
        |d, t| encode(d, t),
    );
}

#[target_feature(enable = "avx2")]
pub(super) fn decode(text: &[Pair], data: &mut [Out]) -> Result<(), DecodeError> {
    let halves = |text: &[Pair], data: &mut [Out]| {
        decode_blocks(text, data, |t, d| ssse3::decode_block(t, d), scalar::decode)
    };
    decode_blocks(text, data, |t, d| decode_block(t, d), halves)
}

#[inline]
#[target_feature(enable = "avx2")]
fn encode_vector(data: __m256i) -> [__m256i; 2] {
    let v = _mm256_permute4x64_epi64::<QUARTERS_0213>(data);
    let nibble = _mm256_set1_epi8(15);
    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(v), nibble);
    let high = _mm256_add_epi8(high, alternate(HIGH));
    let x = _mm256_and_si256(v, nibble);
    let low = _mm256_blendv_epi8(
        _mm256_shuffle_epi8(table(&ALPHABETS[1]), x),
        _mm256_shuffle_epi8(table(&ALPHABETS[3]), x),
        alternate([0, 0x80]),
    );
    [
        _mm256_unpacklo_epi8(high, low),
        _mm256_unpackhi_epi8(high, low),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn decode_block(text: &[[u8; BLOCK]; 2], data: &mut [Out; BLOCK]) -> bool {
    let (w0, w1) = (load(&text[0]), load(&text[1]));
    let low_byte = _mm256_set1_epi16(0xff);
    let even = _mm256_packus_epi16(
        _mm256_and_si256(w0, low_byte),
        _mm256_and_si256(w1, low_byte),
    );
    let odd = _mm256_packus_epi16(_mm256_srli_epi16::<8>(w0), _mm256_srli_epi16::<8>(w1));

    let high = _mm256_sub_epi8(even, alternate(HIGH));
    let row = _mm256_and_si256(_mm256_srli_epi16::<4>(odd), _mm256_set1_epi8(15));
    let row = _mm256_or_si256(row, alternate([0, 8]));
    let low = _mm256_add_epi8(odd, _mm256_shuffle_epi8(table(&LOW_NIBBLE.offset), row));

    let refused = _mm256_and_si256(
        _mm256_shuffle_epi8(table(&LOW_NIBBLE.class), row),
        _mm256_shuffle_epi8(table(&LOW_NIBBLE.classes_without), odd),
    );
    let any = _mm256_or_si256(_mm256_or_si256(high, low), refused);
    let bytes = _mm256_or_si256(_mm256_slli_epi16::<4>(high), low);
    store(data, _mm256_permute4x64_epi64::<QUARTERS_0213>(bytes));
    _mm256_testz_si256(any, _mm256_set1_epi8(ABOVE_15)) == 1
}

/// The bits that no nibble has.
const ABOVE_15: i8 = 0xf0_u8 as i8;

/// The order of quarters that undoes, before or after, that unpack and pack work within halves.
const QUARTERS_0213: i32 = 0b11_01_10_00;

/// One value for even bytes of data and one for odd ones.
#[inline]
#[target_feature(enable = "avx2")]
fn alternate(values: [u8; 2]) -> __m256i {
    _mm256_set1_epi16(i16::from_le_bytes(values))
}

/// A table of 16 bytes in both halves, where the shuffle looks it up.
#[inline]
#[target_feature(enable = "avx2")]
fn table(bytes: &[u8; 16]) -> __m256i {
    _mm256_broadcastsi128_si256(ssse3::load(bytes))
}

#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: a reference to 32 bytes is valid for reading 32 bytes; `loadu` asks for no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(bytes: &mut [Out; 32], v: __m256i) {
    // SAFETY: an exclusive reference to 32 bytes is valid for writing 32 bytes; `storeu` asks for
    // no alignment.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), v) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn stream([Line(bytes)]: &mut [Line; 1], [first, second]: [__m256i; 2]) {
    let (halves, _) = bytes.as_chunks_mut::<32>();
    for (half, v) in halves.iter_mut().zip([first, second]) {
        // SAFETY: an exclusive reference to half a line is valid for writing 32 bytes, and is aligned
        // to as many, which `stream` asks for; the driver fences.
        unsafe { _mm256_stream_si256(half.as_mut_ptr().cast(), v) }
    }
}
