//! Q64 on SSSE3: blocks of 16 bytes of data.
//!
//! ```text
//! encode                                              four bytes of data
//! v    = load                                         b0  b1  b2  b3
//! high = (v >> 4 & 0f) + HIGH                         c0  c2  c0  c2     no table
//! low  = A1[v & 0f] ^ (A1 ^ A3)[v & 0f on odd bytes]  c1  c3  c1  c3
//! text = unpacklo(high, low), unpackhi(high, low)     c0 c1 c2 c3  c0 c1 c2 c3
//!
//! decode                                              eight characters
//! s0, s1 = each load, even characters first           c0 c2 c0 c2 .. c1 c3 c1 c3
//! even = unpacklo64(s0, s1)                           c0  c2  c0  c2
//! odd  = unpackhi64(s0, s1)                           c1  c3  c1  c3
//! high = even - HIGH                                  n0  n2  n0  n2     good below 16
//! row  = odd >> 4 & 0f | 8 on odd bytes
//! low  = odd + offset[row]                            n1  n3  n1  n3     good below 16, unless
//! refused = class[row] & classes_without[odd & 0f]                       refused
//! data = high << 4 | low                              b0  b1  b2  b3
//! ```
//!
//! Only the alphabets of low nibbles need tables. They are looked up before the interleave, in one
//! register.
//!
//! Tried and lost, as a share of this speed (4 KiB, Zen 4):
//! - one shuffle per alphabet, after the interleave: 0.63
//! - decoding by `pmaddubsw`: 0.85
//! - `i + 16 <= n` as the loop's condition instead of `i != whole`: 0.90
//! - four blocks a turn: 1.03, but slower at 64 bytes
//! - `pmulhuw` instead of the shift: nothing, LLVM turns it back

use core::arch::x86_64::*;

use super::{
    ALPHABETS, HIGH, MEANING, NO_CHARACTER, Out, Pair, decode_blocks, encode_blocks, scalar,
};
use crate::error::DecodeError;

/// The bytes of data in a block.
pub(super) const BLOCK: usize = 16;

/// What turns the characters of alphabet 1 into those of alphabet 3.
const A1_XOR_A3: [u8; 16] = {
    let mut xor = ALPHABETS[1];
    let mut nibble = 0;
    while nibble < 16 {
        xor[nibble] ^= ALPHABETS[3][nibble];
        nibble += 1;
    }
    xor
};

/// How the character of a low nibble is read, by its *row*: the upper half of its code, or 8 if it
/// must be of alphabet 3. The character is good if `class[row] & classes_without[code & 15]` and
/// `code + offset[row]`, which then is the nibble, have no bit above the lowest four.
pub(super) struct LowNibble {
    pub(super) offset: [u8; 16],
    pub(super) class: [u8; 16],
    pub(super) classes_without: [u8; 16],
}

pub(super) const LOW_NIBBLE: LowNibble = {
    let mut table = LowNibble {
        offset: [0; 16],
        class: [0; 16],
        classes_without: [0xf0; 16],
    };
    // A row without characters: whatever is read there is above 15.
    let mut row = 0;
    while row < 16 {
        table.offset[row] = 0x40_u8.wrapping_sub((row as u8 & 7) << 4);
        row += 1;
    }
    let mut code = 0;
    while code < 128 {
        let meaning = MEANING[code as usize];
        if meaning != NO_CHARACTER && (meaning >> 4) % 2 == 1 {
            let row = (code >> 4 | (meaning >> 5) << 3) as usize;
            table.offset[row] = (meaning & 15).wrapping_sub(code);
            // Four bits are free, so three rows share a class; what one of them must not have, its
            // offset refuses.
            table.class[row] = match code {
                b'Q'..=b'Z' | b'a'..=b'f' | b'w'..=b'z' => 0x10,
                b'0'..=b'9' => 0x20,
                b'-' => 0x40,
                _ => 0x80,
            };
            table.classes_without[(code & 15) as usize] &= !table.class[row];
        }
        code += 1;
    }
    table.prove();
    table
};

