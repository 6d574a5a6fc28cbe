//! Q64 in plain Rust, by tables: for every target, for data that is too short for a block of
//! another kernel, and for an odd last byte.
//!
//! ```text
//! encode, a block of four bytes        b0       b1       b2       b3
//! one lookup each                      TEXT[0]  TEXT[1]  TEXT[0]  TEXT[1]
//! or, one store of 8                   c0 c1    c2 c3    c0 c1    c2 c3
//!
//! decode, a block of four characters   c0       c1       c2       c3
//! one lookup each                      DATA[0]  DATA[1]  DATA[2]  DATA[3]
//! or, one store of 2                   b0                b1
//! ```
//!
//! Tables hold characters and nibbles where they belong in the result, so that little is shifted.
//!
//! Tried and lost, as a share of this speed (4 KiB):
//! - encode by arithmetic on a `u64` instead of tables: 0.37 of a table (Zen 4)
//! - encode with stores of 2: 0.83 of stores of 8 (Zen 4)
//! - encode with tables of `u16`, shifted into place, with stores of 4, or with one load of 8
//!   instead of eight: 0.94 to 0.97 (Zen 3), where code layout alone moves this loop by 0.9
//! - decode with tables of `u8`: 0.73 of tables of `u16` (Zen 4)
//! - decode with tables of `u16` and four bytes a turn: nothing (Zen 3), and more instructions
//! - decode with one load of 8 instead of pairs, or with a load for each character: 0.90 (Zen 3)

#![forbid(unsafe_code)]

use super::{ALPHABETS, HIGH, MEANING, NO_CHARACTER, Out, Pair};
use super::{decode_blocks, encode_blocks, first_offender};
use crate::error::DecodeError;

/// The two characters of a byte, for even and odd bytes, where they stand in the text of two.
static TEXT: [[u32; 256]; 2] = {
    let mut text = [[0; 256]; 2];
    let mut i = 0;
    while i < 512 {
        let (odd, byte) = (i / 256, i % 256);
        let high = HIGH[odd] + (byte >> 4) as u8;
        let low = ALPHABETS[2 * odd + 1][byte & 15];
        text[odd][byte] = u32::from_le_bytes([high, low, 0, 0]) << (16 * odd);
        i += 1;
    }
    text
};

/// The nibble of a character at each position modulo 4, where it stands in the two bytes of data
/// that are four characters; [`REFUSED`] for a byte that the position does not allow.
static DATA: [[u32; 256]; 4] = {
    let mut data = [[REFUSED; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        let meaning = MEANING[byte];
        if meaning != NO_CHARACTER {
            let (alphabet, nibble) = ((meaning >> 4) as usize, (meaning & 15) as u32);
            data[alphabet][byte] = nibble << [4, 0, 12, 8][alphabet];
        }
        byte += 1;
    }
    data
};

const REFUSED: u32 = 1 << 31;

pub(crate) fn encode(data: &[u8], text: &mut [Pair<Out>]) {
    encode_blocks(data, text, encode_block, encode_short);
}

pub(crate) fn decode(text: &[Pair], data: &mut [Out]) -> Result<(), DecodeError> {
    decode_blocks(text, data, decode_block, decode_short)
}

#[inline]
fn encode_block(data: &[u8; 4], text: &mut [[Out; 4]; 2]) {
    text.as_flattened_mut()
        .write_copy_of_slice(&encode_four(data));
}

/// The text of four bytes from an even index on. By reference: a copy is loaded at once and shifted apart, which is the 17
/// instructions for 14, and slower.
#[inline]
pub(crate) fn encode_four(data: &[u8; 4]) -> [u8; 8] {
    let half =
        |i: usize| u64::from(TEXT[0][usize::from(data[i])] | TEXT[1][usize::from(data[i + 1])]);
    (half(0) | half(2) << 32).to_le_bytes()
}

fn encode_short(data: &[u8], text: &mut [Pair<Out>]) {
    for (i, (byte, text)) in data.iter().zip(text).enumerate() {
        let characters = TEXT[i % 2][usize::from(*byte)] >> (16 * (i % 2));
        text.write_copy_of_slice(&(characters as u16).to_le_bytes());
    }
}

#[inline]
fn decode_block(text: &[Pair; 2], data: &mut [Out; 2]) -> bool {
    let bytes = lookup(0, text[0]) | lookup(1, text[1]);
    data.write_copy_of_slice(&(bytes as u16).to_le_bytes());
    bytes & REFUSED == 0
}

fn decode_short(text: &[Pair], data: &mut [Out]) -> Result<(), DecodeError> {
    if decode_odd(text, data) {
        Ok(())
    } else {
        Err(first_offender(text, 0))
    }
}

/// Encodes one byte at an even index, if there is one.
#[inline]
pub(super) fn encode_odd(data: &[u8], text: &mut [Pair<Out>]) {
    if let ([byte], [text]) = (data, text) {
        let characters = TEXT[0][usize::from(*byte)];
        text.write_copy_of_slice(&(characters as u16).to_le_bytes());
    }
}

/// Decodes one pair at an even index, if there is one, and returns whether it was good.
#[inline]
pub(super) fn decode_odd(text: &[Pair], data: &mut [Out]) -> bool {
    let ([pair], [data]) = (text, data) else {
        return true;
    };
    let byte = lookup(0, *pair);
    data.write(byte as u8);
    byte & REFUSED == 0
}

#[inline]
fn lookup(odd: usize, [high, low]: Pair) -> u32 {
    DATA[2 * odd][usize::from(high)] | DATA[2 * odd + 1][usize::from(low)]
}
