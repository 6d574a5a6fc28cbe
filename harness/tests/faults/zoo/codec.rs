//! The codec of the zoo: every byte becomes two hexadecimal digits, the low one first.
//!
//! Here it is right, in blocks of 16 and a tail as kernels have them. `reference` says the same without blocks or tables.

use pathproof::{Failure, Outcome};

pub(super) const BLOCK: usize = 16;
pub(super) const DIGITS: [u8; 16] = *b"0123456789abcdef";
/// What stands for no digit.
const NONE: u8 = 0xff;

/// The two digits of every byte. Tables, because the zoo is stepped instruction by instruction.
pub(super) type Pairs = [[u8; 2]; 256];
pub(super) static PAIRS: Pairs = pairs(&DIGITS);
static VALUES: [u8; 256] = values();

pub(super) const fn pairs(digits: &[u8; 16]) -> Pairs {
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [digits[byte % 16], digits[byte / 16]];
        byte += 1;
    }
    pairs
}

const fn values() -> [u8; 256] {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 16 {
        values[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
}

/// Encodes `bytes` to the front of `out`; returns the text's length.
pub(super) fn encode(bytes: &[u8], out: &mut [u8]) -> usize {
    encode_with(&PAIRS, bytes, out)
}

pub(super) fn encode_with(pairs: &Pairs, bytes: &[u8], out: &mut [u8]) -> usize {
    let (blocks, tail) = bytes.as_chunks::<BLOCK>();
    let (to, _) = out[..2 * bytes.len()].as_chunks_mut::<2>();
    let (to, rest) = to.as_chunks_mut::<BLOCK>();
    for (number, block) in blocks.iter().enumerate() {
        let to = &mut to[number];
        for lane in 0..BLOCK {
            to[lane] = pairs[usize::from(block[lane])];
        }
    }
    for lane in 0..tail.len() {
        rest[lane] = pairs[usize::from(tail[lane])];
    }
    2 * bytes.len()
}

/// The same, a pair of digits at a time: small values are moved by memcpy where nothing is optimised, and that is no copy.
pub(super) fn encode_in_pairs(bytes: &[u8], out: &mut [u8]) -> usize {
    for (to, byte) in out.chunks_exact_mut(2).zip(bytes) {
        let pair = [byte & 15, byte >> 4].map(|value| DIGITS[usize::from(value)]);
        to.copy_from_slice(&pair);
    }
    2 * bytes.len()
}

/// Decodes `text` to the front of `out`; returns how many bytes that were.
pub(super) fn decode(text: &[u8], out: &mut [u8]) -> Outcome<usize> {
    decode_with(|_, digit| value(digit), text, out)
}

/// `value` is told the digit's position, which the right one has no use for.
pub(super) fn decode_with(
    value: impl Fn(usize, u8) -> u8,
    text: &[u8],
    out: &mut [u8],
) -> Outcome<usize> {
    if text.len() % 2 == 1 {
        return Err(Failure::kind("odd_length"));
    }
    for (number, block) in text.chunks(BLOCK).enumerate() {
        let bytes = decode_block(&value, BLOCK * number, block)?;
        let count = block.len() / 2;
        out[BLOCK / 2 * number..][..count].copy_from_slice(&bytes[..count]);
    }
    Ok(text.len() / 2)
}

/// Decodes the text in `buffer` to its front: a block is read before its bytes are written, and those lie before the next.
pub(super) fn decode_in_place(buffer: &mut [u8]) -> Outcome<usize> {
    if buffer.len() % 2 == 1 {
        return Err(Failure::kind("odd_length"));
    }
    for first in (0..buffer.len()).step_by(BLOCK) {
        let block = &buffer[first..];
        let block = &block[..block.len().min(BLOCK)];
        let count = block.len() / 2;
        let bytes = decode_block(&|_, digit| value(digit), first, block)?;
        buffer[first / 2..][..count].copy_from_slice(&bytes[..count]);
    }
    Ok(buffer.len() / 2)
}

/// The bytes of at most a block of digits, of which the first has the position `first`.
fn decode_block(
    value: &impl Fn(usize, u8) -> u8,
    first: usize,
    block: &[u8],
) -> Outcome<[u8; BLOCK / 2]> {
    let mut bytes = [0; BLOCK / 2];
    let pairs = block.as_chunks::<2>().0;
    for number in 0..pairs.len() {
        let (at, pair) = (first + 2 * number, pairs[number]);
        let [low, high] = [value(at, pair[0]), value(at + 1, pair[1])];
        if low == NONE || high == NONE {
            let second = usize::from(low != NONE);
            return Err(Failure::at("bad_digit", at + second).detail([pair[second].into()]));
        }
        bytes[number] = low | high << 4;
    }
    Ok(bytes)
}

/// The value of a digit, or [`NONE`].
pub(super) fn value(digit: u8) -> u8 {
    VALUES[usize::from(digit)]
}

/// The format in plain code; shares nothing with the above.
pub(super) mod reference {
    use super::*;

    #[inline(never)]
    pub(in super::super) fn encode(bytes: &[u8]) -> Vec<u8> {
        encode_inlined(bytes)
    }

    #[inline(always)]
    pub(in super::super) fn encode_inlined(bytes: &[u8]) -> Vec<u8> {
        let digits = b"0123456789abcdef";
        let mut text = vec![0; 2 * bytes.len()];
        for (pair, byte) in text.as_chunks_mut().0.iter_mut().zip(bytes) {
            *pair = [
                digits[usize::from(byte % 16)],
                digits[usize::from(byte / 16)],
            ];
        }
        text
    }

    /// An odd length wins; else the first byte that is no digit. Capital letters are none.
    pub(in super::super) fn decode(text: &[u8]) -> Outcome<Vec<u8>> {
        if !text.len().is_multiple_of(2) {
            return Err(Failure::kind("odd_length"));
        }
        let mut bytes = vec![0; text.len() / 2];
        for (at, &byte) in text.iter().enumerate() {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                _ => return Err(Failure::at("bad_digit", at).detail([byte.into()])),
            };
            bytes[at / 2] += digit << (at % 2 * 4);
        }
        Ok(bytes)
    }
}
