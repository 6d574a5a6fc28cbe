//! Mq64 (Matryoshka): prefixes of the data, each as Q64 text from position 0, joined with `:`.
//!
//! ```text
//! data       |--- level 0 ---|
//!            |------- level 1 -------|
//!            |------------------ the last level ------------------|
//! text       t0 ':' t1 ':' t2            t0 is a prefix of t1, and t1 of t2
//! ```
//!
//! Every segment is encoded from the data: to copy it from a longer one is to read twice as much. Decoding is that of the last
//! segment; the others are compared with it, for equal data has equal text. Only a text that does not pass is looked at segment
//! by segment, for its leftmost error.
//!
//! Tried and lost: separators found byte by byte, which took most of the time of decoding.

use alloc::string::String;
use alloc::vec::Vec;

use crate::dispatch::Encoder;
use crate::error::Q64Error;
use crate::q64::{Out, Pair, new_data, new_text, offender, uninit};

/// What stands between segments.
const SEPARATOR: u8 = b':';

/// The first default level; each is twice the one before.
const FIRST_LEVEL: usize = 64;

/// The default levels of data of this length, but for the last, which is the length.
fn levels_below(data_len: usize) -> impl Iterator<Item = usize> + Clone {
    let doubled = core::iter::successors(Some(FIRST_LEVEL), |level| level.checked_mul(2));
    doubled.take_while(move |level| *level < data_len)
}

/// The length of the segments of these levels, with their separators.
fn len_of(levels: impl Iterator<Item = usize>) -> Option<usize> {
    levels.into_iter().try_fold(0usize, |len, level| {
        let separator = usize::from(len > 0);
        len.checked_add(level.checked_mul(2)?)?
            .checked_add(separator)
    })
}

/// The length of the text of `data_len` bytes with the default levels, or `None` if it does not fit a `usize`.
///
/// ```
/// assert_eq!(q64::mq64_encoded_len(64), Some(128));
/// assert_eq!(q64::mq64_encoded_len(65), Some(128 + 1 + 130));
/// assert_eq!(q64::mq64_encoded_len(usize::MAX), None);
/// ```
pub fn mq64_encoded_len(data_len: usize) -> Option<usize> {
    len_of(levels_below(data_len).chain([data_len]))
}

/// The length of the text with these levels, or `None` if it does not fit a `usize`. Whether encoding allows them is not looked
/// at.
///
/// ```
/// assert_eq!(q64::mq64_encoded_len_with_levels(&[2, 5]), Some(4 + 1 + 10));
/// assert_eq!(q64::mq64_encoded_len_with_levels(&[]), Some(0));
/// ```
pub fn mq64_encoded_len_with_levels(levels: &[usize]) -> Option<usize> {
    len_of(levels.iter().copied())
}

/// The length of the data of `text`: half of what follows the last separator. Half a byte is rounded down; decoding refuses such
/// text.
///
/// ```
/// assert_eq!(q64::mq64_decoded_len(b"AQ:AQgw"), 2);
/// ```
pub fn mq64_decoded_len(text: &[u8]) -> usize {
    last_segment(text).len() / 2
}

/// The bytes that are searched for a separator at a time.
const SEARCHED: usize = 64;

/// Whether a separator is among these. Looks at all of them, which compilers do with vectors of 16.
#[inline]
fn separates(chunk: &[u8; SEARCHED]) -> bool {
    let is_separator = chunk.map(|byte| u8::from(byte == SEPARATOR));
    is_separator.into_iter().fold(0, |any, is| any | is) != 0
}

fn last_segment(text: &[u8]) -> &[u8] {
    let (front, chunks) = text.as_rchunks();
    let without = chunks
        .iter()
        .rev()
        .take_while(|chunk| !separates(chunk))
        .count();
    let to = front.len() + SEARCHED * (chunks.len() - without);
    let separator = text[..to].iter().rposition(|byte| *byte == SEPARATOR);
    &text[separator.map_or(0, |at| at + 1)..]
}

/// What stands before the first separator, and behind it; all of `text` and nothing, if there is none.
fn first_segment(text: &[u8]) -> (&[u8], &[u8]) {
    let (chunks, _) = text.as_chunks();
    let from = SEARCHED * chunks.iter().take_while(|chunk| !separates(chunk)).count();
    let separator = text[from..].iter().position(|byte| *byte == SEPARATOR);
    separator.map_or((text, &[]), |at| {
        (&text[..from + at], &text[from + at + 1..])
    })
}

