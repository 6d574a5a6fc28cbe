//! What one would use instead of Q64: hex, which also makes two characters of a byte but says nothing of positions.

use pathproof::{CodePath, Failure, Outcome, Peer};

/// Hex as its definition says, for the peers to be held against.
fn hex(data: &[u8]) -> Vec<u8> {
    data.iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|n| if n < 10 { b'0' + n } else { b'a' + n - 10 })
        .collect()
}

/// Encoders: from the same bytes as the paths.
pub(crate) fn encode() -> [Peer; 1] {
    let faster_hex = CodePath::fills("faster-hex", |i, out| {
        faster_hex::hex_encode(i.bytes(), out)
            .map(|text| text.len())
            .map_err(|_| Failure::opaque())
    });
    [Peer::new(
        faster_hex,
        |i| i.bytes().to_vec(),
        |i| Ok(hex(i.bytes())),
    )]
}

/// Decoders: from the hex of the bytes that the paths' text holds.
pub(crate) fn decode(plain: impl Fn(&[u8]) -> Outcome<Vec<u8>> + Copy + 'static) -> [Peer; 1] {
    let faster_hex = CodePath::fills("faster-hex", |i, out| {
        let len = i.bytes().len() / 2;
        faster_hex::hex_decode(i.bytes(), &mut out[..len])
            .map(|()| len)
            .map_err(|_| Failure::opaque())
    });
    let unhex = |i: &pathproof::Input<'_>| -> Outcome<Vec<u8>> {
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
    };
    [Peer::new(
        faster_hex,
        move |i| hex(&plain(i.bytes()).unwrap_or_default()),
        unhex,
    )]
}
