//! What the tests share: the format written down a second time, and the encoders that can run here.

use q64::{Encoder, Isa, Operation};

/// Kind and position of an error, as `Q64Error::kind` and `Q64Error::position` give them.
pub(crate) type Refusal = (&'static str, Option<usize>);

const ALPHABETS: [&str; 4] = [
    "ABCDEFGHIJKLMNOP",
    "QRSTUVWXYZabcdef",
    "ghijklmnopqrstuv",
    "wxyz0123456789-_",
];

/// The text of `data`, character by character from the format.
pub(crate) fn encode(data: &[u8]) -> String {
    let nibbles = data.iter().flat_map(|byte| [byte / 16, byte % 16]);
    let character = |(position, nibble): (usize, u8)| {
        char::from(ALPHABETS[position % 4].as_bytes()[usize::from(nibble)])
    };
    nibbles.enumerate().map(character).collect()
}

/// The data of `text`, or the error that the format asks for.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    if text.len() % 2 == 1 {
        return Err(("odd_length", None));
    }
    let nibble = |(position, &byte): (usize, &u8)| {
        let find = |alphabet: &str| alphabet.bytes().position(|character| character == byte);
        match find(ALPHABETS[position % 4]) {
            Some(nibble) => Ok(nibble as u8),
            None if ALPHABETS
                .into_iter()
                .any(|alphabet| find(alphabet).is_some()) =>
            {
                Err(("wrong_position", Some(position)))
            }
            None => Err(("invalid_character", Some(position))),
        }
    };
    let nibbles: Vec<u8> = text
        .iter()
        .enumerate()
        .map(nibble)
        .collect::<Result<_, _>>()?;
    Ok(nibbles
        .chunks(2)
        .map(|pair| 16 * pair[0] + pair[1])
        .collect())
}

/// An encoder for every instruction set that can run here; says which cannot, and fails if that
/// leaves nothing but scalar code on x86-64 or AArch64, where a test would then compare tables with
/// tables.
pub(crate) fn encoders() -> Vec<Encoder> {
    let mut encoders = Vec::new();
    for &isa in Isa::ALL {
        match Encoder::with(isa) {
            Some(encoder) => encoders.push(encoder),
            None if isa.is_built() => println!("NOT RUN: {isa}, not available here"),
            None => println!("NOT RUN: {isa}, not for this target"),
        }
    }
    let names: Vec<_> = encoders
        .iter()
        .map(|encoder| encoder.isa().name())
        .collect();
    println!("run: {}", names.join(", "));
    assert!(names.contains(&"scalar"));
    let has_vectors = cfg!(target_arch = "x86_64") || cfg!(target_arch = "aarch64");
    assert!(
        !has_vectors || names.len() > 1,
        "nothing but scalar code can run here"
    );
    encoders
}

/// Those of the encoders that have a kernel with streaming stores, made to use it always.
pub(crate) fn streaming_encoders() -> impl Iterator<Item = Encoder> {
    let streams = |encoder: &Encoder| {
        let isas = Operation::Q64Encode.streaming_paths();
        isas.contains(&encoder.isa())
    };
    let encoders = encoders().into_iter().filter(streams);
    encoders.map(|encoder| encoder.streams_from(0))
}

/// Bytes without a pattern, the same ones for the same seed (xorshift64* of Marsaglia and Vigna).
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut byte = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
    };
    (0..len).map(|_| byte()).collect()
}

/// The bytes that hex digits stand for.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .map(|digit| digit.to_digit(16).unwrap() as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| 16 * pair[0] + pair[1])
        .collect()
}
