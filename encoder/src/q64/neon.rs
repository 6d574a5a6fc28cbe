//! Q64 on NEON: blocks of 64 bytes of data, and of 16 or 8 where 64 are too many.
//!
//! ```text
//! encode                                              four bytes of data
//! v     = load                                        b0  b1  b2  b3
//! high  = HIGH + (v >> 4)                             c0  c2  c0  c2     no table; usra
//! index = v & 0f | 10 on odd bytes                    n1  n3  n1  n3     sli
//! low   = LOW[index]                                  c1  c3  c1  c3     tbl, two registers
//! text  = high, low in turn                           c0 c1 c2 c3  c0 c1 c2 c3     st2
//!
//! decode                                              eight characters
//! even  = uzp1 of two loads                           c0  c2  c0  c2
//! odd   = uzp2 of two loads                           c1  c3  c1  c3
//! high  = even - HIGH                                 n0  n2  n0  n2     good below 16
//! row   = odd >> 3 on even bytes, odd >> 4 on others                     ushl
//! index = odd + OFFSET[row]                           n1  n3  n1  n3     and 10 on odd bytes
//! LOW[index] = odd, if that is good: encoding undoes decoding
//! data  = high << 4 | index & 0f                      b0  b1  b2  b3     sli
//! ```
//!
//! Of 8 to 15 bytes the last 8 are a block of half a register; fewer than 8 go to the table.
//!
//! Nothing here has been timed: cycles below are those of a model, llvm-mca 22 for Neoverse N1, V1
//! and N2, in this order, which knows no caches. Counts are of the loop that LLVM 22 makes.
//!
//! ```text
//! per 64 bytes of data    instructions    cycles of the model    the table in scalar.rs
//! encode                  30              16   8.0  12.5         112   48   72
//! decode                  54              27  14.0  25.0         240  101  160
//! ```
//!
//! Tried and lost, as a share of this speed in that model, N1, V1 and N2:
//! - encode with `zip1`, `zip2` and two stores: 0.70, 0.94, 0.89
//! - encode with `and` and `orr` for the index, as LLVM also writes a bitwise select: 0.84, 1.00,
//!   0.89
//! - encode with one table and what turns it into the other, as in ssse3.rs: 0.76, 0.67, 0.69
//! - encode with `ld2` and `st4`, so that no table is shared: 26 instructions, 0.80, 0.80, 0.78; but
//!   1.37 for the Cortex-A55, which executes in order
//! - encode with a shift and an addition for the high nibble: nothing, LLVM turns it into `usra`
//! - decode with a table of 128 entries, `tbl` and `tbx` of four registers each: 51 instructions,
//!   0.77, 0.73, 0.58
//! - decode with the classes of ssse3.rs: 71 instructions, 0.79, 0.74, 0.76
//! - decode with `ld2` written out: 0.96, 1.00, 1.00; LLVM makes it of three pairs of loads in four
//! - `umaxv` for the check, instead of `umaxp` and half of the register: 0.96, 0.98, 0.98
//! - 32 bytes a turn: encode 0.89, 1.00, 0.89, decode 0.84, 0.96, 0.96
//! - 128 bytes a turn: encode 0.94, 1.00, 1.04, decode 0.64, 0.85, 0.82

use core::arch::aarch64::*;

use super::{ALPHABETS, HIGH, MEANING, Out, Pair, decode_blocks, encode_blocks, scalar};
use crate::error::DecodeError;

/// The bytes of data in a block.
const BLOCK: usize = 64;

/// The alphabets of low nibbles, as one table: a nibble of an odd byte of data is looked up at
/// `16 + nibble`.
const LOW: [[u8; 16]; 2] = [ALPHABETS[1], ALPHABETS[3]];

/// By how much the character of a low nibble is shifted to find its row of [`OFFSET`], for even and
/// odd bytes of data. The two alphabets share row 5 if both are shifted by 4, where they need
/// different offsets; so they share none.
const ROW_SHIFT: [u8; 2] = [3, 4];

