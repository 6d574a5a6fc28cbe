//! What one would use instead: a loop over the planes, row after row of the matrix, as the format describes it. The text is made by
//! the encoder.

use pathproof::{CodePath, Failure, Input, Peer};

use crate::reference;

pub(crate) fn simhash() -> Peer {
    let planes = |i: &Input<'_>| i.get("planes") as usize;
    let path = CodePath::fills("row-loop", move |i, out| {
        let centre = |byte: &u8| (f32::from(*byte) - 128.0) / 128.0;
        let centred: Vec<f32> = i.bytes().iter().map(centre).collect();
        let mut bits = vec![0; planes(i).div_ceil(8)];
        reference::simhash::with_planes(planes(i), centred.len(), |plane, weights| {
            let products = weights.iter().zip(&centred).map(|(w, c)| w * c);
            if products.sum::<f32>() > 0.0 {
                bits[plane / 8] |= 0x80 >> (plane % 8);
            }
        });
        q64::q64_encode_to_buffer(&bits, out).map_err(|_| Failure::opaque())
    });
    Peer::new(
        path,
        |i| i.bytes().to_vec(),
        move |i| reference::simhash::simhash(i.bytes(), planes(i)),
    )
}
