//! The codec of the zoo: every byte becomes two hexadecimal digits, the low one first.
//!
//! Here it is right, in blocks of 16 and a tail as kernels have them. `reference` says the same without blocks or tables.

use pathproof::{Failure, Outcome};

pub(super) const BLOCK: usize = 16;
pub(super) const DIGITS: [u8; 16] = *b"0123456789abcdef";
/// What stands for no digit.
const NONE: u8 = 0xff;

/// Encodes `bytes` to the front of `out`; returns the text's length.
pub(super) fn encode(bytes: &[u8], out: &mut [u8]) -> usize {
    encode_with(&DIGITS, bytes, out)
}

pub(super) fn encode_with(digits: &[u8; 16], bytes: &[u8], out: &mut [u8]) -> usize {
    let pair = |byte: u8| {
        [
            digits[usize::from(byte & 15)],
            digits[usize::from(byte >> 4)],
        ]
    };
    let (blocks, tail) = bytes.as_chunks::<BLOCK>();
    for (number, block) in blocks.iter().enumerate() {
        let to = &mut out[2 * BLOCK * number..][..2 * BLOCK];
        for lane in 0..BLOCK {
            to[2 * lane..][..2].copy_from_slice(&pair(block[lane]));
        }
    }
    let to = &mut out[2 * (bytes.len() - tail.len())..];
    for (lane, &byte) in tail.iter().enumerate() {
        to[2 * lane..][..2].copy_from_slice(&pair(byte));
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
        let first = BLOCK * number;
        let mut values = [0; BLOCK];
        for lane in 0..block.len() {
            values[lane] = value(first + lane, block[lane]);
        }
        if let Some(lane) = values.iter().position(|&value| value == NONE) {
            let at = first + lane;
            return Err(Failure::at("bad_digit", at).detail(text[at].into()));
        }
        for lane in 0..block.len() / 2 {
            out[first / 2 + lane] = values[2 * lane] | values[2 * lane + 1] << 4;
        }
    }
    Ok(text.len() / 2)
}

/// The value of a digit, or [`NONE`].
pub(super) fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => NONE,
    }
}

/// The format in plain code; shares nothing with the above.
pub(super) mod reference {
    use super::*;

    pub(in super::super) fn encode(bytes: &[u8]) -> Vec<u8> {
        let mut text = String::new();
        for byte in bytes {
            text.extend(
                [byte % 16, byte / 16].map(|n| char::from_digit(n.into(), 16).unwrap_or('?')),
            );
        }
        text.into_bytes()
    }

    /// An odd length wins; else the first byte that is no digit. Capital letters are none.
    pub(in super::super) fn decode(text: &[u8]) -> Outcome<Vec<u8>> {
        if !text.len().is_multiple_of(2) {
            return Err(Failure::kind("odd_length"));
        }
        let mut bytes = vec![0; text.len() / 2];
        for (at, &byte) in text.iter().enumerate() {
            let digit = char::from(byte)
                .to_digit(16)
                .filter(|_| !byte.is_ascii_uppercase());
            let digit =
                digit.ok_or_else(|| Failure::at("bad_digit", at).detail(text[at].into()))?;
            bytes[at / 2] += (digit as u8) << (at % 2 * 4);
        }
        Ok(bytes)
    }
}
