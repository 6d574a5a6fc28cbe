//! Eq64: Q64 that people can read, with a dot after every 8 characters.
//!
//! ```text
//! data    b0 b1 b2 b3            b4 b5 b6 b7            b8
//! text    c0 c1 .... c7  .       c8 ...... c15  .       c16 c17       a dot stands between, never at the end
//! ```
//!
//! Without its dots it is Q64, and the kernels of Q64 do the work, a few hundred characters at a time. Between these and the text
//! groups are moved, 8 bytes and a dot each, while they are in the nearest cache.
//!
//! Tried and lost, as a share of this speed (AVX2, Zen 3, under load):
//! - groups encoded and decoded by the tables of the scalar kernel, straight from and to the text: 0.5 and 0.35 (4 KiB), 0.8 and
//!   0.6 (64 bytes); at 16 bytes it is 1.5
//! - all of the text encoded at the end of its place, and groups moved forward from there: 0.6 (4 KiB), 0.9 (64 bytes)

use alloc::string::String;
use alloc::vec::Vec;

use crate::dispatch::Encoder;
use crate::error::Q64Error;
use crate::q64::{MEANING, NO_CHARACTER, Out, new_data, new_text, scalar, uninit};

/// The characters before a dot, and with it.
const GROUP: usize = 8;
const DOTTED: usize = GROUP + 1;

/// The bytes of data of a group.
const BLOCK: usize = GROUP / 2;

/// The groups that are moved at a time.
const MOVED: usize = 32;

/// The length of the text of `data_len` bytes, or `None` if it does not fit a `usize`.
///
/// ```
/// assert_eq!(q64::eq64_encoded_len(4), Some(8));
/// assert_eq!(q64::eq64_encoded_len(5), Some(11));
/// assert_eq!(q64::eq64_encoded_len(usize::MAX), None);
/// ```
pub const fn eq64_encoded_len(data_len: usize) -> Option<usize> {
    let Some(characters) = data_len.checked_mul(2) else {
        return None;
    };
    characters.checked_add(characters.saturating_sub(1) / GROUP)
}

/// The length of the data of `text_len` bytes of text. Half a byte is rounded down; decoding refuses such text.
///
/// ```
/// assert_eq!(q64::eq64_decoded_len(11), 5);
/// ```
pub const fn eq64_decoded_len(text_len: usize) -> usize {
    (text_len - text_len / DOTTED) / 2
}

/// Encodes `data` as Q64 text with a dot after every 8 characters, but for the end. Linear in the length.
///
/// Source: `eq64_encode` of the Python package `uubed`; `uubed-core` has no Eq64.
///
/// # Panics
/// As [`Vec::with_capacity`].
///
/// ```
/// assert_eq!(q64::eq64_encode(b"QuadB64"), "FRn1GRm0.ESj2DU");
/// ```
pub fn eq64_encode(data: &[u8]) -> String {
    let len = eq64_encoded_len(data.len()).expect("a text of more bytes than can be addressed");
    // SAFETY: `encode` writes characters and dots to all of the text of its length.
    unsafe { new_text(len, |text| encode(data, text)) }
}

/// As [`eq64_encode`], into the first [`eq64_encoded_len`] bytes of `output`; returns their number. Further bytes of `output` are
/// left as they are.
///
/// # Errors
/// [`Q64Error::BufferTooSmall`] if `output` is shorter; nothing is written then.
///
/// ```
/// let mut text = [0; 11];
/// assert_eq!(q64::eq64_encode_to_buffer(&[0; 5], &mut text), Ok(11));
/// assert_eq!(&text, b"AQgwAQgw.AQ");
/// ```
pub fn eq64_encode_to_buffer(data: &[u8], output: &mut [u8]) -> Result<usize, Q64Error> {
    let needed = eq64_encoded_len(data.len()).unwrap_or(usize::MAX);
    let output = Q64Error::room(output, needed)?;
    // SAFETY: `encode` writes characters and dots, and nothing else.
    encode(data, unsafe { uninit(output) });
    Ok(output.len())
}

/// Decodes Eq64 text, given as `&str` or as bytes. Decoding is strict: dots and characters stand where they must. Linear in the
/// length.
///
/// Source: `eq64_decode` of the Python package `uubed`, which takes dots at any place.
///
/// # Errors
/// [`Q64Error::OddLength`] if the bytes without every ninth, where dots stand, are odd in number; else the leftmost of
/// [`Q64Error::MissingDot`], [`Q64Error::MisplacedDot`] (a last byte that is a dot, too), [`Q64Error::InvalidCharacter`] and
/// [`Q64Error::WrongPosition`].
///
/// # Panics
/// As [`Vec::with_capacity`].
///
/// ```
/// use q64::{Q64Error, eq64_decode};
///
/// assert_eq!(eq64_decode("FRn1GRm0.ESj2DU").unwrap(), b"QuadB64");
/// assert_eq!(eq64_decode("AQgwAQgw:AQ"), Err(Q64Error::MissingDot { position: 8, byte: b':' }));
/// assert_eq!(eq64_decode("AQ.w"), Err(Q64Error::MisplacedDot { position: 2 }));
/// ```
pub fn eq64_decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, Q64Error> {
    let text = text.as_ref();
    let len = decoded_len(text)?;
    // SAFETY: `decode` writes all of the data where it succeeds.
    unsafe { new_data(len, |data| decode(text, data)) }
}

