//! Q64: every byte is two characters, each from the alphabet of its position.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use pathproof::{Failure, Outcome};

/// The alphabet of every position modulo 4, in runs of consecutive characters.
const ALPHABETS: [&[RangeInclusive<u8>]; 4] = [
    &[b'A'..=b'P'],
    &[b'Q'..=b'Z', b'a'..=b'f'],
    &[b'g'..=b'v'],
    &[b'w'..=b'z', b'0'..=b'9', b'-'..=b'-', b'_'..=b'_'],
];

/// The 16 characters of each alphabet, in their order.
static CHARACTERS: LazyLock<[[u8; 16]; 4]> = LazyLock::new(|| {
    ALPHABETS.map(|runs| {
        let mut characters = runs.iter().cloned().flatten();
        std::array::from_fn(|_| characters.next().expect("an alphabet has 16 characters"))
    })
});

/// For every byte, the alphabet that it is a character of, and its nibble there.
static MEANINGS: LazyLock<[Option<(usize, u8)>; 256]> = LazyLock::new(|| {
    let mut meanings = [None; 256];
    for (alphabet, characters) in CHARACTERS.iter().enumerate() {
        for (nibble, character) in (0..).zip(characters) {
            meanings[usize::from(*character)] = Some((alphabet, nibble));
        }
    }
    meanings
});

/// Two characters for every byte, high nibble first.
pub(crate) fn encode(data: &[u8]) -> Vec<u8> {
    let alphabets = &*CHARACTERS;
    let mut text = Vec::with_capacity(2 * data.len());
    for (i, byte) in data.iter().enumerate() {
        let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
        text.extend([alphabets[2 * i % 4][high], alphabets[(2 * i + 1) % 4][low]]);
    }
    text
}

/// Strict: an odd length wins; else the first byte that is no character, or another position's.
pub(crate) fn decode(text: &[u8]) -> Outcome<Vec<u8>> {
    if text.len() % 2 == 1 {
        return Err(Failure::kind("odd_length").detail([text.len() as u64]));
    }
    if let Some(refusal) = first_refusal(text) {
        return Err(refusal);
    }
    let nibble = |byte: u8| MEANINGS[usize::from(byte)].map_or(0, |(_, nibble)| nibble);
    let byte = |pair: &[u8]| nibble(pair[0]) << 4 | nibble(pair[1]);
    Ok(text.chunks(2).map(byte).collect())
}

/// What is wrong with the first character that its position does not allow, if there is one.
pub(crate) fn first_refusal(text: &[u8]) -> Option<Failure> {
    text.iter()
        .enumerate()
        .find_map(|(position, byte)| match MEANINGS[usize::from(*byte)] {
            None => {
                let detail = [(*byte).into(), (position % 4) as u64];
                Some(Failure::at("invalid_character", position).detail(detail))
            }
            Some((alphabet, _)) if alphabet != position % 4 => {
                let detail = [(*byte).into(), alphabet as u64, (position % 4) as u64];
                Some(Failure::at("wrong_position", position).detail(detail))
            }
            Some(_) => None,
        })
}