/// Levels are strictly ascending, at least 1, and end at the data's length; no data has none.
fn check(levels: &[usize], data_len: usize) -> Result<(), Q64Error> {
    let mut before = 0;
    for (index, &level) in levels.iter().enumerate() {
        if level <= before || level > data_len {
            return Err(Q64Error::BadLevels { index, data_len });
        }
        before = level;
    }
    match before == data_len {
        true => Ok(()),
        false => Err(Q64Error::BadLevels {
            index: levels.len(),
            data_len,
        }),
    }
}

impl Encoder {
    /// As [`mq64_encode`], with the kernels of this handle.
    ///
    /// # Panics
    /// As [`mq64_encode`].
    ///
    /// ```
    /// let encoder = q64::Encoder::new();
    /// assert_eq!(encoder.mq64_encode(b"Q64"), "FRj2DU");
    /// assert_eq!(encoder.mq64_encode(&[0; 65]).len(), 128 + 1 + 130);
    /// ```
    pub fn mq64_encode(&self, data: &[u8]) -> String {
        let len = mq64_encoded_len(data.len()).expect(TOO_MUCH);
        // SAFETY: `write_levels` writes all of a text of this length, and nothing but characters and separators.
        unsafe {
            new_text(len, |text| {
                self.write_levels(data, levels_below(data.len()), text)
            })
        }
    }

    /// As [`mq64_encode_to_buffer`], with the kernels of this handle.
    ///
    /// # Errors
    /// As [`mq64_encode_to_buffer`].
    ///
    /// ```
    /// let mut text = [0; 8];
    /// assert_eq!(q64::Encoder::new().mq64_encode_into(b"Q64", &mut text), Ok(6));
    /// assert_eq!(&text, b"FRj2DU\0\0");
    /// ```
    pub fn mq64_encode_into(&self, data: &[u8], output: &mut [u8]) -> Result<usize, Q64Error> {
        let needed = mq64_encoded_len(data.len()).unwrap_or(usize::MAX);
        let output = Q64Error::room(output, needed)?;
        // SAFETY: `write_levels` writes characters and separators, and nothing else.
        self.write_levels(data, levels_below(data.len()), unsafe { uninit(output) });
        Ok(output.len())
    }

    /// As [`mq64_encode_with_levels`], with the kernels of this handle.
    ///
    /// # Errors
    /// As [`mq64_encode_with_levels`].
    ///
    /// # Panics
    /// As [`mq64_encode_with_levels`].
    ///
    /// ```
    /// let encoder = q64::Encoder::new();
    /// assert_eq!(encoder.mq64_encode_with_levels(b"Q64", &[1, 3]).unwrap(), "FR:FRj2DU");
    /// assert_eq!(encoder.mq64_encode_with_levels(b"Q64", &[3, 1]).unwrap_err().kind(), "bad_levels");
    /// ```
    pub fn mq64_encode_with_levels(
        &self,
        data: &[u8],
        levels: &[usize],
    ) -> Result<String, Q64Error> {
        check(levels, data.len())?;
        let len = mq64_encoded_len_with_levels(levels).expect(TOO_MUCH);
        let below = levels
            .iter()
            .copied()
            .take_while(|&level| level < data.len());
        // SAFETY: `write_levels` writes all of a text of this length, and nothing but characters and separators.
        Ok(unsafe { new_text(len, |text| self.write_levels(data, below, text)) })
    }

    /// As [`mq64_encode_with_levels_to_buffer`], with the kernels of this handle.
    ///
    /// # Errors
    /// As [`mq64_encode_with_levels_to_buffer`].
    ///
    /// ```
    /// let mut text = [0; 9];
    /// assert_eq!(q64::Encoder::new().mq64_encode_with_levels_into(b"Q64", &[1, 3], &mut text), Ok(9));
    /// assert_eq!(&text, b"FR:FRj2DU");
    /// ```
    pub fn mq64_encode_with_levels_into(
        &self,
        data: &[u8],
        levels: &[usize],
        output: &mut [u8],
    ) -> Result<usize, Q64Error> {
        check(levels, data.len())?;
        let needed = mq64_encoded_len_with_levels(levels).unwrap_or(usize::MAX);
        let output = Q64Error::room(output, needed)?;
        let below = levels
            .iter()
            .copied()
            .take_while(|&level| level < data.len());
        // SAFETY: `write_levels` writes characters and separators, and nothing else.
        self.write_levels(data, below, unsafe { uninit(output) });
        Ok(output.len())
    }