/// As [`eq64_decode`], into the first [`eq64_decoded_len`] bytes of `output`; returns their number. Further bytes of `output` are
/// left as they are.
///
/// # Errors
/// The first of these that holds: [`Q64Error::OddLength`]; [`Q64Error::BufferTooSmall`], and nothing is written; the leftmost
/// error as of [`eq64_decode`], and what the first [`eq64_decoded_len`] bytes of `output` hold then is unspecified.
///
/// ```
/// let mut data = [0; 5];
/// assert_eq!(q64::eq64_decode_to_buffer("AQgwAQgw.AQ", &mut data), Ok(5));
/// ```
pub fn eq64_decode_to_buffer(text: impl AsRef<[u8]>, output: &mut [u8]) -> Result<usize, Q64Error> {
    let text = text.as_ref();
    let output = Q64Error::room(output, decoded_len(text)?)?;
    // SAFETY: `decode` writes decoded bytes, and nothing else.
    decode(text, unsafe { uninit(output) })?;
    Ok(output.len())
}

fn decoded_len(text: &[u8]) -> Result<usize, Q64Error> {
    match text.len() - text.len() / DOTTED {
        characters if characters.is_multiple_of(2) => Ok(characters / 2),
        _ => Err(Q64Error::OddLength { len: text.len() }),
    }
}

/// Writes all of `text`, which has the length for `data`.
fn encode(data: &[u8], text: &mut [Out]) {
    let encoder = Encoder::best();
    // The last group, whole or not, has no dot.
    let (dotted, last) = data.split_at(data.len().saturating_sub(1) / BLOCK * BLOCK);
    let (groups, last_text) = text.as_chunks_mut::<DOTTED>();
    let mut characters = [[Out::uninit(); GROUP]; MOVED];
    for (data, groups) in dotted.chunks(BLOCK * MOVED).zip(groups.chunks_mut(MOVED)) {
        let characters = &mut characters[..groups.len()];
        encoder.run_encode(data, characters.as_flattened_mut());
        // All that is copied was just written.
        for (group, characters) in groups.iter_mut().zip(characters) {
            group[..GROUP].copy_from_slice(characters);
            group[GROUP].write(b'.');
        }
    }
    scalar::encode(last, last_text.as_chunks_mut().0);
}

/// Writes all of `data`, which has the length for `text`, or returns the leftmost error.
fn decode(text: &[u8], data: &mut [Out]) -> Result<(), Q64Error> {
    let encoder = Encoder::best();
    let (groups, last) = text.as_chunks::<DOTTED>();
    let (dotted, last_data) = data.split_at_mut(BLOCK * groups.len());
    let mut characters = [[0; GROUP]; MOVED];
    let mut chunks = groups.chunks(MOVED).zip(dotted.chunks_mut(BLOCK * MOVED));
    let good = chunks.all(|(groups, data)| {
        let characters = &mut characters[..groups.len()];
        let mut differ = 0;
        for (characters, group) in characters.iter_mut().zip(groups) {
            characters.copy_from_slice(&group[..GROUP]);
            differ |= group[GROUP] ^ b'.';
        }
        differ == 0 && encoder.run_decode(characters.as_flattened(), data).is_ok()
    });
    // After the last dot there is something.
    let ends = !last.is_empty() || text.is_empty();
    if good && ends && scalar::decode(last.as_chunks().0, last_data).is_ok() {
        return Ok(());
    }
    Err(refusal(text))
}

/// The leftmost error of a text that has one.
#[cold]
#[inline(never)]
fn refusal(text: &[u8]) -> Q64Error {
    for (position, &byte) in text.iter().enumerate() {
        let expected = ((position - position / DOTTED) % 4) as u8;
        match (position % DOTTED, byte) {
            (GROUP, b'.') if position + 1 < text.len() => {}
            (GROUP, b'.') => return Q64Error::MisplacedDot { position },
            (GROUP, byte) => return Q64Error::MissingDot { position, byte },
            (_, b'.') => return Q64Error::MisplacedDot { position },
            (_, byte) => match MEANING[usize::from(byte)] {
                NO_CHARACTER => {
                    return Q64Error::InvalidCharacter {
                        position,
                        byte,
                        expected,
                    };
                }
                meaning if meaning >> 4 != expected => {
                    return Q64Error::WrongPosition {
                        position,
                        byte,
                        found: meaning >> 4,
                        expected,
                    };
                }
                _ => {}
            },
        }
    }
    unreachable!("a text was refused, all of which the format allows")
}
