//! Q64 on SSE2, which every x86-64 CPU has: blocks of 16 bytes of data. It has no byte shuffle, so
//! that compares stand for the tables of the other kernels.
//!
//! ```text
//! encode                                              four bytes of data
//! v    = load                                         b0  b1  b2  b3
//! high = (v >> 4 & 0f) + HIGH                         c0  c2  c0  c2     no table
//! low  = (v & 0f) + the alphabet's first character,   c1  c3  c1  c3
//!        + each jump that the nibble is above
//! text = unpacklo(high, low), unpackhi(high, low)     c0 c1 c2 c3  c0 c1 c2 c3
//!
//! decode                                              eight characters
//! even = packus(w0 & 00ff, w1 & 00ff), raised         c0  c2  c0  c2     good above 6f
//! odd  = packus(w0 >> 8, w1 >> 8), raised             c1  c3  c1  c3     good if in a run or single
//! low  = odd - base                                   n1  n3  n1  n3     the base of the run
//! data = (even << 4) + low                            b0  b1  b2  b3
//! ```
//!
//! For decoding, an alphabet of low nibbles is two runs of characters, and alphabet 3 has two single
//! ones besides:
//!
//! ```text
//!                lower run       upper run       single
//! alphabet 1     Q..Z  0..9      a..f  10..15
//! alphabet 3     0..9  4..13     w..z  0..3      -  14    _  15
//! ```
//!
//! Characters are *raised*: moved until the last of their alphabet is 7f, the greatest of the signed
//! bytes that SSE2 compares. What is above it becomes negative, and so is below the lower run. Each
//! run then needs a compare with its first character alone, since the upper run begins, for this
//! purpose, right after the lower one.
//!
//! Tried and lost, as a share of this speed (4 KiB):
//! - decoding: to check low nibbles by encoding them again, with a compare for each jump there and
//!   back: 0.75 (Zen 3)
//! - decoding: to check low nibbles by the sign of what is subtracted anyway: 0.91 (Zen 3)
//! - decoding: a subtraction of the base that LLVM reorders, into a selection: 0.97 (Zen 3)

use core::arch::x86_64::*;

use super::{ALPHABETS, HIGH, Out, Pair, decode_blocks, encode_blocks, scalar};
use crate::error::DecodeError;

/// The bytes of data in a block.
const BLOCK: usize = 16;

/// Where the alphabets of low nibbles jump in ASCII, for even and odd bytes of data: above which
/// nibble, and by how much.
#[derive(Clone, Copy)]
struct Jump {
    above: [u8; 2],
    by: [u8; 2],
}

const JUMPS: [Jump; 3] = {
    let never = Jump {
        above: [127; 2],
        by: [0; 2],
    };
    let mut jumps = [never; 3];
    let mut odd = 0;
    while odd < 2 {
        let alphabet = ALPHABETS[2 * odd + 1];
        let (mut nibble, mut count) = (0, 0);
        while nibble < 15 {
            let by = alphabet[nibble + 1].wrapping_sub(alphabet[nibble] + 1);
            if by != 0 {
                jumps[count].above[odd] = nibble as u8;
                jumps[count].by[odd] = by;
                count += 1;
            }
            nibble += 1;
        }
        odd += 1;
    }
    jumps
};

/// What raises characters of high nibbles, and those of low nibbles.
const RAISE_HIGH: [u8; 2] = minus([0x70; 2], HIGH);
const RAISE_LOW: [u8; 2] = minus([0x7f; 2], [ALPHABETS[1][15], ALPHABETS[3][3]]);

/// The nibbles at the ends of the runs.
const LOWER_FIRST: [u8; 2] = [0, 4];
const LOWER_LAST: [u8; 2] = [9, 13];
const UPPER_FIRST: [u8; 2] = [10, 0];

/// The nibbles of the single characters. Alphabet 1 has none, so the first ones of its runs, which
/// are good and have the right base as it is, stand in.
const SINGLE: [[u8; 2]; 2] = [[LOWER_FIRST[0], 14], [UPPER_FIRST[0], 15]];

/// The raised characters of nibbles.
const fn raised(nibbles: [u8; 2]) -> [u8; 2] {
    let [even, odd] = nibbles;
    [
        ALPHABETS[1][even as usize].wrapping_add(RAISE_LOW[0]),
        ALPHABETS[3][odd as usize].wrapping_add(RAISE_LOW[1]),
    ]
}

/// What to subtract from the raised characters of the run, or single characters, that these are the
/// nibbles of. On odd bytes it is 7 more: `even << 4` moves the 7 of an even byte's 7n there.
const fn base(nibbles: [u8; 2]) -> [u8; 2] {
    minus(raised(nibbles), minus(nibbles, [0, 7]))
}

