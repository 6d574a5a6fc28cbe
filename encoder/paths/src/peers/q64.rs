//! What one would use instead of Q64: hex, which also makes two characters of a byte, and base64, which makes four of three.
//! Neither says anything of positions. Each has an input of its own, made from the same bytes, and a reference of its own.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use base64_simd::AsOut;
use hex_simd::AsciiCase;
use pathproof::{CodePath, Failure, Input, Outcome, Peer};

use super::roofline;
use crate::reference;

/// Encoders, on the very bytes that the paths encode.
pub(crate) fn encode() -> Vec<Peer> {
    vec![
        to_hex("faster-hex", |data, out| {
            Some(faster_hex::hex_encode(data, out).ok()?.len())
        }),
        to_hex("hex-simd", |data, out| {
            Some(hex_simd::encode(data, out.as_out(), AsciiCase::Lower).len())
        }),
        to_hex("const-hex", |data, out| {
            const_hex::encode_to_slice(data, out)
                .ok()
                .map(|()| out.len())
        }),
        to_hex("data-encoding", |data, out| {
            data_encoding::HEXLOWER.encode_mut(data, out);
            Some(out.len())
        }),
        to_base64("base64-simd", |data, out| {
            Some(base64_simd::STANDARD.encode(data, out.as_out()).len())
        }),
        to_base64("base64", |data, out| BASE64.encode_slice(data, out).ok()),
        roofline::encode(),
    ]
}

/// Decoders, on the hex or base64 of the bytes that the paths' text holds.
pub(crate) fn decode() -> Vec<Peer> {
    vec![
        from_hex("faster-hex", |text, out| {
            faster_hex::hex_decode(text, out).ok().map(|()| out.len())
        }),
        from_hex("hex-simd", |text, out| {
            Some(hex_simd::decode(text, out.as_out()).ok()?.len())
        }),
        from_hex("const-hex", |text, out| {
            const_hex::decode_to_slice(text, out)
                .ok()
                .map(|()| out.len())
        }),
        from_hex("data-encoding", |text, out| {
            data_encoding::HEXLOWER.decode_mut(text, out).ok()
        }),
        from_base64("base64-simd", |text, out| {
            Some(base64_simd::STANDARD.decode(text, out.as_out()).ok()?.len())
        }),
        from_base64("base64", |text, out| {
            BASE64.decode_slice_unchecked(text, out).ok()
        }),
        roofline::decode(),
    ]
}

// Generic in the call, as the paths are: a call through a function pointer would be measured, too.

fn to_hex(name: &'static str, f: impl Fn(&[u8], &mut [u8]) -> Option<usize> + 'static) -> Peer {
    Peer::new(
        fills(name, f),
        |i| i.bytes().to_vec(),
        |i| Ok(plain::hex(i.bytes())),
    )
}

fn to_base64(name: &'static str, f: impl Fn(&[u8], &mut [u8]) -> Option<usize> + 'static) -> Peer {
    Peer::new(
        fills(name, f),
        |i| i.bytes().to_vec(),
        |i| Ok(plain::base64(i.bytes())),
    )
}

fn from_hex(name: &'static str, f: impl Fn(&[u8], &mut [u8]) -> Option<usize> + 'static) -> Peer {
    Peer::new(
        fills(name, f),
        |i| plain::hex(&data_of(i)),
        |i| plain::unhex(i.bytes()),
    )
}

fn from_base64(
    name: &'static str,
    f: impl Fn(&[u8], &mut [u8]) -> Option<usize> + 'static,
) -> Peer {
    Peer::new(
        fills(name, f),
        |i| plain::base64(&data_of(i)),
        |i| plain::unbase64(i.bytes()),
    )
}

fn fills(name: &'static str, f: impl Fn(&[u8], &mut [u8]) -> Option<usize> + 'static) -> CodePath {
    CodePath::fills(name, move |i, out| {
        f(i.bytes(), out).ok_or_else(Failure::opaque)
    })
}

/// The bytes that a text of the paths holds.
fn data_of(i: &Input<'_>) -> Vec<u8> {
    reference::q64::decode(i.bytes()).unwrap_or_default()
}

/// Hex and base64 as RFC 4648 describes them, for the peers to be held against.
mod plain {
    use super::*;

    pub(super) fn hex(data: &[u8]) -> Vec<u8> {
        let digit = |nibble: u8| {
            if nibble < 10 {
                b'0' + nibble
            } else {
                b'a' + nibble - 10
            }
        };
        data.iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
            .collect()
    }

    pub(super) fn unhex(text: &[u8]) -> Outcome<Vec<u8>> {
        let digit = |c: &u8| {
            (*c as char)
                .to_digit(16)
                .map(|d| d as u8)
                .ok_or_else(Failure::opaque)
        };
        let digits = text.iter().map(digit).collect::<Outcome<Vec<u8>>>()?;
        Ok(digits
            .chunks_exact(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect())
    }

    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    pub(super) fn base64(data: &[u8]) -> Vec<u8> {
        let group = |bytes: &[u8]| {
            let word = bytes
                .iter()
                .fold(0u32, |word, byte| word << 8 | u32::from(*byte))
                << (8 * (3 - bytes.len()));
            let sextet = |i: usize| ALPHABET[(word >> (18 - 6 * i)) as usize & 63];
            (0..4)
                .map(|i| if i <= bytes.len() { sextet(i) } else { b'=' })
                .collect::<Vec<_>>()
        };
        data.chunks(3).flat_map(group).collect()
    }

    pub(super) fn unbase64(text: &[u8]) -> Outcome<Vec<u8>> {
        let mut data = Vec::new();
        for group in text.chunks(4) {
            let given: Vec<u32> = group
                .iter()
                .filter_map(|c| Some(ALPHABET.iter().position(|a| a == c)? as u32))
                .collect();
            let word =
                given.iter().fold(0, |word, sextet| word << 6 | sextet) << (6 * (4 - given.len()));
            data.extend_from_slice(&word.to_be_bytes()[1..given.len()]);
        }
        Ok(data)
    }
}
