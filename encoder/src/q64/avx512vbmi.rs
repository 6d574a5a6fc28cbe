//! Q64 on AVX-512 with VBMI: blocks of 64 bytes of data, and masks below that.
//!
//! ```text
//! encode                                                          lanes of a group of four bytes
//! v    = load, eighths 0 4 1 5 2 6 3 7                            b0   b1   b2   b3     so that unpack is in order
//! high = (v >> 4 & 0f) + HIGH                                     c0   c2   c0   c2     no table
//! low  = ALPHABETS[v & 0f | 10 on even bytes, 30 on odd ones]     c1   c3   c1   c3     one permute, 64 entries
//! text = unpacklo(high, low), unpackhi(high, low)                 c0 c1 c2 c3  c0 c1 c2 c3
//!
//! decode                                                          lanes of a group of eight characters
//! even = bytes 0 2 4 .. 126 of both loads                         c0   c2   c0   c2     in order: no lanes here
//! odd  = bytes 1 3 5 .. 127 of both loads                         c1   c3   c1   c3
//! high = even - HIGH                                              n0   n2   n0   n2     good below 16
//! low  = MEANING[odd & 7f] ^ (10 on even bytes, 30 on odd ones)   n1   n3   n1   n3     good below 16, and if odd < 80
//! data = high << 4 | low                                          b0   b1   b2   b3
//! ```
//!
//! Tried and lost, as a share of this speed: `vpmultishiftqb` for both nibbles 0.95; the high
//! nibble by `vpermb` too 0.94; two `vpermt2b` instead of `vpermq` and two unpacks 0.92; a table
//! for the last bytes instead of the overlapped block down to 0.18; prefetching 0.82; four blocks a
//! turn, nothing won.

use core::arch::x86_64::*;

use super::{
    ALPHABETS, HIGH, MEANING, NO_CHARACTER, Out, Pair, decode_blocks, encode_blocks, first_offender,
};
use crate::error::DecodeError;

/// The bytes of data in a block.
const BLOCK: usize = 64;

/// The place of the low nibble's alphabet in [`ALPHABETS`] as one table, for even and odd bytes of
/// data.
const LOW: [u8; 2] = [0x10, 0x30];

/// What an ASCII character of a low nibble means: `alphabet << 4 | nibble`; bit 7 for all others.
static LOW_MEANING: [[u8; 64]; 2] = {
    let mut table = [[0x80; 64]; 2];
    let mut code = 0;
    while code < 128 {
        let meaning = MEANING[code];
        if meaning != NO_CHARACTER && (meaning >> 4) % 2 == 1 {
            table[code / 64][code % 64] = meaning;
        }
        code += 1;
    }
    table
};

/// The even numbers below 128, then the odd ones.
static EVEN_ODD: [[u8; 64]; 2] = {
    let mut table = [[0; 64]; 2];
    let mut i = 0;
    while i < 128 {
        table[i % 2][i / 2] = i as u8;
        i += 1;
    }
    table
};

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(super) fn encode(data: &[u8], text: &mut [Pair<Out>]) {
    let block = |data: &[u8; BLOCK], text: &mut [[Out; BLOCK]; 2]| {
        let [first, second] = encode_vector(load(data, _mm512_setzero_si512()));
        store(&mut text[0], first);
        store(&mut text[1], second);
    };
    encode_blocks(data, text, block, |d, t| encode_short(d, t));
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(super) fn decode(text: &[Pair], data: &mut [Out]) -> Result<(), DecodeError> {
    let block = |text: &[[u8; BLOCK]; 2], data: &mut [Out; BLOCK]| {
        let none = _mm512_setzero_si512();
        let (bytes, good) = decode_vectors(load(&text[0], none), load(&text[1], none));
        store(data, bytes);
        good
    };
    decode_blocks(text, data, block, |t, d| decode_short(t, d))
}

/// Encodes less than a block.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn encode_short(data: &[u8], text: &mut [Pair<Out>]) {
    if data.is_empty() {
        return;
    }
    let [first, second] = encode_vector(load(data, _mm512_setzero_si512()));
    let (start, end) = text.split_at_mut(text.len().min(BLOCK / 2));
    store(start.as_flattened_mut(), first);
    if !end.is_empty() {
        store(end.as_flattened_mut(), second);
    }
}

