//! Streams: a text whose end is not known while it is read.

use pathproof::{Failure, Outcome};

use super::q64;

/// As the text, but that an odd length shows only at its end, after every pair of characters.
pub(crate) fn decode(text: &[u8]) -> Outcome<Vec<u8>> {
    let data = q64::decode(&text[..text.len() / 2 * 2])?;
    match text.len() % 2 {
        0 => Ok(data),
        _ => Err(Failure::kind("odd_length").detail([text.len() as u64])),
    }
}
