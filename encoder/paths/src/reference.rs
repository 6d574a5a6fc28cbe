//! Q64 as its format describes it, slowly and plainly. Shares no code and no table with the encoder: what it says is held
//! against known answers, and the encoder against it.

use pathproof::{Failure, Outcome};

/// The alphabet of every position modulo 4, in runs of consecutive characters.
const ALPHABETS: [&[std::ops::RangeInclusive<char>]; 4] = [
    &['A'..='P'],
    &['Q'..='Z', 'a'..='f'],
    &['g'..='v'],
    &['w'..='z', '0'..='9', '-'..='-', '_'..='_'],
];

fn character(position: usize, nibble: u8) -> u8 {
    let mut alphabet = ALPHABETS[position % 4].iter().cloned().flatten();
    alphabet
        .nth(nibble.into())
        .expect("an alphabet has 16 characters") as u8
}

/// The alphabet that a byte of text belongs to, and its nibble.
fn meaning(byte: u8) -> Option<(usize, u8)> {
    let find = |runs: &[std::ops::RangeInclusive<char>]| {
        runs.iter()
            .cloned()
            .flatten()
            .position(|c| c as u32 == u32::from(byte))
    };
    ALPHABETS
        .iter()
        .enumerate()
        .find_map(|(alphabet, runs)| Some((alphabet, find(runs)? as u8)))
}

/// Two characters for every byte, high nibble first.
pub(crate) fn encode(data: &[u8]) -> Vec<u8> {
    let characters =
        |(i, byte): (usize, &u8)| [character(2 * i, byte >> 4), character(2 * i + 1, byte & 15)];
    data.iter().enumerate().flat_map(characters).collect()
}

/// Strict: an odd length wins; else the first byte that is no character, or another position's.
pub(crate) fn decode(text: &[u8]) -> Outcome<Vec<u8>> {
    if text.len() % 2 == 1 {
        return Err(Failure::kind("odd_length"));
    }
    let nibble = |(position, byte): (usize, &u8)| match meaning(*byte) {
        None => Err(Failure::at("invalid_character", position)),
        Some((alphabet, _)) if alphabet != position % 4 => {
            Err(Failure::at("wrong_position", position))
        }
        Some((_, nibble)) => Ok(nibble),
    };
    let nibbles = text
        .iter()
        .enumerate()
        .map(nibble)
        .collect::<Outcome<Vec<u8>>>()?;
    Ok(nibbles
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect())
}