    /// As [`mq64_decode`], with the kernels of this handle.
    ///
    /// # Errors
    /// As [`mq64_decode`].
    ///
    /// # Panics
    /// As [`mq64_decode`].
    ///
    /// ```
    /// let encoder = q64::Encoder::new();
    /// assert_eq!(encoder.mq64_decode(b"FR:FRj2DU").unwrap(), b"Q64");
    /// assert_eq!(encoder.mq64_decode(b"FR:").unwrap_err().kind(), "empty_segment");
    /// ```
    pub fn mq64_decode(&self, text: &[u8]) -> Result<Vec<u8>, Q64Error> {
        let last = last_segment(text);
        let read = |data: &mut [Out]| self.read_levels(text, last, data);
        // SAFETY: `read_levels` writes all of the data where it succeeds.
        unsafe { new_data(last.len() / 2, read) }
    }

    /// As [`mq64_decode_to_buffer`], with the kernels of this handle.
    ///
    /// # Errors
    /// As [`mq64_decode_to_buffer`].
    ///
    /// ```
    /// let mut data = [0; 3];
    /// assert_eq!(q64::Encoder::new().mq64_decode_into(b"FR:FRj2DU", &mut data), Ok(3));
    /// assert_eq!(&data, b"Q64");
    /// ```
    pub fn mq64_decode_into(&self, text: &[u8], output: &mut [u8]) -> Result<usize, Q64Error> {
        let last = last_segment(text);
        let output = Q64Error::room(output, last.len() / 2)?;
        // SAFETY: `read_levels` writes decoded bytes, and nothing else.
        self.read_levels(text, last, unsafe { uninit(output) })?;
        Ok(output.len())
    }

    /// Writes all of `text`, which has the length for these levels, all but the last, and that.
    fn write_levels(&self, data: &[u8], below: impl Iterator<Item = usize>, mut text: &mut [Out]) {
        for level in below {
            let (segment, behind) = text.split_at_mut(2 * level);
            self.run_encode(&data[..level], segment);
            behind[0].write(SEPARATOR);
            text = &mut behind[1..];
        }
        self.run_encode(data, text);
    }

    /// Writes all of `data`, which has half the length of `text`'s last segment, or returns the leftmost error.
    fn read_levels(&self, text: &[u8], last: &[u8], data: &mut [Out]) -> Result<(), Q64Error> {
        let decoded = last.len().is_multiple_of(2) && self.run_decode(last, data).is_ok();
        match decoded && are_prefixes(&text[..text.len() - last.len()], last) {
            true => Ok(()),
            false => Err(refusal(text)),
        }
    }
}

const TOO_MUCH: &str = "a text of more bytes than can be addressed";

/// Whether `front`, each of whose segments has a separator behind it, holds proper prefixes of each other, and of `last`, with
/// whole pairs of characters, and not one empty.
fn are_prefixes(mut front: &[u8], last: &[u8]) -> bool {
    let mut before = 0;
    while !front.is_empty() {
        let (segment, rest) = first_segment(front);
        let longer = segment.len() > before && segment.len() < last.len();
        if !longer || !segment.len().is_multiple_of(2) || !last.starts_with(segment) {
            return false;
        }
        (before, front) = (segment.len(), rest);
    }
    true
}

/// The leftmost error of a text that has one.
#[cold]
#[inline(never)]
fn refusal(text: &[u8]) -> Q64Error {
    let (mut start, mut before) = (0, &text[..0]);
    for segment in text.split(|byte| *byte == SEPARATOR) {
        if segment.is_empty() {
            return Q64Error::EmptySegment { position: start };
        }
        let (pairs, odd): (&[Pair], _) = segment.as_chunks();
        if !odd.is_empty() {
            return Q64Error::OddSegment {
                position: start,
                len: segment.len(),
            };
        }
        if let Some(error) = offender(pairs, 0) {
            return error.explain(segment, segment.len() / 2).within(start);
        }
        let differs = before.iter().zip(segment).position(|(a, b)| a != b);
        let ends = (segment.len() <= before.len()).then_some(segment.len());
        if let Some(at) = differs.or(ends) {
            return Q64Error::NotAPrefix {
                position: start + at,
            };
        }
        (start, before) = (start + segment.len() + 1, segment);
    }
    unreachable!("a text was refused, all of which the format allows")
}

/// Encodes prefixes of `data` of 64, 128, 256 … bytes, while they are shorter than all of it, and then all of it, each as
/// [`q64_encode`](crate::q64_encode) does, joined with `:`. No data is the empty text. Linear in the length: for each byte of the
/// data the text has 2 bytes, if there are at most 64, and else less than 6.
///
/// Source: `mq64_encode` of `uubed-core` 1.0.14.
///
/// # Panics
/// As [`Vec::with_capacity`].
///
/// ```
/// let text = q64::mq64_encode(&[0; 65]);
/// let segments: Vec<_> = text.split(':').collect();
/// assert_eq!(segments, [q64::q64_encode(&[0; 64]), q64::q64_encode(&[0; 65])]);
/// ```
pub fn mq64_encode(data: &[u8]) -> String {
    Encoder::best().mq64_encode(data)
}