impl LowNibble {
    /// Does not compile unless every byte is read right where alphabet 1 and where alphabet 3 is
    /// due.
    const fn prove(&self) {
        let mut i = 0;
        while i < 512 {
            let (code, alphabet) = (i as u8, 1 + 2 * (i >> 8) as u8);
            let row = (code >> 4 | (alphabet >> 1) << 3) as usize;
            let low = code.wrapping_add(self.offset[row]);
            // The shuffle gives zero for an index above 127.
            let without = if code < 128 {
                self.classes_without[(code & 15) as usize]
            } else {
                0
            };
            let good = (self.class[row] & without | low) & 0xf0 == 0;
            let due = MEANING[code as usize] >> 4 == alphabet;
            assert!(good == due && (!good || low == MEANING[code as usize] & 15));
            i += 1;
        }
    }
}

#[target_feature(enable = "ssse3")]
pub(super) fn encode(data: &[u8], text: &mut [Pair<Out>]) {
    encode_blocks(data, text, |d, t| encode_block(d, t), scalar::encode);
}

#[target_feature(enable = "ssse3")]
pub(super) fn decode(text: &[Pair], data: &mut [Out]) -> Result<(), DecodeError> {
    decode_blocks(text, data, |t, d| decode_block(t, d), scalar::decode)
}

#[inline]
#[target_feature(enable = "ssse3")]
pub(super) fn encode_block(data: &[u8; BLOCK], text: &mut [[Out; BLOCK]; 2]) {
    let v = load(data);
    let nibble = _mm_set1_epi8(15);
    let high = _mm_and_si128(_mm_srli_epi16::<4>(v), nibble);
    let high = _mm_add_epi8(high, alternate(HIGH));
    let x = _mm_and_si128(v, nibble);
    // An index with bit 7 gives zero: alphabet 1 is left as it is on even bytes.
    let odd_x = _mm_or_si128(x, alternate([0x80, 0]));
    let low = _mm_xor_si128(
        _mm_shuffle_epi8(load(&ALPHABETS[1]), x),
        _mm_shuffle_epi8(load(&A1_XOR_A3), odd_x),
    );
    store(&mut text[0], _mm_unpacklo_epi8(high, low));
    store(&mut text[1], _mm_unpackhi_epi8(high, low));
}

#[inline]
#[target_feature(enable = "ssse3")]
pub(super) fn decode_block(text: &[[u8; BLOCK]; 2], data: &mut [Out; BLOCK]) -> bool {
    let even_first = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    let s0 = _mm_shuffle_epi8(load(&text[0]), even_first);
    let s1 = _mm_shuffle_epi8(load(&text[1]), even_first);
    let even = _mm_unpacklo_epi64(s0, s1);
    let odd = _mm_unpackhi_epi64(s0, s1);

    let nibble = _mm_set1_epi8(15);
    let high = _mm_sub_epi8(even, alternate(HIGH));
    let row = _mm_and_si128(_mm_srli_epi16::<4>(odd), nibble);
    let row = _mm_or_si128(row, alternate([0, 8]));
    let low = _mm_add_epi8(odd, _mm_shuffle_epi8(load(&LOW_NIBBLE.offset), row));

    let refused = _mm_and_si128(
        _mm_shuffle_epi8(load(&LOW_NIBBLE.class), row),
        _mm_shuffle_epi8(load(&LOW_NIBBLE.classes_without), odd),
    );
    let any = _mm_or_si128(_mm_or_si128(high, low), refused);
    let bad = _mm_subs_epu8(any, nibble);
    store(data, _mm_or_si128(_mm_slli_epi16::<4>(high), low));
    _mm_movemask_epi8(_mm_cmpeq_epi8(bad, _mm_setzero_si128())) == 0xffff
}

/// One value for even bytes of data and one for odd ones.
#[inline]
#[target_feature(enable = "ssse3")]
fn alternate(values: [u8; 2]) -> __m128i {
    _mm_set1_epi16(i16::from_le_bytes(values))
}

#[inline]
#[target_feature(enable = "ssse3")]
pub(super) fn load(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: a reference to 16 bytes is valid for reading 16 bytes; `loadu` asks for no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "ssse3")]
fn store(bytes: &mut [Out; 16], v: __m128i) {
    // SAFETY: an exclusive reference to 16 bytes is valid for writing 16 bytes; `storeu` asks for
    // no alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), v) }
}
