//! Eq64: Q64 with a dot after every 8 characters, but for the end.

use pathproof::{Failure, Outcome};

use super::q64;

pub(crate) fn encode(data: &[u8]) -> Vec<u8> {
    let text = q64::encode(data);
    let groups: Vec<_> = text.chunks(8).collect();
    groups.join(&b'.')
}

/// Strict: an odd number of characters wins; else the first byte that is no dot where one is due, a dot elsewhere or at the end,
/// or what is wrong with the characters.
pub(crate) fn decode(text: &[u8]) -> Outcome<Vec<u8>> {
    let n = text.len();
    if (n - n / 9) % 2 == 1 {
        return Err(Failure::kind("odd_length").detail([n as u64]));
    }
    // Without its dots, a text is Q64; where it was cut off by an error, the position of that is known.
    let mut characters = Vec::new();
    let mut misplaced = None;
    for (at, &byte) in text.iter().enumerate() {
        let refusal = match (at % 9 == 8, byte == b'.') {
            (true, true) if at + 1 < n => continue,
            (true, false) => Failure::at("missing_dot", at).detail([byte.into()]),
            (_, true) => Failure::at("misplaced_dot", at),
            (false, false) => {
                characters.push(byte);
                continue;
            }
        };
        misplaced = Some(refusal);
        break;
    }
    // What was gathered may be an odd number, of which the last one is judged all the same.
    match (q64::first_refusal(&characters), misplaced) {
        (Some(refusal), _) => Err(Failure {
            at: refusal.at.map(|at| at + at / 8),
            ..refusal
        }),
        (None, Some(refusal)) => Err(refusal),
        (None, None) => q64::decode(&characters),
    }
}
