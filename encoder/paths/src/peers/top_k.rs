//! What one would use instead: the standard library's selection, of keys that order as the format asks, the value before the
//! index. The text is made by the encoder.

use pathproof::{CodePath, Failure, Input, Outcome, Peer};

use crate::reference;

pub(crate) fn top_k() -> Peer {
    let path = CodePath::fills("select_nth_unstable", |i, out| {
        select(i.bytes(), i.get("k") as usize, out)
    });
    Peer::new(
        path,
        |i| i.bytes().to_vec(),
        |i: &Input<'_>| reference::top_k::top_k(i.bytes(), i.get("k") as usize),
    )
}

fn select(data: &[u8], k: usize, out: &mut [u8]) -> Outcome<usize> {
    if data.len() > 65_535 {
        return Err(Failure::kind("too_long"));
    }
    let key = |(index, byte): (u32, &u8)| u32::from(255 - byte) << 16 | index;
    let mut keys: Vec<u32> = (0..).zip(data).map(key).collect();
    if k < keys.len() {
        keys.select_nth_unstable(k);
        keys.truncate(k);
    }
    for key in &mut keys {
        *key &= 0xffff;
    }
    keys.sort_unstable();
    keys.resize(k, 0xffff);
    let indices: Vec<u8> = if data.len() <= 256 {
        keys.iter().map(|index| *index as u8).collect()
    } else {
        let wide = |index: &u32| (*index as u16).to_be_bytes();
        keys.iter().flat_map(wide).collect()
    };
    q64::q64_encode_to_buffer(&indices, out).map_err(|_| Failure::opaque())
}