/// What, added to the character of a low nibble, gives its index in [`LOW`], by its row. Rows
/// without characters have zero.
const OFFSET: [u8; 16] = {
    let mut offset = [0; 16];
    let mut index = 0;
    while index < 32 {
        let code = LOW[index / 16][index % 16];
        offset[(code >> ROW_SHIFT[index / 16]) as usize] = (index as u8).wrapping_sub(code);
        index += 1;
    }
    prove(&offset);
    offset
};

/// Does not compile unless every byte is read right at even and at odd bytes of data.
const fn prove(offset: &[u8; 16]) {
    let mut i = 0;
    while i < 512 {
        let (odd, code) = (i / 256, i as u8);
        // A lookup gives zero for an index that its table does not have.
        let row = (code >> ROW_SHIFT[odd]) as usize;
        let offset = if row < 16 { offset[row] } else { 0 };
        let index = code.wrapping_add(offset) as usize;
        let again = if index < 32 {
            LOW[index / 16][index % 16]
        } else {
            0
        };
        let meaning = MEANING[code as usize];
        let due = meaning >> 4 == 1 + 2 * odd as u8;
        assert!((again == code) == due && (!due || index & 15 == (meaning & 15) as usize));
        i += 1;
    }
}

#[target_feature(enable = "neon")]
pub(super) fn encode(data: &[u8], text: &mut [Pair<Out>]) {
    let by_8 = |data: &[u8], text: &mut [Pair<Out>]| {
        encode_blocks(data, text, |d, t| encode_8(d, t), scalar::encode);
    };
    let by_16 = |data: &[u8], text: &mut [Pair<Out>]| {
        encode_blocks::<16>(data, text, |d, t| encode_block(d, t), by_8);
    };
    encode_blocks::<BLOCK>(data, text, |d, t| encode_block(d, t), by_16);
}

#[target_feature(enable = "neon")]
pub(super) fn decode(text: &[Pair], data: &mut [Out]) -> Result<(), DecodeError> {
    let by_8 = |text: &[Pair], data: &mut [Out]| {
        decode_blocks(text, data, |t, d| decode_8(t, d), scalar::decode)
    };
    let by_16 = |text: &[Pair], data: &mut [Out]| {
        decode_blocks::<16>(text, data, |t, d| decode_block(t, d), by_8)
    };
    decode_blocks::<BLOCK>(text, data, |t, d| decode_block(t, d), by_16)
}