/// Decodes less than a block.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn decode_short(text: &[Pair], data: &mut [Out]) -> Result<(), DecodeError> {
    if text.is_empty() {
        return Ok(());
    }
    // Where there is no text, characters that are good.
    let good_text = _mm512_set1_epi32(i32::from_le_bytes(ALPHABETS.map(|alphabet| alphabet[0])));
    let (start, end) = text.split_at(text.len().min(BLOCK / 2));
    let first = load(start.as_flattened(), good_text);
    let second = if end.is_empty() {
        good_text
    } else {
        load(end.as_flattened(), good_text)
    };
    let (bytes, good) = decode_vectors(first, second);
    store(data, bytes);
    if good {
        Ok(())
    } else {
        Err(first_offender(text, 0))
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn encode_vector(data: __m512i) -> [__m512i; 2] {
    let v = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7), data);
    let nibble = _mm512_set1_epi8(15);
    let high = _mm512_and_si512(_mm512_srli_epi16::<4>(v), nibble);
    let high = _mm512_add_epi8(high, alternate(HIGH));
    let index = _mm512_ternarylogic_epi32::<{ A_OR_B_AND_C }>(alternate(LOW), v, nibble);
    let alphabets = load(ALPHABETS.as_flattened(), _mm512_setzero_si512());
    let low = _mm512_permutexvar_epi8(index, alphabets);
    [
        _mm512_unpacklo_epi8(high, low),
        _mm512_unpackhi_epi8(high, low),
    ]
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn decode_vectors(first: __m512i, second: __m512i) -> (__m512i, bool) {
    let none = _mm512_setzero_si512();
    let even = _mm512_permutex2var_epi8(first, load(&EVEN_ODD[0], none), second);
    let odd = _mm512_permutex2var_epi8(first, load(&EVEN_ODD[1], none), second);

    let high = _mm512_sub_epi8(even, alternate(HIGH));
    let [ascii_64, ascii_128] = &LOW_MEANING;
    let meaning = _mm512_permutex2var_epi8(load(ascii_64, none), odd, load(ascii_128, none));
    let low = _mm512_xor_si512(meaning, alternate(LOW));
    let bytes = _mm512_or_si512(_mm512_slli_epi16::<4>(high), low);

    // The permute ignores bit 7 of its index, so that codes above 127 are refused here.
    let not_ascii = _mm512_and_si512(odd, _mm512_set1_epi8(i8::MIN));
    let any = _mm512_ternarylogic_epi32::<{ A_OR_B_OR_C }>(high, low, not_ascii);
    let bad = _mm512_test_epi8_mask(any, _mm512_set1_epi8(0xf0_u8 as i8));
    (bytes, bad == 0)
}

/// Truth tables of `vpternlog`, written as what they do to the columns of a truth table.
const A_OR_B_AND_C: i32 = A | B & C;
const A_OR_B_OR_C: i32 = A | B | C;
const A: i32 = 0b1111_0000;
const B: i32 = 0b1100_1100;
const C: i32 = 0b1010_1010;

/// One value for even bytes of data and one for odd ones.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn alternate(values: [u8; 2]) -> __m512i {
    _mm512_set1_epi16(i16::from_le_bytes(values))
}

/// The first 64 of `bytes`; what is missing comes from `rest`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn load(bytes: &[u8], rest: __m512i) -> __m512i {
    // SAFETY: the mask selects bytes of the slice alone, and a masked load does not touch the
    // others.
    unsafe { _mm512_mask_loadu_epi8(rest, first(bytes.len()), bytes.as_ptr().cast()) }
}

/// Writes the first bytes of `v`: all of `bytes`, up to 64.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn store(bytes: &mut [Out], v: __m512i) {
    // SAFETY: the mask selects bytes of the slice alone, and a masked store does not touch the
    // others.
    unsafe { _mm512_mask_storeu_epi8(bytes.as_mut_ptr().cast(), first(bytes.len()), v) }
}

/// A mask of the first `count` bytes of a register, of all 64 if there are more.
#[inline]
fn first(count: usize) -> __mmask64 {
    let missing = BLOCK.saturating_sub(count);
    u64::MAX.unbounded_shr(missing as u32)
}
