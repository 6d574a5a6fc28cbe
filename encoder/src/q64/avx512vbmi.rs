//! Q64 on AVX-512 with VBMI: blocks of 64 bytes of data, and masks below that.
//!
//! ```text
//! encode                                              four bytes of data
//! v    = load, its eighths 0 4 1 5 2 6 3 7            b0  b1  b2  b3     unpack puts in order
//! high = (v >> 4 & 0f) + HIGH                         c0  c2  c0  c2     no table
//! low  = ALPHABETS[v & 0f | LOW]                      c1  c3  c1  c3     all 64 characters
//! text = unpacklo(high, low), unpackhi(high, low)     c0 c1 c2 c3  c0 c1 c2 c3
//!
//! decode                                              eight characters
//! even = bytes 0 2 4 .. 126 of two loads              c0  c2  c0  c2     in order as they are
//! odd  = bytes 1 3 5 .. 127 of two loads              c1  c3  c1  c3
//! high = even - HIGH                                  n0  n2  n0  n2     good below 16
//! low  = LOW_MEANING[odd & 7f] ^ LOW                  n1  n3  n1  n3     good below 16, unless
//! data = high << 4 | low                              b0  b1  b2  b3     odd is above 7f
//! ```
//!
//! Tried and lost, as a share of this speed (4 KiB, Zen 4):
//! - a table for the last bytes instead of the overlapped block: 0.18 at 127 bytes
//! - prefetching: 0.82
//! - two `vpermt2b` instead of `vpermq` and two unpacks: 0.92
//! - the high nibble by `vpermb` too: 0.94
//! - both nibbles by `vpmultishiftqb`: 0.95
//! - four blocks a turn: nothing

use core::arch::x86_64::*;

use super::{
    ALPHABETS, HIGH, MEANING, NO_CHARACTER, Out, Pair, decode_blocks, encode_blocks, first_offender,
};
use crate::error::DecodeError;

/// The bytes of data in a block.
const BLOCK: usize = 64;

/// Where the low nibble's alphabet begins among all 64 characters, for even and odd bytes of data.
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
        let [first, second] = encode_vector(load(data));
        store(&mut text[0], first);
        store(&mut text[1], second);
    };
    encode_blocks(data, text, block, |d, t| encode_short(d, t));
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(super) fn decode(text: &[Pair], data: &mut [Out]) -> Result<(), DecodeError> {
    let block = |text: &[[u8; BLOCK]; 2], data: &mut [Out; BLOCK]| {
        let (bytes, good) = decode_vectors(load(&text[0]), load(&text[1]));
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
    let [first, second] = encode_vector(load(data));
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
    let first = load_or(start.as_flattened(), good_text);
    let second = if end.is_empty() {
        good_text
    } else {
        load_or(end.as_flattened(), good_text)
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
    let low = _mm512_permutexvar_epi8(index, load(ALPHABETS.as_flattened()));
    [
        _mm512_unpacklo_epi8(high, low),
        _mm512_unpackhi_epi8(high, low),
    ]
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn decode_vectors(first: __m512i, second: __m512i) -> (__m512i, bool) {
    let even = _mm512_permutex2var_epi8(first, load(&EVEN_ODD[0]), second);
    let odd = _mm512_permutex2var_epi8(first, load(&EVEN_ODD[1]), second);

    let high = _mm512_sub_epi8(even, alternate(HIGH));
    // The permute ignores bit 7 of its index, so that codes above 127 are refused here.
    let not_ascii = _mm512_and_si512(odd, _mm512_set1_epi8(i8::MIN));
    let (below_64, above_63) = (load(&LOW_MEANING[0]), load(&LOW_MEANING[1]));
    let meaning = _mm512_permutex2var_epi8(below_64, odd, above_63);
    let low = _mm512_xor_si512(meaning, alternate(LOW));
    let bytes = _mm512_or_si512(_mm512_slli_epi16::<4>(high), low);

    let any = _mm512_ternarylogic_epi32::<{ A_OR_B_OR_C }>(high, low, not_ascii);
    let bad = _mm512_test_epi8_mask(any, _mm512_set1_epi8(0xf0_u8 as i8));
    (bytes, bad == 0)
}

/// The truth tables that `vpternlog` wants, made of those of its operands.
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

/// The first 64 bytes, or as many as there are and then zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn load(bytes: &[u8]) -> __m512i {
    load_or(bytes, _mm512_setzero_si512())
}

/// The first 64 bytes, or as many as there are and then those of `rest`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn load_or(bytes: &[u8], rest: __m512i) -> __m512i {
    // SAFETY: the mask has bits for bytes of the slice alone, and a masked load touches no others.
    unsafe { _mm512_mask_loadu_epi8(rest, mask(bytes.len()), bytes.as_ptr().cast()) }
}

/// Writes the first 64 bytes, or as many as there are, from the beginning of `v`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn store(bytes: &mut [Out], v: __m512i) {
    // SAFETY: the mask has bits for bytes of the slice alone, and a masked store touches no others.
    unsafe { _mm512_mask_storeu_epi8(bytes.as_mut_ptr().cast(), mask(bytes.len()), v) }
}

/// The lowest `count` bits, or all 64 if that is more. LLVM knows the answer for whole blocks, and
/// makes ordinary loads and stores of them.
#[inline]
fn mask(count: usize) -> __mmask64 {
    let missing = BLOCK.saturating_sub(count);
    u64::MAX.unbounded_shr(missing as u32)
}