const fn minus(a: [u8; 2], b: [u8; 2]) -> [u8; 2] {
    [a[0].wrapping_sub(b[0]), a[1].wrapping_sub(b[1])]
}

#[target_feature(enable = "sse2")]
pub(super) fn encode(data: &[u8], text: &mut [Pair<Out>]) {
    encode_blocks(data, text, |d, t| encode_block(d, t), scalar::encode);
}

#[target_feature(enable = "sse2")]
pub(super) fn decode(text: &[Pair], data: &mut [Out]) -> Result<(), DecodeError> {
    decode_blocks(text, data, |t, d| decode_block(t, d), scalar::decode)
}

#[inline]
#[target_feature(enable = "sse2")]
fn encode_block(data: &[u8; BLOCK], text: &mut [[Out; BLOCK]; 2]) {
    let v = load(data);
    let nibble = _mm_set1_epi8(15);
    let high = _mm_and_si128(_mm_srli_epi16::<4>(v), nibble);
    let high = _mm_add_epi8(high, alternate(HIGH));
    let x = _mm_and_si128(v, nibble);
    let mut low = _mm_add_epi8(x, alternate([ALPHABETS[1][0], ALPHABETS[3][0]]));
    for Jump { above, by } in JUMPS {
        let jumps = _mm_cmpgt_epi8(x, alternate(above));
        low = _mm_add_epi8(low, _mm_and_si128(jumps, alternate(by)));
    }
    store(&mut text[0], _mm_unpacklo_epi8(high, low));
    store(&mut text[1], _mm_unpackhi_epi8(high, low));
}

#[inline]
#[target_feature(enable = "sse2")]
fn decode_block(text: &[[u8; BLOCK]; 2], data: &mut [Out; BLOCK]) -> bool {
    let (w0, w1) = (load(&text[0]), load(&text[1]));
    let low_byte = _mm_set1_epi16(0xff);
    let even = _mm_packus_epi16(_mm_and_si128(w0, low_byte), _mm_and_si128(w1, low_byte));
    let odd = _mm_packus_epi16(_mm_srli_epi16::<8>(w0), _mm_srli_epi16::<8>(w1));
    let even = _mm_add_epi8(even, alternate(RAISE_HIGH));
    let odd = _mm_add_epi8(odd, alternate(RAISE_LOW));

    let upper = _mm_cmpgt_epi8(odd, alternate(raised(LOWER_LAST)));
    let if_upper = |values| _mm_and_si128(upper, alternate(values));
    let apart = minus(raised(UPPER_FIRST), raised(LOWER_FIRST));
    let first = _mm_add_epi8(alternate(raised(LOWER_FIRST)), if_upper(apart));

    // Nothing that is good saturates: this is a subtraction that LLVM does not reorder.
    let low = _mm_subs_epi8(odd, alternate(base(LOWER_FIRST)));
    let low = _mm_sub_epi8(low, if_upper(minus(base(UPPER_FIRST), base(LOWER_FIRST))));
    // '-' is below the lower run and '_' above it, and have been given the bases of these runs.
    let [dash, underscore] = SINGLE.map(|nibbles| _mm_cmpeq_epi8(odd, alternate(raised(nibbles))));
    let dash_correction = minus(base(LOWER_FIRST), base(SINGLE[0]));
    let underscore_correction = minus(base(UPPER_FIRST), base(SINGLE[1]));
    let correction = _mm_or_si128(
        _mm_and_si128(dash, alternate(dash_correction)),
        _mm_and_si128(underscore, alternate(underscore_correction)),
    );
    let low = _mm_add_epi8(low, correction);
    store(data, _mm_add_epi8(_mm_slli_epi16::<4>(even), low));

    let single = _mm_or_si128(dash, underscore);
    let refused = _mm_andnot_si128(single, _mm_cmpgt_epi8(first, odd));
    let good = _mm_cmpgt_epi8(_mm_andnot_si128(refused, even), _mm_set1_epi8(0x6f));
    _mm_movemask_epi8(good) == 0xffff
}

/// One value for even bytes of data and one for odd ones.
#[inline]
#[target_feature(enable = "sse2")]
fn alternate(values: [u8; 2]) -> __m128i {
    _mm_set1_epi16(i16::from_le_bytes(values))
}

#[inline]
#[target_feature(enable = "sse2")]
fn load(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: a reference to 16 bytes is valid for reading 16 bytes; `loadu` asks for no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "sse2")]
fn store(bytes: &mut [Out; 16], v: __m128i) {
    // SAFETY: an exclusive reference to 16 bytes is valid for writing 16 bytes; `storeu` asks for
    // no alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), v) }
}
