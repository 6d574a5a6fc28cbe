//! Z-order as one would write it down: a value at a time, and then Q64.

use pathproof::{CodePath, Failure, Peer};

use crate::reference;

pub(crate) fn z_order() -> Peer {
    let path = plain_loop(|values| {
        let bits = values.iter().take(16).enumerate();
        bits.fold(0, |code, (d, value)| {
            code | u32::from(value >> 6) << (2 * d)
        })
    });
    Peer::new(
        path,
        |i| i.bytes().to_vec(),
        |i| Ok(reference::z_order::z_order(i.bytes())),
    )
}

pub(crate) fn extended() -> Peer {
    let path = plain_loop(|values| {
        let mut code = 0;
        for (d, value) in values.iter().take(8).enumerate() {
            for k in 0..4 {
                code |= u32::from(value >> (4 + k) & 1) << (8 * k + d);
            }
        }
        code
    });
    Peer::new(
        path,
        |i| i.bytes().to_vec(),
        |i| Ok(reference::z_order::extended(i.bytes())),
    )
}

fn plain_loop(code: impl Fn(&[u8]) -> u32 + 'static) -> CodePath {
    CodePath::fills("plain-loop", move |i, out| {
        q64::q64_encode_to_buffer(&code(i.bytes()).to_be_bytes(), out)
            .map_err(|_| Failure::opaque())
    })
}