/// As [`mq64_encode`], into the first [`mq64_encoded_len`] bytes of `output`; returns their number. Further bytes of `output` are
/// left as they are.
///
/// # Errors
/// [`Q64Error::BufferTooSmall`] if `output` is shorter; nothing is written then.
///
/// ```
/// let mut text = [0; 6];
/// assert_eq!(q64::mq64_encode_to_buffer(b"Q64", &mut text), Ok(6));
/// assert_eq!(&text, b"FRj2DU");
/// ```
pub fn mq64_encode_to_buffer(data: &[u8], output: &mut [u8]) -> Result<usize, Q64Error> {
    Encoder::best().mq64_encode_into(data, output)
}

/// Encodes the prefixes of `data` of these lengths in bytes, each as [`q64_encode`](crate::q64_encode) does, joined with `:`.
/// Linear in the length of the text.
///
/// Source: `mq64_encode_with_levels` of `uubed-core` 1.0.14, which takes any levels.
///
/// # Errors
/// [`Q64Error::BadLevels`] if levels are not strictly ascending, from 1 at least, or if the last is not the length of the data,
/// which would be lost otherwise. No data has no levels.
///
/// # Panics
/// As [`Vec::with_capacity`].
///
/// ```
/// use q64::{Q64Error, mq64_encode_with_levels};
///
/// assert_eq!(mq64_encode_with_levels(b"Q64", &[1, 3]).unwrap(), "FR:FRj2DU");
/// let lossy = mq64_encode_with_levels(b"Q64", &[1, 2]);
/// assert_eq!(lossy, Err(Q64Error::BadLevels { index: 2, data_len: 3 }));
/// ```
pub fn mq64_encode_with_levels(data: &[u8], levels: &[usize]) -> Result<String, Q64Error> {
    Encoder::best().mq64_encode_with_levels(data, levels)
}

/// As [`mq64_encode_with_levels`], into the first [`mq64_encoded_len_with_levels`] bytes of `output`; returns their number.
/// Further bytes of `output` are left as they are.
///
/// # Errors
/// The first of these that holds; nothing is written then. [`Q64Error::BadLevels`], as of [`mq64_encode_with_levels`];
/// [`Q64Error::BufferTooSmall`].
///
/// ```
/// let mut text = [0; 9];
/// assert_eq!(q64::mq64_encode_with_levels_to_buffer(b"Q64", &[1, 3], &mut text), Ok(9));
/// assert_eq!(&text, b"FR:FRj2DU");
/// ```
pub fn mq64_encode_with_levels_to_buffer(
    data: &[u8],
    levels: &[usize],
    output: &mut [u8],
) -> Result<usize, Q64Error> {
    Encoder::best().mq64_encode_with_levels_into(data, levels, output)
}

/// Decodes Mq64 text, given as `&str` or as bytes: the data of its last segment, of which all others must be prefixes. Linear in
/// the length.
///
/// Source: `mq64_decode` of `uubed-core` 1.0.14, which looks at the last segment alone.
///
/// # Errors
/// The first of these, segment by segment from the left: [`Q64Error::EmptySegment`], [`Q64Error::OddSegment`], the leftmost
/// character as of [`q64_decode`](crate::q64_decode), but with its index in all of the text, and [`Q64Error::NotAPrefix`].
///
/// # Panics
/// As [`Vec::with_capacity`].
///
/// ```
/// use q64::{Q64Error, mq64_decode};
///
/// assert_eq!(mq64_decode("FR:FRj2DU").unwrap(), b"Q64");
/// assert_eq!(mq64_decode("FR:FSj2DU"), Err(Q64Error::NotAPrefix { position: 4 }));
/// assert_eq!(mq64_decode("").unwrap(), b"");
/// ```
pub fn mq64_decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, Q64Error> {
    Encoder::best().mq64_decode(text.as_ref())
}

/// As [`mq64_decode`], into the first [`mq64_decoded_len`] bytes of `output`; returns their number. Further bytes of `output` are
/// left as they are.
///
/// # Errors
/// [`Q64Error::BufferTooSmall`], and nothing is written; else as [`mq64_decode`], and what the first [`mq64_decoded_len`] bytes
/// of `output` hold then is unspecified.
///
/// ```
/// let mut data = [0; 3];
/// assert_eq!(q64::mq64_decode_to_buffer("FR:FRj2DU", &mut data), Ok(3));
/// assert_eq!(&data, b"Q64");
/// ```
pub fn mq64_decode_to_buffer(text: impl AsRef<[u8]>, output: &mut [u8]) -> Result<usize, Q64Error> {
    Encoder::best().mq64_decode_into(text.as_ref(), output)
}
