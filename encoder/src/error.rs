//! Errors: the full one, and the small ones that the hot calls return.

use core::error::Error;
use core::fmt;

use crate::q64::{ALPHABETS, MEANING, NO_CHARACTER};

/// Why an operation on Q64 text was refused: what is wrong, where, and what was expected.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Q64Error {
    /// The text has an odd number of bytes. This wins over every other error.
    OddLength {
        /// The length of the text in bytes.
        len: usize,
    },
    /// A byte that is in none of the four alphabets.
    InvalidCharacter {
        /// Its index in the text, from 0.
        position: usize,
        /// The byte.
        byte: u8,
    },
    /// A character of another position's alphabet.
    WrongPosition {
        /// Its index in the text, from 0.
        position: usize,
        /// The byte.
        byte: u8,
        /// The number, 0 to 3, of the alphabet that has this character.
        found: u8,
        /// The number, 0 to 3, of the alphabet of this position: `position % 4`.
        expected: u8,
    },
    /// The output buffer is smaller than the result. Nothing was written.
    BufferTooSmall {
        /// The size of the result in bytes.
        needed: usize,
        /// The size of the buffer in bytes.
        available: usize,
    },
}

impl Q64Error {
    /// A stable name of the kind of error: `odd_length`, `invalid_character`, `wrong_position` or
    /// `buffer_too_small`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OddLength { .. } => "odd_length",
            Self::InvalidCharacter { .. } => "invalid_character",
            Self::WrongPosition { .. } => "wrong_position",
            Self::BufferTooSmall { .. } => "buffer_too_small",
        }
    }

    /// The index in the text of the first offending byte, from 0; `None` for an error that has no
    /// place.
    pub const fn position(&self) -> Option<usize> {
        match *self {
            Self::InvalidCharacter { position, .. } | Self::WrongPosition { position, .. } => {
                Some(position)
            }
            Self::OddLength { .. } | Self::BufferTooSmall { .. } => None,
        }
    }
}

impl fmt::Display for Q64Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::OddLength { len } => write!(
                f,
                "odd length: the text has {len} bytes, but every encoded byte is two characters; \
                 is it cut off, or followed by a line end?"
            ),
            Self::InvalidCharacter { position, byte } => write!(
                f,
                "invalid character: byte {byte:#04x} ('{}') at position {position} is in no Q64 \
                 alphabet; expected one of \"{}\"",
                byte.escape_ascii(),
                ALPHABETS[position % 4].escape_ascii(),
            ),
            Self::WrongPosition {
                position,
                byte,
                found,
                expected,
            } => write!(
                f,
                "wrong position: '{}' at position {position} is of alphabet {found}, expected \
                 alphabet {expected}, one of \"{}\"; are characters missing or added before it?",
                byte.escape_ascii(),
                ALPHABETS[position % 4].escape_ascii(),
            ),
            Self::BufferTooSmall { needed, available } => write!(
                f,
                "buffer too small: the output buffer has {available} bytes, the result needs \
                 {needed}"
            ),
        }
    }
}

impl Error for Q64Error {}

/// The output buffer is smaller than the result. Nothing was written.
///
/// [`Encoder::encode_into`](crate::Encoder::encode_into) fails with this zero-sized error, because
/// a `Result` that does not fit two registers would cost half as much as encoding 64 bytes;
/// [`q64_encode_to_buffer`](crate::q64_encode_to_buffer) says the two sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BufferTooSmall;

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("buffer too small: encoded text needs two bytes for every byte of data")
    }
}

impl Error for BufferTooSmall {}

/// Why [`Encoder::decode_into`](crate::Encoder::decode_into) refused a text, in one register;
/// [`explain`](Self::explain) makes the full [`Q64Error`] of it.
//
// An enum would do, but a `Result` of one does not fit two registers. The position of the first
// offending character, or a number that is no position, because a slice has at most isize::MAX
// bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecodeError(usize);

impl DecodeError {
    pub(crate) const ODD_LENGTH: Self = Self(usize::MAX);
    pub(crate) const BUFFER_TOO_SMALL: Self = Self(usize::MAX - 1);

    pub(crate) const fn at(position: usize) -> Self {
        Self(position)
    }

    /// The index in the text of the first character that its position does not allow, from 0;
    /// `None` if the length of the text or of the buffer was refused.
    pub const fn position(self) -> Option<usize> {
        match self {
            Self::ODD_LENGTH | Self::BUFFER_TOO_SMALL => None,
            Self(position) => Some(position),
        }
    }

    /// The full error, given the text and the length of the output buffer of the call that was
    /// refused.
    ///
    /// # Panics
    /// If `text` does not reach to [`position`](Self::position), and so is not the text that was
    /// refused.
    #[cold]
    pub const fn explain(self, text: &[u8], available: usize) -> Q64Error {
        match self {
            Self::ODD_LENGTH => Q64Error::OddLength { len: text.len() },
            Self::BUFFER_TOO_SMALL => Q64Error::BufferTooSmall {
                needed: text.len() / 2,
                available,
            },
            Self(position) => {
                let byte = text[position];
                match MEANING[byte as usize] {
                    NO_CHARACTER => Q64Error::InvalidCharacter { position, byte },
                    meaning => Q64Error::WrongPosition {
                        position,
                        byte,
                        found: meaning >> 4,
                        expected: (position % 4) as u8,
                    },
                }
            }
        }
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ODD_LENGTH => f.write_str("OddLength"),
            Self::BUFFER_TOO_SMALL => f.write_str("BufferTooSmall"),
            Self(position) => f.debug_tuple("Character").field(&position).finish(),
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ODD_LENGTH => {
                f.write_str("odd length: every encoded byte is two characters of text")
            }
            Self::BUFFER_TOO_SMALL => f.write_str(
                "buffer too small: decoded data needs one byte for every two characters of text",
            ),
            Self(position) => write!(
                f,
                "the byte at position {position} is not a character of that position's alphabet, \
                 \"{}\"",
                ALPHABETS[position % 4].escape_ascii()
            ),
        }
    }
}

impl Error for DecodeError {}