/// Encodes a multiple of 16 bytes.
#[inline]
#[target_feature(enable = "neon")]
fn encode_block<const N: usize>(data: &[u8; N], text: &mut [[Out; N]; 2]) {
    let texts = text.as_flattened_mut().as_chunks_mut().0;
    for (data, text) in data.as_chunks().0.iter().zip(texts) {
        let (high, low) = encode_vector(load(data));
        store_in_turn(text, high, low);
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn encode_8(data: &[u8; 8], text: &mut [[Out; 8]; 2]) {
    let twice = vdupq_n_u64(u64::from_le_bytes(*data));
    let (high, low) = encode_vector(vreinterpretq_u8_u64(twice));
    let text = text.as_flattened_mut().first_chunk_mut().unwrap();
    store(text, vzip1q_u8(high, low));
}

/// Decodes a multiple of 16 bytes.
#[inline]
#[target_feature(enable = "neon")]
fn decode_block<const N: usize>(text: &[[u8; N]; 2], data: &mut [Out; N]) -> bool {
    let texts = text.as_flattened().as_chunks().0.as_chunks().0;
    let (mut high, mut unlike) = (vdupq_n_u8(0), vdupq_n_u8(0));
    for ([first, second], data) in texts.iter().zip(data.as_chunks_mut().0) {
        let decoded = decode_vectors(load(first), load(second));
        store(data, decoded.bytes);
        high = vorrq_u8(high, decoded.high);
        unlike = vorrq_u8(unlike, decoded.unlike);
    }
    good(high, unlike)
}

#[inline]
#[target_feature(enable = "neon")]
fn decode_8(text: &[[u8; 8]; 2], data: &mut [Out; 8]) -> bool {
    let text = load(text.as_flattened().first_chunk().unwrap());
    let twice = decode_vectors(text, text);
    let bytes = vgetq_lane_u64::<0>(vreinterpretq_u64_u8(twice.bytes));
    data.write_copy_of_slice(&bytes.to_le_bytes());
    good(twice.high, twice.unlike)
}

/// The characters of high and of low nibbles.
#[inline]
#[target_feature(enable = "neon")]
fn encode_vector(v: uint8x16_t) -> (uint8x16_t, uint8x16_t) {
    let high = vsraq_n_u8::<4>(alternate(HIGH), v);
    let index = vsliq_n_u8::<4>(v, alternate([0, 1]));
    (high, lookup_low(index))
}

struct Decoded {
    bytes: uint8x16_t,
    /// The high nibbles. A character was bad if there is more than a nibble.
    high: uint8x16_t,
    /// How the characters of low nibbles differ from those that they should be. One was bad if
    /// there is any difference.
    unlike: uint8x16_t,
}

#[inline]
#[target_feature(enable = "neon")]
fn decode_vectors(first: uint8x16_t, second: uint8x16_t) -> Decoded {
    let (even, odd) = (vuzp1q_u8(first, second), vuzp2q_u8(first, second));
    let high = vsubq_u8(even, alternate(HIGH));
    // There is a shift by register to the left alone; a negative one goes to the right.
    let left = vreinterpretq_s8_u8(alternate(ROW_SHIFT.map(u8::wrapping_neg)));
    let offset = vqtbl1q_u8(load(&OFFSET), vshlq_u8(odd, left));
    let index = vaddq_u8(odd, offset);
    Decoded {
        bytes: vsliq_n_u8::<4>(index, high),
        high,
        unlike: veorq_u8(lookup_low(index), odd),
    }
}

/// Whether what was gathered from [`Decoded`] is that of good characters alone.
#[inline]
#[target_feature(enable = "neon")]
fn good(high: uint8x16_t, unlike: uint8x16_t) -> bool {
    let bad = vorrq_u8(vandq_u8(high, vdupq_n_u8(0xf0)), unlike);
    vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpmaxq_u8(bad, bad))) == 0
}

/// The characters of [`LOW`], or zero where the index is above 31.
#[inline]
#[target_feature(enable = "neon")]
fn lookup_low(index: uint8x16_t) -> uint8x16_t {
    vqtbl2q_u8(uint8x16x2_t(load(&LOW[0]), load(&LOW[1])), index)
}

/// One value for even bytes of data and one for odd ones.
#[inline]
#[target_feature(enable = "neon")]
fn alternate(values: [u8; 2]) -> uint8x16_t {
    vreinterpretq_u8_u16(vdupq_n_u16(u16::from_le_bytes(values)))
}

#[inline]
#[target_feature(enable = "neon")]
fn load(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: a reference to 16 bytes is valid for reading 16 bytes; `ld1` asks for no alignment.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn store(bytes: &mut [Out; 16], v: uint8x16_t) {
    // SAFETY: an exclusive reference to 16 bytes is valid for writing 16 bytes; `st1` asks for no
    // alignment.
    unsafe { vst1q_u8(bytes.as_mut_ptr().cast(), v) }
}

/// Writes a byte of `even`, a byte of `odd`, and so on.
#[inline]
#[target_feature(enable = "neon")]
fn store_in_turn(bytes: &mut [Out; 32], even: uint8x16_t, odd: uint8x16_t) {
    // SAFETY: an exclusive reference to 32 bytes is valid for writing 32 bytes; `st2` asks for no
    // alignment.
    unsafe { vst2q_u8(bytes.as_mut_ptr().cast(), uint8x16x2_t(even, odd)) }
}
