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
//! Decoding checks two blocks at once, so that a block is 18 instructions and not 19.
//!
//! Tried and lost, as a share of this speed (4 KiB, Zen 4):
//! - a table for the last bytes instead of the overlapped block: 0.18 at 127 bytes
//! - prefetching: 0.82
//! - two `vpermt2b` instead of `vpermq` and two unpacks: 0.92
//! - the high nibble by `vpermb` too: 0.94
//! - both nibbles by `vpmultishiftqb`: 0.95
//! - four blocks a turn: nothing

use core::arch::x86_64::*;

use super::avx512::{
    self, A_OR_B_AND_C, A_OR_B_OR_C, BLOCK, alternate, before_interleave, below_16, interleave,
    load, load_short, store, store_block, store_short, stream,
};
use super::streaming::encode_lines;
use super::{
    ALPHABETS, HIGH, MEANING, NO_CHARACTER, Out, Pair, decode_blocks, encode_blocks, first_offender,
};
use crate::error::DecodeError;

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
    encode_blocks(
        data,
        text,
        |d: &[u8; BLOCK], t| store_block(t, encode_vector(load(d))),
        |d, t| store_short(t, encode_vector(load(d))),
    );
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(super) fn encode_streaming(data: &[u8], text: &mut [Pair<Out>]) {
    encode_lines(
        data,
        text,
        |d: &[u8; BLOCK], t| stream(t, encode_vector(load(d))),
        |d, t| encode(d, t),
    );
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(super) fn decode(text: &[Pair], data: &mut [Out]) -> Result<(), DecodeError> {
    let block = |text: &[[u8; BLOCK]; 2], data: &mut [Out; BLOCK]| {
        let (bytes, any) = decode_vectors([load(&text[0]), load(&text[1])]);
        store(data, bytes);
        any
    };
    let two_blocks = |text: &[[u8; 2 * BLOCK]; 2], data: &mut [Out; 2 * BLOCK]| {
        let (texts, datas) = (
            text.as_flattened().as_chunks().0.as_chunks().0,
            data.as_chunks_mut().0,
        );
        let any = [0, 1].map(|i| block(&texts[i], &mut datas[i]));
        below_16(_mm512_or_si512(any[0], any[1]))
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
    let one_block = |text: &[Pair], data: &mut [Out]| {
        decode_blocks(text, data, |t, d| below_16(block(t, d)), short)
    };
    decode_blocks(text, data, two_blocks, one_block)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn encode_vector(data: __m512i) -> [__m512i; 2] {
    let v = before_interleave(data);
    interleave(avx512::high(v), low(v))
}

/// Characters of low nibbles.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(super) fn low(v: __m512i) -> __m512i {
    let nibble = _mm512_set1_epi8(15);
    let index = _mm512_ternarylogic_epi32::<{ A_OR_B_AND_C }>(alternate(LOW), v, nibble);
    _mm512_permutexvar_epi8(index, load(ALPHABETS.as_flattened()))
}

/// The data, and a vector that is below 16 everywhere if all characters are good.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn decode_vectors(text: [__m512i; 2]) -> (__m512i, __m512i) {
    let even = _mm512_permutex2var_epi8(text[0], load(&EVEN_ODD[0]), text[1]);
    let odd = _mm512_permutex2var_epi8(text[0], load(&EVEN_ODD[1]), text[1]);

    let high = _mm512_sub_epi8(even, alternate(HIGH));
    // The permute ignores bit 7 of its index, so that codes above 127 are refused here.
    let not_ascii = _mm512_and_si512(odd, _mm512_set1_epi8(i8::MIN));
    let (below_64, above_63) = (load(&LOW_MEANING[0]), load(&LOW_MEANING[1]));
    let meaning = _mm512_permutex2var_epi8(below_64, odd, above_63);
    let low = _mm512_xor_si512(meaning, alternate(LOW));
    let bytes = _mm512_or_si512(_mm512_slli_epi16::<4>(high), low);
    let any = _mm512_ternarylogic_epi32::<{ A_OR_B_OR_C }>(high, low, not_ascii);
    (bytes, any)
}
