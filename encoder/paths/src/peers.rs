//! What one would use instead of Q64: hex, which also makes two characters of a byte but says nothing of positions.

use pathproof::{CodePath, Failure, Input, Outcome, Peer};

use crate::reference;

/// Hex of the very bytes that the paths encode.
pub(crate) fn faster_hex_encode() -> Peer {
    let path = CodePath::fills("faster-hex", |i, out| {
        faster_hex::hex_encode(i.bytes(), out)
            .map(|text| text.len())
            .map_err(|_| Failure::opaque())
    });
    Peer::new(path, |i| i.bytes().to_vec(), |i| Ok(hex(i.bytes())))
}

/// From the hex of the bytes that the paths' text holds.
pub(crate) fn faster_hex_decode() -> Peer {
    let path = CodePath::fills("faster-hex", |i, out| {
        faster_hex::hex_decode(i.bytes(), out)
            .map(|()| out.len())
            .map_err(|_| Failure::opaque())
    });
    Peer::new(
        path,
        |i| hex(&reference::decode(i.bytes()).unwrap_or_default()),
        unhex,
    )
}

/// Hex as its definition says, for the peers to be held against.
fn hex(data: &[u8]) -> Vec<u8> {
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

fn unhex(i: &Input<'_>) -> Outcome<Vec<u8>> {
    let digit = |c: &u8| {
        (*c as char)
            .to_digit(16)
            .map(|d| d as u8)
            .ok_or_else(Failure::opaque)
    };
    let digits = i.bytes().iter().map(digit).collect::<Outcome<Vec<u8>>>()?;
    Ok(digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect())
}
